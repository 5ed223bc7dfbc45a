//! Private keys as JWK (RFC 7517, RFC 7518 section 6, RFC 8037 section 2). Imports
//! `signing::algorithm`, `signing::pem`, `signing::private_key`, `signing::unusable`.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::signing::algorithm::{Algorithm, Kind};
use crate::signing::pem::decoded_in_constant_time;
use crate::signing::private_key::{PrivateKey, ecdsa, ed25519, padded, rsa};
use crate::signing::unusable::Unusable::{self, Damaged};

/// A key and its name, if it has one.
pub(crate) struct Jwk {
    pub(crate) key: PrivateKey,
    pub(crate) key_id: Option<String>,
}

/// The members, which borrow from the text, so that there is no copy to wipe.
struct Members<'a>(BTreeMap<&'a str, &'a RawValue>);

impl Jwk {
    pub(crate) fn read(text: &str) -> Result<Self, Unusable> {
        // A byte order mark, and the quotes of a shell.
        let text = text.trim_matches(|c: char| c.is_whitespace() || "\u{feff}\"'".contains(c));
        let members = Members(serde_json::from_str(text).map_err(|_| Unusable::NotJwk)?);
        let Some(kty) = members.text("kty") else {
            let has = |name| members.0.contains_key(name);
            return Err(match (has("keys"), has("private_key")) {
                (true, _) => Unusable::JwkSet,
                (_, true) => Unusable::KeyFile,
                _ => Unusable::NotJwk,
            });
        };
        if kty == "oct" {
            return Err(Unusable::SharedSecret);
        }
        if members.text("use") == Some("enc") {
            return Err(Unusable::JwkForEncryption);
        }
        let mut key = match kty {
            "RSA" => members.rsa()?,
            "EC" => members.ec()?,
            "OKP" => members.okp()?,
            _ => return Err(Unusable::OtherAlgorithm),
        };
        if members.0.contains_key("alg") {
            let named = members.text("alg").and_then(Algorithm::from_name);
            let fits = named.filter(|algorithm| key.kind.algorithms().contains(algorithm));
            key.algorithm = fits.ok_or(Unusable::JwkAlgorithm)?;
        }
        let key_id = match members.0.get("kid") {
            None => None,
            Some(kid) => Some(serde_json::from_str(kid.get()).map_err(|_| Unusable::NotJwk)?),
        };
        Ok(Self { key, key_id })
    }
}

