//! Token requests through ureq. Imports `error`, `origin`, `transport`.

use std::fmt;
use std::io::ErrorKind;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ::ureq::config::{ConfigBuilder, Timeouts};
use ::ureq::typestate::AgentScope;
use ::ureq::{Agent, Error, Timeout};
use zeroize::Zeroizing;

use crate::error::{TransportError, TransportErrorKind};
use crate::origin;
use crate::transport::{Attempt, Transport, TransportIdentity};
use crate::ureq::body::read_beyond;
use crate::ureq::with_tls;

/// Sends token requests with a `ureq::Agent`.
///
/// Whatever the settings of the agent are, no redirect is followed, the limits of the [`Attempt`]
/// are obeyed, every status is returned as an answer, and no middleware of this crate adds a
/// token.
///
/// # Examples
///
/// ```
/// use client_credentials::test_util::TokenServer;
/// use client_credentials::{Credentials, TokenRequest, TokenSource, UreqTransport};
///
/// let server = TokenServer::start()?;
/// let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
/// let credentials = Credentials::new("my-client", "s3cret");
/// let source = TokenSource::builder(credentials, request)
///     .transport(UreqTransport::new())
///     .build()?;
/// assert_eq!(source.token()?.secret(), "token-1");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct UreqTransport {
    agent: Agent,
    /// Whether the agent is ours. If so, its proxy comes from the environment.
    own: bool,
    instance: Arc<u8>,
}

/// All transports with the default agent are one.
static DEFAULT: LazyLock<Arc<u8>> = LazyLock::new(Arc::default);

/// A longer time counts as this.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const BUFFER: usize = 16 * 1024;

impl UreqTransport {
    /// Makes a transport with its own agent and ureq's defaults: Mozilla's root certificates, and a
    /// proxy if the environment names one. The proxy is never used for this machine (`localhost` and
    /// the loopback addresses).
    ///
    /// ```
    /// # use client_credentials::test_util::TokenServer;
    /// use client_credentials::{Attempt, Transport, UreqTransport};
    ///
    /// # let server = TokenServer::start()?;
    /// # let request = http::Request::post(server.url()).body(b"grant_type=client_credentials".to_vec())?;
    /// let transport = UreqTransport::new();
    /// let answer = transport.send(request, &Attempt::default())?;
    /// assert_eq!(answer.status(), 200);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        let config = for_tokens(with_tls(Agent::config_builder()));
        Self { own: true, instance: Arc::clone(&DEFAULT), ..Self::with_agent(config.build().new_agent()) }
    }

    #[cfg(all(feature = "keys", feature = "rustls"))]
    pub(super) fn with_tls_config(tls: ::ureq::tls::TlsConfig) -> Self {
        let config = for_tokens(Agent::config_builder().tls_config(tls));
        Self { own: true, ..Self::with_agent(config.build().new_agent()) }
    }

    /// Makes a transport with your agent and its settings, such as a proxy, a private CA or a
    /// client certificate (RFC 8705). Its own timeouts apply where they are shorter.
    ///
    /// ```
    /// # use client_credentials::test_util::TokenServer;
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// use client_credentials::UreqTransport;
    ///
    /// let config = ureq::Agent::config_builder().user_agent("my-program/1.0");
    /// # let config = config.proxy(None); // a proxy of the environment
    /// let transport = UreqTransport::with_agent(config.build().into());
    /// let source = TokenSource::builder(credentials, request).transport(transport).build()?;
    /// source.token()?;
    /// assert_eq!(server.requests()[0].headers()["user-agent"], "my-program/1.0");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_agent(agent: Agent) -> Self {
        Self { agent, own: false, instance: Arc::default() }
    }
}

/// ureq looks at the time once per buffer, and decompressing one buffer can take it long. So no
/// compression is asked for, and the buffers are small, as a token response is.
fn for_tokens(config: ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> {
    config.accept_encoding("identity").input_buffer_size(BUFFER).output_buffer_size(BUFFER)
}

impl Default for UreqTransport {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for UreqTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqTransport").finish_non_exhaustive()
    }
}

/// Marks a token request, so that our own middleware leaves it alone.
#[derive(Clone, Copy)]
pub(super) struct IsTokenRequest;

