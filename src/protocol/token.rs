//! The access token, and the other members of the token response. Imports `clock`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::clock::Moment;

/// An access token (RFC 6749 section 1.4), ready to be sent.
///
/// A token is cheap to clone, and `Debug` does not show it. It is opaque: this crate never looks
/// inside it. A server may revoke it at any time before it expires.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.token("mF_9.B5f-4.1JqM", 3600);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script).build()?;
/// let token = source.token()?;
/// assert_eq!(token.secret(), "mF_9.B5f-4.1JqM");
/// assert_eq!(token.header_value(), "Bearer mF_9.B5f-4.1JqM");
/// assert_eq!(token.expires_in(), Some(std::time::Duration::from_secs(3600)));
/// assert!(!format!("{token:?}").contains("mF_9"));
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone)]
pub struct AccessToken(Arc<Parts>);

struct Parts {
    header: HeaderValue,
    header_name: HeaderName,
    /// The length of the scheme and the space before the token.
    prefix: usize,
    lifetime: Lifetime,
    sent_at: Moment,
    /// The age that it had at `sent_at` already, if another process fetched it. Not every clock can
    /// represent the true moment, which may be before this machine was started.
    age_then: Duration,
    scope: Option<Box<str>>,
    members: Option<Arc<Map<String, Value>>>,
}

/// The lifetime that a token response states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) stated: Option<Duration>,
    /// What the response states instead of a lifetime, which counts as missing.
    pub(crate) ignored: Option<&'static str>,
}

impl From<Option<Duration>> for Lifetime {
    fn from(stated: Option<Duration>) -> Self {
        Self { stated, ignored: None }
    }
}

/// The header that carries a token, and what precedes the token in it. By default `Authorization`
/// and `Bearer` (RFC 6750 section 2.1), however the server spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenHeader {
    name: HeaderName,
    prefix: Box<str>,
}

impl TokenHeader {
    pub(crate) fn new(name: HeaderName, scheme: Option<&str>) -> Self {
        Self { name, prefix: scheme.map(|scheme| format!("{scheme} ")).unwrap_or_default().into() }
    }

    pub(crate) fn name(&self) -> &HeaderName {
        &self.name
    }
}

impl Default for TokenHeader {
    fn default() -> Self {
        Self::new(AUTHORIZATION, Some("Bearer"))
    }
}

impl AccessToken {
    /// Makes a token that is sent as RFC 6750 section 2.1 says.
    #[cfg(test)]
    pub(crate) fn new(
        token: &str,
        lifetime: impl Into<Lifetime>,
        scope: Option<String>,
        members: Map<String, Value>,
        sent_at: Moment,
    ) -> Option<Self> {
        Self::sent_in(&TokenHeader::default(), token, lifetime, scope, members, sent_at)
    }

    /// Makes a token. Returns `None` if `token` is not 1*(%x21-7E), a check that prevents header
    /// injection. It accepts more than `b64token`, because real tokens contain `%`, `!`, `^` and
    /// `#`.
    pub(crate) fn sent_in(
        header: &TokenHeader,
        token: &str,
        lifetime: impl Into<Lifetime>,
        scope: Option<String>,
        members: Map<String, Value>,
        sent_at: Moment,
    ) -> Option<Self> {
        // No early exit, so that the compiler can vectorize: the byte furthest above `!` must not
        // lie beyond `~`.
        let most = token.bytes().fold(0, |most: u8, byte| most.max(byte.wrapping_sub(b'!')));
        if token.is_empty() || most > b'~' - b'!' {
            return None;
        }
        let (header_name, prefix) = (header.name.clone(), header.prefix.len());
        let header = sensitive([header.prefix.as_bytes(), token.as_bytes()].concat());
        let members = (!members.is_empty()).then(|| Arc::new(members));
        Some(Self(Arc::new(Parts {
            header,
            header_name,
            prefix,
            lifetime: lifetime.into(),
            sent_at,
            age_then: Duration::ZERO,
            scope: scope.map(String::into_boxed_str),
            members,
        })))
    }

