//! The crate against a certified authorization server (the npm package `oidc-provider`) and an API that it protects:
//! both in `tests/interop/server.mjs`, over real sockets and in real time. `tests/interop/run.sh` installs what is
//! needed and runs these tests. Each test has a client or a query of its own, so that they may run side by side.
#![allow(clippy::disallowed_methods, reason = "these tests are about real time")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use client_credentials::{
    BasicEncoding, Credentials, Denied, Error, TokenRequest, TokenSource, TransportErrorKind, UreqTransport,
};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

const ITEMS: &str = "https://api.example/items";
const READ_ONLY: &str = "https://api.example/read-only";
const ONE_SECOND: &str = "https://api.example/one-second";
/// The provider counts whole seconds, so its tokens of one second die up to a second early. For this
/// resource it shows no tolerance.
const ONE_SECOND_AT_MOST: &str = "https://api.example/one-second-at-most";

#[test]
fn a_token_by_basic_opens_the_api() {
    let answer = get(&source("basic").agent(), "/items");
    assert_eq!((text(&answer, "client_id"), text(&answer, "resource")), ("basic", ITEMS));
}

#[test]
fn a_token_by_post_opens_the_api() {
    let source = TokenSource::new(credentials("post").in_body(), request(ITEMS)).expect("a good source");
    let answer = get(&source.agent(), "/items");
    assert_eq!((text(&answer, "client_id"), text(&answer, "resource")), ("post", ITEMS));
}

#[test]
fn a_hundred_calls_share_one_token_request() {
    let agent = source("caching").agent();
    for _ in 0..100 {
        get(&agent, "/items?caching");
    }
    assert_eq!(token_requests("caching"), 1);
    assert_eq!(answers("GET /items?caching"), json!({ "200": 100 }));
}

