//! One fetch at a time, for many callers: who fetches, who waits, and for how long.

use client_credentials::{Clock as _, SystemClock};

use super::*;

/// A token endpoint that hangs until the time of the attempt is over, and counts.
fn hanging(counter: &Arc<AtomicU32>) -> impl Fn(Request<Vec<u8>>, &Attempt) -> Answer + Send + Sync + use<> {
    let counter = Arc::clone(counter);
    move |_, attempt| {
        counter.fetch_add(1, Ordering::SeqCst);
        SystemClock.sleep(attempt.timeout);
        Err(TransportError::new(TransportErrorKind::Timeout, "no answer"))
    }
}

type Answer = Result<Response<Vec<u8>>, TransportError>;

fn token_answer(token: &str) -> Response<Vec<u8>> {
    Response::new(format!(r#"{{"access_token":"{token}","expires_in":3600}}"#).into_bytes())
}

fn by<T: Transport>(transport: T) -> TokenSourceBuilder {
    TokenSource::builder(Credentials::new("id", "s3cret"), question()).transport(transport).clock(SystemClock)
}

fn milliseconds(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Runs `work` in this many threads at once; how long all of them took.
fn at_once(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let from = SystemClock.now();
    thread::scope(|scope| {
        for number in 0..threads {
            let work = &work;
            scope.spawn(move || work(number));
        }
    });
    SystemClock.now().since(&from)
}

#[test]
fn a_timeout_is_one_request_and_one_error_for_all_and_is_remembered() {
    let counter = Arc::default();
    let source = by(hanging(&counter)).timeout(milliseconds(300)).build().expect("a source");
    let failed = |_| assert!(matches!(source.token(), Err(Error::Transport(_))));
    let took = at_once(8, failed);
    // One after the other, it would be 2.4 s.
    assert!(took < milliseconds(1200), "{took:?}");
    let from = SystemClock.now();
    failed(0);
    assert!(SystemClock.now().since(&from) < milliseconds(250));
    assert_eq!((counter.load(Ordering::SeqCst), source.inspect().last_error.is_some()), (1, true));
}

#[test]
fn an_outage_costs_hurried_callers_one_timeout_and_not_one_each() {
    let counter = Arc::default();
    let source = by(hanging(&counter)).build().expect("a source");
    let took = at_once(4, |_| {
        for _ in 0..5 {
            source.token_within(milliseconds(100)).expect_err("an error");
        }
    });
    assert!(took < milliseconds(500), "a time-out each: {took:?}");
    assert_eq!(counter.load(Ordering::SeqCst), 1);
    // Somebody with more time tries.
    source.token_within(milliseconds(150)).expect_err("an error");
    assert_eq!(counter.load(Ordering::SeqCst), 1, "the least spacing is a second");
}

#[test]
fn a_hurried_leader_hands_over_to_a_patient_caller_which_starts_at_once() {
    let counter = Arc::new(AtomicU32::new(0));
    let (asked, is_asked) = mpsc::channel();
    let count = Arc::clone(&counter);
    let slow = move |_: Request<Vec<u8>>, attempt: &Attempt| {
        count.fetch_add(1, Ordering::SeqCst);
        asked.send(()).expect("a listener");
        SystemClock.sleep(attempt.timeout.min(milliseconds(300)));
        if attempt.timeout < milliseconds(300) {
            return Err(TransportError::new(TransportErrorKind::Timeout, "no answer"));
        }
        Ok(token_answer("T"))
    };
    let source = by(slow).build().expect("a source");
    let from = SystemClock.now();
    thread::scope(|scope| {
        let hurried = scope.spawn(|| source.token_within(milliseconds(200)).is_err());
        is_asked.recv().expect("the hurried caller leads");
        assert_eq!(source.token().expect("the patient caller gets a token").secret(), "T");
        assert!(hurried.join().expect("no panic"));
    });
    let took = SystemClock.now().since(&from);
    assert!(took < milliseconds(1200), "no spacing of a second: {took:?}");
    assert_eq!(counter.load(Ordering::SeqCst), 2);
}

#[test]
fn hurried_callers_in_a_loop_starve_nobody() {
    let counter = Arc::default();
    let source = by(hanging(&counter)).timeout(milliseconds(400)).build().expect("a source");
    let took = at_once(5, |number| match number {
        0 => drop(source.token().expect_err("the source's own time is over")),
        _ => (0..8).for_each(|_| drop(source.token_within(milliseconds(50)))),
    });
    assert!(took < milliseconds(2000), "{took:?}");
}

#[test]
fn a_renewal_that_hangs_fails_no_caller_with_a_usable_token_and_takes_a_share_of_one() {
    let hangs = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&hangs);
    let transport = move |_: Request<Vec<u8>>, attempt: &Attempt| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(token_answer("T")),
        _ => {
            SystemClock.sleep(attempt.timeout);
            Err(TransportError::new(TransportErrorKind::Timeout, "no answer"))
        }
    };
    let clock = ManualClock::new();
    let source = by(transport).clock(clock.clone()).build().expect("a source");
    source.token().expect("a token");
    clock.advance(seconds(3400));
    let took = at_once(16, |_| {
        let token = source.token_within(milliseconds(1000)).expect("the usable token");
        assert_eq!(token.secret(), "T");
    });
    assert!(took < milliseconds(900), "half of the budget of one caller: {took:?}");
    assert_eq!(hangs.load(Ordering::SeqCst), 2);
    // A timeout in it is remembered like any other.
    assert_eq!(source.token().expect("the usable token").secret(), "T");
    assert_eq!((hangs.load(Ordering::SeqCst), source.inspect().last_error.is_some()), (2, true));
}

/// Two sources that share a slot, with these timeouts.
fn with_timeouts<const N: usize>(transport: impl Transport, timeouts: [Duration; N]) -> [TokenSource; N] {
    let (cache, transport) = (TokenCache::default(), Arc::new(transport));
    timeouts.map(|timeout| by(Arc::clone(&transport)).cache(&cache).timeout(timeout).build().expect("a source"))
}

#[test]
fn d48_a_follower_with_a_longer_timeout_is_not_worse_off_than_alone() {
    let counter = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&counter);
    let transport = move |_: Request<Vec<u8>>, attempt: &Attempt| match count.fetch_add(1, Ordering::SeqCst) {
        0 => {
            SystemClock.sleep(attempt.timeout);
            Err(TransportError::new(TransportErrorKind::Timeout, "no answer"))
        }
        _ => Ok(token_answer("T")),
    };
    let [short, long] = with_timeouts(transport, [milliseconds(400), seconds(20)]);
    let from = SystemClock.now();
    thread::scope(|scope| {
        let leader = scope.spawn(|| short.token().is_err());
        while counter.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        assert_eq!(long.token().expect("what it gets alone").secret(), "T");
        assert!(leader.join().expect("no panic"), "its time was over");
    });
    let took = SystemClock.now().since(&from);
    assert!(took < milliseconds(1000), "handed over, so without a spacing of a second: {took:?}");
    assert_eq!((counter.load(Ordering::SeqCst), long.inspect().waits), (2, 1));
}

