//! The crate against a certified authorization server (the npm package `oidc-provider`) and an API that it protects:
//! both in `tests/interop/server.mjs`, over real sockets and in real time. `tests/interop/run.sh` installs what is
//! needed and runs these tests. Each test has a client or a query of its own, so that they may run side by side.
#![allow(clippy::disallowed_methods, reason = "these tests are about real time")]

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client_credentials::{
    AccessToken, Algorithm, Assertion, Attempt, BasicEncoding, Clock, Credentials, Denied, Error, EventKind, Moment,
    Secret, SigningKey, SystemClock, TokenRequest, TokenSource, TokenSourceBuilder, Transport, TransportError,
    TransportErrorKind, UreqTransport,
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
    let trusting = || Agent::config_builder().proxy(None).tls_config(server().tls.trust());
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

#[test]
fn a_token_by_rs256_opens_the_api() {
    assert_signs("rs256", "RS256");
}

#[test]
fn a_token_by_ps256_opens_the_api() {
    let key = key("ps256").algorithm(Algorithm::Ps256).expect("an algorithm of RSA keys");
    assert_opens("ps256", &Credentials::with_key("ps256", key));
    // The server takes no other algorithm of this key.
    let other = source_of(Credentials::with_key("ps256", self::key("ps256")));
    assert_invalid_client(other.token(), "RS256");
}

#[test]
fn a_token_by_es256_opens_the_api() {
    assert_signs("es256", "ES256");
}

#[test]
fn a_token_by_es384_opens_the_api() {
    assert_signs("es384", "ES384");
}

#[test]
fn a_token_by_eddsa_opens_the_api() {
    assert_signs("eddsa", "EdDSA");
}

#[test]
fn the_server_verifies_every_algorithm_of_an_rsa_key() {
    use Algorithm::{Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    for algorithm in [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512] {
        let key = key("rsa").algorithm(algorithm).expect("an algorithm of RSA keys");
        assert_opens("rsa", &Credentials::with_key("rsa", key));
    }
}

#[test]
fn a_token_by_client_secret_jwt_opens_the_api() {
    assert_opens("hs256", &credentials("hs256").in_assertion());
}

#[test]
fn a_wrong_secret_in_client_secret_jwt_is_invalid_client() {
    let wrong = Credentials::new("hs256-wrong", "a guess of at least thirty-two bytes").in_assertion();
    let error = assert_invalid_client(source_of(wrong).token(), "HS256");
    assert!(error.contains("check the client id and secret"), "{error}");
}

#[test]
fn the_public_jwk_of_a_generated_key_is_what_the_server_needs() {
    assert_opens("by-jwk", &Credentials::with_key("by-jwk", server().generated.clone()));
}

#[test]
fn the_key_id_selects_the_key_at_the_server() {
    let (new, old) = (key("key-ids"), key("es384"));
    for key in [new.clone().key_id("new"), old.key_id("old")] {
        assert_opens("key-ids", &Credentials::with_key("key-ids", key));
    }
    let misnamed = source_of(Credentials::with_key("key-ids", new.key_id("old")));
    assert_invalid_client(misnamed.token(), "with this key id");
}

#[test]
fn a_wrong_key_is_invalid_client() {
    let wrong = SigningKey::generate().expect("a key");
    let error = assert_invalid_client(source_of(Credentials::with_key("wrong-key", wrong)).token(), "ES256");
    assert!(error.contains("SigningKey::public_jwk"), "{error}");
    assert_eq!(token_requests("wrong-key"), 1);
}

#[test]
fn a_rotated_key_is_used_in_the_same_fetch_that_the_old_one_failed() {
    let keys = Mutex::new(vec![key("rotated"), SigningKey::generate().expect("a key")]);
    let credentials = Credentials::with_key_from("rotated", move || {
        Ok(keys.lock().expect("a list").pop().expect("the key is read twice at most"))
    });
    source_of(credentials).token().expect("a token");
    assert_eq!(token_requests("rotated"), 2);
}

#[test]
fn the_issuer_and_the_token_endpoint_are_both_accepted_as_audience() {
    let by_key = || Credentials::with_key("audiences", key("audiences"));
    // The default is the token endpoint.
    for request in [request(ITEMS), request(ITEMS).issuer(&server().issuer)] {
        TokenSource::new(by_key(), request).expect("a good source").token().expect("a token");
    }
    for audience in [&server().issuer, &server().token_endpoint] {
        let assertion = Assertion::new(key("audiences")).audience(audience);
        source_of(Credentials::with_assertion("audiences", assertion)).token().expect("a token");
    }
}

#[test]
fn the_audience_of_another_server_is_invalid_client() {
    let assertion = Assertion::new(key("wrong-audience")).audience("https://other.example");
    let source = source_of(Credentials::with_assertion("wrong-audience", assertion));
    let error = assert_invalid_client(source.token(), r#"ES256 for "https://other.example""#);
    assert!(error.contains("Assertion::audience"), "{error}");
    assert_eq!(token_requests("wrong-audience"), 1);
}

#[test]
fn an_assertion_is_accepted_once() {
    let assertion = assertion_of("replayed", SystemClock);
    let read = Arc::new(Mutex::new(0));
    let reads = Arc::clone(&read);
    let source = source_of(Credentials::with_assertion_from("replayed", move || {
        *reads.lock().expect("a number") += 1;
        Ok(assertion.clone())
    }));
    source.token().expect("the first use");
    let error = source.renew().expect_err("the second use").to_string();
    assert!(error.contains("invalid_client") && error.contains("check the client id, and the issuer"), "{error}");
    // It was read once more after the refusal, and not sent again, because it was the same.
    assert_eq!((token_requests("replayed"), *read.lock().expect("a number")), (2, 3));
}

#[test]
fn each_renewal_sends_a_new_jti() {
    let sent = Sent::default();
    let credentials = Credentials::with_key("renewed", key("renewed"));
    let source = TokenSource::builder(credentials, request(ITEMS)).transport(sent.transport(0)).build();
    let source = source.expect("a good source");
    let tokens = [source.token(), source.renew(), source.renew()].map(|token| token.expect("a token"));
    assert!(tokens[0].secret() != tokens[1].secret() && tokens[1].secret() != tokens[2].secret());
    assert_eq!((token_requests("renewed"), sent.different_jtis()), (3, 3));
}

#[test]
fn a_retry_after_a_lost_answer_sends_a_new_jti() {
    let sent = Sent::default();
    let credentials = Credentials::with_key("lost-answer", key("lost-answer"));
    let source = TokenSource::builder(credentials, request(ITEMS)).transport(sent.transport(1)).build();
    source.expect("a good source").token().expect("a token");
    // The server has accepted both.
    assert_eq!((token_requests("lost-answer"), sent.different_jtis()), (2, 2));
}

#[test]
fn a_clock_five_minutes_behind_costs_one_more_token_request() {
    let corrections = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&corrections);
    let credentials = Credentials::with_key("clock-behind", key("clock-behind"));
    let source = TokenSource::builder(credentials, request(ITEMS)).clock(Behind(300)).retries(0);
    let source = source.on_event(move |event| {
        if let EventKind::ClockCorrected { offset, .. } = event.kind {
            seen.lock().expect("a list").push(offset);
        }
    });
    let source = source.build().expect("a good source");
    assert_eq!(text(&get(&source.agent(), "/items"), "client_id"), "clock-behind");
    assert_eq!(token_requests("clock-behind"), 2);
    // From then on, the time of the server is known.
    source.renew().expect("another token");
    assert_eq!(token_requests("clock-behind"), 3);
    let corrections = corrections.lock().expect("a list");
    assert!(matches!(corrections[..], [299..=301]), "{corrections:?}");
}

#[test]
fn a_clock_five_minutes_ahead_costs_nothing() {
    let credentials = Credentials::with_key("clock-ahead", key("clock-ahead"));
    let source = TokenSource::builder(credentials, request(ITEMS)).clock(Behind(-300)).build();
    source.expect("a good source").token().expect("a token");
    assert_eq!(token_requests("clock-ahead"), 1);
}

#[test]
fn an_expired_assertion_of_a_file_is_refused_and_the_error_says_when_it_expired() {
    let expired = assertion_of("expired-assertion", Behind(300));
    let credentials = Credentials::with_assertion_from("expired-assertion", move || Ok(expired.clone()));
    let error = assert_invalid_client(source_of(credentials).token(), "expired 4 min ago");
    assert!(error.contains("does something still write it?"), "{error}");
    assert_eq!(token_requests("expired-assertion"), 1);
}

#[test]
fn a_token_by_tls_client_auth_opens_the_api() {
    let tls = &server().tls;
    let answer = tls.get(&tls.source("mtls", Some(&tls.known)));
    assert_eq!((text(&answer, "client_id"), &answer["bound_to"]), ("mtls", &Value::Null));
}

#[test]
fn a_token_by_self_signed_tls_client_auth_opens_the_api() {
    let tls = &server().tls;
    let answer = tls.get(&tls.source("mtls-self-signed", Some(&tls.self_signed)));
    assert_eq!(text(&answer, "client_id"), "mtls-self-signed");
}

#[test]
fn without_a_certificate_or_with_one_of_another_authority_tls_client_auth_is_invalid_client() {
    let tls = &server().tls;
    for shown in [None, Some(&tls.self_signed)] {
        assert_invalid_client(tls.source("mtls-refused", shown).token(), "UreqTransport::with_client_certificate");
    }
    assert_eq!(token_requests("mtls-refused"), 2);
}

#[test]
fn a_token_that_is_bound_to_a_certificate_opens_the_api_with_that_certificate_only() {
    let tls = &server().tls;
    let source = tls.source("mtls-bound", Some(&tls.known));
    let answer = source.wrap(tls.agent(Some(&tls.known))).get(tls.api("/items?bound")).call();
    let answer = read(answer.expect("an answer of the API"));
    assert_eq!((text(&answer, "client_id"), answer["bound_to"].is_string()), ("mtls-bound", true));

    for shown in [None, Some(&tls.self_signed)] {
        let refused = source.wrap(tls.agent(shown)).get(tls.api("/items?bound-elsewhere")).call();
        assert!(matches!(refused, Err(ureq::Error::StatusCode(401))), "{refused:?}");
    }
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
    source_of(credentials(id))
}

fn source_of(credentials: Credentials) -> TokenSource {
    TokenSource::new(credentials, request(ITEMS)).expect("a good source")
}

/// The private key of this client, whose public key the server has.
fn key(id: &str) -> SigningKey {
    SigningKey::from_pem(&server().keys[id]).expect("a private key of the server")
}

/// The key of this client signs with this algorithm by default.
fn assert_signs(id: &str, algorithm: &str) {
    let key = key(id);
    assert!(format!("{key:?}").contains(algorithm), "{key:?}");
    assert_opens(id, &Credentials::with_key(id, key));
}

/// A token for these credentials, and another one, open the API.
fn assert_opens(id: &str, credentials: &Credentials) {
    let source = source_of(credentials.clone());
    for _ in 0..2 {
        let answer = get(&source.agent(), "/items");
        assert_eq!((text(&answer, "client_id"), text(&answer, "resource")), (id, ITEMS));
        source.renew().expect("another token");
    }
}

/// Returns the text of a refusal of the client that says this.
fn assert_invalid_client(token: Result<AccessToken, Error>, says: &str) -> String {
    let Err(Error::Denied(denied)) = token else { panic!("not a refusal: {token:?}") };
    let text = denied.to_string();
    assert_eq!((denied.status(), denied.code()), (401, Some("invalid_client")), "{text}");
    assert!(text.contains(says), "{text}");
    text
}

/// An assertion for this client as another program writes it to a file.
fn assertion_of(id: &str, clock: impl Clock) -> Secret {
    let assertion = Assertion::new(key(id)).issuer(id).subject(id).audience(&server().issuer);
    let source = TokenSourceBuilder::self_signed(assertion, &server().issuer).expect("a good origin");
    let token = source.clock(clock).build().and_then(|source| source.token()).expect("an assertion");
    token.secret().into()
}

/// A clock that is behind the wall clock by so many seconds, or ahead of it.
struct Behind(i64);

impl Clock for Behind {
    fn now(&self) -> Moment {
        let (now, by) = (SystemClock.now(), Duration::from_secs(self.0.unsigned_abs()));
        Moment::new(now.monotonic(), if self.0 < 0 { now.wall() + by } else { now.wall() - by })
    }

    fn sleep(&self, pause: Duration) {
        SystemClock.sleep(pause);
    }
}

/// The bodies of the token requests that came to a transport.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<Vec<u8>>>>);

impl Sent {
    /// Makes a transport that loses the first answers of the server.
    fn transport(&self, lost: usize) -> impl Transport + use<> {
        let (sent, real) = (self.clone(), UreqTransport::new());
        move |request: ureq::http::Request<Vec<u8>>, attempt: &Attempt| {
            let number = {
                let mut bodies = sent.0.lock().expect("a list");
                bodies.push(request.body().clone());
                bodies.len()
            };
            let answer = real.send(request, attempt)?;
            assert_eq!(answer.status(), 200);
            if number > lost { Ok(answer) } else { Err(TransportError::new(TransportErrorKind::Closed, "lost")) }
        }
    }

    fn different_jtis(&self) -> usize {
        let bodies = self.0.lock().expect("a list");
        let jtis = bodies.iter().map(|body| {
            let form = form_urlencoded::parse(body).find(|(name, _)| name == "client_assertion");
            let (_, assertion) = form.expect("an assertion");
            let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).expect("claims")).expect("Base64url");
            text(&serde_json::from_slice(&claims).expect("JSON"), "jti").to_owned()
        });
        jtis.collect::<HashSet<_>>().len()
    }
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
    bare().post(&server().revocation_endpoint).send_form(form).expect("revoked");
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
    /// The private keys of clients (PEM).
    keys: HashMap<String, String>,
    /// The key of the client `by-jwk`.
    generated: SigningKey,
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
    /// A certificate of that authority for clients.
    known: Shown,
    self_signed: Shown,
}

