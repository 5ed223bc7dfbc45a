//! Random numbers, from the keys that the standard library draws for its hash maps. Imports nothing
//! from this crate. For jitter and for telling attempts apart, not for keys.

use std::hash::{BuildHasher, Hasher, RandomState};

/// From 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits are plenty")]
pub(crate) fn random() -> f64 {
    number() as f64 / u64::MAX as f64
}

pub(crate) fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number().to_le_bytes());
    bytes[8..].copy_from_slice(&number().to_le_bytes());
    bytes
}

fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}
