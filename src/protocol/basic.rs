//! HTTP Basic authentication at a token endpoint (RFC 6749 section 2.3.1, RFC 7617 section 2).
//! Imports `error`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::error::Error;

/// How the client id and the secret are encoded for HTTP Basic (RFC 6749 section 2.3.1).
///
/// RFC 6749 asks for form encoding, but many authorization servers do not decode it. Of 203 pairs
/// of a server and a client with special characters in its id or secret, the RFC's encoding works
/// with 78, and [`Minimal`](Self::Minimal) with 132, among them these 78. [`Raw`](Self::Raw) works
/// with 149, but not where the server decodes. If a server refuses a secret that another encoding
/// would write differently, the error names that encoding.
///
/// # Examples
///
/// ```
/// use client_credentials::BasicEncoding::{Minimal, Raw, Rfc6749};
/// use client_credentials::{Attempt, Credentials, TokenRequest};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?;
/// for (encoding, header) in [
///     (Minimal, "Basic bXktY2xpZW50OmElMkJiL2M="),     // my-client:a%2Bb/c
///     (Rfc6749, "Basic bXktY2xpZW50OmElMkJiJTJGYw=="), // my-client:a%2Bb%2Fc
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
    /// Form encoding to the letter, as RFC 6749 section 2.3.1 and Appendix B require: a space
    /// becomes `+`, and most other special characters become `%XX`.
    Rfc6749,
    /// Percent-encoding (`%XX`) of `%`, `+` and `&`, and of `:` in the id. Everything else is sent
    /// as it is, in UTF-8. Servers that follow the RFC decode it to the same bytes, and most that
    /// do not decode accept it, too. This is the default.
    #[default]
    Minimal,
    /// No encoding (RFC 7617 section 2), as SAP XSUAA and eBay expect. The id must not contain a
    /// colon.
    Raw,
}

impl BasicEncoding {
    /// Returns the name, for messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rfc6749 => "BasicEncoding::Rfc6749",
            Self::Minimal => "BasicEncoding::Minimal",
            Self::Raw => "BasicEncoding::Raw",
        }
    }
}

/// Returns the value of the `Authorization` header (RFC 7617 section 2).
pub(crate) fn header(client_id: &str, secret: &str, encoding: BasicEncoding) -> Result<HeaderValue, Error> {
    if encoding == BasicEncoding::Raw && client_id.contains(':') {
        return Err(Error::configuration(
            "BasicEncoding::Raw cannot carry a client id with a colon (RFC 7617 section 2); use BasicEncoding::Minimal \
             or Credentials::in_body",
        ));
    }
    let pair = pair(client_id, secret, encoding);
    let mut header = Zeroizing::new(String::with_capacity(6 + pair.len().div_ceil(3) * 4));
    header.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut header);
    let mut value = HeaderValue::from_str(&header).expect("base64 is visible ASCII");
    value.set_sensitive(true);
    Ok(value)
}

/// Returns what would write this id and secret differently, in the order in which to try it: raw,
/// in the body, RFC 6749 (D1).
pub(crate) fn others(client_id: &str, secret: &str, encoding: BasicEncoding) -> Vec<&'static str> {
    use BasicEncoding::{Minimal, Raw, Rfc6749};
    let sent = pair(client_id, secret, encoding);
    let differs = |other| *pair(client_id, secret, other) != *sent;
    let all = [Raw, Minimal, Rfc6749];
    if !all.into_iter().any(differs) {
        return Vec::new();
    }
    let mut others = Vec::new();
    others.extend(Some(Raw.name()).filter(|_| differs(Raw) && !client_id.contains(':')));
    others.push("Credentials::in_body");
    others.extend([Minimal, Rfc6749].into_iter().filter(|&other| differs(other)).map(BasicEncoding::name));
    others
}

