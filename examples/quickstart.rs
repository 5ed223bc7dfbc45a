//! What this crate does, in two seconds: `cargo run --example quickstart`
//!
//! Starts an authorization server and two APIs on this machine, and shows what they get to see of a
//! program that calls the APIs. The servers count, and every line is compared with their counts.
#![allow(clippy::disallowed_methods, reason = "an example may read the clock and the environment")]

mod common;

use std::collections::HashSet;
use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Barrier, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client_credentials::{Credentials, TokenRequest, TokenSource};
use common::{Args, Failure, Usage, readable, say};
use ureq::Agent;

const HELP: &str = "\
Shows in two seconds what client-credentials does, against servers of its own
on this machine. It calls no others.

Usage: quickstart
";

const CLIENT_ID: &str = "quickstart";
const CLIENT_SECRET: &str = "correct-horse-battery-staple";
const THREADS: usize = 32;
/// How long the authorization server takes to answer: about as long as one across the internet.
const LATENCY: Duration = Duration::from_millis(50);
/// The most columns of a line.
const WIDTH: usize = 78;

fn main() -> ExitCode {
    common::run(HELP, program)
}

fn program(args: Args) -> Result<(), Failure> {
    if !args.words.is_empty() {
        return Err(Usage::new("there are no arguments").into());
    }
    let ledger = Ledger::default();
    let api = serve(&ledger, answer_api)?;
    let other_api = serve(&ledger, answer_other_api)?;
    let audience = api.clone();
    let auth = serve(&ledger, move |request, ledger| answer_token_request(request, ledger, &audience))?;
    let (items, other_items) = (format!("{api}/items"), format!("{other_api}/items"));
    let token_endpoint = format!("{auth}/token");

    let mut report = Report { ledger: &ledger, is_coloured: is_coloured(), lines: 0, broken: Vec::new() };
    say(format_args!("authorization server   {auth}   answers after {} ms", LATENCY.as_millis()))?;
    say(format_args!("API                    {api}"))?;
    say(format_args!("API at another origin  {other_api}"))?;
    report.heading("The program, whose agent is an ordinary ureq::Agent:")?;
    report.show_code("the program")?;
    report.columns()?;

    // shown: the program
    let credentials = Credentials::new(CLIENT_ID, CLIENT_SECRET);
    let request = TokenRequest::new(&token_endpoint)?.audience(&api);
    let agent = TokenSource::new(credentials, request)?.agent();
    let call = || agent.get(&items).call();
    // end

    report.line("first call: a token is fetched", Counts { issued: 1, accepted: 1, ..NONE }, || outcome(call()))?;
    report.line("second call: the token is reused", Counts { accepted: 1, ..NONE }, || outcome(call()))?;

    ledger.lock().valid_tokens.clear();
    let expected = Counts { issued: 1, accepted: 1, rejected: 1, ..NONE };
    report.line("token revoked: renewed, sent again", expected, || outcome(call()))?;
    note(
        "One call of the program, which got the items and never saw the 401. It took a second, because \
          two token requests start at least a second apart.",
    )?;

    let source = |secret| {
        let request = TokenRequest::new(&token_endpoint)?.audience(&api);
        TokenSource::new(Credentials::new(CLIENT_ID, secret), request)
    };
    let agent = source(CLIENT_SECRET)?.agent();
    let expected = Counts { issued: 1, accepted: THREADS, ..NONE };
    report.line(&format!("{THREADS} threads at once, no token yet"), expected, || get_at_once(&agent, &items))?;

    let agent = source("wrong")?.agent();
    report.fails("wrong secret: the API is not called", Counts { denied: 1, ..NONE }, || get(&agent, &items))?;

    // The trap: the API is not where the audience says.
    let agent = source(CLIENT_SECRET)?.agent();
    let expected = Counts { elsewhere_rejected: 1, ..NONE };
    report.fails("API at another origin: no token", expected, || get(&agent, &other_items))?;
    note(&format!("The API answered 401 to a request without a token: {}", ledger.lock().seen_elsewhere))?;
    note(
        "A token goes to the origin (scheme, host and port) of the audience, and nowhere else, unless the \
          program says so:",
    )?;
    report.show_code("another origin")?;
    let request = TokenRequest::new(&token_endpoint)?.audience(&api);
    // shown: another origin
    let request = request.allow_origin(&other_api)?;
    // end
    let agent = TokenSource::new(Credentials::new(CLIENT_ID, CLIENT_SECRET), request)?.agent();
    let expected = Counts { issued: 1, elsewhere_accepted: 1, ..NONE };
    report.line("its origin is allowed: a token", expected, || get(&agent, &other_items))?;

    report.finish()?;
    report.heading("Where to go next:")?;
    say("  the first program, to copy   README.md, or cargo doc --open")?;
    say("  questions, with answers      the same documentation, guide::how_do_i")?;
    say("  your identity provider       the same, guide: auth0, entra, okta and others")?;
    say("  a token for curl             cargo run --example token -- --help")
}

