//! OAuth 2.0 for blocking Rust programs that call an API on their own behalf: services,
//! command-line tools, cron jobs. Each request to the API carries a valid access token, which is
//! fetched once, cached, renewed before it expires, replaced if the API answers 401, and sent to no
//! other host. Many processes and machines can share one.
//!
//! - [Examples](#examples): [from the environment](#from-the-environment),
//!   [your own agent](#your-own-agent), [an error and its remedy](#an-error-and-its-remedy)
//! - [How it works](guide::how_it_works), in three pictures
//! - [How do I ...](guide::how_do_i), with tested code
//! - [Error messages](guide::errors), and what to do
//! - [Recipes](guide) for identity providers, from Auth0 to Zoom
//! - [Token stores](guide::stores): one token for many processes and machines
//! - [Where to start](#where-to-start), and
//!   [the settings of a token request](#token-request-settings)
//! - [Logging](#logging), [errors](#errors), [testing](#testing)
//! - [Features](#features), [versions](#versions-and-msrv), [changelog](guide::changelog)
//!
//! # Examples
//!
//! ## From the environment
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
//! The agent is an ordinary `ureq::Agent`. Requests for `https://api.example.com` carry a token,
//! and all other requests are sent as they are. If the API is at another origin than the audience,
//! name it with [`allow_origin`](TokenRequest::allow_origin).
//!
//! ## Your own agent
//!
//! A time limit for each API request, statuses as answers, and a shorter time limit for the token
//! request:
//!
#![cfg_attr(feature = "ureq", doc = "```no_run")]
#![cfg_attr(not(feature = "ureq"), doc = "```ignore")]
//! use client_credentials::{Credentials, TokenRequest, TokenSource};
//! use std::time::Duration;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let secret = std::fs::read_to_string("/run/secrets/client")?;
//!     let credentials = Credentials::new("my-client", secret.trim_end());
//!     let request = TokenRequest::new("https://auth.example.com/oauth/token")?
//!         .scope("items:read")?
//!         .allow_origin("https://api.example.com")?;
//!     let source = TokenSource::builder(credentials, request)
//!         .timeout(Duration::from_secs(10))
//!         .build()?;
//!
//!     let config = ureq::Agent::config_builder()
//!         .timeout_global(Some(Duration::from_secs(20)))
//!         .http_status_as_error(false);
//!     let agent = source.wrap(config.build().into());
//!     let response = agent.get("https://api.example.com/v1/items").call()?;
//!     println!("{}", response.status());
//!     Ok(())
//! }
//! ```
//!
//! ## An error and its remedy
//!
//! A request is not sent without its token. The error of the token request arrives inside a
//! `ureq::Error`, and says which setting to change:
//!
#![cfg_attr(feature = "ureq", doc = "```no_run")]
#![cfg_attr(not(feature = "ureq"), doc = "```ignore")]
//! use client_credentials::{Credentials, Error, TokenRequest, TokenSource};
//! use std::process::ExitCode;
//!
//! fn main() -> Result<ExitCode, Error> {
//!     let credentials = Credentials::new("my-client", "not the secret");
//!     let request = TokenRequest::new("https://auth.example.com/oauth/token")?
//!         .audience("https://api.example.com");
//!     let agent = TokenSource::new(credentials, request)?.agent();
//!
//!     let Err(error) = agent.get("https://api.example.com/v1/items").call() else {
//!         return Ok(ExitCode::SUCCESS);
//!     };
//!     match Error::from_ureq(&error) {
//!         Some(error) if error.is_retryable() => eprintln!("try again later: {error}"),
//!         Some(error) => eprintln!("fix this: {error}"),
//!         None => eprintln!("the API: {error}"),
//!     }
//!     Ok(ExitCode::FAILURE)
//! }
//! ```
//!
//! # Where to start
//!
//! | to do this | start here |
//! |---|---|
//! | name the client, and its secret or key | [`Credentials`], [`BasicEncoding`], [`Secret`] |
//! | describe the token request, and name the API | [`TokenRequest`], [`BodyFormat`] |
//! | get tokens and put them on requests | [`TokenSource`], [`TokenSourceBuilder`], [`AccessToken`] |
//! | share tokens between sources | [`TokenCache`], [`CacheKey`] |
//! | share a token among processes | [`TokenSourceBuilder::store`], [`FileStore`], [`Sealed`] |
//! | keep shared tokens in a database | [`TokenStore`], [`Entry`], [`Claim`], [`StoreKey`] |
//! | handle errors | [`Error`] |
//! | log events, show the state | [`Event`], [`Snapshot`] |
//! | set a proxy, a private CA or a client certificate | [`UreqTransport`] |
//! | use another HTTP client | [`Call`], [`Transport`], [`Attempt`], [`TransportError`] |
//! | read the challenge of a 401 | [`Challenge`] |
//! | read a private key, say what it signs | [`SigningKey`], [`Algorithm`], [`Assertion`] |
//! | test a program | the feature `test-util`, [`Clock`] |
//!
//! [`TokenRequest`], [`Credentials`], [`CacheKey`] and [`Challenge`] send nothing and read no
//! clock, so they can be used on their own.
//!
//! # Token request settings
//!
//! | method of [`TokenRequest`] | what it sets |
//! |---|---|
//! | [`new`](TokenRequest::new) | the token endpoint |
//! | [`audience`](TokenRequest::audience), [`resource`](TokenRequest::resource) | the API; if it is a URL, its origin may receive the token |
//! | [`allow_origin`](TokenRequest::allow_origin) | another origin that may receive the token |
//! | [`scope`](TokenRequest::scope) | the permissions |
//! | [`parameter`](TokenRequest::parameter), [`parameter_from`](TokenRequest::parameter_from), [`header`](TokenRequest::header) | what else the server asks for |
//! | [`grant_type`](TokenRequest::grant_type), [`assertion`](TokenRequest::assertion) | another grant than `client_credentials` |
//! | [`issuer`](TokenRequest::issuer) | the audience of assertions |
//! | [`body_format`](TokenRequest::body_format) | JSON instead of a form |
//! | [`organization`](TokenRequest::organization) | Auth0's parameter for an organization |
//! | **rare:** | |
//! | [`add_audience`](TokenRequest::add_audience), [`resource_by_name`](TokenRequest::resource_by_name) | a second audience; a resource that is not a URI |
//! | [`without_grant_type`](TokenRequest::without_grant_type) | a login that is not quite OAuth |
//! | [`token_member`](TokenRequest::token_member), [`lifetime_member`](TokenRequest::lifetime_member) | where the answer has the token and its lifetime |
//! | [`token_type_alias`](TokenRequest::token_type_alias) | another word for the token type `Bearer` |
//! | [`token_header`](TokenRequest::token_header) | another header or scheme on API requests |
//! | **dangerous:** | |
//! | [`dangerously_over_plain_http`](TokenRequest::dangerously_over_plain_http), [`dangerously_allow_plain_http_origin`](TokenRequest::dangerously_allow_plain_http_origin) | no TLS, for a host other than this machine |
//! | [`dangerously_allow_any_origin`](TokenRequest::dangerously_allow_any_origin) | the token goes to every host |
//! | [`dangerously_password_grant`](TokenRequest::dangerously_password_grant) | the grant `password` |
//!
//! How the client shows who it is, is set by [`Credentials`]. Time limits, retries, the cache, the
//! transport and the event hook are methods of [`TokenSourceBuilder`].
//!
//! # Logging
//!
//! Each [`Event`] goes to the `log` crate under the target `client_credentials`: warnings for what
//! needs attention, debug messages for the rest. [`on_event`](TokenSourceBuilder::on_event) sets a
//! hook that gets the same events as values, for [metrics](guide::how_do_i#export-metrics).
//! [`TokenSource::inspect`] shows the
//! present state. None of them holds a secret or a token.
//!
//! ureq itself logs what it sends, tokens included, at trace level under `ureq_proto::util`.
//!
//! # Errors
//!
//! [`Error`] has a variant for each remedy: change the program, allow an origin, look at the
//! network, ask the operator of the server. Its text names the host and the setting to change.
//! Errors are cloneable, because one failed token request fails all callers that waited for it.
//! [Error messages](guide::errors) lists all texts with their remedies, and [`Error::name`] returns
//! a stable word for metrics.
//!
//! # Testing
//!
//! With the feature `test-util`, [`test_util::Script`] is a token endpoint that answers by a
//! script, [`test_util::ManualClock`] a clock that is set by hand, and [`test_util::TokenServer`] a
//! server on this machine that misbehaves as told. With the feature `store` there is
//! [`test_util::MemoryStore`], a token store that misbehaves as well.
//! For more, see [Test without a network](guide::how_do_i#test-without-a-network).
//!
//! # In and out of scope
//!
//! In scope:
//!
//! - the client credentials grant ([RFC 6749 section 4.4]), and every other grant without user
//!   interaction,
//! - client authentication by a secret ([section 2.3.1]), by a private key or an assertion of the
//!   platform ([RFC 7523]), by a client certificate ([RFC 8705]), and clients without any,
//! - bearer tokens ([RFC 6750]) and resource indicators ([RFC 8707]),
//! - caching and renewal of tokens, and a second attempt for a request that was answered by 401,
//! - sharing one token among processes and machines,
//! - limiting tokens to the origins that may receive them.
//!
//! Out of scope are grants that use a browser, OpenID Connect, the validation of tokens, and
//! async. Not supported yet are DPoP ([RFC 9449]) and discovery ([RFC 8414]).
//!
//! [RFC 6749 section 4.4]: https://www.rfc-editor.org/rfc/rfc6749#section-4.4
//! [section 2.3.1]: https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
//! [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
//! [RFC 7523]: https://www.rfc-editor.org/rfc/rfc7523
//! [RFC 8414]: https://www.rfc-editor.org/rfc/rfc8414
//! [RFC 8705]: https://www.rfc-editor.org/rfc/rfc8705
//! [RFC 8707]: https://www.rfc-editor.org/rfc/rfc8707
//! [RFC 9449]: https://www.rfc-editor.org/rfc/rfc9449
//!
//! # Features
//!
//! - `keys` (default): [`SigningKey`], [`Assertion`], [`Credentials::with_key`],
//!   [`TokenRequest::assertion`] and [`TokenSource::self_signed`]. It adds no crate to the default
//!   tree.
//! - `ureq` (default): [`TokenSource::new`], [`TokenSource::agent`], [`TokenSource::wrap`] and
//!   the transport for ureq 3.5. Without this feature, ureq is not a dependency. On its own it
//!   has no TLS.
//! - `rustls` (default): TLS for ureq by rustls.
//! - `native-tls`: TLS for ureq by the library of the operating system, for use with
//!   `default-features = false`. If `rustls` is enabled as well, the agents that this crate makes
//!   use rustls.
//! - `store`: [`TokenSourceBuilder::store`], so that many processes use one token; the trait
//!   [`TokenStore`], and [`Sealed`], which encrypts what a store keeps. It adds no crate to the
//!   default tree. The crate `client-credentials-redis` has a store for Redis and Valkey.
//! - `store-file`: [`FileStore`], a store for the processes of one machine. It includes `store`, and
//!   adds four crates on Linux.
//! - `test-util`: tools for tests. A scripted token endpoint, a clock set by hand, and a token
//!   server on this machine. With `store`, also a token store in memory.
//!
//! # Versions and MSRV
//!
//! Versions follow semantic versioning; before 1.0, a minor version may break the API. What changed
//! is in the [changelog](guide::changelog). The minimum supported Rust version is 1.85. Raising it
//! is a minor release.

