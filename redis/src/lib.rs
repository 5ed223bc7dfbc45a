#![doc = include_str!("../README.md")]
//!
//! # Manual
//!
//! ## What it does
//!
//! A [`RedisStore`] is a [`TokenStore`]: give it to
//! `TokenSourceBuilder::store`, and all processes on all machines that make the same token request
//! share one token. The token endpoint is asked once when they start, and once each time that the
//! token is renewed. Threads with a valid token never ask Redis.
//!
//! Redis is never needed. If it is down, slow, full, or forgets, each source asks the token endpoint
//! itself, as without a store, and reports it once. An operation takes 0.4 s at most, so that is what
//! a Redis that hangs costs, once. (Looking up a host name is up to the system.) Opening a store does
//! no I/O.
//!
//! ## The URL
//!
//! | URL | meaning |
//! |---|---|
//! | `redis://host:6380` | another port than 6379 |
//! | `redis://host/3` | database 3 (needs the right `+select`) |
//! | `redis://:password@host` | a password of the default user (`requirepass`) |
//! | `redis://user:password@host` | a user of the ACL |
//! | `rediss://host` | TLS, by the feature `rustls`, which is on by default |
//! | `unix:///run/redis.sock?db=3&user=me&pass=secret` | a socket of this machine |
//!
//! `valkey://` and `valkeys://` mean the same. Special characters of a password are percent-encoded.
//! Sentinel and clusters are not followed: use the address of the primary, or of a proxy. A store in
//! front of a node of a cluster reports an error that says so.
//!
//! ## What is in Redis
//!
//! | key | value | ends |
//! |---|---|---|
//! | `cc:1:{HEX}:t` | 8 bytes of [`Stamp`], big endian, and the entry, sealed | with the token |
//! | `cc:1:{HEX}:l` | 16 random bytes: who fetches | after the fetch, or after 5 s |
//!
//! `HEX` is the [`StoreKey`]: a digest of the token request. Nothing there tells a client id, a secret
//! or a token. Every key has a time to live, so an eviction policy that prefers those is fine, as is
//! any other: an entry that was evicted costs one token request.
//!
//! ## Keys
//!
//! Without the sealing key, read access to Redis reveals no token, and write access is not enough to
//! plant a token of another account. The key is made by `openssl rand 32`, and kept
//! where the client secret is. To change it, give all processes the new one with
//! [`RedisStore::also_open`], then make it the one that seals, and drop the old one a day later.
//!
//! The names are made with [`RedisStore::name_key`], which does not change when the sealing key does.
//!
//! # Examples
//!
//! All that can be set:
//!
//! ```
//! use client_credentials::SealingKey;
//! use client_credentials_redis::RedisStore;
//!
//! # let (today, yesterday, names) = ([1; 32], [2; 32], [3; 32]);
//! let store = RedisStore::new("rediss://tokens:hush@cache.example/3", SealingKey::from(today))?
//!     .also_open(SealingKey::from(yesterday))
//!     .name_key(names)
//!     .prefix("billing:tokens:");
//! # Ok::<_, client_credentials::StoreError>(())
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod address;
mod entries;
mod fault;
mod link;
#[cfg(feature = "rustls")]
mod tls;

use std::fmt;
use std::time::Duration;

use client_credentials::{Claim, Entry, Sealed, SealingKey, Stamp, StoreError, StoreKey, TokenStore};

use address::Address;
use entries::Entries;

/// The tokens of many machines in one Redis or Valkey.
///
/// All processes that share tokens need the same sealing key, [name key](Self::name_key),
/// [prefix](Self::prefix) and database. A store may be used by many sources: wrap it in an `Arc`.
///
/// `Debug` shows neither user nor password.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use client_credentials::SealingKey;
/// use client_credentials_redis::RedisStore;
///
/// # let key = [7; 32];
/// let store = Arc::new(RedisStore::new("redis://cache.example", SealingKey::from(key))?);
/// let for_another_source = Arc::clone(&store);
/// # Ok::<_, client_credentials::StoreError>(())
/// ```
pub struct RedisStore {
    entries: Entries,
    sealed: Option<Sealed<Entries>>,
    name_key: Vec<u8>,
}

const PREFIX: &str = "cc:1:";

impl RedisStore {
    /// Makes a store whose entries are sealed with `key`. It connects when it is used, so a Redis that is down is no
    /// error here.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is wrong. The text does not repeat it.
    ///
    /// # Examples
    ///
    /// ```
    /// use client_credentials::SealingKey;
    /// use client_credentials_redis::RedisStore;
    ///
    /// let store = RedisStore::new("redis://tokens:hush@cache.example", SealingKey::from([7; 32]))?;
    /// assert!(!format!("{store:?}").contains("hush"));
    ///
    /// let error = RedisStore::new("cache.example:6379", SealingKey::from([7; 32])).unwrap_err();
    /// assert!(error.to_string().contains("must begin with redis://"));
    /// # Ok::<_, client_credentials::StoreError>(())
    /// ```
    pub fn new(url: impl AsRef<str>, key: SealingKey) -> Result<Self, StoreError> {
        let store = Self::dangerously_unsealed(url)?;
        Ok(Self { sealed: Some(Sealed::new(store.entries.clone(), key)), ..store })
    }

