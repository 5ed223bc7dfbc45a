//! What can go wrong, sorted by what to do about it. Imports nothing from this crate.

mod answer;
mod network;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use answer::{Denied, ProtocolError, ProtocolErrorKind};
pub(crate) use answer::{Excerpt, hidden};
pub use network::{TransportError, TransportErrorKind, TransportFailure};

/// Why there is no token, or why a request was not authorized.
///
/// The variants are sorted by what there is to do. `Display` says what happened and which setting to change; the cause below
/// it, if there is one, is in `source()`. No text holds a secret, a token or the body of a successful answer, and what a
/// server wrote is escaped before it is printed.
///
/// `Debug` is the same text with the causes behind it, because that is what a `main` prints that returns the error. Every
/// error is `Clone`, because all callers that waited for one token request share its failure.
///
/// # Examples
///
/// ```
/// use client_credentials::{Error, TokenRequest};
///
/// fn what_to_do(error: &Error) -> String {
///     match error {
///         Error::Configuration(error) => format!("mend the program: {error}"),
///         Error::OriginNotAllowed(error) => format!("may {} have the token?", error.origin()),
///         Error::Transport(failure) => format!("look at the network: {failure}"),
///         Error::Denied(denied) => format!("talk to {}: {denied}", denied.endpoint()),
///         Error::Protocol(error) => format!("is {} a token endpoint?", error.endpoint()),
///         error => error.to_string(),
///     }
/// }
///
/// let error = TokenRequest::new("http://auth.example.com/token").unwrap_err();
/// assert!(what_to_do(&error).starts_with("mend the program: token endpoint: plain http"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Error {
    /// A setting of the program is wrong or missing: the text names it. Also: the client secret could not be read.
    Configuration(Arc<ConfigurationError>),
    /// The request goes to an origin that may not receive this token; nothing was sent.
    OriginNotAllowed(Arc<OriginNotAllowed>),
    /// The token request got no whole answer: network, name resolution, TLS, time.
    Transport(Arc<TransportFailure>),
    /// The authorization server refused the token request (RFC 6749 section 5.2).
    Denied(Arc<Denied>),
    /// The answer was not an OAuth 2.0 token response (RFC 6749 section 5.1), or its token cannot be used.
    Protocol(Arc<ProtocolError>),
}

impl Error {
    #[cold]
    pub(crate) fn configuration(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Configuration(Arc::new(ConfigurationError { message: message.into(), cause: None }))
    }

    /// Whether the same call may succeed later without a change to the program: the server was busy, or nobody answered.
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let busy = http::Response::builder().status(503).body("")?;
    /// assert!(request.decode(&busy, sent_at).unwrap_err().is_retryable());
    ///
    /// let refusal = http::Response::builder().status(401).body(r#"{"error":"invalid_client"}"#)?;
    /// assert!(!request.decode(&refusal, sent_at).unwrap_err().is_retryable());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
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

    /// How long the server asked to wait (`Retry-After`, RFC 9110 section 10.2.3); `None` if it did not.
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let busy = http::Response::builder().status(429).header("retry-after", "120").body("")?;
    /// let error = request.decode(&busy, sent_at).unwrap_err();
    /// assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(120)));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
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

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, "; caused by: {}", Excerpt(error.to_string().as_bytes()))?;
            cause = error.source();
        }
        Ok(())
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

/// A setting is wrong or missing: the text names it and says what to do.
///
/// # Examples
///
/// ```
/// use client_credentials::{Error, TokenRequest};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?;
/// let Err(Error::Configuration(error)) = request.scope("read,  write") else { panic!() };
/// assert!(error.to_string().starts_with("scope: "));
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConfigurationError {
    pub(crate) message: Cow<'static, str>,
    pub(crate) cause: Option<Cause>,
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A request goes to an origin that may not receive the token (RFC 6750 section 5.3, RFC 9700 section 4.9.1).
///
/// If it should, name the origin with [`TokenRequest::allow_origin`](crate::TokenRequest::allow_origin).
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request, Script::new()).build()?;
/// let mut request = http::Request::get("https://evil.example/").body(())?;
/// let Err(Error::OriginNotAllowed(error)) = source.authorize(&mut request) else { panic!() };
/// assert!(error.to_string().contains("https://evil.example may not receive this token"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OriginNotAllowed {
    pub(crate) origin: String,
}

impl OriginNotAllowed {
    /// Scheme, host and port of the request, without user info, path or query.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request, Script::new()).build()?;
    /// let mut request = http::Request::get("https://api.example.com:8443/v1/items?n=1").body(())?;
    /// let Err(Error::OriginNotAllowed(error)) = source.authorize(&mut request) else { panic!() };
    /// assert_eq!(error.origin(), "https://api.example.com:8443");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
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
