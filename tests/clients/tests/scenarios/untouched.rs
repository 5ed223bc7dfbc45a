//! Requests that the source leaves alone, and token errors.

use client_credentials::Error;

use crate::clients::{Ask, Client};
use crate::with_each_client;
use crate::world::{self, World, answer, credentials, invalid_token, url};

with_each_client! {
    d17_a_request_for_another_origin_is_untouched_and_its_401_is_the_callers
    st_11_br_09_an_authorization_of_the_callers_is_untouched_and_its_401_is_the_callers
    st_12_d18_a_token_error_reaches_the_caller_and_nothing_is_sent
}

fn d17_a_request_for_another_origin_is_untouched_and_its_401_is_the_callers(client: &impl Client) {
    let (world, other) = (World::new(&["T1"]), world::api());
    other.next(invalid_token("theirs"));
    let ask = Ask::post(&url(&other), "x");
    let answer = client.send(&world.source, ask).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (401, "theirs"));
    assert_eq!((credentials(&other), world::bodies(&other)), (vec!["-".to_owned()], vec!["x".to_owned()]));
    assert_eq!((world.token_requests(), world.api.connections()), (0, 0));
}

fn st_11_br_09_an_authorization_of_the_callers_is_untouched_and_its_401_is_the_callers(client: &impl Client) {
    let world = World::new(&["T1"]);
    world.answers([invalid_token("theirs"), answer(200, "")]);
    let ask = Ask { authorization: Some("Basic eDp5"), ..Ask::get(&world.url()) };
    let answer = client.send(&world.source, ask).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (401, "theirs"));
    assert_eq!((credentials(&world.api), world.token_requests()), (vec!["Basic eDp5".to_owned()], 0));
    assert_eq!(world.told(), []);
}

fn st_12_d18_a_token_error_reaches_the_caller_and_nothing_is_sent(client: &impl Client) {
    let world = World::new(&[]);
    world.script.json(401, r#"{"error":"invalid_client"}"#);
    let failure = client.send(&world.source, Ask::get(&world.url())).expect_err("no token");
    assert!(matches!(failure.downcast_ref(), Some(Error::Denied(_))), "{failure}");
    assert_eq!((world.api.connections(), world.token_requests()), (0, 1));
}
