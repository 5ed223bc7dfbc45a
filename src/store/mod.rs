//! The interface to a place outside this process where tokens are kept, so that many processes use one.
//! Imports `error`.

pub(crate) mod crypto;
#[cfg(feature = "store-file")]
pub(crate) mod file;
pub(crate) mod key;
pub(crate) mod record;
pub(crate) mod sealed;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::BoxError;
pub use key::StoreKey;

/// A place outside this process where a token is kept, so that many processes and machines use one.
///
/// A store keeps bytes and gives the right to fetch. Everything else is done by the
/// [`TokenSource`](crate::TokenSource) that it is given to
/// ([`TokenSourceBuilder::store`](crate::TokenSourceBuilder::store)): what the bytes say, when a token
/// is renewed, who waits, and what to do if the store fails. A source asks its store only on the
/// thread that fetches, outside of all locks. Callers with a valid token never see it.
///
/// An implementation
///
/// - answers soon: it never waits for a [claim](Self::claim), and limits every wait for its backend to
///   a fraction of a second,
/// - gives back the very bytes that were saved, or nothing,
/// - lets nobody else read or change its entries, or is wrapped in [`Sealed`](crate::Sealed): an
///   attacker with write access could plant a token of their own account.
///
/// A store that fails, hangs or panics is no error of a call. The source reports it once
/// ([`EventKind::StoreFailed`](crate::EventKind::StoreFailed)), asks the token endpoint itself, and
/// leaves the store alone for 1 to 30 seconds.
///
/// `FileStore`, in the feature `store-file`, is a store for the processes of one machine; the crate
/// `client-credentials-redis` has one for many machines.
///
/// # Examples
///
/// A store of your own. This one is for the threads of one process, so it shows no more than the shape:
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, Mutex, MutexGuard};
/// use std::time::{Duration, Instant};
/// use client_credentials::{Claim, Entry, Stamp, StoreError, StoreKey, TokenStore};
///
/// #[derive(Clone, Default)]
/// struct Shelf(Arc<Mutex<HashMap<StoreKey, Row>>>);
///
/// #[derive(Default)]
/// struct Row {
///     entry: Option<(Vec<u8>, Stamp, Instant)>,
///     claimed_until: Option<Instant>,
/// }
///
/// impl Shelf {
///     fn rows(&self) -> MutexGuard<'_, HashMap<StoreKey, Row>> {
///         self.0.lock().unwrap()
///     }
/// }
///
/// impl TokenStore for Shelf {
///     fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
///         let rows = self.rows();
///         let kept = rows.get(key).and_then(|row| row.entry.as_ref());
///         let left = |until: &Instant| until.checked_duration_since(Instant::now());
///         Ok(kept.and_then(|(bytes, stamp, until)| {
///             Some(Entry::new(bytes.clone(), *stamp).left(left(until)?))
///         }))
///     }
///
///     fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
///         let (mut rows, now) = (self.rows(), Instant::now());
///         let row = rows.entry(*key).or_default();
///         if row.claimed_until.is_some_and(|until| until > now) {
///             return Ok(None);
///         }
///         row.claimed_until = Some(now + lease);
///         Ok(Some(Claim::new(Release(self.clone(), *key, now + lease))))
///     }
///
///     fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError> {
///         let mut rows = self.rows();
///         let row = rows.entry(*key).or_default();
///         if row.entry.as_ref().is_none_or(|(_, kept, _)| *kept <= stamp) {
///             row.entry = Some((entry.to_vec(), stamp, Instant::now() + keep));
///         }
///         Ok(())
///     }
/// }
///
/// struct Release(Shelf, StoreKey, Instant);
///
/// impl Drop for Release {
///     fn drop(&mut self) {
///         let mut rows = self.0.rows();
///         let row = rows.entry(self.1).or_default();
///         // Only if it still is ours.
///         if row.claimed_until == Some(self.2) {
///             row.claimed_until = None;
///         }
///     }
/// }
/// ```
pub trait TokenStore: Send + Sync + 'static {
    /// Returns what is kept under this key.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot tell. If it works, but this one entry cannot be used, return
    /// [`Entry::unusable`]: the entry is then replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Entry, StoreError, StoreKey, TokenStore};
    /// fn is_empty(store: &impl TokenStore, key: &StoreKey) -> Result<bool, StoreError> {
    ///     Ok(store.load(key)?.is_none())
    /// }
    /// ```
    fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError>;

    /// Gives the right to fetch for this key, until the [`Claim`] is dropped. Returns `None` if somebody
    /// else has it. Never waits.
    ///
    /// The right ends by itself after `lease`, so that a process that is killed locks nobody out. A store
    /// that notices the end of its clients, as a kernel lock does, may give it for longer.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store cannot tell.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{StoreError, StoreKey, TokenStore};
    /// fn alone(store: &impl TokenStore, key: &StoreKey, work: impl FnOnce()) -> Result<bool, StoreError> {
    ///     let Some(_claim) = store.claim(key, Duration::from_secs(5))? else { return Ok(false) };
    ///     work();
    ///     Ok(true)
    /// }
    /// ```
    fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError>;

    /// Keeps `entry` and its `stamp` under this key for at least `keep`, unless an entry with a later
    /// stamp is still kept there. Does not need a claim.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the entry could not be kept. That a later one is there is no error.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Stamp, StoreError, StoreKey, TokenStore};
    /// fn put(store: &impl TokenStore, key: &StoreKey, entry: &[u8]) -> Result<(), StoreError> {
    ///     store.save(key, entry, Stamp::from(1), Duration::from_secs(60))
    /// }
    /// ```
    fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError>;

    /// Returns the key with which names are made: a [`StoreKey`] is an HMAC-SHA-256 of the token request,
    /// so that nobody who sees names alone, in a listing or a backup, can try secrets against them.
    /// Default: no key, which is enough for client secrets that were generated.
    ///
    /// All processes that share tokens need the same one. It does not replace the key of
    /// [`Sealed`](crate::Sealed), which can be changed without losing the entries.
    ///
    /// ```
    /// # use client_credentials::TokenStore;
    /// fn hides_names(store: &impl TokenStore) -> bool {
    ///     !store.name_key().is_empty()
    /// }
    /// ```
    fn name_key(&self) -> &[u8] {
        &[]
    }

    /// Whether a method of this store may take longer than it should, as everything on a network may.
    /// Default: `true`. A source then asks on a thread of its own, which it abandons if there is no
    /// answer in time. Return `false` only for what is certain to answer, such as memory: it saves the
    /// thread.
    ///
    /// ```
    /// # use client_credentials::TokenStore;
    /// fn needs_a_thread(store: &impl TokenStore) -> bool {
    ///     store.may_hang()
    /// }
    /// ```
    fn may_hang(&self) -> bool {
        true
    }
}

