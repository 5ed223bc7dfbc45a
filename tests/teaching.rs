//! The mistakes that people make most, and what they are told, word for word: each text names the setting to change.
//! A change of one of these texts is a change for everybody who reads it: change it here first.

use std::io;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use client_credentials::test_util::Script;
use client_credentials::{
    Attempt, BasicEncoding, BodyFormat, Credentials, Error, EventKind, TokenRequest, TokenSource, TransportError,
    TransportErrorKind,
};

/// The end of each refusal that may be about what was sent.
const SENT: &str =
    " (sent: HTTP Basic (BasicEncoding::Minimal), a form, audience \"https://api.example.com\", no scope)";

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
        format!(
            "token request to auth.example.com: denied with status 401, invalid_client: \"Client authentication \
             failed\"{SENT}; check the client id and secret, and how they are sent (Credentials::basic_encoding, \
             Credentials::in_body)"
        )
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
        format!(
            "token request to auth.example.com: denied with status 400, invalid_client{SENT}; check the client id and \
             secret, and how they are sent (Credentials::basic_encoding, Credentials::in_body)"
        )
    );
}

#[test]
fn mistake_3_no_audience() {
    assert_eq!(
        told(400, r#"{"error":"invalid_request","error_description":"audience is required"}"#),
        format!(
            "token request to auth.example.com: denied with status 400, invalid_request: \"audience is required\"{SENT}; a \
             parameter is missing or wrong; many servers need TokenRequest::audience or TokenRequest::scope, and some \
             say this of client authentication (Credentials::in_body, Credentials::basic_encoding)"
        )
    );
    assert_eq!(
        told(400, r#"{"error":"invalid_target"}"#),
        format!(
            "token request to auth.example.com: denied with status 400, invalid_target{SENT}; check TokenRequest::resource \
             and TokenRequest::audience"
        )
    );
}

#[test]
fn mistake_4_a_scope_that_is_not_granted() {
    assert_eq!(
        told(400, r#"{"error":"invalid_scope","error_description":"admin is not allowed for this client"}"#),
        format!(
            "token request to auth.example.com: denied with status 400, invalid_scope: \"admin is not allowed for \
             this client\"{SENT}; ask only for scopes granted to this client (TokenRequest::scope)"
        )
    );
}

#[test]
fn mistake_5_plain_http() {
    assert_eq!(
        TokenRequest::new("http://auth.example.com/token").expect_err("an error").to_string(),
        "token endpoint: plain http would show the client secret to anyone on the network path to auth.example.com; use \
         https (RFC 6749 section 3.2)"
    );
    assert_eq!(
        request().allow_origin("http://api.example.com").expect_err("an error").to_string(),
        "plain http would show the token to anyone on the network path to api.example.com; use https, or \
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
    ] {
        assert_eq!(told(status, body), expected);
    }
    assert_eq!(
        told(404, ""),
        format!(
            "token request to auth.example.com: denied with status 404{SENT}; check the URL of the token endpoint, and the \
             client id"
        )
    );
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
    use std::sync::Once;

    use client_credentials::UreqTransport;
    use client_credentials::test_util::{Behaviour, TokenServer};

    use super::*;

    /// A port of this machine that refuses connections: the system gives out none so low.
    const CLOSED: &str = "127.0.0.1:1";

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
    fn d6_a_lifetime_that_is_none_is_logged_as_a_warning() {
        listen_to_the_log();
        let script = Script::new();
        script.token("t", 0);
        let credentials = Credentials::new("client-of-d6", "hush-hush");
        let source = TokenSource::builder(credentials, request()).transport(script).build().expect("a source");
        source.token().expect("a token");
        let logged = LOGGED.lock().expect("a log");
        assert!(
            logged.iter().any(|line| line.starts_with("client-of-d6") && line.contains("lifetime of the token is 0"))
        );
    }

    /// A server that takes no chunks, and a body that is larger than the replay limit.
    #[test]
    fn a_411_to_a_body_without_a_length_is_logged_as_a_warning() {
        listen_to_the_log();
        let (script, api) = (Script::new(), TokenServer::start().expect("a server"));
        script.token("t", 3600);
        api.next(Behaviour::json(411, ""));
        let origin = format!("http://{}", api.address());
        let request = request().allow_origin(&origin).expect("an origin");
        let builder = TokenSource::builder(credentials(), request).transport(script).replay_limit(3);
        let agent = builder.build().expect("a source").agent();
        let error = agent.put(format!("{origin}/upload")).header("connection", "close").send("four").expect_err("411");
        assert!(matches!(error, ureq::Error::StatusCode(411)), "{error:?}");
        let logged = LOGGED.lock().expect("a log");
        assert!(logged.contains(&format!(
            "my-client at auth.example.com: {origin} answered 411 to a request whose body has no stated length; put a \
             Content-Length header on it, or raise TokenSourceBuilder::replay_limit, so that the body is kept in \
             memory"
        )));
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
                "token request to {host}: denied with status 302, which leads to https://login.example.com/; \
                 redirects are never followed here; use the final URL of the token endpoint"
            )
        );
    }

    /// What the first program prints about this error: its `main` returns it, and Rust prints its `Debug`.
    fn printed(error: ureq::Error) -> String {
        let error: Box<dyn std::error::Error> = error.into();
        format!("Error: {error:?}")
    }

    /// The first program, with a token endpoint on this machine.
    fn first_program(endpoint: &str, api: &str) -> String {
        let request = TokenRequest::new(endpoint).expect("a request").audience("https://api.example.com");
        let agent = TokenSource::new(credentials(), request).expect("a source").agent();
        printed(agent.get(api).call().expect_err("an error"))
    }

    const ITEMS: &str = "https://api.example.com/v1/items";

    /// The text blocks of README.md, each in one line.
    fn shown_in_the_readme(number: usize) -> String {
        let block = include_str!("../README.md").split("```text\n").nth(number).expect("a text block");
        block.split_once("\n```").expect("its end").0.replace('\n', " ")
    }

    #[test]
    fn the_first_program_prints_what_to_fix_for_a_wrong_secret() {
        let server = TokenServer::start().expect("a server");
        server.next(Behaviour::json(401, r#"{"error":"invalid_client"}"#));
        let expected = shown_in_the_readme(1).replace("auth.example.com", &server.address().to_string());
        assert_eq!(first_program(&server.url(), ITEMS), expected);
    }

    #[test]
    fn the_first_program_prints_what_to_fix_for_a_host_that_cannot_be_reached() {
        let told = first_program(&format!("http://{CLOSED}/token"), ITEMS);
        // The system's own words are last.
        let (told, cause) = told.split_once("; caused by: ").expect("a cause");
        assert_eq!(
            told,
            format!(
                "Error: Other(token request to {CLOSED}: could not connect; check the host, the network and, if you need \
                 one, the proxy (UreqTransport::with_agent)"
            )
        );
        assert!(cause.starts_with("io: ") && cause.ends_with(')'), "{cause}");
    }

    #[test]
    fn the_first_program_prints_what_to_fix_for_an_origin_that_is_not_allowed() {
        let (auth, api) = (TokenServer::start().expect("a server"), TokenServer::start().expect("a server"));
        api.next(Behaviour::json(401, ""));
        let origin = format!("http://{}", api.address());
        let expected = shown_in_the_readme(2).replace("https://api.example.net", &origin);
        assert_eq!(first_program(&auth.url(), &format!("{origin}/v1/items")), expected);
    }

    /// ureq's `Display` puts a word before it and hides its causes, so a program takes it out of ureq's.
    #[test]
    fn what_a_program_prints_that_takes_the_error_out_of_ureqs() {
        let refused = |endpoint: &str| {
            let request = TokenRequest::new(endpoint).expect("a request").audience("https://api.example.com");
            let agent = TokenSource::new(credentials(), request).expect("a source").agent();
            agent.get(ITEMS).call().expect_err("an error")
        };
        let server = TokenServer::start().expect("a server");
        server.always(Behaviour::json(404, ""));
        let text = format!(
            "token request to {}: denied with status 404{SENT}; check the URL of the token endpoint, and the client id",
            server.address()
        );
        assert_eq!(refused(&server.url()).to_string(), format!("other: {text}"));
        assert_eq!(Error::from_ureq(&refused(&server.url())).expect("an error of this crate").to_string(), text);
        let ureq::Error::Other(error) = refused(&server.url()) else { panic!("not ours") };
        assert_eq!((error.to_string(), format!("{error:?}")), (text.clone(), text));
    }

    /// A port that answers everybody with these bytes, and then closes.
    fn port_that_says(bytes: &'static [u8]) -> std::net::SocketAddr {
        use std::io::{Read as _, Write as _};
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(bytes);
        });
        address
    }

    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    #[test]
    fn https_to_a_port_without_tls_asks_whether_it_speaks_tls() {
        let host = port_that_says(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(
            error_at(&format!("https://{host}/token")),
            format!(
                "token request to {host}: TLS failed, because the answer was something else; does that port speak TLS, \
                 or does it want http?"
            )
        );
    }

    #[test]
    fn http_to_a_port_with_tls_asks_whether_it_wants_https() {
        // A fatal alert, or nothing at all.
        for bytes in [&b"\x15\x03\x01\0\x02\x02\x46"[..], b""] {
            let host = port_that_says(bytes);
            assert_eq!(
                error_at(&format!("http://{host}/token")),
                format!(
                    "token request to {host}: the connection failed before the answer was complete; does that port \
                     want https?"
                )
            );
        }
        let host = port_that_says(
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 48\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        );
        let told = error_at(&format!("http://{host}/token"));
        assert!(told.ends_with("; does that port want https?"), "{told}");
    }

    #[test]
    fn mistake_10_nobody_listens() {
        assert_eq!(
            error_at(&format!("http://{CLOSED}/token")),
            format!(
                "token request to {CLOSED}: could not connect; check the host, the network and, if you need one, the \
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
    ] {
        assert_eq!(
            told(status, body),
            format!("token request to auth.example.com: denied with status {said}{SENT}; {remedy}")
        );
    }
}

#[test]
fn d1_a_refused_secret_names_the_encodings_that_write_it_differently() {
    let body = r#"{"error":"invalid_client"}"#;
    let told = |secret: &str, encoding| {
        let text = told_to(Credentials::new("my-client", secret).basic_encoding(encoding), 401, body);
        let (what, rest) = text.split_once(" (sent: ").expect("what was sent");
        format!("{what}{}", rest.split_once("no scope)").expect("its end").1)
    };
    let refused = "token request to auth.example.com: denied with status 401, invalid_client; check the client id and \
                   secret; they hold characters that servers decode differently: try";
    let by = "(Credentials::basic_encoding)";
    for (secret, encoding, others) in [
        ("hush+hush", BasicEncoding::Minimal, "BasicEncoding::Raw, then Credentials::in_body"),
        (
            "hush+/hush==",
            BasicEncoding::Minimal,
            "BasicEncoding::Raw, then Credentials::in_body, then BasicEncoding::Rfc6749",
        ),
        ("hush/hush==", BasicEncoding::Minimal, "Credentials::in_body, then BasicEncoding::Rfc6749"),
        ("hush/hush==", BasicEncoding::Raw, "Credentials::in_body, then BasicEncoding::Rfc6749"),
        (
            "hush/hush==",
            BasicEncoding::Rfc6749,
            "BasicEncoding::Raw, then Credentials::in_body, then BasicEncoding::Minimal",
        ),
    ] {
        assert_eq!(told(secret, encoding), format!("{refused} {others} {by}"), "{secret}");
    }
    let plain = "token request to auth.example.com: denied with status 401, invalid_client; check the client id and \
                 secret, and how they are sent (Credentials::basic_encoding, Credentials::in_body)";
    assert_eq!(told("hush-hush", BasicEncoding::Minimal), plain);
    let in_body = told_to(Credentials::new("my-client", "hush/hush==").in_body(), 401, body);
    assert!(in_body.ends_with(plain.split_once("; ").expect("a remedy").1), "{in_body}");
}

/// Auth0's answer.
#[test]
fn mistake_3_no_audience_denied_by_403() {
    assert_eq!(
        told(
            403,
            r#"{"error":"access_denied","error_description":"No audience parameter was provided, and no default audience has been configured"}"#
        ),
        format!(
            "token request to auth.example.com: denied with status 403, access_denied: \"No audience parameter was \
             provided, and no default audience has been configured\"{SENT}; allow this client the API at the authorization \
             server, and name the API (TokenRequest::audience)"
        )
    );
}

/// Google's answer.
#[test]
fn mistake_9_an_assertion_signed_by_a_wrong_clock() {
    assert_eq!(
        told(400, r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token"}"#),
        format!(
            "token request to auth.example.com: denied with status 400, invalid_grant: \"Invalid JWT: Token must be a \
             short-lived token\"{SENT}; the assertion or token that was sent is wrong or expired \
             (TokenRequest::parameter); if this machine signs assertions, check its clock"
        )
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

/// A token endpoint that does not answer in the time that it is given.
fn silent(script: &Script) {
    let clock = script.clock();
    script.answer(move |_, attempt| {
        clock.advance(attempt.timeout);
        Err(TransportError::new(TransportErrorKind::Timeout, "slow"))
    });
}

fn silence(setting: &str) -> String {
    format!(
        "token request to auth.example.com: no answer in the time allowed; check the network and, if you need one, the \
         proxy (UreqTransport::with_agent), or allow more time ({setting})"
    )
}

const SHORT: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(100);

/// What the program reads if its call, or the source's own limit of 30 s, is over before an answer comes.
fn told_in_time(call: impl FnOnce(&TokenSource) -> Option<Error>) -> String {
    let script = Script::new();
    silent(&script);
    let builder = TokenSource::builder(credentials(), request()).transport(script.clone()).clock(script.clock());
    let error = call(&builder.retries(0).build().expect("a source")).expect("an error");
    assert_eq!(script.requests().len(), 1);
    error.to_string()
}

#[test]
fn a_time_out_names_the_limit_that_ended_the_token_request() {
    let get = || http::Request::get("https://api.example.com/").body(()).expect("a request");
    let own = silence("TokenSourceBuilder::timeout");
    assert_eq!(told_in_time(|source| source.token().err()), own);
    assert_eq!(told_in_time(|source| source.renew().err()), own);
    assert_eq!(told_in_time(|source| source.authorize(&mut get()).err()), own);
    assert_eq!(told_in_time(|source| source.call(&mut get()).err()), own);
    // The smaller of two limits.
    assert_eq!(told_in_time(|source| source.token_within(LONG).err()), own);
    assert_eq!(told_in_time(|source| source.prepare().within(LONG).authorize(&mut get()).err()), own);

    let told = told_in_time(|source| source.token_within(SHORT).err());
    assert_eq!(told, silence("TokenSource::token_within"));
    let told = told_in_time(|source| source.authorize_within(&mut get(), SHORT).err());
    assert_eq!(told, silence("TokenSource::authorize_within"));
    let told = told_in_time(|source| source.prepare().within(SHORT).authorize(&mut get()).err());
    assert_eq!(told, silence("PreparedCall::within"));
    let adapters = |source: &TokenSource| {
        source.prepare().within(SHORT).limited_by("timeout of the client").authorize(&mut get()).err()
    };
    assert_eq!(told_in_time(adapters), silence("timeout of the client"));
}

#[cfg(feature = "ureq")]
#[test]
fn a_time_out_names_the_limit_of_the_agent_or_of_its_call() {
    use client_credentials::CallSettings as _;
    use ureq::Agent;

    let told = |limit: Option<Duration>, call: fn(&Agent) -> Result<ureq::http::Response<ureq::Body>, ureq::Error>| {
        told_in_time(|source| {
            let agent = source.wrap(Agent::config_builder().proxy(None).timeout_global(limit).build().into());
            Error::from_ureq(&call(&agent).expect_err("an error")).cloned()
        })
    };
    const API: &str = "https://api.example.com/";
    assert_eq!(told(None, |agent| agent.get(API).call()), silence("TokenSourceBuilder::timeout"));
    assert_eq!(told(Some(LONG), |agent| agent.get(API).call()), silence("TokenSourceBuilder::timeout"));
    let of_agent = silence("timeout_global of the agent");
    assert_eq!(told(Some(SHORT), |agent| agent.get(API).call()), of_agent);
    assert_eq!(told(Some(SHORT), |agent| agent.get(API).status_as_error(true).call()), of_agent);
    assert_eq!(told(Some(SHORT), |agent| agent.get(API).config().no_delay(true).build().call()), of_agent);
    let of_call = silence("CallSettings::within");
    assert_eq!(told(None, |agent| agent.get(API).within(SHORT).call()), of_call);
    assert_eq!(told(Some(LONG), |agent| agent.get(API).status_as_error(true).within(SHORT).call()), of_call);
    assert_eq!(told(Some(SHORT), |agent| agent.get(API).within(SHORT / 2).call()), of_call);
    assert_eq!(told(None, |agent| agent.get(API).within(LONG).call()), silence("TokenSourceBuilder::timeout"));
}

/// The errors in the events of a source with an hour's token.
fn told_by_events(call: impl FnOnce(&TokenSource, &Script)) -> Vec<String> {
    let script = Script::new();
    script.token("t", 3600);
    silent(&script);
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let source = TokenSource::builder(credentials(), request())
        .transport(script.clone())
        .clock(script.clock())
        .on_event(move |event| {
            if let EventKind::RenewalFailed { error, .. } | EventKind::Refused { error: Some(error), .. } = event.kind {
                log.lock().expect("a list").push(error.to_string());
            }
        })
        .build()
        .expect("a source");
    source.token().expect("a token");
    call(&source, &script);
    drop(source);
    Arc::into_inner(told).expect("no other owner").into_inner().expect("a list")
}

/// The caller goes on with the token that it has.
#[test]
fn a_renewal_that_ran_out_of_its_share_names_the_setting_that_gives_it_all_of_the_sources_time() {
    for budget in [None, Some(LONG)] {
        let told = told_by_events(|source, script| {
            script.clock().advance(Duration::from_secs(3400));
            budget.map_or_else(|| source.token(), |budget| source.token_within(budget)).expect("the token at hand");
        });
        assert_eq!(told, [silence("TokenSourceBuilder::renew_in_background")]);
    }
}

#[test]
fn a_renewal_after_a_401_names_the_limit_of_the_call() {
    let told = told_by_events(|source, _| {
        let mut request = http::Request::get("https://api.example.com/").body(()).expect("a request");
        let refused = http::Response::builder().status(401).body(()).expect("a response");
        let mut call = source.prepare().within(SHORT).authorize(&mut request).expect("a token");
        assert!(!call.retry(&mut request, &refused));
    });
    // The next token request may start only a second after the first one.
    assert_eq!(told, [silence("PreparedCall::within")]);
}

#[test]
fn a_caller_that_has_no_time_for_the_next_token_request_is_told_so() {
    let script = Script::new();
    script.token("t", 1);
    let source = TokenSource::builder(credentials(), request()).transport(script.clone()).clock(script.clock());
    let source = source.fallback_lifetime(None).build().expect("a source");
    source.token().expect("a token");
    assert!(source.refused(&source.token().expect("a token")));
    assert_eq!(
        source.token_within(Duration::from_millis(900)).expect_err("an error").to_string(),
        "token request to auth.example.com: the next token request is not due within the caller's time; try again in \
         a second, or allow more time (TokenSource::token_within)"
    );
}

/// The waiter's time is real time, so the clock is the system's.
#[test]
fn a_caller_that_waited_for_anothers_token_request_in_vain_is_told_so() {
    let script = Script::new();
    let (asked, is_asked) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    script.answer(move |_, _| {
        asked.send(()).expect("a listener");
        may_go.recv().expect("a word");
        Ok(http::Response::new(br#"{"access_token":"t","expires_in":3600}"#.to_vec()))
    });
    let source = TokenSource::builder(credentials(), request()).transport(script).build().expect("a source");
    thread::scope(|scope| {
        scope.spawn(|| source.token().expect("a token"));
        is_asked.recv().expect("the other caller asks");
        let error = source.token_within(Duration::from_millis(50)).expect_err("an error");
        go.send(()).expect("the token endpoint waits");
        assert_eq!(
            error.to_string(),
            "token request to auth.example.com: another caller's token request or the closure for the secret took too \
             long; try again later, or allow more time (TokenSource::token_within)"
        );
    });
}

#[test]
fn a_limit_that_the_transport_names_is_told_where_a_limit_may_be_the_reason() {
    let told = |kind| {
        let script = Script::new();
        script.fail(TransportError::new(kind, "the cause").limited_by("the knob"));
        text(credentials(), &script)
    };
    assert_eq!(told(TransportErrorKind::Timeout), silence("the knob"));
    assert_eq!(
        told(TransportErrorKind::Connect),
        "token request to auth.example.com: could not connect; check the host, the network and, if you need one, the \
         proxy (UreqTransport::with_agent), or allow more time (the knob)"
    );
    for kind in [TransportErrorKind::Tls, TransportErrorKind::BodyTooLarge, TransportErrorKind::Other] {
        assert!(!told(kind).contains("the knob"));
    }
}

/// Entra's answer, as far as it matters: where more is to be read stands last.
#[test]
fn a_page_that_the_server_names_is_told() {
    assert_eq!(
        told(401, r#"{"error":"invalid_client","error_uri":"https://login.example.com/error?code=7000215\n"}"#),
        format!(
            "token request to auth.example.com: denied with status 401, invalid_client{SENT}; check the client id and \
             secret, and how they are sent (Credentials::basic_encoding, Credentials::in_body); see \
             https://login.example.com/error?code=7000215\\n"
        )
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
            format!("token request to auth.example.com: denied with status 400, {code}{SENT}; {remedy}")
        );
    }
}

/// Where there is no OAuth error, it may be anything, so all of it is asked about.
#[test]
fn a_refusal_without_an_oauth_error_asks_about_everything() {
    for (status, body, said) in [
        (401, r#"{"error":9,"result":0}"#, r#"401: "{\"error\":9,\"result\":0}""#),
        (401, "", "401"),
        (403, "", "403"),
        (400, "", "400"),
        (400, "<html>Bad Request</html>", r#"400: "<html>Bad Request</html>""#),
    ] {
        assert_eq!(
            told(status, body),
            format!(
                "token request to auth.example.com: denied with status {said}{SENT}; check the client id and secret, and how \
                 they are sent (Credentials::basic_encoding, Credentials::in_body); there is no OAuth error in the \
                 answer: check the URL of the token endpoint, the parameters and TokenRequest::scope, too"
            )
        );
    }
}

#[test]
fn a_client_that_is_not_known_may_be_answered_by_404() {
    assert_eq!(
        told(404, r#"{"error":"other_error","error_description":"no such app"}"#),
        format!(
            "token request to auth.example.com: denied with status 404, other_error: \"no such app\"{SENT}; check the URL of \
             the token endpoint, and the client id"
        )
    );
}

/// Whatever the server finds wrong with a JSON body, the text says that it was one.
#[test]
fn a_refusal_of_a_json_body_names_the_body_format() {
    let told = |status, body: &str| {
        let script = Script::new();
        script.json(status, body);
        let source = TokenSource::builder(credentials(), request().body_format(BodyFormat::Json))
            .transport(script.clone())
            .clock(script.clock())
            .retries(0)
            .build();
        source.expect("a source").token().expect_err("an error").to_string()
    };
    let sent = " (sent: HTTP Basic (BasicEncoding::Minimal), a JSON body (many servers want a form: \
                TokenRequest::body_format), audience \"https://api.example.com\", no scope)";
    for (status, body, said, remedy) in [
        (
            400,
            r#"{"error":"unsupported_grant_type"}"#,
            "400, unsupported_grant_type",
            "; check TokenRequest::grant_type",
        ),
        (400, r#"{"error":"other"}"#, "400, other", ""),
        (415, "", "415", "; the server wants another format of the body (TokenRequest::body_format)"),
        (
            400,
            r#"{"error":"invalid_client"}"#,
            "400, invalid_client",
            "; check the client id and secret, and how they are sent (Credentials::basic_encoding, \
             Credentials::in_body)",
        ),
    ] {
        assert_eq!(
            told(status, body),
            format!("token request to auth.example.com: denied with status {said}{sent}{remedy}")
        );
    }
    assert_eq!(told(500, ""), format!("token request to auth.example.com: not available, status 500{sent}"));
}

/// What was sent, for each method of client authentication.
#[test]
fn a_refusal_says_what_was_sent() {
    let body = r#"{"error":"other"}"#;
    let refused = "token request to auth.example.com: denied with status 400, other (sent: ";
    let api = "a form, audience \"https://api.example.com\"";
    for (credentials, proof) in [
        (credentials(), "HTTP Basic (BasicEncoding::Minimal)"),
        (credentials().basic_encoding(BasicEncoding::Raw), "HTTP Basic (BasicEncoding::Raw)"),
        (credentials().basic_encoding(BasicEncoding::Rfc6749), "HTTP Basic (BasicEncoding::Rfc6749)"),
        (credentials().in_body(), "the client secret in the body"),
        (Credentials::public("my-client"), "the client id alone"),
    ] {
        assert_eq!(told_to(credentials, 400, body), format!("{refused}{proof}, {api}, no scope)"));
    }
    let script = Script::new();
    script.json(400, body);
    script.json(400, body);
    let long = format!("a\u{e9}{}", "b".repeat(100));
    let scoped = request().scope("read write").and_then(|request| request.resource("urn:example:a"));
    let source = TokenSource::builder(
        credentials(),
        scoped.expect("a request").audience(long).allow_origin("https://a.example").expect("an origin"),
    )
    .transport(script.clone())
    .clock(script.clock())
    .retries(0)
    .build()
    .expect("a source");
    assert_eq!(
        source.token().expect_err("an error").to_string(),
        format!(
            "{refused}HTTP Basic (BasicEncoding::Minimal), a form, audience \"a\\xc3\\xa9{}...\", resource \
             \"urn:example:a\", scope \"read write\")",
            "b".repeat(77)
        )
    );
    let request = request().header("authorization", "Key k3y").expect("a header");
    let source = TokenSource::builder(Credentials::none(), request).transport(script.clone()).retries(0).build();
    assert_eq!(
        source.expect("a source").token().expect_err("an error").to_string(),
        format!("{refused}an Authorization header of your own, {api}, no scope)")
    );
}

#[test]
fn nobody_denied_anything_where_the_server_was_busy() {
    assert_eq!(told(503, ""), "token request to auth.example.com: not available, status 503");
    assert_eq!(
        told(400, r#"{"error":"temporarily_unavailable"}"#),
        format!("token request to auth.example.com: not available, status 400, temporarily_unavailable{SENT}")
    );
    assert_eq!(told(502, "<html>"), "token request to auth.example.com: not available, status 502: \"<html>\"");
    assert_eq!(told(429, ""), "token request to auth.example.com: denied with status 429");
}

#[test]
fn a_scope_that_is_not_granted_in_other_words() {
    assert_eq!(
        told(400, r#"{"error":"scope_invalid"}"#),
        format!(
            "token request to auth.example.com: denied with status 400, scope_invalid{SENT}; ask only for scopes granted to \
             this client (TokenRequest::scope)"
        )
    );
    assert_eq!(
        told(400, r#"{"errorCode":"invalid_scope","errorSummary":"no scope for you"}"#),
        format!(
            "token request to auth.example.com: denied with status 400, invalid_scope: \"no scope for you\"{SENT}; ask only \
             for scopes granted to this client (TokenRequest::scope)"
        )
    );
}

#[test]
fn an_empty_secret_is_named_where_it_is_refused_and_an_empty_id_before() {
    assert_eq!(
        told_to(Credentials::new("my-client", ""), 401, r#"{"error":"invalid_client"}"#),
        format!(
            "token request to auth.example.com: denied with status 401, invalid_client{SENT}; the client secret was empty; \
             check the client id and secret, and how they are sent (Credentials::basic_encoding, \
             Credentials::in_body)"
        )
    );
    for empty in [
        Credentials::new("", "hush-hush"),
        Credentials::new("", "hush-hush").in_body(),
        Credentials::with_secret_from("", || Ok("hush-hush".into())),
        Credentials::public(""),
    ] {
        let error = request().encode(&empty, &Attempt::default()).expect_err("an error").to_string();
        assert_eq!(error, "the client id is empty; check where it is read from, or use Credentials::none");
        assert!(TokenSource::builder(empty, request()).transport(Script::new()).build().is_err());
    }
}

#[test]
fn an_answer_without_a_token_names_the_members_that_are_there() {
    let but = "token request to auth.example.com: status 200, but the answer holds no access_token";
    let long = "n".repeat(50);
    for (body, named) in [
        (r#"{"tokenData":{"access_token":"s3cret-token"}}"#.to_owned(), ", only tokenData.access_token"),
        (r#"{"token":"s3cret-token"}"#.to_owned(), ", only token"),
        (r#"{"accessToken":"s3cret-token","expires_in":1}"#.to_owned(), ", only expires_in, accessToken"),
        (r#"{"status":"error","msg":"Incorrect client secret"}"#.to_owned(), ", only msg, status"),
        (r#"{"token":null,"data":{},"msg":""}"#.to_owned(), ", only data, msg"),
        ("{}".to_owned(), ""),
        (r#"{"a\r\nb":1,"hush-hush":2}"#.to_owned(), r", only a\r\nb, [redacted]"),
        (format!(r#"{{"{long}":1}}"#), ", only nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn..."),
        (r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1}"#.to_owned(), ", only a, b, c, d, e, f, g, h"),
        (
            r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1}"#.to_owned(),
            ", only a, b, c, d, e, f, g, h and 2 more",
        ),
    ] {
        let setting = "; if one of them is the token, name it with TokenRequest::token_member";
        assert_eq!(told(200, &body), format!("{but}{named}{}", if named.is_empty() { "" } else { setting }));
    }
    assert_eq!(
        told(200, r#"{"access_token":"","token_type":""}"#),
        "token request to auth.example.com: status 200, but access_token is empty"
    );
}

#[test]
fn a_form_that_may_be_a_token_as_a_whole_has_no_names() {
    for (body, named) in [("s3cret-token", None), ("s3cret-token==", None), ("msg=no&status=7", Some("msg, status"))] {
        let script = Script::new();
        script.answer(move |_, _| {
            let answer = http::Response::builder().header("content-type", "application/x-www-form-urlencoded");
            Ok(answer.body(body.into()).expect("a response"))
        });
        let told = text(credentials(), &script);
        assert!(told.contains("the answer holds no access_token") && !told.contains("s3cret-token"), "{told}");
        assert_eq!(told.split_once(", only ").and_then(|(_, rest)| rest.split(';').next()), named);
    }
}

#[test]
fn a_compressed_answer_is_named() {
    for status in [200, 400] {
        let script = Script::new();
        script.answer(move |_, _| {
            let answer = http::Response::builder().status(status).header("content-encoding", "gzip");
            Ok(answer.body(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae".to_vec()).expect("a response"))
        });
        let told = text(credentials(), &script);
        let compressed = "the answer is compressed, which was not asked for; let the transport decompress it (ureq's \
                          feature \"gzip\")";
        if status == 200 {
            assert_eq!(told, format!("token request to auth.example.com: status 200, but {compressed}"));
        } else {
            assert!(told.contains(compressed), "{told}");
        }
    }
}

#[test]
fn an_unreadable_answer_is_compressed_if_its_first_bytes_or_its_coding_say_so() {
    for (coding, body, is_compressed) in [
        (None, &b"\x1f\x8b\x08\0"[..], true),
        (None, b"\x28\xb5\x2f\xfd\x04", true),
        (None, b"\xff", false),
        (Some("br"), b"\x8b\x01\xff", true),
        (Some("br"), b"not found", false),
        (Some("Identity"), b"\xff", false),
        (Some(" "), b"\xff", false),
    ] {
        let script = Script::new();
        script.answer(move |_, _| {
            let mut answer = http::Response::new(body.to_vec());
            let coding = coding.map(http::HeaderValue::from_static);
            answer.headers_mut().extend(coding.map(|coding| (http::header::CONTENT_ENCODING, coding)));
            Ok(answer)
        });
        let told = text(credentials(), &script);
        assert_eq!(told.contains("the answer is compressed"), is_compressed, "{coding:?} {body:?}: {told}");
    }
}

#[test]
fn a_redirect_says_where_it_leads_without_its_query() {
    let script = Script::new();
    script.answer(|_, _| {
        let to = "/token/?client_secret=hush-hush";
        Ok(http::Response::builder().status(301).header("location", to).body(Vec::new()).expect("a response"))
    });
    assert_eq!(
        text(credentials(), &script),
        "token request to auth.example.com: denied with status 301, which leads to \
         https://auth.example.com/token/; redirects are never followed here; use the final URL of the token endpoint"
    );
}

#[test]
fn a_url_that_is_none_is_shown_without_what_may_be_secret() {
    for (url, told) in [
        ("auth.example.com/token", r#""auth.example.com/token" has no scheme; it must begin with https://"#),
        ("", r#""" is empty; it must be a URL that begins with https://"#),
        (" ", r#"" " is empty; it must be a URL that begins with https://"#),
        (
            "https://auth.example.com/token\n",
            r#""https://auth.example.com/token\n" holds a line break; trim the file or variable that it comes from"#,
        ),
        ("https://auth.example.com/a b", r#""https://auth.example.com/a b" holds a space or a control character"#),
        ("https://[auth/token?key=hush-hush", r#""https://[auth/token" is not a URL"#),
        (
            "https://auth.example.com:port/token?key=hush-hush",
            r#""https://auth.example.com:port/token" is not an http(s) URL with a host, without user info, with a port from 0 to 65535"#,
        ),
        (
            "ftp://auth.example.com/token",
            r#""ftp://auth.example.com/token" is not an http(s) URL with a host, without user info, with a port from 0 to 65535"#,
        ),
        (
            "https://user:hush-hush@auth.example.com/token",
            "the URL (not shown, because it may hold a password) is not an http(s) URL with a host, without user info, \
             with a port from 0 to 65535",
        ),
        (
            "user:hush-hush@auth.example.com",
            "the URL (not shown, because it may hold a password) has no scheme; it must begin with https://",
        ),
    ] {
        let error = TokenRequest::new(url).expect_err(url).to_string();
        assert_eq!(error, format!("token endpoint: {told}"));
        let error = request().allow_origin(url).expect_err(url).to_string();
        assert_eq!(error, format!("TokenRequest::allow_origin: {told}"));
    }
    assert_eq!(
        TokenRequest::new("https://auth.example.com/token#a").expect_err("an error").to_string(),
        "token endpoint: \"https://auth.example.com/token\" has a fragment, which is not allowed (RFC 6749 section 3.2)"
    );
}

#[test]
fn a_client_assertion_given_as_a_parameter_names_the_methods() {
    for name in ["client_assertion", "client_assertion_type"] {
        assert_eq!(
            request().parameter(name, "x").expect_err("an error").to_string(),
            format!(
                "parameter \"{name}\": for client authentication by an assertion (RFC 7523 section 2.2) use \
                 Credentials::with_key, or Credentials::with_assertion_from"
            )
        );
    }
}

#[test]
fn a_script_without_answers_says_so_first() {
    assert_eq!(
        text(credentials(), &Script::new()),
        "token request to auth.example.com: the script has no answer left; add one for each token request \
         (test_util::Script::token)"
    );
}

/// Both sides of a port that speaks something else, and a client certificate that is missing.
#[test]
fn a_port_that_speaks_something_else_is_asked_about() {
    let told = |endpoint: &str, kind, cause: &str| {
        let script = Script::new();
        script.fail(TransportError::new(kind, cause));
        let request = TokenRequest::new(endpoint).expect("a request").audience("https://api.example.com");
        let source = TokenSource::builder(credentials(), request).transport(script).retries(0).build();
        source.expect("a source").token().expect_err("an error").to_string()
    };
    let (https, http) = ("https://auth.example.com/token", "http://localhost/token");
    assert_eq!(
        told(https, TransportErrorKind::Tls, "received corrupt message of type InvalidContentType"),
        "token request to auth.example.com: TLS failed, because the answer was something else; does that port speak \
         TLS, or does it want http?"
    );
    assert_eq!(
        told(https, TransportErrorKind::Tls, "received fatal alert: CertificateRequired"),
        "token request to auth.example.com: TLS failed, because the server refused; does it want a client certificate \
         (UreqTransport::with_agent)?"
    );
    assert_eq!(
        told(https, TransportErrorKind::Other, "Broken pipe"),
        "token request to auth.example.com: the connection failed before the answer was complete; does the server \
         want a client certificate (UreqTransport::with_agent)?"
    );
    assert_eq!(
        told(http, TransportErrorKind::Other, "invalid HTTP version"),
        "token request to localhost: the connection failed before the answer was complete; does that port want https?"
    );
}

/// `Error: NotPresent` does not say which variable is missing.
#[test]
fn programs_on_our_pages_name_the_variable_that_is_missing() {
    let pages = [include_str!("../README.md"), include_str!("../src/lib.rs"), include_str!("../docs/how-do-i.md")];
    for line in pages.iter().flat_map(|page| page.lines()).filter(|line| line.contains("env::var(")) {
        assert!(line.contains("map_err"), "{line}");
    }
}

#[test]
fn a_parameter_that_has_a_method_names_the_method() {
    for (name, method) in [
        ("resource", "TokenRequest::resource, or TokenRequest::resource_by_name for a name"),
        ("audience", "TokenRequest::audience, and TokenRequest::add_audience for a further one"),
        ("scope", "TokenRequest::scope"),
        ("grant_type", "TokenRequest::grant_type"),
        ("client_id", "the constructors of Credentials"),
        ("client_secret", "the constructors of Credentials"),
    ] {
        let error = request().parameter(name, "x").expect_err("an error").to_string();
        assert_eq!(error, format!("parameter \"{name}\": use {method}"));
    }
    assert_eq!(
        request().resource("2ff814a6-3304").expect_err("an error").to_string(),
        "resource: \"2ff814a6-3304\" is not an absolute URI without a fragment (RFC 8707 section 2); if the server \
         wants a name, use TokenRequest::resource_by_name"
    );
    assert_eq!(
        request().grant_type("password").expect_err("an error").to_string(),
        "grant_type: password must not be used any more (RFC 9700 section 2.4); if the server offers nothing else, see \
         TokenRequest::dangerously_password_grant"
    );
}