fn pair(client_id: &str, secret: &str, encoding: BasicEncoding) -> Zeroizing<String> {
    let mut pair = Zeroizing::new(String::with_capacity(3 * (client_id.len() + secret.len()) + 1));
    encode_into(&mut pair, client_id, encoding, true);
    pair.push(':');
    encode_into(&mut pair, secret, encoding, false);
    pair
}

fn encode_into(out: &mut String, text: &str, encoding: BasicEncoding, is_id: bool) {
    match encoding {
        BasicEncoding::Rfc6749 => out.extend(form_urlencoded::byte_serialize(text.as_bytes())),
        BasicEncoding::Raw => out.push_str(text),
        BasicEncoding::Minimal => {
            for char in text.chars() {
                match char {
                    '%' => out.push_str("%25"),
                    '+' => out.push_str("%2B"),
                    '&' => out.push_str("%26"),
                    ':' if is_id => out.push_str("%3A"),
                    char => out.push(char),
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
                "minimal" => BasicEncoding::Minimal,
                "raw" => BasicEncoding::Raw,
                other => panic!("mode {other}"),
            };
            let header = header(text("client_id"), text("client_secret"), encoding).expect("a header");
            assert_eq!(decoded(&header), text("userpass"), "{line}");
            assert_eq!(header, text("authorization"), "{line}");
            seen += 1;
        }
        assert_eq!(seen, 38);
    }

    #[test]
    fn d1_minimal_escapes_only_what_must_be_escaped() {
        let minimal = |id, secret| decoded(&header(id, secret, BasicEncoding::Minimal).expect("a header"));
        assert_eq!(minimal("a:b c", "x/y==:z"), "a%3Ab c:x/y==:z");
        assert_eq!(minimal("id", "100%+a&b \u{e9}"), "id:100%25%2Ba%26b \u{e9}");
        assert_eq!(minimal("-._~!*'()", "-._~!*'()"), "-._~!*'():-._~!*'()");
    }

    #[test]
    fn raw_rejects_a_colon_in_the_id() {
        let error = header("a:b", "s", BasicEncoding::Raw).expect_err("refused");
        assert!(error.to_string().contains("colon"), "{error}");
        assert_eq!(decoded(&header("a", "b:c", BasicEncoding::Raw).expect("a header")), "a:b:c");
    }

    #[test]
    fn d1_other_encodings_are_named_in_the_order_raw_in_the_body_rfc() {
        use BasicEncoding::{Minimal, Raw, Rfc6749};
        const RAW: &str = "BasicEncoding::Raw";
        const BODY: &str = "Credentials::in_body";
        const MINIMAL: &str = "BasicEncoding::Minimal";
        const RFC: &str = "BasicEncoding::Rfc6749";
        for (id, secret, encoding, expected) in [
            ("id", "s3cret", Minimal, &[][..]),
            ("id", "s3cret", Raw, &[]),
            ("id", "s3cret", Rfc6749, &[]),
            ("id", "a+b", Minimal, &[RAW, BODY]),
            ("id", "a+/b", Minimal, &[RAW, BODY, RFC]),
            ("id", "a/b==", Minimal, &[BODY, RFC]),
            ("a b", "s", Minimal, &[BODY, RFC]),
            ("id", "\u{e9}", Minimal, &[BODY, RFC]),
            ("a:b", "s", Minimal, &[BODY]),
            ("a:b", "a/b", Minimal, &[BODY, RFC]),
            ("id", "a/b==", Raw, &[BODY, RFC]),
            ("id", "a+b", Raw, &[BODY, MINIMAL, RFC]),
            ("id", "a/b==", Rfc6749, &[RAW, BODY, MINIMAL]),
        ] {
            assert_eq!(others(id, secret, encoding), expected, "{id} {secret} {encoding:?}");
        }
    }

    #[test]
    fn the_header_is_marked_sensitive() {
        assert!(header("id", "s", BasicEncoding::Rfc6749).expect("a header").is_sensitive());
    }
}
