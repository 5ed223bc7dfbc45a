//! HTTP servers on this machine that answer by a script and record every byte they are sent, and the
//! token sources that the tests of the agent share.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use client_credentials::test_util::Script;
use client_credentials::{Credentials, Error, TokenRequest, TokenSource, TokenSourceBuilder};
use ureq::config::ConfigBuilder;
use ureq::middleware::{Middleware, MiddlewareNext};
use ureq::typestate::AgentScope;
use ureq::{Agent, Body, SendBody};

/// A port of this machine that refuses connections. One that a server gave back could be another
/// server's by now; the system gives out none so low.
pub const CLOSED: &str = "127.0.0.1:1";
/// What must never show.
pub const SECRET: &str = "hush-hush";

/// What a call through an agent returns.
pub type Outcome = Result<ureq::http::Response<Body>, ureq::Error>;

/// A server on a port that the system chose. Its threads end with it. It is a proxy, too: it accepts
/// `CONNECT`, and then answers in place of the target.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    answer: Mutex<Box<Answer>>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    resets: bool,
    stop: AtomicBool,
}

type Answer = dyn FnMut(&Received) -> Reply + Send;

impl Server {
    /// Answers each request by `answer`, one at a time.
    pub fn new(answer: impl FnMut(&Received) -> Reply + Send + 'static) -> Self {
        Self::start(Box::new(answer), false)
    }

    /// Answers with these, one after the other.
    pub fn replies(replies: impl IntoIterator<Item = Reply>) -> Self {
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        Self::new(move |_| replies.pop_front().unwrap_or_else(|| reply(500).body("no reply left")))
    }

    /// Answers 401 `invalid_token` until it sees this token, then 200.
    pub fn wants(token: &'static str) -> Self {
        Self::new(move |request| if request.token() == Some(token) { reply(200).body("fine") } else { invalid_token() })
    }

    /// Resets every connection as soon as a request comes.
    pub fn resetting() -> Self {
        Self::start(Box::new(|_| reply(500)), true)
    }

    fn start(answer: Box<Answer>, resets: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer),
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            resets,
            stop: AtomicBool::new(false),
        });
        let ours = Arc::clone(&shared);
        // Leaving the scope joins the threads of all connections.
        let thread = thread::spawn(move || {
            thread::scope(|scope| {
                while let Ok((stream, _)) = listener.accept() {
                    if ours.is_over() {
                        return;
                    }
                    scope.spawn(|| ours.serve(stream));
                }
            });
        });
        Self { address, shared, thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same server by another name.
    pub fn url_by_name(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port())
    }

    /// The requests so far, in order.
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// How many connections there were so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// For each request so far, the number of the connection on which it came, from 0.
    pub fn request_connections(&self) -> Vec<usize> {
        self.requests().iter().map(|request| request.connection).collect()
    }

    /// The bearer token of each request so far; `-` for none.
    pub fn tokens(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.token().unwrap_or("-").to_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread.
        drop(TcpStream::connect(self.address));
        let result = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(result, Some(Ok(()))), "a server thread panicked");
    }
}

impl Shared {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn serve(&self, stream: TcpStream) {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        stream.set_nodelay(true).expect("a socket");
        let mut reader = BufReader::new(&stream);
        while self.awaits_input(&stream, &reader) {
            if self.resets {
                lock(&self.received).push(Received::default());
                // Closing a socket with unread bytes resets the connection.
                return;
            }
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
            let Some(request) = Received::read(&mut reader, connection) else {
                // As web servers answer to TLS on a port without it, if anybody is left to read it.
                drop((&stream).write_all(&reply(400).into_bytes("")));
                return;
            };
            lock(&self.received).push(request.clone());
            let reply = if request.method() == "CONNECT" { reply(200) } else { (*lock(&self.answer))(&request) };
            match reply.how {
                How::Whole | How::Stalled => {}
                How::HangUp => return,
                How::Never => {
                    while self.awaits_input(&stream, &reader) {}
                    return;
                }
            }
            let (cut, is_stalled) = (reply.cut, matches!(reply.how, How::Stalled));
            if (&stream).write_all(&reply.into_bytes(request.method())).is_err() || cut {
                while is_stalled && self.awaits_input(&stream, &reader) {}
                return;
            }
        }
    }

    /// False when the peer has closed the connection, or the server ends.
    fn awaits_input(&self, stream: &TcpStream, reader: &BufReader<&TcpStream>) -> bool {
        if !reader.buffer().is_empty() {
            return true;
        }
        stream.set_read_timeout(Some(Duration::from_millis(5))).expect("a socket");
        while !self.is_over() {
            match stream.peek(&mut [0]) {
                Ok(read) => return read > 0,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return false,
            }
        }
        false
    }
}

