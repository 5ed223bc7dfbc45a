//! Redirects.

use super::*;

#[test]
fn st_13_br_08_a_redirect_to_another_origin_takes_no_token_along() {
    for code in [301, 302, 303, 307, 308] {
        for by_name in [false, true] {
            for keep in [RedirectAuthHeaders::Never, RedirectAuthHeaders::SameHost] {
                let other = Server::replies([reply(200).body("elsewhere")]);
                let to = if by_name { other.url_by_name("/x") } else { other.url("/x") };
                let (script, api) = (tokens(&["T1"]), Server::replies([redirect(code, to)]));
                let agent = source(&script, &api).wrap(config().redirect_auth_headers(keep).build().into());
                let request = agent.get(api.url("/")).config().redirect_auth_headers(keep).build();
                assert_eq!(text(request.call()), "elsewhere");
                assert_eq!((api.tokens(), other.tokens()), (vec!["T1".into()], vec!["-".into()]));
                assert_eq!(other.requests()[0].headers("authorization"), Vec::<&str>::new());
            }
        }
    }
}

#[test]
fn st_13_a_redirect_takes_no_token_of_the_sources_own_agent_along() {
    let other = Server::replies([invalid_token().body("elsewhere")]);
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([redirect(302, other.url("/"))]));
    let agent = source(&script, &api).agent();
    assert_eq!(status(&agent.get(api.url("/")).call()), 401);
    assert_eq!((api.tokens(), other.tokens()), (vec!["T1".into()], vec!["-".into()]));
    assert_eq!(script.requests().len(), 1, "d23: a 401 after a redirect is no refusal");
}

#[test]
fn st_13_a_redirect_to_another_name_of_the_server_takes_no_token_along() {
    let script = tokens(&["T1"]);
    let api = Server::new(|request| match request.header("host").and_then(|host| host.strip_prefix("127.0.0.1:")) {
        Some(port) => redirect(307, format!("http://localhost:{port}/")),
        None => reply(200),
    });
    let agent =
        source(&script, &api).wrap(config().redirect_auth_headers(RedirectAuthHeaders::SameHost).build().into());
    assert_eq!(status(&agent.head(api.url("/")).call()), 200);
    assert_eq!(api.tokens(), ["T1", "-"]);
}

#[test]
fn st_13_a_redirected_post_takes_neither_token_nor_body_along() {
    for code in [302, 303] {
        let other = Server::replies([reply(200)]);
        let (script, api) = (tokens(&["T1"]), Server::replies([redirect(code, other.url("/"))]));
        let outcome = agent(&source(&script, &api), true).post(api.url("/")).send_form([("pin", "1234")]);
        assert_eq!(status(&outcome), 200);
        let [request] = &other.requests()[..] else { panic!("one request") };
        assert_eq!((request.method(), request.header("authorization")), ("GET", None));
        assert_eq!((request.text(), request.framing()), ("", Framing::None));
    }
    for code in [307, 308] {
        let other = Server::replies([]);
        let (script, api) = (tokens(&["T1"]), Server::replies([redirect(code, other.url("/"))]));
        let outcome = agent(&source(&script, &api), true).post(api.url("/")).send_form([("pin", "1234")]);
        assert!(matches!(outcome, Err(ureq::Error::RedirectFailed)), "{outcome:?}");
        assert_eq!(other.requests(), []);
    }
}

#[test]
fn st_13_a_redirect_of_the_replay_takes_no_token_along() {
    let other = Server::replies([invalid_token().body("elsewhere")]);
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([invalid_token(), redirect(307, other.url("/"))]));
    let agent = source(&script, &api)
        .wrap(config().http_status_as_error(false).redirect_auth_headers(RedirectAuthHeaders::SameHost).build().into());
    assert_eq!(text(get(&agent, &api.url("/"))), "elsewhere");
    assert_eq!((api.tokens(), other.tokens()), (vec!["T1".into(), "T2".into()], vec!["-".into()]));
}

#[test]
fn d23_a_401_after_a_redirect_is_no_refusal_and_goes_where_it_led_if_that_may_have_the_token() {
    for to_itself in [false, true] {
        for (agent_mode, mode) in MODES {
            let other = Server::replies([invalid_token()]);
            let to = if to_itself { String::from("/next") } else { other.url("/") };
            let api = Server::new(move |request| match request.target() {
                "/next" => invalid_token(),
                "/start" => redirect(302, to.clone()),
                _ => reply(200),
            });
            let script = tokens(&["T1", "T2"]);
            let agent = agent(&source(&script, &api), agent_mode);
            let outcome = with(agent.get(api.url("/start")), mode).call();
            assert_eq!((status(&outcome), outcome.is_err()), (401, mode.unwrap_or(agent_mode)));
            if outcome.is_ok() {
                assert_eq!(text(outcome), "status 401");
            }
            assert_eq!(status(&get(&agent, &api.url("/"))), 200);
            let seen = if to_itself { vec!["T1", "-", "T1", "T1"] } else { vec!["T1", "T1"] };
            assert_eq!((api.tokens(), script.requests().len()), (seen.into_iter().map(str::to_owned).collect(), 1));
        }
    }
}

/// Here a second attempt would not only be useless: the POST was applied.
#[test]
fn d23_a_401_after_a_redirect_to_the_very_same_url_is_no_refusal() {
    for (agent_mode, mode) in MODES {
        let api = Server::new(|request| match request.method() {
            "POST" => redirect(303, String::from("/items")),
            _ => invalid_token(),
        });
        let script = tokens(&["T1", "T2"]);
        let source = source(&script, &api);
        for agent in [agent(&source, agent_mode), source.agent()] {
            let outcome = with(agent.post(api.url("/items")), mode).send("one more");
            assert_eq!(status(&outcome), 401);
        }
        let seen = ["T1", "-", "T1", "-"].map(str::to_owned);
        assert_eq!((api.tokens(), script.requests().len()), (seen.into(), 1));
    }
}

#[test]
fn d23_a_trailing_slash_costs_no_token() {
    for (agent_mode, mode) in MODES {
        let script = tokens(&["T1"]);
        let api = Server::new(|request| match (request.target(), request.token()) {
            ("/items", _) => redirect(301, "/items/".into()),
            (_, Some("T1")) => reply(200).body("fine"),
            _ => invalid_token(),
        });
        let source = source(&script, &api);
        for agent in [agent(&source, agent_mode), source.agent()] {
            assert_eq!(text(with(agent.get(api.url("/items")), mode).call()), "fine");
        }
        let seen = ["T1", "-", "T1", "T1", "-", "T1"].map(str::to_owned);
        assert_eq!((api.tokens(), script.requests().len()), (seen.into(), 1));
    }
}

#[test]
fn d23_where_the_redirect_led_is_named_if_it_may_not_have_the_token() {
    let other = Server::new(|_| invalid_token());
    let to = other.url("/x");
    let (script, api) = (tokens(&["T1"]), Server::new(move |_| redirect(302, to.clone())));
    let source = source(&script, &api);
    let agent = agent(&source, true);
    for _ in 0..2 {
        assert_eq!(status(&get(&agent, &api.url("/"))), 401);
    }
    assert_eq!(source.inspect().origins_not_allowed, [other.url("")]);
    assert_eq!(other.tokens(), ["-", "-"]);
}
