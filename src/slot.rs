//! The state behind one cache key, and every rule about when to use, renew, wait or give up. Pure: the time is an
//! argument, locks are [`source::flight`](crate::source)'s. Imports `error`, `event`, `moment`, `policy`, `token`.

use std::time::Duration;

use crate::backoff::{FETCH_SPACING, REFUSAL_SPACING, failure_pause};
use crate::error::Error;
use crate::event::Reason;
use crate::moment::Moment;
use crate::schedule::{Jitter, Renewal, Schedule};
use crate::settings::Settings;
use crate::token::AccessToken;

pub(crate) struct Slot {
    held: Option<Held>,
    flight: Option<u64>,
    flights: u64,
    landed: Option<(u64, Result<AccessToken, Error>)>,
    fetched_at: Option<Moment>,
    refused: Option<(Moment, AccessToken)>,
    /// The last token was dropped because it was refused, and none has come since.
    dropped: bool,
    /// Apart from the rest, because most slots have none.
    failure: Option<Box<Failure>>,
    jitter: Jitter,
    last_error: Option<Error>,
    pub(crate) counts: Counts,
}

/// What happened at one slot since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) fetches: u64,
    pub(crate) failures: u64,
    pub(crate) waits: u64,
    pub(crate) refusals: u64,
}

struct Held {
    token: AccessToken,
    schedule: Schedule,
}

struct Failure {
    error: Error,
    at: Moment,
    pause: Duration,
    streak: u32,
}

/// What a caller is to do.
pub(crate) enum Next {
    /// Take this token; the answer holds for this long, unless a flight lands or the token is refused.
    Use { token: AccessToken, holds: Duration },
    /// Fetch one, after this pause, and [`land`](Slot::land) it. `good` is a token that would still do.
    Lead { after: Duration, reason: Reason, good: Option<Good> },
    /// Wait for this flight. `good` is a token that would still do.
    Follow { flight: u64, good: Option<Good> },
    /// There is none, and asking again so soon would not help.
    Fail(Error),
}

/// A token that is stale or about to be, and how long it is still accepted.
pub(crate) struct Good {
    pub(crate) token: AccessToken,
    pub(crate) left: Duration,
}

/// How a flight ended.
pub(crate) enum Landing {
    Fetched(AccessToken),
    Failed(Error),
    /// The leader gave up for reasons of its own (it panicked, or its caller had little time): somebody else may try.
    Abandoned,
}

/// What became of a token that an API refused.
pub(crate) enum Refusal {
    /// It is gone from the cache.
    Dropped,
    /// It was gone already; this is the one that took its place.
    Superseded(AccessToken),
    /// Too soon after the last one: it stays.
    Throttled,
}

impl Slot {
    /// `jitter`: so that processes with the same lifetimes do not renew together.
    pub(crate) fn new(jitter: Jitter) -> Self {
        Self {
            held: None,
            flight: None,
            flights: 0,
            landed: None,
            fetched_at: None,
            refused: None,
            dropped: false,
            failure: None,
            jitter,
            last_error: None,
            counts: Counts::default(),
        }
    }

    pub(crate) fn next(&self, now: Moment, forced: bool) -> Next {
        let (good, until_stale) = match &self.held {
            Some(held) => {
                let age = now.since(&held.token.sent_at());
                if age < held.schedule.renew && !forced {
                    return Next::Use { token: held.token.clone(), holds: held.schedule.renew - age };
                }
                let left = held.schedule.expired.saturating_sub(age);
                let good = (!left.is_zero()).then(|| Good { token: held.token.clone(), left });
                (good, held.schedule.stale.saturating_sub(age))
            }
            None => (None, Duration::ZERO),
        };
        if let Some(flight) = self.flight {
            return match good {
                Some(good) if !until_stale.is_zero() && !forced => Next::Use { token: good.token, holds: until_stale },
                good => Next::Follow { flight, good },
            };
        }
        let failing = self.failure.as_ref().and_then(|failure| {
            let left = failure.pause.saturating_sub(now.since(&failure.at));
            (!left.is_zero()).then_some((&failure.error, left))
        });
        let after = self.fetched_at.map_or(Duration::ZERO, |at| FETCH_SPACING.saturating_sub(now.since(&at)));
        let pause = failing.map_or(after, |(_, left)| left.max(after));
        match (good, failing) {
            (Some(good), _) if !forced && !pause.is_zero() => {
                Next::Use { holds: pause.min(good.left), token: good.token }
            }
            (_, Some((error, _))) => Next::Fail(error.clone()),
            (good, None) => {
                let reason = match self.held {
                    _ if forced => Reason::Forced,
                    Some(_) => Reason::Expiring,
                    None if self.dropped => Reason::Refused,
                    None => Reason::Empty,
                };
                Next::Lead { after, reason, good }
            }
        }
    }

