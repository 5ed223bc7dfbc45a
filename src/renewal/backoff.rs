//! How long to wait after a failure, and whether a token request is worth another attempt.
//! Imports `error`.

use std::time::Duration;

use crate::error::Error;

/// The least time between the starts of two fetches of one key.
pub(crate) const FETCH_SPACING: Duration = Duration::from_secs(1);
/// The least time between two renewals of one key that were forced by a refusal.
pub(crate) const REFUSAL_SPACING: Duration = Duration::from_secs(10);
/// How long a failure is remembered that another attempt would not change.
pub(crate) const LASTING_FAILURE: Duration = Duration::from_secs(10);
/// How long a first transient failure is remembered; the time doubles up to
/// [`TRANSIENT_FAILURE_MOST`].
const TRANSIENT_FAILURE: Duration = Duration::from_secs(1);
const TRANSIENT_FAILURE_MOST: Duration = Duration::from_secs(30);
/// The longest `Retry-After` that is waited for inside a call.
const RETRY_AFTER_INSIDE: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is remembered.
const RETRY_AFTER_MOST: Duration = Duration::from_secs(3600);
/// The first retry waits a random part of this; it doubles up to [`RETRY_MOST`].
const RETRY_BASE: Duration = Duration::from_millis(250);
const RETRY_MOST: Duration = Duration::from_secs(5);

/// Returns how long a failed fetch is remembered, or longer if the server sent `Retry-After`.
/// `streak` is the number of failures in a row, this one included.
pub(crate) fn failure_pause(error: &Error, streak: u32) -> Duration {
    let own = if error.is_retryable() {
        doubled(TRANSIENT_FAILURE, streak.saturating_sub(1), TRANSIENT_FAILURE_MOST)
    } else {
        LASTING_FAILURE
    };
    own.max(error.retry_after().unwrap_or_default().min(RETRY_AFTER_MOST))
}

/// Returns the pause before retry number `retry` (from 0) of a token request within one call;
/// `None` if the call should give up. The pause is that of `Retry-After`, or else random (full
/// jitter); `random` is from 0 to 1.
pub(crate) fn retry_pause(error: &Error, retry: u32, random: f64) -> Option<Duration> {
    match error.retry_after() {
        _ if !error.is_retryable() => None,
        Some(asked) if asked > RETRY_AFTER_INSIDE => None,
        Some(asked) => Some(asked),
        None => Some(doubled(RETRY_BASE, retry, RETRY_MOST).mul_f64(random.clamp(0.0, 1.0))),
    }
}

/// Returns `base`, doubled so many times, but at most `most`.
pub(crate) fn doubled(base: Duration, times: u32, most: Duration) -> Duration {
    base.checked_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).map_or(most, |pause| pause.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer of the token endpoint with this status and `Retry-After`.
    fn answer(status: u16, retry_after: Option<Duration>) -> Error {
        Error::Denied(std::sync::Arc::new(crate::error::Denied {
            endpoint: String::new(),
            status,
            code: None,
            description: None,
            uri: None,
            retry_after,
            retryable: status == 503,
            excerpt: None,
            hints: crate::error::Hints::default(),
        }))
    }

    fn remembered(status: u16, retry_after: Option<Duration>, streak: u32) -> u64 {
        failure_pause(&answer(status, retry_after), streak).as_secs()
    }

    #[test]
    fn transient_failures_are_remembered_for_1_s_doubling_to_30_s() {
        let pauses: Vec<u64> = (1..=8).map(|streak| remembered(503, None, streak)).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(remembered(503, None, u32::MAX), 30);
    }

    #[test]
    fn lasting_failures_are_remembered_for_10_s_and_retry_after_up_to_an_hour() {
        assert_eq!(remembered(401, None, 5), 10);
        assert_eq!(remembered(503, Some(Duration::from_secs(60)), 1), 60);
        assert_eq!(remembered(503, Some(Duration::MAX), 1), 3600);
    }

    #[test]
    fn retries_back_off_with_full_jitter_and_heed_a_short_retry_after() {
        let pause = |retry, after: Option<u64>, random| {
            retry_pause(&answer(503, after.map(Duration::from_secs)), retry, random)
        };
        let most: Vec<u128> = (0..6).map(|n| pause(n, None, 1.0).expect("a pause").as_millis()).collect();
        assert_eq!(most, [250, 500, 1000, 2000, 4000, 5000]);
        assert_eq!(pause(3, None, 0.0), Some(Duration::ZERO));
        assert_eq!(pause(0, Some(5), 0.3), Some(Duration::from_secs(5)));
        assert_eq!(pause(0, Some(6), 0.3), None);
    }

    #[test]
    fn a_refusal_is_not_retried() {
        assert_eq!(retry_pause(&answer(401, None), 0, 1.0), None);
    }

    #[test]
    fn d35_what_is_retried_is_what_says_that_it_may_succeed_later() {
        use crate::error::{BoxError, Failed, TransportError, TransportErrorKind as Kind};

        let failed = |kind| TransportError::new(kind, "no").into_error("auth.example.com", true, "");
        let unread = Error::credentials(Failed::IdAndSecret, BoxError::from("sealed"));
        let errors = [Kind::Connect, Kind::Closed, Kind::Timeout, Kind::Tls, Kind::BodyTooLarge, Kind::Other]
            .map(failed)
            .into_iter()
            .chain([answer(401, None), answer(503, None), Error::configuration("no")])
            .chain([unread]);
        let mut retried = 0;
        for error in errors {
            assert_eq!(retry_pause(&error, 0, 1.0).is_some(), error.is_retryable(), "{error}");
            retried += u32::from(error.is_retryable());
        }
        assert_eq!(retried, 5);
    }
}
