//! Answers that are no refusal of the token, and none at all.

use super::*;

#[test]
fn every_other_status_comes_as_the_status_mode_says() {
    for code in [200, 204, 304, 400, 404, 429, 500, 503] {
        for (agent_mode, mode) in MODES {
            let (script, api) = (tokens(&["T1"]), Server::replies([reply(code)]));
            let outcome = with(agent(&source(&script, &api), agent_mode).get(api.url("/")), mode).call();
            assert_eq!(status(&outcome), code);
            assert_eq!(outcome.is_err(), code >= 400 && mode.unwrap_or(agent_mode), "{code} {agent_mode} {mode:?}");
            assert_eq!((api.requests().len(), script.requests().len()), (1, 1));
        }
    }
}

#[test]
fn st_05_a_connection_that_breaks_before_the_answer_is_an_error_and_nothing_is_repeated() {
    for api in [Server::resetting(), Server::replies([Reply::hang_up(), reply(200)])] {
        let script = tokens(&["T1", "T2"]);
        let outcome = agent(&source(&script, &api), true).post(api.url("/")).send("x");
        assert!(matches!(outcome, Err(ureq::Error::Io(_))), "{outcome:?}");
        assert_eq!((api.requests().len(), script.requests().len()), (1, 1));
    }
}

#[test]
fn st_05_if_the_second_attempt_gets_no_answer_a_safe_method_returns_the_401() {
    for (agent_mode, mode) in MODES {
        let refused = invalid_token().header("X-Attempt", "1").body("the first");
        let (script, api) = (tokens(&["T1", "T2"]), Server::replies([refused, Reply::hang_up()]));
        let outcome = with(agent(&source(&script, &api), agent_mode).get(api.url("/")), mode).call();
        assert_eq!((status(&outcome), outcome.is_err()), (401, mode.unwrap_or(agent_mode)));
        if let Ok(mut response) = outcome {
            assert_eq!(response.headers()["x-attempt"], "1");
            assert_eq!(response.body_mut().read_to_string().expect("text"), "the first");
        }
        assert_eq!(api.tokens(), ["T1", "T2"]);
    }
}

#[test]
fn st_05_a_replay_that_breaks_is_an_error_and_nothing_is_repeated() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([invalid_token(), Reply::hang_up(), reply(200)]));
    let outcome = agent(&source(&script, &api), true).post(api.url("/")).send("x");
    assert!(matches!(outcome, Err(ureq::Error::Io(_))), "{outcome:?}");
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into()], 2));
}

/// The answer is the caller's, as the status mode says; nothing is repeated, and the token stays.
fn is_no_refusal(answer: &Reply, code: u16) {
    for (agent_mode, mode) in MODES {
        let (script, api) = (tokens(&["T1", "T2"]), Server::replies([answer.clone(), reply(200)]));
        let agent = agent(&source(&script, &api), agent_mode);
        let outcome = with(agent.post(api.url("/")), mode).send("x");
        assert_eq!((status(&outcome), outcome.is_err()), (code, code >= 400 && mode.unwrap_or(agent_mode)));
        if outcome.is_ok() {
            assert_eq!(text(outcome), format!("status {code}"));
        }
        assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into()], 1));
        assert_eq!(status(&get(&agent, &api.url("/"))), 200);
        assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T1".into()], 1));
    }
}

#[test]
fn st_06_a_403_insufficient_scope_is_no_refusal() {
    is_no_refusal(&challenge(403, r#"Bearer error="insufficient_scope", scope="admin""#), 403);
    is_no_refusal(&challenge(403, r#"Bearer error="invalid_token""#), 403);
}

#[test]
fn st_10_d10_a_401_invalid_request_is_a_refusal_like_any_other() {
    let refused = challenge(401, r#"Bearer error="invalid_request""#);
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([refused, reply(200)]));
    assert_eq!(status(&post(&agent(&source(&script, &api), true), &api.url("/"))), 200);
    assert_eq!(api.tokens(), ["T1", "T2"]);
}

#[test]
fn st_10b_d33_a_400_is_a_refusal_if_it_says_invalid_token() {
    let refused = challenge(400, r#"Bearer error="invalid_token""#);
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([refused, reply(200)]));
    assert_eq!(status(&post(&agent(&source(&script, &api), true), &api.url("/"))), 200);
    assert_eq!(api.tokens(), ["T1", "T2"]);
    is_no_refusal(&challenge(400, r#"Bearer error="invalid_request""#), 400);
    is_no_refusal(&reply(400).body("status 400"), 400);
}

#[test]
fn d10_a_401_insufficient_scope_is_no_refusal() {
    is_no_refusal(&challenge(401, r#"Bearer realm="x", error="insufficient_scope""#), 401);
}

#[test]
fn st_14_a_407_is_no_refusal() {
    let bearer = r#"Bearer error="invalid_token""#;
    is_no_refusal(&reply(407).header("Proxy-Authenticate", bearer).body("status 407"), 407);
    is_no_refusal(&challenge(407, bearer), 407);
}

#[test]
fn st_20_a_200_with_a_challenge_is_no_refusal() {
    is_no_refusal(&challenge(200, r#"Bearer error="invalid_token""#), 200);
}
