//! The last failure of a slot: whom it concerns, and how long it is remembered. Imports `backoff`,
//! `clock`, `error`.

use std::time::Duration;

use crate::clock::Moment;
use crate::error::Error;
use crate::renewal::backoff::failure_pause;

pub(super) struct Failure {
    pub(super) error: Error,
    at: Moment,
    /// How long from `at` on the error is returned without another fetch.
    pause: Duration,
    /// The time of the fetch, if it ran out.
    given: Option<Duration>,
    /// Failures in a row; 0 once a token has come.
    pub(super) streak: u32,
}

impl Failure {
    pub(super) fn new(last: Option<&Self>, error: Error, given: Option<Duration>, now: Moment) -> Self {
        let streak = last.map_or(1, |last| last.streak.saturating_add(1));
        Self { pause: failure_pause(&error, streak), error, at: now, given, streak }
    }

    /// Whether a caller with this budget would have got the same error. If time ran out, a caller
    /// with more of it would not.
    pub(super) fn concerns(&self, budget: Duration) -> bool {
        self.given.is_none_or(|given| budget <= given)
    }

    /// Returns how long the error will still be remembered.
    pub(super) fn left(&self, now: Moment) -> Duration {
        self.pause.saturating_sub(now.since(&self.at))
    }

    /// Notes that a token has come.
    pub(super) fn is_over(&mut self) {
        (self.streak, self.pause) = (0, Duration::ZERO);
    }
}
