//! Single calls with settings of their own, made by ureq's `config()`, which nobody can read.

use super::parts::{agent_of_parts, source_for_api_test};
use super::*;

type Send = fn(&Agent, &str) -> Outcome;

/// Settings of a call that change nothing but the name of the program.
fn configured<Any>(request: RequestBuilder<Any>) -> RequestBuilder<Any> {
    request.config().user_agent("call/1").build()
}

fn run(agent: &Agent, method: &str, url: &str) -> Outcome {
    let request = Request::builder().method(method).uri(url).body("x").expect("a request");
    agent.run(agent.configure_request(request).user_agent("call/1").build())
}

const IDEMPOTENT: [Send; 7] = [
    |agent, url| configured(agent.get(url)).call(),
    |agent, url| configured(agent.head(url)).call(),
    |agent, url| configured(agent.put(url)).send("x"),
    |agent, url| configured(agent.delete(url)).call(),
    |agent, url| configured(agent.options(url)).call(),
    |agent, url| configured(agent.trace(url)).call(),
    |agent, url| run(agent, "PUT", url),
];

const NOT_IDEMPOTENT: [Send; 5] = [
    |agent, url| configured(agent.post(url)).send("x"),
    |agent, url| configured(agent.post(url)).send_empty(),
    |agent, url| configured(agent.patch(url)).send("x"),
    |agent, url| run(agent, "POST", url),
    |agent, url| run(agent, "PROPFIND", url),
];

