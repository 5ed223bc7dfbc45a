//! Assertions with any claims and headers.
//!
//! - reserved names are refused, and only they, with the same text whatever the value is;
//! - the JWT has three parts in Base64url; header and claims are JSON objects without a name that occurs twice, and say
//!   what was set last and what is made at the time, and nothing else;
//! - `exp` is the lifetime, or 11 seconds, after `iat`;
//! - the same steps make the same text, with another `jti` another one.
//!
//! Input: steps between bytes 0xFF: `c` a claim and `h` a header (name, 0xFE, JSON or text), `i` issuer, `s` subject, `a`
//! audience, `k` key id, `l` lifetime.

#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

use client_credentials::{Assertion, Attempt, Credentials, Moment, SigningKey, TokenRequest};
use client_credentials_fuzz::reading::{base64url_decoded, json_names, records};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                   -----END PRIVATE KEY-----";
static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_pem(PEM).expect("a key"));
const NOW: u64 = 1_700_000_000;

fuzz_target!(|data: &[u8]| {
    let mut key = KEY.clone();
    let mut headers = BTreeMap::from([("alg".to_owned(), json!("EdDSA")), ("typ".to_owned(), json!("JWT"))]);
    let mut claims: BTreeMap<String, Value> = BTreeMap::new();
    let (mut issuer, mut subject, mut audience, mut lifetime) = (None, None, None, 60);
    // The key comes first.
    for step in records(data) {
        if let Some(id) = step.strip_prefix(b"k") {
            let id = String::from_utf8_lossy(id).into_owned();
            headers.insert("kid".to_owned(), id.clone().into());
            key = key.key_id(id);
        }
    }
    let mut assertion = Assertion::new(key);
    for step in records(data).take(16) {
        let Some((kind, rest)) = step.split_first() else { continue };
        let text = String::from_utf8_lossy(rest).into_owned();
        match kind {
            b'i' => {
                assertion = assertion.issuer(text.clone());
                issuer = Some(text);
            }
            b's' => {
                assertion = assertion.subject(text.clone());
                subject = Some(text);
            }
            b'a' => {
                assertion = assertion.audience(text.clone());
                audience = Some(text);
            }
            b'l' => {
                lifetime = text.parse().unwrap_or(u64::MAX);
                assertion = assertion.lifetime(Duration::from_secs(lifetime));
            }
            b'c' | b'h' => {
                let end = rest.iter().position(|&byte| byte == 0xfe).unwrap_or(rest.len());
                let name = String::from_utf8_lossy(&rest[..end]).into_owned();
                let value = rest.get(end + 1..).unwrap_or_default();
                let value: Value =
                    serde_json::from_slice(value).unwrap_or_else(|_| String::from_utf8_lossy(value).into());
                let (reserved, place): (&[&str], _) = match kind {
                    b'c' => (&["iss", "sub", "aud", "exp", "iat", "jti"], &mut claims),
                    _ => (&["alg", "kid", "jwk", "crit", "b64"], &mut headers),
                };
                let put = |value: Value| match kind {
                    b'c' => assertion.clone().claim(&name, value),
                    _ => assertion.clone().header(&name, value),
                };
                match put(value.clone()) {
                    Ok(put) => {
                        assert!(!reserved.contains(&name.as_str()), "{name} was accepted");
                        assertion = put;
                        place.insert(name, value);
                    }
                    Err(error) => {
                        assert!(reserved.contains(&name.as_str()), "{error}");
                        assert_eq!(error.to_string(), put(Value::Null).expect_err("the same").to_string());
                    }
                }
            }
            _ => {}
        }
    }
    headers.retain(|_, value| !value.is_null());
    let issuer = issuer.unwrap_or_else(|| "id".to_owned());
    claims.insert("sub".to_owned(), subject.unwrap_or_else(|| issuer.clone()).into());
    claims.insert("iss".to_owned(), issuer.into());
    claims.insert("aud".to_owned(), audience.unwrap_or_else(|| "https://auth.test/token".to_owned()).into());
    claims.insert("jti".to_owned(), "BwcHBwcHBwcHBwcHBwcHBw".into());
    claims.insert("iat".to_owned(), (NOW - 10).into());
    claims.insert("exp".to_owned(), (NOW - 10).saturating_add(lifetime.max(11)).into());

    let jwt = |jti| sent(&assertion, [jti; 16]);
    let text = jwt(7);
    assert_eq!(text, jwt(7));
    assert_ne!(text, jwt(8));
    let parts: Vec<&str> = text.split('.').collect();
    assert_eq!(parts.len(), 3);
    assert_eq!(base64url_decoded(parts[2]).expect("Base64url").len(), 64);
    for (part, expected) in [(parts[0], headers), (parts[1], claims)] {
        let json = base64url_decoded(part).expect("Base64url");
        let read: BTreeMap<String, Value> = serde_json::from_slice(&json).expect("an object");
        assert_eq!(json_names(&json), read.keys().cloned().collect::<Vec<_>>(), "twice, or not sorted");
        // As text, since reading a number with many digits may round it.
        assert_eq!(String::from_utf8_lossy(&json), serde_json::to_string(&expected).expect("JSON"));
    }
});

/// The assertion in a token request of now.
fn sent(assertion: &Assertion, jti: [u8; 16]) -> String {
    let now = Moment::new(Instant::now(), UNIX_EPOCH + Duration::from_secs(NOW));
    let request = TokenRequest::new("https://auth.test/token").expect("a request");
    let credentials = Credentials::with_assertion("id", assertion.clone());
    let sent = request.encode(&credentials, &Attempt::new(now, jti)).expect("a signature");
    let mut pairs = form_urlencoded::parse(sent.body());
    pairs.find(|(name, _)| name == "client_assertion").expect("an assertion").1.into_owned()
}
