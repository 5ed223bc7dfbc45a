//! Answers that the program calls a refusal of the token (D33).

use super::*;

/// A source whose API says 403 or 419 with a header of its own if a token has expired.
fn knows_expired(script: &Script, api: &Server) -> TokenSource {
    let builder = builder(script, api).refused_when(|status, headers| {
        matches!(status.as_u16(), 403 | 419) && headers.get("x-error").is_some_and(|error| error == "expired")
    });
    builder.build().expect("a source")
}

fn expired(code: u16) -> Reply {
    reply(code).header("X-Error", "expired").body(format!("status {code}"))
}

#[test]
fn d33_such_an_answer_is_followed_by_a_second_attempt_in_every_status_mode() {
    for code in [403, 419] {
        for (agent_mode, mode) in MODES {
            for second in [200, code, 403, 500] {
                let (script, api) = (tokens(&["T1", "T2"]), Server::replies([expired(code), expired(second)]));
                let outcome = with(agent(&knows_expired(&script, &api), agent_mode).post(api.url("/")), mode).send("x");
                let case = format!("{code}, then {second}, {agent_mode} {mode:?}");
                assert_eq!((status(&outcome), api.tokens()), (second, vec!["T1".into(), "T2".into()]), "{case}");
                assert_eq!(outcome.is_err(), second >= 400 && mode.unwrap_or(agent_mode), "{case}");
                if outcome.is_ok() {
                    assert_eq!(text(outcome), format!("status {second}"), "{case}");
                }
                assert!(api.requests().iter().all(|request| request.text() == "x"), "{case}");
            }
        }
    }
}

#[test]
fn d33_any_other_answer_of_that_status_is_the_callers() {
    for (agent_mode, mode) in MODES {
        let (script, api) = (tokens(&["T1", "T2"]), Server::replies([reply(403).body("why"), reply(200)]));
        let agent = agent(&knows_expired(&script, &api), agent_mode);
        let outcome = with(agent.post(api.url("/")), mode).send("x");
        assert_eq!((status(&outcome), outcome.is_err()), (403, mode.unwrap_or(agent_mode)));
        assert_eq!((status(&get(&agent, &api.url("/"))), script.requests().len()), (200, 1));
    }
}

#[test]
fn d33_the_sources_own_agent_knows_it_too() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([expired(419), reply(200).body("fine")]));
    assert_eq!(text(get(&knows_expired(&script, &api).agent(), &api.url("/"))), "fine");
    assert_eq!(api.tokens(), ["T1", "T2"]);
}

#[test]
fn d33_its_body_is_drained_so_that_both_attempts_use_one_connection() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([expired(403).body(large(9000)), reply(200)]));
    assert_eq!(status(&get(&agent(&knows_expired(&script, &api), true), &api.url("/"))), 200);
    assert_eq!(api.request_connections(), [0, 0]);
}

#[test]
fn d33_if_the_second_attempt_gets_no_answer_a_safe_method_returns_the_first() {
    for (agent_mode, mode) in MODES {
        let (script, api) = (tokens(&["T1", "T2"]), Server::replies([expired(419), Reply::hang_up()]));
        let outcome = with(agent(&knows_expired(&script, &api), agent_mode).get(api.url("/")), mode).call();
        assert_eq!((status(&outcome), outcome.is_err()), (419, mode.unwrap_or(agent_mode)));
        if outcome.is_ok() {
            assert_eq!(text(outcome), "status 419");
        }
    }
}

#[test]
fn d33_if_the_renewal_fails_the_caller_gets_it() {
    let (script, api) = (tokens(&["T1"]), Server::replies([expired(403)]));
    script.json(400, r#"{"error":"invalid_client"}"#);
    assert_eq!(text(post(&agent(&knows_expired(&script, &api), false), &api.url("/"))), "status 403");
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn d33_a_body_over_the_limit_is_not_sent_again_and_the_token_dropped() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([expired(403)]));
    let source = knows_expired(&script, &api);
    assert_eq!(status(&agent(&source, true).post(api.url("/")).send(large(MIB + 1))), 403);
    assert_eq!((api.tokens(), source.inspect().has_token), (vec!["T1".into()], false));
}

#[test]
fn d33_d23_after_a_redirect_it_is_no_refusal_and_a_get_goes_where_it_led() {
    let api = Server::new(|request| match (request.target(), request.token()) {
        ("/items", _) => redirect(301, String::from("/items/")),
        (_, Some("T1")) => reply(200).body("fine"),
        _ => expired(403),
    });
    let script = tokens(&["T1", "T2"]);
    let agent = agent(&knows_expired(&script, &api), true);
    assert_eq!(text(get(&agent, &api.url("/items"))), "fine");
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "-".into(), "T1".into()], 1));
    // A POST may have been applied.
    assert_eq!(status(&post(&agent, &api.url("/items"))), 403);
    assert_eq!((api.requests().len(), script.requests().len()), (5, 1));
}

/// ureq's error for the status hides the headers.
#[test]
fn d33_a_call_with_settings_of_its_own_that_wants_errors_shows_the_status_alone() {
    for (by_status, seen) in [(true, &["T1", "T2"][..]), (false, &["T1"])] {
        let (script, api) = (tokens(&["T1", "T2"]), Server::replies([expired(403), reply(200)]));
        let builder = builder(&script, &api).refused_when(move |status, headers| {
            assert!(headers.is_empty());
            by_status && status == 403
        });
        let agent = agent(&builder.build().expect("a source"), true);
        let outcome = agent.get(api.url("/")).config().no_delay(true).build().call();
        assert_eq!((status(&outcome), api.tokens()), (if by_status { 200 } else { 403 }, tokens_of(seen)));
    }
}

fn tokens_of(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|token| (*token).to_owned()).collect()
}

/// D37: another header, as at the vendor of the recipe.
#[test]
fn d33_d37_a_token_in_another_header_is_renewed_as_well() {
    let api = Server::new(|request| match request.header("x-amz-access-token") {
        Some("T2") => reply(200).body("fine"),
        _ => reply(403).header("x-amzn-ErrorType", "AccessDeniedException"),
    });
    let (script, request) = (tokens(&["T1", "T2"]), TokenRequest::new("https://auth.example.com/token"));
    let request = request
        .and_then(|request| request.allow_origin(&api.url("/")))
        .and_then(|request| request.token_header("x-amz-access-token", None))
        .expect("a request");
    let source = TokenSource::builder(Credentials::new("id", SECRET), request)
        .transport(script.clone())
        .clock(script.clock())
        .refused_when(|status, headers| {
            status == 403 && headers.get("x-amzn-errortype").is_some_and(|error| error == "AccessDeniedException")
        })
        .build()
        .expect("a source");
    assert_eq!(text(get(&agent(&source, true), &api.url("/"))), "fine");
}

#[test]
fn d33_a_panic_of_the_closure_reaches_the_caller_and_leaves_the_agent_usable() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([reply(404), expired(403), reply(200)]));
    let builder = builder(&script, &api).refused_when(|status, _| {
        assert_ne!(status, 404, "this test wants the panic");
        status == 403
    });
    let agent = agent(&builder.build().expect("a source"), true);
    let call = AssertUnwindSafe(|| get(&agent, &api.url("/")));
    assert!(catch_unwind(call).is_err());
    assert_eq!(status(&get(&agent, &api.url("/"))), 200);
    assert_eq!(api.tokens(), ["T1", "T1", "T2"]);
}
