//! Entries of a store with any bytes.
//!
//! - nothing panics, and there is always a token or the error of a refusal;
//! - a token of the store is that of an object of version 1, visible ASCII, and younger than it lives by a second
//!   reading of the entry; its header is `Bearer ` and the token;
//! - an error is that of a note which still holds, with its status, and prints without control characters;
//! - everything else is a token of the token endpoint.
//!
//! Input: a byte, and then the entry. The byte says whether it is a token or a note (bit 0), and whether the store has a
//! clock (bit 1), by which so many units of 20 s are left.

#![no_main]

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use client_credentials::{
    Attempt, Claim, Clock, Credentials, Entry, Error, Moment, Stamp, StoreError, StoreKey, SystemClock, TokenRequest,
    TokenSource, TokenStore, TransportError, Uptime,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const ENDPOINT: &str = "of-the-token-endpoint";
const BOOT: &str = "a-boot";
const NOW: Duration = Duration::from_secs(1_700_000_000);
const UP: Duration = Duration::from_secs(100_000);
/// For a token whose lifetime is not stated.
const FALLBACK: u64 = 300_000;
const DAY: u64 = 86_400_000;

static MONOTONIC: LazyLock<Instant> = LazyLock::new(|| SystemClock.monotonic());
static REQUEST: LazyLock<TokenRequest> =
    LazyLock::new(|| TokenRequest::new("https://auth.test/token").expect("an endpoint").audience("https://api.test"));

struct Still;

impl Clock for Still {
    fn now(&self) -> Moment {
        Moment::new(*MONOTONIC, UNIX_EPOCH + NOW)
    }

    fn sleep(&self, _: Duration) {
        panic!("nobody else has the claim, so there is nothing to wait for");
    }

    fn uptime(&self) -> Option<Uptime> {
        Some(Uptime::new(BOOT, UP))
    }
}

struct Given {
    bytes: Vec<u8>,
    is_note: bool,
    left: Option<Duration>,
    loads: AtomicUsize,
}

impl TokenStore for Given {
    fn load(&self, _: &StoreKey) -> Result<Option<Entry>, StoreError> {
        // The token and the note are asked for in turn.
        let is_note = self.loads.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        let entry = Entry::new(self.bytes.clone(), Stamp::default());
        let entry = if let Some(left) = self.left { entry.left(left) } else { entry };
        Ok((is_note == self.is_note).then_some(entry))
    }

    fn claim(&self, _: &StoreKey, _: Duration) -> Result<Option<Claim>, StoreError> {
        Ok(Some(Claim::new(())))
    }

    fn save(&self, _: &StoreKey, _: &[u8], _: Stamp, _: Duration) -> Result<(), StoreError> {
        Ok(())
    }

    fn may_hang(&self) -> bool {
        false
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&byte, bytes)) = data.split_first() else { return };
    let (is_note, left) = (byte & 1 == 1, (byte & 2 == 2).then(|| u64::from(byte) * 20_000));
    let store =
        Given { bytes: bytes.to_vec(), is_note, left: left.map(Duration::from_millis), loads: AtomicUsize::new(0) };
    let transport = |_: http::Request<Vec<u8>>, _: &Attempt| {
        let answer = format!(r#"{{"access_token":"{ENDPOINT}","expires_in":3600}}"#);
        Ok::<_, TransportError>(http::Response::new(answer.into_bytes()))
    };
    let source = TokenSource::builder(Credentials::new("id", "secret"), REQUEST.clone())
        .transport(transport)
        .clock(Still)
        .store(store)
        .store_as("fuzz")
        .build()
        .expect("a source");
    match source.token() {
        Ok(token) if token.secret() == ENDPOINT => {}
        Ok(token) => {
            assert!(!is_note, "a note is no token");
            let entry = object(bytes);
            assert_eq!(entry["token"], token.secret());
            assert_eq!(entry["type"], "Bearer");
            assert!(token.secret().bytes().all(|byte| (0x21..=0x7e).contains(&byte)));
            assert_eq!(token.header_value().as_bytes(), [b"Bearer ", token.secret().as_bytes()].concat());
            let lives = entry.get("expires_in_ms").map_or(FALLBACK, |lives| lives.as_u64().expect("a lifetime"));
            assert!(age(&entry, left) < lives.min(DAY), "a dead token is used");
            assert!(source.inspect().expires_in.is_some_and(|left| left <= Duration::from_millis(lives.min(DAY))));
        }
        Err(error @ Error::Denied(_)) => {
            assert!(is_note, "an error without a note");
            let entry = object(bytes);
            let Error::Denied(denied) = &error else { unreachable!() };
            assert_eq!(entry["denied"]["status"], denied.status());
            assert!(age(&entry, left) < entry["keep_ms"].as_u64().expect("a pause"), "a note that is over");
            assert!(error.to_string().bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{error}");
        }
        Err(error) => panic!("{error}"),
    }
});

fn object(bytes: &[u8]) -> Value {
    let entry: Value = serde_json::from_slice(bytes).expect("JSON");
    assert!(entry.is_object() && entry["v"] == 1);
    entry
}

/// The largest age that a clock tells, in milliseconds.
fn age(entry: &Value, left: Option<u64>) -> u64 {
    let number = |name: &str| entry[name].as_u64();
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).expect("a small number");
    let own = match left {
        Some(left) => {
            let keep = number("keep_ms").expect("how long it is kept");
            assert!(left <= keep + 60_000, "kept for longer than it was to be");
            keep.saturating_sub(left)
        }
        None => {
            let then = number("wall_ms").expect("when it was made");
            assert!(then <= milliseconds(NOW) + 60_000, "in the future");
            milliseconds(NOW).saturating_sub(then)
        }
    };
    let boot = if entry["boot"] == BOOT { milliseconds(UP).saturating_sub(number("up_ms").expect("when")) } else { 0 };
    own.max(boot)
}