    /// Begins the flight that [`Next::Lead`] asked for; its number goes to [`land`](Self::land).
    pub(crate) fn begin(&mut self, now: Moment, after: Duration) -> u64 {
        self.flights += 1;
        self.flight = Some(self.flights);
        self.fetched_at = Some(now.later(after));
        self.counts.fetches += 1;
        self.flights
    }

    pub(crate) fn land(&mut self, flight: u64, landing: Landing, now: Moment, settings: &Settings) {
        if self.flight != Some(flight) {
            return;
        }
        self.flight = None;
        match landing {
            Landing::Fetched(token) => {
                let schedule = Schedule::new(token.expires_in(), self.pace(token.sent_at()), self.jitter, settings);
                self.failure = None;
                self.dropped = false;
                self.landed = Some((flight, Ok(token.clone())));
                // A lifetime of zero serves the callers of this flight and nobody else.
                self.held = (!schedule.expired.is_zero()).then_some(Held { token, schedule });
            }
            Landing::Failed(error) => {
                let streak = self.failure.as_ref().map_or(1, |failure| failure.streak.saturating_add(1));
                let pause = failure_pause(&error, streak);
                self.counts.failures += 1;
                self.last_error = Some(error.clone());
                self.landed = Some((flight, Err(error.clone())));
                self.failure = Some(Box::new(Failure { error, at: now, pause, streak }));
            }
            Landing::Abandoned => {
                self.counts.failures += 1;
                self.landed = None;
            }
        }
    }

    /// Of a token asked for at this moment: it keeps the pace of the one before it if that was due and still good, and
    /// no fetch has failed since.
    fn pace(&self, sent_at: Moment) -> Renewal {
        let in_due_time = self.held.as_ref().is_some_and(|held| {
            let age = sent_at.since(&held.token.sent_at());
            held.schedule.renew <= age && age < held.schedule.expired
        });
        if in_due_time && self.failure.is_none() { Renewal::OnSchedule } else { Renewal::Spread }
    }

    /// The result of a flight, for those who waited for it; `None` if it was abandoned or is long over.
    pub(crate) fn landed(&self, flight: u64) -> Option<&Result<AccessToken, Error>> {
        self.landed.as_ref().filter(|(number, _)| *number == flight).map(|(_, result)| result)
    }

    pub(crate) fn is_flying(&self, flight: u64) -> bool {
        self.flight == Some(flight)
    }

    /// An API refused `token` with a 401. It is dropped only if it still is the cached one, and at most once in a
    /// while: an API that refuses everything must not become a flood of token requests.
    pub(crate) fn refuse(&mut self, token: &AccessToken, now: Moment) -> Refusal {
        self.counts.refusals += 1;
        match &self.held {
            Some(held) if !held.token.is_same(token) && now.since(&held.token.sent_at()) < held.schedule.expired => {
                return Refusal::Superseded(held.token.clone());
            }
            // Somebody else dropped it a moment ago and is on the way to another one.
            None if self.refused.as_ref().is_some_and(|(_, refused)| refused.is_same(token)) => {
                return Refusal::Dropped;
            }
            _ => {}
        }
        if self.refused.as_ref().is_some_and(|(at, _)| now.since(at) < REFUSAL_SPACING) {
            return Refusal::Throttled;
        }
        self.refused = Some((now, token.clone()));
        self.dropped = true;
        self.held = None;
        Refusal::Dropped
    }

    /// The cached token, with its age and life, for support.
    pub(crate) fn held(&self) -> Option<(&AccessToken, Schedule)> {
        self.held.as_ref().map(|held| (&held.token, held.schedule))
    }

