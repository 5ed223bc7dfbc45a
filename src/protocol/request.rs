//! The token request: the parameters that the token endpoint gets (RFC 6749 sections 3.2 and
//! 4.4.2), and the origins that may receive the token. Imports `error`, `made`,
//! `origin`, `redact`, `protocol::dialect`.
//!
//! `TokenRequest::encode` is in `protocol::encode`, and `TokenRequest::decode` in
//! `protocol::decode`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Uri};

use crate::error::Error;
use crate::made::Maker;
use crate::origin::{self, Endpoint, Origins};
use crate::protocol::dialect::Dialect;
use crate::redact::Secret;

/// A request for an access token, and the origins that the token may be sent to.
///
/// Every renewal sends the same parameters. This type does no I/O: [`encode`](Self::encode) makes
/// the HTTP request, [`decode`](Self::decode) reads the response, and a
/// [`TokenSource`](crate::TokenSource) calls both when it needs a token.
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
    /// `None` leaves it out.
    pub(super) grant_type: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) audiences: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) parameters: Vec<(String, Secret)>,
    /// Parameters whose value is new for each attempt.
    pub(super) made: Vec<(String, Arc<dyn Maker>)>,
    /// The issuer identifier of the authorization server, if the program names it.
    pub(super) issuer: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body_format: BodyFormat,
    pub(super) token_type_aliases: Vec<String>,
    pub(super) dialect: Dialect,
    pub(super) origins: Origins,
}

/// The format of the parameters in the body of a token request.
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
    /// `application/x-www-form-urlencoded`, as RFC 6749 section 4.4.2 requires. This is the
    /// default.
    #[default]
    Form,
    /// One JSON object of strings, in which a repeated `resource` becomes an array. Auth0 and some
    /// other servers accept it.
    Json,
}

pub(super) const CLIENT_CREDENTIALS: &str = "client_credentials";

impl TokenRequest {
    /// Makes a `client_credentials` request to this token endpoint (RFC 6749 section 4.4.2).
    /// `endpoint` is an https URL (section 3.2), or an http URL whose host is `localhost` or a
    /// loopback address. Its query, if any, is kept byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `endpoint` is not such a URL, or has user info or a fragment.
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

