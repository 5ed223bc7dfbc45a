//! A secret from a closure that the server refuses, because it was replaced (D49).

use std::collections::VecDeque;

use client_credentials::BasicEncoding;

use super::*;

/// A closure that returns these secrets in order, and the last one again and again. `None` is an error
/// of its own.
#[derive(Clone)]
struct Vault(Arc<Mutex<(VecDeque<Option<String>>, usize)>>);

impl Vault {
    fn new<const N: usize>(secrets: [Option<&str>; N]) -> Self {
        let vault = Self(Arc::default());
        vault.set(secrets);
        vault
    }

    fn set<const N: usize>(&self, secrets: [Option<&str>; N]) {
        self.0.lock().expect("a vault").0 = secrets.map(|secret| secret.map(str::to_owned)).into();
    }

    fn calls(&self) -> usize {
        self.0.lock().expect("a vault").1
    }

    fn read(&self) -> Result<Secret, Box<dyn std::error::Error + Send + Sync>> {
        let mut state = self.0.lock().expect("a vault");
        state.1 += 1;
        let secret = if state.0.len() > 1 { state.0.pop_front() } else { state.0.front().cloned() };
        Ok(Secret::from(secret.flatten().ok_or("the vault is sealed")?))
    }

    fn credentials(&self) -> Credentials {
        let vault = self.clone();
        Credentials::with_secret_from("id", move || vault.read())
    }
}

/// A token endpoint that accepts one secret, and refuses all others in its own words.
#[derive(Clone)]
struct Auth(Arc<AuthInner>);