/// The right to fetch, which [`TokenStore::claim`] gives. It is given back when the claim is dropped.
///
/// # Examples
///
/// ```
/// use client_credentials::Claim;
///
/// struct Release(&'static str);
///
/// impl Drop for Release {
///     fn drop(&mut self) {
///         // ... give the lock of this name back, if it still is ours ...
///     }
/// }
///
/// let claim = Claim::new(Release("my-lock"));
/// drop(claim);
/// ```
#[must_use = "a claim is given back when it is dropped"]
pub struct Claim {
    _guard: Box<dyn Send>,
}

impl Claim {
    /// Makes a claim that lasts as long as `guard`, whose `Drop` gives the right back. It must not give
    /// back the right of somebody else, who got it because the lease was over. A source drops a claim
    /// where it calls the methods of the store, so `Drop` may take as long as they do.
    ///
    /// ```
    /// # use client_credentials::Claim;
    /// let file = std::fs::File::open("Cargo.toml")?;
    /// let claim = Claim::new(file);
    /// # drop(claim);
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn new(guard: impl Send + 'static) -> Self {
        Self { _guard: Box::new(guard) }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claim")
    }
}

/// What a [`TokenStore`] keeps under a key: the bytes that were saved, and their stamp.
///
/// `Debug` does not show the bytes, which contain a token. They are overwritten when the entry is dropped.
///
/// # Examples
///
/// ```
/// use client_credentials::{Entry, Stamp};
///
/// let entry = Entry::new(b"{}".to_vec(), Stamp::from(7));
/// assert_eq!((entry.bytes(), entry.stamp()), (Some(&b"{}"[..]), Stamp::from(7)));
/// ```
pub struct Entry {
    bytes: Result<Zeroizing<Vec<u8>>, StoreError>,
    stamp: Stamp,
    left: Option<Duration>,
}

impl Entry {
    /// Makes an entry of what was given to [`save`](TokenStore::save).
    ///
    /// ```
    /// # use client_credentials::{Entry, Stamp};
    /// let entry = Entry::new(b"{}".to_vec(), Stamp::from(7));
    /// assert_eq!(entry.time_left(), None);
    /// ```
    #[must_use]
    pub fn new(bytes: Vec<u8>, stamp: Stamp) -> Self {
        Self { bytes: Ok(Zeroizing::new(bytes)), stamp, left: None }
    }

    /// Makes an entry that is there but cannot be used: it is damaged, or somebody else could have written
    /// it. The source reports why, fetches a token, and replaces the entry. If its stamp cannot be read,
    /// use `Stamp::default()`.
    ///
    /// ```
    /// # use client_credentials::{Entry, Stamp};
    /// let entry = Entry::unusable("the row is of a newer program", Stamp::default());
    /// assert_eq!(entry.bytes(), None);
    /// ```
    #[must_use]
    pub fn unusable(why: impl Into<Box<dyn std::error::Error + Send + Sync>>, stamp: Stamp) -> Self {
        Self { bytes: Err(StoreError::new(why)), stamp, left: None }
    }

    /// States for how much longer the store keeps the entry, by a clock of its own: what it was to be kept
    /// for when it was saved, less what has passed since. With it, the age of a token does not depend on the
    /// clocks of the machines. Leave it out if the store keeps entries for much longer than it was told.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Entry, Stamp};
    /// let entry = Entry::new(b"{}".to_vec(), Stamp::from(7)).left(Duration::from_secs(60));
    /// assert_eq!(entry.time_left(), Some(Duration::from_secs(60)));
    /// ```
    #[must_use]
    pub fn left(mut self, left: Duration) -> Self {
        self.left = Some(left);
        self
    }

