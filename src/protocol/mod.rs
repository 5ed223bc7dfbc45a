//! Bytes: encoding and decoding of everything that the RFCs define: token requests, their
//! responses, tokens, challenges.
//!
//! No module here takes a lock, reads a clock or does I/O: time and random numbers are arguments.
//! They may import each other and the ground floor, the modules directly in `src`.

// First, because rustdoc shows methods in the order of their modules: the page of `TokenRequest`
// begins with its constructors.
pub(crate) mod request;

mod parameters;

pub(crate) mod authentication;
pub(crate) mod basic;
pub(crate) mod challenge;
pub(crate) mod clock_offset;
pub(crate) mod credentials;
mod decode;
pub(crate) mod dialect;
pub(crate) mod encode;
mod http_date;
pub(crate) mod key;
mod members;
mod retry_after;
pub(crate) mod token;
mod vendor_settings;