/// A challenge after which no token is renewed, if it can be read.
fn useless() -> Reply {
    challenge(401, r#"Bearer error="insufficient_scope""#)
}

#[test]
fn in_error_mode_an_idempotent_method_is_renewed_and_repeated_whatever_the_challenge() {
    for (n, send) in IDEMPOTENT.into_iter().enumerate() {
        for refused in [invalid_token(), useless(), reply(401)] {
            let api = Server::replies([refused, reply(200)]);
            assert_eq!(status(&send(&agent(&source(&tokens(&["T1", "T2"]), &api), true), &api.url("/"))), 200, "{n}");
            let [first, second] = &api.requests()[..] else { panic!("{n}") };
            assert_eq!((first.token(), second.token()), (Some("T1"), Some("T2")), "{n}");
            assert_same(&format!("method {n}"), first, second, first.framing());
            assert_eq!(second.header("user-agent"), Some("call/1"), "{n}");
        }
    }
}

#[test]
fn in_error_mode_any_other_method_is_not_repeated_but_drops_the_token() {
    for (n, send) in NOT_IDEMPOTENT.into_iter().enumerate() {
        for refused in [invalid_token(), useless(), reply(401)] {
            let (script, api) = (tokens(&["T1", "T2"]), Server::replies([refused, reply(200)]));
            let source = source(&script, &api);
            let agent = agent(&source, true);
            let outcome = send(&agent, &api.url("/"));
            assert!(matches!(outcome, Err(ureq::Error::StatusCode(401))), "{n}: {outcome:?}");
            assert_eq!((source.inspect().has_token, script.requests().len()), (false, 1), "{n}");
            assert_eq!(status(&send(&agent, &api.url("/"))), 200, "{n}");
            assert_eq!(api.tokens(), ["T1", "T2"], "{n}");
        }
    }
}

#[test]
fn in_error_mode_the_second_401_is_an_error_and_nothing_is_sent_a_third_time() {
    for (n, send) in IDEMPOTENT.into_iter().enumerate() {
        let (script, api) = (tokens(&["T1", "T2", "T3"]), Server::new(|_| invalid_token()));
        let outcome = send(&agent(&source(&script, &api), true), &api.url("/"));
        assert!(matches!(outcome, Err(ureq::Error::StatusCode(401))), "{n}: {outcome:?}");
        assert_eq!((api.tokens(), script.requests().len()), (["T1", "T2"].map(str::to_owned).into(), 2), "{n}");
    }
}

#[test]
fn in_error_mode_an_idempotent_method_is_repeated_whatever_the_redirects() {
    let api = Server::new(|request| match request.target() {
        "/next" => invalid_token(),
        _ => redirect(302, String::from("/next")),
    });
    let agent = agent(&source(&tokens(&["T1", "T2"]), &api), true);
    let outcome = configured(agent.get(api.url("/"))).call();
    assert!(matches!(outcome, Err(ureq::Error::StatusCode(401))), "{outcome:?}");
    assert_eq!(api.tokens(), ["T1", "-", "T2", "-"]);
}

#[test]
fn a_post_that_was_answered_by_303_to_its_own_url_and_then_401_is_not_sent_twice() {
    for status_as_error in [true, false] {
        let api = Server::new(|request| match request.method() {
            "POST" => redirect(303, String::from("/items")),
            _ => invalid_token(),
        });
        let script = tokens(&["T1", "T2"]);
        let agent = agent(&source(&script, &api), status_as_error);
        assert_eq!(status(&configured(agent.post(api.url("/items"))).send("one more")), 401);
        let methods: Vec<_> = api.requests().iter().map(|request| request.method().to_owned()).collect();
        assert_eq!((methods, script.requests().len()), (vec!["POST".to_owned(), "GET".to_owned()], 1));
    }
}

#[test]
fn in_response_mode_everything_is_as_usual() {
    let by_call: Send = |agent, url| agent.post(url).config().http_status_as_error(false).build().send("x");
    let by_agent: Send = |agent, url| configured(agent.post(url)).send("x");
    for (agent_mode, send) in [(true, by_call), (false, by_call), (false, by_agent)] {
        let call = |replies: &[Reply]| {
            let (script, api) = (tokens(&["T1", "T2"]), Server::replies(replies.to_vec()));
            let source = source(&script, &api);
            let outcome = send(&agent(&source, agent_mode), &api.url("/"));
            (text(outcome), api.tokens(), source.inspect().has_token)
        };
        let seen = |tokens: &[&str]| tokens.iter().map(|token| (*token).to_owned()).collect::<Vec<_>>();
        let fine = reply(200).body("fine");
        assert_eq!(call(&[invalid_token(), fine.clone()]), ("fine".into(), seen(&["T1", "T2"]), true));
        assert_eq!(call(&[useless(), fine]), ("status 401".into(), seen(&["T1"]), true));
        let redirected = [redirect(303, "/next".into()), invalid_token()];
        assert_eq!(call(&redirected), ("status 401".into(), seen(&["T1", "-"]), true));
        let twice = [invalid_token(), invalid_token().body("second")];
        assert_eq!(call(&twice), ("second".into(), seen(&["T1", "T2"]), true));
    }
}

#[test]
fn in_response_mode_of_a_single_call_other_statuses_are_responses_too() {
    for code in [403, 404, 500] {
        let api = Server::replies([reply(code).body("why")]);
        let agent = agent(&source(&tokens(&["T1"]), &api), true);
        assert_eq!(text(agent.get(api.url("/")).config().http_status_as_error(false).build().call()), "why");
    }
}

#[test]
fn timeout_global_holds_for_each_attempt_and_the_wait_for_a_token_has_other_limits() {
    const OF_CALL: Duration = Duration::from_secs(5);
    const OF_SOURCE: Duration = Duration::from_secs(30);
    for (of_agent, of_first_wait) in [(None, OF_SOURCE), (Some(Duration::from_secs(9)), Duration::from_secs(9))] {
        let (script, waits) = (Script::new(), Arc::new(Mutex::new(Vec::new())));
        for token in ["T1", "T2"] {
            let (waits, clock) = (Arc::clone(&waits), script.clock());
            script.answer(move |_, attempt| {
                lock(&waits).push(attempt.timeout);
                clock.advance(Duration::from_secs(6));
                Ok(Response::new(format!(r#"{{"access_token":"{token}","expires_in":3600}}"#).into_bytes()))
            });
        }
        // Too long for the connection to be used again, so that each attempt asks the resolver.
        let api = Server::replies([invalid_token().body(large(100_000)), reply(200)]);
        let (own, asked) = agent_of_parts(config().timeout_global(of_agent).build(), &["api.test"], &api);
        let agent = source_for_api_test(&script).wrap(own);
        let request = agent.get("http://api.test/").config().timeout_global(Some(OF_CALL)).build();
        assert_eq!(status(&request.call()), 200);
        assert_eq!(asked.lookups().iter().map(|lookup| lookup.time).collect::<Vec<_>>(), [Some(OF_CALL); 2]);
        let of_second_wait = of_agent.map_or(OF_SOURCE, |_| Duration::from_secs(3));
        assert_eq!(*lock(&waits), [of_first_wait, of_second_wait]);
    }
}

/// ureq's documentation says that this may become an error. A wrapped agent does it with every call
/// that has settings of its own.
#[test]
fn ureq_lets_a_request_be_configured_with_one_agent_and_run_with_another() {
    let server = Server::replies([reply(404).body("fine")]);
    let (one, another): (Agent, Agent) = (config().build().into(), config().user_agent("another/1").build().into());
    let request = Request::get(server.url("/")).body(()).expect("a request");
    let request = one.configure_request(request).user_agent("call/1").http_status_as_error(false).build();
    assert_eq!(text(another.run(request)), "fine");
    assert_eq!(server.requests()[0].header("user-agent"), Some("call/1"));
}

#[test]
fn settings_hold_for_requests_without_a_token() {
    let (api, other) = (Server::replies([]), Server::replies([invalid_token()]));
    let agent = agent(&source(&tokens(&[]), &api), true);
    let request = agent.post(other.url("/")).config().http_status_as_error(false).user_agent("call/1").build();
    assert_eq!(text(request.send("x")), "status 401");
    assert_eq!(other.requests()[0].header("user-agent"), Some("call/1"));
}