/// An answer of 4xx or 5xx is an error here, as is the default of ureq.
fn get(agent: &Agent, url: &str) -> Result<(), Failure> {
    outcome(agent.get(url).call())
}

fn outcome<T>(result: Result<T, ureq::Error>) -> Result<(), Failure> {
    result.map(drop).map_err(|error| readable(error, "the API"))
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
    is_coloured: bool,
    lines: usize,
    broken: Vec<String>,
}

impl Report<'_> {
    fn columns(&self) -> Result<(), Failure> {
        say(self.paint("1", "What the servers counted           tokens         API       other API"))?;
        say(self.paint("1", "                                   issued denied  200 401    200 401     time"))
    }

    /// Does `action` and prints what the servers counted meanwhile. The claim holds if the action
    /// succeeds, and the counts are as `expected`.
    fn line(
        &mut self,
        claim: &str,
        expected: Counts,
        action: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.ledger.lock().counts = NONE;
        let began = Instant::now();
        let result = action();
        let time = began.elapsed().as_millis();
        let counted = self.ledger.lock().counts;

        self.lines += 1;
        let problem = match &result {
            Err(error) => Some(error.to_string()),
            Ok(()) => (counted != expected).then(|| format!("counted {counted:?}, expected {expected:?}")),
        };
        let mark = if problem.is_none() { self.paint("32", "ok") } else { self.paint("1;31", "NO") };
        let [issued, denied, accepted, rejected, other_accepted, other_rejected] = counted.columns();
        say(format_args!(
            "{mark} {claim:<35} {issued:>2} {denied:>6} {accepted:>4} {rejected:>3} {other_accepted:>6} \
             {other_rejected:>3} {time:>5} ms"
        ))?;
        self.broken.extend(problem.map(|problem| format!("{claim}: {problem}")));
        Ok(())
    }

    /// Like `line`, for an action that must fail. Prints its error.
    fn fails(
        &mut self,
        claim: &str,
        expected: Counts,
        action: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut text = None;
        self.line(claim, expected, || match action() {
            Err(error) => {
                text = Some(error.to_string());
                Ok(())
            }
            Ok(()) => Err("the call succeeded".into()),
        })?;
        note(&format!("The call's error: {}", text.unwrap_or_default()))
    }

    fn finish(&self) -> Result<(), Failure> {
        say("")?;
        if self.broken.is_empty() {
            return say(format_args!("All {} lines are what the servers counted.", self.lines));
        }
        self.broken.iter().try_for_each(|problem| note(problem))?;
        Err("not all lines are what the servers counted".into())
    }

    /// Prints a line in bold, and an empty one before it.
    fn heading(&self, text: &str) -> Result<(), Failure> {
        say(format_args!("\n{}", self.paint("1", text)))
    }

    /// Prints lines of this very file: those after `// shown: NAME`.
    fn show_code(&self, name: &str) -> Result<(), Failure> {
        say("")?;
        let lines = include_str!("quickstart.rs").lines().map(str::trim);
        let lines = lines.skip_while(|line| line.strip_prefix("// shown: ") != Some(name)).skip(1);
        for line in lines.take_while(|line| *line != "// end") {
            say(format_args!("    {}", self.paint("36", line)))?;
        }
        say("")
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.is_coloured { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Only in a terminal that knows colours, and not against the user's wish (<https://no-color.org>).
fn is_coloured() -> bool {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    io::stdout().is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_some_and(|term| term != "dumb")
}

/// Prints text below a line of the report, wrapped.
fn note(text: &str) -> Result<(), Failure> {
    let mut line = String::from("  ");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            say(&line)?;
            line.truncate(2);
        }
        line.extend([" ", word]);
    }
    say(line)
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
    /// Requests to the API with a valid token.
    accepted: usize,
    /// Requests to the API without one.
    rejected: usize,
    /// Requests to the other API with a valid token.
    elsewhere_accepted: usize,
    /// Requests to the other API without one.
    elsewhere_rejected: usize,
    /// Those of them that had an `Authorization` header.
    leaked: usize,
}

const NONE: Counts =
    Counts { issued: 0, denied: 0, accepted: 0, rejected: 0, elsewhere_accepted: 0, elsewhere_rejected: 0, leaked: 0 };

