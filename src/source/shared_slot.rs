//! A [`Slot`] shared between threads: a mutex and a condition variable. When several callers need
//! a token at once, one fetches it and the rest wait. Imports `clock`, `error`, `event`, `random`,
//! `schedule`, `settings`, `slot`, `token`.
//!
//! The lock is held only to read or update the slot, never during a token request. If the
//! fetching thread panics, a drop guard marks the fetch as abandoned, so waiters are woken.

use std::hash::{Hash, RandomState};
use std::process;
use std::sync::PoisonError;
#[cfg(not(all(test, loom)))]
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(not(all(test, loom)))]
use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(all(test, loom)))]
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

// In the model tests at the end, the model checker replaces the mutex, the condition variable and
// the threads.
#[cfg(all(test, loom))]
use loom::sync::atomic::{AtomicUsize, Ordering};
#[cfg(all(test, loom))]
use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(all(test, loom))]
use loom::thread::{self, ThreadId};

use crate::clock::Moment;
use crate::error::Error;
use crate::event::Reason;
use crate::protocol::token::AccessToken;
use crate::random::Fingerprint;
use crate::renewal::caller::{Caller, FetchId, Next, Outcome, Refusal};
use crate::renewal::schedule::Jitter;
use crate::renewal::settings::Settings;
use crate::renewal::slot::Slot;

pub(crate) struct SharedSlot {
    state: Mutex<State>,
    /// Notified whenever a fetch ends.
    finished: Condvar,
    /// Changes whenever a fetch ends or a token is refused.
    generation: AtomicUsize,
    /// The generation in which a token was accepted last.
    accepted: AtomicUsize,
    /// For the fingerprints of proofs, which sources with this slot compare.
    keys: RandomState,
}

/// What came of waiting for a fetch.
pub(crate) enum Waited {
    Ended(Result<AccessToken, Error>),
    /// The fetch was handed over to this caller, which must call [`finish`](SharedSlot::finish).
    Inherited {
        fetch: FetchId,
        reason: Reason,
    },
    /// The caller checks its deadline and polls again.
    NoResult,
}

struct State {
    slot: Slot,
    /// The thread of the fetch under way.
    leader: Option<(ThreadId, u32)>,
}

impl State {
    fn is_led_by_this_thread(&self) -> bool {
        self.leader == Some(this_thread())
    }
}

/// This thread, and its process: after a `fork` the thread that fetches is in the other one.
fn this_thread() -> (ThreadId, u32) {
    (thread::current().id(), process::id())
}

impl SharedSlot {
    pub(crate) fn new(jitter: Jitter) -> Self {
        Self {
            state: Mutex::new(State { slot: Slot::new(jitter), leader: None }),
            finished: Condvar::new(),
            generation: AtomicUsize::new(0),
            accepted: AtomicUsize::new(usize::MAX),
            keys: RandomState::new(),
        }
    }

    /// Decides what this caller must do next. Only one caller at a time gets [`Next::Lead`], and it
    /// must call [`finish`](Self::finish).
    pub(crate) fn poll(&self, now: Moment, caller: &Caller, settings: &Settings) -> Next {
        let mut state = self.lock();
        if state.leader.is_some_and(|(_, process)| process != process::id()) {
            // This process was forked while another thread fetched, and has no such thread.
            state.slot.forget_fetch();
            state.leader = None;
        }
        let next = state.slot.poll(now, caller, settings);
        match next {
            Next::Follow { .. } if state.is_led_by_this_thread() => return Next::Recursion,
            Next::Lead { .. } => state.leader = Some(this_thread()),
            _ => {}
        }
        next
    }

    /// Makes this thread the one that fetches, after [`poll`](Self::poll) gave the fetch to another.
    pub(crate) fn adopt(&self, fetch: FetchId) {
        let mut state = self.lock();
        if state.slot.is_running(fetch) {
            state.leader = Some(this_thread());
        }
    }

    /// Tells proofs apart, within this slot.
    pub(crate) fn fingerprint(&self, proof: &impl Hash) -> Fingerprint {
        Fingerprint::of(proof, &self.keys)
    }

    /// Records what a caller has found out after [`Next::Fail`] told it to ask.
    pub(crate) fn asked(&self, proof: Fingerprint, replaced: bool, now: Moment) {
        self.lock().slot.asked(proof, replaced, now);
    }

