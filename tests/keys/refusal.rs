//! What a refusal says about an assertion, and what it does not show.

use super::*;

fn refused(credentials: Credentials, request: TokenRequest, status: u16, body: &str) -> String {
    let script = Script::new();
    script.json(status, body);
    let source = TokenSource::builder(credentials, request).transport(script.clone()).clock(script.clock());
    source.retries(0).build().expect("a source").token().expect_err("a refusal").to_string()
}

#[test]
fn a_refused_client_assertion_says_what_was_sent_and_what_to_check() {
    assert_eq!(
        refused(with_key(&key()), question(), 401, r#"{"error":"invalid_client"}"#),
        "token request to auth.example.com: denied with status 401, invalid_client (sent: a client assertion (ES256 for \
         \"https://auth.example.com/token\"), a form, audience \"https://api.example.com\", no scope); check the client \
         id, that the server has this public key (SigningKey::public_jwk) with this key id, and the audience of the \
         assertion (Assertion::audience)"
    );
    let provided = Credentials::with_assertion_from("id", || Ok(Secret::from("not-a-jwt")));
    assert_eq!(
        refused(provided, question(), 401, r#"{"error":"invalid_client"}"#),
        "token request to auth.example.com: denied with status 401, invalid_client (sent: a client assertion of your \
         own, a form, audience \"https://api.example.com\", no scope); check the client id, and the issuer, the \
         subject and the audience of the assertion"
    );
}

#[test]
fn the_advice_about_the_client_names_what_was_sent() {
    let others = "check the client id, and what the server expects with it: a secret (Credentials::new), a key \
                  (Credentials::with_key) or a certificate (UreqTransport::with_client_certificate)";
    let own_header = question().header("authorization", "Key k3y").expect("a header");
    let secret = "a secret of thirty-two bytes, or more";
    for (credentials, request, advice) in [
        (
            Credentials::new("my-client", secret).in_assertion(),
            question(),
            "check the client id and secret, and the audience of the assertion (TokenRequest::issuer)",
        ),
        (Credentials::public("my-client"), question(), others),
        (Credentials::none(), question().assertion(Assertion::new(key())).expect("a request"), others),
        (Credentials::none(), own_header, "check the Authorization header that you set (TokenRequest::header)"),
    ] {
        let text = refused(credentials, request, 401, r#"{"error":"invalid_client"}"#);
        assert!(text.ends_with(&format!("; {advice}")), "{text}");
    }
}

#[test]
fn the_advice_does_not_depend_on_a_code_of_the_server() {
    for status in [400, 401, 403] {
        let text = refused(with_key(&key()), question(), status, "");
        assert!(text.contains("the audience of the assertion (Assertion::audience)"), "{text}");
    }
}

#[test]
fn a_refused_grant_says_what_the_assertion_was_for() {
    let grant = Assertion::new(key()).issuer("robot");
    assert_eq!(
        refused(
            Credentials::none(),
            question().assertion(grant).expect("a request"),
            400,
            r#"{"error":"invalid_grant"}"#
        ),
        "token request to auth.example.com: denied with status 400, invalid_grant (sent: no client authentication, a \
         form, an assertion as the grant (ES256 for \"https://auth.example.com/token\"), audience \
         \"https://api.example.com\", no scope); check what the assertion says (Assertion::issuer, subject, audience, \
         claim), and that the server has its public key"
    );
}

#[test]
fn nothing_that_is_signed_or_read_shows() {
    let (script, key) = (Script::new(), key());
    let seen = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..2 {
        let seen = Arc::clone(&seen);
        script.answer(move |request, _| {
            let sent = form(request);
            let texts = ["client_assertion", "subject_token"].map(|name| sent[name].clone());
            let body = serde_json::json!({"error": "invalid_client", "error_description": texts.join(" and ")});
            seen.lock().expect("a list").extend(texts);
            Ok(answer(401, &body.to_string()))
        });
    }
    let printed = Arc::new(Mutex::new(String::new()));
    let lines = Arc::clone(&printed);
    let request = question()
        .parameter("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")
        .and_then(|request| request.parameter_from("subject_token", || Ok(Secret::from("a-subject-token"))))
        .expect("a request");
    let credentials = with_key(&key);
    let shown = format!("{credentials:?} {request:?}");
    let source = TokenSource::builder(credentials, request).transport(script.clone()).clock(script.clock());
    let source = source.retries(0).on_event(move |event| {
        lines.lock().expect("a text").push_str(&format!("{event} {event:?}\n"));
    });
    let source = source.build().expect("a source");
    let error = source.token().expect_err("a refusal");
    let all = format!("{shown}{error}{error:?}{source:?}{:?}{}", source.inspect(), printed.lock().expect("a text"));
    let seen = seen.lock().expect("a list");
    assert!(!seen.is_empty() && all.contains("[redacted]"));
    for secret in seen.iter() {
        assert!(!all.contains(secret.as_str()), "{all}");
        assert!(secret.split('.').all(|part| part.len() < 8 || !all.contains(part)), "{all}");
    }
}
