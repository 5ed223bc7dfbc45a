//! HTTP Basic of any client id and secret, in each encoding.
//!
//! - the header is `Basic ` and strict base64 of id, colon, secret, and marked sensitive;
//! - `Rfc6749` and `Minimal`: split at the first colon and percent-decoded, with `+` read as a space, both halves are
//!   the id and the secret; `Minimal` even where the server leaves `+` alone; `Rfc6749` uses `A-Za-z0-9*-._%+` only;
//! - `Minimal` escapes `%`, `+` and `&`, and `:` in the id, and nothing else;
//! - `Raw`: the bytes as they are; an id with a colon is refused;
//! - control characters and an empty id are refused, whatever the encoding, in the body too; nothing else is;
//! - an error says the same whatever the secret is.
//!
//! Input: a byte for the encoding, a byte for the length of the id, id and secret.

#![no_main]

use client_credentials::{Attempt, BasicEncoding, Credentials, TokenRequest};
use client_credentials_fuzz::model::encoded_pair;
use client_credentials_fuzz::reading::{base64_decoded, percent_decoded};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static REQUEST: TokenRequest = TokenRequest::new("https://auth.test/token").expect("a good endpoint");
}

fuzz_target!(|data: &[u8]| {
    let [choice, length, rest @ ..] = data else { return };
    let text = String::from_utf8_lossy(rest);
    let length = usize::from(*length).min(text.len());
    let length = (0..=length).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let (id, secret) = text.split_at(length);
    let encoding = [BasicEncoding::Rfc6749, BasicEncoding::Minimal, BasicEncoding::Raw][usize::from(*choice) % 3];

    let control = text.chars().any(char::is_control) || id.is_empty();
    let colon = encoding == BasicEncoding::Raw && id.contains(':');
    let in_body = REQUEST.with(|request| request.encode(&Credentials::new(id, secret).in_body(), &Attempt::default()));
    assert_eq!(in_body.is_err(), control, "{id:?} {secret:?} in the body");
    let encode = |secret: &str| {
        REQUEST
            .with(|request| request.encode(&Credentials::new(id, secret).basic_encoding(encoding), &Attempt::default()))
    };
    let http = match encode(secret) {
        Ok(http) => http,
        Err(error) => {
            assert!(control || colon, "{id:?} {secret:?} refused: {error}");
            // Another secret that is refused, or not, for the same reason.
            let other = encode(if secret.chars().any(char::is_control) { "\u{1}" } else { "" });
            let other = other.expect_err("refused for the same reason");
            assert_eq!(format!("{error} {error:?}"), format!("{other} {other:?}"), "an error tells something");
            return;
        }
    };
    assert!(!control && !colon, "{id:?} {secret:?} should be refused");

    let header = &http.headers()["authorization"];
    assert!(header.is_sensitive());
    let text = header.as_bytes().strip_prefix(b"Basic ").expect("Basic");
    let pair = base64_decoded(text).unwrap_or_else(|| panic!("{header:?} is not base64"));
    assert_eq!(Some(&pair), encoded_pair(id, secret, encoding).as_ref());
    let split = pair.iter().position(|&byte| byte == b':').expect("a colon");
    let (first, second) = (&pair[..split], &pair[split + 1..]);
    if encoding == BasicEncoding::Raw {
        assert_eq!((first, second), (id.as_bytes(), secret.as_bytes()));
        return;
    }
    assert_eq!(percent_decoded(first, true), id.as_bytes());
    assert_eq!(percent_decoded(second, true), secret.as_bytes());
    if encoding == BasicEncoding::Minimal {
        assert_eq!(percent_decoded(first, false), id.as_bytes());
        assert_eq!(percent_decoded(second, false), secret.as_bytes());
    } else {
        let bare = |byte: &u8| byte.is_ascii_alphanumeric() || b"*-._%+".contains(byte);
        assert!(first.iter().chain(second).all(bare));
    }
});
