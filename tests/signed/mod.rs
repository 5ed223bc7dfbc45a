//! Verifies JWTs as a server does, with the public key that it was told.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;

/// The header and the claims of a JWT, if the private key of this JWK has signed it.
pub fn verified(jwt: &str, public_jwk: &str) -> Option<(Value, Value)> {
    let jwk: Value = serde_json::from_str(public_jwk).expect("JSON");
    let (message, signature) = jwt.rsplit_once('.').expect("three parts");
    let (header, claims) = message.split_once('.').expect("three parts");
    let json = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).expect("JSON");
    let header = json(header);
    is_valid(&jwk, header["alg"].as_str()?, message.as_bytes(), &decoded(signature)).then(|| (header, json(claims)))
}

/// Whether the private key of this JWK has signed the message (RFC 7518 section 3).
pub fn is_valid(jwk: &Value, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
    let member = |name: &str| decoded(jwk[name].as_str().unwrap_or_default());
    let rsa = |parameters: &RsaParameters| {
        let public = RsaPublicKeyComponents { n: member("n"), e: member("e") };
        public.verify(parameters, message, signature).is_ok()
    };
    let ec = |algorithm: &'static dyn VerificationAlgorithm| {
        let point = [vec![4], member("x"), member("y")].concat();
        UnparsedPublicKey::new(algorithm, point).verify(message, signature).is_ok()
    };
    match (jwk["kty"].as_str(), algorithm) {
        (Some("RSA"), "RS256") => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        (Some("RSA"), "RS384") => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
        (Some("RSA"), "RS512") => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        (Some("RSA"), "PS256") => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        (Some("RSA"), "PS384") => rsa(&signature::RSA_PSS_2048_8192_SHA384),
        (Some("RSA"), "PS512") => rsa(&signature::RSA_PSS_2048_8192_SHA512),
        (Some("EC"), "ES256") => ec(&signature::ECDSA_P256_SHA256_FIXED),
        (Some("EC"), "ES384") => ec(&signature::ECDSA_P384_SHA384_FIXED),
        (Some("OKP"), "EdDSA") => {
            UnparsedPublicKey::new(&signature::ED25519, member("x")).verify(message, signature).is_ok()
        }
        other => panic!("{other:?}"),
    }
}

/// Seconds since 1970, as the claims have them (NumericDate, RFC 7519 section 2).
pub fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn decoded(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("Base64url")
}
