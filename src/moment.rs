//! A point in time on both clocks. Imports nothing from this crate.

use std::time::{Duration, Instant, SystemTime};

/// A point in time on two clocks: the monotonic clock and the wall clock.
///
/// A wall clock that is set wrong does not disturb the monotonic clock. The wall clock goes on while the machine sleeps.
/// Together they tell the age of a token: see [`since`](Self::since).
///
/// # Examples
///
/// ```
/// use client_credentials::{Clock, SystemClock};
///
/// let before = SystemClock.now();
/// let after = SystemClock.now();
/// assert!(after.since(&before) < std::time::Duration::from_secs(60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Rust's `Instant`: never goes back; stands still while a Linux machine is suspended.
    pub monotonic: Instant,
    /// The wall clock: may jump either way.
    pub wall: SystemTime,
}

impl Moment {
    /// How long ago `earlier` was: the larger of what the two clocks say. A wall clock that moved back counts as
    /// zero and leaves the monotonic clock to decide.
    ///
    /// ```
    /// # use std::time::{Duration, Instant, SystemTime};
    /// # use client_credentials::{Clock, Moment, SystemClock};
    /// let start = SystemClock.now();
    /// let suspended = Moment { wall: start.wall + Duration::from_secs(7200), ..start };
    /// assert_eq!(suspended.since(&start), Duration::from_secs(7200));
    /// let set_back = Moment { wall: start.wall - Duration::from_secs(3600), ..start };
    /// assert_eq!(set_back.since(&start), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Moment) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        monotonic.max(wall)
    }

    /// The same moment, moved ahead on both clocks; a clock that cannot show so late a time stays.
    pub(crate) fn later(self, by: Duration) -> Self {
        Self {
            monotonic: self.monotonic.checked_add(by).unwrap_or(self.monotonic),
            wall: self.wall.checked_add(by).unwrap_or(self.wall),
        }
    }
}

/// The end of a time limit, on the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(now: Instant, budget: Duration) -> Self {
        // A budget beyond what the clock can show is no limit; a year will do.
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        Self(now.checked_add(budget.min(YEAR)).unwrap_or(now))
    }

    pub(crate) fn left(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::clock::{Clock as _, SystemClock};

    #[test]
    fn a_time_too_late_for_a_clock_leaves_it_where_it_is() {
        let now = SystemClock.now();
        assert_eq!(now.later(Duration::MAX), now);
        assert_eq!(now.later(Duration::from_secs(1)).since(&now), Duration::from_secs(1));
    }
}
