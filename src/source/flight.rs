//! One lock and one bell around a slot: of all callers that need a token at once, one fetches and the others wait.
//! Imports `error`, `event`, `moment`, `policy`, `slot`, `token`.
//!
//! The lock is held for a look or a note, never while a token request is under way. A leader that panics lands its
//! flight as abandoned on the way out, so nobody waits for the dead.

use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
use std::thread::{self, ThreadId};
use std::time::Duration;

// The model checker takes the place of the lock, the bell and the threads (see `model`, at the end).
#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(loom)]
use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(loom)]
use loom::thread::{self, ThreadId};

use crate::error::Error;
use crate::event::Reason;
use crate::moment::Moment;
use crate::schedule::Jitter;
use crate::settings::Settings;
use crate::slot::{Good, Landing, Next, Refusal, Slot};
use crate::token::AccessToken;

pub(crate) struct Flight {
    state: Mutex<State>,
    bell: Condvar,
    /// Another one for each flight of this process.
    id: usize,
    /// Changes whenever the token does: what was read before that is not to be used any more.
    edition: AtomicU64,
}

static IDS: AtomicUsize = AtomicUsize::new(0);

struct State {
    slot: Slot,
    /// Who leads the flight under way: a leader must not wait for itself.
    leader: Option<ThreadId>,
}

/// A token that is good for `holds`, as long as the edition is this one.
pub(crate) struct Found {
    pub(crate) token: AccessToken,
    pub(crate) holds: Duration,
    pub(crate) edition: u64,
}

/// What a caller is to do, seen from outside the lock.
pub(crate) enum Turn {
    Use(Found),
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
    pub(crate) fn new(jitter: Jitter) -> Self {
        Self {
            state: Mutex::new(State { slot: Slot::new(jitter), leader: None }),
            bell: Condvar::new(),
            id: IDS.fetch_add(1, Ordering::Relaxed),
            edition: AtomicU64::new(0),
        }
    }

