//! The state behind one cache key: a token, the fetch under way, and the last failure. Every rule
//! about when to use a token, fetch one, wait or give up is here. A slot is a plain value: time
//! is an argument, and the lock belongs to `source::shared_slot`. Imports `backoff`, `clock`,
//! `error`, `event`, `schedule`, `settings`, `token`.
//!
//! Two things change independently of each other: the token and the fetch.
//!
//! ```text
//!            finish(Fetched)
//!               ┌──────┐        time                 time            time
//!               │      ▼
//!  Missing ─────┴──▶ Fresh ───────────▶ Renewable ──────────▶ Stale ──────▶ Expired
//!     ▲                │                    │                   │              │
//!     └────────────────┴──── refuse ────────┴───────────────────┴──────────────┘
//!
//!                  poll, which returns Lead
//!           Idle ────────────────────────────▶ Running(FetchId)
//!             ▲                                       │
//!             └── finish(Fetched, Failed, Abandoned) ─┘
//! ```
//!
//! This is what [`poll`](Slot::poll) returns. Where the table says *pause*, the last fetch
//! started less than a second ago or has failed and is still remembered:
//!
//! | token              | fetch idle       | idle, pause                    | fetch running    |
//! |--------------------|------------------|--------------------------------|------------------|
//! | `Missing`          | `Lead`           | `Fail`, or `Lead` after it     | `Follow`         |
//! | `Fresh`            | `Use`            | `Use`                          | `Use`            |
//! | `Renewable`        | `Lead`, usable   | `Use` until the pause is over  | `Use`            |
//! | `Stale`            | `Lead`, usable   | `Use` until the pause is over  | `Follow`, usable |
//! | `Expired`          | `Lead`           | `Fail`, or `Lead` after it     | `Follow`         |
//! | any, forced        | `Lead`           | `Fail`, or `Lead` after it     | `Follow`         |
//!
//! `Lead` becomes `OutOfTime` for a caller that has less time than the pause.

use std::time::Duration;

use crate::clock::Moment;
use crate::error::Error;
use crate::event::Reason;
use crate::protocol::token::AccessToken;
use crate::renewal::backoff::{FETCH_SPACING, REFUSAL_SPACING, failure_pause};
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
    last_refusal: Option<(Moment, AccessToken)>,
    jitter: Jitter,
    pub(crate) counts: Counts,
}

enum Cached {
    /// There is no token, for this reason.
    Missing(Reason),
    Held(AccessToken, Schedule),
}

enum Fetch {
    Idle,
    Running(FetchId),
}

/// The number of a fetch, unique within its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FetchId(u64);

enum Ended {
    /// No fetch has ended yet, or the last one ended without a result.
    NoResult,
    Fetched(FetchId, AccessToken),
    /// The error is in [`Slot::failure`].
    Failed(FetchId),
}

struct Failure {
    error: Error,
    at: Moment,
    /// How long from `at` on the error is returned without another fetch.
    pause: Duration,
    /// Failures in a row; 0 once a token has come.
    streak: u32,
}

/// Counts what has happened at one slot since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) fetches: u64,
    pub(crate) failures: u64,
    pub(crate) waits: u64,
    pub(crate) refusals: u64,
}

/// What a caller must do next.
pub(crate) enum Next {
    /// Use this token. The next poll gives the same answer for this long, unless a fetch ends or
    /// the token is refused.
    Use { token: AccessToken, holds: Duration },
    /// Wait for `after`, fetch a token, and [`finish`](Slot::finish) this fetch, which counts as
    /// started.
    Lead { fetch: FetchId, after: Duration, reason: Reason, usable: Option<Usable> },
    /// Wait for this fetch.
    Follow { fetch: FetchId, usable: Option<Usable> },
    /// There is no token, and it is too soon to ask again after this error.
    Fail(Error),
    /// The next fetch may not start within the caller's time.
    OutOfTime,
    /// This thread is fetching already: its transport uses the source that needs the token.
    Recursion,
}

