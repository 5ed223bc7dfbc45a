//! What the agent inside sees, and several wrapped agents around each other.

use super::*;

/// Requests as middleware sees them: their `Authorization`, and whether settings are pinned.
type Seen = Arc<Mutex<Vec<(String, bool)>>>;

/// An agent with these settings that writes down what it is given.
fn watched(config: ConfigBuilder<AgentScope>) -> (Agent, Seen) {
    let seen = Seen::default();
    let log = Arc::clone(&seen);
    let watch = move |request: Request<SendBody>, next: MiddlewareNext| {
        let authorization = request.headers().get("authorization").map_or("-", |value| value.to_str().expect("ASCII"));
        lock(&log).push((authorization.to_owned(), has_settings(&request)));
        next.handle(request)
    };
    (config.middleware(watch).build().into(), seen)
}

/// ureq adds its settings to the extensions of a request that has none.
fn has_settings(request: &Request<SendBody>) -> bool {
    let extensions = request.extensions();
    let mut probe = Request::new(());
    *probe.extensions_mut() = extensions.clone();
    config().build().new_agent().configure_request(probe).build().extensions().len() == extensions.len()
}

fn ready() -> ConfigBuilder<AgentScope> {
    config().http_status_as_error(false).save_redirect_history(true).redirect_auth_headers(RedirectAuthHeaders::Never)
}

fn both(pinned: bool) -> [(String, bool); 2] {
    ["Bearer T1", "Bearer T2"].map(|token| (token.to_owned(), pinned))
}

#[test]
fn nothing_is_pinned_on_requests_of_an_agent_that_has_the_needed_settings() {
    for send in [get, post] {
        let (own, seen) = watched(ready());
        let api = Server::wants("T2");
        assert_eq!(text(send(&source(&tokens(&["T1", "T2"]), &api).wrap(own), &api.url("/"))), "fine");
        assert_eq!(*lock(&seen), both(false));
    }
}

#[test]
fn an_agent_that_has_the_needed_settings_sees_no_extensions_but_ureqs_own() {
    let lengths = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lengths);
    let own: Agent = ready()
        .middleware(move |request: Request<SendBody>, next: MiddlewareNext| {
            lock(&log).push(request.extensions().len());
            next.handle(request)
        })
        .build()
        .into();
    let api = Server::new(|request| if request.token() == Some("T1") { invalid_token() } else { reply(200) });
    let agent = source(&tokens(&["T1", "T2"]), &api).wrap(own.clone());
    let request = || Request::get(api.url("/")).body(()).expect("a request");
    for agent in [&own, &agent] {
        assert_eq!(status(&agent.run(request())), 200);
    }
    let seen = lock(&lengths).clone();
    assert_eq!(seen, [seen[0]; 3]);
}

#[test]
fn what_a_request_with_a_token_needs_is_pinned_on_it_and_on_no_other() {
    let lacking = [
        ready().http_status_as_error(true),
        ready().save_redirect_history(false),
        ready().redirect_auth_headers(RedirectAuthHeaders::SameHost),
        ready().timeout_global(Some(Duration::from_secs(60))),
        config(),
    ];
    for (n, settings) in lacking.into_iter().enumerate() {
        let (own, seen) = watched(settings);
        let (api, other) = (Server::wants("T2"), Server::new(|_| reply(200)));
        let agent = source(&tokens(&["T1", "T2"]), &api).wrap(own);
        assert_eq!(text(post(&agent, &api.url("/"))), "fine", "{n}");
        assert_eq!(status(&post(&agent, &other.url("/"))), 200, "{n}");
        let own_header = agent.get(api.url("/")).header("Authorization", "Bearer T2").call();
        assert_eq!(text(own_header), "fine", "{n}");
        let [first, second] = both(true);
        let without = [("-".to_owned(), false), ("Bearer T2".to_owned(), false)];
        assert_eq!(*lock(&seen), [[first, second], without].concat(), "{n}");
    }
}

#[test]
fn settings_of_an_agent_around_a_wrapped_one_do_not_count() {
    let (api, other) = (Server::wants("T2"), Server::new(|_| reply(404)));
    let wrapped = source(&tokens(&["T1", "T2"]), &api)
        .wrap(config().user_agent("inner/1").http_status_as_error(false).build().into());
    let pass_on = move |request: Request<SendBody>, _: MiddlewareNext| wrapped.run(request);
    let settings = config().user_agent("outer/1").http_status_as_error(true).https_only(true);
    let outer: Agent = settings.timeout_global(Some(Duration::from_nanos(1))).middleware(pass_on).build().into();
    assert_eq!(text(post(&outer, &api.url("/"))), "fine");
    assert_eq!(status(&post(&outer, &other.url("/"))), 404);
    for request in api.requests().iter().chain(&other.requests()) {
        assert_eq!(request.header("user-agent"), Some("inner/1"));
    }
}

/// Three sources around one agent, with a server for each and one for none of them.
#[test]
fn three_sources_on_one_agent_each_serve_their_own_origin_and_leave_the_others_alone() {
    let servers = [Server::wants("A2"), Server::wants("B2"), Server::wants("C2")];
    let scripts = [tokens(&["A1", "A2"]), tokens(&["B1", "B2"]), tokens(&["C1", "C2"])];
    let nobodys = Server::new(|_| invalid_token());
    let sources: Vec<_> = scripts.iter().zip(&servers).map(|(script, server)| source(script, server)).collect();
    for status_as_error in [true, false] {
        let (own, seen) = watched(ready().http_status_as_error(status_as_error));
        let agent = sources.iter().fold(own, |agent, source| source.wrap(agent));
        for server in servers.iter().chain(&servers) {
            assert_eq!(text(post(&agent, &server.url("/"))), "fine");
        }
        let outcome = post(&agent, &nobodys.url("/"));
        assert_eq!((status(&outcome), outcome.is_err()), (401, status_as_error));
        let last = lock(&seen).last().cloned();
        assert_eq!(last, Some(("-".to_owned(), false)), "nothing is pinned on what all leave alone");
    }
    for (server, name) in servers.iter().zip(["A", "B", "C"]) {
        let expected = ["1", "2", "2", "2", "2"].map(|number| format!("{name}{number}"));
        assert_eq!(server.tokens(), expected);
    }
    assert_eq!(nobodys.tokens(), ["-", "-"]);
    for (script, source) in scripts.iter().zip(&sources) {
        assert_eq!(script.requests().len(), 2);
        assert_eq!(source.inspect().origins_not_allowed, [nobodys.url("")]);
    }
}

#[test]
fn of_two_sources_for_one_origin_the_outer_one_serves_it() {
    let api = Server::wants("A2");
    let (outer, inner) = (tokens(&["A1", "A2"]), tokens(&["B1", "B2"]));
    let agent = source(&outer, &api).wrap(source(&inner, &api).wrap(config().build().into()));
    assert_eq!(text(post(&agent, &api.url("/"))), "fine");
    assert_eq!(api.tokens(), ["A1", "A2"]);
    assert_eq!((outer.requests().len(), inner.requests().len()), (2, 0));
}

#[test]
fn call_settings_reach_the_source_that_is_further_inside() {
    let (one, two) = (Server::replies([]), Server::replies([invalid_token(), reply(404)]));
    let inner = source(&tokens(&["B1", "B2"]), &two).wrap(config().build().into());
    let agent = source(&tokens(&[]), &one).wrap(inner);
    let outcome = agent.post(two.url("/")).status_as_error(false).within(Duration::from_secs(20)).send("x");
    assert_eq!(outcome.expect("a response").status(), 404);
    assert_eq!(two.tokens(), ["B1", "B2"]);
}
