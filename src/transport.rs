//! The interface to the network: a trait with one method, and the context of one attempt. Imports
//! `clock`, `error`, `event`, `random`.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock as _, Moment, SystemClock};
use crate::error::TransportError;
use crate::event::Reason;
use crate::random::random_bytes;

/// The longest time for one token request with its retries.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest time to establish a connection to the token endpoint.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest body of an answer, in bytes, counted after decompression.
pub(crate) const MAX_BODY: usize = 256 * 1024;

/// Sends one token request and returns the whole answer.
///
/// [`UreqTransport`](crate::UreqTransport) and every closure of the same signature implement this
/// trait, so any blocking HTTP client can be used. An implementation
///
/// - returns every HTTP status as a response, even 4xx and 5xx,
/// - follows no redirect, because a 307 would send the client secret to another place,
/// - obeys the limits of the [`Attempt`],
/// - puts nothing into an HTTP cache (RFC 6749 section 5.1), and logs neither a body nor an
///   `Authorization` header.
///
/// # Examples
///
/// ```
/// use client_credentials::{Credentials, Attempt, TokenRequest, TokenSource};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?
///     .audience("https://api.example.com");
/// let transport = |request: http::Request<Vec<u8>>, _attempt: &Attempt| {
///     assert_eq!(request.uri().host(), Some("auth.example.com"));
///     // ... give it to your HTTP client ...
///     Ok(http::Response::new(br#"{"access_token":"t","token_type":"Bearer"}"#.to_vec()))
/// };
/// let credentials = Credentials::new("my-client", "s3cret");
/// let source = TokenSource::builder(credentials, request).transport(transport).build()?;
/// assert_eq!(source.token()?.secret(), "t");
/// # Ok::<_, client_credentials::Error>(())
/// ```
pub trait Transport: Send + Sync + 'static {
    /// Sends `request` within the limits of `attempt`, and returns the answer with its whole body,
    /// whatever its status.
    ///
    /// # Errors
    ///
    /// A [`TransportError`] if there is no whole answer. Its [kind](crate::TransportErrorKind)
    /// decides whether the request is tried again.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, Attempt, TokenRequest, TokenSource, Transport, test_util::Script};
    /// # let inner = Script::new();
    /// # inner.token("t", 3600);
    /// // Wraps another transport, and prints the rate limit of the token endpoint.
    /// let transport = move |request, attempt: &Attempt| {
    ///     let answer = inner.send(request, attempt)?;
    ///     println!("{}: {:?}", answer.status(), answer.headers().get("x-ratelimit-remaining"));
    ///     Ok(answer)
    /// };
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(transport).build()?;
    /// # assert_eq!(source.token()?.secret(), "t");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        attempt: &Attempt,
    ) -> Result<http::Response<Vec<u8>>, TransportError>;

    /// Says which transports ask for the same tokens: those whose identities are equal.
    ///
    /// A transport can add parameters or show a client certificate, so it takes part in deciding
    /// which token comes. Sources of one [`TokenCache`](crate::TokenCache) therefore share a token
    /// only if their transports are the same, too. Default: `None`, which is equal to nothing, so a
    /// source with such a transport shares with its own clones only. A closure has none; an `Arc` of
    /// one is equal to its clones.
    ///
    /// ```
    /// # use client_credentials::{Attempt, Transport, TransportError, TransportErrorKind};
    /// use std::sync::Arc;
    ///
    /// let closure = |_: http::Request<Vec<u8>>, _: &Attempt| {
    ///     // ... give it to your HTTP client ...
    /// #   Err::<http::Response<Vec<u8>>, _>(TransportError::new(TransportErrorKind::Connect, "no network"))
    /// };
    /// assert!(closure.identity().is_none());
    /// let shared = Arc::new(closure);
    /// assert!(shared.identity() == Arc::clone(&shared).identity());
    /// ```
    fn identity(&self) -> Option<TransportIdentity> {
        None
    }
}

/// The context of one attempt to get a token: how long it may take, why it is made, and the time
/// and the random bytes from which a request may be made.
///
/// A [`TokenSource`](crate::TokenSource) makes one for each attempt, retries included. It is
/// passed to [`TokenRequest::encode`](crate::TokenRequest::encode) and to the [`Transport`].
///
/// # Examples
///
/// An attempt for trying out a transport of your own:
///
/// ```
/// use std::time::Duration;
/// use client_credentials::{Attempt, Clock, SystemClock};
///
/// let random_bytes = [7; 16]; // from a random number generator
/// let mut attempt = Attempt::new(SystemClock.now(), random_bytes);
/// assert_eq!(attempt.timeout, Duration::from_secs(30));
/// assert_eq!(attempt.connect_timeout, Duration::from_secs(5));
/// assert_eq!(attempt.max_body, 256 * 1024);
///
/// attempt.timeout = Duration::from_millis(100);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The time left until the last byte of the answer.
    pub timeout: Duration,
    /// The time left to establish a connection. It is a part of `timeout`.
    pub connect_timeout: Duration,
    /// The largest body of an answer, in bytes, counted after decompression.
    pub max_body: usize,
    /// Why a token is needed.
    pub reason: Reason,
    /// 0 for the first attempt, then the number of the retry.
    pub retry: u32,
    /// When the attempt began. If the server's clock is known to differ, the wall clock is the
    /// server's.
    pub moment: Moment,
    /// 16 random bytes that tell this attempt from others. Do not use them as a key.
    pub random: [u8; 16],
}