/// A certificate that a client shows, and its key (PEM).
struct Shown {
    certificate: String,
    key: String,
}

impl Tls {
    fn trust(&self) -> TlsConfig {
        self.show(None)
    }

    fn show(&self, shown: Option<&Shown>) -> TlsConfig {
        let certificate = |pem: &str| Certificate::from_pem(pem.as_bytes()).expect("a certificate");
        let client = shown.map(|Shown { certificate: pem, key }| {
            UreqTransport::client_certificate(format!("{key}{pem}")).expect("a certificate with its key")
        });
        let roots = RootCerts::new_with_certs(&[certificate(&self.authority)]);
        TlsConfig::builder().root_certs(roots).client_cert(client).build()
    }

    fn agent(&self, shown: Option<&Shown>) -> Agent {
        Agent::config_builder().proxy(None).tls_config(self.show(shown)).build().into()
    }

    /// A source whose transport shows this certificate.
    fn source(&self, id: &str, shown: Option<&Shown>) -> TokenSource {
        let transport = UreqTransport::with_agent(self.agent(shown));
        let source = TokenSource::builder(Credentials::public(id), self.request()).transport(transport);
        source.build().expect("a good source")
    }

    /// Calls the API without a certificate.
    fn get(&self, source: &TokenSource) -> Value {
        read(source.wrap(self.agent(None)).get(self.api("/items")).call().expect("an answer of the API"))
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
        let generated = SigningKey::generate().expect("a key");
        let mut process = Command::new(folder.join("run-node.sh"))
            .arg("server.mjs")
            .arg(generated.public_jwk().expect("a public key"))
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
        let keys = ready["keys"].as_array().expect("keys").iter();
        let tls = &ready["tls"];
        let shown = |name| Shown {
            certificate: text(&tls[name], "certificate").to_owned(),
            key: text(&tls[name], "key").to_owned(),
        };
        Self {
            issuer: member("issuer"),
            token_endpoint: member("token_endpoint"),
            revocation_endpoint: member("revocation_endpoint"),
            api: member("api"),
            tls: Tls {
                authority: text(tls, "authority").to_owned(),
                token_endpoint: text(tls, "token_endpoint").to_owned(),
                api: text(tls, "api").to_owned(),
                known: shown("known"),
                self_signed: shown("self_signed"),
            },
            clients: clients.map(|client| (text(client, "id").to_owned(), text(client, "secret").to_owned())).collect(),
            keys: keys.map(|key| (text(key, "id").to_owned(), text(key, "pem").to_owned())).collect(),
            generated,
            _process: process,
        }
    }
}
