//! Random numbers, taken from the keys that the standard library generates for its hash maps. They
//! are good enough for jitter, for telling attempts apart and for fingerprints, not for cryptographic
//! keys. Imports nothing from this crate.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

/// Returns a number from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are plenty")]
pub(crate) fn random() -> f64 {
    number() as f64 / u64::MAX as f64
}

/// Returns 16 random bytes.
pub(crate) fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number().to_le_bytes());
    bytes[8..].copy_from_slice(&number().to_le_bytes());
    bytes
}

/// Tells a value from others without keeping it: 64 bits of a hash with random keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn of(value: &impl Hash, keys: &RandomState) -> Self {
        Self(keys.hash_one(value))
    }
}

fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}
