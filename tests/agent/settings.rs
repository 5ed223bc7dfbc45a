//! The settings of agent and call in both attempts.

use ureq::config::IpFamily;
use ureq::tls::TlsConfig;

use super::*;

#[test]
fn the_replay_has_the_user_agent_and_accept_of_agent_and_request() {
    let (script, api) = (tokens(&["T1", "T2", "T3"]), Server::wants("T2"));
    let agent = source(&script, &api).wrap(config().user_agent("agent/1").accept("text/plain").build().into());
    assert_eq!(text(get(&agent, &api.url("/"))), "fine");
    let (script, api_two) = (tokens(&["T1", "T2"]), Server::wants("T2"));
    let own = source(&script, &api_two).wrap(config().user_agent("agent/1").build().into());
    assert_eq!(text(own.get(api_two.url("/")).config().user_agent("request/2").accept("").build().call()), "fine");
    let sent = |api: &Server| -> Vec<(Option<String>, Option<String>)> {
        let own = |request: &Received, name| request.header(name).map(str::to_owned);
        api.requests().iter().map(|request| (own(request, "user-agent"), own(request, "accept"))).collect()
    };
    assert_eq!(sent(&api), vec![(Some("agent/1".into()), Some("text/plain".into())); 2]);
    assert_eq!(sent(&api_two), vec![(Some("request/2".into()), None); 2]);
}

#[test]
fn the_replay_has_the_timeouts_of_agent_and_request() {
    const SHORT: Option<Duration> = Some(Duration::from_millis(250));
    type Configure = fn(&Agent, &str) -> Outcome;
    let at_agent = || config();
    let at_request: [Configure; 2] = [
        |agent, url| agent.post(url).within(Duration::from_millis(250)).send("x"),
        |agent, url| agent.post(url).config().timeout_recv_response(SHORT).build().status_as_error(true).send("x"),
    ];
    let agents = [
        (at_agent().timeout_global(SHORT), post as Configure),
        (at_agent().timeout_per_call(SHORT), post),
        (at_agent().timeout_recv_response(SHORT), post),
        (at_agent(), at_request[0]),
        (at_agent().timeout_global(Some(Duration::from_secs(60))), at_request[1]),
    ];
    let check = |n, config: ConfigBuilder<AgentScope>, send: Configure| {
        let (script, api) = (tokens(&["T1", "T2"]), Server::replies([invalid_token(), Reply::never()]));
        let source = source(&script, &api);
        a_while_after_its_first_token(&source, &script.clock());
        let agent = source.wrap(config.build().into());
        let outcome = send(&agent, &api.url("/"));
        assert!(matches!(outcome, Err(ureq::Error::Timeout(_))), "{n}: {outcome:?}");
        assert_eq!(api.tokens(), ["T1", "T2"], "{n}");
    };
    thread::scope(|scope| {
        for (n, (config, send)) in agents.into_iter().enumerate() {
            scope.spawn(move || check(n, config, send));
        }
    });
}

#[test]
fn the_replay_has_the_proxy_of_agent_and_request() {
    for at_request in [false, true] {
        let (script, proxy) = (tokens(&["T1", "T2"]), Server::wants("T2"));
        // No resolver knows this host, so a request that does not go through the proxy fails.
        let request = TokenRequest::new("https://auth.example.com/token")
            .and_then(|request| request.dangerously_allow_plain_http_origin("http://api.invalid:8080"))
            .expect("a request");
        let source = TokenSource::builder(Credentials::new("id", SECRET), request)
            .transport(script.clone())
            .clock(script.clock())
            .build()
            .expect("a source");
        let through = Proxy::new(&proxy.url("")).expect("a proxy");
        let config = config();
        let outcome = if at_request {
            let agent = source.wrap(config.build().into());
            agent
                .post("http://api.invalid:8080/x")
                .config()
                .proxy(Some(through))
                .build()
                .status_as_error(true)
                .send("body")
        } else {
            let agent = source.wrap(config.proxy(Some(through)).build().into());
            agent.post("http://api.invalid:8080/x").send("body")
        };
        assert_eq!(text(outcome), "fine");
        let lines: Vec<_> = proxy.requests().iter().map(|request| request.line().to_owned()).collect();
        let (tunnel, post) = ("CONNECT api.invalid:8080 HTTP/1.1", "POST /x HTTP/1.1");
        // One connection for both attempts.
        assert_eq!(lines, [tunnel, post, post]);
        assert_eq!(proxy.tokens(), ["-", "T1", "T2"]);
    }
}

