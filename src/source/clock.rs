//! The only place where time is read and slept away. Imports `moment`.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::moment::Moment;

/// Where a token source reads the time, and how it pauses.
///
/// [`SystemClock`] unless a test wants another one: `test_util::ManualClock` is set by hand and sleeps by moving on.
///
/// ```
/// use client_credentials::{Clock, SystemClock};
///
/// let now = SystemClock.now();
/// SystemClock.sleep(std::time::Duration::from_millis(1));
/// assert!(SystemClock.now().since(&now).as_millis() >= 1);
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Reads both clocks.
    fn now(&self) -> Moment;

    /// Reads the monotonic clock alone, which is all that most calls need.
    fn monotonic(&self) -> Instant {
        self.now().monotonic
    }

    /// Returns after `pause`.
    fn sleep(&self, pause: Duration);
}

/// The clocks of this machine. See the example of [`Clock`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "every other module gets the time from here")]
impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, pause: Duration) {
        thread::sleep(pause);
    }
}