impl Counts {
    fn columns(&self) -> [String; 6] {
        let api = [self.accepted, self.rejected, self.elsewhere_accepted, self.elsewhere_rejected];
        let [a, b, c, d] = api;
        [self.issued, self.denied, a, b, c, d]
            .map(|count| if count == 0 { String::from("-") } else { count.to_string() })
    }
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Page> {
        self.0.lock().expect("no thread panics while it holds the lock")
    }
}

/// The token endpoint: HTTP Basic, and a form that asks for a token for this audience (RFC 6749
/// section 4.4).
fn answer_token_request(request: &Request, ledger: &Ledger, audience: &str) -> Answer {
    thread::sleep(LATENCY);
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    let asks = |name, value| form_urlencoded::parse(&request.body).any(|(n, v)| (&*n, &*v) == (name, value));

    let mut page = ledger.lock();
    if request.header("authorization") != Some(&basic) {
        page.counts.denied += 1;
        let body = r#"{"error":"invalid_client","error_description":"unknown client or wrong secret"}"#;
        return Answer { status: 401, header: r#"WWW-Authenticate: Basic realm="quickstart""#, body: body.into() };
    }
    if !(asks("grant_type", "client_credentials") && asks("audience", audience)) {
        page.counts.denied += 1;
        return Answer { status: 400, header: NO_STORE, body: r#"{"error":"invalid_request"}"#.into() };
    }
    page.counts.issued += 1;
    // Hard enough to guess for a server that lives for two seconds. A real one uses 128 bits of a
    // secure generator.
    let token = format!("{:016x}", RandomState::new().hash_one(page.valid_tokens.len()));
    let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
    page.valid_tokens.insert(token);
    Answer { status: 200, header: NO_STORE, body }
}

fn answer_api(request: &Request, ledger: &Ledger) -> Answer {
    let mut page = ledger.lock();
    let is_valid = page.is_valid(request);
    *if is_valid { &mut page.counts.accepted } else { &mut page.counts.rejected } += 1;
    answer(is_valid)
}

/// Keeps the names of the headers of its last request.
fn answer_other_api(request: &Request, ledger: &Ledger) -> Answer {
    let mut page = ledger.lock();
    let is_valid = page.is_valid(request);
    *if is_valid { &mut page.counts.elsewhere_accepted } else { &mut page.counts.elsewhere_rejected } += 1;
    page.counts.leaked += usize::from(!is_valid && request.header("authorization").is_some());
    let mut lines = request.head.trim_end().lines();
    let line = lines.next().unwrap_or_default();
    let names: Vec<_> = lines.filter_map(|line| line.split(':').next()).collect();
    page.seen_elsewhere = format!("{line} with the headers {}", names.join(", "));
    answer(is_valid)
}

impl Page {
    fn is_valid(&self, request: &Request) -> bool {
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        token.is_some_and(|token| self.valid_tokens.contains(token))
    }
}

/// A valid token gets the items, anything else a 401 that says so (RFC 6750 section 3).
fn answer(is_valid: bool) -> Answer {
    if is_valid {
        return Answer { status: 200, header: NO_STORE, body: r#"["one","two"]"#.into() };
    }
    let header = r#"WWW-Authenticate: Bearer error="invalid_token""#;
    Answer { status: 401, header, body: r#"{"message":"this needs a valid token"}"#.into() }
}

struct Request {
    head: String,
    body: Vec<u8>,
}

struct Answer {
    status: u16,
    header: &'static str,
    body: String,
}

const NO_STORE: &str = "Cache-Control: no-store";

/// Starts a server on a port that the system chooses, in a thread that ends with the program. It
/// takes one request per connection. Returns its origin.
fn serve<F>(ledger: &Ledger, answer: F) -> io::Result<String>
where
    F: Fn(&Request, &Ledger) -> Answer + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let origin = format!("http://{}", listener.local_addr()?);
    let ledger = ledger.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // If a client has gone, the counts tell.
            let _ = exchange(&stream, |request| answer(request, &ledger));
        }
    });
    Ok(origin)
}

fn exchange(mut stream: &TcpStream, answer: impl FnOnce(&Request) -> Answer) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut request = Request { head: String::new(), body: Vec::new() };
    while !request.head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request.head)? == 0 {
            return Ok(());
        }
    }
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_end(&mut request.body)?;
    let Answer { status, header, body } = answer(&request);
    let length = body.len();
    let head = "Content-Type: application/json\r\nConnection: close";
    write!(stream, "HTTP/1.1 {status} -\r\n{head}\r\nContent-Length: {length}\r\n{header}\r\n\r\n{body}")
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
