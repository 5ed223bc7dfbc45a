//! What is told.

use super::*;

#[test]
fn an_api_that_lives_at_another_origin_than_the_audience_is_named_once() {
    let (script, api) = (tokens(&["T1"]), Server::replies([reply(200)]));
    let elsewhere = Server::new(|_| reply(401));
    let bare = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&bare);
    let source = builder(&script, &api)
        .on_event(move |event| {
            if matches!(event.kind, EventKind::OriginNotAllowed { .. }) {
                assert!(event.to_string().contains("TokenRequest::allow_origin"), "{event}");
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .expect("a source");
    for status_as_error in [true, false] {
        let agent = agent(&source, status_as_error);
        for _ in 0..3 {
            assert_eq!(status(&get(&agent, &elsewhere.url("/items"))), 401);
        }
        // A 401 of the caller's own credentials is the caller's.
        drop(agent.get(elsewhere.url_by_name("/")).header("authorization", "Basic eDp5").call());
    }
    assert_eq!(source.inspect().origins_not_allowed, [elsewhere.url("")]);
    assert_eq!((bare.load(Ordering::Relaxed), script.requests().len()), (1, 0));
}

/// The events about answers of the API, in the words of `Display` after the colon.
fn told(script: &Script, api: &Server) -> (TokenSource, Arc<Mutex<Vec<String>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let source = builder(script, api).on_event(move |event| {
        if matches!(event.kind, EventKind::Refused { .. } | EventKind::Replayed { .. }) {
            let text = event.to_string();
            lock(&log).push(text.split_once(": ").expect("a colon").1.to_owned());
        }
    });
    (source.build().expect("a source"), events)
}

#[test]
fn a_second_attempt_is_reported_with_its_status_or_without_an_answer() {
    let refused = "the API answered 401: Replay";
    let cases = [
        (reply(200), "request replayed, answer 200"),
        (invalid_token(), "request replayed, answer 401"),
        (reply(500), "request replayed, answer 500"),
        (Reply::hang_up(), "request replayed, no answer"),
    ];
    for (second, replayed) in cases {
        for status_as_error in [true, false] {
            for send in [get, post] {
                let api = Server::replies([invalid_token(), second.clone()]);
                let (source, events) = told(&tokens(&["T1", "T2"]), &api);
                drop(send(&agent(&source, status_as_error), &api.url("/")));
                assert_eq!(*lock(&events), [refused, replayed]);
            }
        }
    }
}

#[test]
fn the_status_of_a_refusal_and_why_no_second_attempt_follows_are_reported() {
    let upload: fn(&Agent, &str) -> Outcome = |agent, url| agent.post(url).send(large(MIB + 1));
    let in_error_mode: fn(&Agent, &str) -> Outcome =
        |agent, url| agent.post(url).config().no_delay(true).build().send("x");
    let useless = challenge(401, r#"Bearer error="insufficient_scope""#);
    let cases = [
        (useless, post as fn(&Agent, &str) -> Outcome, "Useless"),
        (invalid_token(), upload, "NotReplayable"),
        (invalid_token(), in_error_mode, "NotReplayable"),
        (challenge(400, r#"Bearer error="invalid_token""#), upload, "NotReplayable"),
    ];
    for (refused, send, verdict) in cases {
        let api = Server::replies([refused]);
        let (source, events) = told(&tokens(&["T1"]), &api);
        let status = status(&send(&agent(&source, true), &api.url("/")));
        assert_eq!(*lock(&events), [format!("the API answered {status}: {verdict}")]);
    }
}

#[test]
fn the_first_401_of_an_origin_that_is_not_allowed_is_an_error_that_names_the_setting() {
    let (script, api) = (tokens(&["T1"]), Server::new(|_| reply(200)));
    let elsewhere = Server::new(|_| reply(401));
    let source = source(&script, &api);
    // A program that reads statuses gets the status.
    assert!(get(&agent(&source, false), &elsewhere.url("/")).is_ok());
    for agent in [agent(&source, true), source.agent()] {
        let error = our_error(get(&agent, &elsewhere.url("/items")));
        let expected = format!(
            "request not authorized: {} may not receive this token; if it should, name it with \
             TokenRequest::allow_origin",
            elsewhere.url("")
        );
        assert_eq!(error.to_string(), expected);
    }
    // Once a request was authorized, a 401 of somebody else is just that.
    assert_eq!(status(&get(&agent(&source, true), &api.url("/"))), 200);
    let outcome = get(&agent(&source, true), &elsewhere.url("/items"));
    assert!(matches!(outcome, Err(ureq::Error::StatusCode(401))), "{outcome:?}");
}
