//! Time.

use super::parts::{agent_of_parts, source_for_api_test};
use super::*;

#[test]
fn timeout_global_bounds_the_wait_for_a_token_that_another_caller_fetches() {
    let (script, api) = (Script::new(), Server::replies([reply(200)]));
    let (begun, has_begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    script.answer(move |_, _| {
        begun.send(()).expect("the test is there");
        assert_eq!(released.recv_timeout(Duration::from_secs(20)), Err(RecvTimeoutError::Disconnected));
        Ok(Response::new(br#"{"access_token":"late","token_type":"Bearer"}"#.to_vec()))
    });
    let source = builder(&script, &api).clock(SystemClock).build().expect("a source");
    let agent = agent(&source, true);
    thread::scope(|scope| {
        let release = release;
        scope.spawn(|| source.token().expect("a late token"));
        has_begun.recv().expect("the token request goes out");
        let from = SystemClock.now();
        let request = agent.get(api.url("/")).within(Duration::from_millis(50));
        let error = our_error(request.call());
        assert!(
            matches!(&error, Error::Transport(failure) if failure.kind() == TransportErrorKind::Timeout),
            "{error}"
        );
        assert!(SystemClock.now().since(&from) < Duration::from_secs(10));
        drop(release);
    });
    // The token request was not lost.
    assert_eq!(status(&get(&agent, &api.url("/"))), 200);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["late".into()], 1));
}

#[test]
fn timeout_global_bounds_the_token_request_of_the_caller_itself() {
    for at_request in [false, true] {
        let (auth, api) = (Server::replies([Reply::never()]), Server::replies([]));
        let request = TokenRequest::new(&auth.url("/token")).expect("a request").audience(api.url("/"));
        let source = TokenSource::new(Credentials::new("id", SECRET), request).expect("a source");
        let short = Some(Duration::from_millis(200));
        let config = config();
        let from = SystemClock.now();
        let outcome = if at_request {
            source.wrap(config.build().into()).get(api.url("/")).within(Duration::from_millis(200)).call()
        } else {
            source.wrap(config.timeout_global(short).build().into()).get(api.url("/")).call()
        };
        let error = our_error(outcome);
        assert!(
            matches!(&error, Error::Transport(failure) if failure.kind() == TransportErrorKind::Timeout),
            "{error}"
        );
        assert!(SystemClock.now().since(&from) < Duration::from_secs(10));
        assert_eq!((auth.requests().len(), api.requests().len()), (1, 0));
    }
}

#[test]
fn timeout_global_counts_token_first_attempt_and_renewal_together() {
    let script = Script::new();
    let clock = script.clock();
    let allowed = Arc::new(Mutex::new(Vec::new()));
    for token in ["T1", "T2"] {
        let (allowed, clock) = (Arc::clone(&allowed), clock.clone());
        script.answer(move |_, attempt| {
            lock(&allowed).push(attempt.timeout);
            clock.advance(Duration::from_secs(2));
            let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
            Ok(Response::new(body.into_bytes()))
        });
    }
    let api = Server::new(move |request| {
        clock.advance(Duration::from_secs(3));
        if request.token() == Some("T2") { reply(200) } else { invalid_token() }
    });
    let agent = agent(&source(&script, &api), true);
    let request = agent.get(api.url("/")).within(Duration::from_secs(10));
    assert_eq!(status(&request.call()), 200);
    assert_eq!(*lock(&allowed), [Duration::from_secs(10), Duration::from_secs(5)]);
}

#[test]
fn no_time_is_left_for_the_request_after_a_token_that_took_it_all() {
    let (script, api) = (Script::new(), Server::replies([]));
    let clock = script.clock();
    script.answer(move |_, _| {
        clock.advance(Duration::from_secs(10));
        Ok(Response::new(br#"{"access_token":"T1","token_type":"Bearer","expires_in":3600}"#.to_vec()))
    });
    let agent = agent(&source(&script, &api), true);
    let outcome = agent.get(api.url("/")).within(Duration::from_secs(10)).call();
    assert!(matches!(outcome, Err(ureq::Error::Timeout(ureq::Timeout::Global))), "{outcome:?}");
    assert_eq!(api.requests(), []);
}

#[test]
fn without_any_time_nothing_is_asked_and_nothing_sent() {
    let (script, api) = (tokens(&["T1"]), Server::replies([]));
    let agent = agent(&source(&script, &api), true);
    let outcome = agent.get(api.url("/")).within(Duration::ZERO).call();
    assert!(matches!(outcome, Err(ureq::Error::Timeout(_) | ureq::Error::Other(_))), "{outcome:?}");
    assert_eq!((script.requests().len(), api.requests().len()), (0, 0));
}

#[test]
fn a_stuck_renewal_gives_the_caller_the_original_401_in_time() {
    let api = Server::replies([invalid_token().body("the first")]);
    let auth = Server::replies([token_reply("T1"), Reply::never()]);
    let clock = Script::new().clock();
    let source =
        asks(&auth, &api.url("/"), UreqTransport::new()).clock(clock.clone()).retries(0).build().expect("good");
    a_while_after_its_first_token(&source, &clock);
    let agent = agent(&source, false);
    let from = SystemClock.now();
    let request = agent.get(api.url("/")).within(Duration::from_millis(300));
    assert_eq!(status(&request.call()), 401);
    assert!(SystemClock.now().since(&from) < Duration::from_secs(10));
    assert_eq!(auth.requests().len(), 2);
}

/// The real clock, set ahead by this many seconds.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicUsize>);

impl client_credentials::Clock for Ahead {
    fn now(&self) -> Moment {
        let (now, by) = (SystemClock.now(), Duration::from_secs(self.0.load(Ordering::SeqCst) as u64));
        Moment::new(now.monotonic() + by, now.wall() + by)
    }

    fn sleep(&self, pause: Duration) {
        SystemClock.sleep(pause);
    }
}

/// The token has 200 s left and the agent 2 s. Only the first call waits, and only for half of its time.
#[test]
fn d41_a_renewal_that_hangs_fails_none_of_four_calls_while_the_token_is_usable() {
    for at_once in [false, true] {
        let auth = Server::replies([token_reply("T1"), Reply::never(), Reply::never()]);
        let api = Server::wants("T1");
        let clock = Ahead::default();
        let source = asks(&auth, &api.url("/"), UreqTransport::new()).clock(clock.clone()).build().expect("a source");
        source.token().expect("a token");
        clock.0.store(3400, Ordering::SeqCst);
        let agent = source.wrap(config().timeout_global(Some(Duration::from_secs(2))).build().into());
        let call = || assert_eq!(text(get(&agent, &api.url("/"))), "fine");
        if at_once {
            thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(call))));
        } else {
            (0..4).for_each(|_| call());
        }
        assert_eq!((api.tokens(), auth.requests().len()), (vec!["T1".to_owned(); 4], 2));
    }
}

/// A body during whose reading time passes.
struct Slow(ManualClock, &'static [u8]);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.1.is_empty() {
            self.0.advance(Duration::from_secs(3));
        }
        self.1.read(buffer)
    }
}

#[test]
fn the_time_that_it_takes_to_read_the_body_is_part_of_the_call() {
    const TIME: Duration = Duration::from_secs(20);
    for at_request in [true, false] {
        let (script, api) = (tokens(&["T1"]), Server::replies([reply(200)]));
        let limit = Some(TIME).filter(|_| !at_request);
        let (own, asked) = agent_of_parts(config().timeout_global(limit).build(), &["api.test"], &api);
        let agent = source_for_api_test(&script).wrap(own);
        let body = SendBody::from_owned_reader(Slow(script.clock(), b"slow"));
        let request = agent.post("http://api.test/");
        let outcome = if at_request { request.within(TIME).send(body) } else { request.send(body) };
        assert_eq!((status(&outcome), api.requests()[0].text()), (200, "slow"));
        let times: Vec<_> = asked.lookups().iter().map(|lookup| lookup.time).collect();
        assert_eq!(times, [Some(TIME - Duration::from_secs(3))]);
    }
}