impl Attempt {
    /// Makes a first attempt for a missing token, with the default limits of a source: 30 seconds,
    /// 5 of them to connect, and 256 KiB.
    ///
    /// ```
    /// use client_credentials::{Attempt, Clock, Credentials, SystemClock, TokenRequest};
    ///
    /// let attempt = Attempt::new(SystemClock.now(), [7; 16]);
    /// let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let sent = request.encode(&Credentials::new("my-client", "s3cret"), &attempt)?;
    /// assert_eq!(sent.method(), "POST");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn new(moment: Moment, random: [u8; 16]) -> Self {
        Self {
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            max_body: MAX_BODY,
            reason: Reason::NoToken,
            retry: 0,
            moment,
            random,
        }
    }
}

impl Default for Attempt {
    /// Makes an attempt that begins now, by the clock of this machine, with its own random bytes.
    fn default() -> Self {
        Self::new(SystemClock.now(), random_bytes())
    }
}

impl<F> Transport for F
where
    F: Fn(http::Request<Vec<u8>>, &Attempt) -> Result<http::Response<Vec<u8>>, TransportError> + Send + Sync + 'static,
{
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        attempt: &Attempt,
    ) -> Result<http::Response<Vec<u8>>, TransportError> {
        self(request, attempt)
    }
}

/// What [`Transport::identity`] returns. Equal to its clones, and to what is made from a clone of the
/// same `Arc`.
///
/// # Examples
///
/// A transport whose clones share tokens:
///
/// ```
/// use std::sync::Arc;
/// use client_credentials::{Attempt, Transport, TransportError, TransportErrorKind, TransportIdentity};
///
/// #[derive(Clone)]
/// struct Gateway(Arc<String>);
///
/// impl Transport for Gateway {
///     fn send(
///         &self,
///         _request: http::Request<Vec<u8>>,
///         _attempt: &Attempt,
///     ) -> Result<http::Response<Vec<u8>>, TransportError> {
///         // ... send it through the gateway of this name ...
/// #       Err(TransportError::new(TransportErrorKind::Connect, "no network"))
///     }
///
///     fn identity(&self) -> Option<TransportIdentity> {
///         Some(TransportIdentity::of(&self.0))
///     }
/// }
///
/// let gateway = Gateway(Arc::new(String::from("north")));
/// assert!(gateway.identity() == gateway.clone().identity());
/// assert!(gateway.identity() != Gateway(Arc::new(String::from("north"))).identity());
/// ```
#[derive(Clone)]
pub struct TransportIdentity {
    address: usize,
    /// Keeps the address from being used again.
    _instance: Arc<dyn Any + Send + Sync>,
}

impl TransportIdentity {
    /// The identity of all transports that share this value.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use client_credentials::TransportIdentity;
    /// let certificate = Arc::new("the client certificate that this transport shows");
    /// let identity = TransportIdentity::of(&certificate);
    /// assert!(identity == TransportIdentity::of(&Arc::clone(&certificate)));
    /// ```
    #[must_use]
    pub fn of<T: Send + Sync + ?Sized + 'static>(instance: &Arc<T>) -> Self {
        Self { address: Arc::as_ptr(instance).cast::<()>().addr(), _instance: Arc::new(Arc::clone(instance)) }
    }
}

impl PartialEq for TransportIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
    }
}

impl Eq for TransportIdentity {}

impl Hash for TransportIdentity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.address.hash(state);
    }
}

impl fmt::Debug for TransportIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransportIdentity")
    }
}

impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        attempt: &Attempt,
    ) -> Result<http::Response<Vec<u8>>, TransportError> {
        (**self).send(request, attempt)
    }

    fn identity(&self) -> Option<TransportIdentity> {
        (**self).identity().or_else(|| Some(TransportIdentity::of(self)))
    }
}

impl Transport for Box<dyn Transport> {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        attempt: &Attempt,
    ) -> Result<http::Response<Vec<u8>>, TransportError> {
        (**self).send(request, attempt)
    }

    fn identity(&self) -> Option<TransportIdentity> {
        (**self).identity()
    }
}
