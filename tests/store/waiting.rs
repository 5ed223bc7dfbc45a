//! What a process does while another one fetches.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use client_credentials::test_util::StoreFault;
use client_credentials::{Moment, StoreKey, TokenStore as _, TransportError, TransportErrorKind, Uptime};
use http::Response;

use super::*;

fn answer(token: &str) -> Result<Response<Vec<u8>>, TransportError> {
    Ok(Response::new(format!(r#"{{"access_token":"{token}","expires_in":3600}}"#).into_bytes()))
}

/// The next token request begins, and is answered with this token when it is told to.
fn answers_when_told(world: &World, token: &'static str) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (began, begun) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    world.script.answer(move |_, _| {
        began.send(()).expect("a reader");
        wait.recv().expect("a writer");
        answer(token)
    });
    (begun, go)
}

/// The name of the token, which is the only entry.
fn name(world: &World) -> StoreKey {
    let entries = world.store.entries();
    assert_eq!(entries.len(), 1);
    entries[0].0
}

/// A clock at whose fifth pause another process gets its answer.
struct Pausing {
    clock: ManualClock,
    pauses: AtomicUsize,
    answer: Mutex<Box<dyn FnMut() + Send>>,
}

impl Clock for Pausing {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn sleep(&self, pause: Duration) {
        self.clock.sleep(pause);
        if self.pauses.fetch_add(1, Ordering::SeqCst) == 4 {
            self.answer.lock().expect("no panic")();
        }
    }

    fn uptime(&self) -> Option<Uptime> {
        self.clock.uptime()
    }
}

#[test]
fn a_process_waits_for_the_token_of_the_one_that_fetches() {
    for world in [World::new(), World::remote()] {
        let (begun, go) = answers_when_told(&world, "one");
        let first = world.process();
        let mut fetching = Some(thread::spawn(move || token(&first)));
        begun.recv().expect("the request");
        let answer = Box::new(move || {
            go.send(()).expect("a reader");
            assert_eq!(fetching.take().expect("once").join().expect("no panic"), "one");
        });
        let clock = Pausing { clock: world.clock.clone(), pauses: AtomicUsize::new(0), answer: Mutex::new(answer) };
        let words = Words::default();
        let builder = world.client_at(clock);
        assert_eq!(token(&words.on(builder).build().expect("a source")), "one");
        assert_eq!(words.count("waited "), 1, "{:?}", words.take());
        assert_eq!(world.requests(), 1);
    }
}

#[test]
fn after_a_third_of_the_time_one_of_those_who_wait_fetches_as_the_stand_in() {
    let world = World::new();
    world.script.token("one", 3600);
    token(&world.process());
    let name = name(&world);
    world.store.clear();
    // Somebody has the claim, and never comes back.
    let _claim = world.store.claim(&name, Duration::from_secs(100_000)).expect("a store").expect("a claim");
    world.script.token("two", 3600);
    let start = world.clock.now();
    assert_eq!(token(&world.process()), "two");
    let waited = world.clock.now().since(&start);
    assert!((10..11).contains(&waited.as_secs()), "{waited:?}");
    // The token is there for all others.
    assert_eq!(token(&world.process()), "two");
    assert_eq!(world.requests(), 2);
}

#[test]
fn after_two_thirds_each_process_fetches_for_itself() {
    let world = World::new();
    world.store.always(StoreFault::Busy);
    world.script.token("one", 3600);
    let start = world.clock.now();
    assert_eq!(token(&world.process()), "one");
    let waited = world.clock.now().since(&start);
    assert!((20..21).contains(&waited.as_secs()), "{waited:?}");
}

#[test]
fn a_wait_ends_within_the_time_of_the_caller() {
    let world = World::new();
    world.store.always(StoreFault::Busy);
    let process = world.process();
    let start = world.clock.now();
    let clock = world.clock.clone();
    world.script.answer(move |_, attempt| {
        assert!(attempt.timeout <= Duration::from_millis(67), "{:?}", attempt.timeout);
        clock.advance(attempt.timeout);
        Err(TransportError::new(TransportErrorKind::Timeout, "slow"))
    });
    process.token_within(Duration::from_millis(200)).expect_err("no time");
    assert!(world.clock.now().since(&start) <= Duration::from_millis(201));
    world.store.calm();
    world.script.token("one", 3600);
    world.advance(10);
    assert_eq!(token(&process), "one");
}

#[test]
fn with_a_token_that_is_due_but_valid_nobody_waits_for_the_process_that_renews_it() {
    for world in [World::new(), World::remote()] {
        world.script.token("one", 3600);
        world.script.token("two", 3600);
        let holds = world.process();
        token(&holds);
        let name = name(&world);
        world.advance(3400);
        let claim = world.store.claim(&name, Duration::from_secs(5)).expect("a store").expect("a claim");
        let start = world.clock.now();
        assert_eq!(token(&holds), "one", "it holds the token");
        assert_eq!(token(&world.process()), "one", "it found the token in the store");
        assert!(world.clock.now().since(&start) < Duration::from_millis(1));
        drop(claim);
        world.advance(1);
        assert_eq!(token(&holds), "two");
        assert_eq!(world.requests(), 2);
        assert_eq!(holds.inspect().failures, 0);
    }
}

#[test]
fn a_holder_that_is_killed_is_followed_when_its_lease_is_over() {
    let world = World::remote();
    world.script.token("one", 3600);
    token(&world.process());
    let name = name(&world);
    world.store.clear();
    std::mem::forget(world.store.claim(&name, Duration::from_secs(5)).expect("a store").expect("a claim"));
    world.script.token("two", 3600);
    let start = world.clock.now();
    assert_eq!(token(&world.process()), "two");
    let waited = world.clock.now().since(&start);
    assert!((5..9).contains(&waited.as_secs()), "{waited:?}");
}

#[test]
fn a_process_that_slept_through_its_lease_does_not_replace_a_later_token() {
    let world = World::remote();
    let (begun, go) = answers_when_told(&world, "slow");
    let slow = world.process();
    let slow = thread::spawn(move || token(&slow));
    begun.recv().expect("the request");
    world.advance(6);
    world.script.token("later", 3600);
    assert_eq!(token(&world.process()), "later");
    go.send(()).expect("a reader");
    assert_eq!(slow.join().expect("no panic"), "slow");
    assert_eq!(token(&world.process()), "later");
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_machine_whose_clock_is_slow_can_replace_the_token_of_one_whose_clock_is_fast() {
    let world = World::remote();
    let fast = ManualClock::new();
    fast.set_wall(fast.now().wall() + Duration::from_secs(86_400));
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    assert_eq!(token(&world.process_at(fast)), "one");
    world.advance(3500);
    assert_eq!(token(&world.process()), "two");
    assert_eq!(token(&world.process()), "two", "it is in the store");
    assert_eq!(world.requests(), 2);
}

#[test]
fn two_processes_that_renew_at_once_both_get_a_token_that_is_newer_than_their_call() {
    for world in [World::new(), World::remote()] {
        world.script.token("old", 3600);
        token(&world.process());
        world.advance(60);
        let (begun, go) = answers_when_told(&world, "one");
        world.script.token("two", 3600);
        let first = world.process();
        let renew = |process: &TokenSource| process.renew().expect("a token").secret().to_owned();
        let mut renewing = Some(thread::spawn(move || renew(&first)));
        begun.recv().expect("the request");
        let answer = Box::new(move || {
            go.send(()).expect("a reader");
            assert_eq!(renewing.take().expect("once").join().expect("no panic"), "one");
        });
        let clock = Pausing { clock: world.clock.clone(), pauses: AtomicUsize::new(0), answer: Mutex::new(answer) };
        let builder = world.client_at(clock);
        // The request of the first was sent before the second one was called.
        assert_eq!(renew(&builder.build().expect("a source")), "two");
        assert_eq!(world.requests(), 3);
        assert_eq!(token(&world.process()), "two");
    }
}
