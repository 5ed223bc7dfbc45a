//! The state behind one cache key: a token, the fetch under way, and the last failure. Every rule
//! about when to use a token, fetch one, wait or give up is here. A slot is a plain value: time
//! is an argument, and the lock belongs to `source::shared_slot`. Imports `backoff`, `caller`,
//! `clock`, `error`, `event`, `failure`, `queue`, `random`, `schedule`, `settings`, `token`.
//!
//! Two things change independently of each other: the token and the fetch.
//!
//! ```text
//!            finish(Fetched)
//!               ┌──────┐        time                 time
//!               │      ▼
//!  Missing ─────┴──▶ Fresh ───────────▶ Renewable ──────────▶ Expired
//!     ▲                │                    │                    │
//!     └────────────────┴──── refuse ────────┴────────────────────┘
//!
//!          poll, which returns Lead
//!   Idle ────────────────────────────▶ Running ◀─┐  finish(Failed), if a caller waits that
//!     ▲                                   │   │  │  has more time: it inherits the next fetch
//!     │                                   │   └──┘
//!     └── finish(Fetched, Failed, ...) ───┘
//! ```
//!
//! This is what [`poll`](Slot::poll) returns. Where the table says *pause*, the last fetch
//! started less than a second ago or has failed and is still remembered:
//!
//! | token       | fetch idle     | idle, pause                   | fetch running |
//! |-------------|----------------|-------------------------------|---------------|
//! | `Missing`   | `Lead`         | `Fail`, or `Lead` after it    | `Follow`      |
//! | `Fresh`     | `Use`          | `Use`                         | `Use`         |
//! | `Renewable` | `Lead`, usable | `Use` until the pause is over | `Use`         |
//! | `Expired`   | `Lead`         | `Fail`, or `Lead` after it    | `Follow`      |
//!
//! - `Lead` becomes `OutOfTime` for a caller that has less time than the pause.
//! - A fetch whose leader is lost counts as idle: it has run longer than the source allows.
//! - A failure for want of time counts only for callers that have no more of it. The time of a fetch is
//!   that of its leader, whose source may have another timeout than those that follow. With a usable
//!   token it is a share, so it says nothing to a caller that needs a token.
//! - After the refusal of a secret from a closure, `Fail` tells one caller a second to find out whether
//!   the secret has been replaced. If so, the failure counts no longer.
//! - For [`renew`](crate::TokenSource::renew) an older token counts as missing, and no failure counts.

#[cfg(feature = "store")]
mod kept;

use std::time::Duration;

use crate::clock::Moment;
use crate::error::Error;
use crate::event::Reason;
use crate::protocol::token::AccessToken;
use crate::random::Fingerprint;
use crate::renewal::backoff::{FETCH_SPACING, REFUSAL_SPACING};
use crate::renewal::caller::{Caller, FetchId, Next, Outcome, Refusal, Usable, share};
use crate::renewal::failure::Failure;
use crate::renewal::queue::{Queue, WaiterId};
use crate::renewal::schedule::{Jitter, Phase, Renewal, Schedule};
use crate::renewal::settings::Settings;

pub(crate) struct Slot {
    token: Cached,
    fetch: Fetch,
    /// How the last finished fetch ended.
    ended: Ended,
    /// When the last fetch started, or will start after its pause.
    started_at: Option<Moment>,
    /// The last failure, even if a token has come since. Boxed, because most slots have none.
    failure: Option<Box<Failure>>,
    last_refusal: Option<LastRefusal>,
    pub(crate) queue: Queue,
    jitter: Jitter,
    pub(crate) counts: Counts,
}

enum Cached {
    /// There is no token, for this reason.
    Missing(Reason),
    /// Each source has its own schedule for it.
    Held { token: AccessToken, renewal: Renewal, fetch: FetchId, accepted: bool },
}

enum Fetch {
    Idle,
    Running {
        fetch: FetchId,
        started_at: Moment,
        /// From then on its leader counts as lost, and the next caller takes over.
        limit: Duration,
        reason: Reason,
        /// The waiting caller that leads it, until it knows.
        heir: Option<WaiterId>,
    },
}

enum Ended {
    /// No fetch has ended yet, or the last one ended without a result.
    NoResult,
    Fetched(FetchId, AccessToken),
    /// The error is in [`Slot::failure`].
    Failed(FetchId),
}

struct LastRefusal {
    at: Moment,
    token: AccessToken,
    /// Whether an API took the token before.
    accepted: bool,
}

/// Counts what has happened at one slot since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) fetches: u64,
    pub(crate) failures: u64,
    pub(crate) waits: u64,
    pub(crate) refusals: u64,
}

impl Slot {
    pub(crate) fn new(jitter: Jitter) -> Self {
        Self {
            token: Cached::Missing(Reason::NoToken),
            fetch: Fetch::Idle,
            ended: Ended::NoResult,
            started_at: None,
            failure: None,
            last_refusal: None,
            queue: Queue::default(),
            jitter,
            counts: Counts::default(),
        }
    }

