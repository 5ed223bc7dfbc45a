//! What can go wrong, sorted by what to do about it. Imports nothing from this crate.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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

/// Nobody answered the token request. The cause, where there is one, is in `source()` of the [`Error`].
///
/// ```
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportError, TransportErrorKind, test_util::Script};
/// # let script = Script::new();
/// # for _ in 0..3 { script.fail(TransportError::new(TransportErrorKind::Connect, "connection refused")); }
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request, script.clone()).clock(script.clock()).build()?;
/// let Err(Error::Transport(failure)) = source.token() else { panic!() };
/// assert_eq!(failure.kind(), TransportErrorKind::Connect);
/// assert_eq!(failure.endpoint(), "auth.example.com");
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TransportFailure {
    pub(crate) endpoint: String,
    pub(crate) kind: TransportErrorKind,
    pub(crate) detail: &'static str,
    pub(crate) cause: Option<Cause>,
}

impl TransportFailure {
    /// What happened, as far as the transport could tell. See the example of [`TransportFailure`].
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Host (and port, if it was given) of the token endpoint. See the example of [`TransportFailure`].
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Display for TransportFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token request to {}: {}", self.endpoint, self.detail)
    }
}

/// How a token request failed before there was an answer.
///
/// ```
/// use client_credentials::{TransportError, TransportErrorKind};
///
/// let error = TransportError::new(TransportErrorKind::Timeout, "no answer after 30 s");
/// assert_eq!(error.kind(), TransportErrorKind::Timeout);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection: name not found, refused, unreachable, proxy. Retried.
    Connect,
    /// No whole answer within the time allowed. Retried.
    Timeout,
    /// The server's certificate was not accepted, or TLS failed. Not retried.
    Tls,
    /// The answer was larger than [`Limits::max_body`](crate::Limits::max_body). Not retried.
    BodyTooLarge,
    /// Anything else, such as a connection closed in the middle of an answer. Not retried.
    Other,
}

impl TransportErrorKind {
    pub(crate) fn detail(self) -> &'static str {
        match self {
            Self::Connect => {
                "could not connect; check the host, the network and, if you need one, the proxy (UreqTransport::with_agent)"
            }
            Self::Timeout => "no answer in the time allowed",
            Self::Tls => {
                "TLS failed; if the server uses a private CA, give UreqTransport::with_agent an agent that trusts it, and check this machine's clock"
            }
            Self::BodyTooLarge => "the answer is larger than allowed; is this the token endpoint?",
            Self::Other => "the connection failed before the answer was complete",
        }
    }
}

/// What a [`Transport`](crate::Transport) returns when there is no response.
///
/// See [`TransportErrorKind`] for an example.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    cause: Box<dyn StdError + Send + Sync>,
}

impl TransportError {
    /// An error of this kind; `cause` is any error, or a message.
    ///
    /// ```
    /// # use client_credentials::{TransportError, TransportErrorKind};
    /// let error = TransportError::new(TransportErrorKind::Connect, "connection refused");
    /// assert_eq!(error.to_string(), "connection refused");
    /// ```
    pub fn new(kind: TransportErrorKind, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { kind, cause: cause.into() }
    }

    /// What happened. See the example of [`TransportErrorKind`].
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    pub(crate) fn into_error(self, endpoint: &str) -> Error {
        Error::Transport(TransportFailure {
            endpoint: endpoint.to_owned(),
            kind: self.kind,
            detail: self.kind.detail(),
            cause: Some(self.cause.into()),
        })
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}

/// The authorization server refused the token request (RFC 6749 section 5.2).
///
/// The fields are kept as they came; `Display` escapes control characters.
///
/// ```
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.json(401, r#"{"error":"invalid_client","error_description":"Client Authentication failed"}"#);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request, script).build()?;
/// let Err(Error::Denied(denied)) = source.token() else { panic!() };
/// assert_eq!((denied.status(), denied.code()), (401, Some("invalid_client")));
/// assert_eq!(denied.description(), Some("Client Authentication failed"));
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Denied {
    pub(crate) endpoint: String,
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) retryable: bool,
    pub(crate) excerpt: Option<String>,
}

impl Denied {
    /// The HTTP status of the answer. See the example of [`Denied`].
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// `error`, exactly as it came; `None` if the answer was not an OAuth 2.0 error. See the example of [`Denied`].
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// `error_description`, exactly as it came: escape it before you print it. See the example of [`Denied`].
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// `error_uri`, exactly as it came; it may be relative. See the example of [`Denied`].
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// At most 256 bytes of a body that was no OAuth 2.0 error, already escaped; never of a 2xx answer.
    /// See the example of [`Denied`].
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.excerpt.as_deref()
    }