#[test]
fn d48_a_timeout_is_remembered_for_sources_with_no_more_time() {
    let counter = Arc::default();
    let [short, shorter, long] =
        with_timeouts(hanging(&counter), [milliseconds(60), milliseconds(50), milliseconds(1100)]);
    for source in [&short, &short, &shorter] {
        source.token().expect_err("no answer");
    }
    assert_eq!(counter.load(Ordering::SeqCst), 1);
    long.token().expect_err("no answer");
    assert_eq!(counter.load(Ordering::SeqCst), 2, "it had more time, and tried");
}

#[test]
fn d48_a_follower_with_a_shorter_timeout_waits_no_longer_than_its_own() {
    let script = Script::new();
    let (is_asked, go) = stalled(&script, "T");
    let [short, long] = with_timeouts(script.clone(), [milliseconds(100), seconds(20)]);
    thread::scope(|scope| {
        let leader = scope.spawn(|| long.token().expect("a token").secret().to_owned());
        is_asked.recv().expect("the leader asks");
        let from = SystemClock.now();
        short.token().expect_err("its time is over");
        let (took, fails) = (SystemClock.now().since(&from), short.inspect().last_error.is_some());
        go.send(()).expect("the endpoint waits");
        assert!(took < seconds(5), "{took:?}");
        assert!(!fails, "the fetch went on");
        assert_eq!(leader.join().expect("no panic"), "T");
    });
    assert_eq!(short.token().expect("the token of the other").secret(), "T");
}

