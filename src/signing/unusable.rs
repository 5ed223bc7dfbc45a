//! Why a key cannot be used, and the command or the change that helps. All of these texts are in
//! this module, so that one look shows that they repeat nothing of the key. Imports `error`.

use std::borrow::Cow;

use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    // The form of the file.
    Encrypted,
    OpenSsh,
    OpenSshEd25519,
    CertificateOnly,
    PublicOnly,
    SshPublic,
    NoSection,
    SeveralKeys,
    Cut,
    NotBase64,
    NotPem,
    NotUtf8,
    Base64OfPem,
    OnlyBase64,
    Der,
    Pkcs12,
    // What the key is.
    Damaged,
    Inconsistent,
    P521,
    Secp256k1,
    OtherCurve,
    ExplicitCurve,
    EcWithoutPublic,
    EcCompressed,
    Ed448,
    KeyExchange,
    OtherAlgorithm,
    RsaSize(usize),
    RsaExponent,
    RsaPrimes,
    // A JWK.
    NotJwk,
    JwkSet,
    KeyFile,
    SharedSecret,
    JwkWithoutPrimes,
    JwkForEncryption,
    JwkAlgorithm,
    // A certificate.
    NoCertificate,
    CertificateDamaged,
    OtherCertificate,
    // The machine.
    NoRandomNumbers,
}

use Unusable::*;

impl Unusable {
    /// Makes the error of this method.
    pub(crate) fn at(self, method: &str) -> Error {
        Error::configuration(format!("{method}: {}", self.text()))
    }

    fn text(self) -> Cow<'static, str> {
        match self {
            Encrypted => "the key is encrypted; decrypt it with `openssl pkey -in KEY -out PLAIN`",
            OpenSsh => "the key is in OpenSSH's own format; convert a copy of it with `ssh-keygen -p -m PKCS8 -f COPY`",
            OpenSshEd25519 => {
                "an Ed25519 key in OpenSSH's own format, which no command converts; make a new key with \
                 `openssl genpkey -algorithm ed25519 -out KEY`"
            }
            CertificateOnly => {
                "a certificate and no key; the private key is in another file, and both may be in one: \
                 `cat CERTIFICATE KEY`"
            }
            PublicOnly => "a public key; what signs is the private key that belongs to it",
            SshPublic => {
                "not PEM, but a public key of OpenSSH; what signs is the private key, in a file of the same name \
                 without .pub"
            }
            NoSection => {
                "PEM, but none of its sections is a private key; it begins with `-----BEGIN PRIVATE KEY-----`, or has \
                 RSA or EC before PRIVATE"
            }
            SeveralKeys => "more than one private key; leave the one to use",
            Cut => {
                "the line `-----END` is missing; a variable often holds the first line of a file only, so write its \
                 line breaks as \\n"
            }
            NotBase64 => "a key in PEM whose Base64 has other characters in it; copy the file again",
            NotPem => "not PEM, which begins with `-----BEGIN`, and not a JWK; is it the name of a file?",
            NotUtf8 => "not PEM, but text in UTF-16; save the file as UTF-8 or ASCII",
            Base64OfPem => "PEM that was encoded in Base64 once more; decode it with `base64 -d`",
            OnlyBase64 => {
                "not PEM, but what is between its lines; put `-----BEGIN PRIVATE KEY-----` before it and \
                 `-----END PRIVATE KEY-----` after it"
            }
            Der => "not PEM, but DER; convert it with `openssl pkey -inform DER -in KEY -out PEM`",
            Pkcs12 => "not PEM, but PKCS#12 (PFX); convert it with `openssl pkcs12 -in PFX -nodes -out PEM`",
            Damaged => "the key is damaged, since it cannot be decoded; copy the file again",
            Inconsistent => "the key is damaged, since its parts do not belong together; copy the file again",
            P521 => {
                "a P-521 key signs ES512, which is not supported; use a P-256 or P-384 key, or SigningKey::external"
            }
            Secp256k1 => {
                "a secp256k1 key, which is not P-256, signs ES256K, which is not supported; make a P-256 key with \
                 `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY`"
            }
            OtherCurve => {
                "the curve of this EC key is not supported; make a P-256 key with \
                 `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out KEY`"
            }
            ExplicitCurve => {
                "the EC key spells out its curve; name the curve with \
                 `openssl ec -in KEY -param_enc named_curve | openssl pkcs8 -topk8 -nocrypt -out KEY2`"
            }
            EcWithoutPublic => {
                "the EC key has no public key in it; add it with \
                 `openssl ec -in KEY | openssl pkcs8 -topk8 -nocrypt -out KEY2`"
            }
            EcCompressed => {
                "the public key in the EC key is compressed; write it out with \
                 `openssl ec -in KEY -conv_form uncompressed | openssl pkcs8 -topk8 -nocrypt -out KEY2`"
            }
            Ed448 => {
                "an Ed448 key, but of EdDSA only Ed25519 is supported; make a key with \
                 `openssl genpkey -algorithm ed25519 -out KEY`, or use SigningKey::external"
            }
            KeyExchange => {
                "a key for key exchange (X25519, X448, DH), which cannot sign; make one that can with \
                 `openssl genpkey -algorithm ed25519 -out KEY`"
            }
            OtherAlgorithm => "the algorithm of this key is not supported; use an RSA, P-256, P-384 or Ed25519 key",
            RsaSize(bits) => {
                return format!(
                    "an RSA key of {bits} bits, but only 2048, 3072 and 4096 are supported; make a key with \
                     `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out KEY`, or use \
                     SigningKey::external"
                )
                .into();
            }
            RsaExponent => {
                "an RSA key whose public exponent is below 65537, which is not supported; make a key with \
                 `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out KEY`"
            }
            RsaPrimes => "an RSA key of more than two primes, which is not supported; make a key of two",
            NotJwk => "not a JWK (RFC 7517), which is a JSON object with the member \"kty\" and others of its kind",
            JwkSet => "a set of keys (RFC 7517 section 5); use one of the objects in its member \"keys\"",
            KeyFile => "a key file in JSON; give its member \"private_key\" to SigningKey::from_pem",
            SharedSecret => "a shared secret (kty \"oct\"); give it to Credentials::new",
            JwkWithoutPrimes => {
                "an RSA key needs the members \"p\", \"q\", \"dp\", \"dq\" and \"qi\", too; export it with them, or \
                 as PEM"
            }
            JwkForEncryption => "the \"use\" of this key is encryption; use one for signatures (\"sig\")",
            JwkAlgorithm => {
                "the \"alg\" of this JWK is not supported for its key; an RSA key signs RS256, RS384, RS512, PS256, \
                 PS384 and PS512, a P-256 key ES256, a P-384 key ES384, and an Ed25519 key EdDSA"
            }
            NoCertificate => "has no certificate in PEM, which begins with `-----BEGIN CERTIFICATE-----`",
            CertificateDamaged => "a certificate is damaged, since it cannot be decoded; copy the file again",
            OtherCertificate => {
                "the certificate belongs to another key, since the public keys differ; compare what \
                 `openssl pkey -in KEY -pubout` and `openssl x509 -in CERTIFICATE -noout -pubkey` say"
            }
            NoRandomNumbers => "the operating system gives no random numbers",
        }
        .into()
    }
}
