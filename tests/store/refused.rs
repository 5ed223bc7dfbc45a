//! Tokens that an API refused.

use super::*;

#[test]
fn of_many_processes_that_are_refused_the_same_token_one_replaces_it() {
    for world in [World::new(), World::remote()] {
        world.script.token("one", 3600);
        world.script.token("two", 3600);
        let processes: Vec<_> = (0..20).map(|_| world.process()).collect();
        processes.iter().for_each(|process| drop(token(process)));
        world.advance(60);
        for process in &processes {
            let refused = process.token().expect("a token");
            assert!(refused.secret() == "one" && process.refused(&refused));
            assert_eq!(token(process), "two");
        }
        assert_eq!(world.requests(), 2);
    }
}

#[test]
fn d34_a_token_of_a_moment_ago_is_handed_out_again_unless_it_was_accepted() {
    let world = World::new();
    (1..=4).for_each(|number| world.script.token(&format!("t{number}"), 3600));
    // Each of them pauses for a second between two fetches.
    let processes: Vec<_> = (0..8).map(|_| world.process()).collect();
    for process in &processes {
        let refused = process.token().expect("a token");
        assert!(process.refused(&refused));
        assert_eq!(token(process), "t1");
    }
    assert_eq!(world.requests(), 1, "an API that refuses everything");
    world.advance(11);
    let refused = processes[0].token().expect("a token");
    assert!(processes[0].refused(&refused));
    assert_eq!(token(&processes[0]), "t2");
    assert_eq!(world.requests(), 2);
}

#[test]
fn d34_a_token_that_this_process_saw_accepted_is_replaced_at_once() {
    let world = World::new();
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    let process = world.process();
    let call = |status: u16| {
        let mut request = http::Request::get("https://api.example.com/").body(()).expect("a request");
        let mut call = process.call(&mut request).expect("a call");
        let answer = http::Response::builder().status(status).body(()).expect("an answer");
        call.retry(&mut request, &answer).then(|| request.headers()["authorization"].clone())
    };
    assert_eq!(call(200), None);
    assert_eq!(call(401).expect("once more"), "Bearer two");
    assert_eq!(token(&world.process()), "two");
}

#[test]
fn d12_the_same_token_again_is_not_sent_again() {
    let world = World::new();
    world.script.token("one", 3600);
    let words = Words::default();
    let builder = world.client();
    let process = words.on(builder).build().expect("a source");
    let mut request = http::Request::get("https://api.example.com/").body(()).expect("a request");
    let mut call = process.call(&mut request).expect("a call");
    let answer = http::Response::builder().status(401).body(()).expect("an answer");
    assert!(!call.retry(&mut request, &answer));
    assert_eq!(words.count("SameToken"), 1, "{:?}", words.take());
    assert_eq!(world.requests(), 1);
}
