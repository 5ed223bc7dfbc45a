//! HTTP Basic authentication at a token endpoint (RFC 6749 section 2.3.1, RFC 7617 section 2).
//! Imports `error`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::error::Error;

/// How the client id and the secret are encoded for HTTP Basic (RFC 6749 section 2.3.1).
///
/// RFC 6749 asks for form encoding, but seven of the twelve authorization servers that we tested do
/// not decode it. If a server refuses a secret that contains special characters, try
/// [`Credentials::in_body`](crate::Credentials::in_body), then [`Minimal`](Self::Minimal), then
/// [`Raw`](Self::Raw).
///
/// # Examples
///
/// ```
/// use client_credentials::BasicEncoding::{Minimal, Raw, Rfc6749};
/// use client_credentials::{Attempt, Credentials, TokenRequest};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?;
/// for (encoding, header) in [
///     (Rfc6749, "Basic bXktY2xpZW50OmElMkJiJTJGYw=="), // my-client:a%2Bb%2Fc
///     (Minimal, "Basic bXktY2xpZW50OmElMkJiL2M="),     // my-client:a%2Bb/c
///     (Raw, "Basic bXktY2xpZW50OmErYi9j"),             // my-client:a+b/c
/// ] {
///     let credentials = Credentials::new("my-client", "a+b/c").basic_encoding(encoding);
///     let sent = request.encode(&credentials, &Attempt::default())?;
///     assert_eq!(sent.headers()["authorization"], header);
/// }
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BasicEncoding {
    /// Form encoding, as RFC 6749 section 2.3.1 and Appendix B require. This is the default.
    #[default]
    Rfc6749,
    /// Percent-encoding (`%XX`) of `%`, `+`, `&`, space, control and non-ASCII bytes, and of `:` in
    /// the id; nothing else is encoded. Servers that follow the RFC decode it to the same bytes,
    /// and most servers that do not decode it accept it, too.
    Minimal,
    /// No encoding (RFC 7617 section 2), as SAP XSUAA and eBay expect. The id must not contain a
    /// colon.
    Raw,
}

/// Returns the value of the `Authorization` header (RFC 7617 section 2), and whether `encoding`
/// changed the id or the secret (RFC 6749 section 2.3.1).
pub(crate) fn header(client_id: &str, secret: &str, encoding: BasicEncoding) -> Result<(HeaderValue, bool), Error> {
    if encoding == BasicEncoding::Raw && client_id.contains(':') {
        return Err(Error::configuration(
            "BasicEncoding::Raw cannot carry a client id with a colon (RFC 7617 section 2); use BasicEncoding::Rfc6749 \
             or Credentials::in_body",
        ));
    }
    let mut pair = Zeroizing::new(String::with_capacity(3 * (client_id.len() + secret.len()) + 1));
    encode_into(&mut pair, client_id, encoding, true);
    pair.push(':');
    encode_into(&mut pair, secret, encoding, false);
    let rest = pair.strip_prefix(client_id).and_then(|rest| rest.strip_suffix(secret));
    let encoded = rest != Some(":");
    let mut header = Zeroizing::new(String::with_capacity(6 + pair.len().div_ceil(3) * 4));
    header.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut header);
    let mut value = HeaderValue::from_str(&header).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    Ok((value, encoded))
}

fn encode_into(out: &mut String, text: &str, encoding: BasicEncoding, is_id: bool) {
    match encoding {
        BasicEncoding::Rfc6749 => out.extend(form_urlencoded::byte_serialize(text.as_bytes())),
        BasicEncoding::Raw => out.push_str(text),
        BasicEncoding::Minimal => {
            for byte in text.bytes() {
                if matches!(byte, b'%' | b'+' | b'&' | b' ' | 0..=0x1f | 0x7f..) || (is_id && byte == b':') {
                    const HEX: &[u8; 16] = b"0123456789ABCDEF";
                    out.push('%');
                    out.push(char::from(HEX[usize::from(byte >> 4)]));
                    out.push(char::from(HEX[usize::from(byte & 15)]));
                } else {
                    out.push(char::from(byte));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(header: &HeaderValue) -> String {
        let text = header.to_str().expect("ASCII").strip_prefix("Basic ").expect("Basic");
        String::from_utf8(STANDARD.decode(text).expect("base64")).expect("UTF-8")
    }

    #[test]
    fn every_line_of_basic_jsonl() {
        let mut seen = 0;
        for line in include_str!("../../tests/vectors/basic.jsonl").lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("a vector is JSON");
            let text = |name: &str| row[name].as_str().expect("a string");
            let encoding = match text("mode") {
                "rfc6749" => BasicEncoding::Rfc6749,
                "raw" => BasicEncoding::Raw,
                other => panic!("mode {other}"),
            };
            let (header, _) = header(text("client_id"), text("client_secret"), encoding).expect("a header");
            assert_eq!(decoded(&header), text("userpass"), "{line}");
            assert_eq!(header, text("authorization"), "{line}");
            seen += 1;
        }
        assert_eq!(seen, 26);
    }

    #[test]
    fn d1_minimal_escapes_only_what_must_be_escaped() {
        let minimal = |id, secret| decoded(&header(id, secret, BasicEncoding::Minimal).expect("a header").0);
        assert_eq!(minimal("a:b c", "x/y==:z"), "a%3Ab%20c:x/y==:z");
        assert_eq!(minimal("id", "100%+a&b \u{e9}"), "id:100%25%2Ba%26b%20%C3%A9");
        assert_eq!(minimal("-._~!*'()", "-._~!*'()"), "-._~!*'():-._~!*'()");
    }

    #[test]
    fn raw_rejects_a_colon_in_the_id() {
        let error = header("a:b", "s", BasicEncoding::Raw).expect_err("refused");
        assert!(error.to_string().contains("colon"), "{error}");
        assert_eq!(decoded(&header("a", "b:c", BasicEncoding::Raw).expect("a header").0), "a:b:c");
    }

    #[test]
    fn encoded_is_true_if_the_id_or_the_secret_changed() {
        use BasicEncoding::{Minimal, Raw, Rfc6749};
        for (id, secret, encodings) in [
            ("id", "s3cret", &[][..]),
            ("id", "a/b==", &[Rfc6749]),
            ("sb-app!t1", "s", &[Rfc6749]),
            ("a b", "s", &[Rfc6749, Minimal]),
            ("a:b", "s", &[Rfc6749, Minimal]),
            ("id", "a:b", &[Rfc6749]),
        ] {
            for encoding in [Rfc6749, Minimal, Raw] {
                let encoded = header(id, secret, encoding).ok().map(|(_, encoded)| encoded);
                let refused = encoding == Raw && id.contains(':');
                let expected = (!refused).then(|| encodings.contains(&encoding));
                assert_eq!(encoded, expected, "{id} {secret} {encoding:?}");
            }
        }
    }

    #[test]
    fn the_header_is_marked_sensitive() {
        assert!(header("id", "s", BasicEncoding::Rfc6749).expect("a header").0.is_sensitive());
    }
}
