//! Failures that processes share.

use client_credentials::{Error, Secret, Stamp, TokenStore as _};

use super::*;

fn with_secret(world: &World, secret: &str) -> TokenSource {
    world.builder(Credentials::new("my-client", secret), world.clock.clone()).build().expect("a source")
}

#[test]
fn a_wrong_secret_costs_one_request_in_ten_seconds_and_all_get_the_same_words() {
    for world in [World::new(), World::remote()] {
        world.script.json(401, r#"{"error":"invalid_client"}"#);
        world.script.json(401, r#"{"error":"invalid_client"}"#);
        let first = with_secret(&world, "wrong").token().expect_err("refused").to_string();
        assert!(first.contains("denied with status 401, invalid_client (sent: HTTP Basic"), "{first}");
        for _ in 0..50 {
            assert_eq!(with_secret(&world, "wrong").token().expect_err("refused").to_string(), first);
        }
        assert_eq!(world.requests(), 1);
        world.advance(9);
        with_secret(&world, "wrong").token().expect_err("refused");
        assert_eq!(world.requests(), 1);
        world.advance(2);
        with_secret(&world, "wrong").token().expect_err("refused");
        assert_eq!(world.requests(), 2);
    }
}

#[test]
fn the_right_secret_is_another_name_and_is_served_at_once() {
    let world = World::new();
    world.script.json(401, r#"{"error":"invalid_client"}"#);
    world.script.token("one", 3600);
    with_secret(&world, "wrong").token().expect_err("refused");
    assert_eq!(token(&with_secret(&world, "right")), "one");
}

#[test]
fn retry_after_is_heeded_by_all_and_a_process_with_a_good_token_goes_on() {
    for world in [World::new(), World::remote()] {
        world.script.token("one", 3600);
        let holds = world.process();
        token(&holds);
        world.advance(3400);
        world.script.answer(|_, _| {
            Ok(http::Response::builder().status(429).header("retry-after", "60").body(Vec::new()).expect("an answer"))
        });
        assert_eq!(token(&holds), "one");
        assert_eq!(world.requests(), 2);
        // Its entry is due, but still there.
        assert_eq!(token(&world.process()), "one");
        assert_eq!(world.requests(), 2);
    }
    let world = World::new();
    world.script.answer(|_, _| {
        Ok(http::Response::builder().status(429).header("retry-after", "60").body(Vec::new()).expect("an answer"))
    });
    world.process().token().expect_err("too many requests");
    for (passed, expected) in [(0, 60), (20, 40), (39, 1)] {
        world.advance(passed);
        let error = world.process().token().expect_err("too many requests");
        assert!(matches!(&error, Error::Denied(denied) if denied.status() == 429));
        let left = error.retry_after().expect("the time that is left").as_secs();
        assert_eq!(left, expected);
    }
    assert_eq!(world.requests(), 1);
    world.advance(2);
    world.script.token("one", 3600);
    assert_eq!(token(&world.process()), "one");
}

#[test]
fn a_failure_never_takes_the_place_of_a_token() {
    let world = World::new();
    world.script.token("one", 3600);
    let holds = world.process();
    token(&holds);
    world.advance(3500);
    world.script.json(503, "");
    assert_eq!(token(&world.process()), "one", "the endpoint is down, and the token valid");
    world.advance(20);
    world.script.json(503, "");
    assert_eq!(token(&world.process()), "one");
    assert_eq!(world.requests(), 3);
}

#[test]
fn a_fresh_process_serves_a_token_that_is_due_when_the_endpoint_does_not_answer() {
    for world in [World::new(), World::remote()] {
        world.script.token("one", 3600);
        token(&world.process());
        world.advance(3590);
        let words = Words::default();
        let builder = world.client();
        let process = words.on(builder).build().expect("a source");
        // The script has no answer left: nobody is there.
        assert_eq!(token(&process), "one");
        assert_eq!(words.count("renewal failed, the cached token is still used"), 1, "{:?}", words.take());
        assert_eq!((process.inspect().failures, process.inspect().has_token), (1, true));
        assert_eq!(world.store.entries().len(), 1, "no failure of this machine's network is shared");
        world.advance(11);
        process.token().expect_err("the token has expired");
    }
}

#[test]
fn the_word_of_a_firewall_about_one_machine_is_not_shared() {
    let world = World::new();
    world.script.json(403, "<html>Blocked</html>");
    world.process().token().expect_err("blocked");
    world.script.token("one", 3600);
    assert_eq!(token(&world.process()), "one");
}

#[test]
fn d49_the_memory_of_a_refusal_does_not_hold_for_a_secret_that_was_replaced() {
    let world = World::new();
    let secret = Arc::new(Mutex::new("old"));
    let process = || {
        let secret = Arc::clone(&secret);
        let credentials =
            Credentials::with_secret_from("my-client", move || Ok(Secret::from(*secret.lock().expect("no panic"))));
        world.builder(credentials, world.clock.clone()).build().expect("a source")
    };
    world.script.json(401, r#"{"error":"invalid_client"}"#);
    process().token().expect_err("refused");
    for _ in 0..10 {
        process().token().expect_err("refused");
    }
    assert_eq!(world.requests(), 1);
    *secret.lock().expect("no panic") = "new";
    world.script.token("one", 3600);
    assert_eq!(token(&process()), "one");
}

#[test]
fn renew_does_not_heed_a_remembered_failure() {
    let world = World::new();
    world.script.json(401, r#"{"error":"invalid_client"}"#);
    world.process().token().expect_err("refused");
    world.script.token("one", 3600);
    assert_eq!(world.process().renew().expect("a token").secret(), "one");
}

#[test]
fn a_note_that_the_store_makes_up_is_at_most_the_error_of_a_refusal() {
    use client_credentials::test_util::StoreFault;
    for (note, is_denied) in [
        (
            r#"{"v":1,"wall_ms":W,"keep_ms":10000,"denied":{"status":401,"code":"x\u001b[31m\n","asked":false,"proof":null}}"#,
            true,
        ),
        (r#"{"v":1,"wall_ms":W,"keep_ms":10000,"denied":{"status":200,"asked":false}}"#, false),
        (r#"{"v":1,"wall_ms":W,"keep_ms":10000,"denied":{"status":99999,"asked":false}}"#, false),
        (r#"{"v":1,"wall_ms":W,"keep_ms":10000,"denied":{"status":7,"asked":false}}"#, false),
        (r#"{"v":1,"wall_ms":W,"keep_ms":18446744073709551615,"denied":{"status":429,"asked":true}}"#, true),
        (r#"{"v":1,"wall_ms":W,"keep_ms":10000}"#, false),
        (r#"{"v":1,"wall_ms":0,"keep_ms":10000,"denied":{"status":401,"asked":false}}"#, false),
    ] {
        let world = World::new();
        world.script.token("one", 3600);
        let wall = world.clock.now().wall().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
        // The token is asked for first.
        world.store.next(StoreFault::Slow(Duration::ZERO));
        world.store.next(StoreFault::Lie(note.replace('W', &wall.to_string()).into_bytes()));
        match world.process().token() {
            Ok(token) => assert!(!is_denied && token.secret() == "one", "{note}"),
            Err(error) => {
                assert!(is_denied && matches!(error, Error::Denied(_)), "{note}");
                assert!(!error.to_string().chars().any(char::is_control), "{error}");
            }
        }
    }
}

/// A process that joins late does not remember the failure for longer than the others.
#[test]
fn a_remembered_failure_is_over_for_all_at_the_same_time() {
    for world in [World::new(), World::remote()] {
        world.script.json(401, r#"{"error":"invalid_client"}"#);
        world.process().token().expect_err("refused");
        world.advance(9);
        let late = world.process();
        late.token().expect_err("remembered");
        world.advance(2);
        world.script.token("one", 3600);
        assert_eq!(token(&late), "one");
        assert_eq!(world.requests(), 2);
    }
}

#[test]
fn a_failure_that_a_token_has_followed_is_over() {
    let world = World::new();
    world.script.answer(|_, _| {
        Ok(http::Response::builder().status(429).header("retry-after", "3000").body(Vec::new()).expect("an answer"))
    });
    world.process().token().expect_err("too many requests");
    world.advance(1);
    world.script.token("one", 60);
    assert_eq!(world.process().renew().expect("a token").secret(), "one");
    world.advance(61);
    world.script.token("two", 3600);
    assert_eq!(token(&world.process()), "two");
}

/// As one can who can write to a store that has a clock, even if it is sealed.
#[test]
fn a_failure_that_somebody_puts_back_is_over() {
    let world = World::remote();
    world.script.json(401, r#"{"error":"invalid_client"}"#);
    world.process().token().expect_err("refused");
    let (name, note) = world.store.entries().remove(0);
    world.advance(3600);
    world.store.save(&name, &note, Stamp::from(u64::MAX), Duration::from_secs(10)).expect("kept");
    world.script.token("one", 3600);
    assert_eq!(token(&world.process()), "one");
}
