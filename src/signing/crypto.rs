//! Keys that sign, hashes and HMAC. The only module that names `ring`, which ureq uses for TLS, so
//! that another choice there is a change of one file. Imports `signing::algorithm`.
//!
//! `ring` does not wipe its keys.

use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPairComponents, PublicKeyComponents};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    RsaKeyPair,
};

use crate::signing::algorithm::Algorithm::{self, Ps256, Ps384, Ps512, Rs384, Rs512};

/// A key pair that signs.
pub(crate) enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    /// Makes an RSA key of its numbers, in the order of PKCS#1: `n`, `e`, `d`, `p`, `q`, `dp`,
    /// `dq`, `qi`. Signs once, because `dp` and `dq` are not checked otherwise.
    #[expect(clippy::many_single_char_names, reason = "the names of RFC 8017 and RFC 7518")]
    pub(crate) fn rsa([n, e, d, p, q, dp, dq, qi]: [&[u8]; 8]) -> Option<Self> {
        let public_key = PublicKeyComponents { n, e };
        let components = KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi };
        let pair = Self::Rsa(RsaKeyPair::from_components(&components).ok()?);
        pair.sign(Algorithm::Rs256, &[])?;
        Some(pair)
    }

    /// Makes a key on P-256, or on P-384 if `d` has 48 bytes, of the private number and the
    /// uncompressed point.
    pub(crate) fn ecdsa(d: &[u8], point: &[u8]) -> Option<Self> {
        let algorithm = if d.len() == 48 { &ECDSA_P384_SHA384_FIXED_SIGNING } else { &ECDSA_P256_SHA256_FIXED_SIGNING };
        let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, d, point, &SystemRandom::new());
        pair.ok().map(Self::Ecdsa)
    }

    pub(crate) fn ed25519(seed: &[u8], public: Option<&[u8]>) -> Option<Self> {
        let pair = match public {
            Some(public) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
            None => Ed25519KeyPair::from_seed_unchecked(seed),
        };
        pair.ok().map(Self::Ed25519)
    }

    /// Makes a new key on P-256.
    pub(crate) fn generate() -> Option<Self> {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).ok()?;
        EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).ok().map(Self::Ecdsa)
    }

    /// Returns the public key as it is in the BIT STRING of a `SubjectPublicKeyInfo`.
    pub(crate) fn public(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::Ecdsa(pair) => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// Returns the signature as JWS has it: ECDSA as R and S, not as DER (RFC 7518 section 3.4).
    /// `None` if the operating system gives no random numbers, or if the key is inconsistent.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    Rs384 => &RSA_PKCS1_SHA384,
                    Rs512 => &RSA_PKCS1_SHA512,
                    Ps256 => &RSA_PSS_SHA256,
                    Ps384 => &RSA_PSS_SHA384,
                    Ps512 => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ecdsa(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// A secret that authenticates with HMAC-SHA-256 (HS256, RFC 7518 section 3.2).
pub(crate) struct SharedKey(hmac::Key);

impl SharedKey {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, message).as_ref().to_vec()
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> impl AsRef<[u8]> {
    digest::digest(&SHA256, bytes)
}

/// SHA-1, for `x5t`, which is one by definition (RFC 7515 section 4.1.7).
pub(crate) fn sha1(bytes: &[u8]) -> impl AsRef<[u8]> {
    digest::digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes)
}
