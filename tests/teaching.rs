//! The eleven mistakes people make most, and what they are told, word for word: each text names the setting to change.
//! A change of one of these texts is a change for everybody who reads it: change it here first.

use std::io;

use client_credentials::test_util::Script;
use client_credentials::{
    Attempt, BasicEncoding, Credentials, Error, TokenRequest, TokenSource, TransportError, TransportErrorKind,
};

fn credentials() -> Credentials {
    Credentials::new("my-client", "hush-hush")
}

fn request() -> TokenRequest {
    TokenRequest::new("https://auth.example.com/token").expect("a request").audience("https://api.example.com")
}

/// What the program reads if the token endpoint answers with this.
fn told(status: u16, body: &str) -> String {
    told_to(credentials(), status, body)
}

fn told_to(credentials: Credentials, status: u16, body: &str) -> String {
    let script = Script::new();
    script.json(status, body);
    text(credentials, &script)
}

/// What the program reads if nobody answers.
fn told_without_answer(kind: TransportErrorKind) -> String {
    let script = Script::new();
    script.fail(TransportError::new(kind, "the cause"));
    let text = text(credentials(), &script);
    assert!(!text.contains("the cause"), "the cause is in source(), not repeated in the text");
    text
}

fn text(credentials: Credentials, script: &Script) -> String {
    let builder =
        TokenSource::builder(credentials, request()).transport(script.clone()).clock(script.clock()).retries(0);
    let error = builder.build().expect("a source").token().expect_err("an error");
    let text = error.to_string();
    assert!(!text.contains("hush-hush"), "{text}");
    text
}