#[test]
fn tokens_of_one_second_expire_under_steady_calls_and_no_call_fails() {
    const LONG_ENOUGH: Duration = Duration::from_secs(4);

    let begin = Instant::now();
    let source = TokenSource::new(credentials("expiry"), request(ONE_SECOND)).expect("a good source");
    let first = source.token().expect("a token");
    assert_eq!(first.expires_in(), Some(Duration::from_secs(1)));
    let agent = source.agent();
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while begin.elapsed() < LONG_ENOUGH {
                    get(&agent, "/items?expiry");
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    // About one a second; two never start within the same second.
    let seconds = begin.elapsed().as_secs();
    let requests = token_requests("expiry");
    assert!((3..=seconds + 1).contains(&requests), "{requests} token requests in {seconds} s");

    // It was no idle worry: the first token is not accepted any more.
    let refused = bare().get(api("/items?expired")).header("authorization", first.header_value()).call();
    assert!(matches!(refused, Err(ureq::Error::StatusCode(401))), "{refused:?}");
}

#[test]
fn d34_tokens_that_die_before_their_second_is_over_fail_none_of_48_calls() {
    let source = TokenSource::new(credentials("expiry-at-most"), request(ONE_SECOND_AT_MOST)).expect("a good source");
    let agent = source.agent();
    // Tokens die when a second of the wall clock ends. From here, each has more than half of one left.
    let of_a_second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").subsec_millis();
    thread::sleep(Duration::from_millis(u64::from(1300 - of_a_second)));
    let begin = Instant::now();
    for call in 0..48 {
        thread::sleep((Duration::from_millis(250) * call).saturating_sub(begin.elapsed()));
        get(&agent, "/items?expiry-at-most");
    }
    let seconds = begin.elapsed().as_secs();

    let answers = answers("GET /items?expiry-at-most");
    assert_eq!(answers["200"], 48, "{answers}");
    assert!(answers["401"].as_u64() >= Some(4), "tokens were in use until they died: {answers}");
    let requests = token_requests("expiry-at-most");
    assert!(requests <= seconds + 1, "{requests} token requests in {seconds} s");
}

#[test]
fn a_get_with_a_revoked_token_is_replayed_with_a_new_one() {
    let source = source("revoked-get");
    let agent = source.agent();
    let before = get(&agent, "/items?revoked");
    revoke(&source, "revoked-get");

    let after = get(&agent, "/items?revoked");
    assert_ne!(text(&after, "token_sha256"), text(&before, "token_sha256"));
    assert_eq!(token_requests("revoked-get"), 2);
    assert_eq!(answers("GET /items?revoked"), json!({ "200": 2, "401": 1 }));
}

#[test]
fn d34_a_second_revocation_within_ten_seconds_is_survived_like_the_first() {
    let source = source("revoked-twice");
    let agent = source.agent();
    let mut tokens = vec![text(&get(&agent, "/items?revoked-twice"), "token_sha256").to_owned()];
    for _ in 0..2 {
        revoke(&source, "revoked-twice");
        tokens.push(text(&get(&agent, "/items?revoked-twice"), "token_sha256").to_owned());
    }
    tokens.dedup();
    assert_eq!((tokens.len(), token_requests("revoked-twice")), (3, 3));
    assert_eq!(answers("GET /items?revoked-twice"), json!({ "200": 3, "401": 2 }));
}

#[test]
fn both_attempts_with_a_revoked_token_use_one_connection() {
    let source = source("revoked-at-first");
    revoke(&source, "revoked-at-first");
    get(&source.agent(), "/items?revoked-at-first");
    assert_eq!(answers("GET /items?revoked-at-first"), json!({ "200": 1, "401": 1 }));
    assert_same_connection("GET /items?revoked-at-first");
}

#[test]
fn a_post_with_a_revoked_token_is_replayed_with_its_whole_body() {
    // A million times the letter a: a test message that comes with the SHA-2 standard, and almost the replay limit.
    const SHA256: &str = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

    let source = source("revoked-post");
    source.token().expect("a token");
    revoke(&source, "revoked-post");

    let body = "a".repeat(1_000_000);
    let answer = read(source.agent().post(api("/items?revoked")).send(&body).expect("an answer of the API"));
    assert_eq!((&answer["body_length"], text(&answer, "body_sha256")), (&json!(1_000_000), SHA256));
    assert_eq!(token_requests("revoked-post"), 2);
    assert_eq!(answers("POST /items?revoked"), json!({ "200": 1, "401": 1 }));
}

#[test]
fn ids_and_secrets_with_special_characters_arrive_however_they_are_sent() {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let clients = || server().clients.iter().filter(|(id, secret)| !plain(id) || !plain(secret));
    assert_eq!(clients().count(), 11);
    for (id, secret) in clients() {
        let credentials = Credentials::new(id, secret.as_str());
        for credentials in [
            credentials.clone(),
            credentials.clone().basic_encoding(BasicEncoding::Rfc6749),
            credentials.clone().in_body(),
        ] {
            let source = TokenSource::new(credentials, request(ITEMS)).expect("a good source");
            assert_eq!(text(&get(&source.agent(), "/items"), "client_id"), id, "{source:?}");
        }
    }
}

#[test]
fn a_secret_that_is_sent_raw_is_not_what_this_server_reads() {
    let raw = credentials("id+plus").basic_encoding(BasicEncoding::Raw);
    let source = TokenSource::new(raw, request(ITEMS)).expect("a good source");
    assert!(matches!(source.token(), Err(Error::Denied(_))));
}

#[test]
fn a_wrong_secret_is_invalid_client_and_the_api_is_not_asked() {
    let wrong = Credentials::new("wrong-secret", "guessed");
    let agent = TokenSource::new(wrong, request(ITEMS)).expect("a good source").agent();
    for _ in 0..2 {
        let error = agent.get(api("/items?wrong-secret")).call().expect_err("the secret is wrong");
        let denied = denied(&error);
        assert_eq!((denied.status(), denied.code()), (401, Some("invalid_client")), "{denied}");
        assert!(denied.description().is_some());
    }
    assert_eq!(token_requests("wrong-secret"), 1);
    assert_eq!(answers("GET /items?wrong-secret"), Value::Null);
}

#[test]
fn a_scope_that_the_server_does_not_know_is_invalid_scope() {
    let request = request(ITEMS).scope("read fly").expect("a good scope");
    let source = TokenSource::new(credentials("basic"), request).expect("a good source");
    let error = source.agent().get(api("/items")).call().expect_err("there is no such scope");
    let denied = denied(&error);
    assert_eq!((denied.status(), denied.code()), (400, Some("invalid_scope")), "{denied}");
}

#[test]
fn a_resource_that_the_server_does_not_know_is_invalid_target() {
    let request = request("https://api.example/unknown");
    let source = TokenSource::new(credentials("basic"), request).expect("a good source");
    let error = source.agent().get(api("/items")).call().expect_err("there is no such resource");
    let denied = denied(&error);
    assert_eq!((denied.status(), denied.code()), (400, Some("invalid_target")), "{denied}");
}

#[test]
fn the_scope_of_a_token_is_what_was_granted() {
    let request = request(READ_ONLY).scope("read write").expect("a good scope");
    let source = TokenSource::new(credentials("basic"), request).expect("a good source");
    assert_eq!(source.token().expect("a token").scope(), Some("read"));
    assert_eq!(text(&get(&source.agent(), "/items"), "scope"), "read");
}

#[test]
fn a_403_reaches_the_program_and_the_token_stays() {
    let agent = source("admin").agent();
    let before = get(&agent, "/items");
    let forbidden = agent.get(api("/admin?forbidden")).config().http_status_as_error(false).build().call();
    let forbidden = forbidden.expect("an answer of the API");
    assert_eq!(forbidden.status(), 403);
    let challenge = forbidden.headers()["www-authenticate"].to_str().expect("ASCII");
    assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");

    let after = get(&agent, "/items");
    assert_eq!(text(&after, "token_sha256"), text(&before, "token_sha256"));
    assert_eq!(token_requests("admin"), 1);
    assert_eq!(answers("GET /admin?forbidden"), json!({ "403": 1 }));
}

#[test]
fn further_members_of_the_answer_are_readable() {
    let token = source("basic").token().expect("a token");
    assert_eq!(token.expires_in(), Some(Duration::from_secs(300)));
    assert_eq!(token.member("issuer").and_then(Value::as_str), Some(server().issuer.as_str()));
}

#[test]
fn over_tls_with_a_private_authority_a_revoked_token_is_replaced_and_the_body_sent_again() {
    let trusting = || Agent::config_builder().proxy(None).tls_config(server().tls.trust());
    let transport = UreqTransport::with_agent(trusting().build().into());
    let source = TokenSource::builder(credentials("tls"), server().tls.request()).transport(transport).build();
    let source = source.expect("a good source");
    let agent = source.wrap(trusting().build().into());
    let post = || read(agent.post(server().tls.api("/items?tls")).send("over TLS").expect("an answer of the API"));

    let before = post();
    revoke(&source, "tls");
    let after = post();
    assert_ne!(text(&after, "token_sha256"), text(&before, "token_sha256"));
    assert_eq!((&after["body_length"], text(&after, "client_id")), (&json!(8), "tls"));
    assert_eq!(token_requests("tls"), 2);
    assert_eq!(answers("POST /items?tls"), json!({ "200": 2, "401": 1 }));
}

#[test]
fn over_tls_a_refused_token_costs_one_handshake() {
    let trusting = || Agent::config_builder().tls_config(server().tls.trust());
    let transport = UreqTransport::with_agent(trusting().build().into());
    let source = TokenSource::builder(credentials("tls-at-first"), server().tls.request()).transport(transport).build();
    let source = source.expect("a good source");
    revoke(&source, "tls-at-first");
    let agent = source.wrap(trusting().build().into());
    read(agent.get(server().tls.api("/items?tls-at-first")).call().expect("an answer of the API"));
    assert_eq!(answers("GET /items?tls-at-first"), json!({ "200": 1, "401": 1 }));
    assert_same_connection("GET /items?tls-at-first");
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_before_the_secret_is_sent() {
    let source = TokenSource::new(credentials("tls-unknown"), server().tls.request()).expect("a good source");
    let error = source.agent().get(server().tls.api("/items?tls-unknown")).call().expect_err("nobody is trusted");
    let Some(Error::Transport(failure)) = Error::from_ureq(&error) else { panic!("{error}") };
    assert_eq!(failure.kind(), TransportErrorKind::Tls, "{failure}");
    assert!(failure.to_string().contains("private CA"), "{failure}");
    assert_eq!((source.inspect().fetches, token_requests("tls-unknown")), (1, 0));
}

fn credentials(id: &str) -> Credentials {
    Credentials::new(id, secret(id))
}

fn secret(id: &str) -> &'static str {
    let (_, secret) = server().clients.iter().find(|(known, _)| known == id).expect("a client of the server");
    secret
}

fn request(resource: &str) -> TokenRequest {
    let request = TokenRequest::new(&server().token_endpoint).expect("a good token endpoint");
    request.resource(resource).expect("a good resource").allow_origin(&server().api).expect("a good origin")
}

fn source(id: &str) -> TokenSource {
    TokenSource::new(credentials(id), request(ITEMS)).expect("a good source")
}

fn api(path: &str) -> String {
    format!("{}{path}", server().api)
}

fn get(agent: &Agent, path: &str) -> Value {
    read(agent.get(api(path)).call().unwrap_or_else(|error| panic!("GET {path}: {error}")))
}

fn read(answer: ureq::http::Response<ureq::Body>) -> Value {
    serde_json::from_reader(answer.into_body().into_reader()).expect("JSON")
}

fn text<'a>(answer: &'a Value, member: &str) -> &'a str {
    answer[member].as_str().unwrap_or_else(|| panic!("no text {member:?} in {answer}"))
}

