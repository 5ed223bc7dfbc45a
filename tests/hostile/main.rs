//! A token server that fails, lies and stalls, over real sockets: whatever it does ends in a typed error, or in a token
//! where docs/decisions.md says so (the d numbers), within the deadline, with a bounded amount of memory.
#![cfg(feature = "ureq")]

#[path = "../emulator/mod.rs"]
mod emulator;

mod answers;
#[cfg(target_os = "linux")]
mod memory;
mod secrets;
mod wire;

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client_credentials::test_util::{Behaviour, Step, TokenServer};
use client_credentials::{
    AccessToken, Clock as _, Credentials, Error, ProtocolErrorKind, SystemClock, TokenRequest, TokenSource,
    TokenSourceBuilder, TransportErrorKind, UreqTransport,
};

/// Of a source whose server lets it wait.
const TIMEOUT: Duration = Duration::from_millis(600);
/// Of a source whose server does not: an answer is not to be late because the machine is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(2);
/// More than any answer may be large, less than what the rows of a table cost a machine to make.
const HUGE: u64 = 100 << 20;
const API: &str = "https://api.example.com";
const CLIENT: &str = "hostile-client";
const SECRET: &str = "Secret/of+the&client=";
const TOKEN: &str = "Token-of.the~server";

/// How a call must end.
#[derive(Debug)]
enum End {
    /// With [`TOKEN`], and this `expires_in`.
    Token(Option<u64>),
    /// The server said no: status, code, whether asking again may help.
    Denied(u16, Option<&'static str>, bool),
    /// The answer of this status is no token response.
    Protocol(u16, ProtocolErrorKind),
    Transport(TransportErrorKind),
    /// Too much without end: by the deadline or by a limit, whichever comes first.
    CutOff,
}

type Row = (&'static str, Behaviour, End);

// The runner.

fn run(rows: Vec<Row>) {
    in_parallel(rows, |(name, behaviour, end)| {
        for retries in [0, 2] {
            check(name, &behaviour, &end, retries);
        }
    });
}

/// A few rows at a time: most of them only wait.
fn in_parallel<T: Send>(rows: Vec<T>, check: impl Fn(T) + Sync) {
    let rows = Mutex::new(rows.into_iter());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some(row) = rows.lock().ok().and_then(|mut rows| rows.next()) else { return };
                    check(row);
                }
            });
        }
    });
}

/// One call with a server that always behaves like this: how long it took.
fn check(name: &str, behaviour: &Behaviour, end: &End, retries: u32) -> Duration {
    let timeout = match end {
        End::Transport(TransportErrorKind::Timeout) | End::CutOff => TIMEOUT,
        _ => PATIENCE,
    };
    in_time(name, timeout, || {
        let server = TokenServer::start().unwrap();
        server.always(behaviour.clone());
        let source = builder(&server).timeout(timeout).retries(retries).build().unwrap();
        let (result, took) = ask(&source);
        expect(name, &result, end);
        let asked = server.requests().len();
        match end {
            // Without a whole head, the answer has not begun (D35).
            End::Transport(TransportErrorKind::Closed) => assert_eq!(asked, 1 + retries as usize, "{name}"),
            End::Transport(TransportErrorKind::Other | TransportErrorKind::BodyTooLarge) => {
                assert_eq!(asked, 1, "{name}");
            }
            _ => assert!(asked >= 1 && asked <= 1 + retries as usize, "{name}: {asked} token requests"),
        }
        if let Err(error) = &result {
            assert_tells_nothing(name, error);
        }
        let (_, stopped) = timed(|| drop(server));
        assert!(stopped < PATIENCE, "{name}: the server took {stopped:?} to stop");
        took
    })
}

/// How long the call took, which must be in time. It gets three tries, because a machine may be very busy; a client
/// that is late by itself is late every time.
fn in_time(name: &str, timeout: Duration, call: impl Fn() -> Duration) -> Duration {
    let mut late = Vec::new();
    while late.len() < 3 {
        match call() {
            took if took < at_most(timeout) => return took,
            took => late.push(took),
        }
    }
    panic!("{name}: late every time: {late:?}");
}

fn at_most(timeout: Duration) -> Duration {
    timeout.mul_f64(1.1)
}

