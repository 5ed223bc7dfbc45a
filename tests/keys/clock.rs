//! This machine's clock is wrong: assertions say the server's time after the first refusal.

use super::*;

/// A token endpoint with a clock of its own, which refuses assertions that are not valid by it.
fn server(script: &Script, key: &SigningKey, ahead: i64, error: &'static str, dated: bool) {
    for _ in 0..4 {
        let (key, clock) = (key.clone(), script.clock());
        script.answer(move |request, _| {
            let now = unix(clock.now().wall()).checked_add_signed(ahead).expect("a time");
            let claims = claims(&form(request)["client_assertion"], &key);
            let valid = claims["iat"].as_u64() <= Some(now) && claims["exp"].as_u64() > Some(now);
            let answer = if valid { token("t") } else { answer(401, error) };
            Ok(if dated { with_date(answer, now) } else { answer })
        });
    }
}

/// A token endpoint that refuses whatever it gets, once, by a clock of its own.
fn refusal(script: &Script, ahead: i64) {
    let clock = script.clock();
    script.answer(move |_, _| {
        let now = unix(clock.now().wall()).checked_add_signed(ahead).expect("a time");
        Ok(with_date(answer(401, INVALID_CLIENT), now))
    });
}

fn with_date(mut answer: Response<Vec<u8>>, now: u64) -> Response<Vec<u8>> {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
    answer.headers_mut().insert("date", date.parse().expect("a header"));
    answer
}

const INVALID_CLIENT: &str = r#"{"error":"invalid_client"}"#;

#[test]
fn after_a_refusal_the_time_of_the_server_is_used_at_once_and_from_then_on() {
    for ahead in [300, 3600, -300, -3600, 86_400] {
        let (script, key) = (Script::new(), key());
        server(&script, &key, ahead, INVALID_CLIENT, true);
        let offsets = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&offsets);
        let source = builder(with_key(&key), &script).retries(0).on_event(move |event| {
            if let EventKind::ClockCorrected { offset, .. } = event.kind {
                seen.lock().expect("a list").push(offset);
            }
        });
        let source = source.build().expect("a source");
        let before = script.clock().now().wall();
        source.token().expect("a token");
        assert_eq!(script.clock().now().wall(), before, "no pause");
        assert_eq!(script.requests().len(), 2, "{ahead}");
        // The offset is known now.
        script.clock().advance(Duration::from_secs(3600));
        source.token().expect("another token");
        assert_eq!(script.requests().len(), 3, "{ahead}");
        assert_eq!(*offsets.lock().expect("a list"), [ahead]);
    }
}

#[test]
fn the_life_of_a_token_is_counted_by_this_machines_clock() {
    let (script, key) = (Script::new(), key());
    server(&script, &key, 7200, INVALID_CLIENT, true);
    let source = builder(with_key(&key), &script).build().expect("a source");
    let token = source.token().expect("a token");
    assert_eq!(token.sent_at().wall(), script.clock().now().wall());
}

#[test]
fn nothing_is_corrected_without_a_date_or_by_more_than_a_day_or_by_another_refusal() {
    for (ahead, error, dated) in
        [(300, INVALID_CLIENT, false), (86_401, INVALID_CLIENT, true), (300, r#"{"error":"invalid_scope"}"#, true)]
    {
        let (script, key) = (Script::new(), key());
        server(&script, &key, ahead, error, dated);
        let source = builder(with_key(&key), &script).retries(0).build().expect("a source");
        assert!(source.token().is_err());
        assert_eq!(script.requests().len(), 1, "{ahead} {error} {dated}");
    }
}

#[test]
fn anyone_on_the_network_path_could_have_sent_a_date_over_plain_http() {
    for (endpoint, requests) in [("http://auth.example.com/token", 1), ("http://127.0.0.1:8080/token", 2)] {
        let (script, key) = (Script::new(), key());
        refusal(&script, 300);
        refusal(&script, 300);
        let request = TokenRequest::dangerously_over_plain_http(endpoint).expect("a request");
        let source = TokenSource::builder(with_key(&key), request.audience("https://api.example.com"));
        let source = source.transport(script.clone()).clock(script.clock()).retries(0).build().expect("a source");
        assert!(source.token().is_err());
        assert_eq!(script.requests().len(), requests, "{endpoint}");
    }
}

#[test]
fn a_second_refusal_says_how_wrong_the_clock_is() {
    let (script, key) = (Script::new(), key());
    refusal(&script, -312);
    refusal(&script, -312);
    let source = builder(with_key(&key), &script).retries(0).build().expect("a source");
    let error = source.token().expect_err("an error").to_string();
    assert!(error.ends_with("; this machine's clock is 312 s ahead of the server's"), "{error}");
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn an_assertion_from_elsewhere_is_not_repeated_for_the_clock_and_says_when_it_expired() {
    let script = Script::new();
    refusal(&script, 3600);
    let expired = unix(script.clock().now().wall()) - 7200;
    let jwt =
        format!("{}.{}.sig", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{expired}}}"#)));
    let credentials = Credentials::with_assertion_from("id", move || Ok(Secret::from(jwt.as_str())));
    let source = builder(credentials, &script).retries(0).build().expect("a source");
    let error = source.token().expect_err("an error").to_string();
    assert!(error.ends_with("the assertion expired 2 h ago; does something still write it?"), "{error}");
    assert_eq!(script.requests().len(), 1);
}
