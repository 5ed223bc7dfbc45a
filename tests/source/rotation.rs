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
fn d49_d38_an_id_and_a_secret_that_change_together_are_asked_for_together() {
    let (vault, auth) = (Vault::new([Some("old"), Some("new")]), Auth::new("new"));
    let read = vault.clone();
    let credentials = Credentials::with_id_and_secret_from(move || {
        let secret = read.read()?;
        Ok((format!("id-of-{}", secret.secret()), secret))
    });
    let ids = Arc::new(Mutex::new(Vec::new()));
    let (log, to) = (Arc::clone(&ids), auth.clone());
    let transport = move |request: Request<Vec<u8>>, attempt: &Attempt| {
        let form = form_urlencoded::parse(request.body()).into_owned();
        log.lock().expect("a log").extend(form.filter(|(name, _)| name == "client_id").map(|(_, id)| id));
        to.send(request, attempt)
    };
    let source = auth.builder(credentials).transport(transport).build().expect("a source");
    assert_eq!(source.token().expect("a token").secret(), "T2");
    assert_eq!(*ids.lock().expect("a log"), ["id-of-old", "id-of-new"]);
    vault.set([None]);
    let error = source.renew().expect_err("an error");
    assert!(matches!(error, Error::Credentials(_)), "{error}");
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

// While the refusal is remembered.

/// A source whose secret was refused a moment ago.
fn refused(auth: &Auth, vault: &Vault) -> TokenSource {
    let source = auth.source(vault);
    assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
    assert_eq!((auth.asked().len(), vault.calls()), (1, 2));
    source
}

#[test]
fn d49_the_memory_of_a_refusal_does_not_hold_for_another_secret() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    let source = refused(&auth, &vault);
    vault.set([Some("new")]);
    auth.advance(900);
    assert_eq!(code(source.token()).as_deref(), Some("invalid_client"), "not asked so soon");
    assert_eq!(vault.calls(), 2);
    auth.advance(100);
    // In spite of the `Retry-After` of an hour, which was said of the old secret.
    assert_eq!(source.token().expect("a token").secret(), "T2");
    assert_eq!((auth.asked(), vault.calls()), (vec!["old".into(), "new".into()], 4));
}

#[test]
fn d49_while_the_secret_stays_the_same_the_closure_is_called_once_a_second_and_nothing_is_sent() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    let (source, events) = listen(auth.builder(vault.credentials()));
    for _ in 0..1000 {
        assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
        auth.advance(100);
    }
    assert_eq!(auth.asked().len(), 1, "the server asked for an hour");
    assert!((95..=101).contains(&vault.calls()), "{} calls in 100 s", vault.calls());
    assert!(seen(&events)[2..].iter().all(|event| event == "throttled"));
}

#[test]
fn d49_a_closure_with_another_secret_each_time_causes_no_flood() {
    let (auth, number) = (Auth::refusing("new", (400, r#"{"error":"invalid_client"}"#)), AtomicU32::new(0));
    let changing = Credentials::with_secret_from("id", move || {
        Ok(Secret::from(number.fetch_add(1, Ordering::SeqCst).to_string()))
    });
    let source = auth.builder(changing).build().expect("a source");
    let mut requests = Vec::new();
    for _ in 0..1000 {
        assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
        requests.push(auth.asked().len());
        auth.advance(100);
    }
    // Two for each fetch: one after a second, then one in ten.
    assert_eq!([requests[0], requests[9], requests[10], requests[109], requests[110]], [2, 2, 4, 4, 6]);
    assert!(requests[999] <= 2 + 2 + 2 * 10, "{} token requests in 100 s", requests[999]);
}

#[test]
fn d49_a_second_secret_that_is_refused_too_does_not_hide_the_third_for_long() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    let source = refused(&auth, &vault);
    vault.set([Some("typo")]);
    auth.advance(1000);
    assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
    vault.set([Some("new")]);
    auth.advance(9_900);
    assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
    auth.advance(100);
    source.token().expect("a token");
    assert_eq!(auth.asked(), ["old", "typo", "new"]);

    // A token in between ends the story.
    vault.set([Some("old")]);
    source.renew().expect_err("refused");
    vault.set([Some("new")]);
    auth.advance(3_600_000);
    source.token().expect("a token");
}

#[test]
fn d49_a_closure_that_fails_meanwhile_shows_in_an_event_and_the_memory_holds() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    let (source, events) = listen(auth.builder(vault.credentials()));
    source.token().expect_err("refused");
    vault.set([None]);
    auth.advance(1000);
    for _ in 0..3 {
        assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
    }
    assert_eq!(seen(&events)[2..], ["not sent", "throttled", "throttled", "throttled"]);
    assert_eq!((auth.asked().len(), vault.calls()), (1, 3));
}

#[test]
fn d49_a_caller_without_time_for_a_request_does_not_ask() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    let source = refused(&auth, &vault);
    vault.set([Some("new")]);
    auth.advance(1000);
    assert_eq!(code(source.token_within(Duration::ZERO)).as_deref(), Some("invalid_client"));
    assert_eq!(vault.calls(), 2);
    source.token_within(seconds(1)).expect("a token");
}