    /// Makes a request as [`new`](Self::new) does, but allows plain http to any host. Everyone on
    /// the network path can then read the client secret and the token.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `endpoint` is not an http(s) URL, or has user info or a
    /// fragment.
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
            grant_type: Some(String::from(CLIENT_CREDENTIALS)),
            scopes: Vec::new(),
            audiences: Vec::new(),
            resources: Vec::new(),
            parameters: Vec::new(),
            made: Vec::new(),
            issuer: None,
            headers: HeaderMap::new(),
            body_format: BodyFormat::default(),
            token_type_aliases: Vec::new(),
            dialect: Dialect::default(),
            origins: Origins::default(),
        }
    }

    /// Selects another grant than `client_credentials`, by its name or absolute URI (RFC 6749
    /// section 4.5). Add the parameters of the grant with [`parameter`](Self::parameter).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `grant_type` is empty, contains a character outside `%x21-7E`,
    /// or is `password` (RFC 9700 section 2.4).
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
            return Err(Error::configuration(
                "grant_type: password must not be used any more (RFC 9700 section 2.4); if the server offers nothing \
                 else, see TokenRequest::dangerously_password_grant",
            ));
        }
        self.grant_type = Some(grant_type.to_owned());
        Ok(self)
    }

    /// Adds scopes, separated by single spaces (RFC 6749 section 3.3).
    ///
    /// Each call adds to the scopes of the calls before; order and repetition do not matter.
    /// Without a scope, the parameter `scope` is left out, and the server decides.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the list is empty, or a scope contains a character that the
    /// RFC does not allow.
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

    /// Sets the parameter `audience`, by which Auth0, Kong and other servers identify the API that
    /// the token is for. If it is an https URL, or an http URL whose host is loopback, its origin
    /// may receive the token. An earlier audience is replaced, and its origin with it, unless the
    /// origin is allowed otherwise, too. The empty string removes the parameter.
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
        self.origins.forget_audiences();
        self.audiences.clear();
        if !audience.is_empty() {
            // An audience that is not such a URL names no origin. If nothing else names one,
            // building the source reports it.
            self.origins.add_audience(&audience);
            self.audiences.push(audience);
        }
        self
    }

    /// Adds a resource indicator: an absolute URI without a fragment (RFC 8707 section 2). Each
    /// call adds one. If it is an https URL, or an http URL whose host is loopback, its origin may
    /// receive the token.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `resource` is not an absolute URI, or has a fragment.
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
                "resource: {resource:?} is not an absolute URI without a fragment (RFC 8707 section 2); if the server \
                 wants a name, use TokenRequest::resource_by_name"
            )));
        }
        let _ = self.origins.add(resource);
        if !self.resources.iter().any(|known| known == resource) {
            self.resources.push(resource.to_owned());
        }
        Ok(self)
    }

    /// Sets the parameter `organization`, by which Auth0 identifies the organization that the token
    /// is for. Source: [Auth0: machine-to-machine access for organizations][m2m].
    ///
    /// [m2m]: https://auth0.com/docs/manage-users/organizations/organizations-for-m2m-applications
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `organization` is empty, or was set already.
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

    /// Names the authorization server by its issuer identifier (RFC 8414 section 2), the audience of
    /// the assertions that this crate signs. Default: the URL of the token endpoint. Servers differ:
    /// some accept only one of the two. With the empty string, an assertion has no audience unless it
    /// names one itself.
    ///
    /// ```
    /// # use client_credentials::TokenRequest;
    /// let request = TokenRequest::new("https://kc.example.com/realms/acme/protocol/openid-connect/token")?
    ///     .issuer("https://kc.example.com/realms/acme");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Sets the format of the body. Default: [`BodyFormat::Form`] (RFC 6749 section 4.4.2).
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

    /// Allows an origin (scheme, host, port) to receive the token. The path and the query of the
    /// URL are ignored. Each call adds one origin, and no token is sent to any other (RFC 9700
    /// section 4.9.1).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `url` is neither an https URL nor an http URL whose host is
    /// loopback, or has user info.
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

    /// Allows an origin to receive the token, even over plain http. Everyone on the network path
    /// can then read the token.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `url` is not an http(s) URL, or has user info.
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

    /// Allows the token to be sent to every https URL, and to every http URL whose host is
    /// loopback. One URL chosen by an attacker is then enough to steal it (RFC 9700 section 4.9.1).
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

    /// Whether a request for this URL may carry the token. Its scheme, host and port must be those
    /// of an allowed origin. A URL with user info, or with an invalid port, is never allowed.
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

    /// Returns this request with its scopes, audiences, resources, parameters and token types
    /// sorted, because their order has no meaning. Two requests ask for the same token if and only
    /// if their canonical forms encode to the same bytes, accept the same token types, and have the
    /// same dialect.
    pub(crate) fn canonical(&self) -> Self {
        let mut canonical = self.clone();
        canonical.scopes.sort_unstable();
        canonical.audiences.sort_unstable();
        canonical.resources.sort_unstable();
        canonical.parameters.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        canonical.made.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        canonical.token_type_aliases.sort_unstable();
        canonical
    }

    /// Returns the audience of an assertion that names no other: the issuer, if it is known, else the
    /// URL of the token endpoint as it was typed (RFC 7523 section 3).
    pub(super) fn assertion_audience(&self) -> Option<Cow<'_, str>> {
        let audience =
            self.issuer.as_deref().map_or_else(|| Cow::Owned(self.endpoint.uri().to_string()), Cow::Borrowed);
        Some(audience).filter(|audience| !audience.is_empty())
    }

    pub(crate) fn token_type_aliases(&self) -> &[String] {
        &self.token_type_aliases
    }

    pub(crate) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    pub(crate) fn names_an_origin(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Whether a closure returns a parameter, which may be another one each time.
    pub(crate) fn may_change(&self) -> bool {
        self.made.iter().any(|(_, maker)| maker.may_change())
    }

    /// Whether nobody on the network path can have changed the answer: it came over https or from
    /// this machine.
    pub(crate) fn is_safe(&self) -> bool {
        self.is_https() || self.endpoint.uri().host().is_some_and(origin::is_loopback)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.endpoint.uri().scheme() == Some(&http::uri::Scheme::HTTPS)
    }

    /// Returns the host and port of the token endpoint, for messages.
    pub(crate) fn endpoint_host(&self) -> &str {
        self.endpoint.host()
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("TokenRequest");
        debug
            .field("endpoint", &origin::display(self.endpoint.uri()))
            .field("grant_type", &self.grant_type.as_deref().unwrap_or("(left out)"))
            .field("scopes", &self.scopes);
        match self.audiences.as_slice() {
            [] | [_] => debug.field("audience", &self.audiences.first()),
            all => debug.field("audiences", &all),
        };
        debug
            .field("resources", &self.resources)
            .field("parameters", &self.parameters)
            .field("made", &self.made.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("issuer", &self.issuer)
            .field("headers", &self.headers)
            .field("body_format", &self.body_format)
            .field("token_type_aliases", &self.token_type_aliases)
            .field("dialect", &self.dialect)
            .field("origins", &self.origins)
            .finish()
    }
}

/// Whether `text` is an absolute URI (RFC 3986 section 4.3). Checks only enough to tell a URI from
/// a path or a host name.
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}
