//! The token request: what is asked of the token endpoint (RFC 6749 sections 3.2 and 4.4.2), and where the token may go.
//! Imports `audience`, `credentials`, `error`, `redact`; its own part is `encode`.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::error::Error;
use crate::origin::{self, Endpoint, Origins};
use crate::redact::Secret;

/// What is asked of the token endpoint, and where the token may go.
///
/// Every parameter is sent on every renewal. The value does no I/O: [`encode`](Self::encode) makes the HTTP request,
/// [`decode`](Self::decode) reads the answer, and a [`TokenSource`](crate::TokenSource) does both when it is time.
///
/// # Examples
///
/// ```
/// use client_credentials::{Attempt, Credentials, TokenRequest};
///
/// let request = TokenRequest::new("https://auth.example.com/oauth/token")?
///     .scope("items:read")?
///     .audience("https://api.example.com");
/// let http = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
/// assert_eq!(http.method(), "POST");
/// assert_eq!(
///     String::from_utf8_lossy(http.body()),
///     "grant_type=client_credentials\
///      &scope=items%3Aread\
///      &audience=https%3A%2F%2Fapi.example.com"
/// );
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone)]
pub struct TokenRequest {
    pub(super) endpoint: Endpoint,
    pub(super) grant_type: String,
    pub(super) scopes: Vec<String>,
    pub(super) audience: Option<String>,
    pub(super) resources: Vec<String>,
    pub(super) parameters: Vec<(String, Secret)>,
    pub(super) headers: HeaderMap,
    pub(super) body_format: BodyFormat,
    pub(super) token_type_aliases: Vec<String>,
    pub(super) origins: Origins,
}

/// How the parameters of a token request are written: a form or JSON.
///
/// # Examples
///
/// ```
/// use client_credentials::{Attempt, BodyFormat, Credentials, TokenRequest};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?;
/// let credentials = Credentials::new("my-client", "s3cret");
/// let body = |format| {
///     let sent = request.clone().body_format(format).encode(&credentials, &Attempt::default())?;
///     Ok::<_, client_credentials::Error>(sent.into_body())
/// };
/// assert_eq!(body(BodyFormat::Form)?, b"grant_type=client_credentials");
/// assert_eq!(body(BodyFormat::Json)?, br#"{"grant_type":"client_credentials"}"#);
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, as RFC 6749 section 4.4.2 says. The default.
    #[default]
    Form,
    /// One JSON object of strings (a repeated `resource` becomes an array). Auth0 and some others take it.
    Json,
}

pub(super) const CLIENT_CREDENTIALS: &str = "client_credentials";

