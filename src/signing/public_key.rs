//! Public keys: as JWK (RFC 7517), their thumbprint (RFC 7638), and those of certificates. Imports
//! `signing::algorithm`, `signing::crypto`, `signing::der`, `signing::private_key`,
//! `signing::unusable`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::signing::algorithm::Kind;
use crate::signing::crypto::sha256;
use crate::signing::der::{OID, Reader, SEQUENCE, public_key_info};
use crate::signing::private_key::{PrivateKey, kind_of};
use crate::signing::unusable::Unusable;

pub(crate) struct PublicKey {
    pub(crate) kind: Kind,
    /// The content of the BIT STRING in a `SubjectPublicKeyInfo`.
    pub(crate) bytes: Vec<u8>,
    /// The members of the JWK that RFC 7638 section 3.2 requires, in its order.
    members: Vec<(&'static str, String)>,
    pub(crate) thumbprint: Arc<str>,
}

impl PublicKey {
    pub(crate) fn new(kind: Kind, bytes: &[u8]) -> Option<Self> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let name = |name: &str| name.to_owned();
        let members = match kind {
            Kind::Rsa | Kind::RsaPss => {
                let mut numbers = Reader::sequence(bytes)?;
                let (n, e) = (numbers.unsigned()?, numbers.unsigned()?);
                vec![("e", text(e)), ("kty", name("RSA")), ("n", text(n))]
            }
            Kind::P256 | Kind::P384 => {
                let (curve, size) = if kind == Kind::P256 { ("P-256", 32) } else { ("P-384", 48) };
                let xy = bytes.strip_prefix(&[4]).filter(|xy| xy.len() == 2 * size)?;
                let (x, y) = xy.split_at(size);
                vec![("crv", name(curve)), ("kty", name("EC")), ("x", text(x)), ("y", text(y))]
            }
            Kind::Ed25519 => vec![("crv", name("Ed25519")), ("kty", name("OKP")), ("x", text(bytes))],
        };
        let thumbprint = thumbprint(&members.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
        Some(Self { kind, bytes: bytes.to_vec(), members, thumbprint })
    }

    pub(crate) fn of_private(key: &PrivateKey) -> Result<Self, Unusable> {
        Self::new(key.kind, key.pair.public()).ok_or(Unusable::Damaged)
    }

    /// Reads the key of a certificate. `None` if the certificate is damaged, or its key is of
    /// another kind.
    pub(crate) fn of_certificate(certificate: &[u8]) -> Option<Self> {
        let mut info = public_key_info(certificate)?;
        let mut algorithm = Reader::new(info.take(SEQUENCE)?);
        let kind = kind_of(algorithm.take(OID)?, algorithm).ok()?;
        Self::new(kind, info.bits()?)
    }

    /// Returns the JWK with these members added. Names and values need no escape in JSON, except
    /// for those that are added.
    pub(crate) fn jwk(&self, more: &[(&str, Option<&str>)]) -> String {
        let members = self.members.iter().map(|(name, value)| (*name, Some(value.as_str())));
        let members = members.chain(more.iter().copied());
        let members = members.filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
        Value::Object(members.collect::<Map<_, _>>()).to_string()
    }
}

/// Returns the thumbprint of a JWK with these members, which are sorted and need no escape in JSON
/// (RFC 7638 section 3).
pub(crate) fn thumbprint(members: &[(&str, &str)]) -> Arc<str> {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
    URL_SAFE_NO_PAD.encode(sha256(format!("{{{}}}", members.join(",")).as_bytes())).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::tests::rows;

    fn bytes(value: &Value) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(value.as_str().expect("Base64")).expect("Base64")
    }

    /// RSA as DER, the others as they are.
    fn of_jwk(jwk: &Value) -> PublicKey {
        let number = |name: &str| {
            let mut number = bytes(&jwk[name]);
            if number[0] >= 0x80 {
                number.insert(0, 0);
            }
            let length = u16::try_from(number.len()).expect("short");
            let length = if length < 0x80 {
                vec![2, number.len() as u8]
            } else {
                [&[2, 0x82], &length.to_be_bytes()[..]].concat()
            };
            [length, number].concat()
        };
        let key = match jwk["kty"].as_str() {
            Some("RSA") => {
                let numbers = [number("n"), number("e")].concat();
                let length = u16::try_from(numbers.len()).expect("short").to_be_bytes();
                PublicKey::new(Kind::Rsa, &[&[0x30, 0x82], &length[..], &numbers].concat())
            }
            Some("EC") => PublicKey::new(Kind::P256, &[vec![4], bytes(&jwk["x"]), bytes(&jwk["y"])].concat()),
            _ => PublicKey::new(Kind::Ed25519, &bytes(&jwk["x"])),
        };
        key.expect("a key")
    }

    #[test]
    fn every_thumbprint_line_of_keys_jsonl() {
        let rows = rows("thumbprint");
        for row in &rows {
            let key = of_jwk(&row["jwk"]);
            assert_eq!(*key.thumbprint, *row["thumbprint"].as_str().expect("a text"), "{row}");
            let canonical: Value = serde_json::from_str(row["canonical"].as_str().expect("a text")).expect("JSON");
            assert_eq!(serde_json::from_str::<Value>(&key.jwk(&[])).expect("JSON"), canonical, "{row}");
        }
        assert_eq!(rows.len(), 3);
    }
}
