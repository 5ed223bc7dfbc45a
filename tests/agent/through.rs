//! What is sent through the caller's own agent: everything, with a token or without.

use super::parts::{agent_of_parts, source_for_api_test};
use super::*;

/// More than is read of a 401, so that the second attempt needs another connection.
const LONG: usize = 64 * 1024;

#[test]
fn a_custom_resolver_and_connector_serve_both_attempts_and_requests_without_a_token() {
    type Send = fn(&Agent, &str) -> Outcome;
    let sends: [Send; 3] = [get, post, |agent, url| agent.run(Request::put(url).body("x").expect("a request"))];
    for send in sends {
        let api = Server::replies([invalid_token().body(large(LONG)), reply(200), reply(201)]);
        let (own, asked) = agent_of_parts(config().build(), &["api.test", "other.test"], &api);
        let agent = source_for_api_test(&tokens(&["T1", "T2"])).wrap(own);
        assert_eq!(status(&send(&agent, "http://api.test/items")), 200);
        assert_eq!(status(&send(&agent, "http://other.test/items")), 201);
        assert_eq!(api.tokens(), ["T1", "T2", "-"]);
        assert_eq!(asked.hosts(), ["api.test", "api.test", "other.test"]);
        assert_eq!((asked.connections(), api.connections()), (3, 3));
        let outcome = send(&agent, "http://unknown.test/items");
        assert!(matches!(outcome, Err(ureq::Error::HostNotFound)), "{outcome:?}");
        assert_eq!(asked.hosts().len(), 4);
    }
}

#[test]
fn the_second_attempt_uses_the_connection_of_the_first_after_a_401_of_up_to_16_kib() {
    let bodies = [
        ("empty", invalid_token().body("")),
        ("short", invalid_token()),
        ("16 KiB", invalid_token().body(large(16 * 1024))),
        ("chunked", invalid_token().chunked()),
        ("empty and chunked", invalid_token().body("").chunked()),
        ("16 KiB, chunked", invalid_token().body(large(16 * 1024)).chunked()),
        #[cfg(feature = "gzip")]
        ("gzip", gzip(invalid_token(), b"refused")),
    ];
    let sends: [fn(&Agent, &str) -> Outcome; 3] = [get, post, |agent, url| agent.head(url).call()];
    for (name, refused) in bodies {
        for (n, send) in sends.into_iter().enumerate() {
            for status_as_error in [true, false] {
                let case = format!("{name}, way {n}, {status_as_error}");
                let api = Server::replies([refused.clone(), reply(200)]);
                let agent = agent(&source(&tokens(&["T1", "T2"]), &api), status_as_error);
                assert_eq!(status(&send(&agent, &api.url("/"))), 200, "{case}");
                assert_eq!((api.tokens(), api.request_connections()), (both_tokens(), vec![0, 0]), "{case}");
            }
        }
    }
}

#[test]
fn the_second_attempt_has_a_connection_of_its_own_after_a_longer_401() {
    for refused in [invalid_token().body(large(LONG)), invalid_token().body(large(LONG)).chunked()] {
        for send in [get, post] {
            let api = Server::replies([refused.clone(), reply(200)]);
            assert_eq!(status(&send(&agent(&source(&tokens(&["T1", "T2"]), &api), true), &api.url("/"))), 200);
            assert_eq!((api.tokens(), api.request_connections()), (both_tokens(), vec![0, 1]));
        }
    }
}

fn both_tokens() -> Vec<String> {
    ["T1", "T2"].map(str::to_owned).into()
}

#[test]
fn a_wrapped_agent_and_the_callers_own_share_their_connections() {
    let api = Server::new(|_| reply(200).body("fine"));
    let own: Agent = config().build().into();
    let agent = source(&tokens(&["T1"]), &api).wrap(own.clone());
    for agent in [&own, &agent, &own, &agent.clone()] {
        assert_eq!(text(get(agent, &api.url("/"))), "fine");
    }
    assert_eq!((api.tokens(), api.connections()), (["-", "T1", "-", "T1"].map(str::to_owned).into(), 1));
}

