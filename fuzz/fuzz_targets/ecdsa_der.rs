//! An ECDSA signature in DER as R and S.
//!
//! - it is decoded if, and only if, two numbers that are not zero and fit the curve are encoded to just these bytes by
//!   the encoder below;
//! - any such numbers, encoded, are decoded to themselves;
//! - what is as long as R and S is taken as R and S.
//!
//! Input: a byte, then bytes. The byte is 32 or 48 for the curve of a signature in DER; others make R and S of the
//! bytes.

#![no_main]

use client_credentials::{Algorithm, Assertion, Attempt, Credentials, SigningKey, TokenRequest};
use client_credentials_fuzz::reading::base64url_decoded;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, bytes)) = data.split_first() else { return };
    match choice {
        32 | 48 => {
            let size = usize::from(choice);
            let expected = numbers(bytes, size).map(|(r, s)| [padded(r, size), padded(s, size)].concat());
            let expected = if bytes.len() == 2 * size { Some(bytes.to_vec()) } else { expected };
            assert_eq!(signature(bytes, size), expected, "{}", bytes.escape_ascii());
        }
        _ => {
            let size = if bytes.len() < 96 { 32 } else { 48 };
            let half = (bytes.len() / 2).min(size);
            let (r, s) = (significant(&bytes[..half]), significant(&bytes[half..2 * half]));
            let der = encoded(r, s);
            let good = !r.is_empty() && !s.is_empty();
            if der.len() != 2 * size {
                assert_eq!(signature(&der, size), good.then(|| [padded(r, size), padded(s, size)].concat()));
            }
        }
    }
});

/// The signature in an assertion whose key is a service that answers this.
fn signature(answer: &[u8], size: usize) -> Option<Vec<u8>> {
    let algorithm = if size == 32 { Algorithm::Es256 } else { Algorithm::Es384 };
    let answer = answer.to_vec();
    let key = SigningKey::external(algorithm, move |_: &[u8]| Ok(answer.clone()));
    let request = TokenRequest::new("https://auth.test/token").expect("a request");
    let credentials = Credentials::with_assertion("id", Assertion::new(key));
    let sent = request.encode(&credentials, &Attempt::default()).ok()?;
    let body = String::from_utf8(sent.into_body()).expect("a form");
    let signature = body.rsplit('.').next().expect("three parts");
    Some(base64url_decoded(signature).expect("Base64url"))
}

/// Guesses where the numbers are, and encodes them again.
fn numbers(der: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let r = der.get(4..4 + usize::from(*der.get(3)?))?;
    let at = 4 + r.len() + 2;
    let s = der.get(at..at + usize::from(*der.get(at - 1)?))?;
    let (r, s) = (significant(r), significant(s));
    let fits = |number: &[u8]| !number.is_empty() && number.len() <= size;
    (fits(r) && fits(s) && encoded(r, s) == der).then_some((r, s))
}

fn encoded(r: &[u8], s: &[u8]) -> Vec<u8> {
    let number = |number: &[u8]| {
        let sign = if number.first().is_none_or(|&first| first >= 0x80) { &[0][..] } else { &[] };
        [&[2, (sign.len() + number.len()) as u8], sign, number].concat()
    };
    let both = [number(r), number(s)].concat();
    [&[0x30, both.len() as u8], &both[..]].concat()
}

fn significant(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|&&byte| byte == 0).count()..]
}

fn padded(number: &[u8], size: usize) -> Vec<u8> {
    [vec![0; size - number.len()], number.to_vec()].concat()
}
