use super::*;

#[test]
fn a_waiter_with_little_time_is_back_by_then_and_the_leader_goes_on() {
    let script = Script::new();
    let (is_asked, go) = stalled(&script, "T1");
    // The system's clock: the waiter's budget is real time.
    let source = TokenSource::builder(Credentials::new("id", "s"), question())
        .transport(script.clone())
        .build()
        .expect("a source");
    let leader = {
        let source = source.clone();
        thread::spawn(move || source.token().expect("a token").secret().to_owned())
    };
    is_asked.recv().expect("the leader asks");
    let error = source.token_within(Duration::from_millis(50)).expect_err("out of time");
    assert!(matches!(&error, Error::Transport(failure) if failure.kind() == TransportErrorKind::Timeout));
    go.send(()).expect("the token endpoint waits");
    assert_eq!(leader.join().expect("no panic"), "T1");
    assert_eq!(source.token().expect("a token").secret(), "T1");
}

#[test]
fn a_leader_with_little_time_fails_alone() {
    let script = Script::new();
    let clock = script.clock();
    script.answer(move |_, attempt| {
        assert_eq!(about(attempt.timeout), Duration::from_millis(50));
        clock.advance(attempt.timeout);
        Err(TransportError::new(TransportErrorKind::Timeout, "slow"))
    });
    script.token("T1", 60);
    let source = source(&script);
    source.token_within(Duration::from_millis(50)).expect_err("out of time");
    assert_eq!(source.token().expect("not remembered as a failure").secret(), "T1");
}

#[test]
fn one_stalled_question_does_not_delay_another() {
    let script = Script::new();
    let cache = TokenCache::default();
    let with_scope = |scope| {
        TokenSource::builder(Credentials::new("id", "s"), question().scope(scope).expect("a scope"))
            .transport(script.clone())
            .clock(script.clock())
            .cache(&cache)
            .build()
            .expect("a source")
    };
    let (is_asked, go) = stalled(&script, "A");
    let a = with_scope("a");
    let stuck = thread::spawn(move || a.token().expect("a token").secret().to_owned());
    is_asked.recv().expect("A is asked for");
    script.token("B", 60);
    assert_eq!(with_scope("b").token().expect("a token").secret(), "B");
    go.send(()).expect("the token endpoint waits");
    assert_eq!(stuck.join().expect("no panic"), "A");
}

#[test]
fn one_elected_caller_renews_inside_the_window_and_nobody_else_waits() {
    let script = Script::new();
    script.token("T1", 3600);
    let source = source(&script);
    source.token().expect("a token");
    script.clock().advance(seconds(3300));
    let (is_asked, go) = stalled(&script, "T2");
    let elected = {
        let source = source.clone();
        thread::spawn(move || source.token().expect("a token").secret().to_owned())
    };
    is_asked.recv().expect("one caller renews");
    for _ in 0..100 {
        assert_eq!(source.token().expect("a token").secret(), "T1");
    }
    go.send(()).expect("the token endpoint waits");
    assert_eq!(elected.join().expect("no panic"), "T2");
    assert_eq!((source.inspect().waits, script.requests().len()), (0, 2));
}

#[test]
fn a_caller_with_less_time_than_the_spacing_of_fetches_is_told_so_at_once() {
    let script = Script::new();
    script.token("T1", 0);
    let source = builder(&script).fallback_lifetime(Some(Duration::ZERO)).build().expect("a source");
    source.token().expect("a token for this call only");
    let before = client_credentials::Clock::now(&script.clock());
    // The next fetch is due in a second; with exactly as much nothing would be left for it.
    for little in [999, if ticks() { 999 } else { 1000 }] {
        let error = source.token_within(Duration::from_millis(little)).expect_err("out of time");
        assert!(matches!(&error, Error::Transport(failure) if failure.kind() == TransportErrorKind::Timeout));
    }
    assert_eq!(about(client_credentials::Clock::now(&script.clock()).since(&before)), Duration::ZERO);
    assert_eq!(script.requests().len(), 1);
    // Nobody leads meanwhile.
    script.token("T2", 60);
    assert_eq!(source.token().expect("a token").secret(), "T2");
}
