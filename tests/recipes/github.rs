//! A GitHub App over loopback: the server verifies the app's signature.

use client_credentials::{Assertion, BodyFormat, SystemClock, UreqTransport};
use serde_json::json;

use super::loopback::{Received, Reply, Server, reply};
use super::*;

fn app(pem: &str, api: &str) -> Result<TokenSource, Error> {
    // From github.md:
    let app = Assertion::new(SigningKey::from_pem(pem)?).issuer("Iv23liABC").lifetime(Duration::from_secs(9 * 60));
    let app = TokenSource::self_signed(app, api)?;
    // End.
    Ok(app)
}

fn installation(app: TokenSource, api: &str) -> Result<TokenSource, Error> {
    // From github.md:
    let request = TokenRequest::new(&format!("{api}/app/installations/12345/access_tokens"))?
        .without_grant_type()
        .body_format(BodyFormat::Json)
        .token_member("token")?
        .allow_origin(api)?;
    let source = TokenSource::builder(Credentials::none(), request)
        .transport(UreqTransport::with_agent(app.agent()))
        .fallback_lifetime(Some(Duration::from_secs(60 * 60)))
        .build()?;
    // End.
    Ok(source)
}

/// GitHub's API, as far as the page uses it.
fn github(registered: &str) -> Server {
    let jwk = SigningKey::from_pem(pem(registered)).expect("a key").public_jwk().expect("a public key");
    Server::new(move |request| {
        let is_app = || request.token().is_some_and(|jwt| jwt.contains('.') && is_jwt_of_the_app(jwt, &jwk));
        match request.line() {
            "GET /app/installations HTTP/1.1" if is_app() => reply(200).body(r#"[{"id":12345}]"#),
            "POST /app/installations/12345/access_tokens HTTP/1.1" if is_app() && request.body == b"{}" => {
                reply(201).body(r#"{"token":"ghs_16C7e42F292c6912E7710c838347Ae178B4a","expires_at":"2016-07-11T22:14:10Z","permissions":{"issues":"write","contents":"read"},"repository_selection":"selected"}"#)
            }
            "POST /app/installations/1/access_tokens HTTP/1.1" if is_app() => reply(404).body(r#"{"message":"Not Found"}"#),
            "GET /installation/repositories HTTP/1.1" if is_installation(request) => reply(200).body("[]"),
            _ => refusal(),
        }
    })
}

fn is_jwt_of_the_app(jwt: &str, jwk: &str) -> bool {
    let Some((header, claims)) = signed::verified(jwt, jwk) else { return false };
    header == json!({ "alg": "RS256", "typ": "JWT" })
        && claims["iss"] == "Iv23liABC"
        && are_in_time(&claims, unix(SystemClock.now().wall()), 600)
}

fn is_installation(request: &Received) -> bool {
    request.token() == Some("ghs_16C7e42F292c6912E7710c838347Ae178B4a") && request.header("user-agent").is_some()
}

fn refusal() -> Reply {
    reply(401).body(
        r#"{"message":"A JSON web token could not be decoded","documentation_url":"https://docs.github.com/rest"}"#,
    )
}

/// What GitHub hands out: PKCS#1.
const KEY_FILE: &str = "KV-KEY-02";

#[test]
fn github_verifies_the_app_and_gives_a_token_for_an_hour() {
    let github = github(KEY_FILE);
    let api = github.url("");
    let app = app(&pem(KEY_FILE), &api).expect("a source");
    let installations = app.agent().get(format!("{api}/app/installations")).call();
    assert_eq!(installations.expect("an answer").status(), 200);

    let source = installation(app, &api).expect("a source");
    let found = source.agent().get(format!("{api}/installation/repositories")).call().expect("an answer");
    assert_eq!(found.status(), 200);
    let token = source.token().expect("the same token");
    assert_eq!(token.member("expires_at").and_then(|at| at.as_str()), Some("2016-07-11T22:14:10Z"));
    assert!(source.inspect().expires_in.is_some_and(|left| left.as_secs() > 3500));
    assert_eq!(github.requests().len(), 3);

    let sent = &github.requests()[1];
    let mut shown = Request::post("https://api.github.com/app/installations/12345/access_tokens");
    for name in ["accept", "content-type"] {
        shown = shown.header(name, sent.header(name).expect("a header"));
    }
    shown::assert_shown(&page_of("github.md"), &shown.body(sent.body.clone()).expect("a request"));
}

#[test]
fn github_says_what_is_wrong_with_the_app_or_the_installation() {
    let github = github(OTHER_RSA_KEY);
    let api = github.url("");
    let source = installation(app(&pem(KEY_FILE), &api).expect("a source"), &api).expect("a source");
    let error = source.token().expect_err("a refusal");
    assert!(error.to_string().contains("A JSON web token could not be decoded"), "{error}");
    assert!(!format!("{error} {error:?}").contains("eyJ"), "{error:?}");
    // The agent of the app signs another JWT after a 401, once.
    assert_eq!(github.requests().len(), 2);
}
