//! The last failure of a slot: whom it concerns, how long it is remembered, and who finds out meanwhile
//! whether a secret that was refused has been replaced. Imports `backoff`, `clock`, `error`, `random`.

use std::time::Duration;

use crate::clock::Moment;
use crate::error::Error;
use crate::random::Fingerprint;
use crate::renewal::backoff::{FETCH_SPACING, LASTING_FAILURE, failure_pause};

pub(super) struct Failure {
    pub(super) error: Error,
    at: Moment,
    /// How long from `at` on the error is returned without another fetch.
    pause: Duration,
    /// The time of the fetch, if it ran out.
    given: Option<Duration>,
    /// Failures in a row; 0 once a token has come.
    pub(super) streak: u32,
    refused: Option<Refused>,
}

/// A secret that was refused, and that a closure may have replaced since.
struct Refused {
    proof: Fingerprint,
    /// From `at` on, no caller asks the closure for this long.
    at: Moment,
    pause: Duration,
    replaced: bool,
}

impl Failure {
    pub(super) fn new(
        last: Option<&Self>,
        error: Error,
        given: Option<Duration>,
        refused: Option<Fingerprint>,
        now: Moment,
    ) -> Self {
        let streak = last.map_or(1, |last| last.streak.saturating_add(1));
        // The last refusal was forgotten for this secret, so another one is not tried at once.
        let in_vain = last.and_then(|last| last.refused.as_ref()).is_some_and(|refused| refused.replaced);
        let pause = if in_vain { LASTING_FAILURE } else { FETCH_SPACING };
        let refused = refused.map(|proof| Refused { proof, at: now, pause, replaced: false });
        Self { pause: failure_pause(&error, streak), error, at: now, given, streak, refused }
    }

    /// Makes the failure of another process, which is remembered for as long as all others do. It is no
    /// failure of this one, so that it makes no later pause longer.
    #[cfg(feature = "store")]
    pub(super) fn noted(
        last: Option<&Self>,
        error: Error,
        pause: Duration,
        refused: Option<Fingerprint>,
        now: Moment,
    ) -> Self {
        let streak = last.map_or(0, |last| last.streak);
        Self { pause, streak, ..Self::new(last, error, None, refused, now) }
    }

    /// Whether a caller with this much time would have got the same error. If time ran out, a caller
    /// with more of it would not.
    pub(super) fn concerns(&self, time: Duration) -> bool {
        self.given.is_none_or(|given| time <= given)
    }

    /// Returns how long the error will still be remembered.
    pub(super) fn left(&self, now: Moment) -> Duration {
        self.pause.saturating_sub(now.since(&self.at))
    }

    /// Returns the proof that was refused if this caller is to find out whether it has been replaced.
    /// One caller at a time does, once a second. If it does not come back, another one may do it
    /// `lost_after` later.
    pub(super) fn ask(&mut self, now: Moment, lost_after: Duration) -> Option<Fingerprint> {
        let refused = self.refused.as_mut().filter(|refused| now.since(&refused.at) >= refused.pause)?;
        (refused.at, refused.pause) = (now, lost_after);
        Some(refused.proof)
    }

    /// Notes what a caller has found out. The error is no longer remembered if the secret was
    /// replaced.
    pub(super) fn asked(&mut self, proof: Fingerprint, replaced: bool, now: Moment) {
        if let Some(refused) = self.refused.as_mut().filter(|refused| refused.proof == proof) {
            (refused.at, refused.pause, refused.replaced) = (now, FETCH_SPACING, replaced);
            if replaced {
                self.pause = Duration::ZERO;
            }
        }
    }

    /// Notes that a token has come.
    pub(super) fn is_over(&mut self) {
        (self.streak, self.pause, self.refused) = (0, Duration::ZERO, None);
    }
}