/// A token that needs renewal but is still accepted for a while.
pub(crate) struct Usable {
    pub(crate) token: AccessToken,
    pub(crate) left: Duration,
}

/// How a fetch ended.
pub(crate) enum Outcome {
    Fetched(AccessToken),
    Failed(Error),
    /// The fetching caller gave up for its own reasons (it panicked, or had little time), so
    /// another may try.
    Abandoned,
}

/// What became of a token that an API refused.
pub(crate) enum Refusal {
    /// It was dropped from the cache.
    Dropped,
    /// It was no longer cached; this is its successor.
    Superseded(AccessToken),
    /// It stays cached, because the last refusal was too recent.
    TooSoon,
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
            jitter,
            counts: Counts::default(),
        }
    }

    /// Decides what a caller that needs a token must do next. The caller has `patience` to wait for
    /// the start of a fetch. With `forced`, the cached token does not count.
    pub(crate) fn poll(&mut self, now: Moment, patience: Duration, forced: bool) -> Next {
        let mut usable = None;
        if let (Cached::Held(token, schedule), false) = (&self.token, forced) {
            let age = now.since(&token.sent_at());
            let use_until = |end: Duration| Next::Use { token: token.clone(), holds: end.saturating_sub(age) };
            match (schedule.phase(age), &self.fetch) {
                (Phase::Fresh, _) => return use_until(schedule.renew),
                (Phase::Renewable, Fetch::Running(_)) => return use_until(schedule.stale),
                (Phase::Renewable | Phase::Stale, _) => {
                    usable = Some(Usable { token: token.clone(), left: schedule.expired.saturating_sub(age) });
                }
                (Phase::Expired, _) => {}
            }
        }
        match self.fetch {
            Fetch::Running(fetch) => Next::Follow { fetch, usable },
            Fetch::Idle => self.start(now, patience, usable, forced),
        }
    }

    /// Starts a fetch unless it is too soon. No fetch may be under way.
    fn start(&mut self, now: Moment, patience: Duration, usable: Option<Usable>, forced: bool) -> Next {
        let left = |pause: Duration, from: &Moment| pause.saturating_sub(now.since(from));
        let spacing = self.started_at.map_or(Duration::ZERO, |at| left(FETCH_SPACING, &at));
        let remembered = self.failure.as_ref().map_or(Duration::ZERO, |failure| left(failure.pause, &failure.at));
        let pause = remembered.max(spacing);
        if let Some(usable) = usable.as_ref().filter(|_| !pause.is_zero()) {
            return Next::Use { token: usable.token.clone(), holds: pause.min(usable.left) };
        }
        if let Some(failure) = self.failure.as_ref().filter(|_| !remembered.is_zero()) {
            return Next::Fail(failure.error.clone());
        }
        if spacing >= patience {
            return Next::OutOfTime;
        }
        self.counts.fetches += 1;
        let fetch = FetchId(self.counts.fetches);
        self.fetch = Fetch::Running(fetch);
        self.started_at = Some(now.later(spacing));
        let reason = match self.token {
            _ if forced => Reason::Forced,
            Cached::Held(..) => Reason::Expiring,
            Cached::Missing(reason) => reason,
        };
        Next::Lead { fetch, after: spacing, reason, usable }
    }

    /// Ends a fetch. Does nothing if it is not the one under way.
    pub(crate) fn finish(&mut self, fetch: FetchId, outcome: Outcome, now: Moment, settings: &Settings) {
        if !self.is_running(fetch) {
            return;
        }
        self.fetch = Fetch::Idle;
        match outcome {
            Outcome::Fetched(token) => {
                let renewal = self.renewal(token.sent_at());
                let schedule = Schedule::new(token.expires_in(), renewal, self.jitter, settings);
                if let Some(failure) = &mut self.failure {
                    (failure.streak, failure.pause) = (0, Duration::ZERO);
                }
                self.ended = Ended::Fetched(fetch, token.clone());
                // A lifetime of zero serves the callers of this fetch and nobody else.
                self.token = if schedule.expired.is_zero() {
                    Cached::Missing(Reason::NoToken)
                } else {
                    Cached::Held(token, schedule)
                };
            }
            Outcome::Failed(error) => {
                self.counts.failures += 1;
                let streak = self.failure.as_ref().map_or(1, |failure| failure.streak.saturating_add(1));
                let pause = failure_pause(&error, streak);
                self.ended = Ended::Failed(fetch);
                self.failure = Some(Box::new(Failure { error, at: now, pause, streak }));
            }
            Outcome::Abandoned => {
                self.counts.failures += 1;
                self.ended = Ended::NoResult;
            }
        }
    }

    /// Decides how a token requested at this moment is renewed: on schedule if the token before it
    /// was due for renewal but still accepted, and no fetch has failed in between.
    fn renewal(&self, sent_at: Moment) -> Renewal {
        let in_time = matches!(self.phase(sent_at), Phase::Renewable | Phase::Stale);
        let failing = self.failure.as_ref().is_some_and(|failure| failure.streak > 0);
        if in_time && !failing { Renewal::OnSchedule } else { Renewal::Spread }
    }

    /// Returns the result of a fetch, for the callers that waited for it; `None` if it has none, or
    /// a later one has ended since.
    pub(crate) fn result(&self, fetch: FetchId) -> Option<Result<AccessToken, Error>> {
        match &self.ended {
            Ended::Fetched(ended, token) if *ended == fetch => Some(Ok(token.clone())),
            Ended::Failed(ended) if *ended == fetch => self.last_error().cloned().map(Err),
            _ => None,
        }
    }

    pub(crate) fn is_running(&self, fetch: FetchId) -> bool {
        matches!(self.fetch, Fetch::Running(running) if running == fetch)
    }

    /// Records that an API refused `token` with a 401. The token is dropped only if it is still the
    /// cached one, and at most once in ten seconds, because an API that refuses everything must not
    /// cause a flood of token requests.
    pub(crate) fn refuse(&mut self, token: &AccessToken, now: Moment) -> Refusal {
        self.counts.refusals += 1;
        let refused_before = |(_, refused): &(Moment, AccessToken)| refused.is_same(token);
        match &self.token {
            Cached::Held(held, _) if !held.is_same(token) && self.phase(now) != Phase::Expired => {
                return Refusal::Superseded(held.clone());
            }
            // Another caller dropped it a moment ago, and its successor is being fetched.
            Cached::Missing(_) if self.last_refusal.as_ref().is_some_and(refused_before) => return Refusal::Dropped,
            _ => {}
        }
        if self.last_refusal.as_ref().is_some_and(|(at, _)| now.since(at) < REFUSAL_SPACING) {
            return Refusal::TooSoon;
        }
        self.last_refusal = Some((now, token.clone()));
        self.token = Cached::Missing(Reason::Refused);
        Refusal::Dropped
    }

    /// Returns the cached token, with the ages at which it is renewed and expires.
    pub(crate) fn held(&self) -> Option<(&AccessToken, Schedule)> {
        match &self.token {
            Cached::Held(token, schedule) => Some((token, *schedule)),
            Cached::Missing(_) => None,
        }
    }

    /// Returns the error of the last fetch that failed, even if a later one succeeded.
    pub(crate) fn last_error(&self) -> Option<&Error> {
        self.failure.as_ref().map(|failure| &failure.error)
    }

    /// Returns the phase of the cached token; a slot without a token counts as one whose token has
    /// expired.
    fn phase(&self, now: Moment) -> Phase {
        match &self.token {
            Cached::Held(token, schedule) => schedule.phase(now.since(&token.sent_at())),
            Cached::Missing(_) => Phase::Expired,
        }
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

    /// A slot with a token that is renewable from 770 s (no jitter), stale from 970 s, and expired
    /// at 1000 s.
    fn with_token() -> Slot {
        let mut slot = Slot::new(Jitter::default());
        let fetch = lead(&mut slot, 0);
        slot.finish(fetch, Outcome::Fetched(token("one", 0)), at(1), &Settings::default());
        slot
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    fn poll(slot: &mut Slot, now: u64) -> Next {
        slot.poll(at(now), PATIENCE, false)
    }

    fn forced(slot: &mut Slot, now: u64) -> Next {
        slot.poll(at(now), PATIENCE, true)
    }

    /// Starts a fetch, forced if a token is cached.
    fn lead(slot: &mut Slot, now: u64) -> FetchId {
        match slot.poll(at(now), PATIENCE, slot.held().is_some()) {
            Next::Lead { fetch, .. } => fetch,
            other => panic!("{}", word(&other)),
        }
    }

    fn word(next: &Next) -> &'static str {
        match next {
            Next::Use { .. } => "use",
            Next::Lead { .. } => "lead",
            Next::Follow { .. } => "follow",
            Next::Fail(_) => "fail",
            Next::OutOfTime => "out of time",
            Next::Recursion => "recursion",
        }
    }

    fn error() -> Error {
        Error::configuration("for a test")
    }

    #[test]
    fn each_phase_includes_the_moment_it_begins_and_not_the_moment_it_ends() {
        let schedule = with_token().held().expect("a token").1;
        let words = [769, 770, 969, 970, 999, 1000].map(|age| (age, word(&poll(&mut with_token(), age))));
        assert_eq!((schedule.renew.as_secs(), schedule.stale.as_secs()), (770, 970));
        assert_eq!(words, [(769, "use"), (770, "lead"), (969, "lead"), (970, "lead"), (999, "lead"), (1000, "lead")]);
        let at_age = |age| poll(&mut with_token(), age);
        assert!(matches!(at_age(999), Next::Lead { usable: Some(usable), .. } if usable.left.as_secs() == 1));
        assert!(matches!(at_age(1000), Next::Lead { usable: None, .. }));
        assert!(matches!(at_age(700), Next::Use { holds, .. } if holds.as_secs() == 70));
    }

    #[test]
    fn while_one_caller_renews_others_use_the_token_until_it_is_stale() {
        let mut slot = with_token();
        let renewal = lead(&mut slot, 800);
        assert!(matches!(poll(&mut slot, 969), Next::Use { holds, .. } if holds.as_secs() == 1));
        assert!(matches!(poll(&mut slot, 970), Next::Follow { fetch, usable: Some(_) } if fetch == renewal));
        assert!(matches!(poll(&mut slot, 1000), Next::Follow { usable: None, .. }));
        assert!(matches!(forced(&mut slot, 800), Next::Follow { usable: None, .. }));
        assert!(slot.is_running(renewal) && !slot.is_running(FetchId(renewal.0 + 1)));
    }

    #[test]
    fn a_failure_is_remembered_to_its_last_moment_and_the_usable_token_used_meanwhile() {
        let mut slot = with_token();
        let first = fail_from(&mut slot, 800, 801);
        assert!(slot.result(first).is_some_and(|result| result.is_err()));
        assert!(slot.result(FetchId(first.0 - 1)).is_none());
        // A failure that another attempt would not change is remembered for ten seconds.
        assert!(matches!(poll(&mut slot, 805), Next::Use { holds, .. } if holds.as_secs() == 6));
        assert_eq!(word(&forced(&mut slot, 810)), "fail");
        assert_eq!(word(&poll(&mut slot, 811)), "lead");
        slot.finish(FetchId(first.0 + 1), Outcome::Failed(error()), at(812), &Settings::default());
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
        assert!(slot.result(fetch).is_some_and(|result| result.is_ok()));
        assert_eq!(word(&poll(&mut slot, 21)), "use");
        assert!(matches!(poll(&mut slot, 2000), Next::Lead { after, .. } if after.is_zero()));
    }

    /// The age at which the last token is renewed: 740 s on schedule, 308 s if the renewal is
    /// spread.
    fn renewed_after(story: impl FnOnce(&mut Slot) -> u64) -> u64 {
        let mut slot = Slot::new(Jitter { on_schedule: 1.0, spread: 1.0 });
        fetch(&mut slot, 0);
        assert_eq!(slot.held().expect("a token").1.renew.as_secs(), 308, "the first token of a slot is spread");
        let sent = story(&mut slot);
        fetch(&mut slot, sent);
        slot.held().expect("a token").1.renew.as_secs()
    }

    fn fetch(slot: &mut Slot, sent: u64) -> FetchId {
        let fetch = lead(slot, sent);
        slot.finish(fetch, Outcome::Fetched(token("another", sent)), at(sent + 1), &Settings::default());
        fetch
    }

    fn fail_from(slot: &mut Slot, sent: u64, ended: u64) -> FetchId {
        let fetch = lead(slot, sent);
        slot.finish(fetch, Outcome::Failed(error()), at(ended), &Settings::default());
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
            slot.refuse(&slot.held().expect("a token").0.clone(), at(500));
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
        assert!(slot.held().is_none() && slot.is_running(running));
        slot.finish(running, Outcome::Abandoned, at(0), &Settings::default());
        assert!(slot.result(running).is_none() && !slot.is_running(running));
        assert!(
            matches!(poll(&mut slot, 0), Next::Lead { after, reason: Reason::NoToken, .. } if after.as_secs() == 1)
        );
        assert_eq!(slot.counts.failures, 1);
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
        assert!(matches!(slot.poll(at(1), Duration::from_secs(1), false), Next::OutOfTime));
        let Next::Lead { fetch: third, after, .. } = poll(&mut slot, 1) else { panic!("not led") };
        assert_eq!(after.as_secs(), 1);
        abandon(&mut slot, third);
        assert!(matches!(poll(&mut slot, 3), Next::Lead { after, .. } if after.is_zero()));
    }

    #[test]
    fn a_refusal_drops_the_token_once_in_ten_seconds_and_says_why_the_next_is_fetched() {
        let mut slot = with_token();
        let one = token("one", 0);
        assert!(matches!(slot.refuse(&one, at(20)), Refusal::Dropped));
        // Another thread that reports the same token waits for the same renewal.
        assert!(matches!(slot.refuse(&one, at(21)), Refusal::Dropped));
        let Next::Lead { fetch, reason, .. } = poll(&mut slot, 21) else { panic!("not led") };
        assert_eq!(reason, Reason::Refused);
        slot.finish(fetch, Outcome::Fetched(token("two", 21)), at(21), &Settings::default());
        assert!(matches!(slot.refuse(&one, at(22)), Refusal::Superseded(two) if two.secret() == "two"));
        assert!(matches!(slot.refuse(&token("two", 21), at(29)), Refusal::TooSoon));
        assert_eq!(word(&poll(&mut slot, 29)), "use");
        assert!(matches!(slot.refuse(&token("two", 21), at(30)), Refusal::Dropped));
        assert_eq!(slot.counts.refusals, 5);
        // A late report of a token that is neither cached nor the last one refused.
        assert!(matches!(slot.refuse(&one, at(31)), Refusal::TooSoon));
    }

    #[test]
    fn an_expired_token_supersedes_nothing() {
        let mut slot = with_token();
        assert!(matches!(slot.refuse(&token("zero", 0), at(999)), Refusal::Superseded(_)));
        assert!(matches!(slot.refuse(&token("zero", 0), at(1000)), Refusal::Dropped));
    }
}