struct AuthInner {
    accepts: &'static str,
    refusal: (u16, &'static str),
    asked: Mutex<Vec<String>>,
    clock: ManualClock,
    /// How long each answer takes.
    takes: Mutex<Duration>,
}

const INVALID_CLIENT: (u16, &str) = (401, r#"{"error":"invalid_client"}"#);

impl Auth {
    fn new(accepts: &'static str) -> Self {
        Self::refusing(accepts, INVALID_CLIENT)
    }

    fn refusing(accepts: &'static str, refusal: (u16, &'static str)) -> Self {
        let clock = ManualClock::new();
        if ticks() {
            clock.tick(Duration::from_nanos(1));
        }
        Self(Arc::new(AuthInner { accepts, refusal, asked: Mutex::default(), clock, takes: Mutex::default() }))
    }

    /// The secrets of the requests so far.
    fn asked(&self) -> Vec<String> {
        self.0.asked.lock().expect("a log").clone()
    }

    fn advance(&self, milliseconds: u64) {
        self.0.clock.advance(Duration::from_millis(milliseconds));
    }

    fn builder(&self, credentials: Credentials) -> TokenSourceBuilder {
        let builder = TokenSource::builder(credentials.in_body(), question());
        builder.transport(self.clone()).clock(self.0.clock.clone()).retries(0)
    }

    fn source(&self, vault: &Vault) -> TokenSource {
        self.builder(vault.credentials()).build().expect("a source")
    }
}

impl Transport for Auth {
    fn send(&self, request: Request<Vec<u8>>, _: &Attempt) -> Result<Response<Vec<u8>>, TransportError> {
        let form = form_urlencoded::parse(request.body());
        let secret = form.into_owned().find(|(name, _)| name == "client_secret").expect("a secret").1;
        self.0.clock.advance(*self.0.takes.lock().expect("a time"));
        let mut asked = self.0.asked.lock().expect("a log");
        asked.push(secret);
        let (status, body) = self.0.refusal;
        if asked.last().is_some_and(|secret| secret == self.0.accepts) {
            return Ok(Response::new(format!(r#"{{"access_token":"T{}","expires_in":3600}}"#, asked.len()).into()));
        }
        Ok(Response::builder().status(status).header("retry-after", "3600").body(body.into()).expect("an answer"))
    }

    fn identity(&self) -> Option<client_credentials::TransportIdentity> {
        Some(client_credentials::TransportIdentity::of(&self.0))
    }
}

fn code(result: Result<AccessToken, Error>) -> Option<String> {
    match result.expect_err("an error") {
        Error::Denied(denied) => denied.code().map(str::to_owned),
        other => panic!("{other:?}"),
    }
}

// In one fetch.

#[test]
fn d49_a_refused_secret_is_asked_for_once_more_and_the_request_repeated_if_it_is_another() {
    let (vault, auth) = (Vault::new([Some("old"), Some("new")]), Auth::new("new"));
    let (source, events) = listen(auth.builder(vault.credentials()));
    assert_eq!(source.token().expect("a token").secret(), "T2");
    assert_eq!((auth.asked(), vault.calls()), (vec!["old".into(), "new".into()], 2));
    let story = ["requested NoToken 0", "answered Some(401) false", "requested NoToken 1", "answered Some(200) true"];
    assert_eq!(seen(&events), story, "although no retries are configured");
}

#[test]
fn d49_the_same_secret_is_not_sent_again() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    assert_eq!(code(auth.source(&vault).token()).as_deref(), Some("invalid_client"));
    assert_eq!((auth.asked().len(), vault.calls()), (1, 2));
}

#[test]
fn d49_a_fetch_repeats_its_request_for_another_secret_at_most_once() {
    let (vault, auth) = (Vault::new([Some("a"), Some("b"), Some("c"), Some("new")]), Auth::new("new"));
    let source = auth.builder(vault.credentials()).retries(5).build().expect("a source");
    assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
    assert_eq!((auth.asked(), vault.calls()), (vec!["a".into(), "b".into()], 2));
}

#[test]
fn d49_a_fixed_secret_never_changes_so_it_is_sent_once() {
    let auth = Auth::new("new");
    let source = auth.builder(Credentials::new("id", "old")).build().expect("a source");
    for _ in 0..3 {
        assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
        auth.advance(2000);
    }
    assert_eq!(auth.asked().len(), 1);
}

#[test]
fn d49_a_closure_that_fails_after_the_refusal_shows_in_an_event_and_the_caller_gets_the_refusal() {
    let (vault, auth) = (Vault::new([Some("old"), None]), Auth::new("new"));
    let (source, events) = listen(auth.builder(vault.credentials()));
    assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
    assert_eq!(seen(&events), ["requested NoToken 0", "answered Some(401) false", "not sent"]);
    assert_eq!(auth.asked().len(), 1);
}

#[test]
fn d49_the_second_request_has_what_is_left_of_the_time_and_none_is_sent_without_any() {
    // The refusal takes it all: the closure is not called again.
    let (vault, auth) = (Vault::new([Some("old"), Some("new")]), Auth::new("new"));
    *auth.0.takes.lock().expect("a time") = seconds(30);
    auth.source(&vault).token().expect_err("refused");
    assert_eq!((auth.asked().len(), vault.calls()), (1, 1));

    // The closure takes it all: nothing more is sent.
    let (vault, auth) = (Vault::new([Some("old"), Some("new")]), Auth::new("new"));
    let (reader, hands) = (vault.clone(), auth.0.clock.clone());
    let slow = Credentials::with_secret_from("id", move || {
        hands.advance(seconds(20));
        reader.read()
    });
    auth.builder(slow).build().expect("a source").token().expect_err("refused");
    assert_eq!((auth.asked().len(), vault.calls()), (1, 2));

    // Each takes a part of it.
    let script = Script::new();
    for (status, left) in [(401, 30), (200, 18)] {
        let hands = script.clock();
        script.answer(move |_, attempt| {
            assert_eq!(about(attempt.timeout), seconds(left));
            hands.advance(seconds(12));
            let body = br#"{"access_token":"T","expires_in":60}"#.to_vec();
            Ok(Response::builder().status(status).body(body).expect("an answer"))
        });
    }
    let vault = Vault::new([Some("old"), Some("new")]);
    let builder = TokenSource::builder(vault.credentials(), question()).transport(script.clone());
    assert_eq!(builder.clock(clock(&script)).build().expect("a source").token().expect("a token").secret(), "T");
}

#[test]
fn d49_every_refusal_counts_that_does_not_name_another_reason() {
    for (status, body, counts) in [
        (401, r#"{"error":"invalid_client"}"#, true),
        (401, "", true),
        (401, r#"{"error":"access_denied"}"#, true),
        (400, r#"{"error":"invalid_client"}"#, true),
        (400, r#"{"error":"invalid_request"}"#, true),
        (400, r#"{"error":"invalid_grant"}"#, true),
        (400, r#"{"error":"unauthorized_client"}"#, true),
        (400, r#"{"error":"a word of this vendor"}"#, true),
        (400, "", true),
        (403, "<html>", true),
        (404, r#"{"error":"other_error"}"#, true),
        (422, "", true),
        (200, r#"{"error":"incorrect_client_credentials"}"#, true),
        (200, r#"{"status":"error","msg":"Incorrect client secret"}"#, true),
        (400, r#"{"error":"invalid_scope"}"#, false),
        (400, r#"{"error":"scope_invalid"}"#, false),
        (400, r#"{"error":"invalid_target"}"#, false),
        (400, r#"{"error":"unsupported_grant_type"}"#, false),
        (307, "", false),
        (405, "", false),
        (407, "", false),
        (415, "", false),
        (503, "", false),
        (429, r#"{"error":"invalid_client"}"#, false),
        (401, r#"{"error":"temporarily_unavailable"}"#, false),
        (200, "<html>", false),
    ] {
        let (vault, auth) = (Vault::new([Some("old"), Some("new")]), Auth::refusing("new", (status, body)));
        assert_eq!(auth.source(&vault).token().is_ok(), counts, "{status} {body}");
        assert_eq!((auth.asked().len(), vault.calls()), if counts { (2, 2) } else { (1, 1) }, "{status} {body}");
    }
}

#[test]
fn d49_the_secret_is_compared_as_it_is_sent_by_each_method() {
    type Method = fn(Credentials) -> Credentials;
    let methods: [Method; 4] = [
        Credentials::in_body,
        |credentials| credentials.basic_encoding(BasicEncoding::Minimal),
        |credentials| credentials.basic_encoding(BasicEncoding::Rfc6749),
        |credentials| credentials.basic_encoding(BasicEncoding::Raw),
    ];
    for method in methods {
        for (secrets, requests) in [(["one", "two"], 2), (["one", "one"], 1)] {
            let (script, vault) = (Script::new(), Vault::new(secrets.map(Some)));
            script.json(401, "");
            script.token("T", 60);
            let builder = TokenSource::builder(method(vault.credentials()), question()).transport(script.clone());
            let source = builder.clock(clock(&script)).build().expect("a source");
            assert_eq!(source.token().is_ok(), requests == 2);
            assert_eq!(script.requests().len(), requests);
        }
    }
}

#[test]
fn d49_a_renewal_finds_the_new_secret_inside_a_call_and_in_the_background() {
    for background in [false, true] {
        let (vault, auth) = (Vault::new([Some("first")]), Auth::new("first"));
        let source = auth.builder(vault.credentials()).renew_in_background(background).build().expect("a source");
        assert_eq!(source.token().expect("a token").secret(), "T1");
        vault.set([Some("old"), Some("first")]);
        auth.advance(3_500_000);
        let token = source.token().expect("a token");
        assert!(background || token.secret() == "T3", "{}", token.secret());
        while source.token().expect("a token").secret() == "T1" {
            thread::yield_now();
        }
        assert_eq!(auth.asked(), ["first", "old", "first"]);
    }
}

#[test]
fn d49_after_the_second_request_retries_go_on_as_usual() {
    let script = Script::new();
    for status in [401, 503, 503] {
        script.json(status, "");
    }
    script.token("T", 60);
    let vault = Vault::new([Some("old"), Some("new")]);
    let builder = TokenSource::builder(vault.credentials(), question()).transport(script.clone()).clock(clock(&script));
    let (source, events) = listen(builder);
    assert_eq!(source.token().expect("a token").secret(), "T");
    let requested: Vec<_> = seen(&events).into_iter().filter(|event| event.starts_with("requested")).collect();
    assert_eq!(requested.len(), 4, "one for the secret, two retries: {requested:?}");
    assert_eq!(requested[3], "requested NoToken 3");
}
