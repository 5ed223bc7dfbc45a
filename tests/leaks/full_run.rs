//! What is printed and logged on a full run.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fmt::Debug;
use std::sync::{Arc, Once};
use std::thread::{self, ThreadId};
use std::time::Duration;

use client_credentials::test_util::{Behaviour, ManualClock, Script, Step, TokenServer};
use client_credentials::{
    Attempt, BasicEncoding, BodyFormat, CacheKey, Challenge, Credentials, Denied, Error, Secret, TokenCache,
    TokenRequest, TokenSource, TransportError, TransportErrorKind, UreqTransport,
};
use http::header::AUTHORIZATION;

use super::*;

#[test]
fn nothing_that_is_logged_or_printed_on_a_full_run_holds_a_secret() {
    Journal::open();
    let printed = Mutex::new(Vec::new());
    let print = |what: &dyn Debug| lock(&printed).extend([format!("{what:?}"), format!("{what:#?}")]);
    let say = |error: &Error| {
        print(error);
        lock(&printed).push(error.to_string());
        if let Error::Denied(denied) = error {
            let denied: &Denied = denied;
            let parts = [denied.code(), denied.description(), denied.uri(), denied.excerpt()];
            lock(&printed)
                .extend(parts.into_iter().flatten().map(|part| part.replace("\\t", "\n").replace('\t', "\n")));
        }
        let mut cause = error.source();
        while let Some(error) = cause {
            lock(&printed).extend([error.to_string(), format!("{error:?}")]);
            cause = error.source();
        }
    };
    let (auth, api) = (TokenServer::start().unwrap(), TokenServer::start().unwrap());
    let items = format!("http://{}/items", api.address());
    let clock = ManualClock::new();
    let cache = TokenCache::default();
    let question = || TokenRequest::new(&auth.url()).unwrap().audience(&items);
    let build = |credentials: Credentials, request: TokenRequest| {
        print(&credentials);
        print(&request);
        print(&CacheKey::new(&request, &credentials).unwrap());
        let printed = Arc::new(Mutex::new(Vec::new()));
        let hook = Arc::clone(&printed);
        let builder = TokenSource::builder(credentials, request)
            .transport(UreqTransport::new())
            .clock(clock.clone())
            .cache(&cache)
            .retries(1)
            .on_event(move |event| {
                lock(&hook).extend([event.to_string(), format!("{event:?}"), format!("{event:#?}")])
            });
        print(&builder);
        let source = builder.build().unwrap();
        (source, printed)
    };
    let basic = Credentials::new(CLIENT, SECRET);
    let provided = Credentials::with_secret_from(CLIENT, || Ok(Secret::from(SECRET)));
    let jwt = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let assertion = question().grant_type(jwt).unwrap().parameter("assertion", ASSERTION).unwrap();
    let own_scheme = question().header("authorization", &format!("Own {OWN_SCHEME}")).unwrap();
    let with_query = format!("{}?code={}", auth.url(), encoded(QUERY));
    // Each with a text that its server knows and may repeat.
    let sources = [
        (build(basic.clone(), question()), SECRET),
        (
            build(basic.clone().basic_encoding(BasicEncoding::Rfc6749), question().scope("basic").unwrap()),
            &basic_value(),
        ),
        (build(basic.clone().in_body(), question()), SECRET),
        (build(basic.clone().in_body(), question().body_format(BodyFormat::Json)), &encoded(SECRET)),
        (build(basic.clone().basic_encoding(BasicEncoding::Minimal), question()), SECRET),
        (build(basic.clone().basic_encoding(BasicEncoding::Raw), question()), SECRET),
        (build(provided, question().header("x-api-key", API_KEY).unwrap()), SECRET),
        (build(Credentials::none(), assertion), ASSERTION),
        (build(Credentials::none(), own_scheme), OWN_SCHEME),
        (build(basic.clone(), question().header("x-api-key", API_KEY).unwrap()), API_KEY),
        (build(basic.clone(), question().parameter("tenant", PARAMETER).unwrap()), PARAMETER),
        (build(basic.clone(), TokenRequest::new(&with_query).unwrap().audience(&items)), QUERY),
    ];
    for ((source, events), known) in &sources {
        let agent = source.agent();
        print(&source.prepare());
        // Fetched, used, kept, renewed.
        auth.next(Behaviour::token(TOKENS[0], 60));
        for _ in 0..2 {
            agent.get(&items).call().unwrap();
        }
        clock.advance(Duration::from_secs(60));
        auth.next(Behaviour::token(TOKENS[1], 3600));
        agent.post(&items).send("body").unwrap();
        // Refused: renewed and replayed; refused for good; and the same token once more.
        clock.advance(Duration::from_secs(20));
        for challenge in [r#"Bearer error="invalid_token""#, r#"Bearer error="insufficient_scope""#] {
            api.next(http::Response::builder().status(401).header("www-authenticate", challenge).body("no").unwrap());
        }
        auth.next(Behaviour::token(TOKENS[2], 3600));
        assert!(agent.get(&items).call().is_err());
        clock.advance(Duration::from_secs(20));
        api.next(http::Response::builder().status(401).body("").unwrap());
        auth.next(Behaviour::token(TOKENS[2], 60));
        assert!(agent.get(&items).call().is_err());
        let sent = api.requests().into_iter().rev().take(5).map(|request| request.headers()[AUTHORIZATION].clone());
        let sent: Vec<String> = sent.map(|value| value.to_str().unwrap().replace("Bearer ", "")).collect();
        assert_eq!(sent, [TOKENS[2], TOKENS[2], TOKENS[1], TOKENS[1], TOKENS[0]]);

        print(&source.token().unwrap());
        print(&source.token().unwrap().header_value());
        print(&source.inspect());
        print(source);
        // A renewal that fails and leaves the token, then every kind of failure.
        auth.next(Behaviour::json(503, "busy"));
        clock.advance(Duration::from_secs(40));
        print(&source.token().unwrap());
        let (once, twice) = (escaped(known).join("\t"), escaped_twice(known));
        for behaviour in [
            Behaviour::json(401, &format!(r#"{{"error":"invalid_client","error_description":"not {known}"}}"#)),
            Behaviour::json(500, &format!(r#"{{"you":"{known}"}}"#)),
            Behaviour::json(400, &serde_json::json!({"error": once, "error_description": twice}).to_string()),
            Behaviour::json(403, &serde_json::json!({"error": "x", "error_uri": once}).to_string()),
            http::Response::builder().status(500).body(&*once).unwrap().into(),
            Behaviour::json(200, &serde_json::json!({"access_token": "x", "token_type": once}).to_string()),
            Behaviour::json(200, &format!("{{\"access_token\":\"{} {}\"}}", TOKENS[3], TOKENS[3])),
            Behaviour::json(200, &format!(r#"{{"access_token":"{}","token_type":"mac"}}"#, TOKENS[3])),
            Behaviour::json(200, &format!(r#"{{"access_token":"{} ","expires_in":true}}"#, TOKENS[3])),
            Behaviour::json(200, &format!("{{\"access_token\":\"{}\"", TOKENS[3])),
            Behaviour::redirect(307, "/elsewhere"),
            Behaviour::token(TOKENS[3], 60).cut_in_head(Step::Close),
            Behaviour::token(TOKENS[3], 60).cut_in_body(Step::Close),
            Behaviour::gzip_bomb(1 << 20),
            Step::Reset.into(),
            Step::Send(b"220 mail.example ESMTP\r\n\r\n".to_vec()).into(),
        ] {
            clock.advance(Duration::from_secs(3600));
            auth.always(behaviour);
            say(&source.token().unwrap_err());
            // Remembered.
            say(&source.token().unwrap_err());
            let error = agent.get(&items).call().unwrap_err();
            lock(&printed).extend([error.to_string(), format!("{error:?}")]);
        }
        auth.always(Behaviour::token(TOKENS[3], 60));
        clock.advance(Duration::from_secs(3600));
        assert_eq!(source.token().unwrap().secret(), TOKENS[3]);
        print(source);
        let elsewhere = source.authorize(&mut http::Request::get("https://user:pw@evil.test/").body(()).unwrap());
        say(&elsewhere.unwrap_err());
        lock(&printed).append(&mut lock(events));
    }
    let ((source, _), _) = &sources[0];
    let stalled = Behaviour::token(TOKENS[3], 60).cut_in_body(Step::Pause(Duration::from_secs(5)));
    auth.always(stalled.then(Step::Close));
    clock.advance(Duration::from_secs(3600));
    say(&source.token_within(Duration::from_millis(100)).unwrap_err());
    // Values that are no part of a run.
    print(&cache);
    print(&Secret::from(SECRET));
    print(&UreqTransport::new());
    print(&auth);
    print(&Script::new());
    print(&clock);
    print(&TransportError::new(TransportErrorKind::Other, "why"));
    print(&Challenge::parse(http::HeaderMap::new().get_all("www-authenticate")));
    for credentials in [basic.clone(), basic.in_body()] {
        print(&question().encode(&credentials, &Attempt::default()).unwrap().headers());
    }
    for bad in [format!("{SECRET}\n"), format!("\u{7f}{SECRET}")] {
        let wrong = TokenSource::new(Credentials::new(CLIENT, bad), question());
        say(&wrong.expect_err("a control character"));
    }
    let twice = question().parameter("p", ASSERTION).and_then(|request| request.parameter("p", ASSERTION));
    say(&twice.expect_err("given twice"));
    say(&question().header("x-api-key", &format!("{API_KEY}\n")).expect_err("a line break"));
    let colon = Credentials::new(format!("{CLIENT}:"), SECRET).basic_encoding(BasicEncoding::Raw);
    say(&question().encode(&colon, &Attempt::default()).expect_err("a colon"));

    // Much of it is the same over and over.
    let printed = lock(&printed).join("\n");
    let printed: Vec<&str> = BTreeSet::from_iter(printed.lines()).into_iter().collect();
    let printed = printed.join("\n");
    assert!(printed.len() > 50_000 && printed.contains("[redacted]"), "there must be something to look at");
    assert_hides_everything("printed", &printed);
    let journal = Journal::text();
    for target in ["client_credentials", "ureq::run", "ureq_proto::client", "ureq::pool"] {
        assert!(journal.contains(&format!("\n{target}: ")), "{target} must have said something");
    }
    // ureq logs the URL of each request, with its query (SECURITY.md).
    let without_url =
        |line: &str| if line.starts_with("ureq") { line.replace(&encoded(QUERY), "") } else { line.to_owned() };
    let journal: Vec<String> = journal.lines().map(without_url).collect();
    assert_hides_everything("logged", &journal.join("\n"));
}

/// ureq-proto writes all that goes over the wire, but for request bodies, to the log: sixteen bytes a line, at trace
/// level. Nothing in this crate can keep it from that (SECURITY.md).
const UREQ_WIRE_DUMP: &str = "ureq_proto::util";

/// If this fails, ureq has mended its ways: then drop the exception above and the paragraph in SECURITY.md.
#[test]
fn what_ureq_itself_dumps_at_trace_level_is_the_one_exception() {
    Journal::open();
    let (auth, api) = (TokenServer::start().unwrap(), TokenServer::start().unwrap());
    let items = format!("http://{}/items", api.address());
    let (secret, token) = ("dumped-secret-of-the-client", "dumped-token-of-the-server");
    auth.next(Behaviour::token(token, 60));
    let request = TokenRequest::new(&auth.url()).unwrap().audience(&items);
    let source = TokenSource::new(Credentials::new("id", secret), request).unwrap();
    source.agent().get(&items).call().unwrap();
    let dump = Journal::dump();
    assert!(dump.contains(token) && dump.contains(&STANDARD.encode(format!("id:{secret}"))));
    let journal = Journal::text();
    assert!(!journal.contains(token) && !journal.contains(secret));
}

/// Everything that was logged in this process, at every level.
struct Journal(Mutex<Vec<Entry>>);

struct Entry {
    thread: ThreadId,
    target: String,
    text: String,
}

static JOURNAL: Journal = Journal(Mutex::new(Vec::new()));

impl Journal {
    fn open() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            log::set_logger(&JOURNAL).unwrap();
            log::set_max_level(log::LevelFilter::Trace);
        });
    }

    /// All but the wire dump.
    fn text() -> String {
        let entries = lock(&JOURNAL.0);
        let entries = entries.iter().filter(|entry| entry.target != UREQ_WIRE_DUMP);
        entries.map(|entry| format!("{}: {}\n", entry.target, entry.text)).collect()
    }

    /// The wire dump of this thread, put together again: after the hexadecimal column.
    fn dump() -> String {
        let entries = lock(&JOURNAL.0);
        let ours = thread::current().id();
        let rows = entries.iter().filter(|entry| entry.thread == ours && entry.target == UREQ_WIRE_DUMP);
        rows.map(|entry| entry.text.get(41..).unwrap_or_default()).collect()
    }
}

impl log::Log for Journal {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        let (thread, target, text) = (thread::current().id(), record.target().to_owned(), record.args().to_string());
        lock(&self.0).push(Entry { thread, target, text });
    }

    fn flush(&self) {}
}