#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(feature = "keys", feature = "store-file", feature = "ureq")),
    allow(rustdoc::broken_intra_doc_links)
)]

// First, because rustdoc shows methods in the order of their modules: the page of `TokenSource`
// begins with its constructors.
#[cfg(feature = "ureq")]
mod ureq;

mod clock;
mod error;
mod event;
pub mod guide;
mod instance;
mod made;
mod origin;
mod protocol;
mod random;
mod redact;
mod renewal;
#[cfg(feature = "keys")]
mod signing;
mod source;
#[cfg(feature = "store")]
mod store;
#[cfg(feature = "test-util")]
pub mod test_util;
mod transport;

#[cfg(feature = "ureq")]
pub use crate::ureq::{CallSettings, UreqTransport};
#[cfg(feature = "store")]
pub use clock::Uptime;
pub use clock::{Clock, Moment, SystemClock};
pub use error::{
    ConfigurationError, CredentialsError, Denied, Error, NoAnswer, OriginNotAllowed, ProtocolError, ProtocolErrorKind,
    TransportError, TransportErrorKind,
};
pub use event::{Event, EventKind, Reason, Verdict};
pub use protocol::basic::BasicEncoding;
pub use protocol::challenge::Challenge;
pub use protocol::credentials::Credentials;
pub use protocol::dialect::LifetimeUnit;
pub use protocol::key::CacheKey;
pub use protocol::request::{BodyFormat, TokenRequest};
pub use protocol::token::AccessToken;
pub use redact::Secret;
#[cfg(feature = "keys")]
pub use signing::SigningKey;
#[cfg(feature = "keys")]
pub use signing::algorithm::Algorithm;
#[cfg(feature = "keys")]
pub use signing::assertion::Assertion;
pub use source::TokenSource;
pub use source::builder::TokenSourceBuilder;
pub use source::call::{Call, PreparedCall};
pub use source::snapshot::Snapshot;
pub use source::token_cache::TokenCache;
#[cfg(feature = "store-file")]
pub use store::file::FileStore;
#[cfg(feature = "store")]
pub use store::sealed::{Sealed, SealingKey};
#[cfg(feature = "store")]
pub use store::{Claim, Entry, Stamp, StoreError, StoreKey, TokenStore};
pub use transport::{Attempt, Transport, TransportIdentity};

/// The code of README.md, tested.
#[cfg(all(doctest, feature = "ureq"))]
#[doc = include_str!("../README.md")]
struct Readme;
