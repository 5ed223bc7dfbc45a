//! Bytes: what the RFCs say of requests, answers, tokens and challenges. No clock, no lock, no I/O:
//! time and random numbers are arguments. Imports only from the ground floor, the modules of `src`
//! itself.

pub(crate) mod basic;
pub(crate) mod challenge;
pub(crate) mod credentials;
mod decode;
mod encode;
pub(crate) mod key;
mod members;
pub(crate) mod request;
mod retry_after;
pub(crate) mod token;
