//! The compact form of a JWT (RFC 7515 section 7.1, RFC 7519). Imports `error`, `redact`,
//! `signing`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::BoxError;
use crate::redact::Secret;
use crate::signing::SigningKey;

/// Signs this header and this payload.
pub(crate) fn compact(header: &[u8], payload: &[u8], key: &SigningKey) -> Result<Secret, BoxError> {
    const SIGNATURE: usize = 700; // That of RSA with 4096 bits, in Base64.
    let mut text = String::with_capacity((header.len() + payload.len()).div_ceil(3) * 4 + SIGNATURE);
    URL_SAFE_NO_PAD.encode_string(header, &mut text);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut text);
    let signature = key.sign(text.as_bytes())?;
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

    use super::*;
    use crate::error::Error;
    use crate::made::Context;
    use crate::signing::algorithm::Algorithm;
    use crate::signing::assertion::Assertion;
    use crate::signing::tests::verifies;

    /// As a KMS does it: its answers are DER.
    #[test]
    fn an_ecdsa_signature_of_an_external_key_may_be_der_or_raw() {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        let kms = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random).expect("a key");
        let xy = &kms.public_key().as_ref()[1..];
        let (x, y) = (URL_SAFE_NO_PAD.encode(&xy[..32]), URL_SAFE_NO_PAD.encode(&xy[32..]));
        let jwk = serde_json::json!({ "kty": "EC", "x": x, "y": y });
        let der = move |message: &[u8]| {
            let signature = kms.sign(&SystemRandom::new(), message).map_err(|_| "no random numbers")?;
            Ok(signature.as_ref().to_vec())
        };
        let key = SigningKey::external(Algorithm::Es256, der);
        for _ in 0..64 {
            let jwt = compact(b"{}", b"{}", &key).expect("a signature");
            assert!(verifies(&jwk, "ES256", jwt.secret()));
        }
        let raw = SigningKey::external(Algorithm::Es384, |_| Ok(vec![0x30; 96]));
        let jwt = compact(b"{}", b"{}", &raw).expect("a signature");
        assert!(jwt.secret().ends_with(&format!(".{}", URL_SAFE_NO_PAD.encode([0x30; 96]))));

        // A sequence whose length has two bytes.
        let number = [&[2, 66, 1][..], &[7; 65]].concat();
        let der = [&[0x30, 0x81, 136][..], &number, &number].concat();
        let external = SigningKey::external(Algorithm::Es512, move |_| Ok(der.clone()));
        let raw = URL_SAFE_NO_PAD.encode([&number[2..], &number[2..]].concat());
        assert!(compact(b"{}", b"{}", &external).expect("a signature").secret().ends_with(&format!(".{raw}")));
    }

    #[test]
    fn an_external_key_that_fails_or_lies_is_an_error_that_may_pass() {
        let failed = |key| {
            let error = Assertion::new(key).sign(Context::default(), std::time::UNIX_EPOCH, &[0; 16]);
            let error = error.expect_err("an error");
            assert!(matches!(error, Error::Credentials(_)) && error.is_retryable());
            format!("{error:?}")
        };
        assert_eq!(
            failed(SigningKey::external(Algorithm::Ps256, |_| Err("the HSM is locked".into()))),
            "the assertion could not be signed; caused by: the HSM is locked"
        );
        for (algorithm, length) in [
            (Algorithm::Es256, 63),
            (Algorithm::Es256, 96),
            (Algorithm::Es384, 64),
            (Algorithm::Es512, 128),
            (Algorithm::EdDsa, 65),
            (Algorithm::Rs256, 255),
            (Algorithm::Ps512, 0),
        ] {
            let said = format!("returned {length} bytes, which are not a signature for {algorithm}");
            let error = failed(SigningKey::external(algorithm, move |_| Ok(vec![1; length])));
            assert!(error.ends_with(&said), "{error}");
        }
    }

    #[test]
    fn a_shared_secret_has_at_least_32_bytes() {
        let error = SigningKey::shared(&[b's'; 31]).expect_err("too short").to_string();
        assert!(error.contains("HS256 needs 32 bytes (RFC 7518 section 3.2)"), "{error}");
        assert!(SigningKey::shared(&[b's'; 32]).is_ok());
    }
}