    /// Makes a store whose entries anybody with access to the Redis can read, and replace by a token of another
    /// account. It is for a Redis that only programs can reach which could get the token anyway.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the URL is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use client_credentials_redis::RedisStore;
    ///
    /// let store = RedisStore::dangerously_unsealed("unix:///run/billing/redis.sock")?;
    /// # Ok::<_, client_credentials::StoreError>(())
    /// ```
    pub fn dangerously_unsealed(url: impl AsRef<str>) -> Result<Self, StoreError> {
        let entries = Entries::new(Address::parse(url.as_ref())?, PREFIX);
        Ok(Self { entries, sealed: None, name_key: Vec::new() })
    }

    /// Opens entries that were sealed with this key, too, while keys are changed. Has no effect on a store that
    /// seals nothing.
    ///
    /// ```
    /// # use client_credentials::SealingKey;
    /// # use client_credentials_redis::RedisStore;
    /// # let (new, old) = ([1; 32], [2; 32]);
    /// let store = RedisStore::new("redis://cache.example", SealingKey::from(new))?
    ///     .also_open(SealingKey::from(old));
    /// # Ok::<_, client_credentials::StoreError>(())
    /// ```
    #[must_use]
    pub fn also_open(self, key: SealingKey) -> Self {
        Self { sealed: self.sealed.map(|sealed| sealed.also_open(key)), ..self }
    }

    /// Makes the names of entries with this key ([`TokenStore::name_key`]): any bytes, 32 random ones at best.
    /// Default: none.
    ///
    /// A name is a digest of the token request, and the client secret is a part of that. Anyone who sees names can
    /// test guesses of the secret against them: in vain if the secret was generated, but not if a person chose it. With a name key,
    /// nobody can try. It is not derived from the sealing key, because a new name key means new names: every token is
    /// then fetched once more.
    ///
    /// ```
    /// # use client_credentials::SealingKey;
    /// # use client_credentials_redis::RedisStore;
    /// # let (key, names) = ([1; 32], [2; 32]);
    /// let store = RedisStore::new("redis://cache.example", SealingKey::from(key))?.name_key(names);
    /// # Ok::<_, client_credentials::StoreError>(())
    /// ```
    #[must_use]
    pub fn name_key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.name_key = key.into();
        self
    }

    /// Begins the names of all entries with this text. Default: `cc:1:`. The ACL of the user must allow it.
    ///
    /// ```
    /// # use client_credentials::SealingKey;
    /// # use client_credentials_redis::RedisStore;
    /// # let key = [7; 32];
    /// // ~billing:tokens:* in the ACL
    /// let store = RedisStore::new("redis://cache.example", SealingKey::from(key))?.prefix("billing:tokens:");
    /// # Ok::<_, client_credentials::StoreError>(())
    /// ```
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.entries.set_prefix(prefix.into());
        self
    }

    /// Trusts these certificate authorities (PEM), and no others. Default: the public ones of `webpki-roots`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if there is no certificate in it, or the URL does not begin with `rediss://`.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use client_credentials::SealingKey;
    /// # use client_credentials_redis::RedisStore;
    /// # let key = [7; 32];
    /// let store = RedisStore::new("rediss://cache.example", SealingKey::from(key))?
    ///     .root_certificates(&std::fs::read("/etc/ssl/our-authority.pem")?)?;
    /// # Ok::<_, client_credentials::StoreError>(())
    /// ```
    #[cfg(feature = "rustls")]
    pub fn root_certificates(self, pem: &[u8]) -> Result<Self, StoreError> {
        self.entries.set_root_certificates(pem)?;
        Ok(self)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("url", &format_args!("{}", self.entries.address()))
            .field("prefix", &self.entries.prefix())
            .field("sealed", &self.sealed.is_some())
            .finish_non_exhaustive()
    }
}

impl TokenStore for RedisStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        match &self.sealed {
            Some(sealed) => sealed.load(key),
            None => self.entries.load(key),
        }
    }

    fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
        self.entries.claim(key, lease)
    }

    fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError> {
        match &self.sealed {
            Some(sealed) => sealed.save(key, entry, stamp, keep),
            None => self.entries.save(key, entry, stamp, keep),
        }
    }

    fn name_key(&self) -> &[u8] {
        &self.name_key
    }
}
