//! Keys that sign, and the assertions that they sign: bytes in, bytes out, with time and random
//! numbers as arguments. Only [`crypto`] takes random numbers by itself, for signatures that need
//! them and for new keys. This file has [`SigningKey`]; it imports `error`, `instance` and the
//! modules of `signing` that [`jwt`] and [`assertion`] are not.

pub(crate) mod algorithm;
pub(crate) mod assertion;
mod certificate;
#[cfg(feature = "rustls")]
pub(crate) mod client_certificate;
mod crypto;
pub(crate) mod der;
mod jwk;
mod jwt;
pub(crate) mod makers;
mod pem;
pub(crate) mod private_key;
mod public_key;
mod unusable;

use std::fmt;
use std::sync::Arc;

use crate::error::{BoxError, Error};
use crate::instance::Instance;
use crate::signing::algorithm::Algorithm;
use crate::signing::certificate::Certificates;
use crate::signing::crypto::{Pair, SharedKey};
use crate::signing::jwk::Jwk;
use crate::signing::pem::File;
use crate::signing::private_key::PrivateKey;
use crate::signing::public_key::{PublicKey, thumbprint};
use crate::signing::unusable::Unusable;

type Closure = dyn Fn(&[u8]) -> Result<Vec<u8>, BoxError> + Send + Sync;

/// A private key, or a service that holds one and signs with it.
///
/// It is read from PEM or a JWK, generated, or stays elsewhere ([`external`](Self::external)). RSA
/// keys of 2048, 3072 and 4096 bits and EC keys on P-256, P-384 and Ed25519 are supported. A key
/// that cannot be used is an error that names the command or the change that helps; no error shows
/// a part of a key.
///
/// A clone is cheap, and shares the key. `Debug` shows the algorithm, the key id and the thumbprint
/// of the public key (RFC 7638). The private parts cannot be taken out.
///
/// # Examples
///
/// ```
/// use client_credentials::{Algorithm, SigningKey};
///
/// let key = SigningKey::generate()?.key_id("2026-11");
/// assert!(key.clone().algorithm(Algorithm::Rs256).is_err()); // It is a P-256 key.
///
/// // What the authorization server has to know of it:
/// let jwk = key.public_jwk().expect("the public key is known");
/// assert!(jwk.contains(r#""alg":"ES256","crv":"P-256","kid":"2026-11","kty":"EC","use":"sig""#));
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    signer: Arc<Signer>,
    /// `None` for a service whose certificate is not known.
    public: Option<Arc<PublicKey>>,
    /// `None` for HS256, which no user of this type chooses.
    algorithm: Option<Algorithm>,
    key_id: Option<Arc<str>>,
    certificates: Option<Arc<Certificates>>,
    sends_x5t: bool,
    sends_x5c: bool,
}

enum Signer {
    Pair(Pair),
    External(Box<Closure>, Instance),
    /// With its thumbprint.
    Shared(SharedKey, Arc<str>),
}