    /// Host (and port, if it was given) of the token endpoint. See the example of [`Denied`].
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn remedy(&self) -> Option<&'static str> {
        Some(match (self.status, self.code.as_deref()) {
            (_, Some("invalid_client")) => {
                "check the client id and secret, and how they are sent (Credentials::basic_encoding, Credentials::in_body)"
            }
            (_, Some("invalid_scope")) => "ask only for scopes granted to this client (TokenRequest::scope)",
            (_, Some("invalid_target")) => "check TokenRequest::resource and TokenRequest::audience",
            (_, Some("unauthorized_client")) => "allow this client the grant at the authorization server",
            (_, Some("unsupported_grant_type")) => "check TokenRequest::grant_type",
            (_, Some("invalid_request")) => {
                "a parameter is missing or wrong; many servers need TokenRequest::audience or TokenRequest::scope"
            }
            (300..=399, _) => "redirects are never followed here; use the final URL of the token endpoint",
            (404 | 405, _) => "check the URL of the token endpoint",
            (407, _) => "the proxy wants credentials; give UreqTransport::with_agent an agent with a proxy",
            _ => return None,
        })
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token request to {}: denied with status {}", self.endpoint, self.status)?;
        if let Some(code) = &self.code {
            write!(f, ", {}", Excerpt(code.as_bytes()))?;
        }
        if let Some(description) = &self.description {
            write!(f, ": \"{}\"", Excerpt(description.as_bytes()))?;
        }
        if let Some(excerpt) = &self.excerpt {
            write!(f, ": \"{excerpt}\"")?;
        }
        if let Some(delay) = self.retry_after {
            write!(f, "; retry after {} s", delay.as_secs())?;
        }
        if let Some(remedy) = self.remedy() {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

/// The answer to a token request was not a token response (RFC 6749 section 5.1).
///
/// ```
/// # use client_credentials::{Credentials, Error, ProtocolErrorKind, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.json(200, "<html>login</html>");
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request, script).build()?;
/// let Err(Error::Protocol(error)) = source.token() else { panic!() };
/// assert_eq!((error.status(), error.kind()), (200, &ProtocolErrorKind::MalformedResponse));
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProtocolError {
    pub(crate) endpoint: String,
    pub(crate) status: u16,
    pub(crate) kind: ProtocolErrorKind,
}

impl ProtocolError {
    /// What was wrong with the answer. See the example of [`ProtocolError`].
    #[must_use]
    pub fn kind(&self) -> &ProtocolErrorKind {
        &self.kind
    }

    /// The HTTP status of the answer. See the example of [`ProtocolError`].
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Host (and port, if it was given) of the token endpoint. See the example of [`ProtocolError`].
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token request to {}: status {}, but {}", self.endpoint, self.status, self.kind)
    }
}

/// What was wrong with an answer that should have been a token response.
///
/// See the example of [`ProtocolError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolErrorKind {
    /// Neither a JSON object nor, where the content type says so, a form.
    MalformedResponse,
    /// No `access_token`, or it is null.
    MissingAccessToken,
    /// `access_token` is not a string of visible ASCII characters.
    InvalidAccessToken,
    /// `token_type` is present and neither `Bearer` nor a named alias (RFC 6749 section 7.1).
    UnsupportedTokenType(String),
    /// `expires_in` is neither a number nor a string that holds one.
    InvalidExpiresIn,
    /// A member that decides about the token stands there twice (RFC 6749 section 5.1).
    DuplicateMember(&'static str),
}

impl fmt::Display for ProtocolErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedResponse => {
                f.write_str("the answer is not a token response; is this URL the token endpoint, and not a login page?")
            }
            Self::MissingAccessToken => f.write_str("the answer holds no access_token"),
            Self::InvalidAccessToken => f.write_str("access_token is not a string of visible ASCII characters"),
            Self::UnsupportedTokenType(name) => write!(
                f,
                "token_type \"{0}\" is not Bearer; if it means Bearer there, use TokenRequest::token_type_alias",
                Excerpt(name.as_bytes())
            ),
            Self::InvalidExpiresIn => f.write_str("expires_in is not a number of seconds"),
            Self::DuplicateMember(name) => write!(f, "{name} stands there twice"),
        }
    }
}

/// Text from a server as it may be printed: at most 256 bytes, everything but printable ASCII escaped.
pub(crate) struct Excerpt<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 256;
        let shown = &self.0[..self.0.len().min(LONGEST)];
        write!(f, "{}", shown.escape_ascii())?;
        if self.0.len() > LONGEST { f.write_str("...") } else { Ok(()) }
    }
}
