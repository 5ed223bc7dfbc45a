//! Errors before anything is sent: a setting is wrong, the secret could not be read, or the origin
//! is not allowed. Imports nothing from other modules.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use super::Cause;

/// A setting is wrong or missing. The text names it and says what to do.
///
/// # Examples
///
/// ```
/// use client_credentials::{Error, TokenRequest};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?;
/// let Err(Error::Configuration(error)) = request.scope("read,  write") else { panic!() };
/// assert!(error.to_string().starts_with("scope: "));
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ConfigurationError {
    pub(crate) message: Cow<'static, str>,
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ConfigurationError {}

/// A closure of the program returned an error, so there is no client secret, key, assertion or
/// parameter for the token request, or no signature. The text says which. That error is the `source`
/// of this one.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// let sealed = || Err("the vault is sealed".into());
/// let credentials = Credentials::with_secret_from("my-client", sealed);
/// # let source = TokenSource::builder(credentials, request).transport(Script::new()).build()?;
/// let Err(error @ Error::Credentials(_)) = source.token() else { panic!() };
/// assert_eq!(error.to_string(), "the secret of client \"my-client\" could not be read");
/// assert!(error.is_retryable());
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CredentialsError {
    pub(crate) failed: Failed,
    pub(crate) cause: Cause,
}

/// What a closure was to provide.
#[derive(Clone, Debug)]
pub(crate) enum Failed {
    Secret {
        client_id: String,
    },
    IdAndSecret,
    Assertion {
        client_id: String,
    },
    Parameter {
        name: String,
    },
    #[cfg(feature = "keys")]
    Key {
        client_id: String,
    },
    /// The signature of an assertion.
    #[cfg(feature = "keys")]
    Signature,
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failed {
            Failed::Secret { client_id } => write!(f, "the secret of client {client_id:?} could not be read"),
            Failed::IdAndSecret => f.write_str("the client id and secret could not be read"),
            Failed::Assertion { client_id } => write!(f, "the assertion of client {client_id:?} could not be read"),
            Failed::Parameter { name } => write!(f, "the parameter {name:?} could not be read"),
            #[cfg(feature = "keys")]
            Failed::Key { client_id } => write!(f, "the key of client {client_id:?} could not be read"),
            #[cfg(feature = "keys")]
            Failed::Signature => f.write_str("the assertion could not be signed"),
        }
    }
}

impl StdError for CredentialsError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.cause)
    }
}

/// A request was not authorized, because its origin is not allowed to receive the token (RFC 6750
/// section 5.3, RFC 9700 section 4.9.1).
///
/// If it should receive the token, allow it with
/// [`TokenRequest::allow_origin`](crate::TokenRequest::allow_origin).
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(Script::new()).build()?;
/// let mut request = http::Request::get("https://evil.example/").body(())?;
/// let Err(Error::OriginNotAllowed(error)) = source.authorize(&mut request) else { panic!() };
/// assert!(error.to_string().contains("https://evil.example may not receive this token"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OriginNotAllowed {
    pub(crate) origin: String,
}

impl OriginNotAllowed {
    /// Returns scheme, host and port of the request, without user info, path or query.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(Script::new()).build()?;
    /// let mut request = http::Request::get("https://api.example.com:8443/v1/items?n=1").body(())?;
    /// let Err(Error::OriginNotAllowed(error)) = source.authorize(&mut request) else { panic!() };
    /// assert_eq!(error.origin(), "https://api.example.com:8443");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl fmt::Display for OriginNotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "request not authorized: {} may not receive this token; if it should, name it with TokenRequest::allow_origin",
            self.origin
        )
    }
}

impl StdError for OriginNotAllowed {}
