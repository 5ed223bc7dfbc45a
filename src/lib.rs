//! OAuth 2.0 client credentials for blocking Rust programs.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod audience;
mod basic;
mod cache;
mod challenge;
mod credentials;
mod error;
mod event;
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
