//! The time limit of a call, on the clock of the source.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use client_credentials::{Error, TransportError, TransportErrorKind, Verdict};
use http::Response;

use crate::clients::{Ask, Client};
use crate::with_each_client;
use crate::world::{Told, World, answer, invalid_token};

with_each_client! {
    the_limit_counts_token_and_renewal_together
    when_the_limit_ends_during_the_renewal_the_caller_gets_the_401
    nothing_is_sent_if_the_token_took_all_the_time
    without_any_time_nothing_is_requested_and_nothing_sent
}

fn the_limit_counts_token_and_renewal_together(client: &impl Client) {
    // The limit of the source itself for a token request is above that of the call.
    let world = World::with(&[], |builder| builder.timeout(Duration::from_secs(1000)));
    let allowed = [token_after(&world, "T1", 60), token_after(&world, "T2", 60)];
    world.answers([invalid_token(""), answer(200, "fine")]);
    let answer = client.send(&world.source, Ask::get(&world.url()).within(200)).expect("an answer");
    assert_eq!(answer.body, "fine");
    assert_eq!(allowed.map(|allowed| *allowed.lock().expect("no panic")), [200, 140].map(Duration::from_secs));
}

fn when_the_limit_ends_during_the_renewal_the_caller_gets_the_401(client: &impl Client) {
    let world = World::with(&[], |builder| builder.timeout(Duration::from_secs(1000)));
    token_after(&world, "T1", 60);
    let clock = world.script.clock();
    world.script.answer(move |_, attempt| {
        clock.advance(attempt.timeout);
        Err(TransportError::new(TransportErrorKind::Timeout, "no answer"))
    });
    world.answers([invalid_token("only")]);
    let answer = client.send(&world.source, Ask::get(&world.url()).within(100)).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (401, "only"));
    assert_eq!((world.api.requests().len(), world.token_requests()), (1, 2));
    assert_eq!(world.told(), [Told::Refused(Verdict::RenewalFailed)]);
}

fn nothing_is_sent_if_the_token_took_all_the_time(client: &impl Client) {
    let world = World::new(&[]);
    token_after(&world, "T1", 100);
    client.send(&world.source, Ask::get(&world.url()).within(100)).expect_err("no time");
    assert_eq!((world.api.connections(), world.token_requests()), (0, 1));
}

fn without_any_time_nothing_is_requested_and_nothing_sent(client: &impl Client) {
    let world = World::new(&["T1"]);
    let failure = client.send(&world.source, Ask::get(&world.url()).within(0)).expect_err("no time");
    assert!(matches!(failure.downcast_ref(), Some(Error::Transport(_))), "{failure}");
    assert!(failure.to_string().ends_with("of the request)"), "{failure}");
    assert_eq!((world.api.connections(), world.token_requests()), (0, 0));
}

/// The token endpoint takes so many seconds for this token; how long it was given.
fn token_after(world: &World, token: &'static str, seconds: u64) -> Arc<Mutex<Duration>> {
    let (clock, allowed) = (world.script.clock(), Arc::<Mutex<Duration>>::default());
    let given = Arc::clone(&allowed);
    world.script.answer(move |_, attempt| {
        *given.lock().expect("no panic") = attempt.timeout;
        clock.advance(Duration::from_secs(seconds));
        let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
        Ok(Response::new(body.into_bytes()))
    });
    allowed
}
