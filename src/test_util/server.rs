//! A token server on this machine that misbehaves on demand. Imports nothing from this crate.

mod behaviour;

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderMap};

use super::lock;
pub use behaviour::{Behaviour, Step};

/// The largest request, in bytes. The server closes the connection of a larger one.
const LONGEST_REQUEST: usize = 1 << 20;
/// The most connections at a time. The server closes further ones at once.
const MOST_CONNECTIONS: usize = 1000;

/// A token server on this machine that misbehaves on demand.
///
/// It listens on `127.0.0.1`, on a port chosen by the system. By default it answers every
/// request, for any path, with a good token: `token-1`, then `token-2` and so on, each valid for
/// an hour. It can also play an API or another host.
///
/// It speaks plain HTTP/1.1, keeps connections open, and records the requests. When it is
/// dropped, it closes all connections, even in the middle of an answer, and its threads end.
///
/// # Examples
///
/// What does a program do when the token server hangs, is overloaded, or answers nonsense?
///
/// ```
/// use client_credentials::test_util::{Behaviour, Step, TokenServer};
/// use client_credentials::{Credentials, Error, TokenRequest, TokenSource};
/// # #[cfg(feature = "ureq")] {
/// use client_credentials::UreqTransport;
/// use std::time::Duration;
///
/// // The program has an exit status for each kind of failure.
/// fn exit_status(source: &TokenSource) -> u8 {
///     match source.token() {
///         Ok(_) => 0,
///         Err(error) if error.is_retryable() => 75,
///         Err(_) => 78,
///     }
/// }
///
/// // The test makes a new source each time, because a source remembers failures for a while.
/// let server = TokenServer::start()?;
/// let program = || {
///     let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
///     let credentials = Credentials::new("my-client", "s3cret");
///     let source = TokenSource::builder(credentials, request)
///         .transport(UreqTransport::new())
///         .timeout(Duration::from_millis(200))
///         .retries(0)
///         .build()?;
///     Ok::<_, Error>(exit_status(&source))
/// };
/// assert_eq!(program()?, 0);
/// server.next(Step::Stall);
/// assert_eq!(program()?, 75);
/// server.next(http::Response::builder().status(503).body("busy")?);
/// assert_eq!(program()?, 75);
/// server.next(Behaviour::json(200, "<html>Please log in</html>"));
/// assert_eq!(program()?, 78);
/// assert_eq!(server.requests().len(), 4);
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct TokenServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl TokenServer {
    /// Starts a server.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if no port can be opened, or no thread can be started.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::test_util::TokenServer;
    /// let (auth, api) = (TokenServer::start()?, TokenServer::start()?);
    /// assert_ne!(auth.address(), api.address());
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let ours = Arc::clone(&shared);
        let thread = thread::Builder::new().spawn(move || ours.accept(&listener))?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// Returns the URL of the token endpoint, `http://127.0.0.1:PORT/token`.
    ///
    /// ```
    /// # use client_credentials::{TokenRequest, test_util::TokenServer};
    /// let server = TokenServer::start()?;
    /// let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # assert!(format!("{request:?}").contains("http://127.0.0.1:"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// Returns the address and port, for other URLs of this server.
    ///
    /// ```
    /// # use client_credentials::{TokenRequest, test_util::TokenServer};
    /// let (auth, api) = (TokenServer::start()?, TokenServer::start()?);
    /// let items = format!("http://{}/v1/items", api.address());
    /// let request = TokenRequest::new(&auth.url())?.allow_origin(&items)?;
    /// assert!(request.allows(&items.parse()?));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds what to do with the next request. A second call is for the request after that.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(UreqTransport::new()).retries(0).build()?;
    /// server.next(Behaviour::token("one", 3600));
    /// server.next(Behaviour::token("two", 3600));
    /// assert_eq!(source.token()?.secret(), "one");
    /// assert_eq!(source.renew()?.secret(), "two");
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn next(&self, behaviour: impl Into<Behaviour>) {
        lock(&self.shared.state).next.push_back(behaviour.into());
    }

    /// Sets what to do with every request for which [`next`](Self::next) has added nothing.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(UreqTransport::new()).retries(0).build()?;
    /// server.always(Behaviour::token("the-very-same", 3600));
    /// assert_eq!(source.token()?.secret(), source.renew()?.secret());
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn always(&self, behaviour: impl Into<Behaviour>) {
        lock(&self.shared.state).always = Some(behaviour.into());
    }

    /// Returns the requests so far, in order, with the path as their URL. They contain the secrets
    /// that were sent. If a client does not send HTTP/1.1, the connection is closed, and only
    /// [`connections`](Self::connections) counts it. A request with a body needs a
    /// `Content-Length`.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use client_credentials::test_util::{Behaviour, Step, TokenServer};
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, UreqTransport};
    /// # let server = TokenServer::start()?;
    /// # let request = TokenRequest::new(&server.url())?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(UreqTransport::new()).retries(0).build()?;
    /// source.token()?;
    /// let sent = &server.requests()[0];
    /// assert_eq!((sent.method().as_str(), sent.uri().path()), ("POST", "/token"));
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn requests(&self) -> Vec<http::Request<Vec<u8>>> {
        lock(&self.shared.state).requests.clone()
    }

    /// Returns how many connections were made so far. Zero means that not a byte was sent here.
    ///
    /// ```
    /// # use client_credentials::test_util::TokenServer;
    /// let other_host = TokenServer::start()?;
    /// assert_eq!(other_host.connections(), 0);
    /// std::net::TcpStream::connect(other_host.address())?;
    /// # while other_host.connections() == 0 { std::thread::yield_now(); }
    /// assert_eq!(other_host.connections(), 1);
    /// # Ok::<_, std::io::Error>(())
    /// ```
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.shared.state).connections
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.stopping = true;
        for stream in state.open.drain(..).filter_map(|stream| stream.upgrade()) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.wake.notify_all();
        // Wakes the accepting thread, which ends after the threads of all connections.
        if TcpStream::connect(self.address).is_ok() {
            let _ = self.thread.take().map(JoinHandle::join);
        }
    }
}

