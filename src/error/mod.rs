//! All errors, sorted by what to do about them. Imports `redact`.

mod configuration;
mod denied;
mod protocol;
mod sent;
mod transport;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use configuration::Failed;
pub use configuration::{ConfigurationError, CredentialsError, OriginNotAllowed};
pub use denied::Denied;
pub(crate) use denied::Hints;
pub(crate) use protocol::COMPRESSED;
pub use protocol::{ProtocolError, ProtocolErrorKind};
pub(crate) use sent::{Proof, SecretIn, Sent, SignedFor};
pub use transport::{NoAnswer, TransportError, TransportErrorKind};

use crate::redact::Excerpt;

type Cause = Arc<dyn StdError + Send + Sync>;
/// Any error, as a closure of the program returns it. The documentation shows what is on the right, so
/// the trait has its full name.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The reason why there is no token, or why a request was not authorized.
///
/// The variants are sorted by what to do about them. `Display` says what happened and which setting
/// to change; `source()` returns the cause, if there is one. No text contains a secret, a token or
/// the body of a successful response, and text from a server is escaped before it is printed.
///
/// `Debug` prints the same text and then the causes, because a `main` that returns the error prints
/// it with `Debug`. Every error is `Clone`, because all callers that waited for one token request
/// share its failure.
///
/// # Examples
///
/// ```
/// use client_credentials::{Error, TokenRequest};
///
/// fn what_to_do(error: &Error) -> String {
///     match error {
///         Error::Configuration(error) => format!("fix the program: {error}"),
///         Error::Credentials(error) => format!("try again later: {error}"),
///         Error::OriginNotAllowed(error) => format!("may {} have the token?", error.origin()),
///         Error::Transport(failure) => format!("look at the network: {failure}"),
///         Error::Denied(denied) => format!("talk to {}: {denied}", denied.endpoint()),
///         Error::Protocol(error) => format!("is {} a token endpoint?", error.endpoint()),
///         error => error.to_string(),
///     }
/// }
///
/// let error = TokenRequest::new("http://auth.example.com/token").unwrap_err();
/// assert!(what_to_do(&error).starts_with("fix the program: token endpoint: plain http"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Error {
    /// A setting of the program is wrong or missing. The text names it.
    Configuration(Arc<ConfigurationError>),
    /// A closure that returns the client secret, a key, an assertion or a parameter failed, or an
    /// assertion could not be signed. It may succeed later.
    Credentials(Arc<CredentialsError>),
    /// The origin of the request is not allowed to receive this token. Nothing was sent.
    OriginNotAllowed(Arc<OriginNotAllowed>),
    /// The token request got no complete response, because of the network, name resolution, TLS or
    /// a timeout.
    Transport(Arc<NoAnswer>),
    /// The authorization server refused the token request (RFC 6749 section 5.2).
    Denied(Arc<Denied>),
    /// The response was not an OAuth 2.0 token response (RFC 6749 section 5.1), or its token cannot
    /// be used.
    Protocol(Arc<ProtocolError>),
}

impl Error {
    #[cold]
    pub(crate) fn credentials(failed: Failed, cause: impl Into<Cause>) -> Self {
        Self::Credentials(Arc::new(CredentialsError { failed, cause: cause.into() }))
    }

    #[cold]
    pub(crate) fn configuration(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Configuration(Arc::new(ConfigurationError { message: message.into() }))
    }

