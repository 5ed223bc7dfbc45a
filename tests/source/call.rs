//! `Call` by itself: what an adapter for any HTTP client relies on.

use http::{HeaderMap, Method, StatusCode, Uri};

use super::*;

fn tokens(tokens: &[&str]) -> Script {
    let script = Script::new();
    for token in tokens {
        script.token(token, 3600);
    }
    script
}

/// The verdicts and second attempts that were reported.
fn about_the_api(log: &Log) -> Vec<String> {
    let is_about_the_token = |event: &String| event.starts_with("requested") || event.starts_with("answered");
    seen(log).into_iter().filter(|event| !is_about_the_token(event)).collect()
}

fn authorization<B>(request: &Request<B>) -> Option<&str> {
    request.headers().get("authorization").map(|value| value.to_str().expect("ASCII"))
}

#[test]
fn a_call_to_a_foreign_origin_changes_nothing_and_only_reports_a_401() {
    let script = tokens(&["T1"]);
    let (source, events) = listen(builder(&script));
    for status in [200, 403, 401, 401] {
        let mut request = Request::get("https://other.example.com/").header("x-mine", "kept").body("").expect("good");
        let mut call = source.call(&mut request).expect("no token is needed");
        assert!(!call.is_authorized());
        for _ in 0..2 {
            assert!(!call.retry(&mut request, &answer(status, INVALID_TOKEN)));
        }
        assert_eq!((authorization(&request), request.headers().len()), (None, 1));
        drop(call);
        assert_eq!(seen(&events).len(), usize::from(status == 401));
    }
    assert_eq!(seen(&events), [r#"OriginNotAllowed { origin: "https://other.example.com" }"#]);
    assert_eq!(source.inspect().origins_not_allowed, ["https://other.example.com"]);
    assert_eq!(script.requests().len(), 0);
}

#[test]
fn a_call_with_an_authorization_of_its_own_changes_and_reports_nothing() {
    let script = tokens(&["T1"]);
    let (source, events) = listen(builder(&script));
    for uri in [API, "https://other.example.com/"] {
        for status in [200, 401] {
            let mut request = Request::get(uri).header("authorization", "Basic eDp5").body("").expect("a request");
            let mut call = source.call(&mut request).expect("no token is needed");
            assert!(!call.is_authorized());
            for _ in 0..2 {
                assert!(!call.retry(&mut request, &answer(status, INVALID_TOKEN)));
            }
            assert_eq!(authorization(&request), Some("Basic eDp5"));
        }
    }
    assert_eq!((seen(&events).len(), script.requests().len()), (0, 0));
    assert!(source.inspect().origins_not_allowed.is_empty());
}

#[test]
fn a_passive_call_ignores_what_an_adapter_says_about_it() {
    let (source, events) = listen(builder(&tokens(&[])));
    let mut request = Request::get("https://other.example.com/").body("").expect("a request");
    let mut call = source.prepare().within(Duration::ZERO).authorize(&mut request).expect("no token is needed");
    call.replayable(false).answered_by(&"https://other.example.com/next".parse().expect("a URI"));
    assert!(!call.retry(&mut request, &answer(401, None)));
    assert_eq!(seen(&events), [r#"OriginNotAllowed { origin: "https://other.example.com" }"#]);
}

#[test]
fn a_call_that_is_dropped_before_its_second_answer_is_reported_without_a_status() {
    let (source, events) = listen(builder(&tokens(&["T1", "T2"])));
    let mut request = get();
    let mut call = source.call(&mut request).expect("a token");
    assert!(call.retry(&mut request, &answer(401, INVALID_TOKEN)));
    assert_eq!(about_the_api(&events), ["refused Replay"]);
    drop(call);
    assert_eq!(about_the_api(&events), ["refused Replay", "Replayed { status: None }"]);
}

#[test]
fn a_call_that_is_dropped_at_any_other_time_reports_nothing() {
    let (source, events) = listen(builder(&tokens(&["T1", "T2"])));
    drop(source.call(&mut get()).expect("a token"));
    let mut request = get();
    let mut call = source.call(&mut request).expect("a token");
    assert!(!call.retry(&mut request, &answer(200, None)));
    drop(call);
    assert_eq!(about_the_api(&events).len(), 0);
}

#[test]
fn the_answer_to_the_second_attempt_is_reported_once_with_its_status() {
    for status in [200, 401, 503] {
        let (source, events) = listen(builder(&tokens(&["T1", "T2"])));
        let mut request = get();
        let mut call = source.call(&mut request).expect("a token");
        assert!(call.retry(&mut request, &answer(401, INVALID_TOKEN)));
        assert!(!call.retry(&mut request, &answer(status, INVALID_TOKEN)));
        drop(call);
        let replayed = format!("Replayed {{ status: Some({status}) }}");
        assert_eq!(about_the_api(&events), ["refused Replay", &replayed]);
    }
}

#[test]
fn retry_is_never_true_twice_whatever_the_answers() {
    let statuses = [200, 401, 500];
    for first in statuses {
        for second in statuses {
            for third in statuses {
                let script = tokens(&["T1", "T2", "T3", "T4"]);
                let source = source(&script);
                let mut request = get();
                let mut call = source.call(&mut request).expect("a token");
                let retries = [first, second, third, 401, 401]
                    .map(|status| call.retry(&mut request, &answer(status, INVALID_TOKEN)));
                assert_eq!(retries, [first == 401, false, false, false, false], "{first} {second} {third}");
                let sent = if first == 401 { "Bearer T2" } else { "Bearer T1" };
                assert_eq!(authorization(&request), Some(sent));
                assert_eq!(script.requests().len(), 1 + usize::from(first == 401));
            }
        }
    }
}

#[test]
fn d23_a_401_after_a_redirect_is_no_refusal() {
    for (target, allowed) in
        [("https://api.example.com/v1/items/", true), (API, true), ("https://other.example.com/", false)]
    {
        let script = tokens(&["T1", "T2"]);
        let (source, events) = listen(builder(&script));
        let mut request = get();
        let mut call = source.call(&mut request).expect("a token");
        call.answered_by(&target.parse().expect("a URI"));
        // A GET goes to where the redirect led, with the same token.
        assert_eq!(call.retry(&mut request, &answer(401, INVALID_TOKEN)), allowed);
        assert!(call.is_authorized() && source.inspect().has_token);
        assert!(!call.retry(&mut request, &answer(200, None)));
        drop(call);
        assert_eq!(about_the_api(&events)[0], "refused Redirected");
        assert_eq!(
            (request.uri().to_string().as_str(), script.requests().len()),
            (if allowed { target } else { API }, 1)
        );
        assert_eq!(authorization(&request), Some("Bearer T1"));
    }
}

#[test]
fn a_redirect_of_the_second_attempt_is_reported_with_the_status_it_led_to() {
    let (source, events) = listen(builder(&tokens(&["T1", "T2"])));
    let mut request = get();
    let mut call = source.call(&mut request).expect("a token");
    assert!(call.retry(&mut request, &answer(401, INVALID_TOKEN)));
    call.answered_by(&Uri::from_static("https://api.example.com/v1/items/"));
    assert!(!call.retry(&mut request, &answer(401, INVALID_TOKEN)));
    drop(call);
    assert_eq!(about_the_api(&events), ["refused Replay", "Replayed { status: Some(401) }"]);
}

#[test]
fn a_request_that_cannot_be_sent_again_drops_the_token_at_a_401() {
    let script = tokens(&["T1", "T2"]);
    let (source, events) = listen(builder(&script));
    let mut request = get();
    let mut call = source.call(&mut request).expect("a token");
    call.replayable(false);
    assert!(!call.retry(&mut request, &answer(401, INVALID_TOKEN)));
    assert_eq!((about_the_api(&events), script.requests().len()), (vec!["refused NotReplayable".to_owned()], 1));
    assert!(!source.inspect().has_token);
    assert_eq!(source.token().expect("another token").secret(), "T2");
}

#[test]
fn a_411_to_a_body_of_unknown_length_is_reported_with_both_ways_out() {
    let put = |length: bool| {
        let request = Request::put(API).header("x-mine", "kept");
        let request = if length { request.header("content-length", "4") } else { request };
        request.body("").expect("a request")
    };
    for (status, replayable, length, reported) in
        [(411, false, false, true), (411, true, false, false), (411, false, true, false), (413, false, false, false)]
    {
        let texts = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&texts);
        let source = builder(&tokens(&["T1"])).on_event(move |event| {
            if matches!(event.kind, EventKind::LengthRequired { origin, .. } if origin == "https://api.example.com") {
                log.lock().expect("a log").push(event.to_string());
            }
        });
        let (source, mut request) = (source.build().expect("a source"), put(length));
        let mut call = source.call(&mut request).expect("a token");
        call.replayable(replayable);
        assert!(!call.retry(&mut request, &answer(status, None)));
        let (case, texts) = (format!("{status} {replayable} {length}"), seen(&texts));
        assert_eq!(texts.len(), usize::from(reported), "{case}");
        assert!(source.inspect().has_token, "{case}");
        assert!(texts.iter().all(|text| {
            text == "id at auth.example.com: https://api.example.com answered 411 to a request whose body has no \
                     stated length; put a Content-Length header on it, or raise TokenSourceBuilder::replay_limit, so \
                     that the body is kept in memory"
        }));
    }
}

#[test]
fn a_411_to_a_request_that_was_left_alone_is_not_reported() {
    let (source, events) = listen(builder(&tokens(&[])));
    let foreign = Request::put("https://other.example.com/").body("").expect("a request");
    let own = Request::put(API).header("authorization", "Basic eDp5").body("").expect("a request");
    for mut request in [foreign, own] {
        let mut call = source.call(&mut request).expect("no token is needed");
        call.replayable(false);
        assert!(!call.retry(&mut request, &answer(411, None)));
    }
    assert_eq!(seen(&events).len(), 0);
}

#[test]
fn the_last_word_about_replayable_counts() {
    for (words, retries) in [(&[false, true][..], true), (&[true, false], false), (&[false, true, false], false)] {
        let source = source(&tokens(&["T1", "T2"]));
        let mut request = get();
        let mut call = source.call(&mut request).expect("a token");
        for word in words {
            call.replayable(*word);
        }
        assert_eq!(call.retry(&mut request, &answer(401, INVALID_TOKEN)), retries, "{words:?}");
    }
}

#[test]
fn a_challenge_that_makes_a_new_token_useless_keeps_the_token_whatever_the_body() {
    let source = source(&tokens(&["T1"]));
    let mut request = get();
    let mut call = source.call(&mut request).expect("a token");
    call.replayable(false);
    assert!(!call.retry(&mut request, &answer(401, Some("Bearer error=\"insufficient_scope\""))));
    assert!(source.inspect().has_token);
}

/// A token endpoint that takes this long for each of these tokens; the time that each request had.
fn slow(tokens: &[&'static str], takes: Duration) -> (Script, Arc<Mutex<Vec<Duration>>>) {
    let (script, times) = (Script::new(), Arc::new(Mutex::new(Vec::new())));
    for &token in tokens {
        let (times, clock) = (Arc::clone(&times), script.clock());
        script.answer(move |_, attempt| {
            times.lock().expect("a log").push(about(attempt.timeout));
            clock.advance(takes);
            Ok(Response::new(format!(r#"{{"access_token":"{token}","expires_in":3600}}"#).into_bytes()))
        });
    }
    (script, times)
}

#[test]
fn within_counts_from_before_the_wait_for_the_token() {
    let (script, times) = slow(&["T1"], seconds(4));
    let source = source(&script);
    let prepared = source.prepare().within(seconds(10));
    script.clock().advance(seconds(1));
    let call = prepared.authorize(&mut get()).expect("a token");
    assert_eq!(*times.lock().expect("a log"), [seconds(9)]);
    assert_eq!(call.time_left().map(about), Some(seconds(5)));
}

#[test]
fn within_bounds_the_renewal_after_a_401() {
    let (script, times) = slow(&["T1", "T2"], seconds(2));
    let source = source(&script);
    let mut request = get();
    let mut call = source.prepare().within(seconds(10)).authorize(&mut request).expect("a token");
    script.clock().advance(seconds(3));
    assert!(call.retry(&mut request, &answer(401, INVALID_TOKEN)));
    assert_eq!(*times.lock().expect("a log"), [seconds(10), seconds(5)]);
    assert_eq!(call.time_left().map(about), Some(seconds(3)));
}

#[test]
fn time_left_counts_down_to_zero_and_no_further() {
    let script = tokens(&["T1"]);
    let source = source(&script);
    let call = source.prepare().within(seconds(10)).authorize(&mut get()).expect("a token");
    for left in [10, 6, 2, 0, 0] {
        assert_eq!(call.time_left().map(about), Some(seconds(left)));
        script.clock().advance(seconds(4));
    }
    assert_eq!(source.call(&mut get()).expect("a token").time_left(), None);
}

#[test]
fn time_left_is_known_for_a_request_without_a_token() {
    let script = tokens(&[]);
    let source = source(&script);
    let mut request = Request::get("https://other.example.com/").body("").expect("a request");
    let call = source.prepare().within(seconds(10)).authorize(&mut request).expect("no token is needed");
    script.clock().advance(seconds(4));
    assert_eq!(call.time_left().map(about), Some(seconds(6)));
}

#[test]
fn a_budget_that_is_used_up_leaves_the_401_to_the_caller() {
    for late in [10, 11] {
        let script = tokens(&["T1", "T2"]);
        let (source, events) = listen(builder(&script));
        let mut request = get();
        let mut call = source.prepare().within(seconds(10)).authorize(&mut request).expect("a token");
        script.clock().advance(seconds(late));
        assert!(!call.retry(&mut request, &answer(401, INVALID_TOKEN)));
        drop(call);
        assert_eq!((about_the_api(&events), script.requests().len()), (vec!["refused RenewalFailed".to_owned()], 1));
        assert!(!source.inspect().has_token, "the refused token is gone");
        assert_eq!(authorization(&request), Some("Bearer T1"));
        // The next call has time, and is not held up by what this one lacked.
        assert_eq!(source.token().expect("a token").secret(), "T2");
    }
}

#[test]
fn a_budget_that_is_used_up_at_once_asks_for_no_token() {
    let script = tokens(&["T1"]);
    let source = source(&script);
    let mut request = get();
    let error = source.prepare().within(Duration::ZERO).authorize(&mut request).expect_err("no time");
    assert!(matches!(&error, Error::Transport(error) if error.kind() == TransportErrorKind::Timeout), "{error}");
    assert_eq!((authorization(&request), script.requests().len()), (None, 0));
    assert_eq!(source.token().expect("a token").secret(), "T1");
}

#[test]
fn a_call_by_parts_does_what_a_call_by_request_does() {
    let (source, events) = listen(builder(&tokens(&["T1", "T2"])));
    let (method, mut uri, mut headers) = (Method::GET, Uri::from_static(API), HeaderMap::new());
    let mut call = source.prepare().authorize_parts(&method, &uri, &mut headers).expect("a token");
    assert_eq!(headers["authorization"], "Bearer T1");
    let refused = answer(401, INVALID_TOKEN);
    assert!(call.retry_parts(&method, &mut uri, &mut headers, StatusCode::UNAUTHORIZED, refused.headers()));
    assert_eq!((&headers["authorization"], uri.to_string().as_str()), (&"Bearer T2".parse().expect("good"), API));
    assert!(!call.retry_parts(&method, &mut uri, &mut headers, StatusCode::OK, &HeaderMap::new()));
    assert_eq!((headers.len(), headers["authorization"].is_sensitive()), (1, true));
    drop(call);
    assert_eq!(about_the_api(&events), ["refused Replay", "Replayed { status: Some(200) }"]);
}

#[test]
fn two_calls_at_once_share_a_renewal_and_each_tells_its_own_story() {
    let script = tokens(&["T1", "T2"]);
    let (source, events) = listen(builder(&script));
    let (mut one, mut two) = (sent(&source), sent(&source));
    let refused = answer(401, INVALID_TOKEN);
    assert!(one.call.retry(&mut one.request, &refused));
    assert!(two.call.retry(&mut two.request, &refused));
    assert!(!two.call.retry(&mut two.request, &answer(200, None)));
    drop((one, two));
    let expected = ["refused Replay", "refused Replay", "Replayed { status: Some(200) }", "Replayed { status: None }"];
    assert_eq!((about_the_api(&events), script.requests().len()), (expected.map(str::to_owned).into(), 2));
}
