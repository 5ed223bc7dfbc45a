//! Two token requests built by any sequences of setters have one cache key if, and only if, they are one question.
//!
//! One question: the same endpoint (the scheme without case, an empty path as `/`), grant, audience, body format; the
//! same sets of scopes, resources, parameters, headers and token type aliases (without case); and the same proof, which
//! is what the server sees of it (the pair before base64, or id and secret in the body), or the very same instance
//! where the request does not show it. The secret of a closure may be anything, so two encodings of it are two
//! questions. Where the token may go is no part of it.
//!
//! Besides: no setter panics or accepts what it should not (`client_credentials_fuzz::model`); there is a key exactly
//! for what can be encoded; equal keys hash alike.
//!
//! Input: steps between bytes 0xFF. A step starts with `<` (left only), `>` (right only) or anything else (both). A
//! step `~` lets the right one take its steps in reverse.

#![no_main]

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use client_credentials::{Attempt, CacheKey, Error};
use client_credentials_fuzz::model::Built;
use client_credentials_fuzz::reading::records;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let steps: Vec<(u8, &[u8])> =
        records(data).take(16).filter_map(|step| step.split_first().map(|(&side, step)| (side, step))).collect();
    let (mut left, mut right) = (Built::default(), Built::default());
    let for_right = || steps.iter().filter(|(side, _)| *side != b'<');
    steps.iter().filter(|(side, _)| *side != b'>').for_each(|(_, step)| left.step(step));
    if steps.iter().any(|(side, step)| *side == b'~' && step.is_empty()) {
        for_right().rev().for_each(|(_, step)| right.step(step));
    } else {
        for_right().for_each(|(_, step)| right.step(step));
    }

    let (one, two) = (key(&left), key(&right));
    if let (Ok(one), Ok(two)) = (&one, &two) {
        assert_eq!(one == two, left.question == right.question, "{left:#?}\n{right:#?}");
        if one == two {
            assert_eq!(hash(one), hash(two));
        }
    }
    // Nothing is kept from one encoding to the next: now and then is often enough.
    if data.len().is_multiple_of(4) {
        assert_eq!(one.is_ok(), left.request().encode(&left.credentials, &Attempt::default()).is_ok(), "{left:?}");
        assert!(one.ok() == key(&left).ok(), "{left:?}");
    }
});

fn key(built: &Built) -> Result<CacheKey, Error> {
    let key = CacheKey::new(built.request(), &built.credentials);
    assert_eq!(key.is_ok(), built.can_be_sent(), "{built:?}");
    key
}

fn hash(key: &CacheKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}
