//! Encryption of what a store keeps. Imports `store`, `store::crypto`.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::store::crypto::Sealer;
use crate::store::{Claim, Entry, Stamp, StoreError, StoreKey, TokenStore};

/// A store whose entries are encrypted and authenticated (AES-256-GCM), with a key that the store itself
/// does not have.
///
/// Use it for every store that others can reach: a database with many users, a cache on a network.
/// Read access to an unsealed entry is enough to use its token until it expires. With write access, an
/// attacker could plant a token of their own account, and all machines would send their data there. An entry
/// that was sealed with another key, or was changed, or moved to another name, is reported, and replaced.
///
/// Names are made with the [key of the store](TokenStore::name_key), so the sealing key can be changed:
/// first give every process the new key as one that [also opens](Self::also_open), then use it to seal,
/// and drop the old one a day later.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Sealed, SealingKey, TokenStore};
/// # fn sealed(store: impl TokenStore) -> Sealed<impl TokenStore> {
/// // 32 random bytes from a secret manager; `openssl rand 32` makes some.
/// let key = [7; 32];
/// let store = Sealed::new(store, SealingKey::from(key));
/// # store
/// # }
/// ```
pub struct Sealed<S> {
    store: S,
    key: SealingKey,
    others: Vec<SealingKey>,
}

impl<S: TokenStore> Sealed<S> {
    /// Seals the entries of `store` with `key`.
    ///
    /// ```
    /// # use client_credentials::{Sealed, SealingKey, TokenStore};
    /// # fn sealed(store: impl TokenStore, key: [u8; 32]) -> Sealed<impl TokenStore> {
    /// Sealed::new(store, SealingKey::from(key))
    /// # }
    /// ```
    pub fn new(store: S, key: SealingKey) -> Self {
        Self { store, key, others: Vec::new() }
    }

    /// Opens entries that were sealed with this key, too, while keys are rotated.
    ///
    /// ```
    /// # use client_credentials::{Sealed, SealingKey, TokenStore};
    /// # fn sealed(store: impl TokenStore, new: [u8; 32], old: [u8; 32]) -> Sealed<impl TokenStore> {
    /// Sealed::new(store, SealingKey::from(new)).also_open(SealingKey::from(old))
    /// # }
    /// ```
    #[must_use]
    pub fn also_open(mut self, key: SealingKey) -> Self {
        self.others.push(key);
        self
    }
}

/// The key of a [`Sealed`] store: 32 random bytes. It is not a password.
///
/// `Debug` does not show it.
///
/// # Examples
///
/// ```
/// use client_credentials::SealingKey;
///
/// let key = SealingKey::from([7; 32]);
/// assert_eq!(format!("{key:?}"), "SealingKey([redacted])");
/// assert!(SealingKey::from_bytes(b"too short").is_err());
/// ```
pub struct SealingKey(Sealer);

impl SealingKey {
    /// Makes a key of the contents of a file or of a secret.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it does not have 32 bytes.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use client_credentials::{SealingKey, StoreError};
    /// // `openssl rand 32 > sealing-key` made the file.
    /// let key = SealingKey::from_bytes(&std::fs::read("/run/secrets/sealing-key")?)?;
    /// # Ok::<_, StoreError>(())
    /// ```
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StoreError> {
        match bytes.try_into() {
            Ok(bytes) => Ok(Self(Sealer::new(bytes))),
            Err(_) => Err(StoreError::new(format!(
                "a sealing key has 32 bytes, and this one has {}; make one by \"openssl rand 32\"",
                bytes.len()
            ))),
        }
    }
}

impl From<[u8; 32]> for SealingKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Sealer::new(&Zeroizing::new(bytes)))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([redacted])")
    }
}

impl<S: fmt::Debug> fmt::Debug for Sealed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Binds an entry to its format, its name and its stamp, so that nobody can put it elsewhere.
fn context(key: &StoreKey, stamp: Stamp) -> Vec<u8> {
    [b"client-credentials 1\0", &key.as_bytes()[..], &u64::from(stamp).to_be_bytes()].concat()
}

impl<S: TokenStore> TokenStore for Sealed<S> {
    fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let Some(entry) = self.store.load(key)? else { return Ok(None) };
        let (bytes, stamp, left) = entry.into_parts();
        let context = context(key, stamp);
        let open =
            |sealed: &[u8]| [&self.key].into_iter().chain(&self.others).find_map(|key| key.0.open(sealed, &context));
        let entry = match bytes {
            Ok(sealed) => open(&sealed).map_or_else(
                || Entry::unusable("an entry of the store was changed, or sealed with a key that is not known here (Sealed::also_open)", stamp),
                |bytes| Entry::new(bytes, stamp),
            ),
            Err(why) => Entry::unusable(why, stamp),
        };
        Ok(Some(match left {
            Some(left) => entry.left(left),
            None => entry,
        }))
    }

    fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
        self.store.claim(key, lease)
    }

    fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError> {
        let sealed = self.key.0.seal(entry, &context(key, stamp));
        let sealed = sealed.ok_or_else(|| StoreError::new("the operating system gives no random numbers"))?;
        self.store.save(key, &sealed, stamp, keep)
    }

    fn name_key(&self) -> &[u8] {
        self.store.name_key()
    }

    fn may_hang(&self) -> bool {
        self.store.may_hang()
    }
}
