//! What this crate does, in two seconds: `cargo run --example quickstart`
//!
//! Starts an authorization server, an API and an unrelated host on this machine, and shows what they get to see of a
//! program that calls the API. The servers count, and every line is checked against what they counted.
#![allow(clippy::disallowed_methods, reason = "an example may look at the clock; the library asks its Clock")]

use std::collections::HashSet;
use std::error::Error;
use std::hash::{BuildHasher as _, RandomState};
use std::process::ExitCode;
use std::sync::{Arc, Barrier, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client_credentials::{Credentials, TokenRequest, TokenSource};
use tiny_http::{Header, Request, Response, Server};
use ureq::Agent;

const CLIENT_ID: &str = "quickstart";
const CLIENT_SECRET: &str = "correct-horse-battery-staple";
const THREADS: usize = 32;
/// How long the authorization server takes to answer: about as long as one across the internet.
const LATENCY: Duration = Duration::from_millis(50);

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<ExitCode, Failure> {
    let ledger = Ledger::default();
    let api = Host::start(&ledger, answer_api)?;
    let other = Host::start(&ledger, answer_elsewhere)?;
    let audience = api.url.clone();
    let auth = Host::start(&ledger, move |request, ledger| answer_token_request(request, ledger, &audience))?;
    let items = format!("{}/items", api.url);

    println!("authorization server  {}  (answers after {} ms)", auth.url, LATENCY.as_millis());
    println!("API                   {}", api.url);
    println!("another host          {}", other.url);
    let mut report = Report::start(&ledger);

    // All that a program needs: who it is, where its tokens come from, and which API they are for.
    let credentials = Credentials::new(CLIENT_ID, CLIENT_SECRET);
    let request = TokenRequest::new(&format!("{}/token", auth.url))?.audience(&api.url);
    let agent = TokenSource::new(credentials.clone(), request.clone())?.agent();

    report.line("first call: a token is fetched", Counts { issued: 1, accepted: 1, ..NONE }, || get(&agent, &items));
    report.line("second call: it is in the cache", Counts { accepted: 1, ..NONE }, || get(&agent, &items));

    ledger.lock().valid_tokens.clear();
    let expected = Counts { issued: 1, accepted: 1, rejected: 1, ..NONE };
    report.line("token revoked: renewed, call repeated", expected, || get(&agent, &items));
    note("One call of the program; it never saw the 401. The wait: two token requests start at least 1 s apart.");

    let fresh = TokenSource::new(credentials, request.clone())?.agent();
    let expected = Counts { issued: 1, accepted: THREADS, ..NONE };
    report.line(&format!("{THREADS} threads at once, empty cache"), expected, || get_at_once(&fresh, &items));

    let elsewhere = format!("{}/items", other.url);
    report.line("another host: is not sent the token", Counts { elsewhere: 1, ..NONE }, || get(&agent, &elsewhere));
    note(&format!("It saw: {}", ledger.lock().seen_elsewhere));

    let wrong = TokenSource::new(Credentials::new(CLIENT_ID, "wrong"), request)?.agent();
    let error = report.line("wrong secret: the API is not called", Counts { denied: 1, ..NONE }, || {
        get(&wrong, &items).err().ok_or_else(|| Failure::from("the call succeeded"))
    });
    note(&format!("The call's error: {}", error.map(|error| error.to_string()).unwrap_or_default()));

    Ok(report.finish())
}

/// An answer of 4xx or 5xx is an error here, as always with ureq.
fn get(agent: &Agent, url: &str) -> Result<(), Failure> {
    match agent.get(url).call() {
        Ok(_) => Ok(()),
        // An error of this crate: no token was had, and nothing was sent.
        Err(ureq::Error::Other(error)) => Err(error),
        Err(error) => Err(error.into()),
    }
}

fn get_at_once(agent: &Agent, url: &str) -> Result<(), Failure> {
    let start = Barrier::new(THREADS);
    let call = || {
        start.wait();
        get(agent, url)
    };
    thread::scope(|scope| {
        let calls: Vec<_> = (0..THREADS).map(|_| scope.spawn(call)).collect();
        calls.into_iter().try_for_each(|call| call.join().expect("`get` returns its errors"))
    })
}

// ---- The report ----

struct Report<'a> {
    ledger: &'a Ledger,
    lines: usize,
    broken: Vec<String>,
}

impl<'a> Report<'a> {
    fn start(ledger: &'a Ledger) -> Self {
        println!();
        println!("                                             tokens         API   other");
        println!("                                         issued denied   200 401   host     time");
        Self { ledger, lines: 0, broken: Vec::new() }
    }

    /// Does `action` and prints what the servers counted meanwhile; the claim holds if that is what was `expected`.
    fn line<T>(&mut self, claim: &str, expected: Counts, action: impl FnOnce() -> Result<T, Failure>) -> Option<T> {
        self.ledger.lock().counts = NONE;
        let began = Instant::now();
        let result = action();
        let time = began.elapsed().as_millis();
        let counted = self.ledger.lock().counts;

        self.lines += 1;
        let number = self.lines;
        let problem = match &result {
            Err(error) => Some(error.to_string()),
            Ok(_) => (counted != expected).then(|| format!("counted {counted:?}, expected {expected:?}")),
        };
        let mark = if problem.is_none() { "ok" } else { "NO" };
        let [issued, denied, accepted, rejected, elsewhere] =
            [counted.issued, counted.denied, counted.accepted, counted.rejected, counted.elsewhere]
                .map(|count| if count == 0 { String::from("-") } else { count.to_string() });
        println!(
            "{number}  {claim:<37} {issued:>6} {denied:>6} {accepted:>5} {rejected:>3} {elsewhere:>6} {time:>5} ms  {mark}"
        );
        self.broken.extend(problem.map(|problem| format!("line {number}: {problem}")));
        result.ok()
    }

