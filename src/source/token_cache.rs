//! Tokens that several sources share. Imports `key`, `random`, `schedule`, `shared_slot`,
//! `transport`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::key::CacheKey;
use crate::random::random;
use crate::renewal::schedule::Jitter;
use crate::source::shared_slot::SharedSlot;
use crate::transport::TransportIdentity;

/// Tokens in memory that several sources share: one for each [`CacheKey`].
///
/// Sources with an identical token request and clones of the same credentials share one token,
/// one fetch and one remembered failure. The cache is bounded: it evicts the key that was least
/// recently used to build a source. A source that is still in use keeps its own token.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, TokenCache, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.token("t", 60);
/// let cache = TokenCache::new(1000);
/// let source = |scope| {
///     let request = TokenRequest::new("https://auth.example.com/token")?
///         .audience("https://api.example.com")
///         .scope(scope)?;
///     TokenSource::builder(Credentials::new("my-client", "s3cret"), request)
///         .transport(script.clone())
///         .cache(&cache)
///         .build()
/// };
/// source("read write")?.token()?;
/// source("write read")?.token()?;
/// assert_eq!((cache.len(), script.requests().len()), (1, 1));
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone)]
pub struct TokenCache(Arc<Mutex<Slots>>);

/// Tokens are shared if the whole key is equal: what is asked, by whom, and through what.
type Slots = Keyed<(CacheKey, TransportIdentity), Arc<SharedSlot>>;

impl TokenCache {
    /// Makes a cache of at most `capacity` keys (at least one). [`TokenCache::default`] holds
    /// 1,024.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenCache, TokenRequest, TokenSource, test_util::Script};
    /// let cache = TokenCache::new(2);
    /// for scope in ["a", "b", "c"] {
    ///     let request = TokenRequest::new("https://auth.example.com/token")?
    ///         .audience("https://api.example.com")
    ///         .scope(scope)?;
    /// #     let (credentials, transport) = (Credentials::new("my-client", "s3cret"), Script::new());
    ///     TokenSource::builder(credentials, request).transport(transport).cache(&cache).build()?;
    /// }
    /// assert_eq!(cache.len(), 2);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Keyed::new(capacity))))
    }

    /// Returns how many keys are cached.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenCache, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let transport = Script::new();
    /// let cache = TokenCache::default();
    /// for client in ["blue", "green"] {
    ///     let credentials = Credentials::new(client, "s3cret");
    ///     TokenSource::builder(credentials, request.clone())
    ///         .transport(transport.clone())
    ///         .cache(&cache)
    ///         .build()?;
    /// }
    /// assert_eq!(cache.len(), 2);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Returns whether no key is cached.
    ///
    /// ```
    /// assert!(client_credentials::TokenCache::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all keys. Existing sources keep their own tokens; sources built from now on fetch
    /// new ones.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenCache, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("one", 3600); script.token("two", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let cache = TokenCache::default();
    /// # let build = || {
    /// #     TokenSource::builder(Credentials::new("id", "secret"), request.clone()).transport(script.clone()).cache(&cache).build()
    /// # };
    /// let source = build()?;
    /// assert_eq!(source.token()?.secret(), "one");
    /// cache.clear();
    /// assert_eq!(build()?.token()?.secret(), "two");
    /// assert_eq!(source.token()?.secret(), "one");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn slot(&self, key: CacheKey, transport: TransportIdentity) -> Arc<SharedSlot> {
        self.lock().get_or_insert_with(&(key, transport), || Arc::new(SharedSlot::new(jitter())))
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new(1024)
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Draws the random factors of a new slot.
pub(super) fn jitter() -> Jitter {
    Jitter { on_schedule: random(), spread: random() }
}

/// A map of at most `capacity` entries that evicts the entry least recently looked up.
pub(crate) struct Keyed<K, V> {
    capacity: usize,
    entries: HashMap<K, (u64, V)>,
    by_age: BTreeMap<u64, K>,
    lookups: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Keyed<K, V> {
    /// Makes an empty map. A capacity of zero holds one entry.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, entries: HashMap::new(), by_age: BTreeMap::new(), lookups: 0 }
    }

    pub(crate) fn get_or_insert_with(&mut self, key: &K, make: impl FnOnce() -> V) -> V {
        self.lookups += 1;
        let now = self.lookups;
        if let Some((age, value)) = self.entries.get_mut(key) {
            self.by_age.remove(age);
            *age = now;
            let value = value.clone();
            self.by_age.insert(now, key.clone());
            return value;
        }
        while self.entries.len() >= self.capacity {
            let Some((_, oldest)) = self.by_age.pop_first() else { break };
            self.entries.remove(&oldest);
        }
        let value = make();
        self.entries.insert(key.clone(), (now, value.clone()));
        self.by_age.insert(now, key.clone());
        value
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.by_age.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_looked_up_entry_makes_room_and_clearing_empties() {
        let mut map = Keyed::new(2);
        let mut get = |scope, value| map.get_or_insert_with(&CacheKey::of_scope(scope), || value);
        assert_eq!([get("a", 1), get("b", 2), get("a", 3), get("c", 4), get("a", 5), get("b", 6)], [1, 2, 1, 4, 1, 6]);
        assert_eq!((map.len(), map.by_age.len()), (2, 2));
        map.clear();
        assert_eq!((map.len(), map.by_age.len()), (0, 0));
        assert_eq!(map.get_or_insert_with(&CacheKey::of_scope("a"), || 7), 7);
    }

    #[test]
    fn a_map_of_no_capacity_holds_one() {
        let mut map = Keyed::new(0);
        assert_eq!(map.get_or_insert_with(&CacheKey::of_scope("a"), || 1), 1);
        assert_eq!(map.get_or_insert_with(&CacheKey::of_scope("a"), || 2), 1);
        assert_eq!(map.get_or_insert_with(&CacheKey::of_scope("b"), || 3), 3);
        assert_eq!(map.len(), 1);
    }
}