    /// Whether the same call may succeed later without a change to the program: the server was
    /// busy, its answer did not come or not in time, or the secret could not be read. A source
    /// repeats a token request after exactly these errors
    /// ([`TokenSourceBuilder::retries`](crate::TokenSourceBuilder::retries)).
    ///
    /// An answer that has begun and cannot be used, because it breaks off, is too large or is not
    /// HTTP, is not among them.
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
            Self::Credentials(_) => true,
            Self::Transport(failure) => matches!(
                failure.kind,
                TransportErrorKind::Connect | TransportErrorKind::Closed | TransportErrorKind::Timeout
            ),
            Self::Denied(denied) => denied.retryable,
            Self::Configuration(_) | Self::OriginNotAllowed(_) | Self::Protocol(_) => false,
        }
    }

    /// Returns how long the server asked to wait (`Retry-After`, RFC 9110 section 10.2.3), or
    /// `None` if it did not ask.
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

    /// Returns a word for the kind of this error, for a label in metrics.
    ///
    /// | word | error |
    /// |---|---|
    /// | `configuration` | [`Error::Configuration`] |
    /// | `credentials` | [`Error::Credentials`] |
    /// | `origin_not_allowed` | [`Error::OriginNotAllowed`] |
    /// | `connect`, `closed`, `timeout`, `tls`, `body_too_large` | [`Error::Transport`] of this [kind](TransportErrorKind) |
    /// | `transport` | [`Error::Transport`] of any other kind |
    /// | `denied` | [`Error::Denied`]; the event has the status |
    /// | `protocol` | [`Error::Protocol`] |
    ///
    /// The words are stable: a new version may add words, but does not change one.
    ///
    /// ```
    /// use client_credentials::{Error, TokenRequest};
    ///
    /// let error = TokenRequest::new("http://auth.example.com/token").unwrap_err();
    /// assert_eq!(error.name(), "configuration");
    /// ```
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Configuration(_) => "configuration",
            Self::Credentials(_) => "credentials",
            Self::OriginNotAllowed(_) => "origin_not_allowed",
            Self::Transport(failure) => match failure.kind {
                TransportErrorKind::Connect => "connect",
                TransportErrorKind::Closed => "closed",
                TransportErrorKind::Timeout => "timeout",
                TransportErrorKind::Tls => "tls",
                TransportErrorKind::BodyTooLarge => "body_too_large",
                TransportErrorKind::Other => "transport",
            },
            Self::Denied(_) => "denied",
            Self::Protocol(_) => "protocol",
        }
    }

    /// Whether another client secret may get a token where this one did not. Some servers refuse a
    /// secret with status 200 and no `error`.
    pub(crate) fn may_be_the_secret(&self) -> bool {
        match self {
            Self::Denied(denied) => denied.may_be_the_secret(),
            Self::Protocol(error) => error.kind() == &ProtocolErrorKind::MissingAccessToken,
            _ => false,
        }
    }

    /// Returns by how many seconds the server's clock is ahead of ours, if the server may have refused
    /// an assertion for its time.
    pub(crate) fn server_ahead(&self) -> Option<i64> {
        match self {
            Self::Denied(denied) => denied.server_ahead(),
            _ => None,
        }
    }

    /// Whether the time limit of this setting ended the request.
    pub(crate) fn is_limited_by(&self, setting: &'static str) -> bool {
        matches!(self, Self::Transport(failure) if failure.limit == Some(setting))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(error) => error.fmt(f),
            Self::Credentials(error) => error.fmt(f),
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
    /// Returns the cause of what `Display` says.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Configuration(error) => error.source(),
            Self::Credentials(error) => error.source(),
            Self::OriginNotAllowed(error) => error.source(),
            Self::Transport(failure) => failure.source(),
            Self::Denied(denied) => denied.source(),
            Self::Protocol(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dashboards and alerts depend on these words, so none of them may change.
    #[test]
    fn d50_each_error_has_a_word_that_never_changes() {
        use TransportErrorKind::{BodyTooLarge, Closed, Connect, Other, Timeout, Tls};
        let transport = |kind| TransportError::new(kind, "").into_error("", true, "");
        let (endpoint, status) = (String::new(), 0);
        let unread = CredentialsError { failed: Failed::IdAndSecret, cause: Arc::new(fmt::Error) };
        let protocol = ProtocolError {
            endpoint: endpoint.clone(),
            status,
            kind: ProtocolErrorKind::MalformedResponse,
            detail: None,
        };
        let denied = Denied {
            endpoint: endpoint.clone(),
            status,
            code: None,
            description: None,
            uri: None,
            retry_after: None,
            retryable: false,
            excerpt: None,
            hints: Hints::default(),
        };
        let errors = [
            (Error::configuration(""), "configuration"),
            (Error::Credentials(Arc::new(unread)), "credentials"),
            (Error::OriginNotAllowed(Arc::new(OriginNotAllowed { origin: endpoint })), "origin_not_allowed"),
            (transport(Connect), "connect"),
            (transport(Closed), "closed"),
            (transport(Timeout), "timeout"),
            (transport(Tls), "tls"),
            (transport(BodyTooLarge), "body_too_large"),
            (transport(Other), "transport"),
            (Error::Denied(Arc::new(denied)), "denied"),
            (Error::Protocol(Arc::new(protocol)), "protocol"),
        ];
        for (error, word) in errors {
            assert_eq!(error.name(), word);
        }
    }
}
