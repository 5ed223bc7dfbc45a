//! Every number that decides when to fetch, how long to wait and how much to keep, with the arithmetic on them.
//! Imports nothing from this crate.

use std::time::Duration;

/// Early expiry is at most this, and at most a quarter of the lifetime.
const EARLY_EXPIRY: Duration = Duration::from_secs(30);
/// The renewal window opens at most this long before early expiry, and at most a fifth of the lifetime.
const RENEWAL_WINDOW: Duration = Duration::from_secs(300);
/// The stable jitter that opens the window earlier is at most this, and at most a tenth of the lifetime.
const RENEWAL_JITTER: Duration = Duration::from_secs(30);
/// A spread renewal begins in this last part of the time before the window: what many processes began at once comes
/// back as at most 1 / 0.6 of the mean.
const SPREAD: f64 = 0.6;
/// Used when the answer has no `expires_in`.
const FALLBACK_LIFETIME: Duration = Duration::from_secs(300);
/// A longer `expires_in` is not believed.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Least time between the starts of two fetches of one key.
pub(crate) const FETCH_SPACING: Duration = Duration::from_secs(1);
/// Least time between two renewals of one key that a refusal forced.
pub(crate) const REFUSAL_SPACING: Duration = Duration::from_secs(10);
/// How long a refusal that retrying cannot mend is remembered.
const LASTING_FAILURE: Duration = Duration::from_secs(10);
/// The first pause after a transient failure; it doubles up to [`TRANSIENT_FAILURE_MOST`].
const TRANSIENT_FAILURE: Duration = Duration::from_secs(1);
const TRANSIENT_FAILURE_MOST: Duration = Duration::from_secs(30);
/// `Retry-After` is waited for inside a call up to this.
const RETRY_AFTER_INSIDE: Duration = Duration::from_secs(5);
/// `Retry-After` is remembered up to this.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(3600);
/// The first retry waits a random part of this; it doubles up to [`RETRY_MOST`].
const RETRY_BASE: Duration = Duration::from_millis(250);
const RETRY_MOST: Duration = Duration::from_secs(5);

/// What a caller may set, with the defaults.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// `None`: min(30 s, lifetime / 4). Set: at most half the lifetime.
    pub(crate) early_expiry: Option<Duration>,
    /// `None`: a token without `expires_in` never expires.
    pub(crate) fallback_lifetime: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) max_body: usize,
    pub(crate) replay_limit: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            early_expiry: None,
            fallback_lifetime: Some(FALLBACK_LIFETIME),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            retries: 2,
            max_body: 256 * 1024,
            replay_limit: 1024 * 1024,
        }
    }
}

/// The life of one token, in ages counted from the moment before its request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// From here one caller renews it.
    pub(crate) renew: Duration,
    /// From here all callers want another one.
    pub(crate) stale: Duration,
    /// From here it is not sent any more, whatever happens.
    pub(crate) dead: Duration,
}

/// When a token is renewed, in view of how it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// It followed a good token in due time: it is renewed as late as that one.
    Kept,
    /// What brought it (a start, a refusal, an outage) may have happened to many processes at once: here they part.
    Spread,
}

/// Numbers from 0 to 1 that stay the same for one slot. Two that know nothing of each other: with one for both,
/// what was spread would overlap with itself days later (DESIGN.md, "Scale").
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Jitter {
    pub(crate) kept: f64,
    pub(crate) spread: f64,
}

impl Policy {
    pub(crate) fn schedule(&self, expires_in: Option<Duration>, pace: Pace, jitter: Jitter) -> Schedule {
        let Some(lifetime) = expires_in.map(|stated| stated.min(LONGEST_LIFETIME)).or(self.fallback_lifetime) else {
            return Schedule { renew: Duration::MAX, stale: Duration::MAX, dead: Duration::MAX };
        };
        let early = match self.early_expiry {
            Some(set) => set.min(lifetime / 2),
            None => EARLY_EXPIRY.min(lifetime / 4),
        };
        let window = RENEWAL_WINDOW.min(lifetime / 5);
        let stale = lifetime - early;
        let opens = stale.saturating_sub(window);
        let earlier = match pace {
            Pace::Kept => RENEWAL_JITTER.min(lifetime / 10).mul_f64(jitter.kept.clamp(0.0, 1.0)),
            Pace::Spread => opens.mul_f64(SPREAD * jitter.spread.clamp(0.0, 1.0)),
        };
        Schedule { renew: opens.saturating_sub(earlier), stale, dead: lifetime }
    }
}

/// How long a failure is remembered: `streak` counts failures in a row, from 1.
pub(crate) fn failure_pause(retryable: bool, retry_after: Option<Duration>, streak: u32) -> Duration {
    let own = if retryable {
        doubled(TRANSIENT_FAILURE, streak.saturating_sub(1), TRANSIENT_FAILURE_MOST)
    } else {
        LASTING_FAILURE
    };
    own.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MOST))
}

