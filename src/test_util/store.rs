//! A token store in memory that misbehaves on demand. Imports `clock`, `store`.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{ManualClock, lock};
use crate::clock::{Clock as _, SystemClock};
use crate::store::{Claim, Entry, Stamp, StoreError, StoreKey, TokenStore};

/// A token store in memory that misbehaves on demand. Clones are the same store, so sources with clones
/// of it are like processes that share a token.
///
/// # Examples
///
/// Does the program get its token while the store is out of order?
///
/// ```
/// use client_credentials::test_util::{MemoryStore, Script, StoreFault};
/// use client_credentials::{Credentials, TokenRequest, TokenSource};
///
/// let (store, script) = (MemoryStore::new(), Script::new());
/// script.token("t", 3600);
/// store.always(StoreFault::Fail);
/// let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request)
///     .transport(script)
///     .store(store.clone())
///     .store_as("my-client")
///     .build()?;
/// assert_eq!(source.token()?.secret(), "t");
/// assert_eq!(store.saves(), 0);
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Shelf>);

struct Shelf {
    state: Mutex<State>,
    /// Notified when a fault ends.
    calm: Condvar,
    clock: Option<ManualClock>,
    may_hang: bool,
}

#[derive(Default)]
struct State {
    entries: HashMap<StoreKey, Kept>,
    claims: HashMap<StoreKey, (u64, Instant)>,
    next: VecDeque<StoreFault>,
    always: Option<StoreFault>,
    calms: u64,
    loads: usize,
    claimed: usize,
    saves: usize,
}

struct Kept {
    bytes: Vec<u8>,
    stamp: Stamp,
    until: Instant,
}

/// What a [`MemoryStore`] does wrong.
///
/// # Examples
///
/// ```
/// use client_credentials::test_util::{MemoryStore, StoreFault};
///
/// let store = MemoryStore::new();
/// store.next(StoreFault::Fail); // then it works again
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreFault {
    /// Every method returns an error.
    Fail,
    /// Every method panics.
    Panic,
    /// No method returns, until [`MemoryStore::calm`]. For a store that is [`remote`](MemoryStore::remote):
    /// a source trusts any other to answer.
    Hang,
    /// Every method takes this long: by the clock of the store if it has one, else for real.
    Slow(Duration),
    /// Nothing is there, and nothing is kept.
    Forget,
    /// Somebody else has every claim.
    Busy,
    /// These bytes are there, as if somebody had saved them just now.
    Lie(Vec<u8>),
}

