//! What can go wrong, sorted by what to do about it. Imports nothing from this crate.

mod answer;
mod network;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use answer::{Denied, ProtocolError, ProtocolErrorKind};
pub(crate) use answer::{Excerpt, hidden};
pub use network::{TransportError, TransportErrorKind, TransportFailure};

/// Why there is no token, or why a request was not authorized.
///
/// The variants are sorted by remedy. Every error is `Clone`, because all callers that waited for one token request
/// share its failure. No message holds a secret, a token or the body of a successful answer; text that came from a
/// server is escaped before it is printed.
///
/// # Examples
///
/// ```
/// use client_credentials::{Error, TokenRequest};
///
/// let error = TokenRequest::new("http://auth.example.com/token").unwrap_err();
/// assert!(matches!(error, Error::Configuration(_)));
/// assert!(!error.is_retryable());
/// assert!(error.to_string().contains("https"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The program is wrong: mend the named setting.
    Configuration(ConfigurationError),
    /// The request goes to an origin that may not receive this token; nothing was sent.
    OriginNotAllowed(OriginNotAllowed),
    /// Nobody answered the token request: network, name resolution, TLS, time.
    Transport(TransportFailure),
    /// The authorization server answered, and said no.
    Denied(Box<Denied>),
    /// The authorization server answered something that is not an OAuth 2.0 token response.
    Protocol(ProtocolError),
}

impl Error {
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::Configuration(ConfigurationError { message: message.into(), cause: None })
    }

    /// Whether the same call may succeed later without a change to the program.
    ///
    /// ```
    /// # let error = client_credentials::TokenRequest::new("not a url").unwrap_err();
    /// assert!(!error.is_retryable());
    /// ```
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Configuration(error) => error.cause.is_some(),
            Self::Transport(failure) => failure.kind != TransportErrorKind::Tls,
            Self::Denied(denied) => denied.retryable,
            Self::OriginNotAllowed(_) | Self::Protocol(_) => false,
        }
    }

    /// How long the server asked to wait (`Retry-After`, RFC 9110 section 10.2.3), if it did.
    ///
    /// ```
    /// # let error = client_credentials::TokenRequest::new("not a url").unwrap_err();
    /// assert_eq!(error.retry_after(), None);
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Denied(denied) => denied.retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(error) => error.fmt(f),
            Self::OriginNotAllowed(error) => error.fmt(f),
            Self::Transport(failure) => failure.fmt(f),
            Self::Denied(denied) => denied.fmt(f),
            Self::Protocol(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let cause = match self {
            Self::Configuration(error) => error.cause.as_ref(),
            Self::Transport(failure) => failure.cause.as_ref(),
            _ => None,
        };
        cause.map(|cause| cause.as_ref() as _)
    }
}

type Cause = Arc<dyn StdError + Send + Sync>;

/// A setting is wrong or missing. Its `Display` names the setting and what to do.
///
/// ```
/// use client_credentials::{Error, TokenRequest};
///
/// let Err(Error::Configuration(error)) = TokenRequest::new("https://auth.example.com/token#x") else { panic!() };
/// assert!(error.to_string().contains("fragment"));
/// ```
#[derive(Clone, Debug)]
pub struct ConfigurationError {
    pub(crate) message: String,
    pub(crate) cause: Option<Cause>,
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The URL of a request is not one that this token may be sent to (RFC 6750 section 5.3, RFC 9700 section 4.9.1).
///
/// ```
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request, Script::new()).build()?;
/// let mut request = http::Request::get("https://evil.example/").body(())?;
/// let Err(Error::OriginNotAllowed(error)) = source.authorize(&mut request) else { panic!() };
/// assert_eq!(error.origin(), "https://evil.example");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OriginNotAllowed {
    pub(crate) origin: String,
}

impl OriginNotAllowed {
    /// Scheme, host and port of the request, without user info, path or query.
    ///
    /// See the example of [`OriginNotAllowed`].
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Display for OriginNotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "request not authorized: {} may not receive this token; if it should, name it with TokenRequest::allow_origin",
            self.origin
        )
    }
}
