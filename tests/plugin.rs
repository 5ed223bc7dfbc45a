//! The behaviours of the Elixir plugin that this crate descends from, each by its name. Where we differ on purpose
//! (the scheme is compared too, no origin is allowed by default, expiry is honoured), the last tests say so.
#![cfg(feature = "ureq")]

mod loopback;

use std::time::Duration;

use client_credentials::test_util::Script;
use client_credentials::{
    BodyFormat, Credentials, Error, TokenCache, TokenRequest, TokenSource, TokenSourceBuilder, TransportErrorKind,
    UreqTransport,
};
use loopback::{
    Received, Reply, SECRET, Server, agent, builder, config, invalid_token, json_reply, our_error, outside, reply,
    source, status, text, token_reply, tokens,
};
use ureq::http::{Request, Uri};
use ureq::middleware::MiddlewareNext;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy, SendBody};

/// A token endpoint on a socket, the API it is for, and what is asked of it.
fn two_servers(replies: impl IntoIterator<Item = Reply>) -> (Server, Server, TokenRequest) {
    let (auth, api) = (Server::replies(replies), Server::new(|_| reply(200).body("fine")));
    let request = TokenRequest::new(&auth.url("/oauth/token")).expect("a request").audience(api.url("/"));
    (auth, api, request)
}

fn credentials() -> Credentials {
    Credentials::new("id", SECRET)
}

/// The one token request for one call.
fn token_request(ask: impl FnOnce(TokenRequest) -> TokenRequest, credentials: Credentials) -> Received {
    let (auth, api, request) = two_servers([token_reply("T1")]);
    let agent = TokenSource::new(credentials, ask(request)).expect("a source").agent();
    assert_eq!(text(agent.get(api.url("/")).call()), "fine");
    assert_eq!(api.tokens(), ["T1"]);
    let [request] = &auth.requests()[..] else { panic!("one token request") };
    request.clone()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn attach_and_authenticate() {
    let (auth, api, request) = two_servers([token_reply("T1")]);
    let agent: Agent = TokenSource::new(credentials(), request).expect("a source").agent();
    assert_eq!(text(agent.get(api.url("/v1/items")).call()), "fine");
    let [request] = &api.requests()[..] else { panic!("one request") };
    assert_eq!((request.line(), request.headers("authorization")), ("GET /v1/items HTTP/1.1", vec!["Bearer T1"]));
    assert_eq!(auth.requests().len(), 1);
}

#[test]
fn token_cached_and_reused() {
    let (auth, api, request) = two_servers([token_reply("T1")]);
    let source = TokenSource::new(credentials(), request).expect("a source");
    let (one, two) = (source.agent(), source.clone().agent());
    for agent in [&one, &two, &one] {
        assert_eq!(text(agent.get(api.url("/")).call()), "fine");
    }
    assert_eq!((api.tokens(), auth.requests().len()), (vec!["T1".to_owned(); 3], 1));
}

#[test]
fn unauthorized_refreshes_and_reruns_once_never_twice() {
    let (script, api) = (tokens(&["T1", "T2", "T3"]), Server::wants("T2"));
    assert_eq!(text(source(&script, &api).agent().get(api.url("/")).call()), "fine");
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into()], 2));

    let (script, api) = (tokens(&["T1", "T2", "T3"]), Server::wants("never"));
    let agent = source(&script, &api).agent();
    assert_eq!(status(&agent.get(api.url("/")).call()), 401);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into()], 2));
    // An API that refuses everything does not become a flood of token requests either.
    assert_eq!(status(&agent.get(api.url("/")).call()), 401);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into(), "T2".into()], 2));
}

#[test]
fn audience_host_and_port_must_match_else_request_untouched_and_its_401_ignored() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::new(|_| reply(200)));
    let other_port = Server::new(|_| invalid_token());
    let agent = source(&script, &api).agent();
    for url in [other_port.url("/"), other_port.url_by_name("/")] {
        assert_eq!(status(&agent.get(url).call()), 401);
    }
    assert_eq!(status(&agent.get(api.url_by_name("/")).call()), 200);
    assert_eq!((other_port.tokens(), api.tokens()), (vec!["-".to_owned(); 2], vec!["-".into()]));
    assert_eq!(script.requests().len(), 0);
    assert_eq!(status(&agent.get(api.url("/any/path?at=all")).call()), 200);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["-".into(), "T1".into()], 1));
}