impl<'a> Members<'a> {
    /// Returns a string without escapes. No value of a JWK that is looked at needs one, except for
    /// `kid`.
    fn text(&self, name: &str) -> Option<&'a str> {
        let text = self.0.get(name)?.get().strip_prefix('"')?.strip_suffix('"')?;
        (!text.contains('\\')).then_some(text)
    }

    /// Decodes a member in Base64url.
    fn bytes(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Unusable> {
        let text = self.text(name).ok_or(Unusable::NotJwk)?;
        let standard = text.bytes().map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        });
        let mut base64 = Zeroizing::new(Vec::with_capacity(text.len()));
        base64.extend(standard);
        decoded_in_constant_time(&base64).ok_or(Damaged)
    }

    fn has_private(&self) -> Result<(), Unusable> {
        self.0.get("d").map(|_| ()).ok_or(Unusable::PublicOnly)
    }

    fn rsa(&self) -> Result<PrivateKey, Unusable> {
        self.has_private()?;
        if self.0.contains_key("oth") {
            return Err(Unusable::RsaPrimes);
        }
        // They are optional (RFC 7518 section 6.3.2), but `ring` does not compute them.
        if ["p", "q", "dp", "dq", "qi"].iter().any(|name| !self.0.contains_key(name)) {
            return Err(Unusable::JwkWithoutPrimes);
        }
        let mut numbers = [(); 8].map(|()| Zeroizing::default());
        for (number, name) in numbers.iter_mut().zip(["n", "e", "d", "p", "q", "dp", "dq", "qi"]) {
            *number = self.bytes(name)?;
        }
        rsa(numbers.each_ref().map(|number| number.as_slice())).map(|pair| PrivateKey::new(pair, Kind::Rsa))
    }

    fn ec(&self) -> Result<PrivateKey, Unusable> {
        let (kind, size) = match self.text("crv") {
            Some("P-256") => (Kind::P256, 32),
            Some("P-384") => (Kind::P384, 48),
            Some("P-521") => return Err(Unusable::P521),
            Some("secp256k1") => return Err(Unusable::Secp256k1),
            Some(_) => return Err(Unusable::OtherCurve),
            None => return Err(Unusable::NotJwk),
        };
        self.has_private()?;
        let mut point = vec![4];
        for name in ["x", "y"] {
            point.extend_from_slice(&padded(&self.bytes(name)?, size).ok_or(Damaged)?);
        }
        ecdsa(kind, &self.bytes("d")?, &point).map(|pair| PrivateKey::new(pair, kind))
    }

    fn okp(&self) -> Result<PrivateKey, Unusable> {
        match self.text("crv") {
            Some("Ed25519") => {}
            Some("Ed448") => return Err(Unusable::Ed448),
            Some("X25519" | "X448") => return Err(Unusable::KeyExchange),
            Some(_) => return Err(Unusable::OtherCurve),
            None => return Err(Unusable::NotJwk),
        }
        self.has_private()?;
        let pair = ed25519(&self.bytes("d")?, Some(&self.bytes("x")?))?;
        Ok(PrivateKey::new(pair, Kind::Ed25519))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::signing::SigningKey;
    use crate::signing::tests::{rows, thumbprint};

    fn jwk(id: &str) -> Value {
        rows("jws").into_iter().find(|row| row["id"] == id).expect("a row")["jwk"].take()
    }

    fn with(mut jwk: Value, name: &str, value: Value) -> String {
        jwk[name] = value;
        jwk.to_string()
    }

    fn without(mut jwk: Value, name: &str) -> String {
        jwk.as_object_mut().expect("an object").remove(name);
        jwk.to_string()
    }

    #[test]
    fn kid_and_alg_are_taken_over_from_a_jwk_which_may_be_given_as_pem() {
        let mut rsa = jwk("KV-JWS-A2");
        rsa["kid"] = "k \"1\" \u{e9}".into();
        let text = with(rsa, "alg", "PS384".into());
        let key = SigningKey::from_jwk(&text).expect("a key");
        let shown = format!("{key:?}");
        assert!(shown.contains("PS384") && shown.contains(r#"k \"1\" é"#), "{shown}");
        for form in [text.clone(), format!("\u{feff}{text}\r\n"), format!("'{text}'")] {
            assert_eq!(thumbprint(&SigningKey::from_pem(form).expect("a key")), thumbprint(&key));
        }
        let public: Value = serde_json::from_str(&key.public_jwk().expect("a public key")).expect("JSON");
        let names: Vec<&String> = public.as_object().expect("an object").keys().collect();
        assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
        let ed25519 = SigningKey::from_jwk(&with(jwk("KV-JWS-ED"), "alg", "Ed25519".into()));
        assert!(format!("{:?}", ed25519.expect("RFC 9864")).contains("EdDSA"));
    }

    #[test]
    fn a_jwk_that_cannot_be_used_says_why() {
        let (rsa, ec, ed) = (|| jwk("KV-JWS-A2"), || jwk("KV-JWS-A3"), || jwk("KV-JWS-ED"));
        for (text, reason) in [
            (String::new(), "not a JWK"),
            ("{".to_owned(), "not a JWK"),
            ("[]".to_owned(), "not a JWK"),
            ("{}".to_owned(), "not a JWK"),
            (json!({ "keys": [rsa()] }).to_string(), "a set of keys"),
            (
                json!({ "type": "service_account", "private_key": "-----BEGIN" }).to_string(),
                "its member \"private_key\"",
            ),
            (jwk("KV-JWS-A1").to_string(), "a shared secret"),
            (jwk("KV-DPOP-1").to_string(), "a public key"),
            (without(rsa(), "d"), "a public key"),
            (without(rsa(), "qi"), "\"dp\", \"dq\" and \"qi\""),
            (with(rsa(), "oth", json!([])), "more than two primes"),
            (with(rsa(), "dp", rsa()["dq"].clone()), "do not belong together"),
            (with(rsa(), "e", "Aw".into()), "public exponent"),
            (with(rsa(), "n", 5.into()), "not a JWK"),
            (with(rsa(), "use", "enc".into()), "encryption"),
            (with(rsa(), "alg", "RSA-OAEP".into()), "\"alg\" of this JWK is not supported"),
            (with(rsa(), "alg", "ES256".into()), "\"alg\" of this JWK is not supported"),
            (with(ec(), "alg", "RS256".into()), "not supported for its key; an RSA key signs RS256"),
            (with(rsa(), "kid", 1.into()), "not a JWK"),
            (with(rsa(), "kty", "AKP".into()), "algorithm of this key"),
            (with(ec(), "x", ec()["y"].clone()), "do not belong together"),
            (with(ec(), "crv", "secp256k1".into()), "ES256K"),
            (with(ec(), "crv", "P-384".into()), "do not belong together"),
            (with(ec(), "d", "=!".into()), "damaged"),
            (with(ed(), "crv", "Ed448".into()), "Ed448"),
            (with(ed(), "crv", "X25519".into()), "key exchange"),
            (with(ed(), "x", ed()["d"].clone()), "do not belong together"),
        ] {
            let error = SigningKey::from_jwk(&text).expect_err("an error").to_string();
            assert!(error.starts_with("SigningKey::from_jwk: ") && error.contains(reason), "{error} for {text}");
        }
    }
}
