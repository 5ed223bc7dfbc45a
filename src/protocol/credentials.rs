//! The client, and how it authenticates at the token endpoint (RFC 6749 section 2.3). Imports `error`,
//! `instance`, `made`, `redact`, `signing`, `transport`, and from `protocol` the modules
//! `authentication`, `basic`.

use std::fmt;
use std::sync::Arc;

use crate::error::{BoxError, Error, Failed};
use crate::instance::Instance;
use crate::made::{Context, Made, Maker, Provided};
use crate::protocol::authentication::{Authentication, check};
use crate::protocol::basic::{self, BasicEncoding};
use crate::redact::Secret;
#[cfg(feature = "keys")]
use crate::signing::{SigningKey, assertion::Assertion, makers};
use crate::transport::Attempt;

/// Returns a secret, and the id that belongs to it if that is not fixed.
type Provider = dyn Fn() -> Result<(Option<String>, Secret), BoxError> + Send + Sync;

/// The client, and how it authenticates at the token endpoint (RFC 6749 section 2.3).
///
/// A token request uses exactly one method of client authentication:
///
/// | constructor | method (RFC 7591 section 2) | what is sent |
/// |---|---|---|
/// | [`new`](Self::new) | `client_secret_basic` | `Authorization: Basic ...` |
/// | [`new`](Self::new)[`.in_body()`](Self::in_body) | `client_secret_post` | `client_id` and `client_secret` in the body |
/// | [`with_secret_from`](Self::with_secret_from), [`with_id_and_secret_from`](Self::with_id_and_secret_from) | as `new` | what a closure returns |
/// | [`with_key`](Self::with_key), [`with_key_from`](Self::with_key_from), [`with_assertion`](Self::with_assertion) | `private_key_jwt` | `client_assertion`, a new JWT for each attempt |
/// | [`new`](Self::new)[`.in_assertion()`](Self::in_assertion) | `client_secret_jwt` | `client_assertion`, signed with the secret |
/// | [`with_assertion_from`](Self::with_assertion_from) | `private_key_jwt` | `client_assertion`, as a closure returns it |
/// | [`public`](Self::public) | `none` | `client_id` in the body; the proof is a client certificate or the grant |
/// | [`none`](Self::none) | - | nothing; the proof is the grant or a header of the request |
///
/// # Examples
///
/// ```
/// use client_credentials::Credentials;
///
/// let credentials = Credentials::new("my-client", "s3cret");
/// let shown = format!("{credentials:?}");
/// assert!(shown.contains("my-client") && !shown.contains("s3cret"));
/// ```
#[derive(Clone)]
pub struct Credentials(Method);

#[derive(Clone)]
enum Method {
    /// Without an id, the secret's provider returns it.
    Secret {
        client_id: Option<String>,
        secret: SecretFrom,
        sent: Sent,
        id_in_body: bool,
    },
    Assertion {
        client_id: String,
        maker: Arc<dyn Maker>,
    },
    Public {
        client_id: String,
        instance: Instance,
    },
    None {
        instance: Instance,
    },
}

#[derive(Clone)]
enum SecretFrom {
    Value(Secret),
    Provider(Arc<Provider>, Instance),
}

#[derive(Clone, Copy)]
enum Sent {
    Basic(BasicEncoding),
    Body,
    /// In an assertion that this function signs with the secret (`client_secret_jwt`). A program that
    /// does not choose it does not contain what signs.
    #[cfg(feature = "keys")]
    Assertion(SignWithSecret),
}

