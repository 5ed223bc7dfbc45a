//! A client certificate for the token request, checked by rustls before ureq uses it. Imports `error`,
//! `signing`, `ureq::transport`.

use ::ureq::tls::{Certificate, ClientCert, PrivateKey, TlsConfig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::signing::client_certificate::ClientCertificate;
use crate::signing::private_key::Format;
use crate::ureq::transport::UreqTransport;

const METHOD: &str = "UreqTransport::with_client_certificate";

impl UreqTransport {
    /// Makes a transport that shows a client certificate (mutual TLS): client authentication by
    /// RFC 8705 section 2, together with [`Credentials::public`](crate::Credentials::public). `pem`
    /// has the certificate, its chain if there is one, and its key, in any order.
    ///
    /// The certificate and the key are checked here, because ureq 3.5 panics at the first connection
    /// if they do not belong together.
    ///
    /// If the API takes tokens that are bound to the certificate (section 3),
    /// [`wrap`](crate::TokenSource::wrap) an agent with the same certificate:
    ///
    /// ```no_run
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, UreqTransport};
    /// use ureq::tls::{Certificate, ClientCert, PrivateKey, TlsConfig};
    ///
    /// let pem = std::fs::read("client.pem")?;
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// let source = TokenSource::builder(Credentials::public("my-client"), request)
    ///     .transport(UreqTransport::with_client_certificate(&pem)?)
    ///     .build()?;
    ///
    /// let (certificate, key) = (Certificate::from_pem(&pem)?, PrivateKey::from_pem(&pem)?);
    /// let certificate = ClientCert::new_with_certs(&[certificate], key);
    /// let tls = TlsConfig::builder().client_cert(Some(certificate)).build();
    /// let agent = source.wrap(ureq::Agent::config_builder().tls_config(tls).build().into());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if there is no certificate or no key, if the key is encrypted, damaged
    /// or not supported, if the certificate belongs to another key, or if it cannot be used for TLS,
    /// as one of X.509 version 1.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::UreqTransport;
    /// let error = UreqTransport::with_client_certificate("client.pem").unwrap_err();
    /// assert!(error.to_string().ends_with("is it the name of a file?"));
    /// ```
    pub fn with_client_certificate(pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let ClientCertificate { chain, format, key } = ClientCertificate::read(pem.as_ref(), METHOD)?;
        let certificates = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
        // What ureq does, with `expect`.
        CertifiedKey::from_der(certificates, for_rustls(format, &key).clone_key(), &default_provider()).map_err(
            |cause| {
                Error::configuration(format!(
                    "{METHOD}: the certificate or its key cannot be used for TLS ({cause}); rustls takes X.509 \
                     certificates of version 3 with an RSA, P-256, P-384 or Ed25519 key"
                ))
            },
        )?;
        let chain: Vec<_> = chain.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let key = PrivateKey::from_pem(in_pem(format, &key).as_bytes())
            .map_err(|_| Error::configuration(format!("{METHOD}: the key cannot be read by ureq")))?;
        let certificate = ClientCert::new_with_certs(&chain, key);
        Ok(Self::with_tls_config(TlsConfig::builder().client_cert(Some(certificate)).build()))
    }
}

fn for_rustls(format: Format, der: &[u8]) -> PrivateKeyDer<'_> {
    match format {
        Format::Pkcs8 => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der)),
        Format::Pkcs1(_) => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der)),
        Format::Sec1 => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der)),
    }
}

/// The only form in which ureq takes a key: the type that its `PrivateKey::from_der` needs is not
/// public.
fn in_pem(format: Format, der: &[u8]) -> Zeroizing<String> {
    let label = match format {
        Format::Pkcs8 => "PRIVATE KEY",
        Format::Pkcs1(_) => "RSA PRIVATE KEY",
        Format::Sec1 => "EC PRIVATE KEY",
    };
    let base64 = Zeroizing::new(STANDARD.encode(der));
    Zeroizing::new(format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", *base64))
}