/// A request as it came over the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    head: String,
    pub body: Vec<u8>,
    connection: usize,
}

impl Received {
    fn read(reader: &mut BufReader<&TcpStream>, connection: usize) -> Option<Self> {
        let mut request = Self { connection, ..Self::default() };
        while !request.head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut request.head).ok()? == 0 {
                return None;
            }
        }
        if request.header("expect").is_some() {
            let mut stream: &TcpStream = reader.get_ref();
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        if request.header("transfer-encoding") == Some("chunked") {
            loop {
                let mut size = String::new();
                reader.read_line(&mut size).ok()?;
                let size = u64::from_str_radix(size.trim(), 16).ok()?;
                reader.by_ref().take(size).read_to_end(&mut request.body).ok()?;
                reader.read_line(&mut String::new()).ok()?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(size) = request.header("content-length") {
            let size = size.parse().ok()?;
            reader.by_ref().take(size).read_to_end(&mut request.body).ok()?;
        }
        Some(request)
    }

    /// Method, target and version.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub fn method(&self) -> &str {
        self.line().split(' ').next().unwrap_or_default()
    }

    pub fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    /// The values of all headers of this name.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).first().copied()
    }

    pub fn token(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// How the body was delimited.
    pub fn framing(&self) -> Framing {
        match (self.headers("content-length").as_slice(), self.headers("transfer-encoding").as_slice()) {
            ([], []) => Framing::None,
            ([length], []) => Framing::Length(length.parse().expect("a number")),
            ([], ["chunked"]) => Framing::Chunked,
            other => panic!("{other:?}"),
        }
    }

    /// The lines of the head but that of the token, in the order and the letters of the wire.
    fn lines_without_token(&self) -> impl Iterator<Item = &str> {
        self.head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("authorization: bearer "))
    }

    /// The same request, sent to the server that received the other one.
    pub fn with_host_of(&self, other: &Self) -> Self {
        let [own, others] = [self, other].map(|request| request.header("host").unwrap_or_default());
        Self { head: self.head.replace(own, others), ..self.clone() }
    }

    /// A form of the body, decoded.
    pub fn form(&self) -> Vec<(String, String)> {
        form(&self.body)
    }
}

/// Panics unless the requests are the same byte for byte, the line of the token left out, and says
/// where they differ. If `framing` is not that of `expected`, the body of `received` is delimited
/// by it instead.
#[track_caller]
pub fn assert_same(case: &str, expected: &Received, received: &Received, framing: Framing) {
    assert_eq!(received.framing(), framing, "{case}: the framing of the body");
    let is_reframed = expected.framing() != framing;
    let is_compared = |line: &&str| {
        !(is_reframed && (line.starts_with("content-length: ") || line.starts_with("transfer-encoding: ")))
    };
    let mut expected_lines = expected.lines_without_token().filter(is_compared);
    let mut received_lines = received.lines_without_token().filter(is_compared);
    for number in 1.. {
        let (expected_line, line) = (expected_lines.next(), received_lines.next());
        assert!(
            expected_line == line,
            "{case}: line {number} of the head should be {expected_line:?} and is {line:?}; all of it:\n{}",
            received.head
        );
        if line.is_none() {
            break;
        }
    }
    assert_bytes(case, &expected.body, &received.body);
}

/// Panics unless the bodies are the same, and says at which byte they differ.
#[track_caller]
pub fn assert_bytes(case: &str, expected: &[u8], received: &[u8]) {
    let Some(at) = (0..expected.len().max(received.len())).find(|at| expected.get(*at) != received.get(*at)) else {
        return;
    };
    let rest = |body: &[u8]| {
        let rest = body.get(at..).unwrap_or_default();
        String::from_utf8_lossy(&rest[..rest.len().min(32)]).into_owned()
    };
    panic!(
        "{case}: {} bytes instead of {}; from byte {at} the body should go on with {:?} and does with {:?}",
        received.len(),
        expected.len(),
        rest(expected),
        rest(received)
    );
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(usize),
    Chunked,
}

/// An answer to be sent.
#[derive(Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    how: How,
    cut: bool,
    chunked: bool,
}

#[derive(Clone, Copy)]
enum How {
    Whole,
    Stalled,
    HangUp,
    Never,
}