#[test]
fn grant_type_injected_when_missing() {
    let request = token_request(|request| request, credentials());
    assert!(request.form().contains(&pair("grant_type", "client_credentials")), "{}", request.text());
}

#[test]
fn callers_grant_type_kept() {
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let request = token_request(
        |request| request.grant_type(grant).and_then(|request| request.parameter("assertion", "e.y.J")).expect("good"),
        Credentials::none(),
    );
    let form = request.form();
    assert!(form.contains(&pair("grant_type", grant)) && form.contains(&pair("assertion", "e.y.J")), "{form:?}");
    assert_eq!(form.iter().filter(|(name, _)| name == "grant_type").count(), 1);
}

#[test]
fn form_body() {
    let request = token_request(
        |request| request.scope("read write").and_then(|request| request.parameter("x", "ä &=+")).expect("good"),
        credentials().in_body(),
    );
    assert_eq!(request.headers("content-type"), ["application/x-www-form-urlencoded"]);
    let form = request.form();
    for expected in [("scope", "read write"), ("x", "ä &=+"), ("client_id", "id"), ("client_secret", SECRET)] {
        assert!(form.contains(&pair(expected.0, expected.1)), "{form:?}");
    }
    assert!(form.iter().any(|(name, value)| name == "audience" && value.starts_with("http://127.0.0.1:")), "{form:?}");
    assert_eq!((form.len(), request.header("authorization")), (6, None));
}

#[test]
fn json_body() {
    let request = token_request(
        |request| request.scope("read write").expect("good").body_format(BodyFormat::Json),
        credentials().in_body(),
    );
    assert_eq!(request.headers("content-type"), ["application/json"]);
    let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
    let members =
        [("grant_type", "client_credentials"), ("scope", "read write"), ("client_id", "id"), ("client_secret", SECRET)];
    for (name, value) in members {
        assert_eq!(body[name], value);
    }
    assert!(body["audience"].is_string() && body.as_object().is_some_and(|body| body.len() == 5), "{body}");
}

#[test]
fn basic_for_the_token_request() {
    let request = token_request(|request| request, Credentials::new("Aladdin", "open"));
    assert_eq!(request.headers("authorization"), ["Basic QWxhZGRpbjpvcGVu"]);
    assert!(request.form().iter().all(|(name, _)| !name.starts_with("client_")), "{}", request.text());
}

#[test]
fn any_http_option_for_the_token_request() {
    // Headers.
    let request = token_request(|request| request.header("X-Api-Key", "42").expect("good"), credentials());
    assert_eq!(request.headers("x-api-key"), ["42"]);

    let through = |agent: Agent, request: TokenRequest| {
        let clock = Script::new().clock();
        TokenSource::builder(credentials(), request).transport(UreqTransport::with_agent(agent)).clock(clock)
    };
    let kind = |builder: TokenSourceBuilder| match builder.retries(0).build().expect("a source").token() {
        Err(Error::Transport(failure)) => failure.kind(),
        other => panic!("{other:?}"),
    };
    // Timeouts, of the agent and of the source.
    let short = Duration::from_millis(50);
    let (_auth, _api, request) = two_servers([Reply::never(), Reply::never()]);
    let hasty = config().timeout_global(Some(short)).build().into();
    assert_eq!(kind(through(hasty, request.clone())), TransportErrorKind::Timeout);
    assert_eq!(kind(through(config().build().into(), request).timeout(short)), TransportErrorKind::Timeout);

    // A proxy, for the token request only.
    let (proxy, api) = (Server::replies([token_reply("T1")]), Server::replies([reply(200).body("direct")]));
    let request =
        TokenRequest::dangerously_over_plain_http("http://auth.invalid/token").expect("good").audience(api.url("/"));
    let proxied = config().proxy(Some(Proxy::new(&proxy.url("")).expect("a proxy"))).build().into();
    let agent = through(proxied, request).build().expect("a source").agent();
    assert_eq!(text(agent.get(api.url("/")).call()), "direct");
    assert_eq!((proxy.requests()[0].line(), api.tokens()), ("CONNECT auth.invalid:80 HTTP/1.1", vec!["T1".into()]));

    // TLS: an agent that trusts nobody, in front of a server that does not even speak it.
    let auth = Server::replies([]);
    let request =
        TokenRequest::new(&format!("https://127.0.0.1:{}/", auth.port())).expect("good").audience(api.url("/"));
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[])).build();
    let careful = config().tls_config(tls).build().into();
    assert_eq!(kind(through(careful, request)), TransportErrorKind::Tls);
}

