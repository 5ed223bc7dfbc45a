//! What follows a 401.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use client_credentials::Verdict;
use client_credentials::test_util::{Script, Step};
use http::Method;

use crate::clients::{Ask, Client};
use crate::with_each_client;
use crate::world::{self, Told, World, answer, bodies, challenge, credentials, invalid_token, redirect, url};

with_each_client! {
    st_01_a_refused_token_is_renewed_and_the_request_repeated
    st_04_a_body_in_memory_is_repeated
    st_08_a_token_that_another_caller_replaced_is_not_requested_again
    a_fragment_in_the_url_is_no_redirect
    d12_the_very_same_token_is_not_repeated
    st_03_a_streamed_body_is_not_repeated_and_the_token_is_dropped
    st_03_a_body_over_the_replay_limit_is_not_repeated_and_the_token_is_dropped
    with_a_replay_limit_of_0_only_safe_methods_are_repeated
    st_02_the_second_401_is_the_callers
    st_18_if_the_renewal_fails_the_caller_gets_the_401
    d10_insufficient_scope_is_not_renewed
    d33_an_answer_that_the_program_calls_a_refusal_is_one
    st_05_if_the_second_attempt_gets_no_answer_a_safe_method_returns_the_401
    st_05_if_the_second_attempt_of_a_post_gets_no_answer_that_is_an_error
    st_05_a_first_attempt_without_an_answer_is_an_error
    every_other_status_is_the_callers
    st_13_a_redirect_to_another_origin_takes_no_token_along
    st_13_a_redirect_of_the_second_attempt_takes_no_token_along
    d23_a_401_after_a_redirect_is_no_refusal_and_goes_where_it_led
    d23_a_redirected_post_is_not_sent_again
}

fn st_01_a_refused_token_is_renewed_and_the_request_repeated(client: &impl Client) {
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE, Method::POST] {
        let world = World::new(&["T1", "T2"]);
        let head = method == Method::HEAD;
        // The body of an answer to HEAD would be read as the next answer.
        let body = |text| if head { "" } else { text };
        world.answers([invalid_token(body("refused")), answer(200, body("fine"))]);
        let ask = Ask { method: method.clone(), ..Ask::get(&world.url()) };
        let answer = client.send(&world.source, ask).expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (200, body("fine")), "{method}");
        assert_eq!((credentials(&world.api), world.token_requests()), (bearer(&["T1", "T2"]), 2));
        for request in world.api.requests() {
            assert_eq!((request.method(), request.uri().path()), (&method, "/items"));
        }
        assert_eq!(world.told(), [Told::Refused(Verdict::Replay), Told::Replayed(Some(200))]);
    }
}

fn st_04_a_body_in_memory_is_repeated(client: &impl Client) {
    let world = World::new(&["T1", "T2"]);
    world.answers([invalid_token(""), answer(201, "made")]);
    let answer = client.send(&world.source, Ask::post(&world.url(), "one more")).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (201, "made"));
    assert_eq!((credentials(&world.api), bodies(&world.api)), (bearer(&["T1", "T2"]), vec!["one more".to_owned(); 2]));
}

fn st_08_a_token_that_another_caller_replaced_is_not_requested_again(client: &impl Client) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let (script, told) = (Script::new(), Arc::<Mutex<Vec<Told>>>::default());
    script.token("T1", 3600);
    script.token("T2", 3600);
    let source = world::builder(&script, &origin, &told).build().expect("a source");
    let another = source.clone();
    // Not a `TokenServer`, which cannot renew the token between a request and its answer.
    let api = thread::spawn(move || {
        for status in [401, 200] {
            let (mut stream, _) = listener.accept().expect("a connection");
            let lines = BufReader::new(&stream).lines().map(|line| line.expect("text"));
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            if status == 401 {
                assert!(head.iter().any(|line| line.ends_with("Bearer T1")), "{head:?}");
                assert_eq!(another.renew().expect("a token").secret(), "T2");
            } else {
                assert!(head.iter().any(|line| line.ends_with("Bearer T2")), "{head:?}");
            }
            let answer = format!("HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).expect("a client");
        }
    });
    let answer = client.send(&source, Ask::get(&format!("{origin}/items"))).expect("an answer");
    assert_eq!((answer.status, script.requests().len()), (200, 2));
    assert_eq!(*told.lock().expect("no panic"), [Told::Refused(Verdict::Replay), Told::Replayed(Some(200))]);
    api.join().expect("no panic");
}

fn a_fragment_in_the_url_is_no_redirect(client: &impl Client) {
    let world = World::new(&["T1", "T2"]);
    world.answers([invalid_token(""), answer(200, "fine")]);
    let ask = Ask::get(&format!("{}?page=2#last", world.url()));
    assert_eq!(client.send(&world.source, ask).expect("an answer").body, "fine");
    assert!(world.api.requests().iter().all(|request| request.uri() == "/items?page=2"));
}

