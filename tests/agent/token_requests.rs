//! Token requests through ureq.

use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectionDetails, Connector};

use super::*;

#[test]
fn with_agent_and_transport_of_the_crate_a_token_is_fetched_used_and_renewed() {
    let (auth, api) = (Server::replies([token_reply("T1"), token_reply("T2")]), Server::wants("T2"));
    let agent = asks(&auth, &api.url("/"), UreqTransport::new()).build().expect("a source").agent();
    assert_eq!(text(agent.post(api.url("/")).send("x")), "fine");
    assert_eq!((auth.requests().len(), api.tokens()), (2, vec!["T1".into(), "T2".into()]));
}

fn failure(builder: TokenSourceBuilder) -> TransportErrorKind {
    match builder.build().expect("a source").token() {
        Err(Error::Transport(failure)) => failure.kind(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn d15_a_redirect_of_the_token_endpoint_is_not_followed() {
    for code in [301, 302, 303, 307, 308] {
        for transport in [
            UreqTransport::new(),
            UreqTransport::with_agent(
                config().max_redirects(5).redirect_auth_headers(RedirectAuthHeaders::SameHost).build().into(),
            ),
        ] {
            let other = Server::replies([token_reply("stolen")]);
            let auth = Server::replies([redirect(code, other.url("/token"))]);
            let result = asks(&auth, API, transport).build().expect("a source").token();
            assert!(matches!(&result, Err(Error::Denied(denied)) if denied.status() == code), "{result:?}");
            assert_eq!((auth.requests().len(), other.requests()), (1, Vec::new()));
        }
    }
}

#[test]
fn an_answer_of_the_token_endpoint_over_256_kib_is_refused() {
    let padded = |length: usize| {
        let start = r#"{"access_token":"T1","token_type":"Bearer","pad":""#;
        format!("{start}{}\"}}", "x".repeat(length - start.len() - 2))
    };
    let auth = Server::replies([json_reply(200, &padded(256 * 1024))]);
    assert_eq!(
        asks(&auth, API, UreqTransport::new()).build().expect("a source").token().expect("a token").secret(),
        "T1"
    );
    for code in [200, 400] {
        let auth = Server::replies([json_reply(code, &padded(256 * 1024 + 1))]);
        assert_eq!(failure(asks(&auth, API, UreqTransport::new())), TransportErrorKind::BodyTooLarge);
        assert_eq!(auth.requests().len(), 1);
    }
}

#[test]
fn a_token_request_has_one_accept_header_and_a_body_of_known_length() {
    let auth = Server::replies([token_reply("T1")]);
    let agent = config().accept("text/html").user_agent("mine/1").build().into();
    asks(&auth, API, UreqTransport::with_agent(agent)).build().expect("a source").token().expect("a token");
    let [request] = &auth.requests()[..] else { panic!("one request") };
    assert_eq!(request.headers("accept"), ["application/json"]);
    assert_eq!(request.headers("user-agent"), ["mine/1"]);
    assert_eq!(request.headers("content-type"), ["application/x-www-form-urlencoded"]);
    assert_eq!((request.line(), request.framing()), ("POST /token HTTP/1.1", Framing::Length(request.body.len())));
}

#[test]
fn the_limits_of_the_source_and_the_timeouts_of_the_agent_both_hold() {
    let from = SystemClock.now();
    let short = Duration::from_millis(50);
    let never = || Server::replies([Reply::never()]);
    let auth = never();
    let by_source = asks(&auth, API, UreqTransport::new()).timeout(short).retries(0);
    assert_eq!(failure(by_source), TransportErrorKind::Timeout);
    for config in [config().timeout_global(Some(short)), config().timeout_recv_response(Some(short))] {
        let auth = never();
        let by_agent = asks(&auth, API, UreqTransport::with_agent(config.build().into())).retries(0);
        assert_eq!(failure(by_agent), TransportErrorKind::Timeout);
    }
    let auth = never();
    let longer = config().timeout_global(Some(Duration::from_secs(60))).build().into();
    let by_source = asks(&auth, API, UreqTransport::with_agent(longer)).timeout(short).retries(0);
    assert_eq!(failure(by_source), TransportErrorKind::Timeout);
    assert!(SystemClock.now().since(&from) < Duration::from_secs(10));
}

/// The setting that the error names, and whether it says that there was no connection.
fn named(builder: TokenSourceBuilder) -> (TransportErrorKind, String) {
    let error = builder.retries(0).build().expect("a source").token().expect_err("an error");
    let Error::Transport(failure) = &error else { panic!("{error}") };
    let text = error.to_string();
    let what = if failure.kind() == TransportErrorKind::Connect { "could not connect; " } else { "no answer in " };
    assert!(text.contains(what), "{text}");
    let (_, setting) = text.split_once(", or allow more time (").expect("a setting");
    (failure.kind(), setting.trim_end_matches(')').to_owned())
}

#[test]
fn a_time_out_names_the_setting_whose_limit_ended_the_token_request() {
    const SHORT: Duration = Duration::from_millis(50);
    let long = Some(Duration::from_secs(60));
    let (short, of_agent) = (Some(SHORT), "the agent of UreqTransport::with_agent");
    for (reply, config, of_source, expected) in [
        (Reply::never(), config(), short, "TokenSourceBuilder::timeout"),
        (token_reply("T1").stalled(), config(), short, "TokenSourceBuilder::timeout"),
        (Reply::never(), config().timeout_global(long), short, "TokenSourceBuilder::timeout"),
        (Reply::never(), config().timeout_global(short), None, of_agent),
        (Reply::never(), config().timeout_per_call(short), None, of_agent),
        (Reply::never(), config().timeout_recv_response(short), None, of_agent),
        (token_reply("T1").stalled(), config().timeout_recv_body(short), None, of_agent),
    ] {
        let auth = Server::replies([reply]);
        let mut builder = asks(&auth, API, UreqTransport::with_agent(config.build().into()));
        if let Some(time) = of_source {
            builder = builder.timeout(time);
        }
        assert_eq!(named(builder), (TransportErrorKind::Timeout, expected.to_owned()));
    }
    let auth = Server::replies([Reply::never()]);
    let builder = asks(&auth, API, UreqTransport::with_agent(config().build().into())).retries(0);
    let error = builder.build().expect("a source").token_within(SHORT).expect_err("an error").to_string();
    assert!(error.ends_with("(TokenSource::token_within)"), "{error}");
}

/// Finds that no connection can be established, and spends no time on it.
#[derive(Debug)]
struct Unreachable;

impl<In: ureq::unversioned::transport::Transport> Connector<In> for Unreachable {
    type Out = In;

    fn connect(&self, details: &ConnectionDetails, _: Option<In>) -> Result<Option<In>, ureq::Error> {
        Err(ureq::Error::Timeout(details.timeout.reason))
    }
}

#[test]
fn a_connection_that_takes_too_long_names_the_setting_for_that() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (config, connect, timeout, expected) in [
        (config(), 5, 30, (TransportErrorKind::Connect, "TokenSourceBuilder::connect_timeout")),
        (
            config().timeout_connect(seconds(6)),
            5,
            30,
            (TransportErrorKind::Connect, "TokenSourceBuilder::connect_timeout"),
        ),
        (
            config().timeout_connect(seconds(4)),
            5,
            30,
            (TransportErrorKind::Connect, "the agent of UreqTransport::with_agent"),
        ),
        (config().timeout_connect(seconds(4)), 5, 3, (TransportErrorKind::Timeout, "TokenSourceBuilder::timeout")),
        (
            config().timeout_global(seconds(2)),
            5,
            30,
            (TransportErrorKind::Timeout, "the agent of UreqTransport::with_agent"),
        ),
    ] {
        let auth = Server::replies([]);
        let connector = ().chain(Unreachable);
        let agent = Agent::with_parts(config.build(), connector, DefaultResolver::default());
        let builder = asks(&auth, API, UreqTransport::with_agent(agent))
            .connect_timeout(Duration::from_secs(connect))
            .timeout(Duration::from_secs(timeout));
        assert_eq!(named(builder), (expected.0, expected.1.to_owned()));
    }
}

#[test]
fn d40_a_connection_that_takes_too_long_for_a_hurried_caller_is_a_failure_like_any_other() {
    let auth = Server::replies([]);
    let agent = Agent::with_parts(config().build(), ().chain(Unreachable), DefaultResolver::default());
    let (told, transport) = (Arc::new(AtomicUsize::new(0)), UreqTransport::with_agent(agent));
    let counter = Arc::clone(&told);
    let source = asks(&auth, API, transport).retries(0).on_event(move |event| {
        counter.fetch_add(usize::from(matches!(event.kind, EventKind::Requested { .. })), Ordering::Relaxed);
    });
    let source = source.build().expect("a source");
    source.token_within(Duration::from_secs(10)).expect_err("no connection");
    // Remembered for callers with more time, too: it was not the caller's time that ran out.
    source.token().expect_err("the same error");
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn what_went_wrong_below_http_is_sorted_by_kind_and_retried_where_that_may_help() {
    let request =
        TokenRequest::new(&format!("http://{CLOSED}/token")).expect("a request").audience("https://api.example.com");
    let script = Script::new();
    let refused = TokenSource::builder(Credentials::new("id", SECRET), request)
        .transport(UreqTransport::new())
        .clock(script.clock());
    assert_eq!(failure(refused), TransportErrorKind::Connect);

    let cut = Server::replies([token_reply("T1").cut(), token_reply("T1")]);
    assert_eq!(failure(asks(&cut, API, UreqTransport::new())), TransportErrorKind::Other);
    let hang_up = Server::replies([Reply::hang_up(), token_reply("T1")]);
    let source = asks(&hang_up, API, UreqTransport::new()).build().expect("a source");
    assert_eq!(source.token().expect("the second answer").secret(), "T1");
    let reset = Server::resetting();
    assert_eq!(failure(asks(&reset, API, UreqTransport::new())), TransportErrorKind::Closed);
    assert_eq!((cut.requests().len(), hang_up.requests().len(), reset.requests().len()), (1, 2, 3));

    let not_tls = Server::replies([reply(400)]);
    let request = TokenRequest::new(&format!("https://127.0.0.1:{}/token", not_tls.port()))
        .expect("a request")
        .audience("https://api.example.com");
    let transport = UreqTransport::with_agent(config().build().into());
    let tls = TokenSource::builder(Credentials::new("id", SECRET), request).transport(transport);
    assert_eq!(failure(tls.timeout(Duration::from_secs(2)).retries(0)), TransportErrorKind::Tls);

    let unwell = Server::replies([reply(503), reply(429), token_reply("T3")]);
    let token = asks(&unwell, API, UreqTransport::new()).build().expect("a source").token().expect("the third answer");
    assert_eq!((token.secret(), unwell.requests().len()), ("T3", 3));
}

#[test]
fn d35_a_kept_connection_that_the_server_closes_costs_a_second_connection_and_no_call() {
    use client_credentials::test_util::{Behaviour, Step, TokenServer};

    let (server, script) = (TokenServer::start().expect("a port"), Script::new());
    server.next(Behaviour::token("T1", 3600));
    server.next(Step::Close);
    server.next(Behaviour::token("T2", 3600));
    let request = TokenRequest::new(&server.url()).expect("a request").audience(API);
    let source = TokenSource::builder(Credentials::new("id", SECRET), request)
        .transport(UreqTransport::new())
        .clock(script.clock())
        .build()
        .expect("a source");
    assert_eq!(source.token().expect("a token").secret(), "T1");
    assert_eq!(source.renew().expect("a token").secret(), "T2");
    assert_eq!((server.requests().len(), server.connections()), (3, 2));
}

#[test]
fn every_status_of_the_token_endpoint_is_an_answer_whatever_the_agents_mode() {
    for mode in [true, false] {
        let auth = Server::replies([json_reply(401, r#"{"error":"invalid_client","error_description":"no"}"#)]);
        let agent = config().http_status_as_error(mode).build().into();
        let result = asks(&auth, API, UreqTransport::with_agent(agent)).build().expect("a source").token();
        let Err(Error::Denied(denied)) = result else { panic!("{result:?}") };
        assert_eq!((denied.status(), denied.code(), denied.description()), (401, Some("invalid_client"), Some("no")));
    }
}

#[test]
fn token_requests_use_the_proxy_of_the_users_agent() {
    let proxy = Server::replies([token_reply("T1")]);
    let agent = config().proxy(Some(Proxy::new(&proxy.url("")).expect("a proxy"))).build().into();
    let request = TokenRequest::dangerously_over_plain_http("http://auth.invalid/token")
        .expect("a request")
        .audience("https://api.example.com");
    let source =
        TokenSource::builder(Credentials::new("id", SECRET), request).transport(UreqTransport::with_agent(agent));
    assert_eq!(source.build().expect("a source").token().expect("a token").secret(), "T1");
    let lines: Vec<_> = proxy.requests().iter().map(|request| request.line().to_owned()).collect();
    assert_eq!(lines, ["CONNECT auth.invalid:80 HTTP/1.1", "POST /token HTTP/1.1"]);
}

#[test]
fn token_requests_go_through_the_middleware_of_the_users_agent() {
    let auth = Server::replies([token_reply("T1")]);
    let agent = config()
        .middleware(|mut request: Request<SendBody>, next: MiddlewareNext| {
            request.headers_mut().insert("x-trace", "42".parse().expect("a value"));
            next.handle(request)
        })
        .build()
        .into();
    asks(&auth, API, UreqTransport::with_agent(agent)).build().expect("a source").token().expect("a token");
    assert_eq!(auth.requests()[0].header("x-trace"), Some("42"));
}

/// A middleware that passes requests on to an agent that is made after the source is there.
#[derive(Clone, Default)]
struct Later(Arc<OnceLock<Agent>>);

impl ureq::middleware::Middleware for Later {
    fn handle(&self, request: Request<SendBody>, _: MiddlewareNext) -> Result<Response<Body>, ureq::Error> {
        self.0.get().expect("set by now").run(request)
    }
}

#[test]
fn our_own_middleware_on_the_agent_of_the_transport_leaves_token_requests_alone() {
    // Token endpoint and API have one origin, and the credentials leave the Authorization header
    // free.
    let server = Server::new(|request| match request.target() {
        "/token" => token_reply("T1"),
        _ => reply(200).body("fine"),
    });
    let later = Later::default();
    let agent: Agent = config().middleware(later.clone()).build().into();
    let request = TokenRequest::new(&server.url("/token")).expect("a request").audience(server.url("/"));
    let credentials = Credentials::new("id", SECRET).in_body();
    let source = TokenSource::builder(credentials, request).transport(UreqTransport::with_agent(agent.clone())).build();
    let wrapped = source.expect("a source").wrap(config().build().into());
    assert!(later.0.set(wrapped).is_ok());
    assert_eq!(text(get(&agent, &server.url("/api"))), "fine");
    assert_eq!(server.tokens(), ["-", "T1"]);
    assert_eq!(server.requests()[0].headers("authorization"), Vec::<&str>::new());
}

#[test]
fn the_middleware_of_another_source_leaves_token_requests_alone() {
    let auth = Server::replies([token_reply("T1")]);
    let other = tokens(&["other"]);
    let agent = source(&other, &auth).wrap(config().build().into());
    let request = TokenRequest::new(&auth.url("/token")).expect("a request").audience("https://api.example.com");
    let credentials = Credentials::new("id", SECRET).in_body();
    let source = TokenSource::builder(credentials, request)
        .transport(UreqTransport::with_agent(agent))
        .build()
        .expect("a source");
    assert_eq!(source.token().expect("a token").secret(), "T1");
    assert_eq!((auth.tokens(), other.requests().len()), (vec!["-".into()], 0));
}

#[test]
fn a_transport_that_goes_through_the_authenticated_agent_itself_is_a_clear_error_and_no_deadlock() {
    let server = Server::replies([]);
    let slot: Arc<OnceLock<Agent>> = Arc::default();
    let own = Arc::clone(&slot);
    let transport = move |request: Request<Vec<u8>>, _: &Attempt| {
        let agent = own.get().expect("set by now");
        match agent.run(request) {
            Ok(response) => panic!("{response:?}"),
            Err(error) => Err(TransportError::new(TransportErrorKind::Other, error)),
        }
    };
    let request = TokenRequest::new(&server.url("/token")).expect("a request").audience(server.url("/"));
    let credentials = Credentials::new("id", SECRET).in_body();
    let source = TokenSource::builder(credentials, request).transport(transport).build().expect("a source");
    assert!(slot.set(source.agent()).is_ok());
    let error = our_error(get(&source.agent(), &server.url("/api")));
    let mut chain = vec![error.to_string()];
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    assert!(chain.iter().any(|message| message.contains("through the very agent or source")), "{chain:?}");
    assert_eq!(server.requests(), []);
}
