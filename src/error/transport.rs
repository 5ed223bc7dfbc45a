//! Failures without a complete response. Imports nothing from other modules.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::{BoxError, Cause, Error};

/// The token request got no complete response, because of the network, TLS or a timeout.
///
/// `Display` says what to check. `source()` of the [`Error`] returns the cause, if there is one.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportError, TransportErrorKind, test_util::Script};
/// # let script = Script::new();
/// # for _ in 0..3 { script.fail(TransportError::new(TransportErrorKind::Connect, "connection refused")); }
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
/// let Err(Error::Transport(failure)) = source.token() else { panic!() };
/// assert!(failure.to_string().contains("could not connect; check the host, the network"));
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NoAnswer {
    pub(crate) endpoint: String,
    pub(crate) kind: TransportErrorKind,
    pub(crate) detail: &'static str,
    /// The setting of the limit, if a limit ended the request.
    pub(crate) limit: Option<&'static str>,
    pub(crate) cause: Option<Cause>,
}

impl NoAnswer {
    /// Returns what happened, as far as the transport could tell.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportError, TransportErrorKind, test_util::Script};
    /// # let script = Script::new();
    /// # for _ in 0..3 { script.fail(TransportError::new(TransportErrorKind::Tls, "certificate expired")); }
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// let Err(Error::Transport(failure)) = source.token() else { panic!() };
    /// if failure.kind() == TransportErrorKind::Tls {
    ///     println!("is the CA of {} known here? is the clock right?", failure.endpoint());
    /// }
    /// # assert_eq!(failure.kind(), TransportErrorKind::Tls);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Returns the host of the token endpoint, and its port if the URL has one.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TransportError, TransportErrorKind, test_util::Script};
    /// # let script = Script::new();
    /// # for _ in 0..3 { script.fail(TransportError::new(TransportErrorKind::Connect, "connection refused")); }
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// let Err(Error::Transport(failure)) = source.token() else { panic!() };
    /// assert_eq!(failure.endpoint(), "auth.example.com");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "token request to {}: {}", self.endpoint, self.detail)?;
        self.limit.map_or(Ok(()), |limit| write!(f, ", or allow more time ({limit})"))
    }
}

impl StdError for NoAnswer {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as _)
    }
}

/// The way in which a token request failed before there was a complete response.
///
/// The kind decides whether the request is retried within the same call, and what
/// [`Error::is_retryable`] says.
///
/// # Examples
///
/// In a [`Transport`](crate::Transport) of your own, map the errors of the HTTP client:
///
/// ```
/// use std::io;
/// use client_credentials::{TransportError, TransportErrorKind};
///
/// fn failed(error: io::Error) -> TransportError {
///     let kind = match error.kind() {
///         io::ErrorKind::ConnectionRefused => TransportErrorKind::Connect,
///         io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => TransportErrorKind::Timeout,
///         // If nothing of the answer has been read.
///         io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => TransportErrorKind::Closed,
///         _ => TransportErrorKind::Other,
///     };
///     TransportError::new(kind, error)
/// }
///
/// assert_eq!(failed(io::ErrorKind::TimedOut.into()).kind(), TransportErrorKind::Timeout);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection: the name was not found, the host is unreachable, it or the proxy refused, or
    /// it took longer than [`Attempt::connect_timeout`](crate::Attempt::connect_timeout). Retried.
    Connect,
    /// The connection was closed before the answer began, as by a load balancer that restarts.
    /// Retried. A transport that cannot tell more counts an answer without a whole head as one that
    /// has not begun.
    Closed,
    /// No complete response within the time allowed. Retried.
    Timeout,
    /// The certificate of the server was not accepted, or TLS failed. Not retried.
    Tls,
    /// The response was larger than [`Attempt::max_body`](crate::Attempt::max_body). Not retried.
    BodyTooLarge,
    /// Anything else, such as an answer that is not HTTP, or a connection that was closed in the
    /// middle of an answer. Not retried.
    Other,
}

impl TransportErrorKind {
    /// Returns what to check. `chain` is the text of all causes.
    fn detail(self, is_https: bool, chain: &str) -> &'static str {
        let says = |words: &[&str]| words.iter().any(|word| chain.contains(word));
        match self {
            Self::Tls if says(&NOT_TLS) => {
                "TLS failed, because the answer was something else; does that port speak TLS, or does it want http?"
            }
            Self::Tls if says(&WANTS_CERTIFICATE) => {
                "TLS failed, because the server refused; does it want a client certificate (UreqTransport::with_agent)?"
            }
            Self::Closed | Self::Other if is_https => {
                "the connection failed before the answer was complete; does the server want a client certificate (UreqTransport::with_agent)?"
            }
            Self::Closed | Self::Other => {
                "the connection failed before the answer was complete; does that port want https?"
            }
            Self::Connect => {
                "could not connect; check the host, the network and, if you need one, the proxy (UreqTransport::with_agent)"
            }
            Self::Timeout => {
                "no answer in the time allowed; check the network and, if you need one, the proxy (UreqTransport::with_agent)"
            }
            Self::Tls => {
                "TLS failed; if the server uses a private CA, give UreqTransport::with_agent an agent that trusts it, and check this machine's clock"
            }
            Self::BodyTooLarge => "the answer is larger than allowed; is this the token endpoint?",
        }
    }
}

