//! HMAC, authenticated encryption and random bytes for stores. With `signing::crypto` the only module
//! that names `ring`. Imports nothing from this crate.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Returns the HMAC-SHA-256 of these parts, one after the other.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    context.sign().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Returns random bytes for a key; `None` if the operating system gives none.
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(bytes)
}

/// A key of AES-256-GCM.
pub(crate) struct Sealer(LessSafeKey);

impl Sealer {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes")))
    }

    /// Returns nonce, ciphertext and tag. `None` if the operating system gives no random numbers.
    ///
    /// Nonces are random. With 96 bits of them, 2^32 entries can be sealed with one key (NIST SP 800-38D
    /// section 8.3): one a second for 136 years.
    pub(crate) fn seal(&self, text: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = nonce.to_vec();
        sealed.extend_from_slice(text);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(context), &mut sealed[NONCE_LEN..]).ok()?;
        sealed.extend_from_slice(tag.as_ref());
        Some(sealed)
    }

    /// Returns what [`seal`](Self::seal) was given, with the same context. `None` if it was not sealed with
    /// this key, or was changed.
    pub(crate) fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let mut text = text.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = self.0.open_in_place(nonce, Aad::from(context), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let hex: String =
            hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]).map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_context_alone() {
        let (one, other) = (Sealer::new(&[1; 32]), Sealer::new(&[2; 32]));
        let sealed = one.seal(b"token", b"here").expect("random numbers");
        assert_eq!(one.open(&sealed, b"here").as_deref(), Some(&b"token"[..]));
        assert_eq!(one.open(&sealed, b"there"), None);
        assert_eq!(other.open(&sealed, b"here"), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(one.open(&changed, b"here"), None, "{at}");
            assert_eq!(one.open(&sealed[..at], b"here"), None, "{at}");
        }
        assert_ne!(one.seal(b"token", b"here"), Some(sealed), "each has a nonce of its own");
    }
}
