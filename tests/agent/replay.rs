//! The second attempt.

use super::*;

#[test]
fn st_01_st_04_every_kind_of_request_is_sent_once_more_and_is_otherwise_identical() {
    for kind in KINDS {
        for (agent_mode, mode) in MODES {
            let case = format!("{} ({}), modes {agent_mode} {mode:?}", kind.method, kind.name);
            let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
            let agent = agent(&source(&script, &api), agent_mode);
            let response = (kind.send)(&agent, &api.url("/v1/items?x=1"), mode).expect(&case);
            assert_eq!(response.status(), 200, "{case}");
            assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into()], 2), "{case}");
            let [first, second] = &api.requests()[..] else { panic!("{case}") };
            assert_same(&case, first, second, kind.framing);
            assert_eq!(
                (first.method(), first.text(), first.framing()),
                (kind.method, kind.body, kind.framing),
                "{case}"
            );
            assert!(first.target().starts_with("/v1/items?x=1"), "{case}");
            assert_eq!(second.headers("authorization").len(), 1, "{case}");
        }
    }
}

/// Sent by ureq alone, by a wrapped agent in both attempts, to an origin that gets no token, and by
/// the source's own agent in both attempts.
#[test]
fn every_kind_of_request_is_the_one_that_ureq_alone_sends_apart_from_the_token() {
    for kind in KINDS {
        let case = |how: &str| format!("{} ({}), {how}", kind.method, kind.name);
        let api = Server::new(|request| match request.token() {
            Some("T1") => invalid_token(),
            _ => reply(200),
        });
        let (elsewhere, url) = (Server::replies([]), api.url("/v1/items?x=1"));
        let send = |how: &str, agent: &Agent, tokens: &[&str]| {
            let before = api.requests().len();
            let response = (kind.send)(agent, &url, None).unwrap_or_else(|error| panic!("{}: {error:?}", case(how)));
            assert_eq!((response.status().as_u16(), &api.tokens()[before..] == tokens), (200, true), "{}", case(how));
            api.requests().split_off(before)
        };
        let plain: Agent = config().allow_non_standard_methods(true).build().into();
        let [bare] = &send("ureq alone", &plain, &["-"])[..] else { panic!("one request") };
        assert_eq!((bare.method(), bare.framing()), (kind.method, kind.bare), "{}", case("ureq alone"));
        assert_bytes(&case("ureq alone"), kind.body.as_bytes(), &bare.body);

        let passed_on = send("no token", &agent(&source(&tokens(&[]), &elsewhere), true), &["-"]);
        assert_same(&case("no token"), bare, &passed_on[0], kind.bare);

        let wrapped = send("wrapped", &agent(&source(&tokens(&["T1", "T2"]), &api), true), &["T1", "T2"]);
        assert_same(&case("wrapped, first attempt"), bare, &wrapped[0], kind.framing);
        assert_same(&case("wrapped, second attempt"), bare, &wrapped[1], kind.framing);

        let own = source(&tokens(&["T1", "T2"]), &api).agent();
        if kind.is_own_method() {
            let refused = (kind.send)(&config().build().into(), &url, None).expect_err("a setting is needed");
            assert_eq!((kind.send)(&own, &url, None).expect_err("as ureq's").to_string(), refused.to_string());
            continue;
        }
        let owned = send("agent()", &own, &["T1", "T2"]);
        assert_same(&case("agent(), first attempt"), bare, &owned[0], kind.framing);
        assert_same(&case("agent(), second attempt"), bare, &owned[1], kind.framing);
    }
}

#[test]
fn st_02_the_second_401_is_the_callers_as_the_status_mode_says() {
    for kind in KINDS {
        for (agent_mode, mode) in MODES {
            let case = format!("{} ({}), modes {agent_mode} {mode:?}", kind.method, kind.name);
            let script = tokens(&["T1", "T2"]);
            let api = Server::replies([
                invalid_token().body("first"),
                invalid_token().header("X-Attempt", "2").body("second"),
            ]);
            let outcome = (kind.send)(&agent(&source(&script, &api), agent_mode), &api.url("/"), mode);
            let is_error = if kind.is_own_method() { agent_mode } else { mode.unwrap_or(agent_mode) };
            if is_error {
                assert!(matches!(outcome, Err(ureq::Error::StatusCode(401))), "{case}: {outcome:?}");
            } else {
                let mut response = outcome.expect(&case);
                assert_eq!(
                    (response.status().as_u16(), &response.headers()["x-attempt"]),
                    (401, "2".parse().as_ref().unwrap())
                );
                let body = response.body_mut().read_to_string().expect(&case);
                assert_eq!(body, if kind.method == "HEAD" { "" } else { "second" }, "{case}");
            }
            assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into()], 2), "{case}");
        }
    }
}

#[test]
fn st_09_a_401_without_a_challenge_is_a_refusal_too() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([reply(401), reply(200).body("fine")]));
    assert_eq!(text(get(&agent(&source(&script, &api), true), &api.url("/"))), "fine");
    assert_eq!(api.tokens(), ["T1", "T2"]);
}

#[test]
fn st_08_many_refused_callers_share_one_renewal() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
    let agent = agent(&source(&script, &api), true);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(text(get(&agent, &api.url("/"))), "fine"));
        }
    });
    assert_eq!(script.requests().len(), 2);
    assert!(api.tokens().iter().filter(|token| *token == "T2").count() == 8);
}

#[test]
fn st_18_d20_if_the_renewal_fails_the_caller_gets_the_original_401() {
    for (agent_mode, mode) in MODES {
        let script = tokens(&["T1"]);
        script.json(400, r#"{"error":"invalid_client"}"#);
        let api = Server::replies([invalid_token().header("X-Attempt", "1").body("the first")]);
        let outcome = with(agent(&source(&script, &api), agent_mode).post(api.url("/")), mode).send("x");
        assert_eq!(status(&outcome), 401);
        assert_eq!(outcome.is_err(), mode.unwrap_or(agent_mode));
        if let Ok(response) = &outcome {
            assert_eq!(response.headers()["x-attempt"], "1");
            assert_eq!(text(outcome), "the first");
        }
        assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into()], 2));
    }
}

#[test]
fn d12_the_very_same_token_again_is_not_replayed() {
    let (script, api) = (tokens(&["T1", "T1"]), Server::replies([invalid_token().body("only")]));
    assert_eq!(text(get(&agent(&source(&script, &api), false), &api.url("/"))), "only");
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into()], 2));
}

/// The two ways through the source's own agent: its own configuration, and one of the call's own.
#[test]
fn the_sources_own_agent_sends_again_what_has_a_body_or_a_configuration_of_its_own() {
    let send: [fn(&Agent, &str) -> Outcome; 4] = [
        |agent, url| agent.post(url).send("body"),
        |agent, url| agent.post(url).within(Duration::from_secs(20)).send("body"),
        |agent, url| agent.run(Request::post(url).body("body").expect("a request")),
        |agent, url| agent.get(url).force_send_body().send("body"),
    ];
    for send in send {
        let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
        assert_eq!(text(send(&source(&script, &api).agent(), &api.url("/"))), "fine");
        let received = api.requests();
        assert_eq!(received.iter().map(Received::text).collect::<Vec<_>>(), ["body", "body"]);
        assert!(received.iter().all(|request| request.framing() == Framing::Length(4)), "{received:?}");
        assert_eq!(api.tokens(), ["T1", "T2"]);
    }
}
