//! OAuth 2.0 client credentials for blocking Rust programs: ask for a token once, keep it valid, and put it on the
//! right requests.
//!
//! # The first program
//!
#![cfg_attr(feature = "ureq", doc = "```no_run")]
#![cfg_attr(not(feature = "ureq"), doc = "```ignore")]
//! use client_credentials::{Credentials, TokenRequest, TokenSource};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let credentials = Credentials::new("my-client", std::env::var("CLIENT_SECRET")?);
//!     let request = TokenRequest::new("https://auth.example.com/oauth/token")?
//!         .audience("https://api.example.com");
//!     let agent = TokenSource::new(credentials, request)?.agent();
//!     let items = agent.get("https://api.example.com/v1/items").call()?.body_mut().read_to_string()?;
//!     Ok(println!("{items}"))
//! }
//! ```
//!
//! The agent is an ordinary `ureq::Agent`. Requests for `https://api.example.com` carry a valid token; any other request
//! is left alone. Without ureq, [`TokenSource::authorize`] and [`TokenSource::replacement`] do the same for any HTTP
//! client.
//!
//! Recipes for identity providers and answers to "How do I ...?" are in the `guide` module of this documentation.
//!
//! # In scope, and out of scope
//!
//! In scope: the client credentials grant of RFC 6749 section 4.4 and every other grant that needs no person; client
//! authentication by secret (section 2.3.1) or none; bearer tokens (RFC 6750); resource indicators (RFC 8707);
//! caching, renewal, replay after a 401, and where a token may go.
//!
//! Out of scope: grants with a browser, OpenID Connect, validating tokens, async. Not yet: signed client assertions
//! (RFC 7523), DPoP (RFC 9449), discovery (RFC 8414), token stores on disk.
//!
//! # The house
//!
//! | to do this | start here |
//! |---|---|
//! | say who asks | [`Credentials`], [`BasicEncoding`], [`Secret`] |
//! | say what is asked, and where the token may go | [`TokenRequest`], [`BodyFormat`] |
//! | get tokens and put them on requests | [`TokenSource`], [`TokenSourceBuilder`], [`AccessToken`] |
//! | share tokens between sources | [`TokenCache`], [`CacheKey`] |
//! | handle errors | [`Error`] |
//! | watch it work | [`Event`], [`Snapshot`] |
//! | bring an HTTP client | [`Transport`], [`Limits`] |
//! | read a 401 | [`Challenge`] |
//!
//! [`TokenRequest`], [`Credentials`], [`CacheKey`] and [`Challenge`] do no I/O, know no time, and can be used alone.
//!
//! # Features and versions
//!
//! `ureq` (default): the agent, the middleware and the transport for ureq 3.5. `test-util`: a scripted token endpoint
//! and a clock set by hand. Minimum supported Rust version: 1.85.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "ureq"), allow(rustdoc::broken_intra_doc_links))]

mod audience;
mod basic;
mod cache;
mod challenge;
mod credentials;
mod error;
mod event;
pub mod guide;
mod moment;
mod policy;
mod request;
mod response;
mod retry;
mod secret;
mod slot;
mod source;
#[cfg(feature = "test-util")]
pub mod test_util;
mod token;
mod transport;
#[cfg(feature = "ureq")]
mod ureq;

#[cfg(feature = "ureq")]
pub use crate::ureq::{Middleware, UreqTransport};
pub use basic::BasicEncoding;
pub use cache::CacheKey;
pub use challenge::Challenge;
pub use credentials::Credentials;
pub use error::{
    ConfigurationError, Denied, Error, OriginNotAllowed, ProtocolError, ProtocolErrorKind, TransportError,
    TransportErrorKind, TransportFailure,
};
pub use event::{Event, EventKind, Reason, Verdict};
pub use moment::Moment;
pub use request::{BodyFormat, TokenRequest};
pub use secret::Secret;
pub use source::builder::TokenSourceBuilder;
pub use source::clock::{Clock, SystemClock};
pub use source::store::TokenCache;
pub use source::{Snapshot, TokenSource};
pub use token::AccessToken;
pub use transport::{Limits, Transport};

/// The code of README.md, tested.
#[cfg(all(doctest, feature = "ureq"))]
#[doc = include_str!("../README.md")]
struct Readme;