/// What rustls, OpenSSL and Schannel say if the other side does not speak TLS.
const NOT_TLS: [&str; 4] = ["InvalidContentType", "wrong version number", "record layer failure", "0x80090308"];

/// What they say if the other side ended the handshake, most often for want of a certificate.
const WANTS_CERTIFICATE: [&str; 8] = [
    "CertificateRequired",
    "certificate required",
    "HandshakeFailure",
    "handshake failure",
    "AccessDenied",
    "access denied",
    "BadCertificate",
    "bad certificate",
];

/// The error that a [`Transport`](crate::Transport) returns when there is no complete response.
///
/// # Examples
///
/// ```
/// use client_credentials::{Attempt, TransportError, TransportErrorKind};
///
/// let offline = |_: http::Request<Vec<u8>>, _: &Attempt| {
///     let error = TransportError::new(TransportErrorKind::Connect, "no network");
///     Err::<http::Response<Vec<u8>>, _>(error)
/// };
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource};
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(offline)
///     .retries(0)
///     .build()?;
/// assert!(source.token().unwrap_err().is_retryable());
/// # Ok::<_, Error>(())
/// ```
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    cause: BoxError,
    /// Replaces the text of the kind.
    detail: Option<&'static str>,
    limit: Option<&'static str>,
}

impl TransportError {
    /// Makes an error of this kind. `cause` is any error, or a string, and becomes the source of
    /// [`Error::Transport`].
    ///
    /// ```
    /// # use client_credentials::{TransportError, TransportErrorKind};
    /// let error = TransportError::new(TransportErrorKind::Connect, "connection refused");
    /// assert_eq!(error.to_string(), "connection refused");
    /// ```
    pub fn new(kind: TransportErrorKind, cause: impl Into<BoxError>) -> Self {
        Self { kind, cause: cause.into(), detail: None, limit: None }
    }

    /// Names the setting whose time limit ended the request, if it is not that of
    /// [`Attempt::timeout`](crate::Attempt::timeout). The error of the source then says to allow more
    /// time there. Only kinds [`Connect`](TransportErrorKind::Connect) and
    /// [`Timeout`](TransportErrorKind::Timeout) have a limit.
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest, TokenSource, TransportError, TransportErrorKind};
    /// let transport = |_: http::Request<Vec<u8>>, _: &Attempt| {
    ///     let error = TransportError::new(TransportErrorKind::Connect, "no connection after 5 s");
    ///     let error = error.limited_by("TokenSourceBuilder::connect_timeout");
    ///     Err::<http::Response<Vec<u8>>, _>(error)
    /// };
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let builder = TokenSource::builder(Credentials::new("id", "secret"), request).transport(transport).retries(0);
    /// let error = builder.build()?.token().unwrap_err();
    /// assert!(error.to_string().ends_with("or allow more time (TokenSourceBuilder::connect_timeout)"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn limited_by(self, setting: &'static str) -> Self {
        Self { limit: Some(setting), ..self }
    }

    /// Returns what happened.
    ///
    /// ```
    /// # use client_credentials::{TransportError, TransportErrorKind};
    /// let error = TransportError::new(TransportErrorKind::Timeout, "no answer after 30 s");
    /// assert_eq!(error.kind(), TransportErrorKind::Timeout);
    /// ```
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Says this instead of what the kind says.
    #[allow(dead_code, reason = "used by the test kit, which is a feature")]
    pub(crate) fn says(self, detail: &'static str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// `limit` is the setting behind [`Attempt::timeout`](crate::Attempt::timeout).
    pub(crate) fn into_error(self, endpoint: &str, is_https: bool, limit: &'static str) -> Error {
        let mut chain = self.cause.to_string();
        let mut cause = self.cause.source();
        while let Some(error) = cause {
            chain.push_str(&error.to_string());
            cause = error.source();
        }
        Error::Transport(Arc::new(NoAnswer {
            endpoint: endpoint.to_owned(),
            kind: self.kind,
            detail: self.detail.unwrap_or_else(|| self.kind.detail(is_https, &chain)),
            limit: match self.kind {
                TransportErrorKind::Timeout => self.limit.or(Some(limit)),
                TransportErrorKind::Connect => self.limit,
                _ => None,
            },
            cause: Some(self.cause.into()),
        }))
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}