    /// Decides what a caller that needs a token must do next.
    pub(crate) fn poll(&mut self, now: Moment, caller: &Caller, settings: &Settings) -> Next {
        let mut usable = None;
        match &self.token {
            Cached::Held { token, renewal, fetch, .. } if caller.newer_than.is_none_or(|last| *fetch > last) => {
                let schedule = Schedule::new(token.expires_in(), *renewal, self.jitter, settings);
                let age = token.age(&now);
                let use_until = |end: Duration| Next::Use { token: token.clone(), holds: end.saturating_sub(age) };
                match (schedule.phase(age), &self.fetch) {
                    (Phase::Fresh, _) => return use_until(schedule.renew),
                    (Phase::Renewable, Fetch::Running { .. }) => return use_until(schedule.expired),
                    (Phase::Renewable, Fetch::Idle) => {
                        usable = Some(Usable { token: token.clone(), left: schedule.expired.saturating_sub(age) });
                    }
                    (Phase::Expired, _) => {}
                }
            }
            _ => {}
        }
        if let Fetch::Running { fetch, started_at, limit, .. } = &self.fetch {
            // A wall clock that jumps makes no leader lost.
            let lost_in = limit.saturating_sub(now.monotonic().saturating_duration_since(started_at.monotonic()));
            // A caller with as much time as the fetch gets the error of its leader rather than one
            // of its own.
            let is_patient = caller.budget >= settings.timeout && settings.lost_after() >= *limit;
            let longest = if is_patient { lost_in } else { lost_in.min(caller.left) };
            if !lost_in.is_zero() {
                return Next::Follow { fetch: *fetch, longest };
            }
        }
        self.start(now, caller, usable, settings)
    }

    /// Starts a fetch unless it is too soon. None is under way, or its leader is lost.
    fn start(&mut self, now: Moment, caller: &Caller, usable: Option<Usable>, settings: &Settings) -> Next {
        let is_idle = matches!(self.fetch, Fetch::Idle);
        let last = self.started_at.filter(|_| is_idle);
        let spacing = last.map_or(Duration::ZERO, |at| FETCH_SPACING.saturating_sub(now.since(&at)));
        let time = usable.as_ref().map_or(caller.budget, |usable| share(caller.budget, usable.left));
        let counts = |failure: &Failure| caller.newer_than.is_none() && failure.concerns(time);
        let failure = self.failure.as_ref().filter(|failure| counts(failure));
        let remembered = failure.map_or(Duration::ZERO, |failure| failure.left(now));
        let pause = remembered.max(spacing);
        if let Some(usable) = usable.as_ref().filter(|_| !pause.is_zero() || caller.left.is_zero()) {
            return Next::Use { token: usable.token.clone(), holds: pause.min(usable.left) };
        }
        if let Some(failure) = self.failure.as_mut().filter(|_| !remembered.is_zero()) {
            let ask = if spacing < caller.left { failure.ask(now, settings.lost_after()) } else { None };
            return Next::Fail { error: failure.error.clone(), ask };
        }
        if spacing >= caller.left {
            return Next::OutOfTime;
        }
        let reason = match self.token {
            _ if caller.newer_than.is_some() => Reason::Forced,
            Cached::Held { .. } => Reason::Expiring,
            Cached::Missing(reason) => reason,
        };
        let fetch = self.run(now.later(spacing), reason, None, settings);
        Next::Lead { fetch, after: spacing, reason, usable }
    }

    fn run(&mut self, started_at: Moment, reason: Reason, heir: Option<WaiterId>, settings: &Settings) -> FetchId {
        self.counts.fetches += 1;
        let fetch = self.last_fetch();
        self.started_at = Some(started_at);
        self.fetch = Fetch::Running { fetch, started_at, limit: settings.lost_after(), reason, heir };
        fetch
    }

    /// Records what a caller has found out that [`poll`](Self::poll) told to ask.
    pub(crate) fn asked(&mut self, proof: Fingerprint, replaced: bool, now: Moment) {
        if let Some(failure) = &mut self.failure {
            failure.asked(proof, replaced, now);
        }
    }

    /// Makes a waiting caller the leader of the fetch that was handed over to it, if one was. From
    /// then on the fetch has the time of this caller's source.
    pub(crate) fn inherit(&mut self, waiter: WaiterId, settings: &Settings) -> Option<(FetchId, Reason)> {
        match &mut self.fetch {
            Fetch::Running { fetch, reason, heir, limit, .. } if *heir == Some(waiter) => {
                (*heir, *limit) = (None, settings.lost_after());
                Some((*fetch, *reason))
            }
            _ => None,
        }
    }

