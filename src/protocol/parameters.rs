//! The parameters and headers of a token request that have no method of their own. A parameter is
//! fixed, or new for each attempt. Imports `error`, `made`, `redact`, `signing`, `protocol::request`.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use crate::error::{BoxError, Error, Failed};
use crate::made::{Maker, Provided};
use crate::protocol::request::TokenRequest;
use crate::redact::Secret;
#[cfg(feature = "keys")]
use crate::signing::assertion::Assertion;

/// Headers that depend on the body, the connection or the response.
pub(super) const RESERVED_HEADERS: [&str; 7] =
    ["accept", "content-type", "content-length", "transfer-encoding", "connection", "host", "expect"];

impl TokenRequest {
    /// Adds a parameter to the token request. `Debug` does not show its value.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the name or the value is empty, if the name was used already
    /// (RFC 6749 section 3.2), or if this crate writes the parameter itself: `grant_type`, `scope`,
    /// `audience`, `resource`, `client_id`, `client_secret`, `client_assertion`,
    /// `client_assertion_type`.
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
        if value.secret().is_empty() {
            return Err(without_value(name));
        }
        self.check_name(name)?;
        self.parameters.push((name.to_owned(), value));
        Ok(self)
    }

    /// Adds a parameter whose value comes from a closure, for each attempt: the `subject_token` of a
    /// token exchange (RFC 8693) or the `assertion` of a grant, from a file that the platform writes.
    /// `Debug` does not show the value.
    ///
    /// If the server refuses the value, the closure is called once more, and the request is repeated
    /// if the value is another by then. If the closure fails, the fetch fails with
    /// [`Error::Credentials`](crate::Error::Credentials). Tokens are shared only between sources
    /// whose requests are clones of this value.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for the names that [`parameter`](Self::parameter) refuses.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, Secret, TokenRequest};
    /// # let file = || Ok::<_, std::io::Error>(String::from("eyJ.eyJ.sig\n"));
    /// let request = TokenRequest::new("https://sts.googleapis.com/v1/token")?
    ///     .grant_type("urn:ietf:params:oauth:grant-type:token-exchange")?
    ///     .parameter("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")?
    ///     .parameter_from("subject_token", move || Ok(Secret::from(file()?.trim_end())))?;
    /// let sent = request.encode(&Credentials::none(), &Attempt::default())?;
    /// assert!(sent.body().ends_with(b"&subject_token=eyJ.eyJ.sig"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn parameter_from<F>(self, name: &str, provider: F) -> Result<Self, Error>
    where
        F: Fn() -> Result<Secret, BoxError> + Send + Sync + 'static,
    {
        let what = |name: &str| Failed::Parameter { name: name.to_owned() };
        self.made_parameter(name, Arc::new(Provided::new(what, name, provider)))
    }

    /// Adds a parameter whose value is new for each attempt.
    pub(super) fn made_parameter(mut self, name: &str, maker: Arc<dyn Maker>) -> Result<Self, Error> {
        self.check_name(name)?;
        self.made.push((name.to_owned(), maker));
        Ok(self)
    }

    /// Selects the grant of RFC 7523 section 2.1 (`urn:ietf:params:oauth:grant-type:jwt-bearer`): the
    /// parameter `assertion` is a new one for each attempt. Google's service accounts and
    /// Salesforce use it, together with [`Credentials::none`](crate::Credentials::none).
    ///
    /// The assertion has no subject unless you name one. Its issuer is the client id unless you name
    /// another, its audience the token endpoint or the [`issuer`](Self::issuer).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`](crate::Error::Configuration) if the parameter `assertion` was set
    /// already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Assertion, Attempt, Credentials, SigningKey, TokenRequest};
    /// # use std::time::Duration;
    /// let claims = Assertion::new(SigningKey::generate()?)
    ///     .issuer("robot@my-project.iam.gserviceaccount.com")
    ///     .claim("scope", "https://www.googleapis.com/auth/devstorage.read_only")?
    ///     .lifetime(Duration::from_secs(3600));
    /// let request = TokenRequest::new("https://oauth2.googleapis.com/token")?
    ///     .assertion(claims)?;
    /// let sent = request.encode(&Credentials::none(), &Attempt::default())?;
    /// assert!(String::from_utf8_lossy(sent.body()).contains("jwt-bearer&assertion=eyJ"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[cfg(feature = "keys")]
    pub fn assertion(self, assertion: Assertion) -> Result<Self, Error> {
        self.grant_type("urn:ietf:params:oauth:grant-type:jwt-bearer")?.signed_parameter("assertion", assertion)
    }

    #[cfg(feature = "keys")]
    pub(crate) fn signed_parameter(self, name: &str, assertion: Assertion) -> Result<Self, Error> {
        self.made_parameter(name, Arc::new(assertion))
    }

    /// Returns the names of the parameters that have no method of their own.
    pub(super) fn parameter_names(&self) -> impl Iterator<Item = &str> {
        let made = self.made.iter().map(|(name, _)| name.as_str());
        self.parameters.iter().map(|(name, _)| name.as_str()).chain(made)
    }

    fn check_name(&self, name: &str) -> Result<(), Error> {
        if name.is_empty() {
            return Err(without_value(name));
        }
        let method = match name {
            "grant_type" => "TokenRequest::grant_type",
            "scope" => "TokenRequest::scope",
            "audience" => "TokenRequest::audience, and TokenRequest::add_audience for a further one",
            "resource" => "TokenRequest::resource, or TokenRequest::resource_by_name for a name",
            "client_id" | "client_secret" => "the constructors of Credentials",
            "client_assertion" | "client_assertion_type" => {
                return Err(Error::configuration(format!(
                    "parameter {name:?}: for client authentication by an assertion (RFC 7523 section 2.2) use \
                     Credentials::with_key, or Credentials::with_assertion_from"
                )));
            }
            _ if self.parameter_names().any(|known| known == name) => {
                return Err(Error::configuration(format!(
                    "parameter {name:?}: given twice (RFC 6749 section 3.2 forbids it)"
                )));
            }
            _ => return Ok(()),
        };
        Err(Error::configuration(format!("parameter {name:?}: use {method}")))
    }

    /// Adds a header to the token request, such as an API key or `User-Agent`. `Debug` does not
    /// show its value.
    ///
    /// Set `Authorization` only for a grant that needs a scheme of its own, and together with
    /// [`Credentials::none`](crate::Credentials::none).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the name or the value is not legal in a header, if the header
    /// was added already, or if this crate writes it itself: `Accept`, `Content-Type`,
    /// `Content-Length`, `Host` and other headers of the connection.
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
}

pub(super) fn without_value(name: &str) -> Error {
    Error::configuration(format!(
        "parameter {name:?}: a parameter without a name or a value counts as left out (RFC 6749 section 3.2)"
    ))
}