/// The program's side of a token request that was refused.
fn denied(error: &ureq::Error) -> &Denied {
    match error {
        ureq::Error::Other(cause) => match cause.downcast_ref() {
            Some(Error::Denied(denied)) => denied,
            _ => panic!("not a refusal: {cause}"),
        },
        _ => panic!("not an error of the source: {error}"),
    }
}

/// Takes the token of this source back at the server, behind the source's back (RFC 7009).
fn revoke(source: &TokenSource, id: &str) {
    let token = source.token().expect("a token");
    let form = [("token", token.secret()), ("client_id", id), ("client_secret", secret(id))];
    ureq::post(&server().revocation_endpoint).send_form(form).expect("revoked");
}

/// How many token requests of this client the server has counted.
fn token_requests(id: &str) -> u64 {
    stats()["token_requests"][id].as_u64().unwrap_or_default()
}

/// An agent without a token, and without the proxy that the environment may name.
fn bare() -> Agent {
    Agent::config_builder().proxy(None).build().into()
}

/// How often the API has answered this request line with which status.
fn answers(line: &str) -> Value {
    stats()["api"][line].take()
}

/// Both requests with this request line came on one connection, which over TLS means one handshake.
fn assert_same_connection(line: &str) {
    let stats = stats();
    let connections: Vec<_> = stats["connections"][line].as_array().expect("connections").iter().collect();
    assert!(matches!(connections[..], [first, second] if first == second), "{connections:?}");
}