    /// Ends a fetch. Does nothing if it is not the one under way.
    pub(crate) fn finish(&mut self, fetch: FetchId, outcome: Outcome, now: Moment, settings: &Settings) {
        let reason = match &self.fetch {
            Fetch::Running { fetch: running, reason, .. } if *running == fetch => *reason,
            _ => return,
        };
        self.fetch = Fetch::Idle;
        match outcome {
            Outcome::Fetched(token) => {
                let renewal = self.renewal(token.sent_at(), settings);
                if let Some(failure) = &mut self.failure {
                    failure.is_over();
                }
                self.ended = Ended::Fetched(fetch, token.clone());
                self.token = Cached::Held { token, renewal, fetch, accepted: false };
            }
            Outcome::Failed { error, given, refused } => {
                self.fails(error, given, refused, now);
                self.ended = Ended::Failed(fetch);
                if let Some(heir) = given.and_then(|given| self.queue.most_patient(given)) {
                    self.run(now, reason, Some(heir), settings);
                }
            }
            Outcome::Abandoned => {
                self.counts.failures += 1;
                self.ended = Ended::NoResult;
            }
            #[cfg(feature = "store")]
            Outcome::Kept(kept, ended) => self.keep(kept, ended, fetch, now),
        }
    }

    fn fails(&mut self, error: Error, given: Option<Duration>, refused: Option<Fingerprint>, now: Moment) {
        self.counts.failures += 1;
        self.failure = Some(Box::new(Failure::new(self.failure.as_deref(), error, given, refused, now)));
    }

    /// Decides how a token requested at this moment is renewed: on schedule if the token before it
    /// was due for renewal but still accepted, and no fetch has failed in between.
    fn renewal(&self, sent_at: Moment, settings: &Settings) -> Renewal {
        let failing = self.failure.as_ref().is_some_and(|failure| failure.streak > 0);
        if self.phase(sent_at, settings) == Phase::Renewable && !failing {
            Renewal::OnSchedule
        } else {
            Renewal::Spread
        }
    }

    /// Returns the result of a fetch, for a caller that waited for it; `None` if it has none that
    /// concerns a caller with this budget, or a later one has ended since.
    pub(crate) fn result(&self, fetch: FetchId, budget: Duration) -> Option<Result<AccessToken, Error>> {
        match (&self.ended, &self.failure) {
            (Ended::Fetched(ended, token), _) if *ended == fetch => Some(Ok(token.clone())),
            (Ended::Failed(ended), Some(failure)) if *ended == fetch && failure.concerns(budget) => {
                Some(Err(failure.error.clone()))
            }
            _ => None,
        }
    }

    pub(crate) fn is_running(&self, fetch: FetchId) -> bool {
        matches!(&self.fetch, Fetch::Running { fetch: running, .. } if *running == fetch)
    }

    /// Returns the number of the last fetch that has started.
    pub(crate) fn last_fetch(&self) -> FetchId {
        FetchId(self.counts.fetches)
    }

    /// Ends a fetch whose leader is gone with the process that forked this one.
    pub(crate) fn forget_fetch(&mut self) {
        self.fetch = Fetch::Idle;
    }

    /// Records that an API took `token`.
    pub(crate) fn accept(&mut self, token: &AccessToken) {
        if let Cached::Held { token: held, accepted, .. } = &mut self.token {
            *accepted |= held.is_same(token);
        }
    }

    /// Records that an API refused `token`. The token is dropped only if it is still the cached one.
    /// It stays if it and the one before it were refused within ten seconds and neither was ever
    /// accepted, because an API that refuses everything must not cause a flood of token requests.
    pub(crate) fn refuse(&mut self, token: &AccessToken, now: Moment, settings: &Settings) -> Refusal {
        self.counts.refusals += 1;
        let mut taken = false;
        match &self.token {
            Cached::Held { token: held, .. } if !held.is_same(token) && self.phase(now, settings) != Phase::Expired => {
                return Refusal::Superseded(held.clone());
            }
            Cached::Held { token: held, accepted, .. } => taken = *accepted && held.is_same(token),
            // Another caller dropped it a moment ago, and its successor is being fetched.
            Cached::Missing(_) if self.last_refusal.as_ref().is_some_and(|last| last.token.is_same(token)) => {
                return Refusal::Dropped;
            }
            Cached::Missing(_) => {}
        }
        let is_recent = |last: &LastRefusal| now.since(&last.at) < REFUSAL_SPACING && !last.accepted;
        if !taken && self.last_refusal.as_ref().is_some_and(is_recent) {
            return Refusal::TooSoon;
        }
        self.last_refusal = Some(LastRefusal { at: now, token: token.clone(), accepted: taken });
        self.token = Cached::Missing(Reason::Refused);
        Refusal::Dropped
    }

    /// Returns the cached token, with the ages at which it is renewed and expires.
    pub(crate) fn held(&self, settings: &Settings) -> Option<(&AccessToken, Schedule)> {
        match &self.token {
            Cached::Held { token, renewal, .. } => {
                Some((token, Schedule::new(token.expires_in(), *renewal, self.jitter, settings)))
            }
            Cached::Missing(_) => None,
        }
    }

