//! Tokens that several sources share. Imports `cache`, `shared_slot`, `schedule`.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cache::{CacheKey, Keyed};
use crate::random::random;
use crate::schedule::Jitter;
use crate::source::flight::SharedSlot;

/// Tokens in memory that several sources share: one for each question.
///
/// A question is a token request and the client that sends it ([`CacheKey`]). Sources with the same question and a clone of
/// this value share one token, one token request and one memory of failures. The cache is bounded: the question that was
/// least recently built into a source goes first. A source that lives on keeps its own token.
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
///     TokenSource::builder(Credentials::new("my-client", "s3cret"), request).transport(script.clone())
///         .cache(&cache)
///         .build()
/// };
/// source("read write")?.token()?;
/// source("write read")?.token()?;
/// assert_eq!((cache.len(), script.requests().len()), (1, 1));
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone)]
pub struct TokenCache(Arc<Mutex<Keyed<Arc<SharedSlot>>>>);

impl TokenCache {
    /// A cache of at most `capacity` questions (at least one). [`TokenCache::default`] holds 1,024.
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

    /// How many questions are kept.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenCache, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let transport = Script::new();
    /// let cache = TokenCache::default();
    /// for client in ["blue", "green"] {
    ///     let credentials = Credentials::new(client, "s3cret");
    ///     TokenSource::builder(credentials, request.clone()).transport(transport.clone())
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

    /// Whether nothing is kept.
    ///
    /// ```
    /// assert!(client_credentials::TokenCache::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything. Sources that live on keep their own tokens; sources that are built from now on ask anew.
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

    pub(crate) fn slot(&self, key: &CacheKey) -> Arc<SharedSlot> {
        self.lock().get_or_insert_with(key, || Arc::new(SharedSlot::new(jitter())))
    }

    fn lock(&self) -> MutexGuard<'_, Keyed<Arc<SharedSlot>>> {
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

/// The numbers of a new slot.
pub(super) fn jitter() -> Jitter {
    Jitter { on_schedule: random(), spread: random() }
}