#[test]
fn cache_key_includes_token_url_and_all_parameters() {
    let cache = TokenCache::default();
    let script = Script::new();
    let base = |url: &str| TokenRequest::new(url).expect("good").allow_origin("https://api.example.com").expect("good");
    let request = || base("https://auth.example.com/token");
    let (basic, body) = (credentials, || credentials().in_body());
    let questions: Vec<(TokenRequest, Credentials)> = vec![
        (request(), basic()),
        (base("https://auth.example.com/other"), basic()),
        (base("https://auth.example.com/token?tenant=a"), basic()),
        (base("https://auth.example.org/token"), basic()),
        (request(), body()),
        (request(), Credentials::new("id2", SECRET)),
        (request(), Credentials::new("id", "another")),
        (request().scope("read").expect("good"), basic()),
        (request().scope("read write").expect("good"), basic()),
        (request().audience("https://api.example.com"), basic()),
        (request().resource("https://api.example.com").expect("good"), basic()),
        (request().organization("org_1").expect("good"), basic()),
        (request().parameter("x", "1").expect("good"), basic()),
        (request().parameter("x", "2").expect("good"), basic()),
        (request().parameter("y", "1").expect("good"), basic()),
        (request().header("x", "1").expect("good"), basic()),
        (request().grant_type("other").expect("good"), basic()),
        (request().body_format(BodyFormat::Json), basic()),
    ];
    for n in 0..questions.len() {
        script.token(&format!("T{n}"), 3600);
    }
    for _ in 0..2 {
        for (n, (request, credentials)) in questions.iter().enumerate() {
            let source = TokenSource::builder(credentials.clone(), request.clone())
                .transport(script.clone())
                .clock(script.clock())
                .cache(&cache)
                .build()
                .expect("a source");
            assert_eq!(source.token().expect("a token").secret(), format!("T{n}"));
        }
    }
    assert_eq!((script.requests().len(), cache.len()), (questions.len(), questions.len()));
}

#[test]
fn base_url_resolved_before_audience_is_compared() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
    let base = api.url("");
    let before = move |mut request: Request<SendBody>, next: MiddlewareNext| {
        let path = request.uri().path_and_query().expect("a path").to_string();
        *request.uri_mut() = format!("{base}{path}").parse::<Uri>().map_err(ureq::http::Error::from)?;
        next.handle(request)
    };
    let agent = outside(before, agent(&source(&script, &api), true));
    assert_eq!(text(agent.get("http://base.invalid/v1/items?page=2").call()), "fine");
    assert_eq!(api.tokens(), ["T1", "T2"]);
    assert!(api.requests().iter().all(|request| request.target() == "/v1/items?page=2"));
}

#[test]
fn base_url_resolved_before_audience_is_compared_also_to_somewhere_else() {
    let (script, api, other) = (tokens(&["T1"]), Server::wants("T1"), Server::replies([reply(200)]));
    let elsewhere = other.url("/");
    let before = move |mut request: Request<SendBody>, next: MiddlewareNext| {
        *request.uri_mut() = elsewhere.parse::<Uri>().map_err(ureq::http::Error::from)?;
        next.handle(request)
    };
    let agent = outside(before, agent(&source(&script, &api), true));
    assert_eq!(status(&agent.get(api.url("/")).call()), 200);
    assert_eq!((other.tokens(), api.requests().len(), script.requests().len()), (vec!["-".into()], 0, 0));
}