    /// Returns the raw token, for uses other than an HTTP request: a Git password, a queue message.
    /// Do not log it.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// let token = source.token()?;
    /// let answer_to_git = format!("username=x-token-auth\npassword={}\n", token.secret());
    /// assert!(answer_to_git.ends_with("password=t\n"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn secret(&self) -> &str {
        let bytes = &self.0.header.as_bytes()[self.0.prefix..];
        std::str::from_utf8(bytes).expect("the constructor accepts only visible ASCII")
    }

    /// Returns the name of the header that carries the token: `authorization`, unless
    /// [`TokenRequest::token_header`](crate::TokenRequest::token_header) says otherwise.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// assert_eq!(source.token()?.header_name(), "authorization");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn header_name(&self) -> &HeaderName {
        &self.0.header_name
    }

    /// Returns the value of the header that carries the token (RFC 6750 section 2.1), marked
    /// sensitive.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// let mut request = http::Request::get("https://api.example.com/v1/items").body(())?;
    /// request.headers_mut().insert("authorization", source.token()?.header_value().clone());
    /// assert_eq!(request.headers()["authorization"], "Bearer t");
    /// assert!(!format!("{request:?}").contains("Bearer t"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn header_value(&self) -> &HeaderValue {
        &self.0.header
    }

    /// Returns the lifetime that the server stated in `expires_in` (RFC 6749 section 5.1), counted
    /// from [`sent_at`](Self::sent_at). A fraction of a second is cut off. Returns `None` if the
    /// server did not state one, or if what it stated is no lifetime: zero, a negative number, a
    /// date.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// assert_eq!(source.token()?.expires_in(), Some(std::time::Duration::from_secs(3600)));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn expires_in(&self) -> Option<Duration> {
        self.0.lifetime.stated
    }

    /// Returns what the server stated instead of a lifetime, if it did.
    pub(crate) fn ignored_lifetime(&self) -> Option<&'static str> {
        self.0.lifetime.ignored
    }

    /// Returns the granted scope, with one space between two values (RFC 6749 section 3.3). `None`
    /// means that the server did not state it, and so granted what was requested (section 5.1).
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.json(200, r#"{"access_token":"t","token_type":"Bearer","scope":"write read"}"#);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script).build()?;
    /// let token = source.token()?;
    /// assert_eq!(token.scope(), Some("write read"));
    /// let granted = |wanted| token.scope().is_none_or(|all| all.split(' ').any(|s| s == wanted));
    /// assert!(granted("read"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.0.scope.as_deref()
    }

    /// Returns a member of the response that RFC 6749 does not define, such as Salesforce's
    /// `instance_url`, or `None` if it is missing or null. `refresh_token` is never kept (RFC 6749
    /// section 4.4.3).
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let answer = r#"{"access_token":"t","token_type":"Bearer","instance_url":"https://x.example"}"#;
    /// # script.json(200, answer);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script).build()?;
    /// let token = source.token()?;
    /// let instance_url = token.member("instance_url").and_then(|url| url.as_str());
    /// assert_eq!(instance_url, Some("https://x.example"));
    /// assert!(token.member("refresh_token").is_none());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.members.as_ref()?.get(name).filter(|value| !value.is_null())
    }

    /// Returns the moment before the request for this token was sent. The age of the token counts
    /// from it.
    ///
    /// ```
    /// # use client_credentials::{Clock, Credentials, SystemClock, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 60);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script).build()?;
    /// let age = SystemClock.now().since(&source.token()?.sent_at());
    /// # assert!(age.as_secs() < 60);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn sent_at(&self) -> Moment {
        self.0.sent_at.earlier(self.0.age_then)
    }

    /// Returns how old the token is now.
    pub(crate) fn age(&self, now: &Moment) -> Duration {
        now.since(&self.0.sent_at).saturating_add(self.0.age_then)
    }

    /// Returns this token with the age that it had when it was made.
    #[cfg(feature = "store")]
    pub(crate) fn aged(mut self, age: Duration) -> Self {
        if let Some(parts) = Arc::get_mut(&mut self.0) {
            parts.age_then = age;
        }
        self
    }

    #[cfg(feature = "store")]
    pub(crate) fn members(&self) -> Option<&Map<String, Value>> {
        self.0.members.as_deref()
    }

    #[inline]
    pub(crate) fn put_on(&self, headers: &mut HeaderMap) {
        if self.0.header_name == AUTHORIZATION {
            headers.insert(AUTHORIZATION, self.0.header.clone());
        } else {
            self.put_elsewhere(headers);
        }
    }

    #[cold]
    fn put_elsewhere(&self, headers: &mut HeaderMap) {
        headers.insert(self.0.header_name.clone(), self.0.header.clone());
    }

    /// Returns a deep copy with its own reference count, so that its clones don't contend with
    /// other threads.
    pub(crate) fn detached(&self) -> Self {
        let header = sensitive(self.0.header.as_bytes().to_vec());
        let (header_name, scope) = (self.0.header_name.clone(), self.0.scope.clone());
        Self(Arc::new(Parts { header, header_name, scope, members: self.0.members.clone(), ..*self.0 }))
    }

    /// Whether both are the same token, as a server reads them.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.header.as_bytes() == other.0.header.as_bytes()
    }
}

fn sensitive(bytes: Vec<u8>) -> HeaderValue {
    let mut header = HeaderValue::try_from(bytes).expect("visible ASCII is a valid header value");
    header.set_sensitive(true);
    header
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("token", &"[redacted]")
            .field("expires_in", &self.0.lifetime.stated)
            .field("scope", &self.0.scope)
            .field("members", &self.0.members.iter().flat_map(|members| members.keys()).collect::<Vec<_>>())
            .finish()
    }
}