impl SigningKey {
    /// Reads a private key in PEM: PKCS#8, PKCS#1 (`RSA PRIVATE KEY`) or SEC 1 (`EC PRIVATE KEY`),
    /// not encrypted.
    ///
    /// The text may come from a file or a variable. Line breaks may be written as `\n`, or be
    /// spaces, or be missing; quotes and text around the key do not matter. A private JWK is read,
    /// too, as by [`from_jwk`](Self::from_jwk).
    ///
    /// Certificates in the same text are taken over, as by [`certificate`](Self::certificate). An
    /// RSA key for PSS only (`id-RSASSA-PSS`) signs PS256, PS384 and PS512.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the text has no private key or more than one, or if the key is
    /// encrypted, damaged or not supported, or belongs to another certificate than the one in the
    /// text.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::SigningKey;
    /// let variable = r"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    /// let key = SigningKey::from_pem(variable)?;
    /// assert!(format!("{key:?}").contains("EdDSA"));
    ///
    /// let error = SigningKey::from_pem("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII\n-----END ENCRYPTED PRIVATE KEY-----");
    /// assert!(error.unwrap_err().to_string().contains("openssl pkey -in KEY -out PLAIN"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        Self::read(pem.as_ref()).map_err(|unusable| unusable.at("SigningKey::from_pem"))
    }

    fn read(text: &[u8]) -> Result<Self, Unusable> {
        if pem::unwrapped(text).first() == Some(&b'{') {
            return Self::read_jwk(std::str::from_utf8(text).map_err(|_| Unusable::NotJwk)?);
        }
        let file = File::read(text)?;
        let (format, der) = file.key()?;
        let mut key = Self::of(PrivateKey::read(format, der)?)?;
        if !file.certificates.is_empty() {
            key.take_over(Certificates::new(&file.certificates, key.public.as_deref())?);
        }
        Ok(key)
    }

    /// Reads a private key as JWK (RFC 7517), with its `kid` and its `alg`, if it has them.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the text is not a private JWK, or if its key or its `alg` is not
    /// supported.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::SigningKey;
    /// let key = SigningKey::from_jwk(r#"{
    ///     "kty": "OKP", "crv": "Ed25519", "kid": "2026-11",
    ///     "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    ///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    /// }"#)?;
    /// let jwk = key.public_jwk().expect("the public key is known");
    /// assert!(jwk.contains("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") && !jwk.contains(r#""d""#));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn from_jwk(json: &str) -> Result<Self, Error> {
        Self::read_jwk(json).map_err(|unusable| unusable.at("SigningKey::from_jwk"))
    }

    fn read_jwk(json: &str) -> Result<Self, Unusable> {
        let Jwk { key, key_id } = Jwk::read(json)?;
        let mut read = Self::of(key)?;
        read.key_id = key_id.map(Into::into);
        Ok(read)
    }

    /// Makes a new key for ES256. It lives as long as the process, since it cannot be taken out.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the operating system gives no random numbers.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::SigningKey;
    /// let (one, other) = (SigningKey::generate()?, SigningKey::generate()?);
    /// assert_ne!(one.public_jwk(), other.public_jwk());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn generate() -> Result<Self, Error> {
        let pair = Pair::generate().ok_or(Unusable::NoRandomNumbers);
        let key = pair.and_then(|pair| Self::of(PrivateKey::new(pair, algorithm::Kind::P256)));
        key.map_err(|unusable| unusable.at("SigningKey::generate"))
    }

    /// Makes a key that stays elsewhere: in a KMS, an HSM, a TPM, or an agent. The closure gets the
    /// bytes to sign and returns the signature.
    ///
    /// If the service signs digests, the closure hashes the bytes first. An ECDSA signature may be
    /// DER, or R and S (RFC 7518 section 3.4). The closure is called for each assertion. If it fails,
    /// the error is [`Error::Credentials`], whose source is the closure's error.
    ///
    /// The public key is not known, unless [`certificate`](Self::certificate) names it. So tokens
    /// are shared only between sources whose keys are clones of this value.
    ///
    /// ```
    /// # use client_credentials::{Algorithm, SigningKey};
    /// # struct Kms;
    /// # impl Kms {
    /// #     fn sign(&self, _key: &str, _message: &[u8]) -> Result<Vec<u8>, std::io::Error> { Ok(vec![0; 64]) }
    /// # }
    /// # let kms = Kms;
    /// let sign = move |message: &[u8]| Ok(kms.sign("alias/my-client", message)?);
    /// let key = SigningKey::external(Algorithm::Es256, sign).key_id("2026-11");
    /// assert_eq!(key.public_jwk(), None);
    /// ```
    #[must_use]
    pub fn external<F>(algorithm: Algorithm, sign: F) -> Self
    where
        F: Fn(&[u8]) -> Result<Vec<u8>, BoxError> + Send + Sync + 'static,
    {
        Self::with(Signer::External(Box::new(sign), Instance::default()), None, Some(algorithm))
    }

    fn of(key: PrivateKey) -> Result<Self, Unusable> {
        let public = PublicKey::of_private(&key)?;
        Ok(Self::with(Signer::Pair(key.pair), Some(public), Some(key.algorithm)))
    }

    fn with(signer: Signer, public: Option<PublicKey>, algorithm: Option<Algorithm>) -> Self {
        Self {
            signer: Arc::new(signer),
            public: public.map(Arc::new),
            algorithm,
            key_id: None,
            certificates: None,
            sends_x5t: false,
            sends_x5c: false,
        }
    }

    /// Signs with this algorithm. Default: `RS256` for RSA, `PS256` for RSA for PSS only, `ES256`
    /// for P-256, `ES384` for P-384, `EdDSA` for Ed25519, and the `alg` of a JWK.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the key cannot sign with it. The text says what it can.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Algorithm, SigningKey};
    /// let error = SigningKey::generate()?.algorithm(Algorithm::EdDsa).unwrap_err();
    /// assert_eq!(error.to_string(), "SigningKey::algorithm: a P-256 key signs ES256, not EdDSA");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn algorithm(mut self, algorithm: Algorithm) -> Result<Self, Error> {
        self.check(algorithm)?;
        self.algorithm = Some(algorithm);
        Ok(self)
    }

    fn check(&self, algorithm: Algorithm) -> Result<(), Error> {
        match &self.public {
            Some(public) if !public.kind.algorithms().contains(&algorithm) => {
                let names: Vec<&str> = public.kind.algorithms().iter().map(|known| known.name()).collect();
                let (kind, names) = (public.kind.name(), names.join(", "));
                Err(Error::configuration(format!("SigningKey::algorithm: {kind} signs {names}, not {algorithm}")))
            }
            _ => Ok(()),
        }
    }

    /// Names the key for the server, in the header `kid` (RFC 7515 section 4.1.4). Default: no name,
    /// or the `kid` of a JWK.
    ///
    /// ```
    /// # use client_credentials::SigningKey;
    /// let key = SigningKey::generate()?.key_id("2026-11");
    /// assert!(format!("{key:?}").contains("2026-11"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into().into());
        self
    }

    /// Adds the certificate of this key, with its chain, if the text has one, in any order. The
    /// header `x5t#S256` then names it (RFC 7515 section 4.1.8).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the text has no certificate in PEM, or none of this key, or one
    /// of a key that cannot sign with the algorithm.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::SigningKey;
    /// let error = SigningKey::generate()?.certificate("-----BEGIN CERT").unwrap_err();
    /// assert!(error.to_string().starts_with("SigningKey::certificate: "));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn certificate(mut self, pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let file = File::read(pem.as_ref());
        let made = file.and_then(|file| Certificates::new(&file.certificates, self.public.as_deref()));
        self.take_over(made.map_err(|unusable| unusable.at("SigningKey::certificate"))?);
        self.algorithm.map_or(Ok(()), |algorithm| self.check(algorithm))?;
        Ok(self)
    }

    fn take_over(&mut self, (certificates, public): (Certificates, PublicKey)) {
        self.certificates = Some(Arc::new(certificates));
        self.public.get_or_insert_with(|| Arc::new(public));
    }

    /// Names the certificate by its SHA-1 digest (`x5t`, RFC 7515 section 4.1.7) instead of by
    /// SHA-256, for older servers such as AD FS.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if there is no [`certificate`](Self::certificate).
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::SigningKey;
    /// assert!(SigningKey::generate()?.send_x5t().is_err());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn send_x5t(mut self) -> Result<Self, Error> {
        self.needs_certificate("SigningKey::send_x5t")?;
        self.sends_x5t = true;
        Ok(self)
    }

    /// Sends the certificate and its chain with each assertion (`x5c`, RFC 7515 section 4.1.6), for
    /// servers that trust an authority instead of a single certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if there is no [`certificate`](Self::certificate).
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::SigningKey;
    /// assert!(SigningKey::generate()?.send_x5c().is_err());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn send_x5c(mut self) -> Result<Self, Error> {
        self.needs_certificate("SigningKey::send_x5c")?;
        self.sends_x5c = true;
        Ok(self)
    }

    fn needs_certificate(&self, method: &str) -> Result<(), Error> {
        self.certificates.as_ref().map(|_| ()).ok_or_else(|| {
            Error::configuration(format!("{method}: there is no certificate; add it with SigningKey::certificate"))
        })
    }

    /// Returns the public key as JWK (RFC 7517), to register it at the server, with `alg`, `use`
    /// and, if it has one, `kid`. `None` for an [`external`](Self::external) key without a
    /// certificate.
    ///
    /// ```
    /// # use client_credentials::SigningKey;
    /// let key = SigningKey::generate()?.key_id("2026-11");
    /// let jwk = key.public_jwk().expect("the public key is known");
    /// println!(r#"{{"keys":[{jwk}]}}"#); // A set of keys (RFC 7517 section 5).
    /// # assert!(jwk.contains(r#""kid":"2026-11""#));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn public_jwk(&self) -> Option<String> {
        let more = [("alg", Some(self.algorithm_name())), ("kid", self.key_id.as_deref()), ("use", Some("sig"))];
        self.public.as_ref().map(|public| public.jwk(&more))
    }
}

