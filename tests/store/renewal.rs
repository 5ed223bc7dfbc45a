//! Which process renews the token, and when.

use super::*;

#[test]
fn a_process_takes_the_token_that_another_has_fetched() {
    let world = World::new();
    world
        .script
        .json(200, r#"{"access_token":"one","expires_in":3600,"scope":"b a","instance_url":"https://x.example"}"#);
    assert_eq!(token(&world.process()), "one");
    world.advance(100);
    let token = world.process().token().expect("a token");
    assert_eq!((token.secret(), token.scope()), ("one", Some("b a")));
    assert_eq!(token.member("instance_url").and_then(|url| url.as_str()), Some("https://x.example"));
    assert_eq!(token.expires_in(), Some(Duration::from_secs(3600)));
    assert_eq!(world.clock.now().since(&token.sent_at()).as_secs(), 100);
    assert_eq!(world.requests(), 1);
}

#[test]
fn a_loaded_token_is_not_used_longer_than_it_lives() {
    for world in [World::new(), World::remote()] {
        world.script.token("one", 3600);
        world.script.token("two", 3600);
        token(&world.process());
        world.advance(1000);
        let process = world.process();
        token(&process);
        let left = process.inspect().expires_in.expect("a lifetime");
        assert!(left <= Duration::from_secs(2600) && left > Duration::from_secs(2595), "{left:?}");
        world.advance(2600);
        assert_eq!(token(&process), "two");
        assert_eq!(world.requests(), 2);
    }
}

#[test]
fn one_of_many_processes_renews_and_the_others_take_its_token() {
    for world in [World::new(), World::remote()] {
        (1..=3).for_each(|number| world.script.token(&format!("t{number}"), 3600));
        let processes: Vec<_> = (0..50).map(|_| world.process()).collect();
        let mut seen = Vec::new();
        for _ in 0..3600 / 5 {
            for process in &processes {
                seen.push(token(process));
            }
            world.advance(5);
        }
        seen.dedup();
        assert_eq!(seen.first().map(String::as_str), Some("t1"));
        assert_eq!(processes.iter().map(token).filter(|last| last == "t2" || last == "t3").count(), 50);
        // After a start the first renewal is spread out, so it may be early, and there is time for another.
        assert!((2..=3).contains(&world.requests()), "{}", world.requests());
    }
}

#[test]
fn in_the_long_run_there_is_one_request_in_each_period() {
    let world = World::new();
    (1..=30).for_each(|number| world.script.token(&format!("t{number}"), 3600));
    let processes: Vec<_> = (0..20).map(|_| world.process()).collect();
    processes.iter().for_each(|process| drop(token(process)));
    world.advance(3600);
    processes.iter().for_each(|process| drop(token(process)));
    let before = world.requests();
    for _ in 0..36_000 / 10 {
        world.advance(10);
        processes.iter().for_each(|process| drop(token(process)));
    }
    let requests = world.requests() - before;
    // 36,000 s in periods of 3,240 to 3,275 s, the first of which may be shorter.
    assert!((10..=13).contains(&requests), "{requests}");
}

/// The pace comes from the entry, because a job that starts each minute never holds a token for long.
#[test]
fn a_job_that_starts_each_minute_makes_a_good_one_request_in_each_life() {
    let world = World::new();
    (1..=30).for_each(|number| world.script.token(&format!("t{number}"), 3600));
    for _ in 0..600 {
        token(&world.process());
        world.advance(60);
    }
    let requests = world.requests();
    assert!((10..=13).contains(&requests), "{requests} requests in ten lives");
}

#[test]
fn a_reader_applies_its_own_early_expiry_and_longest_lifetime() {
    let world = World::new();
    (1..=3).for_each(|number| world.script.token(&format!("t{number}"), 3600));
    token(&world.process());
    world.advance(1300);
    let credentials = || Credentials::new("my-client", "s3cret-of-my-client");
    let early = world.builder(credentials(), world.clock.clone()).early_expiry(Duration::from_secs(1800));
    world.advance(300);
    assert_eq!(token(&early.build().expect("a source")), "t2");
    world.advance(700);
    let short = world.builder(credentials(), world.clock.clone()).longest_lifetime(Duration::from_secs(600));
    assert_eq!(token(&short.build().expect("a source")), "t3");
}

#[test]
fn renew_takes_only_what_was_requested_after_it_was_called() {
    let world = World::new();
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    let (first, second) = (world.process(), world.process());
    token(&first);
    token(&second);
    world.advance(100);
    assert_eq!(first.renew().expect("a token").secret(), "two");
    world.advance(1000);
    assert_eq!(token(&world.process()), "two");
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_process_that_holds_a_token_does_not_ask_the_store() {
    let world = World::new();
    world.script.token("one", 3600);
    let process = world.process();
    token(&process);
    let (loads, claims) = (world.store.loads(), world.store.claims());
    for _ in 0..100 {
        token(&process);
        world.advance(10);
    }
    assert_eq!((world.store.loads(), world.store.claims()), (loads, claims));
}

#[test]
fn a_token_without_a_lifetime_is_shared_for_the_fallback_lifetime_or_a_day() {
    let world = World::new();
    world.script.json(200, r#"{"access_token":"one"}"#);
    world.script.json(200, r#"{"access_token":"two"}"#);
    let never = || {
        let builder = world.client();
        builder.fallback_lifetime(None).build().expect("a source")
    };
    assert_eq!(token(&never()), "one");
    world.advance(299);
    assert_eq!(token(&never()), "one");
    world.advance(1);
    // A reader with a fallback lifetime of 300 s applies it.
    assert_eq!(token(&world.process()), "two");
}

/// A store in files keeps a note of a failure after it is over.
#[test]
fn only_a_failure_since_the_last_token_spreads_the_next_renewal() {
    let renews_in = |process: &TokenSource| process.inspect().renews_in.expect("a renewal").as_secs();
    let mut after_a_failure = Vec::new();
    for _ in 0..20 {
        let world = World::new();
        world.script.json(503, "");
        (1..=3).for_each(|number| world.script.token(&format!("t{number}"), 3600));
        let process = world.process();
        process.token().expect_err("busy");
        world.advance(60);
        assert_eq!(token(&process), "t1");
        after_a_failure.push(renews_in(&process));
        world.advance(renews_in(&process) + 1);
        assert_eq!(token(&process), "t2");
        assert!((3240..=3570).contains(&renews_in(&process)), "{}", renews_in(&process));
    }
    assert!(after_a_failure.iter().any(|time| *time < 3000), "{after_a_failure:?}");
}

#[test]
fn while_a_secret_is_rotated_each_half_of_the_fleet_has_a_token_of_its_own() {
    let world = World::new();
    (1..=40).for_each(|number| world.script.token(&format!("t{number}"), 3600));
    let process = |secret| world.builder(Credentials::new("my-client", secret), world.clock.clone()).build();
    let fleet: Vec<_> = (0..20).map(|n| process(["old", "new"][n % 2]).expect("a source")).collect();
    let mut seen = Vec::new();
    for _ in 0..36_000 / 60 {
        let tokens: Vec<String> = fleet.iter().map(token).collect();
        assert!(tokens[0] != tokens[1], "two names");
        seen.push((tokens[0].clone(), tokens[1].clone()));
        world.advance(60);
    }
    let changes = seen.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(world.requests() <= 2 * 13 && changes <= world.requests(), "{} {changes}", world.requests());
    assert_eq!(world.store.entries().len(), 2);
}
