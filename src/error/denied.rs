//! The authorization server refused the token request. Imports `redact`.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::{COMPRESSED, Sent};
use crate::redact::Excerpt;

/// The authorization server refused the token request (RFC 6749 section 5.2).
///
/// `Display` says which setting to change, and escapes control characters. The methods return the
/// parts of the response as they came, but secrets of the request that the server repeated are
/// hidden.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.json(401, r#"{"error":"invalid_client","error_description":"Client Authentication failed"}"#);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script).build()?;
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
    pub(crate) hints: Hints,
}

/// What the remedy depends on, apart from status and code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hints {
    pub(crate) sent: Sent,
    /// Whether the body is compressed, so that it could not be read.
    pub(crate) compressed: bool,
    /// Where a redirect leads, without its query.
    pub(crate) location: Option<String>,
}

impl Denied {
    /// Returns the HTTP status of the response.
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

    /// Returns the error code, the member `error` (RFC 6749 section 5.2), exactly as it came.
    /// Returns `None` if the response was not an OAuth 2.0 error.
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

    /// Returns the member `error_description` (RFC 6749 section 5.2), exactly as it came. Escape it
    /// before printing.
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

    /// Returns the member `error_uri` (RFC 6749 section 5.2), exactly as it came. It may be
    /// relative.
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

    /// Returns the first 256 bytes of a body that was not an OAuth 2.0 error, already escaped.
    /// Returns `None` for an OAuth 2.0 error, a 2xx response, an empty body, and a body that may
    /// contain a token.
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

    /// Returns the host of the token endpoint, and its port if the URL has one.
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

    /// Returns what became of the request.
    fn outcome(&self) -> &'static str {
        match (self.status, self.code.as_deref()) {
            // Nobody denied anything.
            (408 | 500..=599, _) | (_, Some("server_error" | "temporarily_unavailable")) => "not available,",
            _ => "denied with",
        }
    }

    /// Whether what was sent may be the reason.
    fn concerns_what_was_sent(&self) -> bool {
        !matches!(self.status, 300..=399 | 407 | 408 | 429 | 501..=599)
    }

    /// Whether another client secret may be accepted where this one was refused: always, unless the
    /// server names another reason or may say yes later.
    pub(super) fn may_be_the_secret(&self) -> bool {
        match (self.status, self.code.as_deref()) {
            _ if self.retryable => false,
            (401, _) => true,
            (300..=399 | 405 | 407 | 415, _)
            | (_, Some("invalid_scope" | "scope_invalid" | "invalid_target" | "unsupported_grant_type")) => false,
            _ => true,
        }
    }

    /// Returns by how many seconds the server's clock is ahead of ours, if that may be the reason.
    pub(super) fn server_ahead(&self) -> Option<i64> {
        let may_be = match self.code.as_deref() {
            None => matches!(self.status, 401 | 403),
            Some(code) => matches!(code, "invalid_client" | "invalid_grant"),
        };
        self.hints.sent.server_ahead.filter(|_| may_be)
    }

    fn remedy(&self) -> Option<Cow<'static, str>> {
        let text = match (self.status, self.code.as_deref()) {
            (400 | 401 | 403 | 422, None) => {
                let https = if self.status == 400 && self.hints.sent.is_plain_http {
                    "; does that port want https?"
                } else {
                    ""
                };
                let credentials = self.hints.sent.credentials_remedy();
                return Some(Cow::Owned(format!(
                    "{credentials}; there is no OAuth error in the answer: check the URL of the token endpoint, the \
                     parameters and TokenRequest::scope, too{https}"
                )));
            }
            // The code of the RFC, the codes that vendors use instead, and a status without a code.
            (401, _)
            | (_, Some("invalid_client" | "invalid_client_id" | "incorrect_client_credentials" | "unauthorized")) => {
                return Some(Cow::Owned(self.hints.sent.credentials_remedy()));
            }
            (_, Some("access_denied")) => {
                "allow this client the API at the authorization server, and name the API (TokenRequest::audience)"
            }
            (_, Some("invalid_grant")) => return Some(Cow::Owned(self.hints.sent.grant_remedy())),
            (_, Some("invalid_scope" | "scope_invalid")) => {
                "ask only for scopes granted to this client (TokenRequest::scope)"
            }
            (_, Some("invalid_target")) => "check TokenRequest::resource and TokenRequest::audience",
            (_, Some("unauthorized_client")) => {
                "allow this client the grant at the authorization server; some servers say this for a wrong secret too"
            }
            (_, Some("unsupported_grant_type")) => "check TokenRequest::grant_type",
            (_, Some("invalid_request")) => {
                "a parameter is missing or wrong; many servers need TokenRequest::audience or TokenRequest::scope, and \
                 some say this of client authentication (Credentials::in_body, Credentials::basic_encoding)"
            }
            (300..=399, _) => "redirects are never followed here; use the final URL of the token endpoint",
            (404, _) => "check the URL of the token endpoint, and the client id",
            (405, _) => "check the URL of the token endpoint",
            (407, _) => "the proxy wants credentials; give UreqTransport::with_agent an agent with a proxy",
            (415, _) => "the server wants another format of the body (TokenRequest::body_format)",
            _ => return None,
        };
        Some(Cow::Borrowed(text))
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token request to {}: {} status {}", self.endpoint, self.outcome(), self.status)?;
        if let Some(code) = &self.code {
            write!(f, ", {}", Excerpt(code.as_bytes()))?;
        }
        if let Some(description) = &self.description {
            write!(f, ": \"{}\"", Excerpt(description.as_bytes()))?;
        }
        if let Some(excerpt) = &self.excerpt {
            write!(f, ": \"{excerpt}\"")?;
        }
        if self.hints.compressed {
            write!(f, ": {COMPRESSED}")?;
        }
        if let Some(location) = &self.hints.location {
            write!(f, ", which leads to {}", Excerpt(location.as_bytes()))?;
        }
        if self.concerns_what_was_sent() {
            write!(f, " ({})", self.hints.sent)?;
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

impl StdError for Denied {}