pub fn reply(status: u16) -> Reply {
    Reply { status, headers: Vec::new(), body: Vec::new(), how: How::Whole, cut: false, chunked: false }
}

/// The 401 of RFC 6750 section 3.1 for a token that is no good.
pub fn invalid_token() -> Reply {
    challenge(401, r#"Bearer realm="api", error="invalid_token""#)
}

pub fn challenge(status: u16, value: &str) -> Reply {
    reply(status).header("WWW-Authenticate", value).body(format!("status {status}"))
}

pub fn redirect(status: u16, to: String) -> Reply {
    reply(status).header("Location", to)
}

/// A good answer of a token endpoint.
pub fn token_reply(token: &str) -> Reply {
    json_reply(200, &format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#))
}

pub fn json_reply(status: u16, body: &str) -> Reply {
    reply(status).header("Content-Type", "application/json").body(body)
}

impl Reply {
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The connection is closed after half of the body.
    pub fn cut(mut self) -> Self {
        self.cut = true;
        self
    }

    /// The body is sent in pieces, and its length is not told.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// There is no more after half of the body, until the other side gives up or the server ends.
    pub fn stalled(self) -> Self {
        Self { how: How::Stalled, ..self.cut() }
    }

    /// The connection is closed instead.
    pub fn hang_up() -> Self {
        Self { how: How::HangUp, ..reply(500) }
    }

    /// There is no answer, until the other side gives up or the server ends.
    pub fn never() -> Self {
        Self { how: How::Never, ..reply(500) }
    }

    fn into_bytes(self, method: &str) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} -\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        if self.chunked {
            bytes.extend(b"Transfer-Encoding: chunked\r\n");
        } else if !(method == "CONNECT" || matches!(self.status, 204 | 304)) {
            bytes.extend(format!("Content-Length: {}\r\n", self.body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        if method != "HEAD" {
            let most = if self.cut { self.body.len() / 2 } else { self.body.len() };
            if self.chunked {
                for chunk in self.body[..most].chunks(1000) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()).chain(*b"\r\n"));
                }
                bytes.extend(if self.cut { &b""[..] } else { b"0\r\n\r\n" });
            } else {
                bytes.extend(&self.body[..most]);
            }
        }
        bytes
    }
}

/// A scripted token endpoint that hands out these tokens, an hour each.
pub fn tokens(tokens: &[&str]) -> Script {
    let script = Script::new();
    for token in tokens {
        script.token(token, 3600);
    }
    script
}

/// A source of tokens for this server, with the clock of the script.
pub fn source(script: &Script, api: &Server) -> TokenSource {
    builder(script, api).build().expect("a source")
}

pub fn builder(script: &Script, api: &Server) -> TokenSourceBuilder {
    let request = TokenRequest::new("https://auth.example.com/token").expect("a request").audience(api.url("/"));
    TokenSource::builder(Credentials::new("id", SECRET), request).transport(script.clone()).clock(script.clock())
}

/// The settings of an agent, without the proxy that the environment may name.
pub fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder().proxy(None)
}

/// An agent with a token source and this status mode.
pub fn agent(source: &TokenSource, status_as_error: bool) -> Agent {
    source.wrap(config().http_status_as_error(status_as_error).allow_non_standard_methods(true).build().into())
}

/// An agent around a wrapped one, with middleware that sees each request before it gets its token.
pub fn outside(before: impl Middleware, wrapped: Agent) -> Agent {
    let pass_on = move |request: ureq::http::Request<SendBody>, _: MiddlewareNext| wrapped.run(request);
    config().middleware(before).middleware(pass_on).build().into()
}

/// The body of a response.
#[track_caller]
pub fn text(outcome: Outcome) -> String {
    outcome.expect("a response").body_mut().read_to_string().expect("text")
}

/// The status, from a response or from ureq's error.
#[track_caller]
pub fn status(outcome: &Outcome) -> u16 {
    match outcome {
        Ok(response) => response.status().as_u16(),
        Err(ureq::Error::StatusCode(status)) => *status,
        // What the first 401 of an origin that is not allowed comes as, in error mode.
        Err(ureq::Error::Other(error)) if matches!(error.downcast_ref(), Some(Error::OriginNotAllowed(_))) => 401,
        Err(error) => panic!("{error:?}"),
    }
}

/// Our error inside ureq's.
#[track_caller]
pub fn our_error(outcome: Outcome) -> Error {
    match outcome {
        Err(ureq::Error::Other(error)) => *error.downcast::<Error>().expect("an error of this crate"),
        other => panic!("{other:?}"),
    }
}

pub fn form(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
