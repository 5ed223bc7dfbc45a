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
//!     let mut response = agent.get("https://api.example.com/v1/items").call()?;
//!     Ok(println!("{}", response.body_mut().read_to_string()?))
//! }
//! ```
//!
//! The agent is an ordinary `ureq::Agent`. Requests for `https://api.example.com` carry a valid token; any other request
//! is left alone. Without ureq, a [`Call`] does the same for any HTTP client.
//!
//! The [`guide`] has recipes for identity providers, from Auth0 to Zoom, and answers to ["How do I ...?"](guide::how_do_i)
//!
//! # In scope, and out of scope
//!
//! In scope:
//!
//! - the client credentials grant ([RFC 6749 section 4.4]), and every other grant that needs no person,
//! - client authentication by a secret ([section 2.3.1]), or none,
//! - bearer tokens ([RFC 6750]) and resource indicators ([RFC 8707]),
//! - caching, renewal, sending a request once more after a 401, and where a token may go.
//!
//! Out of scope: grants with a browser, OpenID Connect, validating tokens, async. Not yet: signed client assertions
//! ([RFC 7523]), DPoP ([RFC 9449]), discovery ([RFC 8414]), token stores on disk.
//!
//! [RFC 6749 section 4.4]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4
//! [section 2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
//! [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
//! [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
//! [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
//! [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
//! [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
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
//! | set a proxy or a private CA | [`UreqTransport`] |
//! | bring another HTTP client | [`Call`], [`Transport`], [`Attempt`], [`TransportError`] |
//! | read a 401 | [`Challenge`] |
//! | test a program | the feature `test-util`, [`Clock`] |
//!
//! [`TokenRequest`], [`Credentials`], [`CacheKey`] and [`Challenge`] send nothing and read no clock: they can be used
//! alone.
//!
//! # Features and versions
//!
//! - `ureq` (default): [`TokenSource::new`], [`TokenSource::agent`], [`TokenSource::wrap`] and the transport for ureq 3.5.
//!   Without it there is no ureq in the tree. By itself it has no TLS.
//! - `rustls` (default): TLS for ureq by rustls.
//! - `native-tls`: TLS for ureq by the library of the operating system, for `default-features = false`. The agents that
//!   this crate makes use it unless `rustls` is on, too.
//! - `test-util`: for tests. A scripted token endpoint, a clock set by hand, a token server on this machine.
//!
//! Minimum supported Rust version: 1.85. A higher one comes with a new minor version.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(feature = "ureq"), allow(rustdoc::broken_intra_doc_links))]

mod clock;
mod error;
mod event;
pub mod guide;
mod origin;
mod protocol;
mod random;
mod redact;
mod renewal;
mod source;
#[cfg(feature = "test-util")]
pub mod test_util;
mod transport;
#[cfg(feature = "ureq")]
mod ureq;

#[cfg(feature = "ureq")]
pub use crate::ureq::{CallSettings, UreqTransport};
pub use clock::{Clock, Moment, SystemClock};
pub use error::{
    ConfigurationError, CredentialsError, Denied, Error, NoAnswer, OriginNotAllowed, ProtocolError, ProtocolErrorKind,
    TransportError, TransportErrorKind,
};
pub use event::{Event, EventKind, Reason, Verdict};
pub use protocol::basic::BasicEncoding;
pub use protocol::challenge::Challenge;
pub use protocol::credentials::Credentials;
pub use protocol::key::CacheKey;
pub use protocol::request::{BodyFormat, TokenRequest};
pub use protocol::token::AccessToken;
pub use redact::Secret;
pub use source::TokenSource;
pub use source::builder::TokenSourceBuilder;
pub use source::call::{Call, PreparedCall};
pub use source::snapshot::Snapshot;
pub use source::token_cache::TokenCache;
pub use transport::{Attempt, Transport};

/// The code of README.md, tested.
#[cfg(all(doctest, feature = "ureq"))]
#[doc = include_str!("../README.md")]
struct Readme;