impl MemoryStore {
    /// Makes an empty store. Like a store in files, it has no clock of its own, and is asked without a
    /// thread.
    ///
    /// ```
    /// # use client_credentials::test_util::MemoryStore;
    /// assert_eq!(MemoryStore::new().loads(), 0);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::with(None, false)
    }

    /// Makes an empty store that says how long it still keeps an entry, by this clock.
    ///
    /// ```
    /// # use client_credentials::TokenStore;
    /// # use client_credentials::test_util::{ManualClock, MemoryStore};
    /// assert!(!MemoryStore::with_clock(ManualClock::new()).may_hang());
    /// ```
    #[must_use]
    pub fn with_clock(clock: ManualClock) -> Self {
        Self::with(Some(clock), false)
    }

    /// Makes an empty store that behaves as one on a network: it has a clock of its own, and is asked on a
    /// thread.
    ///
    /// ```
    /// # use client_credentials::TokenStore;
    /// # use client_credentials::test_util::{ManualClock, MemoryStore};
    /// let clock = ManualClock::new();
    /// assert!(MemoryStore::remote(clock.clone()).may_hang());
    /// ```
    #[must_use]
    pub fn remote(clock: ManualClock) -> Self {
        Self::with(Some(clock), true)
    }

    fn with(clock: Option<ManualClock>, may_hang: bool) -> Self {
        Self(Arc::new(Shelf { state: Mutex::default(), calm: Condvar::new(), clock, may_hang }))
    }

    /// Adds what goes wrong with the next call of a method. A second call is for the one after that.
    ///
    /// ```
    /// # use client_credentials::{StoreKey, TokenStore};
    /// # use client_credentials::test_util::{MemoryStore, StoreFault};
    /// let store = MemoryStore::new();
    /// store.next(StoreFault::Fail);
    /// assert!(store.load(&StoreKey::from([0; 32])).is_err());
    /// assert!(store.load(&StoreKey::from([0; 32])).is_ok());
    /// ```
    pub fn next(&self, fault: StoreFault) {
        lock(&self.0.state).next.push_back(fault);
    }

    /// Sets what goes wrong with every call for which [`next`](Self::next) has added nothing.
    ///
    /// ```
    /// # use client_credentials::{StoreKey, TokenStore};
    /// # use client_credentials::test_util::{MemoryStore, StoreFault};
    /// # use std::time::Duration;
    /// let store = MemoryStore::new();
    /// store.always(StoreFault::Busy);
    /// let claim = store.claim(&StoreKey::from([0; 32]), Duration::from_secs(5));
    /// assert!(claim.is_ok_and(|claim| claim.is_none()));
    /// ```
    pub fn always(&self, fault: StoreFault) {
        lock(&self.0.state).always = Some(fault);
    }

    /// Ends all faults. Calls that hang return.
    ///
    /// ```
    /// # use client_credentials::{StoreKey, TokenStore};
    /// # use client_credentials::test_util::{MemoryStore, StoreFault};
    /// let store = MemoryStore::new();
    /// store.always(StoreFault::Fail);
    /// store.calm();
    /// assert!(store.load(&StoreKey::from([0; 32])).is_ok());
    /// ```
    pub fn calm(&self) {
        let mut state = lock(&self.0.state);
        state.next.clear();
        state.always = None;
        state.calms += 1;
        drop(state);
        self.0.calm.notify_all();
    }

    /// Forgets all entries and claims, as a server does that is started again.
    ///
    /// ```
    /// # use client_credentials::test_util::MemoryStore;
    /// let store = MemoryStore::new();
    /// store.clear();
    /// ```
    pub fn clear(&self) {
        let mut state = lock(&self.0.state);
        state.entries.clear();
        state.claims.clear();
    }

    /// Returns the entries that are there, in no order, for a search for what must not be in them.
    ///
    /// ```
    /// # use client_credentials::test_util::MemoryStore;
    /// assert!(MemoryStore::new().entries().is_empty());
    /// ```
    #[must_use]
    pub fn entries(&self) -> Vec<(StoreKey, Vec<u8>)> {
        lock(&self.0.state).entries.iter().map(|(key, kept)| (*key, kept.bytes.clone())).collect()
    }

    /// Returns how often [`load`](TokenStore::load) was called.
    ///
    /// ```
    /// # use client_credentials::{StoreKey, TokenStore};
    /// # use client_credentials::test_util::MemoryStore;
    /// let store = MemoryStore::new();
    /// assert!(store.load(&StoreKey::from([0; 32])).is_ok());
    /// assert_eq!(store.loads(), 1);
    /// ```
    #[must_use]
    pub fn loads(&self) -> usize {
        lock(&self.0.state).loads
    }

    /// Returns how often [`claim`](TokenStore::claim) was called.
    ///
    /// ```
    /// # use client_credentials::test_util::MemoryStore;
    /// assert_eq!(MemoryStore::new().claims(), 0);
    /// ```
    #[must_use]
    pub fn claims(&self) -> usize {
        lock(&self.0.state).claimed
    }

    /// Returns how often [`save`](TokenStore::save) was called and did not fail.
    ///
    /// ```
    /// # use client_credentials::test_util::MemoryStore;
    /// assert_eq!(MemoryStore::new().saves(), 0);
    /// ```
    #[must_use]
    pub fn saves(&self) -> usize {
        lock(&self.0.state).saves
    }

    fn now(&self) -> Instant {
        self.0.clock.as_ref().map_or_else(|| SystemClock.monotonic(), |clock| clock.monotonic())
    }

    /// Misbehaves, and returns a fault that is the business of the method.
    fn fault(&self) -> Result<Option<StoreFault>, StoreError> {
        let mut state = lock(&self.0.state);
        let fault = state.next.pop_front().or_else(|| state.always.clone());
        match fault {
            Some(StoreFault::Fail) => return Err(StoreError::new("the store is out of order")),
            Some(StoreFault::Panic) => {
                drop(state);
                panic!("a MemoryStore that panics on demand");
            }
            Some(StoreFault::Hang) => {
                let calms = state.calms;
                let until_calm = |state: &mut State| state.calms == calms;
                drop(self.0.calm.wait_while(state, until_calm).unwrap_or_else(PoisonError::into_inner));
            }
            Some(StoreFault::Slow(time)) => {
                drop(state);
                match &self.0.clock {
                    Some(clock) => clock.sleep(time),
                    None => SystemClock.sleep(time),
                }
            }
            fault => return Ok(fault),
        }
        Ok(None)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl TokenStore for MemoryStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        lock(&self.0.state).loads += 1;
        match self.fault()? {
            Some(StoreFault::Forget) => return Ok(None),
            Some(StoreFault::Lie(bytes)) => return Ok(Some(Entry::new(bytes, Stamp::default()))),
            _ => {}
        }
        let (state, now) = (lock(&self.0.state), self.now());
        Ok(state.entries.get(key).and_then(|kept| {
            let left = kept.until.saturating_duration_since(now);
            let entry = Entry::new(kept.bytes.clone(), kept.stamp);
            match &self.0.clock {
                Some(_) => (!left.is_zero()).then(|| entry.left(left)),
                None => Some(entry),
            }
        }))
    }

    fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
        lock(&self.0.state).claimed += 1;
        if self.fault()? == Some(StoreFault::Busy) {
            return Ok(None);
        }
        let (mut state, now) = (lock(&self.0.state), self.now());
        if state.claims.get(key).is_some_and(|(_, until)| *until > now) {
            return Ok(None);
        }
        let number = state.claimed as u64;
        state.claims.insert(*key, (number, now + lease));
        Ok(Some(Claim::new(Release { shelf: Arc::clone(&self.0), key: *key, number })))
    }

    fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError> {
        let fault = self.fault()?;
        let (mut state, now) = (lock(&self.0.state), self.now());
        state.saves += 1;
        let is_later = |kept: &Kept| kept.stamp > stamp && kept.until > now;
        if fault != Some(StoreFault::Forget) && !state.entries.get(key).is_some_and(is_later) {
            let until = now.checked_add(keep).unwrap_or(now);
            state.entries.insert(*key, Kept { bytes: entry.to_vec(), stamp, until });
        }
        Ok(())
    }

    fn name_key(&self) -> &[u8] {
        b"the name key of a MemoryStore"
    }

    fn may_hang(&self) -> bool {
        self.0.may_hang
    }
}

struct Release {
    shelf: Arc<Shelf>,
    key: StoreKey,
    number: u64,
}

impl Drop for Release {
    fn drop(&mut self) {
        let mut state = lock(&self.shelf.state);
        if state.claims.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            state.claims.remove(&self.key);
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("entries", &lock(&self.0.state).entries.len()).finish_non_exhaustive()
    }
}
