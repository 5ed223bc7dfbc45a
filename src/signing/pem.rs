//! Reads keys and certificates in PEM (RFC 7468), as people have them: with line breaks as `\n`,
//! in one line, indented, in quotes. Imports `signing::algorithm`, `signing::der`,
//! `signing::private_key`, `signing::unusable`.

use std::mem;

use rustls_pki_types::pem::{PemObject as _, SectionKind};
use zeroize::Zeroizing;

use crate::signing::algorithm::Kind;
use crate::signing::der::Reader;
use crate::signing::private_key::Format;
use crate::signing::unusable::Unusable;

/// The sections of a file, decoded.
pub(crate) struct File {
    keys: Vec<(Format, Zeroizing<Vec<u8>>)>,
    pub(crate) certificates: Vec<Zeroizing<Vec<u8>>>,
    /// What the file has instead, if it has no key that can be used.
    otherwise: Unusable,
}

impl File {
    pub(crate) fn read(text: &[u8]) -> Result<Self, Unusable> {
        let (mut keys, mut certificates) = (Vec::new(), Vec::new());
        // Of several reasons, the one that says most.
        let (mut unusable, mut has_public, mut rest) = (None, false, text);
        while let Some((_, begun)) = split(rest, b"-----BEGIN ") {
            let (label, inner) = split(begun, b"-----").ok_or(Unusable::Cut)?;
            let end = [b"-----END ", label, b"-----"].concat();
            let (body, after) = split(inner, &end).ok_or(Unusable::Cut)?;
            rest = after;
            let format = match label {
                b"PRIVATE KEY" => Ok(Format::Pkcs8),
                b"RSA PRIVATE KEY" => Ok(Format::Pkcs1(Kind::Rsa)),
                b"RSA-PSS PRIVATE KEY" => Ok(Format::Pkcs1(Kind::RsaPss)),
                b"EC PRIVATE KEY" => Ok(Format::Sec1),
                b"ENCRYPTED PRIVATE KEY" => Err(Unusable::Encrypted),
                b"OPENSSH PRIVATE KEY" => Err(openssh(body)),
                b"DSA PRIVATE KEY" => Err(Unusable::OtherAlgorithm),
                b"CERTIFICATE" | b"X509 CERTIFICATE" => {
                    certificates.push(decoded(body).ok_or(Unusable::CertificateDamaged)?);
                    continue;
                }
                b"PUBLIC KEY" | b"RSA PUBLIC KEY" => {
                    has_public = true;
                    continue;
                }
                _ => continue,
            };
            match format {
                // `Proc-Type: 4,ENCRYPTED` (RFC 1421 section 4.6.1.1).
                Ok(_) if split(body, b"ENCRYPTED").is_some() => unusable = unusable.or(Some(Unusable::Encrypted)),
                Ok(format) => keys.push((format, decoded(body).ok_or(Unusable::NotBase64)?)),
                Err(reason) => unusable = unusable.or(Some(reason)),
            }
        }
        if rest.len() == text.len() {
            return Err(diagnosed(text));
        }
        let otherwise = match unusable {
            Some(unusable) => unusable,
            None if !certificates.is_empty() => Unusable::CertificateOnly,
            None if has_public => Unusable::PublicOnly,
            None => Unusable::NoSection,
        };
        Ok(Self { keys, certificates, otherwise })
    }

    /// Returns the only key of the file.
    pub(crate) fn key(&self) -> Result<(Format, &[u8]), Unusable> {
        match self.keys.as_slice() {
            [(format, der)] => Ok((*format, der)),
            [] => Err(self.otherwise),
            _ => Err(Unusable::SeveralKeys),
        }
    }
}

/// Returns what is before and after the first `mark`.
fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

/// Decodes Base64 between white space, and between line breaks that were written as `\n` or `\r`.
pub(crate) fn decoded(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut escaped = false;
    for &byte in text {
        let letter = mem::replace(&mut escaped, byte == b'\\') && matches!(byte, b'n' | b'r' | b't');
        if !letter && byte != b'\\' && !byte.is_ascii_whitespace() {
            plain.push(byte);
        }
    }
    decoded_in_constant_time(&plain)
}

/// Decodes Base64 in constant time. `rustls_pki_types` can do so, but only in a section of PEM.
pub(crate) fn decoded_in_constant_time(base64: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    const BEGIN: &[u8] = b"-----BEGIN PRIVATE KEY-----\n";
    const END: &[u8] = b"\n-----END PRIVATE KEY-----\n";
    let mut section = Zeroizing::new(Vec::with_capacity(BEGIN.len() + base64.len() + END.len()));
    for part in [BEGIN, base64, END] {
        section.extend_from_slice(part);
    }
    // An error would quote the text.
    let (_, bytes) = <(SectionKind, Vec<u8>)>::from_pem_slice(&section).ok()?;
    Some(Zeroizing::new(bytes))
}

/// No command converts an Ed25519 key, so it needs another text. The type of the key is in the
/// public part, which is never encrypted.
fn openssh(body: &[u8]) -> Unusable {
    match decoded(body) {
        Some(key) if split(&key, b"ssh-ed25519").is_some() => Unusable::OpenSshEd25519,
        _ => Unusable::OpenSsh,
    }
}

/// Returns the text without what may be before a key: white space, quotes, a byte order mark.
pub(crate) fn unwrapped(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf\"'".contains(byte));
    &text[start.unwrap_or(text.len())..]
}

/// Says what a text is that has no section of PEM.
fn diagnosed(text: &[u8]) -> Unusable {
    if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
        return Unusable::NotUtf8;
    }
    if let Some(mut der) = Reader::sequence(text) {
        // The version of a PFX (RFC 7292 section 4).
        return if der.unsigned() == Some(&[3]) { Unusable::Pkcs12 } else { Unusable::Der };
    }
    let text = unwrapped(text);
    if ["ssh-", "ecdsa-sha2-"].iter().any(|start| text.starts_with(start.as_bytes())) {
        return Unusable::SshPublic;
    }
    // Base64 of `-----BEGIN`, and of a sequence in DER.
    if text.starts_with(b"LS0tLS1CRUdJTi") {
        return Unusable::Base64OfPem;
    }
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\r\n \\\"'".contains(byte);
    if text.len() > 40 && text[0] == b'M' && text.iter().all(base64) {
        return Unusable::OnlyBase64;
    }
    Unusable::NotPem
}