/// Parameters with a method of their own, or that client authentication writes.
const RESERVED_PARAMETERS: [&str; 8] = [
    "grant_type",
    "scope",
    "audience",
    "resource",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

/// Headers that the body, the connection or the answer decide about.
const RESERVED_HEADERS: [&str; 7] =
    ["accept", "content-type", "content-length", "transfer-encoding", "connection", "host", "expect"];

impl TokenRequest {
    /// A `client_credentials` request to this token endpoint (RFC 6749 section 4.4.2): an https URL, or an http URL of this
    /// machine (section 3.2). An existing query is kept byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `endpoint` is no such URL, or holds user info or a fragment.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::TokenRequest;
    /// assert!(TokenRequest::new("https://auth.example.com/token?tenant=a").is_ok());
    /// assert!(TokenRequest::new("http://localhost:8080/token").is_ok());
    /// assert!(TokenRequest::new("http://auth.example.com/token").is_err());
    /// ```
    pub fn new(endpoint: &str) -> Result<Self, Error> {
        Ok(Self::to(Endpoint::new(endpoint)?))
    }

    /// A request as from [`new`](Self::new), but also over plain http to any host. Everybody on the way can then read the
    /// client secret and the token.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `endpoint` is not an http(s) URL, or holds user info or a fragment.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::TokenRequest;
    /// assert!(TokenRequest::new("http://keycloak:8080/token").is_err());
    /// assert!(TokenRequest::dangerously_over_plain_http("http://keycloak:8080/token").is_ok());
    /// ```
    pub fn dangerously_over_plain_http(endpoint: &str) -> Result<Self, Error> {
        Endpoint::over_plain_http(endpoint).map(Self::to)
    }

    fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            grant_type: String::from(CLIENT_CREDENTIALS),
            scopes: Vec::new(),
            audience: None,
            resources: Vec::new(),
            parameters: Vec::new(),
            headers: HeaderMap::new(),
            body_format: BodyFormat::default(),
            token_type_aliases: Vec::new(),
            origins: Origins::default(),
        }
    }

    /// Another grant than `client_credentials`: a name or an absolute URI (RFC 6749 section 4.5), with its parameters
    /// given by [`parameter`](Self::parameter).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for the empty name, characters outside `%x21-7E`, and `password` (RFC 9700 section
    /// 2.4).
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/token")?
    ///     .grant_type("refresh_token")?
    ///     .parameter("refresh_token", "tGzv3JOkF0XG5Qx2TlKWIA")?;
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
    /// assert_eq!(sent.body(), b"grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn grant_type(mut self, grant_type: &str) -> Result<Self, Error> {
        if grant_type.is_empty() || !grant_type.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::configuration("grant_type: must be a name or an absolute URI"));
        }
        if grant_type == "password" {
            return Err(Error::configuration("grant_type: password must not be used any more (RFC 9700 section 2.4)"));
        }
        grant_type.clone_into(&mut self.grant_type);
        Ok(self)
    }

    /// Adds scopes, separated by single spaces (RFC 6749 section 3.3). May be called again; order and repetition do
    /// not matter. Without any, the parameter `scope` is left out, and the server decides.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the list is empty or a scope holds a character the RFC does not allow.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/token")?
    ///     .scope("items:read items:write")?
    ///     .scope("items:read")?;
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
    /// assert_eq!(sent.body(), b"grant_type=client_credentials&scope=items%3Aread+items%3Awrite");
    /// assert!(request.scope("two  spaces").is_err());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn scope(mut self, scope: &str) -> Result<Self, Error> {
        for token in scope.split(' ') {
            if token.is_empty() || !token.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(Error::configuration(format!(
                    "scope: {scope:?} is not a list of scopes separated by single spaces (RFC 6749 section 3.3)"
                )));
            }
            if !self.scopes.iter().any(|known| known == token) {
                self.scopes.push(token.to_owned());
            }
        }
        Ok(self)
    }

    /// The API the token is for, as Auth0, Kong and others want it named: the parameter `audience`. If it is an https URL
    /// (or an http URL of this machine), its origin may receive the token. The empty string means none.
    ///
    /// ```
    /// # use client_credentials::TokenRequest;
    /// let request = TokenRequest::new("https://tenant.auth0.com/oauth/token")?
    ///     .audience("https://api.example.com/v2/");
    /// assert!(request.allows(&"https://api.example.com/v2/items".parse().unwrap()));
    /// assert!(!request.allows(&"https://other.example.com/".parse().unwrap()));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        let audience = audience.into();
        // An audience that is no such URL names no origin; a source without any origin says so when it is built.
        let _ = self.origins.add(&audience);
        self.audience = Some(audience).filter(|name| !name.is_empty());
        self
    }

    /// Adds a resource indicator: an absolute URI without a fragment (RFC 8707 section 2). May be called again. If it
    /// is an https URL (or an http URL of this machine), its origin may receive the token.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if it is not an absolute URI, or has a fragment.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::TokenRequest;
    /// let request = TokenRequest::new("https://auth.example.com/token")?
    ///     .resource("https://cal.example.com/")?
    ///     .resource("urn:example:contacts")?;
    /// assert!(request.allows(&"https://cal.example.com/v1/events".parse().unwrap()));
    /// assert!(request.resource("cal.example.com").is_err());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn resource(mut self, resource: &str) -> Result<Self, Error> {
        if !is_absolute_uri(resource) {
            return Err(Error::configuration(format!(
                "resource: {resource:?} is not an absolute URI without a fragment (RFC 8707 section 2)"
            )));
        }
        let _ = self.origins.add(resource);
        if !self.resources.iter().any(|known| known == resource) {
            self.resources.push(resource.to_owned());
        }
        Ok(self)
    }

    /// The organization the token is for, as Auth0 wants it named: the parameter `organization` (see [Auth0: machine-to-machine
    /// access for organizations](https://auth0.com/docs/manage-users/organizations/organizations-for-m2m-applications)).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if it is empty or was given already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://tenant.auth0.com/oauth/token")?
    ///     .organization("org_123")?;
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
    /// assert_eq!(sent.body(), b"grant_type=client_credentials&organization=org_123");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn organization(self, organization: &str) -> Result<Self, Error> {
        self.parameter("organization", organization)
    }

    /// Any further parameter of the token request. Its value never shows in `Debug`.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the name or the value is empty, the name was given already (RFC 6749 section 3.2),
    /// or it is one that this crate writes itself: `grant_type`, `scope`, `audience`, `resource`, `client_*`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://zoom.us/oauth/token")?
    ///     .grant_type("account_credentials")?
    ///     .parameter("account_id", "abc_123")?;
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
    /// assert_eq!(sent.body(), b"grant_type=account_credentials&account_id=abc_123");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn parameter(mut self, name: &str, value: impl Into<Secret>) -> Result<Self, Error> {
        let value = value.into();
        if name.is_empty() || value.secret().is_empty() {
            return Err(Error::configuration(format!(
                "parameter {name:?}: a parameter without a name or a value counts as left out (RFC 6749 section 3.2)"
            )));
        }
        if RESERVED_PARAMETERS.contains(&name) {
            return Err(Error::configuration(format!(
                "parameter {name:?}: use the method of TokenRequest or Credentials that writes it"
            )));
        }
        if self.parameters.iter().any(|(known, _)| known == name) {
            return Err(Error::configuration(format!(
                "parameter {name:?}: given twice (RFC 6749 section 3.2 forbids it)"
            )));
        }
        self.parameters.push((name.to_owned(), value));
        Ok(self)
    }

    /// A further header of the token request, such as an API key or `User-Agent`. Its value never shows in `Debug`.
    ///
    /// `Authorization` is for grants that need their own scheme there, with [`Credentials::none`](crate::Credentials::none).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the name or value is not a legal header, was given already, or is one that this
    /// crate writes itself: `Accept`, `Content-Type`, `Content-Length`, `Host` and other connection headers.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://onlinetools.ups.com/security/v1/oauth/token")?
    ///     .header("x-merchant-id", "123456")?;
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
    /// assert_eq!(sent.headers()["x-merchant-id"], "123456");
    /// assert!(!format!("{request:?}").contains("123456"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let wrong = |what| Error::configuration(format!("header {name:?}: {what}"));
        let key: HeaderName = name.parse().map_err(|_| wrong("not a legal header name"))?;
        if RESERVED_HEADERS.contains(&key.as_str()) {
            return Err(wrong("the token request has its own"));
        }
        if self.headers.contains_key(&key) {
            return Err(wrong("given twice"));
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong("not a legal header value"))?;
        value.set_sensitive(true);
        self.headers.insert(key, value);
        Ok(self)
    }

    /// How the parameters are written. Default: [`BodyFormat::Form`] (RFC 6749 section 4.4.2).
    ///
    /// ```
    /// # use client_credentials::{Attempt, BodyFormat, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://tenant.auth0.com/oauth/token")?
    ///     .body_format(BodyFormat::Json);
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
    /// assert_eq!(sent.headers()["content-type"], "application/json");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn body_format(mut self, format: BodyFormat) -> Self {
        self.body_format = format;
        self
    }

    /// A `token_type` that means `Bearer` at this server, in any case of letters. eBay says
    /// `Application Access Token`, Apigee `BearerToken`. The token is still sent as `Bearer`. Without this call the answer is
    /// refused: a type that is not understood must not be used (RFC 6749 section 7.1).
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock, TokenRequest};
    /// let request = TokenRequest::new("https://api.ebay.com/identity/v1/oauth2/token")?;
    /// let body = r#"{"access_token":"v^1.1","token_type":"Application Access Token"}"#;
    /// let answer = http::Response::new(body);
    /// assert!(request.decode(&answer, SystemClock.now()).is_err());
    ///
    /// let request = request.token_type_alias("Application Access Token");
    /// let token = request.decode(&answer, SystemClock.now())?;
    /// assert_eq!(token.header_value(), "Bearer v^1.1");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn token_type_alias(mut self, alias: impl Into<String>) -> Self {
        let alias = alias.into().to_ascii_lowercase();
        if !self.token_type_aliases.contains(&alias) {
            self.token_type_aliases.push(alias);
        }
        self
    }

    /// Names an origin (scheme, host, port) that may receive the token; path and query of the URL are ignored. May be
    /// called again. No token goes anywhere else (RFC 9700 section 4.9.1).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if it is not an https URL, or an http URL of this machine, or holds user info.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::TokenRequest;
    /// let request = TokenRequest::new("https://bitbucket.org/site/oauth2/access_token")?
    ///     .allow_origin("https://api.bitbucket.org")?;
    /// assert!(request.allows(&"https://api.bitbucket.org/2.0/user".parse().unwrap()));
    /// assert!(!request.allows(&"https://api.bitbucket.org:8443/".parse().unwrap()));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn allow_origin(mut self, url: &str) -> Result<Self, Error> {
        self.origins.add(url)?;
        Ok(self)
    }

    /// Names an origin that may receive the token, also over plain http. Everybody on the way there can read it then.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if it is not an http(s) URL, or holds user info.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::TokenRequest;
    /// let request = TokenRequest::new("https://auth.example.com/token")?
    ///     .dangerously_allow_plain_http_origin("http://api.internal:8080")?;
    /// assert!(request.allows(&"http://api.internal:8080/v1/items".parse().unwrap()));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn dangerously_allow_plain_http_origin(mut self, url: &str) -> Result<Self, Error> {
        self.origins.add_insecure(url)?;
        Ok(self)
    }

    /// Lets the token go to every https URL (and plain http of this machine), whoever answers there. One URL that an
    /// attacker chooses is then enough to steal it (RFC 9700 section 4.9.1).
    ///
    /// ```
    /// # use client_credentials::TokenRequest;
    /// let request = TokenRequest::new("https://auth.example.com/token")?
    ///     .dangerously_allow_any_origin();
    /// assert!(request.allows(&"https://anywhere.example/".parse().unwrap()));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn dangerously_allow_any_origin(mut self) -> Self {
        self.origins.add_any();
        self
    }

    /// Whether a request for this URL may carry the token: scheme, host and port must be those of an allowed origin.
    /// A URL with user info, or with a port that cannot be read, never matches.
    ///
    /// ```
    /// # use client_credentials::TokenRequest;
    /// let request = TokenRequest::new("https://auth.example.com/token")?
    ///     .audience("https://api.example.com");
    /// let may = |url: &str| url.parse().is_ok_and(|uri| request.allows(&uri));
    /// assert!(may("https://api.example.com/v1/items?page=2"));
    /// assert!(!may("http://api.example.com/v1/items"));
    /// assert!(!may("https://api.example.com@evil.test/"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn allows(&self, uri: &Uri) -> bool {
        self.origins.allows(uri)
    }

    /// This request with every list whose order means nothing in one order. Two requests ask for the same token if and
    /// only if their canonical forms encode to the same bytes and read answers alike.
    pub(crate) fn canonical(&self) -> Self {
        let mut canonical = self.clone();
        canonical.scopes.sort_unstable();
        canonical.resources.sort_unstable();
        canonical.parameters.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        canonical.token_type_aliases.sort_unstable();
        canonical
    }

    pub(crate) fn token_type_aliases(&self) -> &[String] {
        &self.token_type_aliases
    }

    pub(crate) fn names_an_origin(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Host and port of the token endpoint, for messages.
    pub(crate) fn endpoint_host(&self) -> &str {
        self.endpoint.host()
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("endpoint", &origin::display(self.endpoint.uri()))
            .field("grant_type", &self.grant_type)
            .field("scopes", &self.scopes)
            .field("audience", &self.audience)
            .field("resources", &self.resources)
            .field("parameters", &self.parameters)
            .field("headers", &self.headers)
            .field("body_format", &self.body_format)
            .field("token_type_aliases", &self.token_type_aliases)
            .field("origins", &self.origins)
            .finish()
    }
}

/// RFC 3986 section 4.3, as far as it takes to tell a URI from a path or a host name.
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}
