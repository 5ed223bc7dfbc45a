//! OAuth 2.0 client credentials for blocking Rust programs: get an access token once, keep it
//! valid, and put it on the right requests.
//!
//! # The first program
//!
#![cfg_attr(feature = "ureq", doc = "```no_run")]
#![cfg_attr(not(feature = "ureq"), doc = "```ignore")]
//! use client_credentials::{Credentials, TokenRequest, TokenSource};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let secret = std::env::var("CLIENT_SECRET").map_err(|_| "set the variable CLIENT_SECRET")?;
//!     let credentials = Credentials::new("my-client", secret);
//!     let request = TokenRequest::new("https://auth.example.com/oauth/token")?
//!         .audience("https://api.example.com");
//!     let agent = TokenSource::new(credentials, request)?.agent();
//!     let mut response = agent.get("https://api.example.com/v1/items").call()?;
//!     Ok(println!("{}", response.body_mut().read_to_string()?))
//! }
//! ```
//!
//! The agent is an ordinary `ureq::Agent`. Requests for `https://api.example.com` carry a valid
//! token, and all other requests are left alone. Without ureq, a [`Call`] does the same for any
//! HTTP client.
//!
//! The [`guide`] has recipes for identity providers, from Auth0 to Zoom, and answers to
//! ["How do I ...?"](guide::how_do_i).
//!
//! # In scope, and out of scope
//!
//! In scope:
//!
//! - the client credentials grant ([RFC 6749 section 4.4]), and every other grant without user
//!   interaction,
//! - client authentication by a secret ([section 2.3.1]), and clients without a secret,
//! - bearer tokens ([RFC 6750]) and resource indicators ([RFC 8707]),
//! - caching and renewal of tokens, and a second attempt for a request that was answered by 401,
//! - limiting tokens to the origins that may receive them.
//!
//! Out of scope are grants that use a browser, OpenID Connect, the validation of tokens, and
//! async. Not supported yet are signed client assertions ([RFC 7523]), DPoP ([RFC 9449]),
//! discovery ([RFC 8414]), and token stores on disk.
//!
//! [RFC 6749 section 4.4]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4
//! [section 2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
//! [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
//! [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
//! [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
//! [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
//! [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
//!
//! # Where to start
//!
//! | to do this | start here |
//! |---|---|
//! | name the client and its secret | [`Credentials`], [`BasicEncoding`], [`Secret`] |
//! | describe the token request, and name the API | [`TokenRequest`], [`BodyFormat`] |
//! | get tokens and put them on requests | [`TokenSource`], [`TokenSourceBuilder`], [`AccessToken`] |
//! | share tokens between sources | [`TokenCache`], [`CacheKey`] |
//! | handle errors | [`Error`] |
//! | log events, show the state | [`Event`], [`Snapshot`] |
//! | set a proxy or a private CA | [`UreqTransport`] |
//! | use another HTTP client | [`Call`], [`Transport`], [`Attempt`], [`TransportError`] |
//! | read the challenge of a 401 | [`Challenge`] |
//! | test a program | the feature `test-util`, [`Clock`] |
//!
//! [`TokenRequest`], [`Credentials`], [`CacheKey`] and [`Challenge`] send nothing and read no
//! clock, so they can be used on their own.
//!
//! # Features and versions
//!
//! - `ureq` (default): [`TokenSource::new`], [`TokenSource::agent`], [`TokenSource::wrap`] and
//!   the transport for ureq 3.5. Without this feature, ureq is not a dependency. On its own it
//!   has no TLS.
//! - `rustls` (default): TLS for ureq by rustls.
//! - `native-tls`: TLS for ureq by the library of the operating system, for use with
//!   `default-features = false`. If `rustls` is enabled as well, the agents that this crate makes
//!   use rustls.
//! - `test-util`: tools for tests. A scripted token endpoint, a clock set by hand, and a token
//!   server on this machine.
//!
//! The minimum supported Rust version is 1.85. Raising it is a minor release.

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
pub use protocol::request::{BodyFormat, LifetimeUnit, TokenRequest};
pub use protocol::token::AccessToken;
pub use redact::Secret;
pub use source::TokenSource;
pub use source::builder::TokenSourceBuilder;
pub use source::call::{Call, PreparedCall};
pub use source::snapshot::Snapshot;
pub use source::token_cache::TokenCache;
pub use transport::{Attempt, Transport, TransportIdentity};

/// The code of README.md, tested.
#[cfg(all(doctest, feature = "ureq"))]
#[doc = include_str!("../README.md")]
struct Readme;