#[cfg(feature = "keys")]
type SignWithSecret = fn(&Secret, Context<'_>, &Attempt) -> Result<Made, Error>;

impl Credentials {
    /// Makes credentials with a client secret. It is sent by HTTP Basic, which every server must
    /// support (RFC 6749 section 2.3.1).
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let credentials = Credentials::new("my-client", "s3cret");
    /// let sent = request.encode(&credentials, &Attempt::default())?;
    /// assert_eq!(sent.headers()["authorization"], "Basic bXktY2xpZW50OnMzY3JldA==");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn new(client_id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self::with(Some(client_id.into()), SecretFrom::Value(secret.into()))
    }

    /// Makes credentials whose secret comes from a closure, for instance from a file, a vault or
    /// the environment.
    ///
    /// The closure is called for each token request, so a rotated secret is used from the next
    /// renewal on. If the server refuses the secret, the closure is called once more, and the
    /// request is repeated if the secret is another by then. While a refusal is remembered, one call
    /// a second asks the closure again. If the closure fails, the fetch fails with
    /// [`Error::Credentials`], whose source is the closure's error. Tokens are shared only between
    /// sources whose credentials are clones of this value.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Secret};
    /// let credentials = Credentials::with_secret_from("my-client", || {
    ///     Ok(Secret::from(std::fs::read_to_string("/run/secrets/client")?.trim_end()))
    /// });
    /// // The file is not read until a token is needed.
    /// assert_eq!(credentials.client_id(), Some("my-client"));
    /// ```
    #[must_use]
    pub fn with_secret_from<F>(client_id: impl Into<String>, provider: F) -> Self
    where
        F: Fn() -> Result<Secret, BoxError> + Send + Sync + 'static,
    {
        let provider = move || Ok((None, provider()?));
        Self::with(Some(client_id.into()), SecretFrom::Provider(Arc::new(provider), Instance::default()))
    }

    /// Makes credentials whose id and secret come from one closure, because they change together.
    ///
    /// Vault's secrets engine for Azure, for one, makes a new application for each lease, with an id
    /// and a secret of its own. Read both in one step: the server refuses an id with the secret of
    /// another.
    ///
    /// The closure is called as that of [`with_secret_from`](Self::with_secret_from) is. Since the id
    /// is not fixed, [`client_id`](Self::client_id) and
    /// [`Event::client_id`](crate::Event::client_id) are `None`.
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, Secret, TokenRequest};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?;
    /// # let read_lease = || Ok::<_, std::io::Error>(String::from("my-client\ns3cret"));
    /// let credentials = Credentials::with_id_and_secret_from(move || {
    ///     let lease = read_lease()?;
    ///     let (id, secret) = lease.split_once('\n').ok_or("a lease has two lines")?;
    ///     Ok((id.to_owned(), Secret::from(secret)))
    /// });
    /// let sent = request.encode(&credentials, &Attempt::default())?;
    /// assert_eq!(sent.headers()["authorization"], "Basic bXktY2xpZW50OnMzY3JldA==");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn with_id_and_secret_from<F>(provider: F) -> Self
    where
        F: Fn() -> Result<(String, Secret), BoxError> + Send + Sync + 'static,
    {
        let provider = move || provider().map(|(client_id, secret)| (Some(client_id), secret));
        Self::with(None, SecretFrom::Provider(Arc::new(provider), Instance::default()))
    }

    fn with(client_id: Option<String>, secret: SecretFrom) -> Self {
        Self(Method::Secret { client_id, secret, sent: Sent::Basic(BasicEncoding::default()), id_in_body: false })
    }

    /// Makes credentials with a private key (`private_key_jwt`, RFC 7523 section 2.2): each attempt
    /// sends a new assertion that the key has signed.
    ///
    /// The server has the public key ([`SigningKey::public_jwk`]) or the certificate. The assertion
    /// names the client id as issuer and subject, and as audience the token endpoint, or what
    /// [`TokenRequest::issuer`](crate::TokenRequest::issuer) says. For other claims use
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
    #[cfg(feature = "keys")]
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
    #[cfg(feature = "keys")]
    #[must_use]
    pub fn with_key_from<F>(client_id: impl Into<String>, provider: F) -> Self
    where
        F: Fn() -> Result<SigningKey, BoxError> + Send + Sync + 'static,
    {
        Self::made_by(client_id.into(), Arc::new(makers::KeyFrom::new(provider)))
    }

    /// Makes credentials with an assertion that has claims and headers of your own. Each attempt signs
    /// a new one.
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
    #[cfg(feature = "keys")]
    #[must_use]
    pub fn with_assertion(client_id: impl Into<String>, assertion: Assertion) -> Self {
        Self::made_by(client_id.into(), Arc::new(assertion))
    }

    /// Makes credentials whose client assertion (RFC 7523 section 2.2) comes from a closure: from a
    /// file that the platform writes (workload identity), from an HTTP endpoint of the platform, or
    /// from another library.
    ///
    /// The closure is called for each attempt, because such an assertion expires soon. If the server
    /// refuses it, the closure is called once more, and the request is repeated if the assertion is
    /// another by then. If the closure fails, the fetch fails with [`Error::Credentials`], whose
    /// source is the closure's error. Tokens are shared only between sources whose credentials are
    /// clones of this value.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Secret};
    /// let file = "/var/run/secrets/azure/tokens/azure-identity-token";
    /// let credentials = Credentials::with_assertion_from("my-client", move || {
    ///     Ok(Secret::from(std::fs::read_to_string(file)?.trim_end()))
    /// });
    /// // The file is not read until a token is needed.
    /// assert_eq!(credentials.client_id(), Some("my-client"));
    /// ```
    #[must_use]
    pub fn with_assertion_from<F>(client_id: impl Into<String>, provider: F) -> Self
    where
        F: Fn() -> Result<Secret, BoxError> + Send + Sync + 'static,
    {
        let client_id = client_id.into();
        let what = |client_id: &str| Failed::Assertion { client_id: client_id.to_owned() };
        let maker = Arc::new(Provided::new(what, &client_id, provider));
        Self::made_by(client_id, maker)
    }

    fn made_by(client_id: String, maker: Arc<dyn Maker>) -> Self {
        Self(Method::Assertion { client_id, maker })
    }

    /// Makes credentials that send only the `client_id`. The client proves its identity by a client
    /// certificate (RFC 8705 section 2) or by the grant.
    ///
    /// The proof is not part of the request, so tokens are shared only between sources whose
    /// credentials are clones of this value.
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let sent = request.encode(&Credentials::public("my-client"), &Attempt::default())?;
    /// assert_eq!(sent.body(), b"grant_type=client_credentials&client_id=my-client");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn public(client_id: impl Into<String>) -> Self {
        Self(Method::Public { client_id: client_id.into(), instance: Instance::default() })
    }

    /// Makes credentials without client authentication, for grants that carry their own proof, such
    /// as a signed assertion (RFC 7523 section 2.1).
    ///
    /// The grant `client_credentials` needs client authentication (RFC 6749 section 4.4), so it is
    /// refused with [`Error::Configuration`], unless the token request has an `Authorization`
    /// header of its own.
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://oauth2.googleapis.com/token")?
    ///     .grant_type("urn:ietf:params:oauth:grant-type:jwt-bearer")?
    ///     .parameter("assertion", "eyJ.eyJ.sig")?;
    /// let http = request.encode(&Credentials::none(), &Attempt::default())?;
    /// assert!(!http.headers().contains_key("authorization"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn none() -> Self {
        Self(Method::None { instance: Instance::default() })
    }

    /// Sends the id and the secret in the body (`client_secret_post`) instead of by HTTP Basic
    /// (RFC 6749 section 2.3.1). Changes nothing for credentials without a secret.
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let credentials = Credentials::new("my-client", "s3cret").in_body();
    /// let sent = request.encode(&credentials, &Attempt::default())?;
    /// assert_eq!(
    ///     sent.body(),
    ///     b"grant_type=client_credentials&client_id=my-client&client_secret=s3cret"
    /// );
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn in_body(self) -> Self {
        self.sent_as(Sent::Body)
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
    #[cfg(feature = "keys")]
    #[must_use]
    pub fn in_assertion(self) -> Self {
        self.sent_as(Sent::Assertion(makers::sign_with_secret))
    }

    /// Sends the id and the secret by HTTP Basic in this encoding. Default:
    /// [`BasicEncoding::Minimal`]. Changes nothing for credentials without a secret.
    ///
    /// ```
    /// # use client_credentials::{Attempt, BasicEncoding, Credentials, TokenRequest};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let as_it_is = Credentials::new("my-client", "a+b").basic_encoding(BasicEncoding::Raw);
    /// let sent = request.encode(&as_it_is, &Attempt::default())?;
    /// assert_eq!(sent.headers()["authorization"], "Basic bXktY2xpZW50OmErYg=="); // my-client:a+b
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn basic_encoding(self, encoding: BasicEncoding) -> Self {
        self.sent_as(Sent::Basic(encoding))
    }

    /// Sends `client_id` in the body, too, beside HTTP Basic, for servers that look the client up
    /// in the body (RFC 6749 section 3.2.1 allows it). Changes nothing for credentials without a
    /// secret, or with the secret in the body.
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let credentials = Credentials::new("my-client", "s3cret").client_id_in_body();
    /// let sent = request.encode(&credentials, &Attempt::default())?;
    /// assert_eq!(sent.headers()["authorization"], "Basic bXktY2xpZW50OnMzY3JldA==");
    /// assert_eq!(sent.body(), b"grant_type=client_credentials&client_id=my-client");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn client_id_in_body(mut self) -> Self {
        if let Method::Secret { id_in_body, .. } = &mut self.0 {
            *id_in_body = true;
        }
        self
    }

    /// Returns the client identifier, or `None` for [`Credentials::none`].
    ///
    /// ```
    /// # use client_credentials::Credentials;
    /// assert_eq!(Credentials::new("my-client", "s3cret").client_id(), Some("my-client"));
    /// assert_eq!(Credentials::none().client_id(), None);
    /// ```
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match &self.0 {
            Method::Secret { client_id, .. } => client_id.as_deref(),
            Method::Assertion { client_id, .. } | Method::Public { client_id, .. } => Some(client_id),
            Method::None { .. } => None,
        }
    }

    /// Whether [`authenticate`](Self::authenticate) calls a closure, which may return another secret
    /// each time.
    pub(crate) fn may_change(&self) -> bool {
        match &self.0 {
            Method::Secret { secret, .. } => matches!(secret, SecretFrom::Provider(..)),
            Method::Assertion { maker, .. } => maker.may_change(),
            Method::Public { .. } | Method::None { .. } => false,
        }
    }

    fn sent_as(mut self, how: Sent) -> Self {
        if let Method::Secret { sent, .. } = &mut self.0 {
            *sent = how;
        }
        self
    }

    /// Returns what goes into one token request. Calls the closure, if there is one. `audience` is
    /// that of an assertion that names no other.
    pub(crate) fn authenticate(&self, audience: Option<&str>, attempt: &Attempt) -> Result<Authentication, Error> {
        match &self.0 {
            Method::Secret { client_id, secret, sent, id_in_body } => {
                let (id, secret) = match secret {
                    SecretFrom::Value(secret) => (None, secret.clone()),
                    SecretFrom::Provider(provider, _) => provider().map_err(|cause| {
                        let failed = client_id.clone().map(|client_id| Failed::Secret { client_id });
                        Error::credentials(failed.unwrap_or(Failed::IdAndSecret), cause)
                    })?,
                };
                let client_id = id.as_deref().or(client_id.as_deref()).unwrap_or_default();
                let context = context(client_id, audience);
                #[cfg(feature = "keys")]
                if let Sent::Assertion(sign) = sent {
                    check("id", client_id)?;
                    let made = sign(&secret, context, attempt)?;
                    return Ok(Authentication::Assertion { client_id: client_id.to_owned(), made });
                }
                present(context, secret, *sent, *id_in_body)
            }
            Method::Assertion { client_id, maker } => {
                check("id", client_id)?;
                let made = maker.make(context(client_id, audience), attempt)?;
                check("assertion", made.text.secret())?;
                Ok(Authentication::Assertion { client_id: client_id.clone(), made })
            }
            Method::Public { client_id, .. } => {
                check("id", client_id)?;
                Ok(Authentication::ClientId(client_id.clone()))
            }
            Method::None { .. } => Ok(Authentication::Nothing),
        }
    }

    /// Returns what identifies the client in a cache key, before a token is needed: what goes into
    /// the request, and the instance, if the request does not contain the proof. Does not call the
    /// closure.
    pub(crate) fn identity(&self, audience: Option<&str>) -> Result<(Authentication, Option<Instance>), Error> {
        match &self.0 {
            Method::Secret { client_id, secret, sent, id_in_body } => {
                // Each encoding writes this differently, so how the secret is sent is part of the
                // key.
                const ANY: &str = "+ ";
                let (secret, instance) = match secret {
                    SecretFrom::Value(secret) => (secret.clone(), None),
                    SecretFrom::Provider(_, instance) => (Secret::from(ANY), Some(instance.clone())),
                };
                let client_id = client_id.as_deref().unwrap_or(ANY);
                Ok((present(context(client_id, audience), secret, *sent, *id_in_body)?, instance))
            }
            Method::Assertion { client_id, maker } => {
                check("id", client_id)?;
                let (recipe, instance) = maker.identity(context(client_id, audience));
                Ok((Authentication::Assertion { client_id: client_id.clone(), made: Made::recipe(recipe) }, instance))
            }
            Method::Public { client_id, instance } => {
                check("id", client_id)?;
                Ok((Authentication::ClientId(client_id.clone()), Some(instance.clone())))
            }
            Method::None { instance } => Ok((Authentication::Nothing, Some(instance.clone()))),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Credentials");
        debug.field("client_id", &self.client_id());
        match &self.0 {
            Method::Secret { sent: Sent::Basic(encoding), .. } => debug.field("basic", encoding),
            Method::Secret { sent: Sent::Body, .. } => debug.field("in_body", &true),
            #[cfg(feature = "keys")]
            Method::Secret { sent: Sent::Assertion(_), .. } => debug.field("in_assertion", &true),
            Method::Assertion { .. } => debug.field("assertion", &true),
            Method::Public { .. } | Method::None { .. } => debug.field("secret", &"none"),
        };
        debug.finish_non_exhaustive()
    }
}