/// The pause before retry number `retry` (from 0) inside a call, `random` from 0 to 1 (full jitter);
/// `None`: the server asks for more than a call should wait.
pub(crate) fn retry_pause(retry: u32, retry_after: Option<Duration>, random: f64) -> Option<Duration> {
    match retry_after {
        Some(asked) if asked > RETRY_AFTER_INSIDE => None,
        Some(asked) => Some(asked),
        None => Some(doubled(RETRY_BASE, retry, RETRY_MOST).mul_f64(random.clamp(0.0, 1.0))),
    }
}

fn doubled(base: Duration, times: u32, most: Duration) -> Duration {
    base.checked_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).map_or(most, |pause| pause.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(ages: Schedule) -> (f64, f64, f64) {
        (ages.renew.as_secs_f64(), ages.stale.as_secs_f64(), ages.dead.as_secs_f64())
    }

    fn schedule(expires_in: u64) -> (f64, f64, f64) {
        seconds(Policy::default().schedule(Some(Duration::from_secs(expires_in)), Pace::Kept, Jitter::default()))
    }

    fn renewed_at(lifetime: u64, pace: Pace, jitter: Jitter) -> f64 {
        seconds(Policy::default().schedule(Some(Duration::from_secs(lifetime)), pace, jitter)).0
    }

    #[test]
    fn d24_early_expiry_is_30_s_or_a_quarter_of_the_lifetime() {
        assert_eq!(schedule(3600), (3270.0, 3570.0, 3600.0));
        assert_eq!(schedule(20), (11.0, 15.0, 20.0));
        assert_eq!(schedule(1), (0.55, 0.75, 1.0));
        assert_eq!(schedule(0), (0.0, 0.0, 0.0));
    }

    #[test]
    fn jitter_opens_the_window_earlier_by_at_most_30_s_or_a_tenth() {
        let at = |lifetime, kept| renewed_at(lifetime, Pace::Kept, Jitter { kept, spread: 1.0 });
        assert_eq!(at(3600, 1.0), 3240.0);
        assert_eq!(at(100, 1.0), 45.0);
        assert_eq!(at(100, 0.5), 50.0);
    }

    #[test]
    fn d32_a_spread_renewal_begins_in_the_last_three_fifths_before_the_window() {
        let at = |lifetime, spread| renewed_at(lifetime, Pace::Spread, Jitter { kept: 1.0, spread });
        for (lifetime, opens) in [(86_400, 86_070.0), (3600, 3270.0), (300, 210.0), (20, 11.0), (1, 0.55), (0, 0.0)] {
            assert_eq!(at(lifetime, 0.0), opens);
            for (jitter, share) in [(0.5, 0.7), (1.0, 0.4)] {
                assert!((at(lifetime, jitter) - share * opens).abs() < 1e-6, "{lifetime} s, {jitter}");
            }
        }
    }

    #[test]
    fn ex_03_a_margin_set_by_the_caller_is_at_most_half_the_lifetime() {
        let policy = Policy { early_expiry: Some(Duration::from_secs(30)), ..Policy::default() };
        let stale = |lifetime| {
            policy.schedule(Some(Duration::from_secs(lifetime)), Pace::Kept, Jitter::default()).stale.as_secs()
        };
        assert_eq!((stale(20), stale(3600)), (10, 3570));
    }

    #[test]
    fn a_lifetime_is_at_most_a_day_and_the_fallback_stands_in_for_none() {
        assert_eq!(schedule(u64::MAX).2, 86_400.0);
        assert_eq!(seconds(Policy::default().schedule(None, Pace::Spread, Jitter::default())).2, 300.0);
        let never = Policy { fallback_lifetime: None, ..Policy::default() };
        assert_eq!(never.schedule(None, Pace::Spread, Jitter { kept: 0.5, spread: 0.5 }).renew, Duration::MAX);
    }

    #[test]
    fn transient_failures_are_remembered_for_1_s_doubling_to_30_s() {
        let pauses: Vec<u64> = (1..=8).map(|streak| failure_pause(true, None, streak).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(failure_pause(true, None, u32::MAX).as_secs(), 30);
    }

    #[test]
    fn lasting_failures_are_remembered_for_10_s_and_retry_after_up_to_an_hour() {
        assert_eq!(failure_pause(false, None, 5).as_secs(), 10);
        assert_eq!(failure_pause(true, Some(Duration::from_secs(60)), 1).as_secs(), 60);
        assert_eq!(failure_pause(true, Some(Duration::MAX), 1).as_secs(), 3600);
    }

    #[test]
    fn retries_back_off_with_full_jitter_and_heed_a_short_retry_after() {
        let most: Vec<u128> = (0..6).map(|n| retry_pause(n, None, 1.0).expect("a pause").as_millis()).collect();
        assert_eq!(most, [250, 500, 1000, 2000, 4000, 5000]);
        assert_eq!(retry_pause(3, None, 0.0), Some(Duration::ZERO));
        assert_eq!(retry_pause(0, Some(Duration::from_secs(5)), 0.3), Some(Duration::from_secs(5)));
        assert_eq!(retry_pause(0, Some(Duration::from_secs(6)), 0.3), None);
    }
}
