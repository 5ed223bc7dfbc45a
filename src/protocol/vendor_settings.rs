//! The settings of `TokenRequest` for servers that differ from RFC 6749. Few programs need one of
//! them, so they are apart from the rest. Imports `error`, `redact`, and from `protocol` the modules
//! `dialect`, `request`, `token`.

use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::error::Error;
use crate::protocol::dialect::{LifetimeUnit, MemberPath};
use crate::protocol::parameters::RESERVED_HEADERS;
use crate::protocol::request::TokenRequest;
use crate::protocol::token::TokenHeader;
use crate::redact::Secret;

impl TokenRequest {
    /// Adds a further audience; the parameter `audience` is then sent more than once (RFC 8693
    /// section 2.1). If it is an https URL, or an http URL whose host is loopback, its origin may
    /// receive the token. [`audience`](Self::audience) replaces all of them.
    ///
    /// Ory Hydra, for one, gives a token for several audiences.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `audience` is empty, or was added already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/oauth2/token")?
    ///     .audience("https://a.example.com")
    ///     .add_audience("https://b.example.com")?;
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
    /// assert!(sent.body().ends_with(
    ///     b"&audience=https%3A%2F%2Fa.example.com&audience=https%3A%2F%2Fb.example.com"
    /// ));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn add_audience(mut self, audience: &str) -> Result<Self, Error> {
        if audience.is_empty() || self.audiences.iter().any(|known| known == audience) {
            return Err(Error::configuration(format!("add_audience: {audience:?} is empty, or was added already")));
        }
        self.origins.add_audience(audience);
        self.audiences.push(audience.to_owned());
        Ok(self)
    }

    /// Adds a `resource` that is a name and not a URI, which RFC 8707 section 2 does not allow, but
    /// some servers expect: Entra's v1 endpoint takes the application id of Azure Databricks,
    /// `2ff814a6-3304-4ab8-85cb-cd0e6f879c1d`. It names no origin.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `name` is empty or contains a control character.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://login.microsoftonline.com/tenant/oauth2/token")?
    ///     .resource_by_name("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d")?;
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &Attempt::default())?;
    /// assert!(sent.body().ends_with(b"&resource=2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn resource_by_name(mut self, name: &str) -> Result<Self, Error> {
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Error::configuration(format!(
                "resource_by_name: {name:?} is empty, or holds a control character"
            )));
        }
        if !self.resources.iter().any(|known| known == name) {
            self.resources.push(name.to_owned());
        }
        Ok(self)
    }

    /// Leaves `grant_type` out of the body. [`Credentials::none`](crate::Credentials::none) is then
    /// allowed, because such a login has client authentication of its own kind.
    ///
    /// Kno Commerce, Transporeon and Greenhouse expect the grant in the query of the URL, which is
    /// kept as it is. Roller and Personio do not expect it at all. The logins of many other vendors
    /// take a key or a password alone.
    ///
    /// ```
    /// # use client_credentials::{Attempt, BodyFormat, Credentials, TokenRequest};
    /// let login = TokenRequest::new("https://api.example.com/login")?
    ///     .without_grant_type()
    ///     .parameter("api_key", "k3y")?
    ///     .body_format(BodyFormat::Json);
    /// let sent = login.encode(&Credentials::none(), &Attempt::default())?;
    /// assert_eq!(sent.body(), br#"{"api_key":"k3y"}"#);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn without_grant_type(mut self) -> Self {
        self.grant_type = None;
        self
    }

    /// Selects the grant `password`, which RFC 9700 section 2.4 forbids, because it gives the
    /// password of a user to the program. It is for servers that offer machines nothing else, such
    /// as Acumatica, Dayforce and Datto RMM, and only with a user of the program's own.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if `username` or `password` is empty, or was set already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/token")?
    ///     .dangerously_password_grant("robot", "hunter2")?;
    /// let sent = request.encode(&Credentials::public("my-client"), &Attempt::default())?;
    /// assert_eq!(
    ///     sent.body(),
    ///     b"grant_type=password&username=robot&password=hunter2&client_id=my-client"
    /// );
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn dangerously_password_grant(self, username: &str, password: impl Into<Secret>) -> Result<Self, Error> {
        let mut request = self.parameter("username", username)?.parameter("password", password)?;
        request.grant_type = Some(String::from("password"));
        Ok(request)
    }

    /// Accepts another `token_type` that means `Bearer` at this server, in upper or lower case.
    ///
    /// eBay calls it `Application Access Token`, Apigee `BearerToken`. The token is still sent as
    /// `Bearer`. Without this setting, such a response is an error, because a token of an unknown
    /// type must not be used (RFC 6749 section 7.1).
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

    /// Reads the token from another member than `access_token`: from the member with this name, or
    /// from the one to which names separated by dots lead. A number leads into an array.
    ///
    /// Personio has the token in `data.token`, ZoomInfo in `jwt`.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a name is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock, TokenRequest};
    /// let request = TokenRequest::new("https://api.personio.de/v1/auth")?
    ///     .token_member("data.token")?;
    /// let answer = http::Response::new(r#"{"success":true,"data":{"token":"papi-1"}}"#);
    /// assert_eq!(request.decode(&answer, SystemClock.now())?.secret(), "papi-1");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn token_member(mut self, path: &str) -> Result<Self, Error> {
        self.dialect.token = Some(MemberPath::new("token_member", path)?);
        Ok(self)
    }

    /// Reads the lifetime from another member than `expires_in`, or in another unit than seconds.
    /// `path` is a name, or names separated by dots.
    ///
    /// Fiserv states `expires_in` in milliseconds. Odoo's answers have another name for it.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a name is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Clock, LifetimeUnit, SystemClock, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/token")?
    ///     .lifetime_member("expires_in", LifetimeUnit::Milliseconds)?;
    /// let answer = http::Response::new(r#"{"access_token":"t","expires_in":1799000}"#);
    /// let token = request.decode(&answer, SystemClock.now())?;
    /// assert_eq!(token.expires_in().map(|lifetime| lifetime.as_secs()), Some(1799));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn lifetime_member(mut self, path: &str, unit: LifetimeUnit) -> Result<Self, Error> {
        self.dialect.lifetime = Some((MemberPath::new("lifetime_member", path)?, unit));
        Ok(self)
    }

    /// Sends the token in another header, or after another scheme than `Bearer`, to the API.
    /// `None` sends it bare.
    ///
    /// Zoho expects `Authorization: Zoho-oauthtoken ...`, Shopify `X-Shopify-Access-Token: ...`, and
    /// Veeva Vault the bare token in `Authorization`. Source: [Shopify: access tokens][shopify].
    ///
    /// HTTP clients take headers other than `Authorization` along when they follow a redirect, even
    /// to another host. The agent of this crate therefore follows no redirects with such a header;
    /// make sure of it in any other client.
    ///
    /// [shopify]: https://shopify.dev/docs/api/admin-rest#authentication
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the header or the scheme is not legal, or if the header belongs
    /// to the connection.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock, TokenRequest};
    /// let answer = http::Response::new(r#"{"access_token":"t"}"#);
    /// let request = TokenRequest::new("https://auth.example.com/token")?;
    ///
    /// let zoho = request.clone().token_header("authorization", Some("Zoho-oauthtoken"))?;
    /// let token = zoho.decode(&answer, SystemClock.now())?;
    /// assert_eq!(token.header_value(), "Zoho-oauthtoken t");
    ///
    /// let shopify = request.token_header("x-shopify-access-token", None)?;
    /// let token = shopify.decode(&answer, SystemClock.now())?;
    /// assert_eq!(token.header_name(), "x-shopify-access-token");
    /// assert_eq!(token.header_value(), "t");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn token_header(mut self, name: &str, scheme: Option<&str>) -> Result<Self, Error> {
        let wrong = |what| Error::configuration(format!("token_header {name:?}: {what}"));
        let header: HeaderName = name.parse().map_err(|_| wrong("not a legal header name"))?;
        if RESERVED_HEADERS.contains(&header.as_str()) || header == http::header::COOKIE {
            return Err(wrong("a token cannot be sent in this header"));
        }
        let is_token = |text: &str| text.parse::<HeaderName>().is_ok();
        if scheme.is_some_and(|scheme| !is_token(scheme)) {
            return Err(wrong("the scheme is not legal (RFC 9110 section 11.1)"));
        }
        self.dialect.header = TokenHeader::new(header, scheme);
        Ok(self)
    }

    /// Returns the header of an API request that carries the token.
    pub(crate) fn token_header_name(&self) -> &HeaderName {
        self.dialect.header.name()
    }

    /// Whether the token is sent in `Authorization`, which HTTP clients take off at a redirect.
    #[allow(dead_code, reason = "used by the adapters that the features select")]
    pub(crate) fn sends_authorization(&self) -> bool {
        *self.token_header_name() == AUTHORIZATION
    }
}