fn present(context: Context<'_>, secret: Secret, sent: Sent, id_in_body: bool) -> Result<Authentication, Error> {
    let client_id = context.client_id.unwrap_or_default();
    check("id", client_id)?;
    check("secret", secret.secret())?;
    match sent {
        Sent::Basic(encoding) => {
            let header = basic::header(client_id, secret.secret(), encoding)?;
            let others = basic::others(client_id, secret.secret(), encoding);
            let id_in_body = id_in_body.then(|| client_id.to_owned());
            Ok(Authentication::Basic { header, secret, encoding, others, id_in_body })
        }
        Sent::Body => Ok(Authentication::Body { client_id: client_id.to_owned(), secret }),
        // Only for a cache key.
        #[cfg(feature = "keys")]
        Sent::Assertion(_) => {
            let made = Made::recipe([&format!("{:?}", context.audience), secret.secret()].concat());
            Ok(Authentication::Assertion { client_id: client_id.to_owned(), made })
        }
    }
}

fn context<'a>(client_id: &'a str, audience: Option<&'a str>) -> Context<'a> {
    Context { client_id: Some(client_id), authenticates: true, audience }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn basic_header(credentials: &Credentials) -> HeaderValue {
        match credentials.authenticate(None, &Attempt::default()).expect("good credentials") {
            Authentication::Basic { header, .. } => header,
            _ => panic!("not Basic"),
        }
    }

    #[test]
    fn the_error_names_the_line_break_but_not_the_secret() {
        for credentials in [Credentials::new("id", "tok\n"), Credentials::new("id", "tok\n").in_body()] {
            let error = credentials.authenticate(None, &Attempt::default()).err().expect("refused").to_string();
            assert!(error.contains("line break") && !error.contains("tok"), "{error}");
        }
    }

    #[test]
    fn a_provider_is_called_for_each_request_and_its_error_is_the_cause() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let calls = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&calls);
        let credentials = Credentials::with_secret_from("id", move || match counter.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(Secret::from("one")),
            1 => Ok(Secret::from("two")),
            _ => Err("vault is sealed".into()),
        });
        assert_eq!(basic_header(&credentials), "Basic aWQ6b25l");
        assert_eq!(basic_header(&credentials), "Basic aWQ6dHdv");
        let error = credentials.authenticate(None, &Attempt::default()).err().expect("refused");
        assert!(error.is_retryable());
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        assert_eq!(cause, "vault is sealed");
    }

    #[test]
    fn d38_id_and_secret_come_from_one_call_of_one_closure() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let calls = AtomicU32::new(0);
        let credentials = Credentials::with_id_and_secret_from(move || match calls.fetch_add(1, Ordering::SeqCst) {
            number @ 0..2 => Ok((format!("id-{number}"), Secret::from(format!("secret-{number}")))),
            2 => Ok((String::new(), Secret::from("s"))),
            _ => Err("vault is sealed".into()),
        });
        assert_eq!((credentials.client_id(), credentials.may_change()), (None, true));
        assert!(!format!("{credentials:?}").contains("secret-"));
        // Making a key does not call it.
        assert!(credentials.identity(None).expect("good").1 == credentials.clone().identity(None).expect("good").1);
        assert_eq!(basic_header(&credentials), "Basic aWQtMDpzZWNyZXQtMA==");
        let Ok(Authentication::Body { client_id, secret }) =
            credentials.clone().in_body().authenticate(None, &Attempt::default())
        else {
            panic!("not in the body");
        };
        assert_eq!((&*client_id, secret.secret()), ("id-1", "secret-1"));
        let refused = credentials.authenticate(None, &Attempt::default()).err().expect("an empty id").to_string();
        assert!(refused.contains("the client id is empty"), "{refused}");
        let error = credentials.authenticate(None, &Attempt::default()).err().expect("refused");
        assert_eq!(error.to_string(), "the client id and secret could not be read");
    }

    #[test]
    fn a_proof_outside_the_request_is_compared_by_instance() {
        let instance = |credentials: &Credentials| credentials.identity(None).expect("good").1;
        let one = Credentials::public("id");
        assert!(instance(&one) == instance(&one.clone()));
        assert!(instance(&one) != instance(&Credentials::public("id")));
        let closure = || Credentials::with_secret_from("id", || Ok(Secret::from("s")));
        let provided = closure();
        assert!(instance(&provided) == instance(&provided.clone().in_body()));
        assert!(instance(&provided) != instance(&closure()));
        assert!(instance(&Credentials::new("id", "s")).is_none());
    }

    #[test]
    fn the_encoding_of_a_provided_secret_is_part_of_the_identity() {
        let provided = Credentials::with_secret_from("id", || panic!("making a key must not call the closure"));
        let header = |encoding| match provided.clone().basic_encoding(encoding).identity(None).expect("good").0 {
            Authentication::Basic { header, .. } => header,
            _ => panic!("not Basic"),
        };
        let all = [BasicEncoding::Rfc6749, BasicEncoding::Minimal, BasicEncoding::Raw].map(header);
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
    }
}