    pub(crate) fn finish(&self, fetch: FetchId, outcome: Outcome, now: Moment, settings: &Settings) {
        let mut state = self.lock();
        if state.slot.is_running(fetch) {
            state.leader = None;
        }
        state.slot.finish(fetch, outcome, now, settings);
        self.generation.fetch_add(1, Ordering::Release);
        drop(state);
        self.finished.notify_all();
    }

    /// Waits at most this long for a fetch to end. A wake-up may be spurious.
    pub(crate) fn wait(
        &self,
        fetch: FetchId,
        caller: &Caller,
        now: Instant,
        longest: Duration,
        settings: &Settings,
    ) -> Waited {
        let mut state = self.lock();
        if state.slot.is_running(fetch) {
            state.slot.counts.waits += 1;
            let until = now.checked_add(caller.left).unwrap_or(now);
            let waiter = state.slot.queue.enter(caller.budget, until);
            state = self.finished.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0;
            state.slot.queue.leave(waiter);
            if let Some((fetch, reason)) = state.slot.inherit(waiter, settings) {
                state.leader = Some(this_thread());
                return Waited::Inherited { fetch, reason };
            }
        }
        state.slot.result(fetch, caller.budget).map_or(Waited::NoResult, Waited::Ended)
    }

    /// Records that an API took `token`. Only the first call for each generation takes the lock.
    pub(crate) fn accept(&self, token: &AccessToken) {
        let generation = self.generation();
        if self.accepted.load(Ordering::Relaxed) != generation {
            self.accepted.store(generation, Ordering::Relaxed);
            self.lock().slot.accept(token);
        }
    }

    pub(crate) fn refuse(&self, token: &AccessToken, now: Moment, settings: &Settings) -> Refusal {
        let mut state = self.lock();
        self.generation.fetch_add(1, Ordering::Release);
        state.slot.refuse(token, now, settings)
    }

