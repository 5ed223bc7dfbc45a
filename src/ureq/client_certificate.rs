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

impl UreqTransport {
    /// Makes a transport that shows a client certificate (mutual TLS): client authentication by
    /// RFC 8705 section 2, together with [`Credentials::public`](crate::Credentials::public). `pem`
    /// has the certificate, its chain if there is one, and its key, in any order.
    ///
    /// The agent has the defaults of [`new`](Self::new). For other settings, such as a private CA, give
    /// [`with_agent`](Self::with_agent) an agent with the
    /// [`client_certificate`](Self::client_certificate).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], the same as for [`client_certificate`](Self::client_certificate).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, UreqTransport};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// let transport = UreqTransport::with_client_certificate(std::fs::read("client.pem")?)?;
    /// let source = TokenSource::builder(Credentials::public("my-client"), request)
    ///     .transport(transport)
    ///     .build()?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_client_certificate(pem: impl AsRef<[u8]>) -> Result<Self, Error> {
        let certificate = read(pem.as_ref(), "UreqTransport::with_client_certificate")?;
        Ok(Self::with_tls_config(TlsConfig::builder().client_cert(Some(certificate)).build()))
    }

    /// Reads a client certificate for an agent of your own. It is checked here, because ureq 3.5 panics
    /// at the first connection if certificate and key do not belong together. `pem` has the
    /// certificate, its chain if there is one, and its key, in any order.
    ///
    /// If the API takes tokens that are bound to the certificate (RFC 8705 section 3), one agent can be
    /// both the transport and what [`wrap`](crate::TokenSource::wrap) gets.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if there is no certificate or no key, if the key is encrypted, damaged
    /// or not supported, if the certificate belongs to another key, or if it cannot be used for TLS,
    /// as one of X.509 version 1.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, UreqTransport};
    /// use ureq::tls::TlsConfig;
    ///
    /// let certificate = UreqTransport::client_certificate(std::fs::read("client.pem")?)?;
    /// let tls = TlsConfig::builder().client_cert(Some(certificate)).build();
    /// let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// let source = TokenSource::builder(Credentials::public("my-client"), request)
    ///     .transport(UreqTransport::with_agent(agent.clone()))
    ///     .build()?;
    /// let agent = source.wrap(agent);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn client_certificate(pem: impl AsRef<[u8]>) -> Result<ClientCert, Error> {
        read(pem.as_ref(), "UreqTransport::client_certificate")
    }
}

/// Reads and checks a client certificate. `method` is for the error.
fn read(pem: &[u8], method: &str) -> Result<ClientCert, Error> {
    let ClientCertificate { chain, format, key } = ClientCertificate::read(pem, method)?;
    let certificates = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    // What ureq does, with `expect`.
    CertifiedKey::from_der(certificates, for_rustls(format, &key).clone_key(), &default_provider()).map_err(|cause| {
        Error::configuration(format!(
            "{method}: the certificate or its key cannot be used for TLS ({cause}); rustls takes X.509 certificates of \
             version 3 with an RSA, P-256, P-384 or Ed25519 key"
        ))
    })?;
    let chain: Vec<_> = chain.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let key = PrivateKey::from_pem(in_pem(format, &key).as_bytes())
        .map_err(|_| Error::configuration(format!("{method}: the key cannot be read by ureq")))?;
    Ok(ClientCert::new_with_certs(&chain, key))
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
