//! The source's own agent.

use super::parts::agent_of_parts;
use super::*;

#[test]
fn d18_agents_made_for_each_request_share_one_pool() {
    let api = Server::wants("T2");
    let source = source(&tokens(&["T1", "T2"]), &api);
    for _ in 0..5 {
        assert_eq!(text(source.agent().get(api.url("/")).call()), "fine");
        assert_eq!(text(source.clone().agent().post(api.url("/")).send("x")), "fine");
    }
    assert_eq!((api.requests().len(), api.connections()), (11, 1));
}

/// ureq resolves names in a thread of its own as soon as there is a limit for a whole call.
#[test]
fn agent_has_limits_that_need_no_thread_for_a_call() {
    let api = Server::new(|_| reply(200));
    let agent = source(&tokens(&["T1"]), &api).agent();
    let timeouts = agent.config().timeouts();
    assert_eq!((timeouts.global, timeouts.per_call, timeouts.resolve), (None, None, None));
    assert_eq!(timeouts.connect, Some(Duration::from_secs(10)));
    assert_eq!(timeouts.recv_response, Some(Duration::from_secs(300)));
    let limits = || config().timeout_connect(timeouts.connect).timeout_recv_response(timeouts.recv_response);
    for (settings, in_thread) in [(limits(), false), (limits().timeout_global(timeouts.recv_response), true)] {
        let (own, asked) = agent_of_parts(settings.build(), &["api.test"], &api);
        assert_eq!(status(&get(&own, "http://api.test/")), 200);
        assert_eq!(asked.lookups().iter().map(|lookup| lookup.in_thread).collect::<Vec<_>>(), [in_thread]);
    }
}

#[test]
fn agent_has_the_defaults_of_ureq_otherwise() {
    let agent = source(&tokens(&[]), &Server::replies([])).agent();
    let (ours, theirs) = (agent.config(), Agent::config_builder().build());
    let changed = changed_settings(&theirs, ours);
    // The history of redirects tells the middleware whether there was one.
    assert_eq!(changed, ["connect", "middleware", "recv_response", "save_redirect_history"]);
}

/// Whatever the agents of this crate send to this machine: token requests, API requests with a token and without, with
/// settings of a call and without.
#[test]
fn the_agents_of_this_crate_reach_this_machine() {
    for (n, send) in [
        get as fn(&Agent, &str) -> Outcome,
        post,
        |agent, url| agent.get(url).status_as_error(true).call(),
        |agent, url| agent.get(url).config().no_delay(true).build().call(),
    ]
    .into_iter()
    .enumerate()
    {
        let (auth, api, other) = (
            Server::replies([token_reply("T1")]),
            Server::replies([reply(200)]),
            Server::replies([reply(200), reply(404), reply(200)]),
        );
        let source = asks(&auth, &api.url("/"), UreqTransport::new()).build().expect("a source");
        let agent = source.agent();
        let seen = [api.url("/"), other.url("/"), other.url_by_name("/")].map(|url| status(&send(&agent, &url)));
        assert_eq!((seen, api.tokens()), ([200, 200, 404], vec!["T1".into()]), "{n}");

        // A transport that goes through an agent of this crate.
        let token_server = Server::replies([token_reply("T2")]);
        let through = asks(&token_server, API, UreqTransport::with_agent(agent)).build().expect("a source");
        assert_eq!(through.token().expect("a token").secret(), "T2", "{n}");
    }
    // A server without TLS, which is none of the proxy's business either.
    let (auth, https) =
        (Server::replies([token_reply("T1")]), |server: &Server| server.url("/").replace("http:", "https:"));
    let not_tls = Server::replies([]);
    let request = TokenRequest::new(&https(&not_tls)).expect("a request").audience(API);
    let source = TokenSource::builder(Credentials::new("id", SECRET), request).retries(0).build().expect("a source");
    let Err(Error::Transport(failure)) = source.token() else { panic!("a token") };
    assert_eq!(failure.kind(), TransportErrorKind::Tls);
    let agent = asks(&auth, &https(&not_tls), UreqTransport::new()).build().expect("a source").agent();
    for url in [https(&not_tls), https(&auth)] {
        let error = get(&agent, &url).expect_err("no TLS");
        assert!(!matches!(error, ureq::Error::ConnectProxyFailed(_)), "{error:?}");
    }
}

/// Runs the test above in a process whose environment names a proxy. A proxy would see plain http, and would look for
/// this machine at itself.
#[test]
fn d31_a_proxy_of_the_environment_is_never_asked_for_this_machine() {
    let proxy = Server::replies([]);
    let mut child = emulator::command(&std::env::current_exe().expect("a path"));
    for name in ["NO_PROXY", "no_proxy"] {
        child.env_remove(name);
    }
    for name in ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        child.env(name, proxy.url(""));
    }
    let output = child.args(["--exact", "own_agent::the_agents_of_this_crate_reach_this_machine"]).output();
    let output = String::from_utf8(output.expect("a process").stdout).expect("text");
    assert!(output.contains("1 passed"), "{output}");
    assert_eq!(proxy.requests(), []);
}

/// What is elsewhere goes through it, as with any agent of ureq's.
#[test]
fn d31_a_proxy_of_the_environment_is_asked_for_other_machines() {
    let proxy = Server::replies([reply(200)]);
    let mut child = emulator::command(&std::env::current_exe().expect("a path"));
    for name in ["NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        child.env_remove(name);
    }
    let output = child.env("HTTP_PROXY", proxy.url("")).args(["--exact", "own_agent::sends_elsewhere"]).output();
    let output = String::from_utf8(output.expect("a process").stdout).expect("text");
    assert!(output.contains("1 passed"), "{output}");
    let lines: Vec<_> = proxy.requests().iter().map(|request| request.line().to_owned()).collect();
    assert_eq!(lines, ["CONNECT elsewhere.invalid:80 HTTP/1.1", "GET / HTTP/1.1"]);
}

#[test]
fn sends_elsewhere() {
    let agent = source(&tokens(&[]), &Server::replies([])).agent();
    // Without a proxy, no resolver knows this host.
    drop(get(&agent, "http://elsewhere.invalid/"));
}