fn d12_the_very_same_token_is_not_repeated(client: &impl Client) {
    let world = World::new(&["T1", "T1"]);
    world.answers([invalid_token("only")]);
    let answer = client.send(&world.source, Ask::get(&world.url())).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (401, "only"));
    assert_eq!((credentials(&world.api), world.token_requests()), (bearer(&["T1"]), 2));
    assert_eq!(world.told(), [Told::Refused(Verdict::SameToken)]);
}

fn st_03_a_streamed_body_is_not_repeated_and_the_token_is_dropped(client: &impl Client) {
    let world = World::with(&["T1", "T2"], |builder| builder.replay_limit(3));
    let ask = Ask { streamed: true, counted: true, ..Ask::post(&world.url(), "four") };
    is_not_repeated(client, &world, ask);
}

fn st_03_a_body_over_the_replay_limit_is_not_repeated_and_the_token_is_dropped(client: &impl Client) {
    let world = World::with(&["T1", "T2"], |builder| builder.replay_limit(3));
    // With a length, because the server reads no chunks.
    let ask = Ask { counted: true, ..Ask::post(&world.url(), "four") };
    is_not_repeated(client, &world, ask);
}

fn with_a_replay_limit_of_0_only_safe_methods_are_repeated(client: &impl Client) {
    let world = World::with(&["T1", "T2"], |builder| builder.replay_limit(0));
    is_not_repeated(client, &world, Ask::post(&world.url(), ""));
    let world = World::with(&["T1", "T2"], |builder| builder.replay_limit(0));
    world.answers([invalid_token(""), answer(200, "fine")]);
    assert_eq!(client.send(&world.source, Ask::get(&world.url())).expect("an answer").body, "fine");
}

fn is_not_repeated(client: &impl Client, world: &World, ask: Ask) {
    world.answers([invalid_token("only"), answer(200, "")]);
    let body = ask.body;
    let answer = client.send(&world.source, ask).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (401, "only"));
    assert_eq!((credentials(&world.api), bodies(&world.api)), (bearer(&["T1"]), vec![body.to_owned()]));
    assert_eq!((world.source.inspect().has_token, world.token_requests()), (false, 1));
    assert_eq!(world.told(), [Told::Refused(Verdict::NotReplayable)]);
    // The next call fetches another one.
    assert_eq!(client.send(&world.source, Ask::get(&world.url())).expect("an answer").status, 200);
    assert_eq!((credentials(&world.api), world.token_requests()), (bearer(&["T1", "T2"]), 2));
}

fn st_02_the_second_401_is_the_callers(client: &impl Client) {
    let world = World::new(&["T1", "T2"]);
    world.answers([invalid_token("first"), challenge(r#"Bearer realm="second""#, "second")]);
    let answer = client.send(&world.source, Ask::get(&world.url())).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (401, "second"));
    assert_eq!(answer.headers["www-authenticate"], r#"Bearer realm="second""#);
    assert_eq!((credentials(&world.api), world.token_requests()), (bearer(&["T1", "T2"]), 2));
    assert_eq!(world.told(), [Told::Refused(Verdict::Replay), Told::Replayed(Some(401))]);
}

fn st_18_if_the_renewal_fails_the_caller_gets_the_401(client: &impl Client) {
    let world = World::new(&["T1"]);
    world.script.json(400, r#"{"error":"invalid_client"}"#);
    world.answers([invalid_token("only")]);
    let answer = client.send(&world.source, Ask::post(&world.url(), "x")).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (401, "only"));
    assert_eq!((credentials(&world.api), world.token_requests()), (bearer(&["T1"]), 2));
    assert_eq!(world.told(), [Told::Refused(Verdict::RenewalFailed)]);
}

fn d10_insufficient_scope_is_not_renewed(client: &impl Client) {
    for error in ["insufficient_scope", "insufficient_user_authentication"] {
        let world = World::new(&["T1", "T2"]);
        world.answers([challenge(&format!("Bearer error={error}"), "only")]);
        let answer = client.send(&world.source, Ask::get(&world.url())).expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (401, "only"));
        assert_eq!((world.source.inspect().has_token, world.token_requests()), (true, 1));
        assert_eq!(world.told(), [Told::Refused(Verdict::Useless)]);
    }
}

fn d33_an_answer_that_the_program_calls_a_refusal_is_one(client: &impl Client) {
    let known = |error: &str| {
        let refused = http::Response::builder().status(403).header("x-error", error);
        refused.body("first".to_owned()).expect("an answer")
    };
    for (error, expected) in [("expired", (200, "fine")), ("other", (403, "first"))] {
        let world = World::with(&["T1", "T2"], |builder| {
            builder.refused_when(|status, headers| status == 403 && headers["x-error"] == "expired")
        });
        world.answers([known(error), answer(200, "fine")]);
        let answer = client.send(&world.source, Ask::post(&world.url(), "x")).expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), expected);
        assert_eq!(credentials(&world.api), bearer(&["T1", "T2"][..world.token_requests()]));
    }
}

