//! A clock set by hand. Imports `clock`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::lock;
#[cfg(feature = "store")]
use crate::clock::Uptime;
use crate::clock::{Clock, Moment, SystemClock};

/// A clock that advances only when it is told to, or when `sleep` is called. Clones are the same
/// clock.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use client_credentials::Clock;
/// use client_credentials::test_util::ManualClock;
///
/// let clock = ManualClock::new();
/// let start = clock.now();
/// clock.advance(Duration::from_secs(3600));
/// clock.sleep(Duration::from_secs(60)); // takes no time
/// assert_eq!(clock.now().since(&start), Duration::from_secs(3660));
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Hands>>);

#[derive(Debug)]
struct Hands {
    now: Moment,
    /// How far each look moves them.
    tick: Duration,
    #[cfg(feature = "store")]
    uptime: Uptime,
}

impl Hands {
    /// Advances the clock that all processes of a machine share.
    fn run(&mut self, by: Duration) {
        #[cfg(feature = "store")]
        {
            self.uptime = Uptime::new(self.uptime.boot_id(), self.uptime.time().saturating_add(by));
        }
        #[cfg(not(feature = "store"))]
        let _ = by;
    }
}

/// A machine that has just been started.
#[cfg(feature = "store")]
fn started() -> Uptime {
    Uptime::new(format!("{:x?}", crate::random::random_bytes()), Duration::ZERO)
}

impl ManualClock {
    /// Makes a clock that shows the present time and does not advance.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use client_credentials::Clock;
    /// # use client_credentials::test_util::ManualClock;
    /// let clock = ManualClock::new();
    /// assert_eq!(clock.now(), clock.clone().now());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Hands {
            now: SystemClock.now(),
            tick: Duration::ZERO,
            #[cfg(feature = "store")]
            uptime: started(),
        })))
    }

    /// Moves both clocks ahead by this much at each look. Default: they stand still, as no real clock
    /// does.
    ///
    /// A program that compares two looks at the same clock may pass all its tests with a clock that
    /// stands still; a nanosecond is enough to find out.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use client_credentials::Clock;
    /// use client_credentials::test_util::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// clock.tick(Duration::from_nanos(1));
    /// assert!(clock.now().monotonic() < clock.now().monotonic());
    /// ```
    pub fn tick(&self, by: Duration) {
        lock(&self.0).tick = by;
    }

    /// Advances both clocks, the monotonic clock and the wall clock.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # use std::time::Duration;
    /// # let script = Script::new();
    /// # script.token("one", 60); script.token("two", 60);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// assert_eq!(source.token()?.secret(), "one");
    /// script.clock().advance(Duration::from_secs(60));
    /// assert_eq!(source.token()?.secret(), "two");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn advance(&self, by: Duration) {
        let mut hands = lock(&self.0);
        hands.now = hands.now.later(by);
        hands.run(by);
    }

    /// Simulates a suspended machine: the wall clock advances, and the monotonic clock does not.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use client_credentials::Clock;
    /// # use client_credentials::test_util::ManualClock;
    /// let clock = ManualClock::new();
    /// let start = clock.now();
    /// clock.suspend(Duration::from_secs(7200));
    /// assert_eq!(clock.now().monotonic(), start.monotonic());
    /// assert_eq!(clock.now().since(&start), Duration::from_secs(7200));
    /// ```
    pub fn suspend(&self, for_: Duration) {
        let mut hands = lock(&self.0);
        hands.now = Moment::new(hands.now.monotonic(), hands.now.wall() + for_);
        hands.run(for_);
    }

    /// Simulates a start of the machine: another [`boot_id`](crate::Uptime::boot_id), and an uptime of
    /// zero. The other clocks do not change.
    ///
    /// ```
    /// # use client_credentials::Clock;
    /// # use client_credentials::test_util::ManualClock;
    /// let clock = ManualClock::new();
    /// let before = clock.uptime().expect("an uptime");
    /// clock.reboot();
    /// assert_ne!(clock.uptime().expect("an uptime").boot_id(), before.boot_id());
    /// ```
    #[cfg(feature = "store")]
    pub fn reboot(&self) {
        lock(&self.0).uptime = started();
    }

    /// Sets the wall clock. The monotonic clock does not change.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use client_credentials::Clock;
    /// # use client_credentials::test_util::ManualClock;
    /// let clock = ManualClock::new();
    /// let start = clock.now();
    /// clock.set_wall(SystemTime::UNIX_EPOCH); // the battery was empty
    /// assert_eq!(clock.now().since(&start), Duration::ZERO);
    /// ```
    pub fn set_wall(&self, wall: SystemTime) {
        let now = &mut lock(&self.0).now;
        *now = Moment::new(now.monotonic(), wall);
    }

    /// Advances the monotonic clock only.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use client_credentials::Clock;
    /// # use client_credentials::test_util::ManualClock;
    /// let clock = ManualClock::new();
    /// let start = clock.now();
    /// clock.advance_monotonic(Duration::from_secs(5));
    /// assert_eq!(clock.now().wall(), start.wall());
    /// assert_eq!(clock.now().since(&start), Duration::from_secs(5));
    /// ```
    pub fn advance_monotonic(&self, by: Duration) {
        let mut hands = lock(&self.0);
        hands.now = Moment::new(hands.now.monotonic() + by, hands.now.wall());
        hands.run(by);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        let mut hands = lock(&self.0);
        let (now, tick) = (hands.now, hands.tick);
        hands.now = now.later(tick);
        hands.run(tick);
        now
    }

    fn sleep(&self, pause: Duration) {
        self.advance(pause);
    }

    #[cfg(feature = "store")]
    fn uptime(&self) -> Option<Uptime> {
        Some(lock(&self.0).uptime.clone())
    }
}
