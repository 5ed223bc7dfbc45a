//! A token endpoint that is down, slow, or tells callers to go away.

use std::sync::atomic::AtomicUsize;

use client_credentials::Clock as _;

use super::*;

/// A script whose every answer is made by `answer`, which is told the number of the request.
fn endless(
    script: &Script,
    requests: usize,
    answer: impl Fn(usize) -> Result<Response<Vec<u8>>, TransportError> + Send + Sync + 'static,
) {
    let answer = Arc::new(answer);
    let number = Arc::new(AtomicUsize::new(0));
    for _ in 0..requests {
        let (answer, number) = (Arc::clone(&answer), Arc::clone(&number));
        script.answer(move |_, _| answer(number.fetch_add(1, Ordering::SeqCst)));
    }
}

#[test]
fn google_cloud_rust_5809_loses_a_valid_token_here_an_outage_of_the_window_fails_no_call() {
    let script = Script::new();
    script.token("T0", 3600);
    script.token("T1", 3600);
    let source = source(&script);
    // T0 is renewed at some time of its life (D32), T1 when the window opens.
    for _ in 0..2 {
        source.token().expect("a token");
        script.clock().advance(source.inspect().renews_in.expect("a time"));
    }
    // Down from the start of the renewal window until just before expiry.
    let mut calls = 0;
    while source.inspect().expires_in.expect("a time") > seconds(2) {
        assert_eq!(source.token().expect("the good token").secret(), "T1");
        script.clock().advance(Duration::from_millis(500));
        calls += 1;
    }
    assert!(calls > 600);
    let asked = script.requests().len();
    assert!(asked < 25, "{asked} requests in an outage of 5 minutes: 1 s doubling to 30 s between them");
    script.token("T2", 3600);
    script.clock().advance(seconds(2));
    while source.token().is_err() {
        script.clock().advance(seconds(1));
    }
    assert_eq!(source.token().expect("a token").secret(), "T2");
}

#[test]
fn past_expiry_an_outage_is_a_typed_error_at_once_and_ends_without_a_restart() {
    let script = Script::new();
    script.token("T1", 60);
    let source = source(&script);
    source.token().expect("a token");
    script.clock().advance(seconds(60));
    let mut slow = 0;
    for _ in 0..1000 {
        let before = script.clock().now();
        let error = source.token().expect_err("an outage");
        assert!(error.is_retryable() && matches!(error, Error::Transport(_)));
        slow += usize::from(script.clock().now().since(&before) > Duration::from_millis(1));
        script.clock().advance(Duration::from_millis(100));
    }
    // 100 s: fetches after 1, 2, 4, 8, 16, 30, 30 s; every other call is back at once.
    assert!(slow <= 9, "{slow} of 1000 calls took time");
    script.token("T2", 60);
    let down = script.clock().now();
    while source.token().is_err() {
        script.clock().advance(seconds(1));
    }
    assert!(script.clock().now().since(&down) <= seconds(31), "within one back-off step");
}

#[test]
fn a_day_of_random_outages_slow_answers_and_429s_keeps_every_bound() {
    for seed in 1..=5_u64 {
        let script = Script::new();
        let (clock, dice) = (script.clock(), Arc::new(Mutex::new(Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)))));
        let times = Arc::new(Mutex::new(Vec::new()));
        let (log, start) = (Arc::clone(&times), clock.now());
        let well_since = Arc::new(Mutex::new(Some(start)));
        let health = Arc::clone(&well_since);
        let answering = clock.clone();
        endless(&script, 100_000, move |number| {
            log.lock().expect("a log").push(answering.now().since(&start));
            let mut dice = dice.lock().expect("dice");
            answering.advance(Duration::from_millis(20 + dice.below(300)));
            if health.lock().expect("health").is_some() {
                let body = format!(r#"{{"access_token":"T{number}","expires_in":{}}}"#, 30 + dice.below(600));
                return Ok(Response::new(body.into_bytes()));
            }
            match dice.below(4) {
                0 => Err(unreachable()),
                1 => {
                    answering.advance(seconds(9));
                    Err(TransportError::new(TransportErrorKind::Timeout, "slow"))
                }
                2 => {
                    let wait = dice.below(50).to_string();
                    Ok(Response::builder().status(429).header("retry-after", wait).body(vec![]).expect("a response"))
                }
                _ => Ok(Response::builder().status(503).body(vec![]).expect("a response")),
            }
        });
        let source = source(&script);
        let mut weather = Dice(seed);
        let mut next_change = seconds(60);
        let (mut calls, mut failures) = (0, 0);
        while clock.now().since(&start) < seconds(86_400) {
            if clock.now().since(&start) > next_change {
                let mut well = well_since.lock().expect("health");
                *well = if well.is_some() { None } else { Some(clock.now()) };
                next_change = clock.now().since(&start) + seconds(30 + weather.below(900));
            }
            let before = clock.now();
            let result = source.token();
            assert!(clock.now().since(&before) <= seconds(31), "no call outlasts its deadline");
            calls += 1;
            if result.is_err() {
                failures += 1;
                assert!(!source.inspect().has_token, "no call fails with a good token in the cache");
                let well = *well_since.lock().expect("health");
                // The longest pause that was asked for is 49 s; our own is at most 30 s.
                assert!(well.is_none_or(|since| before.since(&since) <= seconds(50)), "back within one step");
            }
            clock.advance(Duration::from_millis(200 + weather.below(4000)));
        }
        assert!(calls > 20_000 && failures > 0, "{calls} calls, {failures} failures");
        let times = times.lock().expect("a log");
        assert_eq!(times.len(), script.requests().len());
        // One fetch is at most three requests, and fetches start a second apart.
        assert!(times.windows(4).all(|four| four[3] - four[0] >= seconds(1)), "never above the bound");
        assert!(times.len() < 5_000, "{} token requests in a day", times.len());
    }
}

/// A renewal in the hands of a caller has a share of what the token has left, which may be too little for a
/// good endpoint.
#[test]
fn d48_a_renewal_that_ran_out_of_its_share_says_nothing_to_a_caller_without_a_token() {
    let script = Script::new();
    script.token("one", 3600);
    let (source, clock) = (source(&script), script.clock());
    assert_eq!(source.token().expect("a token").secret(), "one");
    clock.advance(seconds(3600) - Duration::from_millis(100));
    let slow = clock.clone();
    script.answer(move |_, attempt| {
        assert!(attempt.timeout <= Duration::from_millis(50), "{:?}", attempt.timeout);
        slow.advance(attempt.timeout);
        Err(TransportError::new(TransportErrorKind::Timeout, "slow"))
    });
    assert_eq!(source.token().expect("the old token").secret(), "one");
    clock.advance(Duration::from_millis(60));
    script.token("two", 3600);
    assert_eq!(source.token().expect("another token").secret(), "two");
    assert_eq!(source.inspect().failures, 1);
}