#[test]
fn never_authenticates_its_own_token_request() {
    // Token endpoint and API are one origin, and nothing else occupies the Authorization header.
    let server = Server::new(|request| match request.target() {
        "/token" => token_reply("T1"),
        _ => reply(200).body("fine"),
    });
    let request = TokenRequest::new(&server.url("/token")).expect("good").audience(server.url("/"));
    let agent = TokenSource::new(credentials().in_body(), request).expect("a source").agent();
    assert_eq!(text(agent.get(server.url("/api")).call()), "fine");
    let requests = server.requests();
    assert_eq!((requests[0].target(), requests[0].header("authorization")), ("/token", None));
    assert_eq!(server.tokens(), ["-", "T1"]);
}

#[test]
fn failing_token_request_api_not_sent_caller_learns_why() {
    let (auth, api, request) =
        two_servers([json_reply(401, r#"{"error":"invalid_client","error_description":"unknown client"}"#)]);
    let agent = TokenSource::new(credentials(), request).expect("a source").agent();
    let error = our_error(agent.post(api.url("/")).send("x"));
    let Error::Denied(denied) = &error else { panic!("{error:?}") };
    assert_eq!(
        (denied.status(), denied.code(), denied.description()),
        (401, Some("invalid_client"), Some("unknown client"))
    );
    let message = error.to_string();
    assert!(message.contains("invalid_client") && message.contains("unknown client"), "{message}");
    assert!(message.contains(&auth.port().to_string()) && !message.contains(SECRET), "{message}");
    assert_eq!((auth.requests().len(), api.requests().len()), (1, 0));
}

#[test]
fn content_type_of_the_token_request_is_its_own() {
    let (auth, api, request) = two_servers([token_reply("T1")]);
    let agent = TokenSource::new(credentials(), request).expect("a source").agent();
    let sent = agent.post(api.url("/")).content_type("text/csv").header("X-Caller", "1").send("a;b");
    assert_eq!(text(sent), "fine");
    let (token_request, api_request) = (&auth.requests()[0], &api.requests()[0]);
    assert_eq!(token_request.headers("content-type"), ["application/x-www-form-urlencoded"]);
    assert_eq!(token_request.header("x-caller"), None);
    assert_eq!((api_request.headers("content-type"), api_request.text()), (vec!["text/csv"], "a;b"));
}

// Where we differ on purpose.

#[test]
fn unlike_the_plugin_the_scheme_is_compared_too() {
    let (script, proxy) = (tokens(&["T1"]), Server::replies([reply(200)]));
    let request = TokenRequest::new("https://auth.example.com/token").expect("good").audience("https://api.invalid:80");
    let source = TokenSource::builder(credentials(), request).transport(script.clone()).build().expect("a source");
    let config = config().proxy(Some(Proxy::new(&proxy.url("")).expect("a proxy")));
    let agent = source.wrap(config.build().into());
    assert_eq!(status(&agent.get("http://api.invalid/").call()), 200);
    assert!(proxy.tokens().iter().all(|token| token == "-"));
    assert_eq!(script.requests().len(), 0);
}

#[test]
fn unlike_the_plugin_no_audience_means_no_origin_and_not_every_origin() {
    let request = TokenRequest::new("https://auth.example.com/token").expect("good");
    let error = TokenSource::new(credentials(), request).expect_err("nowhere to send a token to");
    assert!(matches!(&error, Error::Configuration(error) if error.to_string().contains("allow_origin")), "{error}");
}

#[test]
fn unlike_the_plugin_expiry_is_honoured() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::new(|_| reply(200)));
    let agent = builder(&script, &api).build().expect("a source").agent();
    for _ in 0..2 {
        assert_eq!(status(&agent.get(api.url("/")).call()), 200);
        script.clock().advance(Duration::from_secs(3600));
    }
    assert_eq!(api.tokens(), ["T1", "T2"]);
}