/// A `main` that returns the error prints it by `Debug`: the same words, and the cause, which is nowhere else then.
#[test]
fn what_main_prints_says_what_to_do() {
    let script = Script::new();
    script.json(401, r#"{"error":"invalid_client"}"#);
    let refusal = TokenSource::builder(credentials(), request()).transport(script).build().expect("a source").token();
    let refusal = refusal.expect_err("an error");
    assert_eq!(format!("{refusal:?}"), refusal.to_string());

    let script = Script::new();
    let page = io::Error::other("a page:\n\u{1b}[2J");
    script.fail(TransportError::new(TransportErrorKind::Other, io::Error::other(page)));
    let failure = TokenSource::builder(credentials(), request()).transport(script).build().expect("a source").token();
    let failure = failure.expect_err("an error");
    assert_eq!(format!("{failure:?}"), format!(r"{failure}; caused by: a page:\n\x1b[2J"));
}

#[test]
fn mistake_1_a_wrong_secret() {
    assert_eq!(
        told(401, r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#),
        "token request to auth.example.com: denied with status 401, invalid_client: \"Client authentication failed\"; \
         check the client id and secret, and how they are sent (Credentials::basic_encoding, Credentials::in_body)"
    );
}

#[test]
fn mistake_1_a_secret_with_the_line_break_of_its_file() {
    let error =
        request().encode(&Credentials::new("my-client", "hush-hush\n"), &Attempt::default()).expect_err("an error");
    assert_eq!(error.to_string(), "the client secret holds a control character; is there a line break at its end?");
}

/// The server cannot tell this from a wrong secret, so the text names both ways out.
#[test]
fn mistake_2_a_secret_that_the_server_wants_unencoded() {
    assert_eq!(
        told(400, r#"{"error":"invalid_client"}"#),
        "token request to auth.example.com: denied with status 400, invalid_client; check the client id and secret, \
         and how they are sent (Credentials::basic_encoding, Credentials::in_body)"
    );
}

#[test]
fn mistake_3_no_audience() {
    assert_eq!(
        told(400, r#"{"error":"invalid_request","error_description":"audience is required"}"#),
        "token request to auth.example.com: denied with status 400, invalid_request: \"audience is required\"; a \
         parameter is missing or wrong; many servers need TokenRequest::audience or TokenRequest::scope"
    );
    assert_eq!(
        told(400, r#"{"error":"invalid_target"}"#),
        "token request to auth.example.com: denied with status 400, invalid_target; check TokenRequest::resource and \
         TokenRequest::audience"
    );
}

#[test]
fn mistake_4_a_scope_that_is_not_granted() {
    assert_eq!(
        told(400, r#"{"error":"invalid_scope","error_description":"admin is not allowed for this client"}"#),
        "token request to auth.example.com: denied with status 400, invalid_scope: \"admin is not allowed for this \
         client\"; ask only for scopes granted to this client (TokenRequest::scope)"
    );
}

#[test]
fn mistake_5_plain_http() {
    assert_eq!(
        TokenRequest::new("http://auth.example.com/token").expect_err("an error").to_string(),
        "token endpoint: plain http would show the client secret to everybody on the way to auth.example.com; use \
         https (RFC 6749 section 3.2)"
    );
    assert_eq!(
        request().allow_origin("http://api.example.com").expect_err("an error").to_string(),
        "plain http would show the token to everybody on the way to api.example.com; use https, or \
         TokenRequest::dangerously_allow_plain_http_origin"
    );
}

#[test]
fn mistake_6_an_audience_that_is_no_url_and_no_origin() {
    let request = TokenRequest::new("https://auth.example.com/token").expect("a request").audience("my-api");
    let error = TokenSource::builder(credentials(), request).transport(Script::new()).build().expect_err("an error");
    assert_eq!(
        error.to_string(),
        "no origin may receive this token: neither audience nor resource is an https URL; name the API, as in \
         TokenRequest::allow_origin(\"https://api.example.com\")"
    );
}

#[test]
fn mistake_7_the_api_lives_elsewhere_without_the_agent() {
    let source = TokenSource::builder(credentials(), request()).transport(Script::new()).build().expect("a source");
    let mut request = http::Request::get("https://api.example.net/v1/items").body(()).expect("a request");
    let error = source.authorize(&mut request).expect_err("an error");
    assert_eq!(
        error.to_string(),
        "request not authorized: https://api.example.net may not receive this token; if it should, name it with \
         TokenRequest::allow_origin"
    );
    assert!(matches!(error, Error::OriginNotAllowed(_)));
}

#[test]
fn mistake_8_a_login_page() {
    for (status, body, expected) in [
        (
            200,
            "<!DOCTYPE html><title>Please log in</title>",
            "token request to auth.example.com: status 200, but the answer is not a token response; is this URL the \
             token endpoint, and not a login page?",
        ),
        (
            302,
            "",
            "token request to auth.example.com: denied with status 302; redirects are never followed here; use the \
             final URL of the token endpoint",
        ),
        (404, "", "token request to auth.example.com: denied with status 404; check the URL of the token endpoint"),
    ] {
        assert_eq!(told(status, body), expected);
    }
}

#[test]
fn mistakes_9_and_11_a_wrong_clock_and_a_private_ca() {
    assert_eq!(
        told_without_answer(TransportErrorKind::Tls),
        "token request to auth.example.com: TLS failed; if the server uses a private CA, give \
         UreqTransport::with_agent an agent that trusts it, and check this machine's clock"
    );
}

#[test]
fn mistake_10_no_proxy() {
    assert_eq!(
        told_without_answer(TransportErrorKind::Connect),
        "token request to auth.example.com: could not connect; check the host, the network and, if you need one, the \
         proxy (UreqTransport::with_agent)"
    );
    assert_eq!(
        told(407, ""),
        "token request to auth.example.com: denied with status 407; the proxy wants credentials; give \
         UreqTransport::with_agent an agent with a proxy"
    );
}

/// The same mistakes over real sockets.
#[cfg(feature = "ureq")]
mod over_the_network {
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::{Arc, Mutex, Once};
    use std::time::Duration;

    use client_credentials::UreqTransport;
    use client_credentials::test_util::{Behaviour, TokenServer};

    use super::*;

    /// What the `log` crate was told, by all tests of this file.
    static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

    struct Logger;

    impl log::Log for Logger {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.target() == "client_credentials" && metadata.level() <= log::Level::Warn
        }

        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                LOGGED.lock().expect("a log").push(record.args().to_string());
            }
        }

        fn flush(&self) {}
    }

    fn listen_to_the_log() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            log::set_logger(&Logger).expect("the only logger");
            log::set_max_level(log::LevelFilter::Debug);
        });
    }

    fn error_at(endpoint: &str) -> String {
        let request = TokenRequest::new(endpoint).expect("a request").audience("https://api.example.com");
        TokenSource::builder(credentials(), request)
            .transport(UreqTransport::new())
            .timeout(Duration::from_secs(10))
            .retries(0)
            .build()
            .expect("a source")
            .token()
            .expect_err("an error")
            .to_string()
    }

    #[test]
    fn mistake_7_the_api_lives_elsewhere_is_said_once_for_each_origin() {
        listen_to_the_log();
        let (auth, api) = (TokenServer::start().expect("a server"), TokenServer::start().expect("a server"));
        api.always(Behaviour::json(401, r#"{"message":"who are you?"}"#));
        let told = Arc::new(Mutex::new(Vec::new()));
        let hook = Arc::clone(&told);
        let request = TokenRequest::new(&auth.url()).expect("a request").audience("https://api.example.com");
        let source = TokenSource::builder(credentials(), request)
            .transport(UreqTransport::new())
            .on_event(move |event| hook.lock().expect("a list").push(event.to_string()))
            .build()
            .expect("a source");
        let agent = source.agent();
        let origin = format!("http://{}", api.address());
        for path in ["/v1/items", "/v1/items", "/v2/users"] {
            let error = agent.get(format!("{origin}{path}")).call().expect_err("an error");
            let expected = format!(
                "request not authorized: {origin} may not receive this token; if it should, name it with \
                 TokenRequest::allow_origin"
            );
            assert_eq!(Error::from_ureq(&error).expect("an error of this crate").to_string(), expected);
        }
        let expected = [format!(
            "my-client at 127.0.0.1:{}: {origin} answered 401 to a request without a token; if it should receive one, \
             name it with TokenRequest::allow_origin",
            auth.url().split([':', '/']).nth(4).expect("a port")
        )];
        assert_eq!(*told.lock().expect("a list"), expected);
        let logged: Vec<String> =
            LOGGED.lock().expect("a log").iter().filter(|line| line.contains(&origin)).cloned().collect();
        assert_eq!(logged, expected, "once, as a warning");
        assert_eq!(source.inspect().origins_not_allowed, [origin]);
        assert_eq!(auth.connections(), 0, "no token was asked for");
        assert!(api.requests().iter().all(|request| !request.headers().contains_key("authorization")));
    }

    #[test]
    fn mistake_8_a_login_page() {
        let server = TokenServer::start().expect("a server");
        let page = http::Response::builder().header("content-type", "text/html").body("<html>Please log in</html>");
        server.next(page.expect("a response"));
        server.next(Behaviour::redirect(302, "https://login.example.com/"));
        let host = server.address();
        assert_eq!(
            error_at(&server.url()),
            format!(
                "token request to {host}: status 200, but the answer is not a token response; is this URL the token \
                 endpoint, and not a login page?"
            )
        );
        assert_eq!(
            error_at(&server.url()),
            format!(
                "token request to {host}: denied with status 302; redirects are never followed here; use the final \
                 URL of the token endpoint"
            )
        );
    }

    /// What README.md shows, for a server of another name.
    #[test]
    fn the_first_program_prints_what_to_mend() {
        let server = TokenServer::start().expect("a server");
        server.next(Behaviour::json(401, r#"{"error":"invalid_client"}"#));
        let request = TokenRequest::new(&server.url()).expect("a request").audience("https://api.example.com");
        let agent = TokenSource::new(credentials(), request).expect("a source").agent();
        let error: Box<dyn std::error::Error> =
            agent.get("https://api.example.com/v1/items").call().expect_err("an error").into();
        let shown = include_str!("../README.md").split_once("```text\nError: ").expect("the text").1;
        let shown = shown.split_once("\n```").expect("its end").0.replace('\n', " ");
        assert_eq!(format!("{error:?}"), shown.replace("auth.example.com", &server.address().to_string()));
    }

    #[test]
    fn mistake_10_nobody_listens() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let host = listener.local_addr().expect("an address");
        drop(listener);
        assert_eq!(
            error_at(&format!("http://{host}/token")),
            format!(
                "token request to {host}: could not connect; check the host, the network and, if you need one, the \
                 proxy (UreqTransport::with_agent)"
            )
        );
    }
}

/// Servers that say it in other words: UAA and SAP, GitHub, Salesforce, old Keycloaks, and those that say nothing.
#[test]
fn mistake_1_a_wrong_secret_in_other_words() {
    let remedy =
        "check the client id and secret, and how they are sent (Credentials::basic_encoding, Credentials::in_body)";
    for (status, body, said) in [
        (
            401,
            r#"{"error":"unauthorized","error_description":"Bad credentials"}"#,
            r#"401, unauthorized: "Bad credentials""#,
        ),
        (200, r#"{"error":"incorrect_client_credentials"}"#, "200, incorrect_client_credentials"),
        (
            400,
            r#"{"error":"invalid_client_id","error_description":"client identifier invalid"}"#,
            r#"400, invalid_client_id: "client identifier invalid""#,
        ),
        (401, r#"{"error":"unauthorized_client"}"#, "401, unauthorized_client"),
        (401, "", "401"),
        (403, "", "403"),
    ] {
        assert_eq!(
            told(status, body),
            format!("token request to auth.example.com: denied with status {said}; {remedy}")
        );
    }
}

#[test]
fn mistake_2_a_secret_that_the_server_wants_unencoded_is_said_where_encoding_matters() {
    let body = r#"{"error":"invalid_client"}"#;
    assert_eq!(
        told_to(Credentials::new("my-client", "hush/hush=="), 401, body),
        "token request to auth.example.com: denied with status 401, invalid_client; check the client id and secret; \
         they hold characters that are encoded for HTTP Basic, which some servers do not undo: try \
         Credentials::in_body or BasicEncoding::Raw (Credentials::basic_encoding)"
    );
    let plain = told(401, body);
    for other in [
        Credentials::new("my-client", "hush/hush==").basic_encoding(BasicEncoding::Raw),
        Credentials::new("my-client", "hush/hush==").in_body(),
    ] {
        assert_eq!(told_to(other, 401, body), plain);
    }
}

/// Auth0's answer.
#[test]
fn mistake_3_no_audience_denied_by_403() {
    assert_eq!(
        told(
            403,
            r#"{"error":"access_denied","error_description":"No audience parameter was provided, and no default audience has been configured"}"#
        ),
        "token request to auth.example.com: denied with status 403, access_denied: \"No audience parameter was \
         provided, and no default audience has been configured\"; allow this client the API at the authorization \
         server, and name the API (TokenRequest::audience)"
    );
}

/// Google's answer.
#[test]
fn mistake_9_an_assertion_signed_by_a_wrong_clock() {
    assert_eq!(
        told(400, r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token"}"#),
        "token request to auth.example.com: denied with status 400, invalid_grant: \"Invalid JWT: Token must be a \
         short-lived token\"; the assertion or token that was sent is wrong or expired (TokenRequest::parameter); if \
         this machine signs assertions, check its clock"
    );
}

/// A firewall that drops packets looks like this.
#[test]
fn mistake_10_no_proxy_and_silence() {
    assert_eq!(
        told_without_answer(TransportErrorKind::Timeout),
        "token request to auth.example.com: no answer in the time allowed; check the network and, if you need one, \
         the proxy (UreqTransport::with_agent), or allow more time (TokenSourceBuilder::timeout)"
    );
}

/// Entra's answer, as far as it matters: where more is to be read stands last.
#[test]
fn a_page_that_the_server_names_is_told() {
    assert_eq!(
        told(401, r#"{"error":"invalid_client","error_uri":"https://login.example.com/error?code=7000215\n"}"#),
        "token request to auth.example.com: denied with status 401, invalid_client; check the client id and secret, and \
         how they are sent (Credentials::basic_encoding, Credentials::in_body); see \
         https://login.example.com/error?code=7000215\\n"
    );
}

#[test]
fn a_grant_that_the_server_does_not_give() {
    for (code, remedy) in [
        (
            "unauthorized_client",
            "allow this client the grant at the authorization server; some servers say this for a wrong secret too",
        ),
        ("unsupported_grant_type", "check TokenRequest::grant_type"),
    ] {
        assert_eq!(
            told(400, &format!(r#"{{"error":"{code}"}}"#)),
            format!("token request to auth.example.com: denied with status 400, {code}; {remedy}")
        );
    }
}