    pub(crate) fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
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
        let start = START.get_or_init(|| Moment { monotonic: Instant::now(), wall: SystemTime::now() });
        start.later(Duration::from_secs(seconds))
    }

    fn token(name: &str, sent: u64) -> AccessToken {
        AccessToken::new(name, Some(Duration::from_secs(1000)), None, Map::new(), at(sent)).expect("a token")
    }

    /// Renewed from 770 s (no jitter), stale from 970 s, dead at 1000 s.
    fn with_token() -> Slot {
        let mut slot = Slot::new(Jitter::default());
        let flight = slot.begin(at(0), Duration::ZERO);
        slot.land(flight, Landing::Fetched(token("one", 0)), at(1), &Settings::default());
        slot
    }

    fn word(next: &Next) -> &'static str {
        match next {
            Next::Use { .. } => "use",
            Next::Lead { .. } => "lead",
            Next::Follow { .. } => "follow",
            Next::Fail(_) => "fail",
        }
    }

    fn error() -> Error {
        Error::configuration("for a test")
    }

    #[test]
    fn each_border_of_a_life_belongs_to_what_follows_it() {
        let slot = with_token();
        let schedule = slot.held().expect("a token").1;
        let words: Vec<_> = [769, 770, 969, 970, 999, 1000].map(|age| (age, word(&slot.next(at(age), false)))).into();
        assert_eq!((schedule.renew.as_secs(), schedule.stale.as_secs()), (770, 970));
        assert_eq!(words, [(769, "use"), (770, "lead"), (969, "lead"), (970, "lead"), (999, "lead"), (1000, "lead")]);
        assert!(matches!(slot.next(at(999), false), Next::Lead { good: Some(good), .. } if good.left.as_secs() == 1));
        assert!(matches!(slot.next(at(1000), false), Next::Lead { good: None, .. }));
        assert!(matches!(slot.next(at(700), false), Next::Use { holds, .. } if holds.as_secs() == 70));
    }

    #[test]
    fn while_somebody_renews_others_use_the_token_until_it_is_stale() {
        let mut slot = with_token();
        let flight = slot.begin(at(800), Duration::ZERO);
        assert!(matches!(slot.next(at(969), false), Next::Use { holds, .. } if holds.as_secs() == 1));
        assert!(matches!(slot.next(at(970), false), Next::Follow { flight: f, good: Some(_) } if f == flight));
        assert!(matches!(slot.next(at(1000), false), Next::Follow { good: None, .. }));
        assert_eq!(word(&slot.next(at(800), true)), "follow");
        assert!(slot.is_flying(flight) && !slot.is_flying(flight + 1));
    }

    #[test]
    fn a_failure_is_remembered_to_its_last_moment_and_the_good_token_used_meanwhile() {
        let mut slot = with_token();
        let flight = slot.begin(at(800), Duration::ZERO);
        slot.land(flight, Landing::Failed(error()), at(801), &Settings::default());
        assert!(slot.landed(flight).is_some_and(Result::is_err) && slot.landed(flight - 1).is_none());
        // Ten seconds for what retrying cannot mend.
        assert!(matches!(slot.next(at(805), false), Next::Use { holds, .. } if holds.as_secs() == 6));
        assert_eq!(word(&slot.next(at(810), true)), "fail");
        assert_eq!(word(&slot.next(at(811), false)), "lead");
        let flight = slot.begin(at(995), Duration::ZERO);
        slot.land(flight, Landing::Failed(error()), at(995), &Settings::default());
        assert!(matches!(slot.next(at(998), false), Next::Use { holds, .. } if holds.as_secs() == 2));
        assert_eq!(word(&slot.next(at(1000), false)), "fail");
        assert_eq!((slot.counts.fetches, slot.counts.failures), (3, 2));
        assert!(slot.last_error().is_some());
    }

    /// When the last token is renewed, counted from its own request: 740 s at the kept pace, 308 s if it is spread.
    fn renewed_after(story: impl FnOnce(&mut Slot) -> u64) -> u64 {
        let mut slot = Slot::new(Jitter { on_schedule: 1.0, spread: 1.0 });
        fetch(&mut slot, 0);
        assert_eq!(slot.held().expect("a token").1.renew.as_secs(), 308, "the first token of a slot is spread");
        let sent = story(&mut slot);
        fetch(&mut slot, sent);
        slot.held().expect("a token").1.renew.as_secs()
    }

    fn fetch(slot: &mut Slot, sent: u64) {
        let flight = slot.begin(at(sent), Duration::ZERO);
        slot.land(flight, Landing::Fetched(token("another", sent)), at(sent + 1), &Settings::default());
    }

    fn fail(slot: &mut Slot, sent: u64) {
        let flight = slot.begin(at(sent), Duration::ZERO);
        slot.land(flight, Landing::Failed(error()), at(sent + 1), &Settings::default());
    }

    #[test]
    fn d32_a_token_that_follows_a_good_one_in_due_time_keeps_the_pace() {
        assert_eq!(renewed_after(|_| 308), 740);
        assert_eq!(renewed_after(|_| 999), 740);
    }

    #[test]
    fn d32_a_token_is_spread_after_whatever_may_have_happened_to_many_processes_at_once() {
        assert_eq!(renewed_after(|_| 1000), 308, "the last one had died");
        assert_eq!(renewed_after(|_| 307), 308, "renewed by force before it was due");
        let refused = |slot: &mut Slot| {
            slot.refuse(&slot.held().expect("a token").0.clone(), at(500));
            500
        };
        assert_eq!(renewed_after(refused), 308, "an API refused the last one");
        let outage = |slot: &mut Slot| {
            fail(slot, 400);
            500
        };
        assert_eq!(renewed_after(outage), 308, "an outage, although the last one was good");
        let over = |slot: &mut Slot| {
            fail(slot, 400);
            fetch(slot, 500);
            808
        };
        assert_eq!(renewed_after(over), 740, "an outage before the last one");
    }

    #[test]
    fn only_the_flight_under_way_can_land_and_an_abandoned_one_leaves_no_result() {
        let mut slot = Slot::new(Jitter::default());
        let flight = slot.begin(at(0), Duration::ZERO);
        slot.land(flight + 1, Landing::Fetched(token("x", 0)), at(0), &Settings::default());
        assert!(slot.held().is_none() && slot.is_flying(flight));
        slot.land(flight, Landing::Abandoned, at(0), &Settings::default());
        assert!(slot.landed(flight).is_none() && !slot.is_flying(flight));
        assert!(
            matches!(slot.next(at(0), false), Next::Lead { after, reason: Reason::Empty, .. } if after.as_secs() == 1)
        );
        assert_eq!(slot.counts.failures, 1);
    }

    #[test]
    fn fetches_start_a_second_apart_also_after_a_pause() {
        let mut slot = Slot::new(Jitter::default());
        let flight = slot.begin(at(0), Duration::from_secs(1));
        slot.land(flight, Landing::Abandoned, at(1), &Settings::default());
        assert!(matches!(slot.next(at(1), false), Next::Lead { after, .. } if after.as_secs() == 1));
        assert!(matches!(slot.next(at(2), false), Next::Lead { after, .. } if after.is_zero()));
    }

    #[test]
    fn a_refusal_drops_the_token_once_in_ten_seconds_and_tells_why_the_next_is_fetched() {
        let mut slot = with_token();
        let one = token("one", 0);
        assert!(matches!(slot.refuse(&one, at(20)), Refusal::Dropped));
        assert!(matches!(slot.next(at(20), false), Next::Lead { reason: Reason::Refused, .. }));
        // Another thread that reports the same token joins in.
        assert!(matches!(slot.refuse(&one, at(21)), Refusal::Dropped));
        let flight = slot.begin(at(21), Duration::ZERO);
        slot.land(flight, Landing::Fetched(token("two", 21)), at(21), &Settings::default());
        assert!(matches!(slot.refuse(&one, at(22)), Refusal::Superseded(two) if two.secret() == "two"));
        assert!(matches!(slot.refuse(&token("two", 21), at(29)), Refusal::Throttled));
        assert_eq!(word(&slot.next(at(29), false)), "use");
        assert!(matches!(slot.refuse(&token("two", 21), at(30)), Refusal::Dropped));
        assert_eq!(slot.counts.refusals, 5);
        // A late word about a token that is neither cached nor the last one refused.
        assert!(matches!(slot.refuse(&one, at(31)), Refusal::Throttled));
    }

    #[test]
    fn a_dead_token_supersedes_nothing() {
        let mut slot = with_token();
        assert!(matches!(slot.refuse(&token("zero", 0), at(999)), Refusal::Superseded(_)));
        assert!(matches!(slot.refuse(&token("zero", 0), at(1000)), Refusal::Dropped));
    }
}
