//! The settings of a source, with their defaults. Imports `transport`.

use std::time::Duration;

use crate::transport::{CONNECT_TIMEOUT, MAX_BODY, TIMEOUT};

/// The lifetime of a token whose answer has no `expires_in`.
const FALLBACK_LIFETIME: Duration = Duration::from_secs(300);
const RETRIES: u32 = 2;
const REPLAY_LIMIT: usize = 1024 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// With `None`, the smaller of 30 s and a quarter of the lifetime. If set, at most half the
    /// lifetime counts.
    pub(crate) early_expiry: Option<Duration>,
    /// With `None`, a token without `expires_in` never expires.
    pub(crate) fallback_lifetime: Option<Duration>,
    /// If set, a longer lifetime counts as this.
    pub(crate) longest_lifetime: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) max_body: usize,
    pub(crate) replay_limit: usize,
}

impl Settings {
    /// How long a fetch may run before its leader counts as lost: the timeout, and a little more for
    /// the leader that ends in time.
    pub(crate) fn lost_after(&self) -> Duration {
        self.timeout.saturating_add((self.timeout / 20).min(Duration::from_secs(1)))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            early_expiry: None,
            fallback_lifetime: Some(FALLBACK_LIFETIME),
            longest_lifetime: None,
            timeout: TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            retries: RETRIES,
            max_body: MAX_BODY,
            replay_limit: REPLAY_LIMIT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let settings = Settings::default();
        assert_eq!(settings.fallback_lifetime, Some(Duration::from_secs(5 * 60)));
        assert_eq!((settings.timeout.as_secs(), settings.connect_timeout.as_secs()), (30, 5));
        assert_eq!((settings.retries, settings.max_body, settings.replay_limit), (2, 262_144, 1_048_576));
    }

    #[test]
    fn a_leader_counts_as_lost_a_twentieth_of_its_timeout_later_and_at_most_a_second() {
        for (timeout, lost_after) in [(1_000, 1_050), (10_000, 10_500), (20_000, 21_000), (60_000, 61_000)] {
            let settings = Settings { timeout: Duration::from_millis(timeout), ..Settings::default() };
            assert_eq!(settings.lost_after(), Duration::from_millis(lost_after));
        }
    }
}
