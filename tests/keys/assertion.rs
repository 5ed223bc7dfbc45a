//! Client authentication by a key (`private_key_jwt`) and by a secret that signs.

use ring::hmac;

use super::*;

#[test]
fn a_client_assertion_names_the_client_and_the_server_and_is_signed() {
    let (script, key) = (Script::new(), key());
    script.token("t", 3600);
    let now = unix(script.clock().now().wall());
    let source = builder(with_key(&key.clone().key_id("2026-11")), &script).build().expect("a source");
    source.token().expect("a token");

    let sent = form(&script.requests()[0]);
    assert_eq!(sent["grant_type"], "client_credentials");
    assert_eq!(sent["client_id"], "my-client");
    assert_eq!(sent["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert!(!script.requests()[0].headers().contains_key("authorization"));
    let (header, claims) = verified(&sent["client_assertion"], &key).expect("a signature of this key");
    assert_eq!(header, serde_json::json!({"alg": "ES256", "kid": "2026-11", "typ": "JWT"}));
    for (name, value) in [("iss", "my-client"), ("sub", "my-client"), ("aud", ENDPOINT)] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!((claims["iat"].as_u64(), claims["exp"].as_u64()), (Some(now - 10), Some(now + 50)));
    assert_eq!(URL_SAFE_NO_PAD.decode(claims["jti"].as_str().expect("a text")).expect("Base64url").len(), 16);
    assert!(claims.get("nbf").is_none());
}

#[test]
fn each_attempt_has_an_assertion_of_its_own() {
    let (script, key) = (Script::new(), key());
    script.json(503, "");
    script.json(503, "");
    script.token("t", 3600);
    let source = builder(with_key(&key), &script).build().expect("a source");
    source.token().expect("a token");
    let claims = script.requests().iter().map(|sent| claims(&form(sent)["client_assertion"], &key)).collect::<Vec<_>>();
    assert_eq!(claims.len(), 3);
    let mut names: Vec<_> = claims.iter().map(|claims| claims["jti"].to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3);
    assert!(claims[0]["iat"].as_u64() <= claims[2]["iat"].as_u64());
}

#[test]
fn the_audience_is_the_issuer_if_it_is_known_and_what_the_assertion_names_before_all() {
    let key = key();
    let audience = |request: TokenRequest, assertion: Assertion| {
        let sent =
            request.encode(&Credentials::with_assertion("id", assertion), &Attempt::default()).expect("a request");
        claims(&form(&sent)["client_assertion"], &key)["aud"].clone()
    };
    let plain = || Assertion::new(key.clone());
    assert_eq!(audience(question(), plain()), ENDPOINT);
    let with_query = TokenRequest::new("https://auth.example.com:8443/token?tenant=a").expect("a request");
    assert_eq!(audience(with_query, plain()), "https://auth.example.com:8443/token?tenant=a");
    assert_eq!(audience(question().issuer("https://auth.example.com"), plain()), "https://auth.example.com");
    assert_eq!(audience(question().issuer("https://auth.example.com"), plain().audience("x")), "x");
    assert_eq!(audience(question().issuer(""), plain()), Value::Null);
}

#[test]
fn a_secret_signs_if_it_is_long_enough() {
    let secret = "thirty-two bytes are the shortest";
    let request = question();
    let credentials = Credentials::new("my-client", secret).in_assertion();
    let sent = form(&request.encode(&credentials, &Attempt::default()).expect("a request"));
    let (message, signature) = sent["client_assertion"].rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("Base64url");
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes(), &signature).expect("HS256");
    assert!(!sent.contains_key("client_secret"));

    let short = Credentials::new("my-client", "of thirty-one bytes, too short!").in_assertion();
    let error = request.encode(&short, &Attempt::default()).expect_err("an error").to_string();
    assert!(error.starts_with("the client secret is too short to sign with: HS256 needs 32 bytes"), "{error}");
}

#[test]
fn an_authorization_header_of_ones_own_is_a_second_method() {
    let request = question().header("authorization", "Basic aWQ6cw==").expect("a request");
    let error = request.encode(&with_key(&key()), &Attempt::default()).expect_err("an error").to_string();
    assert_eq!(
        error,
        "header \"authorization\": a client assertion is sent already, and a request may not use two methods (RFC 6749 \
         section 2.3); use Credentials::none"
    );
}

#[test]
fn an_assertion_of_no_client_is_not_made() {
    for nobody in [
        Credentials::new("", "a secret of thirty-two bytes, or more").in_assertion(),
        Credentials::with_key("", key()),
        Credentials::with_assertion_from("", || Ok(Secret::from("a.b.c"))),
    ] {
        let text = "the client id is empty; check where it is read from, or use Credentials::none";
        let error = question().encode(&nobody, &Attempt::default()).expect_err("an error");
        assert_eq!(error.to_string(), text);
        let error = builder(nobody, &Script::new()).build().expect_err("an error");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn an_external_key_signs_elsewhere_and_its_failure_is_an_error_that_may_pass() {
    let script = Script::new();
    script.token("t", 3600);
    let fails = Arc::new(Mutex::new(true));
    let sealed = Arc::clone(&fails);
    let external = SigningKey::external(client_credentials::Algorithm::Es256, move |_: &[u8]| {
        if *sealed.lock().expect("a flag") { Err("the KMS is sealed".into()) } else { Ok(vec![7; 64]) }
    });
    let source = builder(Credentials::with_key("id", external), &script).retries(0).build().expect("a source");
    let error = source.token().expect_err("an error");
    assert!(matches!(error, Error::Credentials(_)) && error.is_retryable());
    assert_eq!(error.to_string(), "the assertion could not be signed");
    assert_eq!(std::error::Error::source(&error).expect("a cause").to_string(), "the KMS is sealed");
    assert!(script.requests().is_empty());
    *fails.lock().expect("a flag") = false;
    script.clock().advance(Duration::from_secs(60));
    source.token().expect("a token");
}