#[test]
fn d49_a_closure_that_takes_all_the_time_of_its_caller_costs_that_caller_alone() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    let (reader, hands, takes) = (vault.clone(), auth.0.clock.clone(), Arc::new(AtomicU32::new(0)));
    let time = Arc::clone(&takes);
    let slow = Credentials::with_secret_from("id", move || {
        hands.advance(seconds(time.load(Ordering::SeqCst).into()));
        reader.read()
    });
    let source = auth.builder(slow).build().expect("a source");
    source.token().expect_err("refused");
    vault.set([Some("new")]);
    auth.advance(1000);
    takes.store(40, Ordering::SeqCst);
    let error = source.token().expect_err("out of time");
    assert!(error.to_string().contains("the closure for the secret"), "{error}");
    takes.store(0, Ordering::SeqCst);
    source.token().expect("a token");
    assert_eq!(auth.asked(), ["old", "new"]);
}

/// A closure that, from its third call on, hangs until it may go on.
fn hanging(vault: &Vault) -> (Credentials, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (asked, is_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let (reader, may_go) = (vault.clone(), Mutex::new(may_go));
    let credentials = Credentials::with_secret_from("id", move || {
        let secret = reader.read();
        if reader.calls() > 2 {
            asked.send(()).expect("a listener");
            // With a limit, so that a failing test ends.
            let _ = may_go.lock().expect("no panic").recv_timeout(seconds(20));
        }
        secret
    });
    (credentials, is_asked, go)
}

#[test]
fn d49_a_closure_that_hangs_while_it_is_asked_holds_up_its_own_caller_alone() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    let (credentials, is_asked, go) = hanging(&vault);
    let source = auth.builder(credentials).build().expect("a source");
    source.token().expect_err("refused");
    auth.advance(1000);
    thread::scope(|scope| {
        let hung = scope.spawn(|| code(source.token()));
        is_asked.recv().expect("one caller asks");
        for _ in 0..16 {
            let others: Vec<_> = (0..16).map(|_| scope.spawn(|| code(source.token()))).collect();
            for other in others {
                assert_eq!(other.join().expect("no panic").as_deref(), Some("invalid_client"));
            }
            auth.advance(1900);
        }
        let calls = vault.calls();
        // After the timeout of the source, the one that hangs counts as lost.
        auth.advance(1000);
        let next = scope.spawn(|| code(source.token()));
        is_asked.recv().expect("another caller asks");
        go.send(()).expect("the closure waits");
        go.send(()).expect("the closure waits");
        assert_eq!(hung.join().expect("no panic").as_deref(), Some("invalid_client"));
        assert_eq!(next.join().expect("no panic").as_deref(), Some("invalid_client"));
        assert_eq!((calls, auth.asked().len()), (3, 1));
    });
}

#[test]
fn d49_a_closure_that_panics_while_it_is_asked_hurts_its_own_caller_alone() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    let reader = vault.clone();
    let credentials = Credentials::with_secret_from("id", move || {
        let secret = reader.read();
        assert!(reader.calls() != 3, "the user's closure");
        secret
    });
    let source = auth.builder(credentials).build().expect("a source");
    source.token().expect_err("refused");
    vault.set([Some("new")]);
    auth.advance(1000);
    let panicking = source.clone();
    assert!(thread::spawn(move || drop(panicking.token())).join().is_err());
    assert_eq!(code(source.token()).as_deref(), Some("invalid_client"));
    // Until it counts as lost.
    auth.advance(31_000);
    source.token().expect("a token");
}

#[test]
fn d49_sixteen_callers_find_another_secret_with_one_question_and_one_request() {
    for _ in 0..50 {
        let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
        let source = refused(&auth, &vault);
        vault.set([Some("new")]);
        auth.advance(1000);
        let together = Barrier::new(16);
        let got: Vec<_> = thread::scope(|scope| {
            let work = || {
                together.wait();
                source.token().map_err(|error| error.to_string())
            };
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let (tokens, errors): (Vec<_>, Vec<_>) = got.into_iter().partition(Result::is_ok);
        assert!(tokens.iter().flatten().all(|token| token.secret() == "T2") && !tokens.is_empty());
        // Those that came while the closure was asked.
        assert!(errors.iter().all(|error| error.as_ref().is_err_and(|text| text.contains("invalid_client"))));
        assert_eq!((auth.asked(), vault.calls()), (vec!["old".into(), "new".into()], 4));
        assert_eq!(source.token().expect("a token").secret(), "T2");
    }
}

#[test]
fn d49_sixteen_callers_of_a_secret_that_stays_the_same_ask_once_a_second() {
    let (vault, auth) = (Vault::new([Some("old")]), Auth::new("new"));
    let source = refused(&auth, &vault);
    for second in 1..=20 {
        auth.advance(1001);
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| code(source.token()));
            }
        });
        assert_eq!((auth.asked().len(), vault.calls()), (1, 2 + second));
    }
}

#[test]
fn d49_sources_that_share_a_token_share_the_question() {
    let (vault, auth, cache) = (Vault::new([Some("old")]), Auth::new("new"), TokenCache::default());
    let credentials = vault.credentials();
    let build = || auth.builder(credentials.clone()).cache(&cache).build().expect("a source");
    let (one, two) = (build(), build());
    one.token().expect_err("refused");
    auth.advance(1000);
    two.token().expect_err("the same secret");
    one.token().expect_err("asked already");
    assert_eq!(vault.calls(), 3);
    vault.set([Some("new")]);
    auth.advance(1000);
    assert_eq!(two.token().expect("a token").secret(), "T2");
    assert_eq!(one.token().expect("a token").secret(), "T2");
}