#[test]
fn the_replay_has_the_redirect_settings_of_agent_and_request() {
    let replies =
        || Server::replies([invalid_token(), redirect(302, "/1".into()), redirect(302, "/2".into()), reply(200)]);
    let run = |most: Option<u32>, at_request: Option<u32>| {
        let (script, api) = (tokens(&["T1", "T2"]), replies());
        let mut config = config();
        if let Some(most) = most {
            config = config.max_redirects(most);
        }
        let mut request = source(&script, &api).wrap(config.build().into()).get(api.url("/"));
        if let Some(most) = at_request {
            request = request.config().max_redirects(most).build().status_as_error(true);
        }
        (request.call(), api.tokens())
    };
    for (outcome, seen) in [run(Some(0), None), run(None, Some(0)), run(Some(5), Some(0))] {
        assert_eq!((status(&outcome), seen), (302, vec!["T1".to_owned(), "T2".to_owned()]));
    }
    for (outcome, seen) in [run(Some(1), None), run(None, Some(1))] {
        assert!(matches!(outcome, Err(ureq::Error::TooManyRedirects)), "{outcome:?}");
        assert_eq!(seen, ["T1", "T2", "-"]);
    }
    let (outcome, seen) = run(None, None);
    assert_eq!((status(&outcome), seen.len()), (200, 4));
}

#[test]
fn the_sources_own_agent_heeds_the_configuration_of_a_call() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::new(|_| invalid_token().body("refused")));
    let agent = source(&script, &api).agent();
    let call = agent.get(api.url("/")).config().http_status_as_error(false).user_agent("mine/1").build();
    assert_eq!(text(call.call()), "refused");
    assert!(api.requests().iter().all(|request| request.header("user-agent") == Some("mine/1")));
    assert!(agent.get(api.url("/")).call().is_err());
}

/// Every setting with another value than ureq's default.
fn unusual() -> ConfigBuilder<AgentScope> {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    Agent::config_builder()
        .http_status_as_error(false)
        .https_only(true)
        .ip_family(IpFamily::Ipv6Only)
        .proxy(Some(Proxy::new("http://proxy.invalid:3128").expect("a proxy")))
        .no_delay(false)
        .max_redirects(3)
        .max_redirects_will_error(false)
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .save_redirect_history(true)
        .user_agent("agent/1")
        .accept("text/plain")
        .accept_encoding("br")
        .max_response_header_size(7 * 1024)
        .input_buffer_size(9 * 1024)
        .output_buffer_size(11 * 1024)
        .max_idle_connections(13)
        .max_idle_connections_per_host(4)
        .max_idle_age(Duration::from_secs(17))
        .allow_non_standard_methods(true)
        .timeout_global(seconds(101))
        .timeout_per_call(seconds(102))
        .timeout_per_read(seconds(103))
        .timeout_per_write(seconds(104))
        .timeout_resolve(seconds(105))
        .timeout_connect(seconds(106))
        .timeout_send_request(seconds(107))
        .timeout_await_100(seconds(108))
        .timeout_send_body(seconds(109))
        .timeout_recv_response(seconds(110))
        .timeout_recv_body(seconds(111))
        .tls_config(TlsConfig::builder().use_sni(false).build())
}

/// A call that adds settings of its own starts from those of the wrapped agent, and so they must be
/// those of the caller's. A setting that ureq adds shows up here, unless its `Debug` omits it.
#[test]
fn a_wrapped_agent_repeats_every_setting_of_the_callers_own() {
    let own: Agent = unusual().build().into();
    let wrapped = source(&tokens(&[]), &Server::replies([])).wrap(own.clone());
    assert_eq!(changed_settings(own.config(), wrapped.config()), ["middleware"]);

    // Every setting takes part in the comparison.
    let names: Vec<_> = settings(own.config()).into_iter().map(|(name, _)| name).collect();
    let mut changed = changed_settings(&Agent::config_builder().build(), own.config());
    changed.push(String::from("middleware"));
    changed.sort_unstable();
    let mut all = names.clone();
    all.sort_unstable();
    assert_eq!(changed, all);
    for name in ["accept", "accept_encoding", "max_redirects_will_error", "allow_non_standard_methods"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn settings_of_a_call_start_from_those_of_the_callers_own_agent() {
    let api = Server::replies([invalid_token(), reply(200)]);
    let own = config().user_agent("agent/1").accept("text/plain").accept_encoding("identity").max_redirects(0);
    let agent = source(&tokens(&["T1", "T2"]), &api).wrap(own.build().into());
    assert_eq!(status(&agent.get(api.url("/")).config().no_delay(false).build().call()), 200);
    for request in api.requests() {
        let header = |name| request.header(name);
        assert_eq!(
            (header("user-agent"), header("accept"), header("accept-encoding")),
            (Some("agent/1"), Some("text/plain"), Some("identity"))
        );
    }
}