fn stats() -> Value {
    read(bare().get(api("/stats")).call().expect("an answer of the API"))
}

/// The authorization server and the API: one process for all tests.
struct Server {
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: String,
    api: String,
    tls: Tls,
    clients: Vec<(String, String)>,
    /// Holds the server's standard input open. Nobody drops a static: when this process ends, in whatever way, the
    /// system closes the pipe, and that ends the server.
    _process: Child,
}

/// The same token endpoint and API over TLS.
struct Tls {
    /// The certificate of the authority, which nobody else trusts (PEM).
    authority: String,
    token_endpoint: String,
    api: String,
}

impl Tls {
    fn trust(&self) -> TlsConfig {
        let authority = Certificate::from_pem(self.authority.as_bytes()).expect("a certificate");
        TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[authority])).build()
    }

    fn request(&self) -> TokenRequest {
        let request = TokenRequest::new(&self.token_endpoint).expect("a good token endpoint");
        request.resource(ITEMS).expect("a good resource").allow_origin(&self.api).expect("a good origin")
    }

    fn api(&self, path: &str) -> String {
        format!("{}{path}", self.api)
    }
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

impl Server {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop");
        assert!(
            folder.join("node_modules/oidc-provider").is_dir(),
            "the authorization server is not installed: run `tests/interop/run.sh`, or `npm ci` in tests/interop once"
        );
        let mut process = Command::new(folder.join("run-node.sh"))
            .arg("server.mjs")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/interop/run-node.sh can be run");
        let stdout = process.stdout.take().expect("a pipe");
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(stdout).read_line(&mut line).map(|_| line);
            tell.send(read)
        });
        let ready = told.recv_timeout(Duration::from_secs(60)).expect("the server is ready within a minute");
        let ready = ready.expect("a line of text from the server");
        let ready: Value = serde_json::from_str(&ready).expect("JSON; above is what the server has to say");
        let member = |name| text(&ready, name).to_owned();
        let clients = ready["clients"].as_array().expect("clients").iter();
        Self {
            issuer: member("issuer"),
            token_endpoint: member("token_endpoint"),
            revocation_endpoint: member("revocation_endpoint"),
            api: member("api"),
            tls: Tls {
                authority: text(&ready["tls"], "authority").to_owned(),
                token_endpoint: text(&ready["tls"], "token_endpoint").to_owned(),
                api: text(&ready["tls"], "api").to_owned(),
            },
            clients: clients.map(|client| (text(client, "id").to_owned(), text(client, "secret").to_owned())).collect(),
            _process: process,
        }
    }
}