impl fmt::Debug for TokenServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenServer").field("address", &self.address).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when the server stops, to end all pauses.
    wake: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    next: VecDeque<Behaviour>,
    always: Option<Behaviour>,
    requests: Vec<http::Request<Vec<u8>>>,
    connections: usize,
    /// Weak references, so that a connection is closed when its thread drops it.
    open: Vec<Weak<TcpStream>>,
}

impl Shared {
    fn accept(&self, listener: &TcpListener) {
        // Leaving the scope waits for the threads of all connections.
        thread::scope(|scope| {
            for stream in listener.incoming() {
                let mut state = lock(&self.state);
                if state.stopping {
                    return;
                }
                let Ok(stream) = stream.map(Arc::new) else {
                    drop(state);
                    self.pause(Duration::from_millis(10));
                    continue;
                };
                state.connections += 1;
                state.open.retain(|stream| stream.strong_count() > 0);
                if state.open.len() < MOST_CONNECTIONS {
                    state.open.push(Arc::downgrade(&stream));
                    drop(state);
                    // If no thread can be started, the connection is closed. An error ends only its
                    // own connection.
                    let _ = thread::Builder::new().spawn_scoped(scope, move || self.serve(&stream));
                }
            }
        });
    }

    /// Answers the requests of one connection. `None` means that the connection must be closed.
    fn serve(&self, stream: &TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        loop {
            let request = receive(stream)?;
            let behaviour = {
                let mut state = lock(&self.state);
                state.requests.push(request);
                let count = state.requests.len();
                let told = state.next.pop_front().or_else(|| state.always.clone());
                told.unwrap_or_else(|| Behaviour::token(&format!("token-{count}"), 3600))
            };
            if !behaviour.0.contains(&Step::Reset) {
                receive_last(stream)?;
            }
            behaviour.0.into_iter().try_for_each(|step| self.perform(step, stream))?;
        }
    }

    fn perform(&self, step: Step, mut stream: &TcpStream) -> Option<()> {
        match step {
            Step::Send(bytes) => stream.write_all(&bytes).ok(),
            Step::Repeat(bytes, times) if !bytes.is_empty() => {
                let at_once = if bytes.len() < 1 << 12 { (1 << 16) / bytes.len().max(1) } else { 1 };
                let many = bytes.repeat(at_once);
                let (whole, rest) = (times / at_once as u64, times % at_once as u64);
                (0..whole).try_for_each(|_| stream.write_all(&many).ok())?;
                stream.write_all(&many[..bytes.len() * rest as usize]).ok()
            }
            Step::Trickle(bytes, interval) => bytes.chunks(1).try_for_each(|byte| {
                stream.write_all(byte).ok()?;
                self.pause(interval)
            }),
            Step::Repeat(..) => Some(()),
            Step::Pause(pause) => self.pause(pause),
            Step::Stall => io::copy(&mut stream, &mut io::sink()).ok().and(None),
            Step::HalfClose => stream.shutdown(Shutdown::Write).ok(),
            Step::Close | Step::Reset => None,
        }
    }

    /// Waits for this long. `None` means that the server stops.
    fn pause(&self, pause: Duration) -> Option<()> {
        let state = lock(&self.state);
        let (state, _) =
            self.wake.wait_timeout_while(state, pause, |state| !state.stopping).unwrap_or_else(PoisonError::into_inner);
        (!state.stopping).then_some(())
    }
}

/// Receives a request, but leaves its last byte unread for [`Step::Reset`]: that byte is only
/// peeked at.
fn receive(mut stream: &TcpStream) -> Option<http::Request<Vec<u8>>> {
    let mut head = Vec::new();
    let mut seen = [0; 4096];
    loop {
        let count = stream.peek(&mut seen).ok().filter(|count| *count > 0)?;
        let read = head.len();
        head.extend_from_slice(&seen[..count]);
        let look_at = read.saturating_sub(3);
        let end = head[look_at..].windows(4).position(|end| end == b"\r\n\r\n").map(|at| look_at + at + 4);
        head.truncate(end.unwrap_or(head.len()));
        let unread = usize::from(end.is_some());
        stream.read_exact(&mut seen[..head.len() - read - unread]).ok()?;
        if end.is_some() {
            break;
        }
        if head.len() > LONGEST_REQUEST {
            return None;
        }
    }
    let request = parse(&head)?;
    let mut body = vec![0; content_length(request.headers())?];
    if let Some((last, rest)) = body.split_last_mut() {
        receive_last(stream)?;
        stream.read_exact(rest).ok()?;
        stream.peek(std::slice::from_mut(last)).ok().filter(|count| *count > 0)?;
    }
    Some(request.map(|()| body))
}

fn receive_last(mut stream: &TcpStream) -> Option<()> {
    stream.read_exact(&mut [0]).ok()
}

fn parse(head: &[u8]) -> Option<http::Request<()>> {
    let mut lines = std::str::from_utf8(head).ok()?.trim_end().split("\r\n");
    let mut words = lines.next()?.split(' ');
    let mut request = http::Request::builder().method(words.next()?).uri(words.next()?);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name, value.trim());
    }
    request.body(()).ok()
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    match headers.get(CONTENT_LENGTH) {
        None => Some(0),
        Some(value) => value.to_str().ok()?.parse().ok().filter(|length| *length <= LONGEST_REQUEST),
    }
}