    /// Returns the error of the last fetch that failed, even if a later one succeeded.
    pub(crate) fn last_error(&self) -> Option<&Error> {
        self.failure.as_ref().map(|failure| &failure.error)
    }

    /// Returns the phase of the cached token; a slot without a token counts as one whose token has
    /// expired.
    fn phase(&self, now: Moment, settings: &Settings) -> Phase {
        self.held(settings).map_or(Phase::Expired, |(token, schedule)| schedule.phase(token.age(&now)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, SystemTime};

    use serde_json::Map;

    use super::*;

    fn at(seconds: u64) -> Moment {
        static START: std::sync::OnceLock<Moment> = std::sync::OnceLock::new();
        #[expect(clippy::disallowed_methods, reason = "any moment will do")]
        let start = START.get_or_init(|| Moment::new(Instant::now(), SystemTime::now()));
        start.later(Duration::from_secs(seconds))
    }

    fn token(name: &str, sent: u64) -> AccessToken {
        AccessToken::new(name, Some(Duration::from_secs(1000)), None, Map::new(), at(sent)).expect("a token")
    }

    /// A slot with a token that is renewable from 770 s (no jitter) and expired at 1000 s.
    fn with_token() -> Slot {
        let mut slot = Slot::new(Jitter::default());
        let fetch = lead(&mut slot, 0);
        slot.finish(fetch, Outcome::Fetched(token("one", 0)), at(1), &Settings::default());
        slot
    }

    /// A caller with this budget, in seconds.
    fn caller(budget: u64) -> Caller {
        let budget = Duration::from_secs(budget);
        Caller { budget, left: budget, newer_than: None }
    }

    fn poll(slot: &mut Slot, now: u64) -> Next {
        slot.poll(at(now), &caller(30), &Settings::default())
    }

    fn forced(slot: &mut Slot, now: u64) -> Next {
        let caller = Caller { newer_than: Some(slot.last_fetch()), ..caller(30) };
        slot.poll(at(now), &caller, &Settings::default())
    }

    /// Starts a fetch, forced if a token is cached.
    fn lead(slot: &mut Slot, now: u64) -> FetchId {
        match if slot.held(&Settings::default()).is_some() { forced(slot, now) } else { poll(slot, now) } {
            Next::Lead { fetch, .. } => fetch,
            other => panic!("{}", word(&other)),
        }
    }

    fn word(next: &Next) -> &'static str {
        match next {
            Next::Use { .. } => "use",
            Next::Lead { .. } => "lead",
            Next::Follow { .. } => "follow",
            Next::Fail { .. } => "fail",
            Next::OutOfTime => "out of time",
            Next::Recursion => "recursion",
        }
    }

    fn failed(error: Error, given: Option<Duration>) -> Outcome {
        Outcome::Failed { error, given, refused: None }
    }

    fn error() -> Error {
        Error::configuration("for a test")
    }

    #[test]
    fn each_phase_includes_the_moment_it_begins_and_not_the_moment_it_ends() {
        let schedule = with_token().held(&Settings::default()).expect("a token").1;
        let words = [769, 770, 969, 970, 999, 1000].map(|age| (age, word(&poll(&mut with_token(), age))));
        assert_eq!((schedule.renew.as_secs(), schedule.expired.as_secs()), (770, 1000));
        assert_eq!(words, [(769, "use"), (770, "lead"), (969, "lead"), (970, "lead"), (999, "lead"), (1000, "lead")]);
        let at_age = |age| poll(&mut with_token(), age);
        assert!(matches!(at_age(999), Next::Lead { usable: Some(usable), .. } if usable.left.as_secs() == 1));
        assert!(matches!(at_age(1000), Next::Lead { usable: None, .. }));
        assert!(matches!(at_age(700), Next::Use { holds, .. } if holds.as_secs() == 70));
    }

    #[test]
    fn while_one_caller_renews_others_use_the_token_until_it_expires() {
        let mut slot = with_token();
        let Next::Lead { fetch: renewal, .. } = poll(&mut slot, 980) else { panic!("not led") };
        assert!(matches!(poll(&mut slot, 981), Next::Use { holds, .. } if holds.as_secs() == 19));
        assert_eq!(word(&poll(&mut slot, 999)), "use");
        assert!(matches!(poll(&mut slot, 1000), Next::Follow { fetch, .. } if fetch == renewal));
        assert_eq!(word(&forced(&mut slot, 981)), "follow");
        assert!(slot.is_running(renewal) && !slot.is_running(FetchId(renewal.0 + 1)));
    }

    #[test]
    fn a_failure_is_remembered_to_its_last_moment_and_the_usable_token_used_meanwhile() {
        let mut slot = with_token();
        let first = fail_from(&mut slot, 800, 801);
        assert!(result(&slot, first).is_some_and(|result| result.is_err()));
        assert!(result(&slot, FetchId(first.0 - 1)).is_none());
        // A failure that another attempt would not change is remembered for ten seconds.
        assert!(matches!(poll(&mut slot, 805), Next::Use { holds, .. } if holds.as_secs() == 6));
        assert_eq!(word(&poll(&mut slot, 810)), "use");
        assert_eq!(word(&poll(&mut slot, 811)), "lead");
        slot.finish(FetchId(first.0 + 1), failed(error(), None), at(812), &Settings::default());
        fail_from(&mut slot, 995, 995);
        assert!(matches!(poll(&mut slot, 998), Next::Use { holds, .. } if holds.as_secs() == 2));
        assert_eq!(word(&poll(&mut slot, 1000)), "fail");
        assert_eq!((slot.counts.fetches, slot.counts.failures), (4, 3));
        assert!(slot.last_error().is_some());
    }

    #[test]
    fn the_last_error_is_kept_after_a_success_and_delays_nobody() {
        let mut slot = Slot::new(Jitter::default());
        fail_from(&mut slot, 0, 1);
        let fetch = fetch(&mut slot, 20);
        assert!(slot.last_error().is_some());
        assert!(result(&slot, fetch).is_some_and(|result| result.is_ok()));
        assert_eq!(word(&poll(&mut slot, 21)), "use");
        assert!(matches!(poll(&mut slot, 2000), Next::Lead { after, .. } if after.is_zero()));
    }

    /// The age at which the last token is renewed: 740 s on schedule, 308 s if the renewal is
    /// spread.
    fn renewed_after(story: impl FnOnce(&mut Slot) -> u64) -> u64 {
        let mut slot = Slot::new(Jitter { on_schedule: 1.0, spread: 1.0 });
        fetch(&mut slot, 0);
        assert_eq!(
            slot.held(&Settings::default()).expect("a token").1.renew.as_secs(),
            308,
            "the first token of a slot is spread"
        );
        let sent = story(&mut slot);
        fetch(&mut slot, sent);
        slot.held(&Settings::default()).expect("a token").1.renew.as_secs()
    }

    fn fetch(slot: &mut Slot, sent: u64) -> FetchId {
        let fetch = lead(slot, sent);
        slot.finish(fetch, Outcome::Fetched(token("another", sent)), at(sent + 1), &Settings::default());
        fetch
    }

    fn fail_from(slot: &mut Slot, sent: u64, ended: u64) -> FetchId {
        let fetch = lead(slot, sent);
        slot.finish(fetch, failed(error(), None), at(ended), &Settings::default());
        fetch
    }

    #[test]
    fn d32_a_token_that_follows_a_usable_one_in_time_is_renewed_on_schedule() {
        assert_eq!(renewed_after(|_| 308), 740);
        assert_eq!(renewed_after(|_| 999), 740);
    }

    #[test]
    fn d32_a_renewal_is_spread_after_an_event_that_may_concern_many_processes() {
        assert_eq!(renewed_after(|_| 1000), 308, "the last one had expired");
        assert_eq!(renewed_after(|_| 307), 308, "renewed by force before it was due");
        let refused = |slot: &mut Slot| {
            slot.refuse(&slot.held(&Settings::default()).expect("a token").0.clone(), at(500), &Settings::default());
            500
        };
        assert_eq!(renewed_after(refused), 308, "an API refused the last one");
        let outage = |slot: &mut Slot| {
            fail_from(slot, 400, 401);
            500
        };
        assert_eq!(renewed_after(outage), 308, "an outage, although the last one was usable");
        let over = |slot: &mut Slot| {
            fail_from(slot, 400, 401);
            fetch(slot, 500);
            808
        };
        assert_eq!(renewed_after(over), 740, "an outage before the last one");
    }

    #[test]
    fn only_the_running_fetch_can_finish_and_an_abandoned_one_leaves_no_result() {
        let mut slot = Slot::new(Jitter::default());
        let running = lead(&mut slot, 0);
        slot.finish(FetchId(running.0 + 1), Outcome::Fetched(token("x", 0)), at(0), &Settings::default());
        assert!(slot.held(&Settings::default()).is_none() && slot.is_running(running));
        slot.finish(running, Outcome::Abandoned, at(0), &Settings::default());
        assert!(result(&slot, running).is_none() && !slot.is_running(running));
        assert!(
            matches!(poll(&mut slot, 0), Next::Lead { after, reason: Reason::NoToken, .. } if after.as_secs() == 1)
        );
        assert_eq!(slot.counts.failures, 1);
    }

    #[test]
    fn the_result_of_a_fetch_is_gone_once_a_later_one_has_ended() {
        let mut slot = Slot::new(Jitter::default());
        let (first, second) = (fetch(&mut slot, 0), fetch(&mut slot, 10));
        assert!(result(&slot, first).is_none());
        assert!(result(&slot, second).is_some_and(|result| result.is_ok()));
        let third = lead(&mut slot, 20);
        slot.finish(third, Outcome::Abandoned, at(20), &Settings::default());
        assert!(result(&slot, second).is_none());
    }

    #[test]
    fn fetches_start_a_second_apart_even_after_a_pause() {
        let mut slot = Slot::new(Jitter::default());
        let abandon = |slot: &mut Slot, fetch| slot.finish(fetch, Outcome::Abandoned, at(1), &Settings::default());
        let first = lead(&mut slot, 0);
        abandon(&mut slot, first);
        let Next::Lead { fetch: second, after, .. } = poll(&mut slot, 0) else { panic!("not led") };
        assert_eq!(after.as_secs(), 1);
        abandon(&mut slot, second);
        assert!(matches!(slot.poll(at(1), &caller(1), &Settings::default()), Next::OutOfTime));
        let Next::Lead { fetch: third, after, .. } = poll(&mut slot, 1) else { panic!("not led") };
        assert_eq!(after.as_secs(), 1);
        abandon(&mut slot, third);
        assert!(matches!(poll(&mut slot, 3), Next::Lead { after, .. } if after.is_zero()));
    }

    #[test]
    fn a_refusal_drops_the_token_once_in_ten_seconds_and_says_why_the_next_is_fetched() {
        let mut slot = with_token();
        let one = token("one", 0);
        assert!(matches!(slot.refuse(&one, at(20), &Settings::default()), Refusal::Dropped));
        // Another thread that reports the same token waits for the same renewal.
        assert!(matches!(slot.refuse(&one, at(21), &Settings::default()), Refusal::Dropped));
        let Next::Lead { fetch, reason, .. } = poll(&mut slot, 21) else { panic!("not led") };
        assert_eq!(reason, Reason::Refused);
        slot.finish(fetch, Outcome::Fetched(token("two", 21)), at(21), &Settings::default());
        assert!(
            matches!(slot.refuse(&one, at(22), &Settings::default()), Refusal::Superseded(two) if two.secret() == "two")
        );
        assert!(matches!(slot.refuse(&token("two", 21), at(29), &Settings::default()), Refusal::TooSoon));
        assert_eq!(word(&poll(&mut slot, 29)), "use");
        assert!(matches!(slot.refuse(&token("two", 21), at(30), &Settings::default()), Refusal::Dropped));
        assert_eq!(slot.counts.refusals, 5);
        // A late report of a token that is neither cached nor the last one refused.
        assert!(matches!(slot.refuse(&one, at(31), &Settings::default()), Refusal::TooSoon));
    }

    #[test]
    fn an_expired_token_supersedes_nothing() {
        let mut slot = with_token();
        assert!(matches!(slot.refuse(&token("zero", 0), at(999), &Settings::default()), Refusal::Superseded(_)));
        assert!(matches!(slot.refuse(&token("zero", 0), at(1000), &Settings::default()), Refusal::Dropped));
    }

    /// The failure of a caller that ran out of its own time.
    fn hand_over(slot: &mut Slot, fetch: FetchId, given: u64, now: u64) {
        let given = Some(Duration::from_secs(given));
        slot.finish(fetch, failed(error(), given), at(now), &Settings::default());
    }

    fn result(slot: &Slot, fetch: FetchId) -> Option<Result<AccessToken, Error>> {
        slot.result(fetch, Duration::from_secs(30))
    }

    fn inherit(slot: &mut Slot, waiter: WaiterId) -> Option<(FetchId, Reason)> {
        slot.inherit(waiter, &Settings::default())
    }

    #[test]
    fn a_hurried_timeout_counts_for_callers_with_no_more_time() {
        let mut slot = Slot::new(Jitter::default());
        let Next::Lead { fetch, .. } = slot.poll(at(0), &caller(2), &Settings::default()) else { panic!("not led") };
        hand_over(&mut slot, fetch, 2, 2);
        for (budget, expected) in [(1, "fail"), (2, "fail"), (3, "lead")] {
            assert_eq!(word(&slot.poll(at(3), &caller(budget), &Settings::default())), expected, "{budget} s");
        }
    }

    #[test]
    fn a_fetch_is_handed_over_to_the_waiting_caller_with_the_most_time_at_once() {
        let mut slot = Slot::new(Jitter::default());
        let fetch = lead(&mut slot, 0);
        let [short, long] = [5, 9].map(|time| slot.queue.enter(Duration::from_secs(time), at(time).monotonic()));
        hand_over(&mut slot, fetch, 2, 2);
        assert!(inherit(&mut slot, short).is_none());
        let Some((next, Reason::NoToken)) = inherit(&mut slot, long) else { panic!("nothing inherited") };
        assert!(next > fetch && slot.is_running(next) && inherit(&mut slot, long).is_none());
        // Others wait for it, whatever their time: it has started.
        assert!(matches!(poll(&mut slot, 2), Next::Follow { fetch, .. } if fetch == next));
    }

    #[test]
    fn nothing_is_handed_over_to_a_caller_with_no_more_time() {
        let mut slot = Slot::new(Jitter::default());
        let fetch = lead(&mut slot, 0);
        let equal = slot.queue.enter(Duration::from_secs(2), at(4).monotonic());
        hand_over(&mut slot, fetch, 2, 2);
        assert!(inherit(&mut slot, equal).is_none());
        assert_eq!(word(&slot.poll(at(2), &caller(2), &Settings::default())), "fail");
    }

    /// The settings of another source, with this timeout in seconds.
    fn with_timeout(timeout: u64) -> Settings {
        Settings { timeout: Duration::from_secs(timeout), ..Settings::default() }
    }

    #[test]
    fn d48_a_caller_waits_no_longer_than_its_own_source_allows() {
        let mut slot = Slot::new(Jitter::default());
        lead(&mut slot, 0);
        for (timeout, longest) in [(2, 2), (25, 25), (30, 26), (60, 26)] {
            let next = slot.poll(at(5), &caller(timeout), &with_timeout(timeout));
            assert!(matches!(next, Next::Follow { longest: found, .. } if found.as_secs() == longest), "{timeout} s");
        }
    }

    #[test]
    fn a_caller_with_as_much_time_as_the_fetch_waits_for_its_end_even_with_little_left() {
        let mut slot = Slot::new(Jitter::default());
        lead(&mut slot, 0);
        for (budget, longest) in [(30, 26), (29, 3)] {
            let late = Caller { left: Duration::from_secs(3), ..caller(budget) };
            let next = slot.poll(at(5), &late, &Settings::default());
            assert!(matches!(next, Next::Follow { longest: found, .. } if found.as_secs() == longest), "{budget} s");
        }
    }

    #[test]
    fn a_fetch_for_a_caller_that_wants_a_newer_token_is_forced() {
        let mut slot = with_token();
        let newer = Caller { newer_than: Some(slot.last_fetch()), ..caller(30) };
        let next = slot.poll(at(10), &newer, &Settings::default());
        assert!(matches!(next, Next::Lead { reason: Reason::Forced, .. }));
    }

    #[test]
    fn d48_a_timeout_goes_to_waiting_callers_with_no_more_time_and_the_fetch_to_one_with_more() {
        let mut slot = Slot::new(Jitter::default());
        let Next::Lead { fetch, .. } = slot.poll(at(0), &caller(2), &with_timeout(2)) else { panic!("not led") };
        let long = slot.queue.enter(Duration::from_secs(30), at(30).monotonic());
        slot.finish(fetch, failed(error(), Some(Duration::from_secs(2))), at(2), &with_timeout(2));
        let result = [1, 2, 3].map(|budget| slot.result(fetch, Duration::from_secs(budget)).is_some());
        assert_eq!(result, [true, true, false]);
        let (next, _) = inherit(&mut slot, long).expect("a fetch");
        // It has the time of its new leader.
        assert!(matches!(poll(&mut slot, 20), Next::Follow { fetch, .. } if fetch == next));
        assert_eq!(word(&poll(&mut slot, 33)), "lead");
    }

    #[test]
    fn the_next_caller_takes_over_from_a_leader_that_is_lost() {
        let mut slot = Slot::new(Jitter::default());
        let lost = lead(&mut slot, 0);
        assert!(matches!(poll(&mut slot, 30), Next::Follow { longest, .. } if longest.as_secs() == 1));
        let Next::Lead { fetch, after, .. } = poll(&mut slot, 31) else { panic!("not led") };
        assert!(after.is_zero() && fetch > lost);
        slot.finish(lost, Outcome::Fetched(token("late", 0)), at(32), &Settings::default());
        assert!(slot.is_running(fetch) && slot.held(&Settings::default()).is_none());
    }

    fn proof(secret: &str) -> Fingerprint {
        static KEYS: std::sync::LazyLock<std::hash::RandomState> = std::sync::LazyLock::new(Default::default);
        Fingerprint::of(&secret, &KEYS)
    }

    /// Fails because this secret was refused.
    fn refuse_secret(slot: &mut Slot, secret: &str, now: u64) -> Fingerprint {
        let (fetch, refused) = (lead(slot, now), proof(secret));
        let outcome = Outcome::Failed { error: error(), given: None, refused: Some(refused) };
        slot.finish(fetch, outcome, at(now), &Settings::default());
        refused
    }

    /// What a caller that gets a remembered failure is to ask.
    fn asks(slot: &mut Slot, now: u64) -> Option<Fingerprint> {
        match poll(slot, now) {
            Next::Fail { ask, .. } => ask,
            other => panic!("{}", word(&other)),
        }
    }

    #[test]
    fn d49_one_caller_at_a_time_is_told_to_ask_once_a_second() {
        let mut slot = Slot::new(Jitter::default());
        let old = refuse_secret(&mut slot, "old", 0);
        assert!(asks(&mut slot, 0).is_none());
        assert!(asks(&mut slot, 1) == Some(old));
        // It has not come back yet.
        assert!(asks(&mut slot, 1).is_none() && asks(&mut slot, 5).is_none());
        slot.asked(old, false, at(5));
        assert!(asks(&mut slot, 5).is_none() && asks(&mut slot, 6) == Some(old));
        // A word on another secret changes nothing.
        slot.asked(proof("older"), true, at(6));
        assert!(asks(&mut slot, 9).is_none());
        slot.asked(old, true, at(9));
        assert_eq!(word(&poll(&mut slot, 9)), "lead");
    }

    #[test]
    fn d49_a_caller_that_does_not_come_back_is_waited_for_as_long_as_a_leader() {
        let mut slot = Slot::new(Jitter::default());
        let fetch = lead(&mut slot, 0);
        let busy = http::Response::builder().status(401).header("retry-after", "3600").body("").expect("an answer");
        let request = crate::protocol::request::TokenRequest::new("https://auth.example.com/token").expect("one");
        let error = request.decode(&busy, at(0)).expect_err("a refusal");
        let refused = Some(proof("old"));
        slot.finish(fetch, Outcome::Failed { error, given: None, refused }, at(0), &Settings::default());
        assert!(asks(&mut slot, 1) == refused);
        assert!(asks(&mut slot, 31).is_none() && asks(&mut slot, 32) == refused);
    }

    #[test]
    fn d49_a_secret_that_replaced_another_in_vain_is_held_back_for_ten_seconds() {
        let mut slot = Slot::new(Jitter::default());
        let old = refuse_secret(&mut slot, "old", 0);
        assert!(asks(&mut slot, 1) == Some(old));
        slot.asked(old, true, at(1));
        refuse_secret(&mut slot, "typo", 1);
        assert!((1..=10).all(|now| asks(&mut slot, now).is_none()));
        assert_eq!(word(&poll(&mut slot, 11)), "lead");
    }

    #[test]
    fn d49_after_a_token_a_refusal_is_a_first_one_again() {
        let mut slot = Slot::new(Jitter::default());
        let old = refuse_secret(&mut slot, "old", 0);
        slot.asked(old, true, at(1));
        fetch(&mut slot, 1);
        let newer = refuse_secret(&mut slot, "newer", 20);
        slot.refuse(&token("another", 1), at(20), &Settings::default());
        assert!(asks(&mut slot, 21) == Some(newer));
    }

    #[test]
    fn d49_with_a_usable_token_or_without_time_nothing_is_asked() {
        let mut slot = with_token();
        refuse_secret(&mut slot, "old", 800);
        assert_eq!(word(&poll(&mut slot, 805)), "use");
        let mut slot = Slot::new(Jitter::default());
        refuse_secret(&mut slot, "old", 0);
        let next = slot.poll(at(5), &caller(0), &Settings::default());
        assert!(matches!(next, Next::Fail { ask: None, .. }));
    }

    #[test]
    fn a_forced_renewal_skips_failures_and_takes_no_older_token() {
        let mut slot = with_token();
        let caller = Caller { newer_than: Some(slot.last_fetch()), ..caller(30) };
        let fetch = fail_from(&mut slot, 20, 21);
        assert!(
            matches!(slot.poll(at(22), &caller, &Settings::default()), Next::Lead { fetch: next, .. } if next > fetch)
        );
        slot.finish(slot.last_fetch(), Outcome::Fetched(token("two", 22)), at(23), &Settings::default());
        assert!(
            matches!(slot.poll(at(24), &caller, &Settings::default()), Next::Use { token, .. } if token.secret() == "two")
        );
    }

    #[test]
    fn a_caller_without_time_uses_the_token_in_its_renewal_window() {
        assert_eq!(word(&with_token().poll(at(800), &caller(0), &Settings::default())), "use");
        assert_eq!(word(&with_token().poll(at(1000), &caller(0), &Settings::default())), "out of time");
    }

    #[test]
    fn d34_a_token_that_was_accepted_is_dropped_however_soon_it_is_refused() {
        let mut slot = Slot::new(Jitter::default());
        for (name, sent) in [("one", 0), ("two", 2), ("three", 4)] {
            let fetch = lead(&mut slot, sent);
            slot.finish(fetch, Outcome::Fetched(token(name, sent)), at(sent), &Settings::default());
            slot.accept(&token(name, sent));
            assert!(matches!(slot.refuse(&token(name, sent), at(sent + 1), &Settings::default()), Refusal::Dropped));
        }
        // One that nobody took after them is dropped, too, and only the next one is kept.
        for (name, sent, kept) in [("four", 6, false), ("five", 8, true)] {
            let fetch = lead(&mut slot, sent);
            slot.finish(fetch, Outcome::Fetched(token(name, sent)), at(sent), &Settings::default());
            let refusal = slot.refuse(&token(name, sent), at(sent + 1), &Settings::default());
            assert_eq!(matches!(refusal, Refusal::TooSoon), kept, "{name}");
        }
    }
}
