//! A token server on this machine that misbehaves on demand. Imports nothing from this crate.

mod behaviour;
mod connection;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::lock;
pub use behaviour::{Behaviour, Step};
use connection::Connection;

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
                    let serve = move || Connection::new(&stream, self)?.serve();
                    let _ = thread::Builder::new().spawn_scoped(scope, serve);
                }
            }
        });
    }

    /// Records a request, and returns what to do with it.
    fn record(&self, request: http::Request<Vec<u8>>) -> Behaviour {
        let mut state = lock(&self.state);
        state.requests.push(request);
        let count = state.requests.len();
        let told = state.next.pop_front().or_else(|| state.always.clone());
        told.unwrap_or_else(|| Behaviour::token(&format!("token-{count}"), 3600))
    }

    /// Waits for this long. `None` means that the server stops.
    fn pause(&self, pause: Duration) -> Option<()> {
        let state = lock(&self.state);
        let (state, _) =
            self.wake.wait_timeout_while(state, pause, |state| !state.stopping).unwrap_or_else(PoisonError::into_inner);
        (!state.stopping).then_some(())
    }
}
