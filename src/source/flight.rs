//! One lock and one bell around a slot: of all callers that need a token at once, one fetches and the others wait.
//! Imports `error`, `event`, `moment`, `policy`, `slot`, `token`.
//!
//! The lock is held for a look or a note, never while a token request is under way. A leader that panics lands its
//! flight as abandoned on the way out, so nobody waits for the dead.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::error::Error;
use crate::event::Reason;
use crate::moment::Moment;
use crate::policy::Policy;
use crate::slot::{Good, Landing, Next, Refusal, Slot};
use crate::token::AccessToken;

pub(crate) struct Flight {
    state: Mutex<State>,
    bell: Condvar,
}

struct State {
    slot: Slot,
    /// Who leads the flight under way: a leader must not wait for itself.
    leader: Option<ThreadId>,
}

/// What a caller is to do, seen from outside the lock.
pub(crate) enum Turn {
    Use(AccessToken),
    Lead {
        flight: u64,
        after: Duration,
        reason: Reason,
        good: Option<Good>,
    },
    Follow {
        flight: u64,
        good: Option<Good>,
    },
    Fail(Error),
    /// The caller is in the middle of fetching this very token.
    Recursion,
}

impl Flight {
    pub(crate) fn new(jitter: f64) -> Self {
        Self { state: Mutex::new(State { slot: Slot::new(jitter), leader: None }), bell: Condvar::new() }
    }

    /// One look at the slot. `Turn::Lead` is given to one caller at a time and obliges it to [`land`](Self::land);
    /// nobody leads that has less than `patience` to wait for its start.
    pub(crate) fn turn(&self, now: Moment, forced: bool, patience: Duration) -> Option<Turn> {
        let mut state = self.lock();
        Some(match state.slot.next(now, forced) {
            Next::Use(token) => Turn::Use(token),
            Next::Fail(error) => Turn::Fail(error),
            Next::Follow { .. } if state.leader == Some(thread::current().id()) => Turn::Recursion,
            Next::Follow { flight, good } => Turn::Follow { flight, good },
            Next::Lead { after, .. } if after >= patience => return None,
            Next::Lead { after, reason, good } => {
                let flight = state.slot.begin(now, after);
                state.leader = Some(thread::current().id());
                Turn::Lead { flight, after, reason, good }
            }
        })
    }

    #[cfg(feature = "ureq")]
    pub(crate) fn ready(&self, now: Moment) -> Option<AccessToken> {
        match self.lock().slot.next(now, false) {
            Next::Use(token) => Some(token),
            _ => None,
        }
    }

    pub(crate) fn land(&self, flight: u64, landing: Landing, now: Moment, policy: &Policy) {
        let mut state = self.lock();
        state.slot.land(flight, landing, now, policy);
        state.leader = None;
        drop(state);
        self.bell.notify_all();
    }

    /// Waits until this flight is over, at most for `longest`. `None`: no result, look again.
    pub(crate) fn wait(&self, flight: u64, longest: Duration) -> Option<Result<AccessToken, Error>> {
        let mut state = self.lock();
        if state.slot.is_flying(flight) {
            state.slot.counts.waits += 1;
            // Woken without a reason: the caller looks at the clock and comes back.
            state = self.bell.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.slot.landed(flight).cloned()
    }

    pub(crate) fn refuse(&self, token: &AccessToken, now: Moment) -> Refusal {
        self.lock().slot.refuse(token, now)
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&Slot) -> T) -> T {
        at(&self.lock().slot)
    }

    /// Nothing that runs under the lock can leave it half done, so a poisoned lock is as good as a whole one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
