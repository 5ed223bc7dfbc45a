//! Events that need more than one call.

use client_credentials::Verdict;

use crate::clients::{Ask, Client};
use crate::with_each_client;
use crate::world::{self, Told, World, invalid_token, origin, url};

with_each_client! {
    an_origin_that_is_not_allowed_is_reported_once
    a_second_refusal_within_10_seconds_is_too_soon
}

fn an_origin_that_is_not_allowed_is_reported_once(client: &impl Client) {
    let (world, one, two) = (World::new(&["T1"]), world::api(), world::api());
    for other in [&one, &two] {
        other.always(invalid_token(""));
        for _ in 0..3 {
            assert_eq!(client.send(&world.source, Ask::get(&url(other))).expect("an answer").status, 401);
        }
        // A 401 of the caller's own credentials is the caller's.
        let ask = Ask { authorization: Some("Basic eDp5"), ..Ask::get(&url(other)) };
        assert_eq!(client.send(&world.source, ask).expect("an answer").status, 401);
    }
    assert_eq!(world.told(), [&one, &two].map(|other| Told::NotAllowed(origin(other))));
}

fn a_second_refusal_within_10_seconds_is_too_soon(client: &impl Client) {
    let world = World::new(&["T1", "T2"]);
    world.api.always(invalid_token(""));
    for _ in 0..2 {
        assert_eq!(client.send(&world.source, Ask::get(&world.url())).expect("an answer").status, 401);
    }
    assert_eq!((world.api.requests().len(), world.token_requests()), (3, 2));
    let expected = [Told::Refused(Verdict::Replay), Told::Replayed(Some(401)), Told::Refused(Verdict::TooSoon)];
    assert_eq!(world.told(), expected);
}
