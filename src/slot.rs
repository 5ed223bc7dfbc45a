//! The state behind one cache key, and every rule about when to use, renew, wait or give up. Pure: the time is an
//! argument, locks are [`source::flight`](crate::source)'s. Imports `error`, `event`, `moment`, `policy`, `token`.

use std::time::Duration;

use crate::error::Error;
use crate::event::Reason;
use crate::moment::Moment;
use crate::policy::{self, FETCH_SPACING, Policy, REFUSAL_SPACING, Schedule};
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
    failure: Option<Failure>,
    jitter: f64,
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
    /// `jitter`: a number from 0 to 1, so that processes with the same lifetimes do not renew together.
    pub(crate) fn new(jitter: f64) -> Self {
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
                let left = held.schedule.dead.saturating_sub(age);
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

    pub(crate) fn land(&mut self, flight: u64, landing: Landing, now: Moment, policy: &Policy) {
        if self.flight != Some(flight) {
            return;
        }
        self.flight = None;
        match landing {
            Landing::Fetched(token) => {
                let schedule = policy.schedule(token.expires_in(), self.jitter);
                self.failure = None;
                self.dropped = false;
                self.landed = Some((flight, Ok(token.clone())));
                // A lifetime of zero serves the callers of this flight and nobody else.
                self.held = (!schedule.dead.is_zero()).then_some(Held { token, schedule });
            }
            Landing::Failed(error) => {
                let streak = self.failure.as_ref().map_or(1, |failure| failure.streak.saturating_add(1));
                let pause = policy::failure_pause(error.is_retryable(), error.retry_after(), streak);
                self.counts.failures += 1;
                self.last_error = Some(error.clone());
                self.landed = Some((flight, Err(error.clone())));
                self.failure = Some(Failure { error, at: now, pause, streak });
            }
            Landing::Abandoned => {
                self.counts.failures += 1;
                self.landed = None;
            }
        }
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
            Some(held) if !held.token.is_same(token) && now.since(&held.token.sent_at()) < held.schedule.dead => {
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
