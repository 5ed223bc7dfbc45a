//! Client authentication by a key or a certificate.

use client_credentials::{Algorithm, Assertion};
use serde_json::json;

use super::*;

fn entra(pem: &str) -> Program {
    // From entra.md:
    let key = SigningKey::from_pem(pem)?.algorithm(Algorithm::Ps256)?;
    let credentials = Credentials::with_key("client-id", key);
    let endpoint = "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token";
    let request = TokenRequest::new(endpoint)?
        .scope("https://graph.microsoft.com/.default")?
        .allow_origin("https://graph.microsoft.com")?;
    // End.
    Ok((credentials, request))
}

fn entra_server() -> Vendor {
    Vendor {
        page: "entra.md",
        parameter: "client_assertion",
        header: json!({
            "alg": "PS256", "typ": "JWT", "x5t#S256": "wE4OeWHrMFj0CQwpUwCCC5C1E_1FfLm1XVoQa4kSAvY"
        }),
        claims: json!({
            "aud": "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token",
            "iss": "client-id", "sub": "client-id"
        }),
        longest: 600,
        good: r#"{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ0eXAiOiJKV1QiLCJhbGci..."}"#,
        bad: (
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found.]\r\nTrace ID: 255d1aef-8c98-452f-ac51-23d051240864","error_codes":[700027]}"#,
        ),
    }
}

/// A file with a key and its certificate, as Entra, NetSuite and others have them.
const WITH_CERTIFICATE: &str = "KV-KEY-10";

#[test]
fn entra_verifies_ps256_and_the_digest_of_the_certificate() {
    let pem = pem(WITH_CERTIFICATE);
    let token = entra_server().token(entra(&pem), &SigningKey::from_pem(&pem).expect("a key"));
    assert_eq!(token.expires_in(), seconds(3599));
}

#[test]
fn entra_says_that_a_certificate_is_not_registered() {
    let registered = SigningKey::from_pem(pem(OTHER_RSA_KEY)).expect("a key");
    let (denied, text) = entra_server().refusal(entra(&pem(WITH_CERTIFICATE)), &registered);
    assert_eq!((denied.status(), denied.code()), (401, Some("invalid_client")));
    assert!(text.contains("AADSTS700027") && text.contains(r"\r\n"), "{text}");
}

/// The older form of the page.
#[test]
fn entra_takes_rs256_with_the_sha_1_digest() {
    let pem = pem(WITH_CERTIFICATE);
    let key = SigningKey::from_pem(&pem).and_then(SigningKey::send_x5t).expect("a certificate");
    let program = entra(&pem).map(|(_, request)| (Credentials::with_key("client-id", key.clone()), request));
    let header = json!({ "alg": "RS256", "typ": "JWT", "x5t": "64XsUKm_IUOM7yh5KQ_ani0xLoE" });
    Vendor { header, ..entra_server() }.token(program, &key);
}

fn okta(pem: &str) -> Program {
    // From okta.md:
    let key = SigningKey::from_pem(pem)?.key_id("key-id");
    let okta = "https://dev-123456.okta.com";
    let request =
        TokenRequest::new(&format!("{okta}/oauth2/v1/token"))?.scope("okta.users.read")?.allow_origin(okta)?;
    // End.
    Ok((Credentials::with_key("client-id", key), request))
}

