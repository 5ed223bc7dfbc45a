//! The algorithms of a signature (RFC 7518 section 3.1), and the kinds of keys that sign with them.
//! Imports nothing from this crate.

use std::fmt;

/// The algorithm of a signature, named as in the header `alg` of a JWS (RFC 7518 section 3.1, RFC
/// 8037 section 3.1).
///
/// A key has a default, and [`SigningKey::algorithm`](crate::SigningKey::algorithm) chooses another.
/// `Display` shows the name of the RFC.
///
/// # Examples
///
/// ```
/// use client_credentials::Algorithm;
///
/// assert_eq!(Algorithm::Ps256.to_string(), "PS256");
/// assert_eq!(Algorithm::EdDsa.to_string(), "EdDSA");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256. The default of an RSA key.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256. The default of an RSA key that may be used for PSS only.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256. The default of such a key.
    Es256,
    /// ECDSA on P-384 with SHA-384. The default of such a key.
    Es384,
    /// ECDSA on P-521 with SHA-512, for [`SigningKey::external`](crate::SigningKey::external) only.
    Es512,
    /// Ed25519 (RFC 8037). The default of such a key. An external key may be on Ed448, too.
    EdDsa,
}

use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};

impl Algorithm {
    const ALL: [Self; 10] = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512, Es256, Es384, Es512, EdDsa];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Rs256 => "RS256",
            Rs384 => "RS384",
            Rs512 => "RS512",
            Ps256 => "PS256",
            Ps384 => "PS384",
            Ps512 => "PS512",
            Es256 => "ES256",
            Es384 => "ES384",
            Es512 => "ES512",
            EdDsa => "EdDSA",
        }
    }

    /// Reads the `alg` of a JWK. RFC 9864 calls EdDSA on this curve `Ed25519`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).or((name == "Ed25519").then_some(EdDsa))
    }

    /// Returns the length of R and of S if this is ECDSA (RFC 7518 section 3.4).
    pub(crate) fn coordinate(self) -> Option<usize> {
        match self {
            Es256 => Some(32),
            Es384 => Some(48),
            Es512 => Some(66),
            _ => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a key is, which decides what it can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa,
    /// An RSA key whose identifier allows PSS only (id-RSASSA-PSS, RFC 4055 section 1.2).
    RsaPss,
    P256,
    P384,
    Ed25519,
}

impl Kind {
    /// Returns what the key can sign, the default first.
    pub(crate) fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::Rsa => &Algorithm::ALL[..6],
            Self::RsaPss => &Algorithm::ALL[3..6],
            Self::P256 => &[Es256],
            Self::P384 => &[Es384],
            Self::Ed25519 => &[EdDsa],
        }
    }

    /// Returns the kind for messages, with its article.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rsa => "an RSA key",
            Self::RsaPss => "an RSA key for PSS only",
            Self::P256 => "a P-256 key",
            Self::P384 => "a P-384 key",
            Self::Ed25519 => "an Ed25519 key",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_not() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::from_name("Ed25519"), Some(EdDsa));
        for other in ["none", "HS256", "ES256K", "RSA-OAEP", "rs256", ""] {
            assert_eq!(Algorithm::from_name(other), None, "{other}");
        }
    }
}
