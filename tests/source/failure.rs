use super::*;

#[test]
fn st_15_d22_a_refusal_that_retrying_cannot_mend_is_remembered_for_ten_seconds() {
    let script = Script::new();
    script.json(400, r#"{"error":"invalid_scope"}"#);
    script.token("T1", 3600);
    let (source, events) = listen(builder(&script));
    for _ in 0..3 {
        assert!(matches!(source.token(), Err(Error::Denied(denied)) if denied.code() == Some("invalid_scope")));
    }
    assert_eq!(script.requests().len(), 1);
    assert_eq!(seen(&events)[2..], ["throttled", "throttled"]);
    script.clock().advance(seconds(10));
    assert_eq!(source.token().expect("a token").secret(), "T1");
}

#[test]
fn st_16_a_long_retry_after_is_reported_and_remembered() {
    let script = Script::new();
    script.token("T1", 60);
    let source = source(&script);
    source.token().expect("a token");
    script.clock().advance(seconds(60));
    script.answer(|_, _| {
        Ok(Response::builder().status(503).header("retry-after", "30").body(vec![]).expect("a response"))
    });
    script.token("T2", 60);
    for _ in 0..3 {
        assert_eq!(source.token().expect_err("an error").retry_after(), Some(seconds(30)));
    }
    assert_eq!(script.requests().len(), 2);
    script.clock().advance(seconds(30));
    assert_eq!(source.token().expect("a token").secret(), "T2");
}

#[test]
fn a_short_retry_after_is_waited_for_inside_the_call() {
    let script = Script::new();
    script.answer(|_, _| {
        Ok(Response::builder().status(429).header("retry-after", "5").body(vec![]).expect("a response"))
    });
    script.token("T1", 60);
    let before = client_credentials::Clock::now(&script.clock());
    assert_eq!(source(&script).token().expect("a token").secret(), "T1");
    assert_eq!(about(client_credentials::Clock::now(&script.clock()).since(&before)), seconds(5));
}

#[test]
fn st_17_d21_a_good_token_survives_a_failing_renewal_until_it_expires() {
    let script = Script::new();
    script.token("T1", 3600);
    let (source, events) = listen(builder(&script));
    source.token().expect("a token");
    // Stale (early expiry is 30 s), not expired, and nobody answers.
    script.clock().advance(seconds(3575));
    for _ in 0..24 {
        assert_eq!(source.token().expect("the token at hand").secret(), "T1");
        script.clock().advance(seconds(1));
    }
    assert!(seen(&events).contains(&"renewal failed".to_owned()));
    let asked = script.requests().len();
    assert!(asked <= 1 + 6, "backing off: {asked}");
    script.clock().advance(seconds(1));
    assert!(matches!(source.token(), Err(Error::Transport(_))));
}

#[test]
fn transient_failures_are_retried_twice_and_then_typed() {
    let script = Script::new();
    script.fail(unreachable());
    script.json(502, "<html>Bad Gateway</html>");
    script.token("T1", 60);
    let (source, events) = listen(builder(&script));
    assert_eq!(source.token().expect("a token").secret(), "T1");
    assert_eq!(
        seen(&events),
        [
            "requested NoToken 0",
            "answered None false",
            "requested NoToken 1",
            "answered Some(502) false",
            "requested NoToken 2",
            "answered Some(200) true"
        ]
    );
}

#[test]
fn only_what_may_pass_by_itself_is_retried() {
    for (status, body) in [(400, r#"{"error":"invalid_request"}"#), (404, ""), (302, ""), (200, "<html>")] {
        let script = Script::new();
        script.json(status, body);
        source(&script).token().expect_err("an error");
        assert_eq!(script.requests().len(), 1, "{status}");
    }
    for status in [408, 429, 500, 503] {
        let script = Script::new();
        for _ in 0..3 {
            script.json(status, "");
        }
        source(&script).token().expect_err("an error");
        assert_eq!(script.requests().len(), 3, "{status}");
    }
}

#[test]
fn d35_without_the_beginning_of_an_answer_the_request_is_retried_and_after_it_is_not() {
    for (kind, requests) in [
        (TransportErrorKind::Connect, 3),
        (TransportErrorKind::Closed, 3),
        (TransportErrorKind::Timeout, 3),
        (TransportErrorKind::Tls, 1),
        (TransportErrorKind::BodyTooLarge, 1),
        (TransportErrorKind::Other, 1),
    ] {
        let script = Script::new();
        for _ in 0..requests {
            script.fail(TransportError::new(kind, "no"));
        }
        script.token("T1", 3600);
        let error = source(&script).token().expect_err("an error");
        assert_eq!((script.requests().len(), error.is_retryable()), (requests, requests == 3), "{kind:?}");
    }
}

#[test]
fn d35_a_connection_that_is_closed_before_the_answer_costs_one_retry_and_no_call() {
    let script = Script::new();
    script.fail(TransportError::new(TransportErrorKind::Closed, "Peer disconnected"));
    script.token("T1", 3600);
    assert_eq!(source(&script).token().expect("a token").secret(), "T1");
}

#[test]
fn all_retries_fit_into_the_timeout() {
    let script = Script::new();
    let clock = script.clock();
    for _ in 0..10 {
        let clock = clock.clone();
        script.answer(move |_, attempt| {
            clock.advance(attempt.timeout.min(seconds(9)));
            Err(TransportError::new(TransportErrorKind::Timeout, "slow"))
        });
    }
    let before = client_credentials::Clock::now(&clock);
    let error = builder(&script).timeout(seconds(10)).retries(100).build().expect("a source").token();
    assert!(matches!(error, Err(Error::Transport(_))));
    assert!(about(client_credentials::Clock::now(&clock).since(&before)) <= seconds(10));
}

#[test]
fn a_failure_goes_to_everybody_who_waited_for_it() {
    let script = Script::new();
    let (go, may_go) = mpsc::channel::<()>();
    script.answer(move |_, _| {
        may_go.recv().expect("a word");
        Ok(Response::builder().status(400).body(br#"{"error":"invalid_client"}"#.to_vec()).expect("a response"))
    });
    let source = source(&script);
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let source = source.clone();
            thread::spawn(move || source.token().expect_err("an error").to_string())
        })
        .collect();
    while source.inspect().waits < 7 {
        thread::yield_now();
    }
    go.send(()).expect("the token endpoint waits");
    let errors: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    assert!(errors.iter().all(|error| *error == errors[0] && error.contains("invalid_client")));
    assert_eq!(script.requests().len(), 1);
}

#[test]
fn a_panicking_leader_strands_and_poisons_nobody() {
    let script = Script::new();
    script.answer(|_, _| panic!("the user's transport"));
    script.token("T1", 60);
    let source = source(&script);
    let leader = {
        let source = source.clone();
        thread::spawn(move || source.token().map(drop))
    };
    assert!(leader.join().is_err(), "the panic reaches its own thread");
    assert_eq!(source.token().expect("a token").secret(), "T1");
}

#[test]
fn a_secret_that_cannot_be_read_is_named_and_asked_for_again_soon() {
    let script = Script::new();
    script.token("T1", 60);
    let sealed = Arc::new(AtomicU32::new(1));
    let vault = Arc::clone(&sealed);
    let credentials = Credentials::with_secret_from("id", move || {
        if vault.load(Ordering::SeqCst) == 1 { Err("vault is sealed".into()) } else { Ok(Secret::from("s")) }
    });
    let source = TokenSource::builder(credentials, question())
        .transport(script.clone())
        .clock(script.clock())
        .build()
        .expect("a source");
    let error = source.token().expect_err("an error");
    assert!(matches!(error, Error::Credentials(_)));
    assert!(std::error::Error::source(&error).is_some_and(|cause| cause.to_string() == "vault is sealed"));
    sealed.store(0, Ordering::SeqCst);
    script.clock().advance(seconds(1));
    assert_eq!(source.token().expect("a token").secret(), "T1");
}

#[test]
fn d35_a_secret_that_cannot_be_read_for_a_moment_costs_a_retry_and_no_call() {
    let script = Script::new();
    script.token("T1", 60);
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let credentials = Credentials::with_secret_from("id", move || match counter.fetch_add(1, Ordering::SeqCst) {
        0 => Err("the vault is starting".into()),
        _ => Ok(Secret::from("s")),
    });
    let source = TokenSource::builder(credentials, question()).transport(script.clone()).clock(clock(&script));
    assert_eq!(source.build().expect("a source").token().expect("a token").secret(), "T1");
    assert_eq!((calls.load(Ordering::SeqCst), script.requests().len()), (2, 1));
}

#[test]
fn an_answer_larger_than_the_limit_is_refused_whatever_the_transport_let_through() {
    let script = Script::new();
    script.answer(|_, attempt| Ok(Response::new(vec![b' '; attempt.max_body + 1])));
    let error = source(&script).token().expect_err("an error");
    assert!(matches!(&error, Error::Transport(failure) if failure.kind() == TransportErrorKind::BodyTooLarge));
}

#[test]
fn a_source_that_needs_itself_says_so_instead_of_waiting() {
    let script = Script::new();
    let inner: Arc<Mutex<Option<TokenSource>>> = Arc::default();
    let own = Arc::clone(&inner);
    let (report, reported) = mpsc::channel();
    script.answer(move |_, _| {
        let source = own.lock().expect("no panic").clone().expect("a source");
        report.send(source.token().map(drop)).expect("a listener");
        Err(unreachable())
    });
    let source = builder(&script).retries(0).build().expect("a source");
    *inner.lock().expect("no panic") = Some(source.clone());
    source.token().expect_err("an error");
    assert!(matches!(reported.recv().expect("a report"), Err(Error::Configuration(_))));
}

#[test]
fn every_error_of_a_token_request_names_host_and_port_of_the_endpoint() {
    let endpoint = |script: &Script| {
        let request = TokenRequest::new("https://auth.example.com:8443/token").expect("a request");
        let request = request.audience("https://api.example.com");
        let source =
            TokenSource::builder(Credentials::new("id", "s"), request).transport(script.clone()).clock(script.clock());
        match source.retries(0).build().expect("a source").token().expect_err("an error") {
            Error::Denied(error) => (error.endpoint().to_owned(), Some(error.status())),
            Error::Protocol(error) => (error.endpoint().to_owned(), Some(error.status())),
            Error::Transport(error) => (error.endpoint().to_owned(), None),
            other => panic!("{other:?}"),
        }
    };
    let script = Script::new();
    script.json(400, r#"{"error":"invalid_scope"}"#);
    script.json(200, "<html>");
    script.fail(unreachable());
    for status in [Some(400), Some(200), None] {
        assert_eq!(endpoint(&script), ("auth.example.com:8443".to_owned(), status));
    }
}

#[test]
fn the_cause_of_a_transport_failure_is_its_source() {
    let script = Script::new();
    let refused = std::io::Error::other(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
    script.fail(TransportError::new(TransportErrorKind::Connect, refused));
    let error = builder(&script).retries(0).build().expect("a source").token().expect_err("an error");
    let cause = std::error::Error::source(&error).expect("a cause");
    assert_eq!(cause.to_string(), "connection refused");

    let error = TransportError::new(TransportErrorKind::Other, error);
    assert!(error.to_string().contains("could not connect"), "{error}");
    let cause = std::error::Error::source(&error).expect("the cause of what it holds");
    assert_eq!(cause.to_string(), "connection refused");
}