fn expect(name: &str, result: &Result<AccessToken, Error>, end: &End) {
    let fits = match (result, end) {
        (Ok(token), End::Token(expires_in)) => {
            token.secret() == TOKEN && token.expires_in().map(|lifetime| lifetime.as_secs()) == *expires_in
        }
        (Err(Error::Denied(denied)), End::Denied(status, code, retryable)) => {
            (denied.status(), denied.code(), result.as_ref().is_err_and(Error::is_retryable))
                == (*status, *code, *retryable)
        }
        (Err(Error::Protocol(error)), End::Protocol(status, kind)) => (error.status(), error.kind()) == (*status, kind),
        (Err(Error::Transport(failure)), End::Transport(kind)) => failure.kind() == *kind,
        (Err(Error::Transport(failure)), End::CutOff) => {
            matches!(failure.kind(), TransportErrorKind::Timeout | TransportErrorKind::Other)
        }
        _ => false,
    };
    let cause = result.as_ref().err().and_then(|error| error.source());
    assert!(fits, "{name}: expected {end:?}, got {result:?}, cause {cause:?}");
}

/// Neither the secret nor the token, in whatever form, and nothing that a terminal would obey.
fn assert_tells_nothing(name: &str, error: &Error) {
    let mut text = format!("{error}\n{error:?}\n{error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, "\n{error}\n{error:?}").unwrap();
        cause = error.source();
    }
    let encoded: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let pair = format!("{CLIENT}:{encoded}");
    for hidden in [SECRET, &encoded, &STANDARD.encode(SECRET), &STANDARD.encode(pair), TOKEN, &STANDARD.encode(TOKEN)] {
        assert!(!text.contains(hidden), "{name}: {hidden:?} in {text}");
    }
    assert!(error.to_string().bytes().all(|byte| matches!(byte, b' '..=b'~')), "{name}: {error}");
}

fn source(server: &TokenServer, retries: u32) -> TokenSource {
    builder(server).retries(retries).build().unwrap()
}

fn builder(server: &TokenServer) -> TokenSourceBuilder {
    let request = TokenRequest::new(&server.url()).unwrap().audience(API);
    TokenSource::builder(Credentials::new(CLIENT, SECRET), request).transport(UreqTransport::new()).timeout(PATIENCE)
}

/// The token, and how long it took. A call that hangs fails the test, whose servers then end the call.
fn ask(source: &TokenSource) -> (Result<AccessToken, Error>, Duration) {
    let (tell, answer) = mpsc::channel();
    let source = source.clone();
    thread::spawn(move || tell.send(timed(|| source.token())));
    answer.recv_timeout(Duration::from_secs(10)).expect("the call hangs")
}

fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration) {
    let from = SystemClock.now();
    let result = call();
    (result, SystemClock.now().since(&from))
}

// Answers and ends.

/// RFC 1952 section 2.3 around an empty block.
#[cfg(feature = "gzip")]
const EMPTY_GZIP: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff\x03\0\0\0\0\0\0\0\0\0";

fn good() -> Behaviour {
    Behaviour::token(TOKEN, 3600)
}

/// A good answer without a lifetime and with these further members.
fn token_json(members: &str) -> String {
    format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer"{members}}}"#)
}

fn json(body: &str) -> Behaviour {
    Behaviour::json(200, body)
}

fn answer(status: u16, content_type: &str, body: &str) -> Behaviour {
    http::Response::builder().status(status).header("content-type", content_type).body(body).unwrap().into()
}

fn html(status: u16) -> Behaviour {
    answer(status, "text/html", "<html><title>\u{1b}[2J</title>\r\n</html>")
}

fn raw(text: &str) -> Behaviour {
    Step::Send(text.as_bytes().to_vec()).into()
}

/// Two good chunks, the first half of a token, and what follows.
fn chunked(then: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{\"\r\n7\r\naccess_\r\n{then}")
}

#[cfg(feature = "gzip")]
fn gzip_head() -> Behaviour {
    raw("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n")
}

/// Stored blocks of no bytes (RFC 1951 section 3.2.4), none of them the last.
#[cfg(feature = "gzip")]
fn empty_blocks() -> Step {
    Step::Repeat(vec![0, 0, 0, 0xff, 0xff], u64::MAX)
}

#[cfg(feature = "gzip")]
fn gzip(body: &[u8]) -> Behaviour {
    http::Response::builder().header("content-encoding", "gzip").body(body).unwrap().into()
}

fn error_row(name: &'static str, status: u16, code: &'static str, retryable: bool) -> Row {
    let body = format!(r#"{{"error":"{code}","error_description":"\u001b[2J\r\n"}}"#);
    (name, Behaviour::json(status, &body), End::Denied(status, Some(code), retryable))
}

fn protocol(kind: ProtocolErrorKind) -> End {
    End::Protocol(200, kind)
}

fn malformed(status: u16) -> End {
    End::Protocol(status, ProtocolErrorKind::MalformedResponse)
}

fn duplicate(name: &'static str) -> End {
    protocol(ProtocolErrorKind::DuplicateMember(name))
}

fn too_large() -> End {
    End::Transport(TransportErrorKind::BodyTooLarge)
}
