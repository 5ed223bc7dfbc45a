use serde_json::Value;

use crate::loopback::{Reply, SECRET, Server, json_reply, token_reply};
use crate::run::{CLIENT, Program, basic, example};

fn token(auth: &Server) -> Program {
    example("token").client(&auth.url("/token"))
}

fn hour() -> Reply {
    json_reply(200, r#"{"access_token":"tok-a%2F!","token_type":"Bearer","expires_in":3600,"scope":"write read"}"#)
}

#[test]
fn a_token_and_nothing_else() {
    let auth = Server::new(|_| hour());
    let run = token(&auth).shows_token().run();
    assert_eq!((run.success(), run.stderr.as_str()), ("tok-a%2F!\n", ""));
    let [request] = &auth.requests()[..] else { panic!() };
    assert_eq!(request.header("authorization"), Some(basic(CLIENT, SECRET).as_str()));
    assert_eq!(request.text(), "grant_type=client_credentials");
}

#[test]
fn a_header_for_curl() {
    let auth = Server::new(|_| hour());
    assert_eq!(token(&auth).args(["--header"]).shows_token().run().success(), "Authorization: Bearer tok-a%2F!\n");
}

#[test]
fn an_object_with_expiry_and_scope() {
    let auth = Server::replies([hour(), json_reply(200, r#"{"access_token":"tok-b"}"#)]);
    let object = || -> Value {
        serde_json::from_str(token(&auth).args(["--json"]).shows_token().run().success()).expect("JSON")
    };
    let first = object();
    assert_eq!((&first["access_token"], &first["token_type"]), (&"tok-a%2F!".into(), &"Bearer".into()));
    assert_eq!(first["scope"], "write read");
    let number = |name: &str| first[name].as_u64().expect("a number");
    assert!((3500..=3600).contains(&number("expires_in")), "{first}");
    assert!(number("expires_at") > 1_700_000_000, "{first}");
    assert_eq!(object(), serde_json::json!({"access_token": "tok-b", "token_type": "Bearer"}));
}

#[test]
fn verbose_says_what_was_asked_and_answered_without_secrets() {
    let auth = Server::new(|_| hour());
    let run = token(&auth)
        .args(["--verbose", "--auth", "body", "--audience", "https://api.example.com", "--scope", "read write"])
        .args(["--parameter", "assertion=hush-hush-assertion"])
        .shows_token()
        .run();
    assert_eq!(run.success(), "tok-a%2F!\n");
    let endpoint = format!("127.0.0.1:{}", auth.port());
    let lines: Vec<&str> = run.stderr.lines().collect();
    let [credentials, request, asked, answered, received] = lines[..] else { panic!("{run:?}") };
    assert_eq!(credentials, r#"> Credentials { client_id: Some("the-client"), in_body: true, .. }"#);
    assert!(request.starts_with("> TokenRequest { ") && request.contains(r#"("assertion", [redacted])"#), "{request}");
    assert!(request.contains(r#"scopes: ["read", "write"], audience: Some("https://api.example.com")"#), "{request}");
    assert_eq!(asked, format!("> the-client at {endpoint}: token requested (NoToken)"));
    assert!(answered.starts_with(&format!("< the-client at {endpoint}: token received after ")), "{answered}");
    assert!(answered.ends_with(" (status 200)"), "{answered}");
    assert!(received.contains("[redacted]") && received.contains(r#"scope: Some("write read")"#), "{received}");
    assert_eq!(
        auth.requests()[0].form(),
        [
            ("grant_type", "client_credentials"),
            ("scope", "read write"),
            ("audience", "https://api.example.com"),
            ("assertion", "hush-hush-assertion"),
            ("client_id", CLIENT),
            ("client_secret", SECRET),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn a_secret_that_the_server_repeats_is_not_shown() {
    let echo = format!(r#"{{"error":"invalid_client","error_description":"no client with secret {SECRET}"}}"#);
    let auth = Server::new(move |_| json_reply(401, &echo));
    let run = token(&auth).args(["--verbose"]).run();
    run.failure("denied with status 401, invalid_client: \"no client with secret [redacted]\"");
    assert!(run.stderr.contains("(status 401)"), "{run:?}");
}

#[test]
fn a_client_that_must_not_be_encoded() {
    let auth = Server::new(|_| token_reply("tok-c"));
    let id = "sb-app!t1|x";
    let run = token(&auth).args(["--auth", "basic-raw", "--client-id", id]).shows_token().run();
    run.success();
    assert_eq!(auth.requests()[0].header("authorization"), Some(basic(id, SECRET).as_str()));
}

#[test]
fn what_makes_no_sense_is_not_sent() {
    let auth = Server::replies([]);
    token(&auth).args(["--auth", "digest"]).run().is_usage("--auth: basic, basic-raw or body?");
    token(&auth).args(["--header", "--json"]).run().is_usage("too many arguments");
    token(&auth).args(["positional"]).run().is_usage("too many arguments");
    token(&auth).args(["--parameter", "hush-hush"]).run().is_usage("--parameter needs NAME=VALUE");
    token(&auth).args(["--scope", "two  spaces"]).run().failure("RFC 6749 section 3.3");
    assert_eq!(auth.requests().len(), 0);
}

#[test]
fn a_login_page_is_no_token() {
    let auth = Server::new(|_| json_reply(200, "<html>Please log in</html>"));
    token(&auth).run().failure("login page");
}

/// Runs the example with a key or an assertion instead of the secret.
fn with_proof(auth: &Server, args: &[&str]) -> Program {
    example("token").args(["--token-endpoint", &auth.url("/token"), "--client-id", CLIENT]).args(args.iter().copied())
}

#[test]
fn a_key_signs_in_place_of_the_secret() {
    let auth = Server::new(|_| hour());
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/key.pem");
    let run = with_proof(&auth, &["--key", key, "--key-id", "2026-11"]).shows_token().run();
    assert_eq!(run.success(), "tok-a%2F!\n");
    let sent = auth.requests()[0].text().to_owned();
    assert!(sent.contains("client-assertion-type%3Ajwt-bearer&client_assertion=eyJ"), "{sent}");

    let run = with_proof(&auth, &["--grant", "jwt-bearer", "--key", key, "--issuer", "robot"]).shows_token().run();
    assert_eq!(run.success(), "tok-a%2F!\n");
    let sent = auth.requests()[1].text().to_owned();
    assert!(
        sent.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=eyJ"),
        "{sent}"
    );
}

#[test]
fn an_assertion_of_another_program_is_read_from_its_file() {
    let auth = Server::new(|_| hour());
    let file = std::env::temp_dir().join(format!("assertion-{}", std::process::id()));
    std::fs::write(&file, "header.claims.signature\n").expect("a file");
    let run = with_proof(&auth, &["--assertion-file", file.to_str().expect("a name")]).shows_token().run();
    std::fs::remove_file(&file).expect("a file");
    assert_eq!(run.success(), "tok-a%2F!\n");
    assert!(auth.requests()[0].text().ends_with("&client_assertion=header.claims.signature"));
}

#[test]
fn options_that_do_not_belong_together_are_named() {
    let auth = Server::new(|_| hour());
    with_proof(&auth, &["--grant", "jwt-bearer"]).run().is_usage("--grant jwt-bearer needs --key");
    with_proof(&auth, &["--issuer", "robot"]).run().is_usage("--issuer and --subject need --grant jwt-bearer");
    with_proof(&auth, &["--grant", "password"]).run().is_usage("--grant: client_credentials or jwt-bearer?");
}
