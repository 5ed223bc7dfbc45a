//! When a token is renewed, goes stale and expires. Imports `settings`.

use std::time::Duration;

use crate::renewal::settings::Settings;

/// Early expiry is at most this, and at most a quarter of the lifetime.
const EARLY_EXPIRY: Duration = Duration::from_secs(30);
/// The renewal window opens at most this long before early expiry, and at most a fifth of the
/// lifetime.
const RENEWAL_WINDOW: Duration = Duration::from_secs(300);
/// The stable jitter that opens the window earlier is at most this, and at most a tenth of the
/// lifetime.
const RENEWAL_JITTER: Duration = Duration::from_secs(30);
/// A spread renewal falls into this last part of the time before the window: the peak after a
/// common start is then at most 1 / 0.6 of the average.
const SPREAD: f64 = 0.6;
/// Each process looks into the store at a moment of its own in this first part of the window. The first
/// one renews the token, and the others find the new one.
#[cfg(feature = "store")]
const LOOKS: f64 = 0.8;
/// A longer `expires_in` counts as this.
pub(crate) const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The ages at which a token changes its [`Phase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// The age at which the renewal window opens.
    pub(crate) renew: Duration,
    pub(crate) expired: Duration,
}

/// When the renewal window of a token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// At the regular time.
    OnSchedule,
    /// At a random earlier time. Many processes may have fetched at the same moment (start-up,
    /// outage, revocation), so their renewals are spread out.
    Spread,
    /// At the age that the process chose that fetched the token, and that all who share it know.
    #[cfg(feature = "store")]
    At(Duration),
}

/// Two independent random factors from 0 to 1, drawn once for each slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Jitter {
    pub(crate) on_schedule: f64,
    pub(crate) spread: f64,
}

/// How far a token is through its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The token is used and needs no renewal.
    Fresh,
    /// One caller renews the token, and all others use it until it expires.
    Renewable,
    Expired,
}

impl Schedule {
    /// The schedule of a token whose answer said `expires_in`.
    pub(crate) fn new(expires_in: Option<Duration>, renewal: Renewal, jitter: Jitter, settings: &Settings) -> Self {
        let stated = expires_in.map(|stated| stated.min(LONGEST_LIFETIME));
        let longest = settings.longest_lifetime;
        let lifetime = stated.or(settings.fallback_lifetime).map(|lifetime| lifetime.min(longest.unwrap_or(lifetime)));
        let Some(lifetime) = lifetime.or(longest) else {
            return Self { renew: Duration::MAX, expired: Duration::MAX };
        };
        let early = match settings.early_expiry {
            Some(set) => set.min(lifetime / 2),
            None => EARLY_EXPIRY.min(lifetime / 4),
        };
        let window = RENEWAL_WINDOW.min(lifetime / 5);
        let stale = lifetime - early;
        let opens = stale.saturating_sub(window);
        let earlier = match renewal {
            Renewal::OnSchedule => RENEWAL_JITTER.min(lifetime / 10).mul_f64(jitter.on_schedule.clamp(0.0, 1.0)),
            Renewal::Spread => opens.mul_f64(SPREAD * jitter.spread.clamp(0.0, 1.0)),
            #[cfg(feature = "store")]
            Renewal::At(due) => {
                let due = due.min(opens);
                let later = RENEWAL_WINDOW.min(stale - due).mul_f64(LOOKS * jitter.on_schedule.clamp(0.0, 1.0));
                return Self { renew: due + later, expired: lifetime };
            }
        };
        Self { renew: opens.saturating_sub(earlier), expired: lifetime }
    }

    /// The phase of a token of this age. Each border belongs to the phase after it.
    pub(crate) fn phase(&self, age: Duration) -> Phase {
        if age < self.renew {
            Phase::Fresh
        } else if age < self.expired {
            Phase::Renewable
        } else {
            Phase::Expired
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(ages: Schedule) -> (f64, f64) {
        (ages.renew.as_secs_f64(), ages.expired.as_secs_f64())
    }

    fn schedule(expires_in: u64) -> (f64, f64) {
        seconds(Schedule::new(
            Some(Duration::from_secs(expires_in)),
            Renewal::OnSchedule,
            Jitter::default(),
            &Settings::default(),
        ))
    }

    fn renewed_at(lifetime: u64, renewal: Renewal, jitter: Jitter) -> f64 {
        seconds(Schedule::new(Some(Duration::from_secs(lifetime)), renewal, jitter, &Settings::default())).0
    }

    #[test]
    fn d24_the_window_ends_30_s_or_a_quarter_of_the_lifetime_before_expiry() {
        assert_eq!(schedule(3600), (3270.0, 3600.0));
        assert_eq!(schedule(20), (11.0, 20.0));
        assert_eq!(schedule(1), (0.55, 1.0));
        assert_eq!(schedule(0), (0.0, 0.0));
    }

    #[test]
    fn jitter_opens_the_window_earlier_by_at_most_30_s_or_a_tenth() {
        let at = |lifetime, kept| renewed_at(lifetime, Renewal::OnSchedule, Jitter { on_schedule: kept, spread: 1.0 });
        assert_eq!(at(3600, 1.0), 3240.0);
        assert_eq!(at(100, 1.0), 45.0);
        assert_eq!(at(100, 0.5), 50.0);
    }

    #[test]
    fn d32_a_spread_renewal_begins_in_the_last_three_fifths_before_the_window() {
        let at = |lifetime, spread| renewed_at(lifetime, Renewal::Spread, Jitter { on_schedule: 1.0, spread });
        for (lifetime, opens) in [(86_400, 86_070.0), (3600, 3270.0), (300, 210.0), (20, 11.0), (1, 0.55), (0, 0.0)] {
            assert_eq!(at(lifetime, 0.0), opens);
            for (jitter, share) in [(0.5, 0.7), (1.0, 0.4)] {
                assert!((at(lifetime, jitter) - share * opens).abs() < 1e-6, "{lifetime} s, {jitter}");
            }
        }
    }

    #[test]
    fn ex_03_a_margin_set_by_the_caller_is_at_most_half_the_lifetime() {
        let settings = Settings { early_expiry: Some(Duration::from_secs(30)), ..Settings::default() };
        let renew = |lifetime| {
            Schedule::new(Some(Duration::from_secs(lifetime)), Renewal::OnSchedule, Jitter::default(), &settings).renew
        };
        // The window of a fifth of the lifetime, at most 5 minutes, comes before the margin.
        assert_eq!((renew(20).as_secs(), renew(3600).as_secs()), (20 - 10 - 4, 3600 - 30 - 300));
    }

    #[test]
    fn d39_a_lifetime_is_at_most_the_longest_even_if_a_setting_states_it() {
        let expired = |stated: Option<u64>, fallback: Option<u64>, longest: u64| {
            let settings = Settings {
                longest_lifetime: Some(Duration::from_secs(longest)),
                fallback_lifetime: fallback.map(Duration::from_secs),
                ..Settings::default()
            };
            let stated = stated.map(Duration::from_secs);
            Schedule::new(stated, Renewal::OnSchedule, Jitter::default(), &settings).expired.as_secs()
        };
        assert_eq!(expired(Some(43_200), Some(300), 1800), 1800);
        assert_eq!(expired(Some(600), Some(300), 1800), 600);
        assert_eq!(expired(None, Some(7200), 1800), 1800);
        assert_eq!(expired(None, Some(300), 1800), 300);
        assert_eq!(expired(None, None, 1800), 1800);
        assert_eq!(expired(Some(u64::MAX), None, u64::MAX), 86_400);
    }

    #[test]
    fn a_lifetime_is_at_most_a_day_and_the_fallback_applies_if_there_is_none() {
        assert_eq!(schedule(u64::MAX).1, 86_400.0);
        assert_eq!(seconds(Schedule::new(None, Renewal::Spread, Jitter::default(), &Settings::default())).1, 300.0);
        let never = Settings { fallback_lifetime: None, ..Settings::default() };
        assert_eq!(
            Schedule::new(None, Renewal::Spread, Jitter { on_schedule: 0.5, spread: 0.5 }, &never).renew,
            Duration::MAX
        );
    }
}
