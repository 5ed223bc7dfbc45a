//! The certificate of a key, as the header of a JWS names it (RFC 7515 sections 4.1.6 to 4.1.8).
//! Imports `signing::crypto`, `signing::public_key`, `signing::unusable`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::signing::crypto::{sha1, sha256};
use crate::signing::public_key::PublicKey;
use crate::signing::unusable::Unusable;

pub(crate) struct Certificates {
    pub(crate) x5t: String,
    pub(crate) x5t_s256: String,
    pub(crate) x5c: Vec<String>,
}

impl Certificates {
    /// Makes the headers of these certificates. That of the key comes first, wherever the file has
    /// it (section 4.1.6). Without a key, the first certificate is that of the key; its public key
    /// is returned, too.
    pub(crate) fn new<C: AsRef<[u8]>>(
        certificates: &[C],
        key: Option<&PublicKey>,
    ) -> Result<(Self, PublicKey), Unusable> {
        let (chain, public) = chain(certificates, key)?;
        let made = Self {
            x5t: URL_SAFE_NO_PAD.encode(sha1(chain[0])),
            x5t_s256: URL_SAFE_NO_PAD.encode(sha256(chain[0])),
            x5c: chain.iter().map(|der| STANDARD.encode(der)).collect(),
        };
        Ok((made, public))
    }
}

/// Returns the certificates with that of the key first, and its public key.
pub(crate) fn chain<'c, C: AsRef<[u8]>>(
    certificates: &'c [C],
    key: Option<&PublicKey>,
) -> Result<(Vec<&'c [u8]>, PublicKey), Unusable> {
    let mut reason = if certificates.is_empty() { Unusable::NoCertificate } else { Unusable::CertificateDamaged };
    for (at, certificate) in certificates.iter().enumerate() {
        let Some(public) = PublicKey::of_certificate(certificate.as_ref()) else { continue };
        if key.is_none_or(|key| key.bytes == public.bytes) {
            let mut chain: Vec<_> = certificates.iter().map(AsRef::as_ref).collect();
            chain[..=at].rotate_right(1);
            return Ok((chain, public));
        }
        reason = Unusable::OtherCertificate;
    }
    Err(reason)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::made::Context;
    use crate::signing::SigningKey;
    use crate::signing::algorithm::Algorithm;
    use crate::signing::assertion::Assertion;
    use crate::signing::tests::rows;

    fn pem(id: &str) -> String {
        let rows = [rows("key_file"), rows("x5t")].concat();
        let row = rows.iter().find(|row| row["id"] == id).expect("a row");
        row["pem"].as_str().expect("PEM").to_owned()
    }

    fn header(key: SigningKey) -> Value {
        use base64::Engine as _;
        let jwt = Assertion::new(key).sign(Context::default(), std::time::UNIX_EPOCH, &[0; 16]).expect("a signature");
        let header = jwt.secret().split('.').next().expect("a header");
        serde_json::from_slice(&super::URL_SAFE_NO_PAD.decode(header).expect("Base64")).expect("JSON")
    }

    #[test]
    fn every_x5t_line_of_keys_jsonl() {
        let rows = rows("x5t");
        for row in &rows {
            let key = SigningKey::from_pem(pem("KV-KEY-01")).and_then(|key| key.certificate(pem("KV-X5T-1")));
            let key = key.expect("a key with its certificate");
            assert_eq!(header(key.clone())["x5t#S256"], row["x5t_s256"]);
            let key = key.send_x5t().and_then(SigningKey::send_x5c).expect("a certificate");
            let header = header(key);
            let x5c = row["x5c"].as_array().cloned().unwrap_or_else(|| vec![row["x5c"].clone()]);
            assert_eq!(header["x5t"], row["x5t"]);
            assert_eq!(header["x5c"].as_array(), Some(&x5c));
            assert_eq!(header.get("x5t#S256"), None);
        }
        assert_eq!(rows.len(), 1);
    }

    /// RFC 7515 section 4.1.6 requires it to be the first.
    #[test]
    fn the_certificate_of_the_key_is_found_in_any_order() {
        let certificate = |pem: &str| {
            let start = pem.find("-----BEGIN CERTIFICATE").expect("a certificate");
            let end = pem.find("-----END CERTIFICATE-----\n").expect("a certificate") + 26;
            pem[start..end].to_owned()
        };
        let key_file = pem("KF-10");
        let (own, other) = (certificate(&key_file), certificate(&pem("KV-X5T-1")));
        let private = key_file[key_file.find("-----BEGIN PRIVATE").expect("a key")..].to_owned();
        let mut chains = Vec::new();
        for parts in [[&private, &own, &other], [&other, &own, &private], [&own, &private, &other]] {
            let key = SigningKey::from_pem(parts.map(String::as_str).concat()).and_then(SigningKey::send_x5c);
            chains.push(header(key.expect("a key with its certificate"))["x5c"].clone());
        }
        chains.dedup();
        assert_eq!(chains.len(), 1);
        assert_eq!(chains[0].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn a_certificate_that_does_not_go_with_the_key_is_refused() {
        let error = |key: SigningKey, text: &str| key.certificate(text).expect_err("an error").to_string();
        let generated = || SigningKey::generate().expect("a key");
        assert!(error(generated(), &pem("KV-X5T-1")).contains("belongs to another key"));
        assert!(error(generated(), &pem("KV-KEY-04")).contains("has no certificate in PEM"));
        assert!(error(generated(), "").contains("not PEM"));
        let damaged = "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n";
        assert!(error(generated(), damaged).contains("a certificate is damaged"));

        let external = |algorithm| SigningKey::external(algorithm, |_| Ok(vec![0; 256]));
        assert_eq!(
            error(external(Algorithm::Es256), &pem("KV-X5T-1")),
            "SigningKey::algorithm: an RSA key signs RS256, RS384, RS512, PS256, PS384, PS512, not ES256"
        );
        let key = external(Algorithm::Ps256).certificate(pem("KV-X5T-1")).expect("a certificate of RSA");
        let known = SigningKey::from_pem(pem("KV-KEY-01")).and_then(|key| key.algorithm(Algorithm::Ps256));
        assert_eq!(key.public_jwk(), known.expect("the same key").public_jwk());
    }
}
