//! Private keys in DER: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 appendix A.1.2) and SEC 1 (RFC 5915).
//! Imports `signing::algorithm`, `signing::crypto`, `signing::der`, `signing::unusable`.

use zeroize::Zeroizing;

use crate::signing::algorithm::{Algorithm, Kind};
use crate::signing::crypto::Pair;
use crate::signing::der::{CONTEXT_0, CONTEXT_1, CONTEXT_1_PRIMITIVE, OCTET_STRING, OID, Reader, SEQUENCE};
use crate::signing::unusable::Unusable::{self, Damaged};

/// The form of the DER, which the label of a PEM section names.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    Pkcs8,
    Pkcs1(Kind),
    Sec1,
}

/// A key, and the algorithm that it signs with unless another one is chosen.
pub(crate) struct PrivateKey {
    pub(crate) pair: Pair,
    pub(crate) kind: Kind,
    pub(crate) algorithm: Algorithm,
}

impl PrivateKey {
    pub(crate) fn new(pair: Pair, kind: Kind) -> Self {
        Self { pair, kind, algorithm: kind.algorithms()[0] }
    }

    pub(crate) fn read(format: Format, der: &[u8]) -> Result<Self, Unusable> {
        match format {
            Format::Pkcs8 => pkcs8(der),
            Format::Pkcs1(kind) => pkcs1(der, kind),
            Format::Sec1 => sec1(der, None, None),
        }
    }
}

fn pkcs8(der: &[u8]) -> Result<PrivateKey, Unusable> {
    let mut key = Reader::sequence(der).ok_or(Damaged)?;
    key.unsigned().filter(|version| matches!(version, [] | [1])).ok_or(Damaged)?;
    let mut algorithm = Reader::new(key.take(SEQUENCE).ok_or(Damaged)?);
    let oid = algorithm.take(OID).ok_or(Damaged)?;
    let private = key.take(OCTET_STRING).ok_or(Damaged)?;
    key.take(CONTEXT_0); // Attributes.
    // Version 2 may have the public key here. Some write its tag as if it were not implicit.
    let public = match key.take(CONTEXT_1) {
        Some(explicit) => Reader::new(explicit).bits(),
        None => key.take(CONTEXT_1_PRIMITIVE).and_then(|bits| bits.strip_prefix(&[0])),
    };
    key.end().ok_or(Damaged)?;
    match kind_of(oid, algorithm)? {
        kind @ (Kind::Rsa | Kind::RsaPss) => {
            let mut key = pkcs1(private, kind)?;
            if kind == Kind::RsaPss {
                key.algorithm = pss_algorithm(algorithm).unwrap_or(key.algorithm);
            }
            Ok(key)
        }
        kind @ (Kind::P256 | Kind::P384) => sec1(private, Some(kind), public),
        kind @ Kind::Ed25519 => {
            // RFC 8410 section 7: an OCTET STRING in the OCTET STRING.
            let mut inner = Reader::new(private);
            let seed = inner.take(OCTET_STRING).ok_or(Damaged)?;
            inner.end().ok_or(Damaged)?;
            ed25519(seed, public).map(|pair| PrivateKey::new(pair, kind))
        }
    }
}

/// Returns what an `AlgorithmIdentifier` names, from its OID and what follows.
pub(crate) fn kind_of(oid: &[u8], parameters: Reader<'_>) -> Result<Kind, Unusable> {
    match oid {
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" => Ok(Kind::Rsa),
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" => Ok(Kind::RsaPss),
        b"\x2a\x86\x48\xce\x3d\x02\x01" => curve(parameters),
        b"\x2b\x65\x70" => Ok(Kind::Ed25519),
        b"\x2b\x65\x71" => Err(Unusable::Ed448),
        // X25519, X448, DH.
        b"\x2b\x65\x6e" | b"\x2b\x65\x6f" | b"\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01" => Err(Unusable::KeyExchange),
        _ => Err(Unusable::OtherAlgorithm),
    }
}

/// Reads `ECParameters` (RFC 5480 section 2.1.1).
fn curve(mut parameters: Reader<'_>) -> Result<Kind, Unusable> {
    match parameters.next().ok_or(Damaged)? {
        (OID, b"\x2a\x86\x48\xce\x3d\x03\x01\x07") => Ok(Kind::P256),
        (OID, b"\x2b\x81\x04\x00\x22") => Ok(Kind::P384),
        (OID, b"\x2b\x81\x04\x00\x23") => Err(Unusable::P521),
        (OID, b"\x2b\x81\x04\x00\x0a") => Err(Unusable::Secp256k1),
        (OID, _) => Err(Unusable::OtherCurve),
        (SEQUENCE, _) => Err(Unusable::ExplicitCurve),
        _ => Err(Damaged),
    }
}

