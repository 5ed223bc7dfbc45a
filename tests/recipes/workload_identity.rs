//! Tokens of the platform in place of a secret.

use client_credentials::Secret;

use super::loopback::{Server, reply};
use super::*;

fn kubernetes(token_file: String, client_id: &str, tenant: &str) -> Program {
    // From workload-identity.md:
    let credentials = Credentials::with_assertion_from(client_id, move || {
        Ok(Secret::from(std::fs::read_to_string(&token_file)?.trim_end()))
    });
    let endpoint = format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token");
    let request = TokenRequest::new(&endpoint)?
        .scope("https://vault.azure.net/.default")?
        .allow_origin("https://my.vault.azure.net")?;
    // End.
    Ok((credentials, request))
}

const GOOD: &str = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ0eXAiOiJKV1QiLCJhbGci..."}"#;

/// A token that a platform has signed, valid until `exp`.
fn platform_token(exp: u64) -> String {
    use base64::Engine as _;
    let encoded = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", encoded(r#"{"alg":"RS256"}"#), encoded(&format!(r#"{{"exp":{exp}}}"#)))
}

#[test]
fn kubernetes_gives_another_token_for_each_token_request() {
    let file = File::new("projected", "header.claims.first\n");
    let (credentials, request) = kubernetes(file.path(), "client-id", "contoso.com").expect("a program");
    let script = Script::new();
    script.json(200, GOOD);
    script.json(200, GOOD);
    let source = over(TokenSource::builder(credentials, request), &script).build().expect("a source");
    source.token().expect("a token");
    file.write("header.claims.second\n");
    script.clock().advance(Duration::from_secs(3600));
    source.token().expect("another token");
    let sent: Vec<_> = script.requests().iter().map(|sent| form(sent.body())["client_assertion"].clone()).collect();
    assert_eq!(sent, ["header.claims.first", "header.claims.second"]);
    assert_shown("workload-identity.md", &script.requests()[0], "client_assertion");
}

#[test]
fn entra_says_that_a_projected_token_expired_and_we_say_when() {
    let script = Script::new();
    let now = unix(script.clock().now().wall());
    let file = File::new("expired", &platform_token(now - 7200));
    let (credentials, request) = kubernetes(file.path(), "client-id", "contoso.com").expect("a program");
    let bad = r#"{"error":"invalid_client","error_description":"AADSTS700024: Client assertion is not within its valid time range."}"#;
    script.json(401, bad);
    let source = over(TokenSource::builder(credentials, request), &script).build().expect("a source");
    let error = source.token().expect_err("a refusal").to_string();
    assert!(error.contains("AADSTS700024") && error.contains("expired 2 h ago"), "{error}");
    assert_eq!(script.requests().len(), 1);
}

#[test]
fn a_file_that_is_missing_is_named_as_the_cause() {
    let (credentials, request) = kubernetes("/nowhere/token".into(), "client-id", "contoso.com").expect("a program");
    let script = Script::new();
    let source = over(TokenSource::builder(credentials, request), &script).build().expect("a source");
    let error = source.token().expect_err("an error");
    assert_eq!(error.to_string(), "the assertion of client \"client-id\" could not be read");
    assert!(std::error::Error::source(&error).is_some());
    assert!(script.requests().is_empty());
}

fn actions(url: String, bearer: String, github: ureq::Agent) -> Credentials {
    // From workload-identity.md:
    let credentials = Credentials::with_assertion_from("client-id", move || {
        let mut answer = github.get(&url).header("authorization", &bearer).call()?;
        let answer: serde_json::Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
        Ok(Secret::from(answer["value"].as_str().ok_or("the answer has no value")?))
    });
    // End.
    credentials
}

#[test]
fn github_actions_are_asked_for_each_token_request() {
    let mut count = 0;
    let github = Server::new(move |request| {
        let is_right = request.target() == "/token?api-version=2.0&audience=api://AzureADTokenExchange"
            && request.token() == Some("job-token");
        count += 1;
        if is_right { reply(200).body(format!(r#"{{"count":1,"value":"header.claims.{count}"}}"#)) } else { reply(401) }
    });
    let url = github.url("/token?api-version=2.0") + "&audience=api://AzureADTokenExchange";
    let agent = || ureq::Agent::config_builder().proxy(None).build().into();
    let source = |bearer: &str, script: &Script| {
        let (_, request) = kubernetes(String::new(), "", "contoso.com").expect("a program");
        let credentials = actions(url.clone(), bearer.to_owned(), agent());
        over(TokenSource::builder(credentials, request), script).build().expect("a source")
    };
    let script = Script::new();
    script.json(200, GOOD);
    script.json(200, GOOD);
    let with_token = source("Bearer job-token", &script);
    with_token.token().expect("a token");
    script.clock().advance(Duration::from_secs(3600));
    with_token.token().expect("another token");
    let sent: Vec<_> = script.requests().iter().map(|sent| form(sent.body())["client_assertion"].clone()).collect();
    assert_eq!(sent, ["header.claims.1", "header.claims.2"]);

    // GitHub refuses, so nothing is sent to Entra.
    let script = Script::new();
    let error = source("Bearer another", &script).token().expect_err("an error");
    assert!(matches!(error, Error::Credentials(_)), "{error}");
    assert!(script.requests().is_empty());
}