    fn finish(self) -> ExitCode {
        println!();
        if self.broken.is_empty() {
            println!("All {} lines are what the servers counted.", self.lines);
            return ExitCode::SUCCESS;
        }
        println!("Not as it should be:");
        self.broken.iter().for_each(|problem| println!("{problem}"));
        ExitCode::FAILURE
    }
}

/// Prints text below a line of the report, wrapped for a terminal of 84 columns.
fn note(text: &str) {
    let mut line = String::from("  ");
    for word in text.split(' ') {
        if line.len() + word.len() >= 84 {
            println!("{line}");
            line.truncate(2);
        }
        line.extend([" ", word]);
    }
    println!("{line}");
}

// ---- The servers ----

/// What the servers write down.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Page>>);

#[derive(Default)]
struct Page {
    counts: Counts,
    valid_tokens: HashSet<String>,
    seen_elsewhere: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Token requests that got a token.
    issued: usize,
    /// Token requests that did not.
    denied: usize,
    /// API requests with a valid token.
    accepted: usize,
    /// API requests without one.
    rejected: usize,
    /// Requests to the other host.
    elsewhere: usize,
    /// Those of them that carried an `Authorization` header.
    leaked: usize,
}

const NONE: Counts = Counts { issued: 0, denied: 0, accepted: 0, rejected: 0, elsewhere: 0, leaked: 0 };

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Page> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

type Answer = Response<std::io::Cursor<Vec<u8>>>;

/// The token endpoint: HTTP Basic, and a form that asks for a token for this audience (RFC 6749 section 4.4).
fn answer_token_request(request: &mut Request, ledger: &Ledger, audience: &str) -> Answer {
    thread::sleep(LATENCY);
    let client = header(request, "Authorization")
        .and_then(|value| STANDARD.decode(value.strip_prefix("Basic ")?).ok())
        .is_some_and(|pair| pair == format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes());
    let mut form = Vec::new();
    let complete = request.as_reader().read_to_end(&mut form).is_ok();
    let asks = |name, value| form_urlencoded::parse(&form).any(|(n, v)| (&*n, &*v) == (name, value));

    let mut page = ledger.lock();
    if !client {
        page.counts.denied += 1;
        let body = r#"{"error":"invalid_client","error_description":"unknown client or wrong secret"}"#;
        return json(401, body, &[r#"WWW-Authenticate: Basic realm="quickstart""#]);
    }
    if !(complete && asks("grant_type", "client_credentials") && asks("audience", audience)) {
        page.counts.denied += 1;
        return json(400, r#"{"error":"invalid_request"}"#, &[]);
    }
    page.counts.issued += 1;
    // Hard enough to guess for a server that lives for two seconds; a real one wants 128 bits of a secure generator.
    let token = format!("{:016x}", RandomState::new().hash_one(page.valid_tokens.len()));
    let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
    page.valid_tokens.insert(token);
    json(200, &body, &["Cache-Control: no-store"])
}

/// The API: a valid token, or a 401 that says so (RFC 6750 section 3).
fn answer_api(request: &mut Request, ledger: &Ledger) -> Answer {
    let token = header(request, "Authorization").and_then(|value| value.strip_prefix("Bearer "));
    let mut page = ledger.lock();
    if token.is_some_and(|token| page.valid_tokens.contains(token)) {
        page.counts.accepted += 1;
        return json(200, r#"["one","two"]"#, &[]);
    }
    page.counts.rejected += 1;
    json(401, r#"{"message":"this needs a valid token"}"#, &[r#"WWW-Authenticate: Bearer error="invalid_token""#])
}

/// The other host answers everybody, and keeps the names of the headers it got.
fn answer_elsewhere(request: &mut Request, ledger: &Ledger) -> Answer {
    let names: Vec<_> = request.headers().iter().map(|header| header.field.to_string()).collect();
    let mut page = ledger.lock();
    page.counts.elsewhere += 1;
    page.counts.leaked += usize::from(header(request, "Authorization").is_some());
    page.seen_elsewhere = format!("{} {} with headers {}", request.method(), request.url(), names.join(", "));
    json(200, "[]", &[])
}

fn header<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request.headers().iter().find(|header| header.field.equiv(name)).map(|header| header.value.as_str())
}

fn json(status: u16, body: &str, headers: &[&str]) -> Answer {
    let legal = |line: &&str| line.parse::<Header>().expect("the header lines in this file are legal");
    let answer = Response::from_string(body).with_status_code(status);
    ["Content-Type: application/json"].iter().chain(headers).map(legal).fold(answer, Response::with_header)
}

/// A server in a thread of its own, on a port that the system chooses. Stops when dropped.
struct Host {
    url: String,
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    fn start<F>(ledger: &Ledger, answer: F) -> Result<Self, Failure>
    where
        F: Fn(&mut Request, &Ledger) -> Answer + Send + 'static,
    {
        let server = Arc::new(Server::http("127.0.0.1:0")?);
        let url = format!("http://{}", server.server_addr());
        let (requests, ledger) = (Arc::clone(&server), ledger.clone());
        let thread = thread::spawn(move || {
            for mut request in requests.incoming_requests() {
                let answer = answer(&mut request, &ledger);
                // A client that has gone away is no fault of the server.
                let _ = request.respond(answer);
            }
        });
        Ok(Self { url, server, thread: Some(thread) })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.server.unblock();
        // A panic in the thread was printed when it happened, and the counts tell.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
