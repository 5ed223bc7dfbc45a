//! Answers that hold no token.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

/// The authorization server refused the token request (RFC 6749 section 5.2).
///
/// `Display` says which setting to change. The parts are kept as they came, except for secrets of the request that the
/// server repeated; `Display` escapes control characters.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.json(401, r#"{"error":"invalid_client","error_description":"Client Authentication failed"}"#);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request, script).build()?;
/// let Err(Error::Denied(denied)) = source.token() else { panic!() };
/// assert_eq!(denied.code(), Some("invalid_client"));
/// assert!(denied.to_string().contains("check the client id and secret"));
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
    /// HTTP Basic carried id or secret in encoded form, which the server may not have undone.
    pub(crate) encoded: bool,
}

impl Denied {
    /// The HTTP status of the answer.
    ///
    /// ```
    /// # use client_credentials::{Clock, Error, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let answer = http::Response::builder().status(403).body("")?;
    /// let Err(Error::Denied(denied)) = request.decode(&answer, sent_at) else { panic!() };
    /// assert_eq!(denied.status(), 403);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The code in the member `error` (RFC 6749 section 5.2), exactly as it came; `None` if the answer was not an OAuth 2.0
    /// error.
    ///
    /// ```
    /// # use client_credentials::{Clock, Error, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let answer = http::Response::builder().status(400).body(r#"{"error":"invalid_scope"}"#)?;
    /// let Err(Error::Denied(denied)) = request.decode(&answer, sent_at) else { panic!() };
    /// assert_eq!(denied.code(), Some("invalid_scope"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The member `error_description` (RFC 6749 section 5.2), exactly as it came: escape it before you print it.
    ///
    /// ```
    /// # use client_credentials::{Clock, Error, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let body = r#"{"error":"invalid_scope","error_description":"unknown:\r\nadmin"}"#;
    /// let answer = http::Response::builder().status(400).body(body)?;
    /// let Err(Error::Denied(denied)) = request.decode(&answer, sent_at) else { panic!() };
    /// assert_eq!(denied.description(), Some("unknown:\r\nadmin"));
    /// assert!(denied.to_string().contains(r"unknown:\r\nadmin"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The member `error_uri` (RFC 6749 section 5.2), exactly as it came; it may be relative.
    ///
    /// ```
    /// # use client_credentials::{Clock, Error, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let body = r#"{"error":"invalid_request","error_uri":"/help/errors#audience"}"#;
    /// let answer = http::Response::builder().status(400).body(body)?;
    /// let Err(Error::Denied(denied)) = request.decode(&answer, sent_at) else { panic!() };
    /// assert_eq!(denied.uri(), Some("/help/errors#audience"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// The first 256 bytes of a body that was no OAuth 2.0 error, already escaped; never of a 2xx answer.
    ///
    /// ```
    /// # use client_credentials::{Clock, Error, SystemClock, TokenRequest};
    /// # let (request, sent_at) = (TokenRequest::new("https://auth.example.com/token")?, SystemClock.now());
    /// let answer = http::Response::builder().status(503).body("down until noon\n")?;
    /// let Err(Error::Denied(denied)) = request.decode(&answer, sent_at) else { panic!() };
    /// assert_eq!(denied.excerpt(), Some(r"down until noon\n"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn excerpt(&self) -> Option<&str> {
        self.excerpt.as_deref()
    }

    /// Host (and port, if it was given) of the token endpoint.
    ///
    /// ```
    /// # use client_credentials::{Clock, Error, SystemClock, TokenRequest};
    /// # let sent_at = SystemClock.now();
    /// let request = TokenRequest::new("http://localhost:8080/token")?;
    /// let answer = http::Response::builder().status(404).body("")?;
    /// let Err(Error::Denied(denied)) = request.decode(&answer, sent_at) else { panic!() };
    /// assert_eq!(denied.endpoint(), "localhost:8080");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn remedy(&self) -> Option<&'static str> {
        Some(match (self.status, self.code.as_deref()) {
            // The RFC's word, what vendors say instead, and a bare status.
            (401, _)
            | (403, None)
            | (_, Some("invalid_client" | "invalid_client_id" | "incorrect_client_credentials" | "unauthorized")) => {
                if self.encoded {
                    "check the client id and secret; they hold characters that are encoded for HTTP Basic, which some \
                     servers do not undo: try Credentials::in_body or BasicEncoding::Raw (Credentials::basic_encoding)"
                } else {
                    "check the client id and secret, and how they are sent (Credentials::basic_encoding, \
                     Credentials::in_body)"
                }
            }
            (_, Some("access_denied")) => {
                "allow this client the API at the authorization server, and name the API (TokenRequest::audience)"
            }
            (_, Some("invalid_grant")) => {
                "the assertion or token that was sent is wrong or expired (TokenRequest::parameter); if this machine \
                 signs assertions, check its clock"
            }
            (_, Some("invalid_scope")) => "ask only for scopes granted to this client (TokenRequest::scope)",
            (_, Some("invalid_target")) => "check TokenRequest::resource and TokenRequest::audience",
            (_, Some("unauthorized_client")) => {
                "allow this client the grant at the authorization server; some servers say this for a wrong secret too"
            }
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
        if let Some(uri) = &self.uri {
            write!(f, "; see {}", Excerpt(uri.as_bytes()))?;
        }
        Ok(())
    }
}

/// The answer to a token request was not a token response (RFC 6749 section 5.1), or its token cannot be used.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, Error, ProtocolErrorKind, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.json(200, "<html>login</html>");
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request, script).build()?;
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
}

impl ProtocolError {
    /// What was wrong with the answer.
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

    /// The HTTP status of the answer: a 2xx.
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

    /// Host (and port, if it was given) of the token endpoint.
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
        write!(f, "token request to {}: status {}, but {}", self.endpoint, self.status, self.kind)
    }
}

/// What was wrong with an answer that should have been a token response.
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
/// assert_eq!(kind(r#"{"access_token":"t","expires_in":"soon"}"#), InvalidExpiresIn);
/// let twice = DuplicateMember("access_token");
/// assert_eq!(kind(r#"{"access_token":"t","access_token":"u"}"#), twice);
/// # Ok::<_, Error>(())
/// ```
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

impl Excerpt<'_> {
    pub(crate) const LONGEST: usize = 256;
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(Self::LONGEST)];
        write!(f, "{}", shown.escape_ascii())?;
        if self.0.len() > Self::LONGEST { f.write_str("...") } else { Ok(()) }
    }
}

/// A server may repeat what it was sent: this is its text without any of `secrets`, in whatever case their escapes are.
/// A secret shorter than a word cannot be told from one, and is left alone.
pub(crate) fn hidden<S: AsRef<str>>(text: &str, secrets: &[S]) -> String {
    let mut shown = text.to_owned();
    for secret in secrets.iter().map(AsRef::as_ref).filter(|secret| secret.len() >= WORD) {
        let folded = Zeroizing::new(shown.to_ascii_lowercase());
        let (mut without, mut from) = (String::new(), 0);
        for (at, found) in folded.match_indices(&*Zeroizing::new(secret.to_ascii_lowercase())) {
            without.extend([&shown[from..at], REDACTED]);
            from = at + found.len();
        }
        without.push_str(&shown[from..]);
        shown = without;
    }
    shown
}

const WORD: usize = 8;
const REDACTED: &str = "[redacted]";