impl Transport for UreqTransport {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        attempt: &Attempt,
    ) -> Result<http::Response<Vec<u8>>, TransportError> {
        let (parts, body) = request.into_parts();
        let body = Zeroizing::new(body);
        let mut request = http::Request::from_parts(parts, body.as_slice());
        request.extensions_mut().insert(IsTokenRequest);
        let own = self.agent.config().timeouts();
        let direct = self.own && is_this_machine(request.uri());
        let config = self.agent.configure_request(request);
        let config = if direct { config.proxy(None) } else { config };
        let request = config
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(shorter(own.global, attempt.timeout))
            .timeout_connect(shorter(own.connect, attempt.connect_timeout))
            .build();
        let failed = |error: Error, closed| {
            let limit = limit(&error, &own, attempt);
            transport_error(error, closed, limit)
        };
        // ureq does not say whether a part of the head has come.
        let response = self.agent.run(request).map_err(|error| failed(error, TransportErrorKind::Closed))?;
        let (parts, mut body) = response.into_parts();
        // ureq's own limit may count compressed bytes, and another crate may have enabled gzip in
        // ureq.
        let mut read = Vec::new();
        read_beyond(attempt.max_body, &mut body.as_reader(), &mut read)
            .map_err(|error| failed(error.into(), TransportErrorKind::Other))?;
        if read.len() > attempt.max_body {
            let cause = format!("more than {} bytes", attempt.max_body);
            return Err(TransportError::new(TransportErrorKind::BodyTooLarge, cause));
        }
        Ok(http::Response::from_parts(parts, read))
    }

    /// Clones are one, and so are all transports with the default agent.
    fn identity(&self) -> Option<TransportIdentity> {
        Some(TransportIdentity::of(&self.instance))
    }
}

/// Returns whether a URL leads to this machine. A proxy would look for it at itself, and could read
/// plain http, which is allowed because only this machine can.
pub(super) fn is_this_machine(uri: &http::Uri) -> bool {
    uri.host().is_some_and(origin::is_loopback)
}

fn shorter(own: Option<Duration>, limit: Duration) -> Option<Duration> {
    // ureq adds it to the present, which must not overflow.
    let limit = limit.min(LONGEST);
    Some(own.map_or(limit, |own| own.min(limit)))
}

/// Returns the setting of the time limit that ended a request, if it is not [`Attempt::timeout`].
fn limit(error: &Error, own: &Timeouts, attempt: &Attempt) -> Option<&'static str> {
    let is_ours = |own: Option<Duration>, ours| own.is_none_or(|own| own >= ours);
    match error {
        Error::Timeout(Timeout::Global) if is_ours(own.global, attempt.timeout) => None,
        Error::Timeout(Timeout::Connect) if is_ours(own.connect, attempt.connect_timeout) => {
            Some("TokenSourceBuilder::connect_timeout")
        }
        Error::Timeout(_) => Some("the agent of UreqTransport::with_agent"),
        _ => None,
    }
}

/// `closed` is the kind of an error that says that the connection was closed.
fn transport_error(error: Error, closed: TransportErrorKind, limit: Option<&'static str>) -> TransportError {
    let kind = match &error {
        Error::Timeout(Timeout::Connect | Timeout::Resolve) => TransportErrorKind::Connect,
        Error::Timeout(_) => TransportErrorKind::Timeout,
        Error::HostNotFound | Error::ConnectionFailed | Error::ConnectProxyFailed(_) | Error::InvalidProxyUrl => {
            TransportErrorKind::Connect
        }
        Error::Tls(_) | Error::TlsRequired => TransportErrorKind::Tls,
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        Error::Pem(_) => TransportErrorKind::Tls,
        #[cfg(feature = "rustls")]
        Error::Rustls(_) => TransportErrorKind::Tls,
        #[cfg(feature = "native-tls")]
        Error::NativeTls(_) | Error::Der(_) => TransportErrorKind::Tls,
        Error::Io(io) => match io.kind() {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => TransportErrorKind::Timeout,
            // rustls reports a bad certificate as invalid data.
            ErrorKind::InvalidData => TransportErrorKind::Tls,
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => closed,
            // The rest fails before a connection is established, and a failed name resolution has
            // no kind of its own.
            _ => TransportErrorKind::Connect,
        },
        _ => TransportErrorKind::Other,
    };
    let error = TransportError::new(kind, error);
    match limit {
        Some(setting) => error.limited_by(setting),
        None => error,
    }
}
