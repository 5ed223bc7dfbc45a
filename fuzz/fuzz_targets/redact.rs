//! A secret that the server repeats does not show, whatever two escapes it went through, and nothing else is hidden.
//!
//! - however a secret of 8 characters or more is escaped, and whatever stands around it: in no part of the description
//!   and the excerpt that comes from the server is it found after two escapes were undone, in any way;
//! - what stands around it stays, if it is plain;
//! - a text that does not hold the secret, after two escapes were undone in any way, is shown as it is.
//!
//! Input: two bytes for the escapes, one for the length of the secret, the secret, and the text of the server. The text
//! has the escaped secret at its first byte 0xff; without one, the text is all there is.

#![no_main]

use std::sync::LazyLock;

use client_credentials::{Clock, Error, Moment, SystemClock, TokenRequest};
use client_credentials_fuzz::escapes::{characters_undone, escape, has_other_names, holds, is_in};
use http::Response;
use libfuzzer_sys::fuzz_target;

const REDACTED: &str = "[redacted]";
const CHAIN: u32 = 2;

static SENT_AT: LazyLock<Moment> = LazyLock::new(|| SystemClock.now());

fuzz_target!(|data: &[u8]| {
    let [first, second, length, rest @ ..] = data else { return };
    let (secret, text) = rest.split_at(rest.len().min(usize::from(*length)));
    let secret = String::from_utf8_lossy(secret);
    // What the crate's own words complete is no quotation.
    let own = |part: &str| secret.to_ascii_lowercase().contains(part);
    if secret.chars().count() < 8 || own("[") || own("]") || "redacted".contains(&*secret.to_ascii_lowercase()) {
        return;
    }
    let request = TokenRequest::new("https://auth.test/token").expect("a good endpoint");
    let request = request.parameter("p", &*secret).expect("a good parameter");

    let mut parts = text.splitn(2, |&byte| byte == 0xff);
    let before = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let Some(after) = parts.next() else {
        let shown = description(&request, &before);
        assert_no_quotation_holds(&secret, &shown);
        if shown != before && !has_other_names(before.as_bytes()) {
            assert!(
                holds(before.as_bytes(), CHAIN, &|text| is_in(&secret, text)),
                "{secret:?} is not in {before:?}, but hidden: {shown:?}"
            );
        }
        return;
    };
    let after = String::from_utf8_lossy(after);
    let sent = escape(*second, &escape(*first, &secret));
    let whole = format!("{before}{sent}{after}");
    let shown = description(&request, &whole);
    assert_no_quotation_holds(&secret, &shown);
    let plain = |c: char| " !(),.".contains(c);
    if before.chars().chain(after.chars()).all(plain) && !secret.contains(plain) && !secret.contains('+') {
        let padding = shown.strip_prefix(&*before).and_then(|rest| rest.strip_prefix(REDACTED)?.strip_suffix(&*after));
        let padding = padding.unwrap_or_else(|| panic!("{whole:?} is shown as {shown:?}"));
        assert!(padding.len() <= escape(*second, "=====").len(), "{whole:?} is shown as {shown:?}");
    }
    // An excerpt goes the same way: now and then is often enough.
    if !data.len().is_multiple_of(4) {
        return;
    }
    let response = Response::builder().status(500).body(whole.into_bytes()).expect("a response");
    if let Err(Error::Denied(denied)) = request.decode(&response, *SENT_AT) {
        if let Some(excerpt) = denied.excerpt().filter(|excerpt| !excerpt.ends_with("...")) {
            assert_no_quotation_holds(&secret, &unescaped(excerpt));
        }
    }
});

fn description(request: &TokenRequest, text: &str) -> String {
    let body = serde_json::json!({ "error": "x", "error_description": text }).to_string();
    let response = Response::builder().status(400).body(body).expect("a response");
    match request.decode(&response, *SENT_AT) {
        Err(Error::Denied(denied)) => denied.description().expect("a description").to_owned(),
        other => panic!("{other:?}"),
    }
}

fn assert_no_quotation_holds(secret: &str, shown: &str) {
    for part in shown.split(REDACTED) {
        let is_it = |text: &[u8]| text.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!holds(part.as_bytes(), CHAIN, &is_it), "{secret:?} is in {part:?} of {shown:?}");
    }
}

/// What `escape_ascii` of the standard library made.
fn unescaped(excerpt: &str) -> String {
    let [_, _, plain] = characters_undone(excerpt.as_bytes());
    String::from_utf8_lossy(&plain).into_owned()
}
