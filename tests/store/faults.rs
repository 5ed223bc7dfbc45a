//! A store that fails, hangs, forgets, lies or panics.

use client_credentials::test_util::StoreFault;
use client_credentials::{Error, StoreKey, SystemClock, TokenStore as _};

use super::*;

/// The names of the token and of a failure.
fn names() -> Vec<StoreKey> {
    let other = World { script: Script::new(), store: MemoryStore::new(), clock: clock() };
    other.script.json(401, r#"{"error":"invalid_client"}"#);
    other.script.token("t", 3600);
    let process = other.process();
    process.token().expect_err("refused");
    process.renew().expect("a token");
    other.store.entries().into_iter().map(|(name, _)| name).collect()
}

fn process(world: &World, words: &Words) -> TokenSource {
    let builder = world.client();
    words.on(builder).build().expect("a source")
}

#[test]
fn a_store_that_fails_or_panics_is_reported_and_the_token_is_fetched() {
    for fault in [StoreFault::Fail, StoreFault::Panic] {
        for world in [World::new(), World::remote()] {
            world.script.token("one", 3600);
            world.store.always(fault.clone());
            let words = Words::default();
            assert_eq!(token(&process(&world, &words)), "one");
            assert_eq!(words.count("the token store: "), 1, "{:?}", words.take());
            assert_eq!(words.count("the token store: the store "), 1, "{:?}", words.take());
            assert_eq!(world.store.saves(), 0);
        }
    }
}

/// Each call of a method in turn.
#[test]
fn whichever_call_fails_the_token_is_fetched_once_and_nothing_stays_claimed() {
    for fault in [StoreFault::Fail, StoreFault::Panic, StoreFault::Forget] {
        for place in 0..8 {
            for world in [World::new(), World::remote()] {
                world.script.token("one", 3600);
                world.script.token("two", 3600);
                // A fault that changes nothing.
                (0..place).for_each(|_| world.store.next(StoreFault::Slow(Duration::ZERO)));
                world.store.next(fault.clone());
                assert_eq!(token(&world.process()), "one");
                assert_eq!(world.requests(), 1);
                world.store.calm();
                for name in names() {
                    let claim = world.store.claim(&name, Duration::from_secs(5)).expect("a store");
                    assert!(claim.is_some(), "a claim stayed: {fault:?} at {place}");
                }
            }
        }
    }
}

#[test]
fn a_store_that_hangs_costs_half_a_second_once_and_is_then_left_alone() {
    let world = World::remote();
    (1..=9).for_each(|number| world.script.token(&format!("t{number}"), 3600));
    world.store.always(StoreFault::Hang);
    let words = Words::default();
    let process = process(&world, &words);
    let start = SystemClock.now();
    assert_eq!(token(&process), "t1");
    assert!(
        SystemClock.now().since(&start) < Duration::from_secs(3),
        "about half a second, on a machine that is not busy"
    );
    assert_eq!(words.count("did not answer in time"), 1);
    let loads = world.store.loads();
    assert_eq!(process.renew().expect("a token").secret(), "t2");
    assert_eq!(world.store.loads(), loads, "it is left alone");
    // By now it is asked again, and then left alone for longer.
    world.advance(2);
    assert_eq!(process.renew().expect("a token").secret(), "t3");
    assert_eq!(world.store.loads(), loads + 1);
    world.advance(1);
    assert_eq!(process.renew().expect("a token").secret(), "t4");
    assert_eq!(world.store.loads(), loads + 1);
    world.store.calm();
    world.advance(30);
    assert_eq!(process.renew().expect("a token").secret(), "t5");
    assert_eq!(token(&world.process()), "t5", "it works again");
}

#[test]
fn readers_with_a_valid_token_do_not_notice_a_store_that_hangs() {
    let world = World::remote();
    world.script.token("one", 3600);
    let process = world.process();
    token(&process);
    world.store.always(StoreFault::Hang);
    let loads = world.store.loads();
    for _ in 0..100 {
        token(&process);
    }
    assert_eq!(world.store.loads(), loads);
    world.store.calm();
}

#[test]
fn with_a_valid_token_a_slow_store_gets_at_most_a_fiftieth_of_the_time_of_a_call() {
    let clock = clock();
    let world = World { script: Script::new(), store: MemoryStore::with_clock(clock.clone()), clock };
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    let words = Words::default();
    let process = process(&world, &words);
    token(&process);
    world.advance(3570);
    // Of a second, the store has 20 ms.
    world.store.always(StoreFault::Slow(Duration::from_millis(15)));
    let start = world.clock.now();
    let within = Duration::from_secs(1);
    assert_eq!(process.token_within(within).expect("a token").secret(), "two");
    assert_eq!(world.clock.now().since(&start).as_millis(), 30, "two of its answers");
    assert_eq!(words.count("did not answer in time"), 1, "{:?}", words.take());
}

#[test]
fn a_store_that_forgets_costs_a_request_for_each_process_and_no_error() {
    let world = World::new();
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    world.store.always(StoreFault::Forget);
    assert_eq!(token(&world.process()), "one");
    assert_eq!(token(&world.process()), "two");
}

#[test]
fn what_a_store_makes_up_is_no_token_and_is_replaced() {
    let deep = "[".repeat(100_000);
    let good = r#"{"v":1,"type":"Bearer","token":"planted","wall_ms":0,"keep_ms":3600000}"#;
    let with = |from: &str, to: &str| good.replace(from, to).into_bytes();
    for lie in [
        Vec::new(),
        b"{".to_vec(),
        b"null".to_vec(),
        vec![0xff; 64],
        vec![b'x'; 2 << 20],
        deep.into_bytes(),
        with(r#""v":1"#, r#""v":2"#),
        with(r#""v":1"#, r#""v":"1""#),
        with("planted", "a\\r\\nx-injected: 1"),
        with("planted", "two words"),
        with("planted", ""),
        with("Bearer", "DPoP"),
        with(r#""wall_ms":0"#, r#""wall_ms":-1"#),
        // The year 2286, and the end of time.
        with(r#""wall_ms":0"#, r#""wall_ms":9999999999999"#),
        with(r#""wall_ms":0"#, r#""wall_ms":18446744073709551615"#),
        with(r#""keep_ms":3600000"#, r#""keep_ms":3600000,"members":[]"#),
        with(r#""keep_ms":3600000"#, r#""keep_ms":3600000,"scope":7"#),
        with(r#""keep_ms":3600000"#, r#""keep_ms":3600000,"renew_ms":"soon""#),
    ] {
        let world = World::new();
        world.script.token("one", 3600);
        world.store.next(StoreFault::Lie(lie.clone()));
        let words = Words::default();
        let shown = String::from_utf8_lossy(&lie[..lie.len().min(100)]).into_owned();
        assert_eq!(token(&process(&world, &words)), "one", "{shown}");
        assert_eq!(words.count("the token store: an entry of the store is damaged"), 1, "{shown}");
        assert_eq!(token(&world.process()), "one", "{shown}");
        assert_eq!(world.requests(), 1, "{shown}");
    }
}

#[test]
fn an_entry_cut_anywhere_is_no_token_and_is_replaced() {
    let world = World::new();
    world.script.token("one", 3600);
    token(&world.process());
    let (_, entry) = world.store.entries().remove(0);
    for end in 0..entry.len() {
        let world = World::new();
        world.script.token("two", 3600);
        world.store.next(StoreFault::Lie(entry[..end].to_vec()));
        assert_eq!(token(&world.process()), "two", "{end}");
    }
}

#[test]
fn a_token_that_was_found_is_served_even_if_the_store_fails_afterwards() {
    for calls in 1..6 {
        for world in [World::new(), World::remote()] {
            world.script.token("one", 3600);
            token(&world.process());
            world.advance(3590);
            (0..calls).for_each(|_| world.store.next(StoreFault::Slow(Duration::ZERO)));
            world.store.next(StoreFault::Fail);
            // The script has no answer left: nobody is there.
            assert_eq!(token(&world.process()), "one", "{calls}");
        }
    }
}

#[test]
fn a_store_that_always_says_busy_does_not_keep_a_failure_from_its_caller() {
    let world = World::new();
    world.store.always(StoreFault::Busy);
    world.script.json(401, r#"{"error":"invalid_client"}"#);
    assert!(matches!(world.process().token(), Err(Error::Denied(_))));
}

#[test]
fn neither_secret_nor_client_id_nor_endpoint_is_in_the_store_and_the_token_in_its_entry_alone() {
    let world = World::new();
    world.script.token("the-token-itself", 3600);
    let words = Words::default();
    token(&process(&world, &words));
    let refused = World { script: Script::new(), store: world.store.clone(), clock: world.clock.clone() };
    refused.script.json(401, r#"{"error":"invalid_client","error_description":"no s3cret-of-other"}"#);
    let other = refused.builder(Credentials::new("my-other", "s3cret-of-other"), world.clock.clone());
    words.on(other).build().expect("a source").token().expect_err("refused");
    let entries = world.store.entries();
    assert_eq!(entries.len(), 2);
    let with_token = entries.iter().filter(|(_, entry)| String::from_utf8_lossy(entry).contains("the-token-itself"));
    assert_eq!(with_token.count(), 1);
    let mut all: String =
        entries.iter().map(|(name, entry)| format!("{name} {name:?} {}", String::from_utf8_lossy(entry))).collect();
    for hidden in ["s3cret", "my-client", "my-other", "auth.example.com", "no s3cret"] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
    all = words.take().join("\n") + &format!("{:?}", world.store);
    assert!(!all.contains("s3cret") && !all.contains("the-token-itself"), "{all}");
}