impl SigningKey {
    /// Makes the key of `client_secret_jwt` (OpenID Connect Core section 9): HS256 with the bytes of
    /// the client secret.
    pub(crate) fn shared(secret: &[u8]) -> Result<Self, Error> {
        // RFC 7518 section 3.2.
        if secret.len() < 32 {
            return Err(Error::configuration(
                "the client secret is too short to sign with: HS256 needs 32 bytes (RFC 7518 section 3.2); let the \
                 server make a longer one",
            ));
        }
        // The value is only compared, so that it needs no Base64.
        let thumbprint = thumbprint(&[("k", &secret.escape_ascii().to_string()), ("kty", "oct")]);
        Ok(Self::with(Signer::Shared(SharedKey::new(secret), thumbprint), None, None))
    }

    /// Signs as JWS does (RFC 7515 section 5.1). Calls the closure of an external key.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, BoxError> {
        let algorithm = self.algorithm.unwrap_or(Algorithm::Rs256);
        match &*self.signer {
            Signer::Pair(pair) => {
                pair.sign(algorithm, message).ok_or_else(|| Unusable::NoRandomNumbers.at("SigningKey").into())
            }
            Signer::External(sign, _) => jws_signature(algorithm, sign(message)?),
            Signer::Shared(key, _) => Ok(key.sign(message)),
        }
    }

    pub(crate) fn algorithm_name(&self) -> &'static str {
        self.algorithm.map_or("HS256", Algorithm::name)
    }

    /// Returns what tells the key from others: a thumbprint (RFC 7638), or the instance of a closure.
    pub(crate) fn identity(&self) -> (Option<Arc<str>>, Option<&Instance>) {
        match (&*self.signer, &self.public) {
            (Signer::Shared(_, thumbprint), _) => (Some(Arc::clone(thumbprint)), None),
            (Signer::External(_, instance), _) => (None, Some(instance)),
            (Signer::Pair(_), public) => (public.as_ref().map(|public| Arc::clone(&public.thumbprint)), None),
        }
    }
}

/// Checks what the closure of an external key returned, and turns DER into R and S.
fn jws_signature(algorithm: Algorithm, answer: Vec<u8>) -> Result<Vec<u8>, BoxError> {
    let length = answer.len();
    let signature = match algorithm.coordinate() {
        Some(size) if length != 2 * size => der::ecdsa_raw(&answer, size),
        // Ed25519 and Ed448 (RFC 8032).
        None if algorithm == Algorithm::EdDsa => Some(answer).filter(|_| [64, 114].contains(&length)),
        None => Some(answer).filter(|_| length >= 256),
        Some(_) => Some(answer),
    };
    signature.ok_or_else(|| {
        format!(
            "the closure of SigningKey::external returned {length} bytes, which are not a signature for {algorithm}"
        )
        .into()
    })
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm_name())
            .field("key_id", &self.key_id)
            .field("thumbprint", &self.public.as_ref().map(|public| &public.thumbprint))
            .finish()
    }
}

#[cfg(test)]
mod tests;