    /// Returns the bytes; `None` if the entry cannot be used.
    ///
    /// ```
    /// # use client_credentials::{Entry, Stamp};
    /// assert_eq!(Entry::new(vec![1, 2], Stamp::default()).bytes(), Some(&[1, 2][..]));
    /// ```
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_ref().ok().map(|bytes| bytes.as_slice())
    }

    /// Returns the stamp that the entry was saved with.
    ///
    /// ```
    /// # use client_credentials::{Entry, Stamp};
    /// assert_eq!(Entry::new(Vec::new(), Stamp::from(7)).stamp(), Stamp::from(7));
    /// ```
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Returns for how much longer the store keeps the entry, if it has a clock of its own.
    ///
    /// ```
    /// # use client_credentials::{Entry, Stamp};
    /// assert_eq!(Entry::new(Vec::new(), Stamp::default()).time_left(), None);
    /// ```
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.left
    }

    pub(crate) fn into_parts(self) -> (Result<Zeroizing<Vec<u8>>, StoreError>, Stamp, Option<Duration>) {
        (self.bytes, self.stamp, self.left)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Entry");
        match &self.bytes {
            Ok(bytes) => debug.field("bytes", &format_args!("[redacted; {}]", bytes.len())),
            Err(why) => debug.field("unusable", why),
        };
        debug.field("stamp", &self.stamp).field("left", &self.left).finish()
    }
}

/// Tells which of two entries of one key is the later. A store keeps it beside the entry, and compares.
///
/// It is roughly the moment before the token request, in milliseconds, but never below the stamp of the
/// entry that it follows: a process that was stopped in a fetch, or whose clock is slow, cannot replace
/// a later token.
///
/// # Examples
///
/// ```
/// use client_credentials::Stamp;
///
/// assert!(Stamp::from(1) < Stamp::from(2));
/// assert_eq!(u64::from(Stamp::from(7)), 7);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// Returns the stamp of an entry that is made at this moment, and follows one with `self`.
    pub(crate) fn next(self, at: u64) -> Self {
        Self(at.max(self.0.saturating_add(1)))
    }
}

impl From<u64> for Stamp {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<Stamp> for u64 {
    fn from(stamp: Stamp) -> Self {
        stamp.0
    }
}

/// Why a [`TokenStore`] could not do what it was asked. Every error can be turned into one with `?`.
///
/// It is never an error of a call for a token: the source reports it and goes on without the store.
///
/// `Display` says what went wrong, and `Debug` the causes as well. It does not implement
/// [`std::error::Error`], because `?` could then not make one of every error; use
/// [`cause`](Self::cause), or `?` where a boxed error is wanted.
///
/// # Examples
///
/// ```
/// use client_credentials::StoreError;
///
/// fn read() -> Result<Vec<u8>, StoreError> {
///     let bytes = std::fs::read("/no/such/file")?;
///     if bytes.is_empty() {
///         return Err(StoreError::new("the file is empty"));
///     }
///     Ok(bytes)
/// }
/// assert!(read().unwrap_err().to_string().contains("No such file"));
/// ```
pub struct StoreError(BoxError);

impl StoreError {
    /// Makes an error of a text or of another error. Its text must not contain a secret or a token.
    ///
    /// ```
    /// # use client_credentials::StoreError;
    /// assert_eq!(StoreError::new("the disk is full").to_string(), "the disk is full");
    /// ```
    #[cold]
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }

    /// Returns what went wrong.
    ///
    /// ```
    /// # use client_credentials::StoreError;
    /// let error = StoreError::from(std::io::Error::from(std::io::ErrorKind::StorageFull));
    /// assert!(error.cause().is::<std::io::Error>());
    /// ```
    #[must_use]
    pub fn cause(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<StoreError> for Box<dyn std::error::Error + Send + Sync> {
    fn from(error: StoreError) -> Self {
        error.0
    }
}

impl From<StoreError> for Box<dyn std::error::Error> {
    fn from(error: StoreError) -> Self {
        error.0
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, "; caused by: {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl<S: TokenStore + ?Sized> TokenStore for Arc<S> {
    fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        (**self).load(key)
    }

    fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
        (**self).claim(key, lease)
    }

    fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError> {
        (**self).save(key, entry, stamp, keep)
    }

    fn name_key(&self) -> &[u8] {
        (**self).name_key()
    }

    fn may_hang(&self) -> bool {
        (**self).may_hang()
    }
}

impl TokenStore for Box<dyn TokenStore> {
    fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        (**self).load(key)
    }

    fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
        (**self).claim(key, lease)
    }

    fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError> {
        (**self).save(key, entry, stamp, keep)
    }

    fn name_key(&self) -> &[u8] {
        (**self).name_key()
    }

    fn may_hang(&self) -> bool {
        (**self).may_hang()
    }
}
