//! A key from any text: PEM, a JWK, or DER between the lines of PEM.
//!
//! - no panic;
//! - an error consists of texts in the source of the crate, and of the size of an RSA key: each 6 bytes of it are
//!   there, so that it repeats no 6 bytes of the input;
//! - a key that is read has a public JWK with no private member, and the same one in another form of the text;
//! - `Debug` shows the algorithm, no key id unless the text is a JWK, a thumbprint, and nothing else.
//!
//! Input: a byte, then text. `j`: a JWK. `p`: PEM. Others: DER, with the label that the byte chooses.

#![no_main]

use std::collections::HashSet;
use std::sync::LazyLock;

use client_credentials::{Error, SigningKey};
use client_credentials_fuzz::escapes::base64;
use libfuzzer_sys::fuzz_target;

const LABELS: [&str; 6] =
    ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "CERTIFICATE", "RSA-PSS PRIVATE KEY", "OPENSSH PRIVATE KEY"];

/// What an error may say: all windows of 6 bytes in the texts of the source.
static TEXTS: LazyLock<HashSet<Vec<u8>>> = LazyLock::new(|| {
    let source = include_str!("../../src/signing/unusable.rs").replace("\\\"", "\"").replace("\\\\n", "\\n");
    // A text that goes on in the next line.
    let mut joined = String::new();
    for (at, part) in source.split("\\\n").enumerate() {
        joined.push_str(if at == 0 { part } else { part.trim_start() });
    }
    joined.as_bytes().windows(6).map(<[u8]>::to_vec).collect()
});

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    let (read, given) = match choice {
        b'j' => {
            let text = String::from_utf8_lossy(text);
            (SigningKey::from_jwk(&text), text.into_owned().into_bytes())
        }
        b'p' => (SigningKey::from_pem(text), text.to_vec()),
        _ => {
            let label = LABELS[usize::from(choice) % LABELS.len()];
            let base64 = base64(text, b"+/", "==");
            let pem = format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n");
            (SigningKey::from_pem(&pem), [text, b" ", base64.as_bytes()].concat())
        }
    };
    match read {
        Ok(key) => assert_public(&key, choice, &given),
        Err(error) => assert_is_from_the_source(&error),
    }
});

fn assert_public(key: &SigningKey, choice: u8, given: &[u8]) {
    let jwk = key.public_jwk().expect("a public key");
    let members: serde_json::Value = serde_json::from_str(&jwk).expect("JSON");
    for name in members.as_object().expect("an object").keys() {
        let public = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];
        assert!(public.contains(&name.as_str()), "{name} in {jwk}");
    }
    if choice == b'p' && !given.contains(&b'{') {
        let one_line: Vec<u8> = given.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }).collect();
        let again = SigningKey::from_pem(&one_line).expect("the same key");
        assert_eq!(again.public_jwk().as_deref(), Some(jwk.as_str()));
    }
    if choice != b'j' && !given.contains(&b'{') {
        let shown = format!("{key:?}");
        let rest =
            shown.strip_prefix("SigningKey { algorithm: \"").and_then(|rest| rest.split_once('"')).expect("a name").1;
        let rest = rest.strip_prefix(", key_id: None, thumbprint: Some(\"").expect("a thumbprint");
        let thumbprint = rest.strip_suffix("\") }").expect("nothing else");
        assert_eq!(thumbprint.len(), 43, "SHA-256");
    }
}

fn assert_is_from_the_source(error: &Error) {
    let text = error.to_string();
    assert_eq!(format!("{error:?}"), text);
    let text = text.strip_prefix("SigningKey::from_").and_then(|text| text.split_once(": ")).expect("a method").1;
    // The size of an RSA key.
    let text: String =
        match text.strip_prefix("an RSA key of ").map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit())) {
            Some(rest) if rest.starts_with(" bits") => format!("an RSA key of {{bits}}{rest}"),
            _ => text.to_owned(),
        };
    for window in text.as_bytes().windows(6) {
        assert!(TEXTS.contains(window), "{:?} of {text:?} is not in the source", window.escape_ascii().to_string());
    }
}