#[test]
fn requests_without_a_token_use_the_connections_of_the_callers_own_agent() {
    let (api, other) = (Server::replies([]), Server::new(|_| reply(200).body("fine")));
    let own: Agent = config().build().into();
    let agent = source(&tokens(&[]), &api).wrap(own.clone());
    for agent in [&agent, &own, &agent] {
        assert_eq!(text(agent.post(other.url("/")).send("x")), "fine");
    }
    assert_eq!((other.requests().len(), other.connections()), (3, 1));
}

#[test]
fn a_shutdown_of_the_callers_own_agent_ends_the_wrapped_one() {
    let (api, other) = (Server::new(|_| reply(200)), Server::new(|_| reply(200)));
    let own: Agent = config().build().into();
    let agent = source(&tokens(&["T1"]), &api).wrap(own.clone());
    for server in [&api, &other] {
        assert_eq!(status(&get(&agent, &server.url("/"))), 200);
    }
    own.shutdown();
    for server in [&api, &other] {
        let outcome = get(&agent, &server.url("/"));
        assert!(
            matches!(&outcome, Err(ureq::Error::Io(error)) if error.kind() == io::ErrorKind::NotConnected),
            "{outcome:?}"
        );
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_shutdown_between_the_attempts_gives_a_safe_method_the_401_and_any_other_the_error() {
    for (send, gets_the_401) in [(get as fn(&Agent, &str) -> Outcome, true), (post, false)] {
        let own: Arc<Mutex<Option<Agent>>> = Arc::default();
        let (theirs, script) = (Arc::clone(&own), tokens(&["T1"]));
        script.answer(move |_, _| {
            lock(&theirs).take().expect("set by now").shutdown();
            Ok(Response::new(br#"{"access_token":"T2","expires_in":3600}"#.to_vec()))
        });
        let api = Server::new(|_| invalid_token());
        let agent: Agent = config().http_status_as_error(false).build().into();
        *lock(&own) = Some(agent.clone());
        let outcome = send(&source(&script, &api).wrap(agent), &api.url("/"));
        if gets_the_401 {
            assert_eq!(text(outcome), "status 401");
        } else {
            assert!(matches!(outcome, Err(ureq::Error::Io(_))), "{outcome:?}");
        }
        assert_eq!(api.tokens(), ["T1"]);
    }
}

#[test]
fn a_shutdown_of_the_wrapped_agent_has_no_effect() {
    let api = Server::new(|_| reply(200));
    let agent = source(&tokens(&["T1"]), &api).wrap(config().build().into());
    agent.clone().shutdown();
    assert_eq!(status(&get(&agent, &api.url("/"))), 200);
}

#[test]
fn a_proxy_of_the_callers_own_agent_sees_both_attempts_and_requests_without_a_token() {
    let proxy = Server::replies([invalid_token(), reply(200), reply(201)]);
    let through = Proxy::new(&proxy.url("")).expect("a proxy");
    let agent = source_for_api_test(&tokens(&["T1", "T2"])).wrap(config().proxy(Some(through)).build().into());
    assert_eq!(status(&get(&agent, "http://api.test/items")), 200);
    assert_eq!(status(&post(&agent, "http://other.test:81/items")), 201);
    let requests = proxy.requests();
    assert_eq!(
        requests.iter().map(Received::line).collect::<Vec<_>>(),
        [
            "CONNECT api.test:80 HTTP/1.1",
            "GET /items HTTP/1.1",
            "GET /items HTTP/1.1",
            "CONNECT other.test:81 HTTP/1.1",
            "POST /items HTTP/1.1",
        ]
    );
    assert_eq!(proxy.tokens(), ["-", "T1", "T2", "-", "-"]);
}

#[test]
fn https_only_holds_with_a_token_and_without() {
    let (api, other) = (Server::replies([]), Server::replies([]));
    let agent = source(&tokens(&["T1"]), &api).wrap(config().https_only(true).build().into());
    for server in [&api, &other] {
        let outcome = get(&agent, &server.url("/"));
        assert!(matches!(outcome, Err(ureq::Error::RequireHttpsOnly(_))), "{outcome:?}");
        assert_eq!(server.connections(), 0);
    }
}
