//! Requests that get no token of ours.

use super::*;

#[test]
fn st_11_br_09_an_authorization_of_the_callers_is_left_alone_and_its_401_is_theirs() {
    for value in ["Basic dTpw", "Bearer mine", ""] {
        for (agent_mode, mode) in MODES {
            let (script, api) = (tokens(&["T1"]), Server::replies([invalid_token()]));
            let agent = agent(&source(&script, &api), agent_mode);
            let outcome = with(agent.post(api.url("/")), mode).header("Authorization", value).send("x");
            assert_eq!((status(&outcome), outcome.is_err()), (401, mode.unwrap_or(agent_mode)));
            let [request] = &api.requests()[..] else { panic!("one request") };
            assert_eq!((request.headers("authorization"), script.requests().len()), (vec![value], 0));
        }
    }
}

#[test]
fn d17_requests_for_other_origins_are_untouched_and_their_401_is_ignored() {
    for (agent_mode, mode) in MODES {
        let (script, api) = (tokens(&["T1"]), Server::replies([reply(200), reply(200)]));
        let other = Server::replies([invalid_token().body("other")]);
        let agent = agent(&source(&script, &api), agent_mode);
        assert_eq!(status(&get(&agent, &api.url("/"))), 200);
        let body = &mut Cursor::new("streamed");
        let outcome = with(agent.post(other.url("/")), mode).send(SendBody::from_reader(body));
        assert_eq!((status(&outcome), outcome.is_err()), (401, mode.unwrap_or(agent_mode)));
        let [request] = &other.requests()[..] else { panic!("one request") };
        assert_eq!((request.header("authorization"), request.framing()), (None, Framing::Chunked));
        assert_eq!(status(&get(&agent, &api.url("/"))), 200);
        assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T1".into()], 1));
    }
}

#[test]
fn the_same_server_by_another_name_is_another_origin() {
    let (script, api) = (tokens(&["T1"]), Server::replies([reply(200)]));
    assert_eq!(status(&get(&agent(&source(&script, &api), true), &api.url_by_name("/"))), 200);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["-".into()], 0));
}

#[test]
fn a_url_with_user_info_gets_no_token() {
    let (script, api) = (tokens(&["T1"]), Server::replies([invalid_token()]));
    let url = format!("http://user:pass@127.0.0.1:{}/", api.port());
    assert_eq!(status(&get(&agent(&source(&script, &api), false), &url)), 401);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["-".into()], 0));
    assert!(api.requests()[0].header("authorization").is_some_and(|value| value.starts_with("Basic ")));
}

#[test]
fn d14_br_07_plain_http_to_another_machine_is_refused_when_it_is_configured() {
    let refused = |result: Result<TokenRequest, Error>| {
        let error = result.expect_err("plain http");
        assert!(matches!(error, Error::Configuration(_)) && error.to_string().contains("https"), "{error}");
    };
    let good = || TokenRequest::new("https://auth.example.com/token").expect("https");
    refused(TokenRequest::new("http://auth.example.com/token"));
    refused(good().allow_origin("http://api.example.com"));
    let error = TokenSource::new(Credentials::new("id", SECRET), good().audience("http://api.example.com"))
        .expect_err("an audience that names no origin");
    assert!(matches!(error, Error::Configuration(_)), "{error}");
}

#[test]
fn d14_plain_http_to_an_https_origin_gets_no_token_and_is_sent_bare() {
    let script = tokens(&["T1"]);
    let proxy = Server::replies([reply(200)]);
    let request =
        TokenRequest::new("https://auth.example.com/token").expect("a request").audience("https://api.invalid:8443");
    let source = TokenSource::builder(Credentials::new("id", SECRET), request)
        .transport(script.clone())
        .build()
        .expect("a source");
    let agent = source.wrap(config().proxy(Some(Proxy::new(&proxy.url("")).expect("a proxy"))).build().into());
    assert_eq!(status(&get(&agent, "http://api.invalid:8443/")), 200);
    assert_eq!((proxy.tokens(), script.requests().len()), (vec!["-".into(), "-".into()], 0));
}