fn okta_server() -> Vendor {
    Vendor {
        page: "okta.md",
        parameter: "client_assertion",
        header: json!({ "alg": "RS256", "typ": "JWT", "kid": "key-id" }),
        claims: json!({
            "aud": "https://dev-123456.okta.com/oauth2/v1/token", "iss": "client-id", "sub": "client-id"
        }),
        longest: 3600,
        good: r#"{"token_type":"Bearer","expires_in":3600,"access_token":"eyJraWQiOiJ...","scope":"okta.users.read"}"#,
        bad: (401, r#"{"error":"invalid_client","error_description":"The client_assertion signature is invalid."}"#),
    }
}

#[test]
fn okta_verifies_the_assertion_whose_audience_is_the_token_endpoint() {
    let pem = pem("KV-KEY-01");
    let key = SigningKey::from_pem(&pem).expect("a key");
    let token = okta_server().token(okta(&pem), &key);
    assert_eq!((token.expires_in(), token.scope()), (seconds(3600), Some("okta.users.read")));
    let (denied, text) = okta_server().refusal(okta(&super::pem(OTHER_RSA_KEY)), &key);
    assert_eq!(denied.code(), Some("invalid_client"));
    assert!(text.contains("The client_assertion signature is invalid."), "{text}");
    assert!(text.contains("https://dev-123456.okta.com/oauth2/v1/token"), "the audience: {text}");
}

/// What a new service app answers, whose DPoP is switched on.
#[test]
fn okta_asks_for_dpop_by_a_code_of_its_own() {
    let bad = r#"{"error":"invalid_dpop_proof","error_description":"The DPoP proof JWT header is missing."}"#;
    let vendor = Vendor { header: json!("another"), bad: (400, bad), ..okta_server() };
    let pem = pem("KV-KEY-01");
    let (denied, text) = vendor.refusal(okta(&pem), &SigningKey::from_pem(&pem).expect("a key"));
    assert_eq!((denied.status(), denied.code()), (400, Some("invalid_dpop_proof")));
    assert!(text.contains("The DPoP proof JWT header is missing."), "{text}");
}

fn keycloak(pem: &str) -> Program {
    // From keycloak.md:
    let key = SigningKey::from_pem(pem)?.key_id("key-id");
    let realm = "https://sso.example.com/realms/demo";
    let request = TokenRequest::new(&format!("{realm}/protocol/openid-connect/token"))?
        .issuer(realm)
        .allow_origin("https://api.example.com")?;
    // End.
    Ok((Credentials::with_key("client-id", key), request))
}

#[test]
fn keycloak_verifies_the_assertion_whose_audience_is_the_realm() {
    let vendor = Vendor {
        page: "keycloak.md",
        parameter: "client_assertion",
        header: json!({ "alg": "ES256", "typ": "JWT", "kid": "key-id" }),
        claims: json!({ "aud": "https://sso.example.com/realms/demo", "iss": "client-id", "sub": "client-id" }),
        longest: 3600,
        good: r#"{"access_token":"eyJhbGciOiJSUzI1NiIs...","expires_in":300,"refresh_expires_in":0,"token_type":"Bearer","not-before-policy":0,"scope":"email profile"}"#,
        bad: (
            400,
            r#"{"error":"invalid_client","error_description":"Client authentication with signed JWT failed: Signature on JWT token failed validation"}"#,
        ),
    };
    let pem = pem("KV-KEY-04");
    let token = vendor.token(keycloak(&pem), &SigningKey::from_pem(&pem).expect("a key"));
    assert_eq!(token.expires_in(), seconds(300));
    let (denied, text) = vendor.refusal(keycloak(&pem), &SigningKey::generate().expect("a key"));
    assert_eq!((denied.status(), denied.code()), (400, Some("invalid_client")));
    assert!(text.contains("Signature on JWT token failed validation"), "{text}");
}

fn smart(pem: &str) -> Program {
    // From smart.md:
    let key = SigningKey::from_pem(pem)?.algorithm(Algorithm::Es384)?.key_id("key-id");
    let credentials = Credentials::with_key("client-id", key);
    let request = TokenRequest::new("https://fhir.example.com/auth/token")?
        .scope("system/Patient.rs system/Observation.rs")?
        .allow_origin("https://fhir.example.com")?;
    // End.
    Ok((credentials, request))
}

fn smart_server(algorithm: &str) -> Vendor {
    Vendor {
        page: "smart.md",
        parameter: "client_assertion",
        header: json!({ "alg": algorithm, "typ": "JWT", "kid": "key-id" }),
        claims: json!({ "aud": "https://fhir.example.com/auth/token", "iss": "client-id", "sub": "client-id" }),
        longest: 300,
        good: r#"{"access_token":"m7rt6i7s9nuxkjvi8vsx","token_type":"bearer","expires_in":300,"scope":"system/Patient.rs"}"#,
        bad: (400, r#"{"error":"invalid_client"}"#),
    }
}

#[test]
fn smart_verifies_es384_and_rs384_and_five_minutes() {
    let (p384, rsa) = (pem("KV-KEY-07"), pem("KV-KEY-01"));
    let registered = SigningKey::from_pem(&p384).expect("a key");
    let token = smart_server("ES384").token(smart(&p384), &registered);
    assert_eq!(token.expires_in(), seconds(300));
    assert_eq!(token.scope(), Some("system/Patient.rs"), "a part of what was asked for");

    let key = SigningKey::from_pem(&rsa).and_then(|key| key.algorithm(Algorithm::Rs384)).expect("an RSA key");
    let credentials = Credentials::with_key("client-id", key.clone().key_id("key-id"));
    let with_rsa = || smart(&p384).map(|(_, request)| (credentials.clone(), request));
    smart_server("RS384").token(with_rsa(), &key);

    // A server of RS384 does not know the other key, and neither takes a JWT for ten minutes.
    let (denied, text) =
        smart_server("RS384").refusal(with_rsa(), &SigningKey::from_pem(pem(OTHER_RSA_KEY)).expect("a key"));
    assert_eq!((denied.status(), denied.code()), (400, Some("invalid_client")));
    assert!(text.contains("https://fhir.example.com/auth/token"), "{text}");
    let long = Assertion::new(key.clone().key_id("key-id")).lifetime(Duration::from_secs(600));
    let long = smart(&p384).map(|(_, request)| (Credentials::with_assertion("client-id", long), request));
    smart_server("RS384").refusal(long, &key);
}

#[test]
fn smart_refuses_an_rsa_key_before_it_is_used() {
    let error = smart(&pem("KV-KEY-01")).expect_err("an RSA key does not sign ES384").to_string();
    assert!(error.contains("RS384"), "{error}");
}

fn netsuite(pem: &str) -> Program {
    // From netsuite.md:
    let key = SigningKey::from_pem(pem)?.algorithm(Algorithm::Ps256)?.key_id("certificate-id");
    let claims = Assertion::new(key).claim("scope", ["rest_webservices"])?;
    let account = "https://123456.suitetalk.api.netsuite.com";
    let request = TokenRequest::new(&format!("{account}/services/rest/auth/oauth2/v1/token"))?.allow_origin(account)?;
    let credentials = Credentials::with_assertion("client-id", claims);
    // End.
    Ok((credentials, request))
}

#[test]
fn netsuite_verifies_ps256_the_certificate_id_and_the_scopes_in_the_claims() {
    let vendor = Vendor {
        page: "netsuite.md",
        parameter: "client_assertion",
        header: json!({ "alg": "PS256", "typ": "JWT", "kid": "certificate-id" }),
        claims: json!({
            "aud": "https://123456.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token",
            "iss": "client-id", "sub": "client-id", "scope": ["rest_webservices"]
        }),
        longest: 3600,
        good: r#"{"access_token":"eyJraWQiOiJzLlNZU1RFTS4yMDIwXzEi...","expires_in":"3600","token_type":"bearer"}"#,
        bad: (400, r#"{"error":"invalid_grant"}"#),
    };
    // 4,096 bits.
    let pem = pem(OTHER_RSA_KEY);
    let token = vendor.token(netsuite(&pem), &SigningKey::from_pem(&pem).expect("a key"));
    assert_eq!(token.expires_in(), seconds(3600));
    let registered = SigningKey::from_pem(super::pem("KV-KEY-01")).expect("a key");
    let (denied, _) = vendor.refusal(netsuite(&pem), &registered);
    assert_eq!(denied.code(), Some("invalid_grant"));
}