#[test]
fn in_the_background_not_even_the_elected_caller_waits() {
    let script = Script::new();
    script.token("T1", 3600);
    let (source, events) = listen(builder(&script).renew_in_background(true));
    source.token().expect("a token");
    let (is_asked, go) = stalled(&script, "T2");
    script.clock().advance(seconds(3400));
    assert_eq!(source.token().expect("the usable token").secret(), "T1");
    is_asked.recv().expect("a thread asks");
    assert_eq!(source.token().expect("the usable token").secret(), "T1");
    go.send(()).expect("the thread waits");
    while seen(&events).len() < 4 {
        thread::yield_now();
    }
    assert_eq!(source.token().expect("the new token").secret(), "T2");
    assert_eq!((script.requests().len(), source.inspect().waits), (2, 0));
}

#[test]
fn the_next_caller_takes_over_from_a_transport_that_never_returns() {
    let (hang, never) = mpsc::channel::<()>();
    let (never, counter) = (Mutex::new(never), AtomicU32::new(0));
    let transport = move |_: Request<Vec<u8>>, _: &Attempt| {
        if counter.fetch_add(1, Ordering::SeqCst) == 0 {
            let _ = never.lock().expect("no panic").recv();
        }
        Ok(token_answer("T"))
    };
    let source = by(transport).timeout(milliseconds(200)).build().expect("a source");
    thread::scope(|scope| {
        let parked = scope.spawn(|| source.token());
        while source.inspect().fetches == 0 {
            thread::yield_now();
        }
        let first = source.token();
        let second = source.token().expect("taken over");
        assert!(first.is_err() || first.is_ok_and(|token| token.secret() == "T"));
        assert_eq!(second.secret(), "T");
        drop(hang);
        drop(parked.join().expect("no panic"));
    });
    assert_eq!(source.inspect().fetches, 2);
}

#[test]
fn a_hook_that_panics_or_is_slow_costs_nobody_else_anything() {
    let script = Script::new();
    script.token("T1", 3600);
    let source = builder(&script).on_event(|_| panic!("the hook")).build().expect("a source");
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| source.token()));
    assert!(result.is_err(), "the leader hears of its hook");
    assert_eq!(source.token().expect("the token was kept").secret(), "T1");
    assert_eq!(script.requests().len(), 1);

    let (script, waiting) = (Script::new(), Arc::new(Barrier::new(2)));
    let (is_asked, go) = stalled(&script, "T1");
    let hook = Arc::clone(&waiting);
    let source = builder(&script)
        .on_event(move |event| {
            if matches!(event.kind, EventKind::Answered { .. }) {
                hook.wait();
            }
        })
        .build()
        .expect("a source");
    thread::scope(|scope| {
        let leader = scope.spawn(|| source.token().expect("a token"));
        is_asked.recv().expect("the leader asks");
        let follower = scope.spawn(|| source.token().expect("a token"));
        while source.inspect().waits == 0 {
            thread::yield_now();
        }
        go.send(()).expect("the endpoint waits");
        // The hook of the leader has not returned.
        assert_eq!(follower.join().expect("no panic").secret(), "T1");
        waiting.wait();
        assert_eq!(leader.join().expect("no panic").secret(), "T1");
    });
}

#[test]
fn renew_asks_again_in_spite_of_a_remembered_failure() {
    let script = Script::new();
    script.json(401, r#"{"error":"invalid_client"}"#);
    script.token("T1", 3600);
    let source = source(&script);
    source.token().expect_err("refused");
    source.token().expect_err("remembered");
    assert_eq!(script.requests().len(), 1);
    assert_eq!(source.renew().expect("the secret was fixed meanwhile").secret(), "T1");
}
