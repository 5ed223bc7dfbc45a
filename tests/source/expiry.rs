use super::*;

#[test]
fn ex_01_ex_02_a_token_ages_from_before_its_request_was_sent() {
    let script = Script::new();
    let clock = script.clock();
    script.answer(move |_, _| {
        clock.advance(seconds(25));
        Ok(Response::new(br#"{"access_token":"T1","expires_in":3600}"#.to_vec()))
    });
    let source = builder(&script).early_expiry(Duration::ZERO).build().expect("a source");
    source.token().expect("a token");
    assert_eq!(source.inspect().expires_in.map(about), Some(seconds(3575)));
    script.clock().advance(seconds(3574));
    assert!(source.inspect().has_token);
    script.clock().advance(seconds(1));
    assert!(!source.inspect().has_token);
}

#[test]
fn ex_01_only_the_elected_caller_waits_for_a_renewal_while_the_token_is_usable() {
    let script = Script::new();
    script.token("T1", 3600);
    let source = builder(&script).early_expiry(seconds(30)).build().expect("a source");
    source.token().expect("a token");
    script.clock().advance(seconds(3569));
    let (is_asked, go) = stalled(&script, "T2");
    let elected = {
        let source = source.clone();
        thread::spawn(move || source.token().expect("a token").secret().to_owned())
    };
    is_asked.recv().expect("one caller renews");
    assert_eq!(source.token().expect("fresh at 3569").secret(), "T1");
    assert_eq!(source.inspect().waits, 0);
    // Inside early expiry as well, to the last second.
    for _ in 0..30 {
        script.clock().advance(seconds(1));
        assert_eq!(source.token().expect("usable until 3600").secret(), "T1");
    }
    assert_eq!(source.inspect().waits, 0);
    go.send(()).expect("the token endpoint waits");
    assert_eq!(elected.join().expect("no panic"), "T2");
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn ex_03_a_short_life_is_not_stale_at_birth() {
    let script = Script::new();
    script.token("T1", 20);
    let source = builder(&script).early_expiry(seconds(30)).build().expect("a source");
    source.token().expect("a token");
    // Early expiry at 10 s, the window 4 s before it; the first renewal is in the last three fifths of what is left.
    let renews = source.inspect().renews_in.expect("a time");
    assert!((Duration::from_millis(2400)..=seconds(6)).contains(&renews), "{renews:?}");
    script.token("T2", 20);
    script.clock().advance(renews);
    assert_eq!(source.token().expect("a token").secret(), "T2");
    // The jitter is at most 2 s.
    let renews = source.inspect().renews_in.expect("a time");
    assert!((seconds(4)..=seconds(6)).contains(&renews), "{renews:?}");
}

/// A lifetime of zero in the answer counts as missing (D6), so only a setting can say it.
#[test]
fn d6_a_fallback_lifetime_of_zero_serves_this_call_only() {
    let script = Script::new();
    script.token("T1", 0);
    script.token("T2", 0);
    let source = builder(&script).fallback_lifetime(Some(Duration::ZERO)).build().expect("a source");
    let before = client_credentials::Clock::now(&script.clock());
    assert_eq!(source.token().expect("a token").secret(), "T1");
    assert_eq!(source.token().expect("a token").secret(), "T2");
    let apart = client_credentials::Clock::now(&script.clock()).since(&before);
    assert_eq!(about(apart), seconds(1), "two fetches of one key are at least a second apart");
}

#[test]
fn ex_05_d25_a_wall_clock_set_back_changes_nothing() {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T2", 3600);
    let source = source(&script);
    source.token().expect("a token");
    let now = client_credentials::Clock::now(&script.clock()).wall();
    script.clock().set_wall(now - seconds(3600));
    assert_eq!(source.token().expect("a token").secret(), "T1");
    script.clock().set_wall(SystemTime::UNIX_EPOCH - seconds(3600));
    assert_eq!(source.token().expect("a token").secret(), "T1");
    script.clock().advance(seconds(3600));
    assert_eq!(source.token().expect("the monotonic clock decides").secret(), "T2");
}

#[test]
fn ex_05b_d25_after_a_suspend_the_token_is_stale() {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T2", 3600);
    let source = source(&script);
    source.token().expect("a token");
    script.clock().suspend(seconds(7200));
    assert_eq!(source.token().expect("a token").secret(), "T2");
}

#[test]
fn ex_06_d6_an_unknown_lifetime_lasts_for_the_fallback_or_until_refused() {
    let script = Script::new();
    let body = r#"{"access_token":"T1","token_type":"Bearer"}"#;
    script.json(200, body);
    let default = source(&script);
    default.token().expect("a token");
    assert_eq!(default.inspect().expires_in.map(about), Some(seconds(300)));

    script.json(200, body);
    let never = builder(&script).fallback_lifetime(None).build().expect("a source");
    let first = sent(&never);
    script.clock().advance(seconds(10_000_000));
    assert_eq!(never.token().expect("a token").secret(), "T1");
    assert_eq!(never.inspect().expires_in, None);
    script.token("T2", 60);
    assert_eq!(first.answered(&answer(401, None)).as_deref(), Some("T2"));
}

#[test]
fn a_lifetime_of_years_is_honoured_for_a_day() {
    let script = Script::new();
    script.json(200, r#"{"access_token":"T1","expires_in":18446744073709551616}"#);
    let source = source(&script);
    source.token().expect("a token");
    assert_eq!(source.inspect().expires_in.map(about), Some(seconds(86_400)));
}

#[test]
fn short_lives_under_steady_load_cost_at_most_one_request_a_second_and_never_a_dead_token() {
    for lifetime in [1, 2, 5, 30, 60, 300] {
        let script = Script::new();
        for number in 0..4000 {
            script.token(&format!("T{number}"), lifetime);
        }
        let source = source(&script);
        let mut steps = 0_u32;
        let start = client_credentials::Clock::now(&script.clock());
        while client_credentials::Clock::now(&script.clock()).since(&start) < seconds(3600) {
            let token = source.token().expect("a token");
            let age = client_credentials::Clock::now(&script.clock()).since(&token.sent_at());
            assert!(age < seconds(lifetime), "{lifetime}: a token of age {age:?}");
            script.clock().advance(Duration::from_millis(97));
            steps += 1;
        }
        let requests = script.requests().len() as u64;
        // Early expiry, window and jitter together leave at least 45 % of a life.
        let most = (3600 * 100 / (lifetime * 45) + 2).min(3602);
        assert!(steps > 30_000 && requests <= most, "{lifetime} s: {requests} requests, at most {most}");
    }
}
