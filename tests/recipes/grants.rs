//! Grants: the JWT bearer grant and token exchange.

use client_credentials::{Assertion, Secret};
use serde_json::json;

use super::*;

fn key_file(pem: &str) -> Vec<u8> {
    let file = json!({
        "type": "service_account",
        "private_key_id": "kid-1",
        "private_key": pem,
        "client_email": "robot@my-project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    file.to_string().into_bytes()
}

fn google(file: Vec<u8>) -> Program {
    // From google.md:
    let file: serde_json::Value = serde_json::from_slice(&file)?;
    let text = |name: &str| file[name].as_str().ok_or_else(|| format!("no {name} in the file"));
    let key = SigningKey::from_pem(text("private_key")?)?.key_id(text("private_key_id")?);
    let claims = Assertion::new(key)
        .issuer(text("client_email")?)
        .claim("scope", "https://www.googleapis.com/auth/devstorage.read_only")?
        .lifetime(Duration::from_secs(3600));
    let request =
        TokenRequest::new(text("token_uri")?)?.assertion(claims)?.allow_origin("https://storage.googleapis.com")?;
    // End.
    Ok((Credentials::none(), request))
}

fn google_server() -> Vendor {
    Vendor {
        page: "google.md",
        parameter: "assertion",
        header: json!({ "alg": "RS256", "typ": "JWT", "kid": "kid-1" }),
        claims: json!({
            "aud": "https://oauth2.googleapis.com/token",
            "iss": "robot@my-project.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/devstorage.read_only",
        }),
        longest: 3600,
        good: r#"{"access_token":"1/8xbJqaOZXSUZbHLl5EOtu1pxz3fmmetKx9W8CV4t79M","scope":"https://www.googleapis.com/auth/prediction","token_type":"Bearer","expires_in":3600}"#,
        bad: (400, r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#),
    }
}

#[test]
fn google_verifies_the_key_of_the_file_and_a_jwt_of_at_most_an_hour() {
    let pem = pem("KV-KEY-01");
    let token = google_server().token(google(key_file(&pem)), &SigningKey::from_pem(&pem).expect("a key"));
    assert_eq!(token.expires_in(), seconds(3600));
    assert_eq!(token.scope(), Some("https://www.googleapis.com/auth/prediction"));
}

#[test]
fn google_says_what_is_wrong_with_a_jwt() {
    let registered = SigningKey::from_pem(pem(OTHER_RSA_KEY)).expect("a key");
    let (denied, text) = google_server().refusal(google(key_file(&pem("KV-KEY-01"))), &registered);
    assert_eq!((denied.status(), denied.code()), (400, Some("invalid_grant")));
    assert!(text.contains("Invalid JWT Signature."), "{text}");
}

/// What the page says about this machine's clock.
#[test]
fn google_gets_its_own_time_after_it_refused_ours() {
    let pem = pem("KV-KEY-01");
    let (credentials, request) = google(key_file(&pem)).expect("a program");
    let jwk = SigningKey::from_pem(&pem).expect("a key").public_jwk().expect("a public key");
    let script = Script::new();
    for _ in 0..2 {
        let (jwk, clock) = (jwk.clone(), script.clock());
        script.answer(move |request, _| {
            let now = unix(clock.now().wall()) - 600;
            let (_, claims) = signed::verified(&form(request.body())["assertion"], &jwk).expect("a signature");
            let bad = r#"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}"#;
            let good = r#"{"access_token":"ya29.a0","token_type":"Bearer","expires_in":3599}"#;
            let mut answer = if are_in_time(&claims, now, 3600) { answer(200, good) } else { answer(400, bad) };
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
            answer.headers_mut().insert("date", date.parse().expect("a header"));
            Ok(answer)
        });
    }
    let source = over(TokenSource::builder(credentials, request), &script).build().expect("a source");
    assert_eq!(source.token().expect("a token").secret(), "ya29.a0");
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn google_key_files_that_lack_a_member_say_which() {
    let error = google(br#"{"private_key_id":"1"}"#.to_vec()).expect_err("an error");
    assert_eq!(error.to_string(), "no private_key in the file");
}

fn federation(file: &[u8]) -> Program {
    let file: serde_json::Value = serde_json::from_slice(file)?;
    // From google.md:
    let text = |at: &str| file.pointer(at).and_then(|it| it.as_str()).ok_or(format!("no {at}"));
    let token_file = text("/credential_source/file")?.to_owned();
    let subject = move || Ok(Secret::from(std::fs::read_to_string(&token_file)?.trim_end()));
    let request = TokenRequest::new(text("/token_url")?)?
        .grant_type("urn:ietf:params:oauth:grant-type:token-exchange")?
        .audience(text("/audience")?)
        .scope("https://www.googleapis.com/auth/cloud-platform")?
        .parameter("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")?
        .parameter("subject_token_type", text("/subject_token_type")?)?
        .parameter_from("subject_token", subject)?
        .allow_origin("https://storage.googleapis.com")?;
    // End.
    Ok((Credentials::none(), request))
}

fn configuration(token_file: &str) -> Vec<u8> {
    let file = json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k8s",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": { "file": token_file },
    });
    file.to_string().into_bytes()
}

#[test]
fn google_exchanges_the_token_of_the_file_for_each_token_request() {
    let file = File::new("google", "header.claims.first\n");
    let (credentials, request) = federation(&configuration(&file.path())).expect("a program");
    let script = Script::new();
    for (jwt, token) in [("header.claims.first", "ya29.d.1"), ("header.claims.second", "ya29.d.2")] {
        script.answer(move |request, _| {
            let good = format!(
                r#"{{"access_token":"{token}","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3599}}"#
            );
            let is_right = form(request.body())["subject_token"] == jwt && !request.headers().contains_key("authorization");
            Ok(answer(if is_right { 200 } else { 400 }, &good))
        });
    }
    let source = over(TokenSource::builder(credentials, request), &script).build().expect("a source");
    assert_eq!(source.token().expect("a token").secret(), "ya29.d.1");
    assert_shown("google.md", &script.requests()[0], "subject_token");
    file.write("header.claims.second\n");
    script.clock().advance(Duration::from_secs(3600));
    assert_eq!(source.token().expect("another token").secret(), "ya29.d.2");
}

#[test]
fn google_says_that_a_token_of_the_platform_is_stale_and_gets_a_newer_one() {
    let file = File::new("stale", "header.claims.old");
    let (credentials, request) = federation(&configuration(&file.path())).expect("a program");
    let script = Script::new();
    let bad = r#"{"error":"invalid_grant","error_description":"ID Token issued at 1749625771 is stale to sign-in."}"#;
    script.json(400, bad);
    let source = over(TokenSource::builder(credentials, request), &script).build().expect("a source");
    let error = source.token().expect_err("a refusal").to_string();
    assert!(error.contains("is stale to sign-in."), "{error}");
    assert_eq!(script.requests().len(), 1, "the file has not changed");

    // The file changes while Google answers.
    let (credentials, request) = federation(&configuration(&file.path())).expect("a program");
    let script = Script::new();
    let path = file.path();
    script.answer(move |_, _| {
        fs::write(&path, "header.claims.new").expect("a file");
        Ok(answer(400, bad))
    });
    script.token("ya29.d.new", 3599);
    let source = over(TokenSource::builder(credentials, request), &script).build().expect("a source");
    assert_eq!(source.token().expect("a token").secret(), "ya29.d.new");
    assert_eq!(form(script.requests()[1].body())["subject_token"], "header.claims.new");
}

fn salesforce(pem: &str) -> Program {
    // From salesforce.md:
    let claims = Assertion::new(SigningKey::from_pem(pem)?)
        .issuer("consumer-key")
        .subject("robot@example.com")
        .audience("https://login.salesforce.com")
        .lifetime(Duration::from_secs(3 * 60));
    let my_domain = "https://example.my.salesforce.com";
    let request =
        TokenRequest::new(&format!("{my_domain}/services/oauth2/token"))?.assertion(claims)?.allow_origin(my_domain)?;
    // End.
    Ok((Credentials::none(), request))
}

#[test]
fn salesforce_verifies_the_user_the_login_host_and_three_minutes() {
    let vendor = Vendor {
        page: "salesforce.md",
        parameter: "assertion",
        header: json!({ "alg": "RS256", "typ": "JWT" }),
        claims: json!({
            "aud": "https://login.salesforce.com", "iss": "consumer-key", "sub": "robot@example.com"
        }),
        longest: 180,
        good: r#"{"access_token":"00Dxx0000001gPL!AR8AQJXg5oj8jXSgxJfA0lBog","scope":"web openid api id","instance_url":"https://example.my.salesforce.com","id":"https://login.salesforce.com/id/00Dx/005x","token_type":"Bearer"}"#,
        bad: (400, r#"{"error":"invalid_grant","error_description":"invalid assertion"}"#),
    };
    let pem = pem("KV-KEY-01");
    let registered = SigningKey::from_pem(&pem).expect("a key");
    let token = vendor.token(salesforce(&pem), &registered);
    assert_eq!((token.secret(), token.expires_in()), ("00Dxx0000001gPL!AR8AQJXg5oj8jXSgxJfA0lBog", None));
    let (denied, text) = vendor.refusal(salesforce(&super::pem(OTHER_RSA_KEY)), &registered);
    assert_eq!(denied.code(), Some("invalid_grant"));
    assert!(text.contains("invalid assertion"), "{text}");

    let bad = (400, r#"{"error":"invalid_grant","error_description":"user hasn't approved this consumer"}"#);
    let (denied, _) = Vendor { claims: json!({}), bad, ..vendor }.refusal(salesforce(&pem), &registered);
    assert_eq!(denied.description(), Some("user hasn't approved this consumer"));
}