/// Returns the algorithm of the hash that the parameters of id-RSASSA-PSS name (RFC 4055 section
/// 3.1). Most such keys have no parameters.
fn pss_algorithm(mut identifier: Reader<'_>) -> Option<Algorithm> {
    let mut parameters = Reader::new(identifier.take(SEQUENCE)?);
    let mut hash = Reader::new(parameters.take(CONTEXT_0)?);
    match Reader::new(hash.take(SEQUENCE)?).take(OID)? {
        b"\x60\x86\x48\x01\x65\x03\x04\x02\x02" => Some(Algorithm::Ps384),
        b"\x60\x86\x48\x01\x65\x03\x04\x02\x03" => Some(Algorithm::Ps512),
        _ => None,
    }
}

fn pkcs1(der: &[u8], kind: Kind) -> Result<PrivateKey, Unusable> {
    let mut key = Reader::sequence(der).ok_or(Damaged)?;
    match key.unsigned().ok_or(Damaged)? {
        [] => {}
        [1] => return Err(Unusable::RsaPrimes),
        _ => return Err(Damaged),
    }
    let mut numbers: [&[u8]; 8] = [&[]; 8];
    for number in &mut numbers {
        *number = key.unsigned().ok_or(Damaged)?;
    }
    key.end().ok_or(Damaged)?;
    rsa(numbers).map(|pair| PrivateKey::new(pair, kind))
}

fn sec1(der: &[u8], kind: Option<Kind>, public: Option<&[u8]>) -> Result<PrivateKey, Unusable> {
    let mut key = Reader::sequence(der).ok_or(Damaged)?;
    key.unsigned().filter(|version| version == &[1]).ok_or(Damaged)?;
    let d = key.take(OCTET_STRING).ok_or(Damaged)?;
    let named = key.take(CONTEXT_0).map(|parameters| curve(Reader::new(parameters)));
    let kind = match kind {
        Some(kind) => kind,
        None => named.ok_or(Damaged)??,
    };
    let point = key.take(CONTEXT_1).and_then(|bits| Reader::new(bits).bits()).or(public);
    ecdsa(kind, d, point.ok_or(Unusable::EcWithoutPublic)?).map(|pair| PrivateKey::new(pair, kind))
}

/// Makes an RSA key of its numbers, in the order of PKCS#1.
pub(crate) fn rsa(numbers: [&[u8]; 8]) -> Result<Pair, Unusable> {
    let numbers = numbers.map(significant);
    let [n, e, ..] = numbers;
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    // What `ring` accepts. A modulus may be a bit shorter than its name says.
    if ![2048, 3072, 4096].contains(&bits.next_multiple_of(2)) {
        return Err(Unusable::RsaSize(bits));
    }
    if e.len() < 3 || e == [1, 0, 0] {
        return Err(Unusable::RsaExponent);
    }
    Pair::rsa(numbers).ok_or(Unusable::Inconsistent)
}

/// Makes an EC key of its private number and its point.
pub(crate) fn ecdsa(kind: Kind, d: &[u8], point: &[u8]) -> Result<Pair, Unusable> {
    let size = if kind == Kind::P384 { 48 } else { 32 };
    match point {
        [4, xy @ ..] if xy.len() == 2 * size => {}
        [2 | 3, x @ ..] if x.len() == size => return Err(Unusable::EcCompressed),
        _ => return Err(Damaged),
    }
    let d = padded(d, size).ok_or(Damaged)?;
    Pair::ecdsa(&d, point).ok_or(Unusable::Inconsistent)
}

pub(crate) fn ed25519(seed: &[u8], public: Option<&[u8]>) -> Result<Pair, Unusable> {
    if seed.len() != 32 {
        return Err(Damaged);
    }
    Pair::ed25519(seed, public).ok_or(Unusable::Inconsistent)
}

/// Returns the number without leading zeros.
fn significant(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|&byte| byte != 0).unwrap_or(number.len());
    &number[start..]
}

/// Returns the number in this many bytes. Some programs leave leading zeros out.
pub(crate) fn padded(number: &[u8], size: usize) -> Option<Zeroizing<Vec<u8>>> {
    let number = significant(number);
    let mut out = Zeroizing::new(vec![0; size]);
    out[size.checked_sub(number.len())?..].copy_from_slice(number);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_padded_whether_it_has_too_few_or_too_many_zeros() {
        assert_eq!(padded(&[0, 0, 1], 2).as_deref(), Some(&vec![0, 1]));
        assert_eq!(padded(&[1], 2).as_deref(), Some(&vec![0, 1]));
        assert_eq!(padded(&[1, 2, 3], 2), None);
        assert_eq!(padded(&[], 1).as_deref(), Some(&vec![0]));
    }

    #[test]
    fn parameters_of_pss_choose_the_algorithm() {
        let row = |id: &str| {
            let rows = crate::signing::tests::rows("key_file");
            let row = rows.iter().find(|row| row["id"] == id).expect("a row").clone();
            format!("{:?}", crate::SigningKey::from_pem(row["pem"].as_str().expect("PEM")).expect("a key"))
        };
        assert!(row("KF-03").contains("PS384"));
        assert!(row("KV-KEY-25").contains("PS256") && row("KF-04").contains("PS256"));
        let error = crate::SigningKey::generate().and_then(|key| key.algorithm(Algorithm::Ps256));
        assert!(error.expect_err("an error").to_string().contains("a P-256 key signs ES256, not PS256"));
    }
}
