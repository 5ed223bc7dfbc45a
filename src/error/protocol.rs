//! A 2xx response without a usable token. Imports `redact`.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use crate::redact::Excerpt;

/// What is said of an answer that the transport did not decompress.
pub(crate) const COMPRESSED: &str =
    "the answer is compressed, which was not asked for; let the transport decompress it (ureq's feature \"gzip\")";

/// The response to a token request was not a token response (RFC 6749 section 5.1), or its token
/// cannot be used.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, Error, ProtocolErrorKind, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.json(200, "<html>login</html>");
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script).build()?;
/// let Err(Error::Protocol(error)) = source.token() else { panic!() };
/// assert_eq!(*error.kind(), ProtocolErrorKind::MalformedResponse);
/// assert!(error.to_string().contains("is this URL the token endpoint"));
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProtocolError {
    pub(crate) endpoint: String,
    pub(crate) status: u16,
    pub(crate) kind: ProtocolErrorKind,
    /// Says more than the kind, and replaces its text.
    pub(crate) detail: Option<Cow<'static, str>>,
}

impl ProtocolError {
    /// Returns what was wrong with the response.
    ///
    /// ```
    /// # use client_credentials::{Clock, Error, ProtocolErrorKind, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let answer = http::Response::new(r#"{"token":"2YotnFZFEjr1zCsicMWpAA"}"#);
    /// let Err(Error::Protocol(error)) = request.decode(&answer, sent_at) else { panic!() };
    /// assert_eq!(*error.kind(), ProtocolErrorKind::MissingAccessToken);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> &ProtocolErrorKind {
        &self.kind
    }

    /// Returns the HTTP status of the response, which is a 2xx.
    ///
    /// ```
    /// # use client_credentials::{Clock, Error, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let answer = http::Response::builder().status(201).body("<html>Welcome</html>")?;
    /// let Err(Error::Protocol(error)) = request.decode(&answer, sent_at) else { panic!() };
    /// assert_eq!(error.status(), 201);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the host of the token endpoint, and its port if the URL has one.
    ///
    /// ```
    /// # use client_credentials::{Clock, Error, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let answer = http::Response::new("<html>Please log in</html>");
    /// let Err(Error::Protocol(error)) = request.decode(&answer, sent_at) else { panic!() };
    /// assert_eq!(error.endpoint(), "auth.example.com");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token request to {}: status {}, but ", self.endpoint, self.status)?;
        match &self.detail {
            Some(detail) => f.write_str(detail),
            None => self.kind.fmt(f),
        }
    }
}

impl StdError for ProtocolError {}

/// What was wrong with a response that should have been a token response.
///
/// # Examples
///
/// ```
/// use client_credentials::ProtocolErrorKind::{self, *};
/// use client_credentials::{Clock, Error, SystemClock, TokenRequest};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?;
/// let kind = |body: &'static str| {
///     match request.decode(&http::Response::new(body), SystemClock.now()) {
///         Err(Error::Protocol(error)) => error.kind().clone(),
///         other => panic!("{other:?}"),
///     }
/// };
/// assert_eq!(kind("<html>Please log in</html>"), MalformedResponse);
/// assert_eq!(kind(r#"{"expires_in":3600}"#), MissingAccessToken);
/// assert_eq!(kind(r#"{"access_token":"a b"}"#), InvalidAccessToken);
/// let mac = UnsupportedTokenType("mac".into());
/// assert_eq!(kind(r#"{"access_token":"t","token_type":"mac"}"#), mac);
/// let twice = DuplicateMember("access_token");
/// assert_eq!(kind(r#"{"access_token":"t","access_token":"u"}"#), twice);
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolErrorKind {
    /// The body is neither a JSON object nor a form with the content type of a form.
    MalformedResponse,
    /// `access_token` is missing or null.
    MissingAccessToken,
    /// `access_token` is not a string of visible ASCII characters.
    InvalidAccessToken,
    /// `token_type` is present, but is neither `Bearer` nor an alias set with
    /// [`TokenRequest::token_type_alias`](crate::TokenRequest::token_type_alias) (RFC 6749
    /// section 7.1).
    UnsupportedTokenType(String),
    /// A member that decides about the token occurs more than once (RFC 6749 section 5.1).
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
            Self::DuplicateMember(name) => write!(f, "the response contains {name} more than once"),
        }
    }
}