    pub(crate) fn generation(&self) -> usize {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns what `read` finds in the slot.
    pub(crate) fn inspect<T>(&self, read: impl FnOnce(&Slot) -> T) -> T {
        read(&self.lock().slot)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    fn caller() -> Caller {
        let timeout = Settings::default().timeout;
        Caller { budget: timeout, left: timeout, newer_than: None }
    }

    fn poll(slot: &SharedSlot, now: Moment) -> Next {
        slot.poll(now, &caller(), &Settings::default())
    }

    fn lead(slot: &SharedSlot, now: Moment) -> FetchId {
        let Next::Lead { fetch, .. } = poll(slot, now) else { panic!("not led") };
        fetch
    }

    #[test]
    fn a_fetch_of_the_process_that_forked_this_one_is_lost() {
        let (slot, now) = (SharedSlot::new(Jitter::default()), SystemClock.now());
        let fetch = lead(&slot, now);
        assert!(matches!(poll(&slot, now), Next::Recursion), "this thread fetches");
        slot.lock().leader = Some((thread::current().id(), process::id().wrapping_add(1)));
        assert!(lead(&slot, now) > fetch);
    }

    #[test]
    fn a_fetch_belongs_to_the_thread_that_adopted_it() {
        let (slot, now) = (SharedSlot::new(Jitter::default()), SystemClock.now());
        let fetch = lead(&slot, now);
        thread::scope(|scope| {
            scope.spawn(|| {
                slot.adopt(fetch);
                assert!(matches!(poll(&slot, now), Next::Recursion), "this thread fetches");
            });
        });
        assert!(matches!(poll(&slot, now), Next::Follow { .. }), "this thread does not fetch any more");
    }

    #[test]
    fn a_leader_that_is_lost_takes_nothing_from_the_one_after_it() {
        let (slot, now, settings) = (SharedSlot::new(Jitter::default()), SystemClock.now(), Settings::default());
        let lost = lead(&slot, now);
        let later = now.later(settings.lost_after());
        lead(&slot, later);
        thread::scope(|scope| {
            scope.spawn(|| {
                slot.adopt(lost);
                slot.finish(lost, Outcome::Abandoned, later, &settings);
                assert!(matches!(poll(&slot, later), Next::Follow { .. }), "another thread fetches");
            });
        });
        assert!(matches!(poll(&slot, later), Next::Recursion), "this thread fetches");
    }

    /// A failure after which the fetch is handed over to a caller with more than a second.
    fn out_of_time() -> Outcome {
        let given = Some(Duration::from_secs(1));
        Outcome::Failed { error: Error::configuration("for a test"), given, refused: None }
    }

    #[test]
    fn a_thread_that_handed_its_fetch_over_may_follow_it() {
        let (slot, now, settings) = (SharedSlot::new(Jitter::default()), SystemClock.now(), Settings::default());
        let fetch = lead(&slot, now);
        slot.lock().slot.queue.enter(settings.timeout, now.monotonic());
        slot.finish(fetch, out_of_time(), now, &settings);
        assert!(matches!(poll(&slot, now), Next::Follow { fetch: next, .. } if next > fetch));
    }

    #[test]
    fn a_thread_that_inherits_a_fetch_is_the_one_that_fetches() {
        let (slot, now, settings) = (SharedSlot::new(Jitter::default()), SystemClock.now(), Settings::default());
        let fetch = lead(&slot, now);
        thread::scope(|scope| {
            let heir = scope.spawn(|| {
                let waited = slot.wait(fetch, &caller(), now.monotonic(), settings.timeout, &settings);
                assert!(matches!(waited, Waited::Inherited { .. }));
                assert!(matches!(poll(&slot, now), Next::Recursion), "this thread fetches");
            });
            while slot.inspect(|slot| slot.counts.waits) == 0 && !heir.is_finished() {
                thread::yield_now();
            }
            slot.finish(fetch, out_of_time(), now, &settings);
        });
        assert!(matches!(poll(&slot, now), Next::Follow { .. }), "another thread fetches");
    }

    #[test]
    fn a_caller_that_does_not_wait_any_more_inherits_nothing() {
        let (slot, now, settings) = (SharedSlot::new(Jitter::default()), SystemClock.now(), Settings::default());
        let fetch = lead(&slot, now);
        let waited = slot.wait(fetch, &caller(), now.monotonic(), Duration::ZERO, &settings);
        assert!(matches!(waited, Waited::NoResult));
        slot.finish(fetch, out_of_time(), now, &settings);
        assert!(lead(&slot, now) > fetch);
    }

    #[test]
    fn a_fetch_that_has_ended_is_not_waited_for() {
        let (slot, now, settings) = (SharedSlot::new(Jitter::default()), SystemClock.now(), Settings::default());
        let fetch = lead(&slot, now);
        slot.finish(fetch, Outcome::Abandoned, now, &settings);
        let waited = slot.wait(fetch, &caller(), now.monotonic(), Duration::ZERO, &settings);
        assert!(matches!(waited, Waited::NoResult));
        assert_eq!(slot.inspect(|slot| slot.counts.waits), 0);
    }
}

/// Every interleaving of a few callers, by model checking:
/// `RUSTFLAGS="--cfg loom" cargo test --release --lib model`.
///
/// loom has no timeouts, so a caller that is never woken is a deadlock here, and fails the test.
#[cfg(all(test, loom))]
mod model {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use loom::thread;

    use crate::error::{Error, TransportError, TransportErrorKind};
    use crate::protocol::credentials::Credentials;
    use crate::protocol::request::TokenRequest;
    use crate::source::TokenSource;
    #[cfg(feature = "store")]
    use crate::store::{Claim, Entry, Stamp, StoreError, StoreKey, TokenStore};
    use crate::test_util::ManualClock;
    use crate::transport::Attempt;

    /// A source whose token endpoint answers `T1`, `T2`, ... and fails where `misbehave` returns an
    /// error for that number.
    fn source(
        misbehave: impl Fn(usize) -> Option<TransportError> + Send + Sync + 'static,
    ) -> (TokenSource, Arc<AtomicUsize>, ManualClock) {
        let (asked, clock) = (Arc::new(AtomicUsize::new(0)), ManualClock::new());
        let counter = Arc::clone(&asked);
        let transport = move |_: http::Request<Vec<u8>>, _: &Attempt| {
            let number = counter.fetch_add(1, SeqCst) + 1;
            thread::yield_now();
            match misbehave(number) {
                Some(error) => Err(error),
                None => Ok(http::Response::new(format!(r#"{{"access_token":"T{number}","expires_in":3600}}"#).into())),
            }
        };
        let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
        let source = TokenSource::builder(Credentials::new("id", "s"), request.audience("https://api.example.com"))
            .transport(transport)
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
            // From the second use on, the thread keeps its own copy.
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
    fn d49_a_replaced_secret_is_found_once_and_fetched_with_once() {
        loom::model(|| {
            let (calls, clock) = (Arc::new(AtomicUsize::new(0)), ManualClock::new());
            let counter = Arc::clone(&calls);
            // The fetch that fails asks twice.
            let credentials = Credentials::with_secret_from("id", move || {
                Ok(if counter.fetch_add(1, SeqCst) < 2 { "old" } else { "new" }.into())
            });
            let transport = |request: http::Request<Vec<u8>>, _: &Attempt| {
                thread::yield_now();
                let is_new = request.body().ends_with(b"=new");
                let (status, body) = if is_new { (200, r#"{"access_token":"T"}"#) } else { (401, "") };
                Ok(http::Response::builder().status(status).body(body.into()).expect("an answer"))
            };
            let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
            let source = TokenSource::builder(credentials.in_body(), request.audience("https://api.example.com"))
                .transport(transport)
                .clock(clock.clone())
                .build()
                .expect("a source");
            source.token().expect_err("refused");
            clock.advance(Duration::from_secs(1));
            let ask = |source: TokenSource| source.token().map(|token| token.secret().to_owned());
            let other = spawn(&source, ask);
            let results = [ask(source), other.join().expect("no panic")];
            // A caller that comes while the other one asks gets the remembered refusal.
            assert!(results.iter().any(|result| result.as_ref().is_ok_and(|token| token == "T")));
            assert!(results.iter().flatten().all(|token| token == "T"));
            assert_eq!(calls.load(SeqCst), 4, "one question, one request");
        });
    }

    /// A clock at whose pauses other threads go on, and that stands still, so that nobody gives up.
    #[cfg(feature = "store")]
    struct Yielding(ManualClock);

    #[cfg(feature = "store")]
    impl crate::clock::Clock for Yielding {
        fn now(&self) -> crate::clock::Moment {
            self.0.now()
        }

        fn sleep(&self, _: Duration) {
            thread::yield_now();
        }
    }

    /// A store before whose every answer another thread may go on.
    #[cfg(feature = "store")]
    #[derive(Clone)]
    struct Interleaved(crate::test_util::MemoryStore, Arc<loom::sync::atomic::AtomicUsize>);

    #[cfg(feature = "store")]
    impl Interleaved {
        fn store(&self) -> &crate::test_util::MemoryStore {
            self.1.fetch_add(1, SeqCst);
            &self.0
        }
    }

    #[cfg(feature = "store")]
    impl TokenStore for Interleaved {
        fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
            self.store().load(key)
        }

        fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
            self.store().claim(key, lease)
        }

        fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError> {
            self.store().save(key, entry, stamp, keep)
        }

        fn may_hang(&self) -> bool {
            false
        }
    }

    /// Each thread stands for a process with a slot of its own.
    #[cfg(feature = "store")]
    #[test]
    fn two_processes_with_one_store_make_one_request() {
        loom::model(|| {
            let store = Interleaved(Default::default(), Arc::default());
            let (asked, clock) = (Arc::new(AtomicUsize::new(0)), ManualClock::new());
            let process = || {
                let counter = Arc::clone(&asked);
                let transport = move |_: http::Request<Vec<u8>>, _: &Attempt| {
                    let number = counter.fetch_add(1, SeqCst) + 1;
                    thread::yield_now();
                    let answer = format!(r#"{{"access_token":"T{number}","expires_in":3600}}"#);
                    Ok(http::Response::new(answer.into()))
                };
                let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
                TokenSource::builder(Credentials::new("id", "s"), request.audience("https://api.example.com"))
                    .transport(transport)
                    .clock(Yielding(clock.clone()))
                    .store(store.clone())
                    .store_as("client")
                    .build()
                    .expect("a source")
            };
            let other = spawn(&process(), get);
            assert_eq!(get(process()), "T1");
            assert_eq!(other.join().expect("no panic"), "T1");
            assert_eq!(asked.load(SeqCst), 1);
        });
    }

    #[test]
    fn after_a_panic_of_the_fetching_thread_another_one_fetches() {
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