fn st_05_if_the_second_attempt_gets_no_answer_a_safe_method_returns_the_401(client: &impl Client) {
    let world = World::new(&["T1", "T2"]);
    world.answers([invalid_token("first")]);
    world.answers([Step::Close]);
    let answer = client.send(&world.source, Ask::get(&world.url())).expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (401, "first"));
    assert_eq!(credentials(&world.api), bearer(&["T1", "T2"]));
    assert_eq!(world.told(), [Told::Refused(Verdict::Replay), Told::Replayed(None)]);
}

fn st_05_if_the_second_attempt_of_a_post_gets_no_answer_that_is_an_error(client: &impl Client) {
    let world = World::new(&["T1", "T2"]);
    world.answers([invalid_token("first")]);
    world.answers([Step::Close]);
    client.send(&world.source, Ask::post(&world.url(), "x")).expect_err("no answer");
    assert_eq!(credentials(&world.api), bearer(&["T1", "T2"]));
    assert_eq!(world.told(), [Told::Refused(Verdict::Replay), Told::Replayed(None)]);
}

fn st_05_a_first_attempt_without_an_answer_is_an_error(client: &impl Client) {
    let world = World::new(&["T1"]);
    world.answers([Step::Close]);
    client.send(&world.source, Ask::post(&world.url(), "x")).expect_err("no answer");
    assert_eq!((credentials(&world.api), world.told()), (bearer(&["T1"]), vec![]));
}

fn every_other_status_is_the_callers(client: &impl Client) {
    for status in [200, 204, 304, 402, 403, 404, 407, 429, 500, 503] {
        let world = World::new(&["T1", "T2"]);
        let mut answer = invalid_token("");
        *answer.status_mut() = status.try_into().expect("a status");
        world.answers([answer]);
        assert_eq!(client.send(&world.source, Ask::get(&world.url())).expect("an answer").status, status);
        assert_eq!((credentials(&world.api), world.token_requests()), (bearer(&["T1"]), 1));
        assert_eq!(world.told(), []);
    }
}

fn st_13_a_redirect_to_another_origin_takes_no_token_along<C: Client>(client: &C) {
    let (world, other) = (World::new(&["T1"]), world::api());
    other.next(answer(200, "elsewhere"));
    world.answers([redirect(302, &url(&other))]);
    let answer = client.send(&world.source, Ask::get(&world.url())).expect("an answer");
    is_without_token(client, answer.status, &other);
    assert_eq!((credentials(&world.api), world.told()), (bearer(&["T1"]), vec![]));
}

fn st_13_a_redirect_of_the_second_attempt_takes_no_token_along<C: Client>(client: &C) {
    let (world, other) = (World::new(&["T1", "T2"]), world::api());
    other.next(answer(200, "elsewhere"));
    world.answers([invalid_token("").into(), redirect(307, &url(&other))]);
    let answer = client.send(&world.source, Ask::get(&world.url())).expect("an answer");
    is_without_token(client, answer.status, &other);
    assert_eq!(credentials(&world.api), bearer(&["T1", "T2"]));
}

fn is_without_token<C: Client>(_: &C, status: u16, other: &client_credentials::test_util::TokenServer) {
    if C::FOLLOWS_REDIRECTS {
        assert_eq!((status, credentials(other)), (200, vec!["-".to_owned()]));
    } else {
        assert!(matches!(status, 302 | 307), "{status}");
        assert_eq!(other.connections(), 0);
    }
}

fn d23_a_401_after_a_redirect_is_no_refusal_and_goes_where_it_led<C: Client>(client: &C) {
    for elsewhere in [false, true] {
        let (world, other) = (World::new(&["T1", "T2"]), world::api());
        let to = if elsewhere { url(&other) } else { "/next".to_owned() };
        other.next(invalid_token("last"));
        world.answers([redirect(302, &to), invalid_token("last").into(), answer(200, "fine").into()]);
        let answer = client.send(&world.source, Ask::get(&world.url())).expect("an answer");
        if C::FOLLOWS_REDIRECTS {
            let expected = if elsewhere { (401, "last") } else { (200, "fine") };
            assert_eq!((answer.status, answer.body.as_str()), expected);
            assert_eq!(world.told()[0], Told::Refused(Verdict::Redirected));
        } else {
            assert_eq!((answer.status, answer.headers["location"].to_str().expect("text")), (302, to.as_str()));
            assert_eq!(world.told(), []);
        }
        assert_eq!((world.source.inspect().has_token, world.token_requests()), (true, 1));
    }
}

/// It was applied, and often leads back to its own URL.
fn d23_a_redirected_post_is_not_sent_again(client: &impl Client) {
    for to in ["/items", "/next"] {
        let world = World::new(&["T1", "T2"]);
        world.answers([redirect(303, to), invalid_token("").into()]);
        let answer = client.send(&world.source, Ask::post(&world.url(), "one more")).expect("an answer");
        assert!(matches!(answer.status, 303 | 401), "{answer:?}");
        let posts = world.api.requests().iter().filter(|request| request.method() == Method::POST).count();
        assert_eq!((posts, world.token_requests()), (1, 1));
    }
}

fn bearer(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|token| format!("Bearer {token}")).collect()
}
