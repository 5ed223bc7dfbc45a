use super::*;

#[test]
fn st_01_a_revoked_token_is_replaced_and_the_request_replayed() {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T2", 3600);
    let (log, api) = api(vec![answer(401, INVALID_TOKEN), answer(200, None)]);
    assert_eq!(call(&source(&script), get(), api).expect("an answer").status(), 200);
    assert_eq!(seen(&log), ["Bearer T1", "Bearer T2"]);
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn st_02_the_second_401_goes_to_the_caller() {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T2", 3600);
    let (log, api) = api(vec![answer(401, INVALID_TOKEN), answer(401, Some("Bearer realm=\"second\""))]);
    let response = call(&source(&script), get(), api).expect("an answer");
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"second\"");
    assert_eq!((seen(&log).len(), script.requests().len()), (2, 2));
}

#[test]
fn st_03_a_body_that_cannot_be_sent_again_still_drops_the_token() {
    let script = Script::new();
    script.token("T1", 3600);
    let source = source(&script);
    let token = source.token().expect("a token");
    assert!(source.refused(&token));
    assert_eq!(script.requests().len(), 1);
    script.token("T2", 3600);
    assert_eq!(source.token().expect("a token").secret(), "T2");
}

#[test]
fn st_06_st_14_st_20_other_statuses_are_no_refusal_of_the_token() {
    let script = Script::new();
    script.token("T1", 3600);
    let source = source(&script);
    let scope = Some("Bearer error=\"insufficient_scope\", scope=\"admin\"");
    for response in
        [answer(403, scope), answer(407, INVALID_TOKEN), answer(200, INVALID_TOKEN), answer(403, INVALID_TOKEN)]
    {
        assert_eq!(sent(&source).answered(&response), None);
    }
    assert_eq!(source.token().expect("a token").secret(), "T1");
    assert_eq!(script.requests().len(), 1);
}

#[test]
fn st_07_many_callers_of_an_empty_cache_make_one_request() {
    let script = Script::new();
    let waiting = Arc::new(Barrier::new(8));
    script.token("T1", 3600);
    let source = source(&script);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (source, waiting) = (source.clone(), Arc::clone(&waiting));
            thread::spawn(move || {
                waiting.wait();
                source.token().expect("a token").secret().to_owned()
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().expect("no panic") == "T1"));
    assert_eq!(script.requests().len(), 1);
}

