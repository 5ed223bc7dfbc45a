//! The port to the network: one trait, one method. Imports `error`.

use std::time::Duration;

use crate::error::TransportError;

/// The longest time for one token request with its retries.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time to establish a connection to the token endpoint.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest body of an answer, in bytes, counted after decompression.
pub(crate) const MAX_BODY: usize = 256 * 1024;

/// Sends one token request and returns the whole answer.
///
/// Implemented by [`UreqTransport`](crate::UreqTransport) and by every closure of the same shape, so any blocking HTTP
/// client will do. An implementation
///
/// - returns every HTTP status as a response, also 4xx and 5xx,
/// - follows no redirect: a 307 would repeat the client secret elsewhere,
/// - keeps to the [`Limits`],
/// - puts nothing into an HTTP cache (RFC 6749 section 5.1) and logs no body and no `Authorization` header.
///
///
///
/// # Examples
///
/// ```
/// use client_credentials::{Credentials, Limits, TokenRequest, TokenSource};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?
///     .audience("https://api.example.com");
/// let transport = |request: http::Request<Vec<u8>>, _limits: &Limits| {
///     assert_eq!(request.uri().host(), Some("auth.example.com"));
///     // ... give it to your HTTP client ...
///     Ok(http::Response::new(br#"{"access_token":"t","token_type":"Bearer"}"#.to_vec()))
/// };
/// let credentials = Credentials::new("my-client", "s3cret");
/// let source = TokenSource::builder(credentials, request, transport).build()?;
/// assert_eq!(source.token()?.secret(), "t");
/// # Ok::<_, client_credentials::Error>(())
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` within `limits`, and returns the answer with its whole body, whatever its status.
    ///
    /// # Errors
    ///
    /// A [`TransportError`] if there is no whole answer. Its [kind](crate::TransportErrorKind) decides whether the request
    /// is tried again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, Limits, TokenRequest, TokenSource, Transport, test_util::Script};
    /// # let inner = Script::new();
    /// # inner.token("t", 3600);
    /// // Around another transport: what does the token endpoint say of its limits?
    /// let transport = move |request, limits: &Limits| {
    ///     let answer = inner.send(request, limits)?;
    ///     println!("{}: {:?}", answer.status(), answer.headers().get("x-ratelimit-remaining"));
    ///     Ok(answer)
    /// };
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request, transport).build()?;
    /// # assert_eq!(source.token()?.secret(), "t");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    fn send(&self, request: http::Request<Vec<u8>>, limits: &Limits)
    -> Result<http::Response<Vec<u8>>, TransportError>;
}

/// How long one token request may take, and how large its answer may be.
///
/// # Examples
///
/// To try a transport of your own:
///
/// ```
/// use std::time::Duration;
/// use client_credentials::Limits;
///
/// let mut limits = Limits::default();
/// assert_eq!(limits.timeout, Duration::from_secs(30));
/// assert_eq!(limits.connect_timeout, Duration::from_secs(5));
/// assert_eq!(limits.max_body, 256 * 1024);
///
/// limits.timeout = Duration::from_millis(100);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Time from the call to the last byte of the answer. Shorter than the default if the caller has less.
    pub timeout: Duration,
    /// Time until the connection stands, as a part of `timeout`.
    pub connect_timeout: Duration,
    /// Bytes of the answer's body, counted after decompression.
    pub max_body: usize,
}

impl Default for Limits {
    /// The limits of a source without settings: 30 seconds, 5 of them to connect, and 256 KiB.
    fn default() -> Self {
        Self { timeout: TIMEOUT, connect_timeout: CONNECT_TIMEOUT, max_body: MAX_BODY }
    }
}

impl<F> Transport for F
where
    F: Fn(http::Request<Vec<u8>>, &Limits) -> Result<http::Response<Vec<u8>>, TransportError> + Send + Sync + 'static,
{
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        limits: &Limits,
    ) -> Result<http::Response<Vec<u8>>, TransportError> {
        self(request, limits)
    }
}