    /// One look at the slot. `Turn::Lead` is given to one caller at a time and obliges it to [`land`](Self::land);
    /// nobody leads that has less than `patience` to wait for its start.
    pub(crate) fn turn(&self, now: Moment, forced: bool, patience: Duration) -> Option<Turn> {
        let mut state = self.lock();
        Some(match state.slot.next(now, forced) {
            Next::Use { token, holds } => Turn::Use(Found { token, holds, edition: self.edition() }),
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

    /// The same look by a caller that would neither lead nor wait.
    #[cfg(feature = "ureq")]
    pub(crate) fn glance(&self, now: Moment) -> Option<Found> {
        match self.lock().slot.next(now, false) {
            Next::Use { token, holds } => Some(Found { token, holds, edition: self.edition() }),
            _ => None,
        }
    }

    pub(crate) fn land(&self, flight: u64, landing: Landing, now: Moment, settings: &Settings) {
        let mut state = self.lock();
        state.slot.land(flight, landing, now, settings);
        state.leader = None;
        self.edition.fetch_add(1, Ordering::Release);
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
        let mut state = self.lock();
        self.edition.fetch_add(1, Ordering::Release);
        state.slot.refuse(token, now)
    }

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    pub(crate) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    pub(crate) fn look<T>(&self, at: impl FnOnce(&Slot) -> T) -> T {
        at(&self.lock().slot)
    }

    /// Nothing that runs under the lock can leave it half done, so a poisoned lock is as good as a whole one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom), feature = "ureq"))]
mod tests {
    use super::*;
    use crate::request::TokenRequest;
    use crate::source::clock::{Clock as _, SystemClock};

    #[test]
    fn a_glance_finds_a_token_that_needs_no_renewal_and_obliges_to_nothing() {
        let (flight, now, patience) = (Flight::new(Jitter::default()), SystemClock.now(), Duration::from_secs(30));
        assert!(flight.glance(now).is_none());
        let Some(Turn::Lead { flight: number, .. }) = flight.turn(now, false, patience) else { panic!("not led") };
        assert!(flight.glance(now).is_none(), "another one fetches");
        let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
        let answer = http::Response::new(r#"{"access_token":"T1","expires_in":1000}"#);
        let token = request.decode(&answer, now).expect("a token");
        flight.land(number, Landing::Fetched(token), now, &Settings::default());
        let found = flight.glance(now).expect("a token");
        assert_eq!((found.token.secret(), found.edition), ("T1", flight.edition()));
        assert!(flight.glance(now.later(Duration::from_secs(800))).is_none(), "it is time to renew");
    }
}

/// Every interleaving of a few callers, by model checking:
/// `RUSTFLAGS="--cfg loom" cargo test --release --lib model`.
///
/// loom knows no timeouts, so a caller that nobody wakes is a deadlock here, and fails the test.
#[cfg(all(test, loom))]
mod model {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use loom::thread;

    use crate::credentials::Credentials;
    use crate::error::{Error, TransportError, TransportErrorKind};
    use crate::request::TokenRequest;
    use crate::source::TokenSource;
    use crate::test_util::ManualClock;
    use crate::transport::Limits;

    /// A source whose token endpoint answers `T1`, `T2`, ... unless `misbehave` says something about that number.
    fn source(
        misbehave: impl Fn(usize) -> Option<TransportError> + Send + Sync + 'static,
    ) -> (TokenSource, Arc<AtomicUsize>, ManualClock) {
        let (asked, clock) = (Arc::new(AtomicUsize::new(0)), ManualClock::new());
        let counter = Arc::clone(&asked);
        let transport = move |_: http::Request<Vec<u8>>, _: &Limits| {
            let number = counter.fetch_add(1, SeqCst) + 1;
            thread::yield_now();
            match misbehave(number) {
                Some(error) => Err(error),
                None => Ok(http::Response::new(format!(r#"{{"access_token":"T{number}","expires_in":3600}}"#).into())),
            }
        };
        let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
        let source =
            TokenSource::builder(Credentials::new("id", "s"), request.audience("https://api.example.com"), transport)
                .clock(clock.clone())
                .retries(0)
                .build()
                .expect("a source");
        (source, asked, clock)
    }

    fn spawn<T: 'static>(source: &TokenSource, work: impl FnOnce(TokenSource) -> T + 'static) -> thread::JoinHandle<T> {
        let source = source.clone();
        thread::spawn(move || work(source))
    }

    fn get(source: TokenSource) -> String {
        source.token().expect("a token").secret().to_owned()
    }

    #[test]
    fn an_empty_cache_is_filled_once_and_everybody_is_woken() {
        loom::model(|| {
            let (source, asked, _) = source(|_| None);
            let others = [spawn(&source, get), spawn(&source, get)];
            assert_eq!(get(source), "T1");
            for other in others {
                assert_eq!(other.join().expect("no panic"), "T1");
            }
            assert_eq!(asked.load(SeqCst), 1);
        });
    }

    #[test]
    fn a_failure_reaches_everybody_and_is_not_asked_for_again() {
        loom::model(|| {
            let fail = |_| Some(TransportError::new(TransportErrorKind::Connect, "refused"));
            let (source, asked, _) = source(fail);
            let other = spawn(&source, |source| source.token().is_err());
            assert!(matches!(source.token(), Err(Error::Transport(_))));
            assert!(other.join().expect("no panic"));
            assert_eq!(asked.load(SeqCst), 1);
        });
    }

    #[test]
    fn no_refused_token_is_handed_out_again_and_one_renewal_serves_all_who_were_refused() {
        loom::model(|| {
            let (source, asked, _) = source(|_| None);
            let old = source.token().expect("a token");
            // From the second time on a thread remembers a copy of its own.
            assert_eq!([get(source.clone()), get(source.clone())], ["T1", "T1"]);
            let refused = old.clone();
            let other = spawn(&source, move |source| {
                get(source.clone());
                source.refused(&refused);
                get(source)
            });
            source.refused(&old);
            assert_eq!(get(source.clone()), "T2");
            assert_eq!(other.join().expect("no panic"), "T2");
            assert_eq!(get(source), "T2");
            assert_eq!(asked.load(SeqCst), 2);
        });
    }

    #[test]
    fn a_reader_with_a_valid_token_neither_waits_nor_fetches_while_another_renews() {
        loom::model(|| {
            let (source, asked, clock) = source(|_| None);
            source.token().expect("a token");
            clock.advance(Duration::from_secs(3300));
            let other = spawn(&source, get);
            let tokens = [get(source.clone()), other.join().expect("no panic")];
            assert!(tokens.contains(&"T2".to_owned()), "{tokens:?}");
            assert_eq!(source.inspect().waits, 0);
            assert_eq!(asked.load(SeqCst), 2);
        });
    }

    #[test]
    fn a_panicking_leader_leaves_the_others_a_way() {
        loom::model(|| {
            let (source, asked, _) = source(|number| if number == 1 { panic!("the user's transport") } else { None });
            let get = |source: TokenSource| catch_unwind(AssertUnwindSafe(|| get(source))).ok();
            let other = spawn(&source, get);
            let tokens = [get(source), other.join().expect("caught")];
            assert_eq!(tokens.iter().flatten().count(), 1, "{tokens:?}");
            assert_eq!(asked.load(SeqCst), 2);
        });
    }
}