#[test]
fn st_08_a_late_401_of_the_old_token_takes_the_new_one_without_asking() {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T2", 3600);
    let source = source(&script);
    let (one, late) = (sent(&source), sent(&source));
    let response = answer(401, INVALID_TOKEN);
    assert_eq!(one.answered(&response).as_deref(), Some("T2"));
    assert_eq!(late.answered(&response).as_deref(), Some("T2"));
    assert_eq!(source.token().expect("a token").secret(), "T2");
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn st_08_a_401_while_another_caller_renews_joins_that_renewal() {
    let script = Script::new();
    script.token("T1", 3600);
    let source = source(&script);
    let (first, second) = (sent(&source), sent(&source));
    let (is_asked, go) = stalled(&script, "T2");
    thread::scope(|scope| {
        let first = scope.spawn(|| first.answered(&answer(401, INVALID_TOKEN)));
        is_asked.recv().expect("the token endpoint is asked");
        let second = scope.spawn(|| second.answered(&answer(401, INVALID_TOKEN)));
        while source.inspect().waits == 0 {
            thread::yield_now();
        }
        go.send(()).expect("the token endpoint waits");
        assert_eq!(first.join().expect("no panic").as_deref(), Some("T2"));
        assert_eq!(second.join().expect("no panic").as_deref(), Some("T2"));
    });
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn st_09_a_401_without_a_challenge_is_a_refusal_too() {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T2", 3600);
    let (log, api) = api(vec![answer(401, None), answer(200, None)]);
    assert_eq!(call(&source(&script), get(), api).expect("an answer").status(), 200);
    assert_eq!(seen(&log).len(), 2);
}

#[test]
fn st_10_d10_a_401_is_a_refusal_whatever_word_its_challenge_has() {
    for error in ["invalid_request", "token_expired"] {
        let script = Script::new();
        script.token("T1", 3600);
        script.token("T2", 3600);
        let (log, api) = api(vec![answer(401, Some(&format!("Bearer error=\"{error}\""))), answer(200, None)]);
        assert_eq!(call(&source(&script), get(), api).expect("an answer").status(), 200, "{error}");
        assert_eq!((seen(&log), script.requests().len()), (vec!["Bearer T1".into(), "Bearer T2".into()], 2));
    }
}

#[test]
fn st_10b_d33_a_400_that_says_invalid_token_is_a_refusal() {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T2", 3600);
    let (log, api) = api(vec![answer(400, INVALID_TOKEN), answer(200, None)]);
    assert_eq!(call(&source(&script), get(), api).expect("an answer").status(), 200);
    assert_eq!((seen(&log), script.requests().len()), (vec!["Bearer T1".into(), "Bearer T2".into()], 2));
}

#[test]
fn st_10c_d34_tokens_that_were_accepted_are_renewed_as_often_as_they_are_refused() {
    let script = Script::new();
    for token in ["T1", "T2", "T3"] {
        script.token(token, 3600);
    }
    let source = source(&script);
    let (refused, accepted) = (|| answer(401, INVALID_TOKEN), || answer(200, None));
    let (log, mut api) = api(vec![accepted(), refused(), accepted(), refused(), accepted()]);
    let before = client_credentials::Clock::now(&script.clock());
    for _ in 0..3 {
        assert_eq!(call(&source, get(), &mut api).expect("an answer").status(), 200);
    }
    assert_eq!(seen(&log), ["T1", "T1", "T2", "T2", "T3"].map(|token| format!("Bearer {token}")));
    assert_eq!(script.requests().len(), 3);
    let apart = client_credentials::Clock::now(&script.clock()).since(&before);
    assert_eq!(about(apart), seconds(2), "fetches of one key are a second apart");
}

#[test]
fn st_10_d10_a_challenge_that_asks_for_something_else_renews_nothing() {
    let script = Script::new();
    script.token("T1", 3600);
    let (source, events) = listen(builder(&script));
    for error in ["insufficient_user_authentication", "insufficient_scope"] {
        let (_, api) = api(vec![answer(401, Some(&format!("Bearer error=\"{error}\"")))]);
        assert_eq!(call(&source, get(), api).expect("an answer").status(), 401);
    }
    assert_eq!(script.requests().len(), 1);
    assert_eq!(seen(&events)[2..], ["refused Useless", "refused Useless"]);
}

#[test]
fn st_12_a_token_endpoint_that_says_401_is_not_asked_again() {
    let script = Script::new();
    script.json(401, r#"{"error":"invalid_client"}"#);
    let (log, api) = api(vec![]);
    let error = call(&source(&script), get(), api).expect_err("an error");
    assert!(matches!(&error, Error::Denied(denied) if denied.code() == Some("invalid_client")));
    assert_eq!((seen(&log).len(), script.requests().len()), (0, 1));
}

#[test]
fn st_18_d20_if_the_renewal_fails_the_caller_keeps_the_401() {
    let script = Script::new();
    script.token("T1", 3600);
    let (source, events) = listen(builder(&script).retries(0));
    script.json(503, "");
    let (_, mut api) = api(vec![answer(401, Some("Bearer realm=\"the original\""))]);
    let response = call(&source, get(), &mut api).expect("an answer");
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"the original\"");
    let events = seen(&events);
    assert!(events.contains(&"answered Some(503) false".to_owned()), "{events:?}");
    assert_eq!(events.last().map(String::as_str), Some("refused RenewalFailed"));
}

#[test]
fn st_19_a_401_on_one_question_leaves_the_other() {
    let script = Script::new();
    script.token("A1", 3600);
    script.token("B1", 3600);
    script.token("A2", 3600);
    let cache = TokenCache::default();
    let with_scope = |scope| {
        TokenSource::builder(Credentials::new("id", "s"), question().scope(scope).expect("a scope"))
            .transport(script.clone())
            .clock(script.clock())
            .cache(&cache)
            .build()
            .expect("a source")
    };
    let (a, b) = (with_scope("a"), with_scope("b"));
    let (a1, b1) = (sent(&a), b.token().expect("a token"));
    assert_eq!(a1.answered(&answer(401, None)).as_deref(), Some("A2"));
    assert_eq!(b.token().expect("a token").secret(), b1.secret());
    assert_eq!(script.requests().len(), 3);
}

#[test]
fn d12_the_very_same_token_again_is_not_replayed_nor_asked_for_at_once() {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T1", 3600);
    let (source, events) = listen(builder(&script));
    for _ in 0..5 {
        let (log, api) = api(vec![answer(401, INVALID_TOKEN)]);
        assert_eq!(call(&source, get(), api).expect("an answer").status(), 401);
        assert_eq!(seen(&log).len(), 1);
    }
    assert_eq!(script.requests().len(), 2);
    let verdicts: Vec<_> = seen(&events).into_iter().filter(|event| event.starts_with("refused")).collect();
    assert_eq!(verdicts[..2], ["refused SameToken", "refused TooSoon"]);
}

#[test]
fn an_api_that_refuses_everything_costs_one_renewal_in_ten_seconds() {
    let script = Script::new();
    for number in 0..100 {
        script.token(&format!("T{number}"), 3600);
    }
    let source = source(&script);
    for _ in 0..1000 {
        let response = call(&source, get(), |_| answer(401, INVALID_TOKEN)).expect("an answer");
        assert_eq!(response.status(), 401);
        script.clock().advance(Duration::from_millis(100));
    }
    let requests = script.requests().len();
    assert!((2..=1 + 1 + 10).contains(&requests), "{requests} token requests in about 100 s");
}

#[test]
fn refusing_an_unknown_token_does_the_cached_one_no_harm() {
    let (script, other) = (Script::new(), Script::new());
    script.token("T1", 3600);
    other.token("X", 3600);
    let source = source(&script);
    source.token().expect("a token");
    let foreign = self::source(&other).token().expect("a token");
    assert!(source.refused(&foreign), "the cached one is another");
    assert_eq!(source.token().expect("a token").secret(), "T1");
}

/// What an API answers to a token that has expired, if it does not speak of it as RFC 6750 does.
fn expired() -> Response<&'static str> {
    Response::builder().status(403).header("x-error", "expired").body("").expect("a response")
}

/// A source that knows such an answer, and counts how often it is asked about one.
fn knows_expired(script: &Script) -> (TokenSourceBuilder, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let builder = builder(script).refused_when(move |status, headers| {
        counter.fetch_add(1, Ordering::Relaxed);
        status == 403 && headers.get("x-error").is_some_and(|error| error == "expired")
    });
    (builder, asked)
}

fn two_tokens() -> Script {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T2", 3600);
    script
}

#[test]
fn d33_an_answer_that_the_program_calls_a_refusal_is_one() {
    let script = two_tokens();
    let (source, events) = listen(knows_expired(&script).0);
    assert_eq!(sent(&source).answered(&answer(403, None)), None, "this one is about something else");
    assert_eq!(sent(&source).answered(&answer(403, INVALID_TOKEN)), None);
    assert_eq!(script.requests().len(), 1);
    assert_eq!(sent(&source).answered(&expired()).as_deref(), Some("T2"));
    assert!(seen(&events).contains(&"refused Replay".to_owned()));
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn d33_the_program_can_add_refusals_and_take_none_away() {
    for refused in [answer(401, None), answer(401, INVALID_TOKEN), answer(400, INVALID_TOKEN)] {
        let source = builder(&two_tokens()).refused_when(|_, _| false).build().expect("a source");
        assert_eq!(sent(&source).answered(&refused).as_deref(), Some("T2"));
    }
}

#[test]
fn d33_the_program_is_asked_about_errors_that_would_not_renew_the_token() {
    let cases = [
        (answer(200, INVALID_TOKEN), 0),
        (answer(204, None), 0),
        (answer(302, None), 0),
        (answer(399, None), 0),
        (answer(400, None), 1),
        (answer(404, None), 1),
        (answer(503, None), 1),
        (answer(999, None), 1),
        (answer(400, INVALID_TOKEN), 0),
        (answer(401, None), 0),
        (answer(401, Some("Bearer error=\"insufficient_scope\"")), 1),
    ];
    for (response, times) in cases {
        let (builder, asked) = knows_expired(&two_tokens());
        let _ = sent(&builder.build().expect("a source")).answered(&response);
        assert_eq!(asked.load(Ordering::Relaxed), times, "{response:?}");
    }
}

#[test]
fn d33_the_program_knows_better_than_a_challenge_that_speaks_of_something_else() {
    let source = builder(&two_tokens()).refused_when(|status, _| status == 401).build().expect("a source");
    let useless = answer(401, Some("Bearer error=\"insufficient_scope\""));
    assert_eq!(sent(&source).answered(&useless).as_deref(), Some("T2"));
}

#[test]
fn d33_the_second_answer_goes_to_the_caller_and_is_not_taken_for_an_acceptance() {
    let script = two_tokens();
    script.token("T3", 3600);
    let source = knows_expired(&script).0.build().expect("a source");
    for _ in 0..2 {
        let (_, api) = api(vec![expired(), expired()]);
        assert_eq!(call(&source, get(), api).expect("an answer").status(), 403);
    }
    // D34: no API took T1 or T2, so T2 is kept for ten seconds.
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn d33_an_api_that_refuses_everything_in_its_own_way_costs_one_renewal_in_ten_seconds() {
    let script = Script::new();
    for number in 0..100 {
        script.token(&format!("T{number}"), 3600);
    }
    let source = knows_expired(&script).0.build().expect("a source");
    for _ in 0..1000 {
        assert_eq!(call(&source, get(), |_| expired()).expect("an answer").status(), 403);
        script.clock().advance(Duration::from_millis(100));
    }
    let requests = script.requests().len();
    assert!((2..=1 + 1 + 10).contains(&requests), "{requests} token requests in about 100 s");
}

#[test]
fn d33_d23_after_a_redirect_such_an_answer_is_no_refusal_either() {
    let script = two_tokens();
    let source = knows_expired(&script).0.build().expect("a source");
    let mut sent = sent(&source);
    sent.call.answered_by(&"https://api.example.com/v1/items/".parse().expect("a URI"));
    assert_eq!(sent.answered(&expired()).as_deref(), Some("T1"));
    assert_eq!(script.requests().len(), 1);
}

/// The other host may say anything about anything. A 401 alone is about a missing token.
#[test]
fn d33_the_program_is_not_asked_about_an_origin_that_is_not_allowed() {
    let (builder, asked) = knows_expired(&Script::new());
    let (source, events) = listen(builder);
    let mut request = Request::get("https://other.example.com/").body("").expect("a request");
    let mut call = source.call(&mut request).expect("no token is needed");
    assert!(!call.retry(&mut request, &expired()) && call.origin_error().is_none());
    assert_eq!((asked.load(Ordering::Relaxed), seen(&events).len()), (0, 0));
}

#[test]
fn d33_the_rule_of_one_source_does_not_decide_for_another_with_its_token() {
    let (script, cache) = (two_tokens(), TokenCache::default());
    let transport = Arc::new(script.clone());
    let shared = |builder: TokenSourceBuilder| {
        builder.transport(Arc::clone(&transport)).cache(&cache).build().expect("a source")
    };
    let (one, other) = (shared(knows_expired(&script).0), shared(builder(&script)));
    let (by_one, by_other) = (sent(&one), sent(&other));
    assert_eq!((by_other.answered(&expired()), script.requests().len()), (None, 1));
    assert_eq!(by_one.answered(&expired()).as_deref(), Some("T2"));
}

#[test]
fn d33_a_panic_of_the_closure_ends_its_own_call_only() {
    let script = two_tokens();
    let (source, events) = listen(builder(&script).refused_when(|status, _| {
        assert_ne!(status, 404, "this test wants the panic");
        status == 403
    }));
    for first in [answer(404, None), expired()] {
        let mut sent = sent(&source);
        let answers = [first, answer(404, None)];
        let result = catch_unwind(AssertUnwindSafe(|| {
            for response in &answers {
                let _ = sent.call.retry(&mut sent.request, response);
            }
        }));
        assert!(result.is_err());
        // The call is over, and does not report an answer that it has read.
        assert!(!sent.call.retry(&mut sent.request, &answer(401, None)));
    }
    assert_eq!(source.token().expect("a token").secret(), "T2");
    assert_eq!(seen(&events)[4..], ["refused Replay", "Replayed { status: Some(404) }"]);
}
