//! Client authentication and grants by assertions that are signed here (RFC 7523). Imports `error`,
//! `instance`, `made`, `redact`, `signing`, `transport`, and from `protocol` the modules
//! `credentials`, `request`.

use std::error::Error as StdError;
use std::sync::Arc;

use crate::error::{Error, Failed};
use crate::instance::Instance;
use crate::made::{Context, Made, Maker};
use crate::protocol::credentials::{Credentials, Sent};
use crate::protocol::request::TokenRequest;
use crate::redact::Secret;
use crate::signing::SigningKey;
use crate::signing::assertion::Assertion;
use crate::transport::Attempt;

impl Credentials {
    /// Makes credentials with a private key (`private_key_jwt`, RFC 7523 section 2.2): each attempt
    /// sends a new assertion that the key has signed.
    ///
    /// The server has the public key ([`SigningKey::public_jwk`]) or the certificate. The assertion
    /// names the client id as issuer and subject, and as audience the token endpoint, or what
    /// [`TokenRequest::issuer`] says. For other claims use
    /// [`with_assertion`](Self::with_assertion).
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, SigningKey, TokenRequest};
    /// let key = SigningKey::generate()?.key_id("2026-11"); // or SigningKey::from_pem
    /// let credentials = Credentials::with_key("my-client", key);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let sent = request.encode(&credentials, &Attempt::default())?;
    /// let body = String::from_utf8_lossy(sent.body());
    /// assert!(body.contains("client-assertion-type%3Ajwt-bearer&client_assertion=eyJ"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn with_key(client_id: impl Into<String>, key: SigningKey) -> Self {
        Self::with_assertion(client_id, Assertion::new(key))
    }

    /// Makes credentials whose key comes from a closure, for keys that are rotated.
    ///
    /// The closure is called for each attempt. If the server refuses the key, it is called once more,
    /// and the request is repeated if the key is another by then. If the closure fails, the fetch
    /// fails with [`Error::Credentials`](crate::Error::Credentials), whose source is the closure's
    /// error. Tokens are shared only between sources whose credentials are clones of this value.
    ///
    /// ```
    /// # use client_credentials::{Credentials, SigningKey};
    /// let credentials = Credentials::with_key_from("my-client", || {
    ///     Ok(SigningKey::from_pem(std::fs::read("/run/secrets/client.pem")?)?)
    /// });
    /// assert_eq!(credentials.client_id(), Some("my-client"));
    /// ```
    #[must_use]
    pub fn with_key_from<F>(client_id: impl Into<String>, provider: F) -> Self
    where
        F: Fn() -> Result<SigningKey, Box<dyn StdError + Send + Sync>> + Send + Sync + 'static,
    {
        Self::made_by(client_id.into(), Arc::new(KeyFrom { provider, instance: Instance::default() }))
    }

    /// Makes credentials with an assertion of your own claims and headers. It is signed anew for each
    /// attempt.
    ///
    /// ```
    /// # use client_credentials::{Assertion, Attempt, Credentials, SigningKey, TokenRequest};
    /// let assertion = Assertion::new(SigningKey::generate()?)
    ///     .audience("https://auth.example.com")
    ///     .header("typ", "client-authentication+jwt")?;
    /// let credentials = Credentials::with_assertion("my-client", assertion);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?;
    /// # request.encode(&credentials, &Attempt::default())?;
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn with_assertion(client_id: impl Into<String>, assertion: Assertion) -> Self {
        Self::made_by(client_id.into(), Arc::new(assertion))
    }

    /// Signs an assertion with the client secret (`client_secret_jwt`, HS256) instead of sending the
    /// secret. The secret must have at least 32 bytes (RFC 7518 section 3.2); a shorter one is an
    /// [`Error::Configuration`](crate::Error::Configuration) at the first token request. Changes
    /// nothing for credentials without a secret.
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let secret = "a secret of thirty-two bytes, or more";
    /// let credentials = Credentials::new("my-client", secret).in_assertion();
    /// let sent = request.encode(&credentials, &Attempt::default())?;
    /// assert!(String::from_utf8_lossy(sent.body()).contains("&client_assertion=eyJ"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn in_assertion(self) -> Self {
        self.sent_as(Sent::Assertion(sign_with_secret))
    }
}

impl TokenRequest {
    /// Selects the grant of RFC 7523 section 2.1 (`urn:ietf:params:oauth:grant-type:jwt-bearer`): the
    /// parameter `assertion` is signed anew for each attempt. Google's service accounts and
    /// Salesforce use it, together with [`Credentials::none`].
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
    pub fn assertion(self, assertion: Assertion) -> Result<Self, Error> {
        self.grant_type("urn:ietf:params:oauth:grant-type:jwt-bearer")?.signed_parameter("assertion", assertion)
    }

    pub(crate) fn signed_parameter(self, name: &str, assertion: Assertion) -> Result<Self, Error> {
        self.made_parameter(name, Arc::new(assertion))
    }
}

/// Signs with the key that a closure returns.
struct KeyFrom<F> {
    provider: F,
    instance: Instance,
}

impl<F> Maker for KeyFrom<F>
where
    F: Fn() -> Result<SigningKey, Box<dyn StdError + Send + Sync>> + Send + Sync,
{
    fn make(&self, context: Context<'_>, attempt: &Attempt) -> Result<Made, Error> {
        let key = (self.provider)().map_err(|cause| {
            let client_id = context.client_id.unwrap_or_default().to_owned();
            Error::credentials(Failed::Key { client_id }, cause)
        })?;
        Assertion::new(key).make(context, attempt)
    }

    fn identity(&self, context: Context<'_>) -> (String, Option<Instance>) {
        (format!("{:?}", context.audience), Some(self.instance.clone()))
    }

    fn may_change(&self) -> bool {
        true
    }
}

fn sign_with_secret(secret: &Secret, context: Context<'_>, attempt: &Attempt) -> Result<Made, Error> {
    Assertion::new(SigningKey::shared(secret.secret().as_bytes())?).make(context, attempt)
}
