//! Asks a store, within a time limit, whatever the store does, and leaves it alone after a failure.
//! Imports `backoff`, `clock`, `store`.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::{Clock, SystemClock};
use crate::renewal::backoff::doubled;
use crate::store::{Claim, StoreError, StoreKey, TokenStore};

/// After a failure a store is left alone for this long; the time doubles with each failure.
const REST: Duration = Duration::from_secs(1);
const REST_MOST: Duration = Duration::from_secs(30);
/// With so many threads left behind, a store is left alone until one of them comes back.
const MOST_UNANSWERED: usize = 8;

/// What one fetch asks of its store. A store that may hang is asked on threads, which are left behind if
/// there is no answer in time, and end when the store answers.
pub(super) struct Desk<'a> {
    store: &'a Arc<dyn TokenStore>,
    may_hang: bool,
    rest: &'a Arc<Rest>,
    clock: &'a dyn Clock,
    /// The time that the store may still take.
    left: Duration,
}

/// What becomes of a question.
enum Answer<T> {
    Awaited,
    /// Nobody waits for it any more.
    Late,
    Given(T),
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        store: &'a Arc<dyn TokenStore>,
        may_hang: bool,
        rest: &'a Arc<Rest>,
        clock: &'a dyn Clock,
    ) -> Self {
        Self { store, may_hang, rest, clock, left: Duration::ZERO }
    }

    /// Sets how long the store may take from now on.
    pub(super) fn allow(&mut self, left: Duration) {
        self.left = left;
    }

    pub(super) fn may_hang(&self) -> bool {
        self.may_hang
    }

    /// Asks the store, and returns what it answers in time. A panic is an error.
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&dyn TokenStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.left.is_zero() {
            return Err(slow());
        }
        let ask = |store: &dyn TokenStore| {
            let answer = catch_unwind(AssertUnwindSafe(|| question(store)));
            answer.unwrap_or_else(|_| Err(StoreError::new("the store panicked")))
        };
        if !self.may_hang {
            let from = self.clock.monotonic();
            let answer = ask(&**self.store);
            self.left = self.left.saturating_sub(self.clock.monotonic().saturating_duration_since(from));
            return answer;
        }
        let given = Arc::new((Mutex::new(Answer::Awaited), Condvar::new()));
        let (store, giving, rest) = (Arc::clone(self.store), Arc::clone(&given), Arc::clone(self.rest));
        let work = move || {
            let answer = ask(&*store);
            let (state, is_given) = &*giving;
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            match *state {
                // A claim that comes too late is given back here.
                Answer::Late => {
                    drop(answer);
                    rest.unanswered.fetch_sub(1, Ordering::Relaxed);
                }
                _ => *state = Answer::Given(answer),
            }
            is_given.notify_one();
        };
        thread::Builder::new().name(String::from("token store")).spawn(work)?;
        // The time of this machine, even if a test has set another clock: the thread is real.
        let from = SystemClock.monotonic();
        let (state, is_given) = &*given;
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_awaited = |state: &mut Answer<_>| matches!(state, Answer::Awaited);
        let waited = is_given.wait_timeout_while(state, self.left, is_awaited).unwrap_or_else(PoisonError::into_inner);
        let mut state = waited.0;
        let answer = mem::replace(&mut *state, Answer::Late);
        if matches!(answer, Answer::Awaited) {
            self.rest.unanswered.fetch_add(1, Ordering::Relaxed);
        }
        drop(state);
        self.left = self.left.saturating_sub(SystemClock.monotonic().saturating_duration_since(from));
        match answer {
            Answer::Given(answer) => answer,
            Answer::Awaited | Answer::Late => {
                self.left = Duration::ZERO;
                Err(slow())
            }
        }
    }

    /// Claims the right to fetch. It is given back by [`release`](Self::release).
    pub(super) fn claim(&mut self, key: StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
        self.ask(move |store| store.claim(&key, lease))
    }

    /// Gives a claim back, which may take the store as long as any question. If it has no time left, this
    /// does not wait for it.
    pub(super) fn release(&mut self, claim: Option<Claim>) {
        if let Some(claim) = claim {
            self.left = self.left.max(Duration::from_millis(1));
            let _ = self.ask(move |_| {
                drop(claim);
                Ok(())
            });
        }
    }
}

/// Since when, and for how long, a store that failed is left alone.
#[derive(Default)]
pub(super) struct Rest {
    pause: Mutex<Pause>,
    /// The questions, and so the threads, that a store has not come back from.
    unanswered: AtomicUsize,
}

#[derive(Default)]
struct Pause {
    until: Option<Instant>,
    failures: u32,
}

impl Rest {
    pub(super) fn is_on(&self, now: Instant) -> bool {
        let pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        pause.until.is_some_and(|until| now < until) || self.unanswered.load(Ordering::Relaxed) >= MOST_UNANSWERED
    }

    pub(super) fn begin(&self, now: Instant) {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        pause.until = now.checked_add(doubled(REST, pause.failures, REST_MOST));
        pause.failures = pause.failures.saturating_add(1);
    }

    pub(super) fn end(&self) {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = Pause::default();
    }
}

fn slow() -> StoreError {
    StoreError::new("the store did not answer in time")
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::mpsc::{self, Sender};
    use std::thread::ThreadId;

    use super::*;
    use crate::test_util::{ManualClock, MemoryStore};

    struct Tells(Sender<ThreadId>);

    impl Drop for Tells {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }

    #[test]
    fn a_claim_of_a_store_that_may_hang_is_never_given_back_by_the_thread_that_asks() {
        let clock = ManualClock::new();
        let store: Arc<dyn TokenStore> = Arc::new(MemoryStore::remote(clock.clone()));
        let rest = Arc::default();
        let mut desk = Desk::new(&store, true, &rest, &clock);
        for left in [Duration::from_secs(60), Duration::ZERO] {
            let (dropped, by) = mpsc::channel();
            desk.allow(left);
            desk.release(Some(Claim::new(Tells(dropped))));
            assert_ne!(by.recv().expect("given back"), thread::current().id());
        }
    }
}
