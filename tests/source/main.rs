//! The token source by scenario (tests/vectors/scenarios.md) and by decision (docs/decisions.md): a scripted token endpoint,
//! a clock set by hand, no network, no sleeping.

mod bearer;
mod call;
mod clocks;
mod configuration;
mod expiry;
mod failure;
mod herd;
mod identity;
mod observation;
mod outage;
mod refusal;
mod rotation;
mod scale;
mod sharing;
mod waiting;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use client_credentials::test_util::{ManualClock, Script};
use client_credentials::{
    AccessToken, Attempt, Call, Credentials, Error, EventKind, Reason, Secret, TokenCache, TokenRequest, TokenSource,
    TokenSourceBuilder, Transport, TransportError, TransportErrorKind, Verdict,
};
use http::{Request, Response};

const API: &str = "https://api.example.com/v1/items";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn question() -> TokenRequest {
    TokenRequest::new("https://auth.example.com/token").expect("a request").audience("https://api.example.com")
}

fn builder(script: &Script) -> TokenSourceBuilder {
    TokenSource::builder(Credentials::new("id", "s3cret"), question()).transport(script.clone()).clock(clock(script))
}

/// The clock of the script. In `tests/source_ticking.rs`, which runs all of this once more, it moves by
/// a nanosecond at each look.
fn clock(script: &Script) -> ManualClock {
    let clock = script.clock();
    if ticks() {
        clock.tick(Duration::from_nanos(1));
    }
    clock
}

fn source(script: &Script) -> TokenSource {
    builder(script).build().expect("a source")
}

fn unreachable() -> TransportError {
    TransportError::new(TransportErrorKind::Connect, "connection refused")
}

/// What a program does with any HTTP client: authorize, send, and once more if the source says so.
fn call(
    source: &TokenSource,
    request: Request<&'static str>,
    mut api: impl FnMut(&Request<&'static str>) -> Response<&'static str>,
) -> Result<Response<&'static str>, Error> {
    let mut request = request;
    let mut call = source.call(&mut request)?;
    let mut response = api(&request);
    while call.retry(&mut request, &response) {
        response = api(&request);
    }
    Ok(response)
}

/// A request that carries the token of now, and gets its answer later.
struct Sent<'s> {
    request: Request<&'static str>,
    call: Call<'s>,
}

fn sent(source: &TokenSource) -> Sent<'_> {
    let mut request = get();
    let call = source.call(&mut request).expect("a token");
    Sent { request, call }
}

impl Sent<'_> {
    /// The token of the second attempt, if there is to be one.
    fn answered(mut self, response: &Response<&'static str>) -> Option<String> {
        let again = self.call.retry(&mut self.request, response);
        again.then(|| self.request.headers()["authorization"].to_str().expect("ASCII").replace("Bearer ", ""))
    }
}

fn get() -> Request<&'static str> {
    Request::get(API).header("x-mine", "kept").body("").expect("a request")
}

fn answer(status: u16, challenge: Option<&str>) -> Response<&'static str> {
    let mut builder = Response::builder().status(status);
    if let Some(challenge) = challenge {
        builder = builder.header("www-authenticate", challenge);
    }
    builder.body("").expect("a response")
}

/// The token endpoint gives this token when it is told to, and says when it was asked for it.
fn stalled(script: &Script, token: &'static str) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (asked, is_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    script.answer(move |_, _| {
        asked.send(()).expect("a listener");
        may_go.recv().expect("a word");
        Ok(Response::new(format!(r#"{{"access_token":"{token}","expires_in":3600}}"#).into_bytes()))
    });
    (is_asked, go)
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn ticks() -> bool {
    module_path!().contains("ticking")
}

/// To the microsecond, because the clock may move by a nanosecond at each look.
fn about(time: Duration) -> Duration {
    Duration::from_micros((time.as_nanos() + 500).div_euclid(1000) as u64)
}

const INVALID_TOKEN: Option<&str> = Some("Bearer error=\"invalid_token\"");

type Log = Arc<Mutex<Vec<String>>>;

/// An API that writes down the tokens it saw and answers by a list.
fn api(answers: Vec<Response<&'static str>>) -> (Log, impl FnMut(&Request<&'static str>) -> Response<&'static str>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let mut answers = answers.into_iter();
    let api = move |request: &Request<&'static str>| {
        assert_eq!(request.headers()["x-mine"], "kept");
        log.lock().expect("a log").push(request.headers()["authorization"].to_str().expect("ASCII").to_owned());
        answers.next().expect("not more requests than answers")
    };
    (seen, api)
}

fn seen(log: &Log) -> Vec<String> {
    log.lock().expect("a log").clone()
}

/// The events of a source, as words.
fn listen(builder: TokenSourceBuilder) -> (TokenSource, Log) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let source = builder
        .on_event(move |event| {
            let word = match event.kind {
                EventKind::Requested { reason, retry, .. } => format!("requested {reason:?} {retry}"),
                EventKind::Answered { status, error, .. } => format!("answered {status:?} {}", error.is_none()),
                EventKind::NotSent { .. } => "not sent".into(),
                EventKind::Waited { .. } => "waited".into(),
                EventKind::RenewalFailed { .. } => "renewal failed".into(),
                EventKind::RememberedFailure { .. } => "throttled".into(),
                EventKind::Refused { verdict, .. } => format!("refused {verdict:?}"),
                other => format!("{other:?}"),
            };
            log.lock().expect("a log").push(word);
        })
        .build()
        .expect("a source");
    (source, events)
}
