//! Points in time, time limits, and the only place that reads the clock or sleeps. Imports
//! nothing from this crate.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// A point in time on two clocks: the monotonic clock and the wall clock.
///
/// The monotonic clock is not disturbed when the wall clock is set, and the wall clock goes on
/// while the machine sleeps. Together they tell the age of a token: see [`since`](Self::since).
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
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    /// Makes a moment from what the two clocks show, for a [`Clock`] of your own.
    ///
    /// ```
    /// use std::time::{Instant, SystemTime};
    /// use client_credentials::Moment;
    ///
    /// let now = Moment::new(Instant::now(), SystemTime::now());
    /// assert_eq!(now.since(&now), std::time::Duration::ZERO);
    /// ```
    #[must_use]
    pub fn new(monotonic: Instant, wall: SystemTime) -> Self {
        Self { monotonic, wall }
    }

    /// Returns what the monotonic clock showed. This clock never goes back, and does not advance
    /// while a Linux machine is suspended.
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock};
    /// let (before, after) = (SystemClock.now(), SystemClock.now());
    /// assert!(before.monotonic() <= after.monotonic());
    /// ```
    #[must_use]
    pub fn monotonic(&self) -> Instant {
        self.monotonic
    }

    /// Returns what the wall clock showed. This clock may jump either way.
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock};
    /// assert!(SystemClock.now().wall() > std::time::UNIX_EPOCH);
    /// ```
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        self.wall
    }

    /// Returns how long ago `earlier` was: the larger of what the two clocks say. A wall clock that
    /// moved back counts as zero, so the monotonic clock decides.
    ///
    /// ```
    /// # use std::time::{Duration, Instant, SystemTime};
    /// # use client_credentials::{Clock, Moment, SystemClock};
    /// let start = SystemClock.now();
    /// let suspended = Moment::new(start.monotonic(), start.wall() + Duration::from_secs(7200));
    /// assert_eq!(suspended.since(&start), Duration::from_secs(7200));
    /// let set_back = Moment::new(start.monotonic(), start.wall() - Duration::from_secs(3600));
    /// assert_eq!(set_back.since(&start), Duration::ZERO);
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Moment) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        monotonic.max(wall)
    }

    /// Returns this moment with the wall clock set ahead by so many seconds, or back.
    pub(crate) fn shifted(self, seconds: i32) -> Self {
        let by = Duration::from_secs(u64::from(seconds.unsigned_abs()));
        let wall = if seconds < 0 { self.wall.checked_sub(by) } else { self.wall.checked_add(by) };
        Self { wall: wall.unwrap_or(self.wall), ..self }
    }

    /// Returns this moment moved back on both clocks. A clock that cannot represent so early a time is left
    /// unchanged.
    pub(crate) fn earlier(self, by: Duration) -> Self {
        Self {
            monotonic: self.monotonic.checked_sub(by).unwrap_or(self.monotonic),
            wall: self.wall.checked_sub(by).unwrap_or(self.wall),
        }
    }

    /// Returns the same moment moved ahead on both clocks. A clock that cannot represent so late a
    /// time is left unchanged.
    pub(crate) fn later(self, by: Duration) -> Self {
        Self {
            monotonic: self.monotonic.checked_add(by).unwrap_or(self.monotonic),
            wall: self.wall.checked_add(by).unwrap_or(self.wall),
        }
    }
}

/// The end of a time limit, on the monotonic clock.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    budget: Duration,
    /// The setting that holds this limit, for the text of an error.
    pub(crate) setting: &'static str,
}

impl Deadline {
    pub(crate) fn after(now: Instant, budget: Duration, setting: &'static str) -> Self {
        // The clock may not be able to represent the end of a very long budget, so a year is the
        // most.
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        Self { at: now.checked_add(budget.min(YEAR)).unwrap_or(now), budget, setting }
    }

    /// Returns the one that ends first.
    pub(crate) fn min(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    pub(crate) fn left(self, now: Instant) -> Duration {
        self.at.saturating_duration_since(now)
    }

    /// Returns the budget as it was given, so that two looks at a moving clock do not make it
    /// smaller; once more than a tenth of it is gone, what is left of it.
    pub(crate) fn budget(self, now: Instant) -> Duration {
        let left = self.left(now);
        if left < self.budget / 10 * 9 { left } else { self.budget }
    }
}

/// How long ago this machine was started, and which start that was.
///
/// Other processes of the same machine see the same clock, and setting the wall clock does not disturb
/// it. So it tells the age of a token that another process has fetched.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use client_credentials::Uptime;
///
/// let uptime = Uptime::new("8d39f1e0-5f4c-4f3e-9d2b-0c1a7b6e5d4f", Duration::from_secs(90));
/// assert_eq!(uptime.time().as_secs(), 90);
/// ```
#[cfg(feature = "store")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uptime {
    boot_id: String,
    time: Duration,
}

#[cfg(feature = "store")]
impl Uptime {
    /// Makes an uptime for a [`Clock`] of your own. No two starts of any machine have the same `boot_id`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::Uptime;
    /// let (before, after) = (Uptime::new("1", Duration::ZERO), Uptime::new("2", Duration::ZERO));
    /// assert_ne!(before, after);
    /// ```
    #[must_use]
    pub fn new(boot_id: impl Into<String>, time: Duration) -> Self {
        Self { boot_id: boot_id.into(), time }
    }

    /// Returns what names the start of this machine.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::Uptime;
    /// assert_eq!(Uptime::new("1", Duration::ZERO).boot_id(), "1");
    /// ```
    #[must_use]
    pub fn boot_id(&self) -> &str {
        &self.boot_id
    }

    /// Returns the time since the start, time in suspension included.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::Uptime;
    /// assert_eq!(Uptime::new("1", Duration::from_secs(5)).time(), Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn time(&self) -> Duration {
        self.time
    }
}

/// Reads the time and pauses, on behalf of a token source.
///
/// A source uses [`SystemClock`] unless a test sets another one. `test_util::ManualClock` is set
/// by hand, and its `sleep` advances the time instead of waiting.
///
/// # Examples
///
/// A clock that prints its pauses:
///
/// ```
/// use std::time::Duration;
/// use client_credentials::{Clock, Moment, SystemClock};
///
/// struct Talking;
///
/// impl Clock for Talking {
///     fn now(&self) -> Moment {
///         SystemClock.now()
///     }
///
///     fn sleep(&self, pause: Duration) {
///         eprintln!("pausing for {pause:?}");
///         SystemClock.sleep(pause);
///     }
/// }
///
/// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.token("t", 3600);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let credentials = Credentials::new("my-client", "s3cret");
/// # let transport = script.clone();
/// let source = TokenSource::builder(credentials, request)
///     .transport(transport)
///     .clock(Talking)
///     .build()?;
/// # assert!(source.token().is_ok());
/// # Ok::<_, client_credentials::Error>(())
/// ```
pub trait Clock: Send + Sync + 'static {
    /// Reads both clocks.
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock};
    /// let began = SystemClock.now();
    /// // ... something that takes time ...
    /// let took = SystemClock.now().since(&began);
    /// assert!(took < std::time::Duration::from_secs(60));
    /// ```
    fn now(&self) -> Moment;

    /// Reads the monotonic clock alone, which is all that most calls need. Default: that of
    /// [`now`](Self::now).
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock};
    /// let first = SystemClock.monotonic();
    /// assert!(SystemClock.monotonic() >= first);
    /// ```
    fn monotonic(&self) -> Instant {
        self.now().monotonic()
    }

    /// Waits for `pause`, and then returns.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Clock, SystemClock};
    /// let began = SystemClock.now();
    /// SystemClock.sleep(Duration::from_millis(2));
    /// assert!(SystemClock.now().since(&began) >= Duration::from_millis(2));
    /// ```
    fn sleep(&self, pause: Duration);

    /// Reads the clock that all processes of this machine share, for the age of tokens from a
    /// [`TokenStore`](crate::TokenStore). Default: `None`; the wall clock then tells their age.
    /// [`SystemClock`] has it on Linux and Android.
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock};
    /// if let (Some(before), Some(after)) = (SystemClock.uptime(), SystemClock.uptime()) {
    ///     assert_eq!(before.boot_id(), after.boot_id());
    ///     assert!(before.time() <= after.time());
    /// }
    /// ```
    #[cfg(feature = "store")]
    fn uptime(&self) -> Option<Uptime> {
        None
    }
}

/// The clocks of this machine.
///
/// # Examples
///
/// ```
/// use client_credentials::{Clock, SystemClock, TokenRequest};
///
/// // `decode` needs the moment at which the token request was sent.
/// let sent_at = SystemClock.now();
/// # let request = TokenRequest::new("https://auth.example.com/token")?;
/// # let answer = http::Response::new(r#"{"access_token":"t"}"#);
/// let token = request.decode(&answer, sent_at)?;
/// assert_eq!(token.sent_at(), sent_at);
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[expect(clippy::disallowed_methods, reason = "every other module gets the time from here")]
impl Clock for SystemClock {
    fn now(&self) -> Moment {
        Moment::new(Instant::now(), SystemTime::now())
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, pause: Duration) {
        thread::sleep(pause);
    }

    #[cfg(all(feature = "store", any(target_os = "linux", target_os = "android")))]
    fn uptime(&self) -> Option<Uptime> {
        // Seconds and hundredths, such as `350735.47`.
        let text = short_file("/proc/uptime")?;
        let (seconds, hundredths) = text.split(' ').next()?.split_once('.')?;
        let time = Duration::from_secs(seconds.parse().ok()?);
        let time = time.checked_add(Duration::from_millis(10).checked_mul(hundredths.parse().ok()?)?)?;
        Some(Uptime::new(short_file("/proc/sys/kernel/random/boot_id")?.trim_end(), time))
    }
}

/// Reads a file of the kernel, which gives all of it at once.
#[cfg(all(feature = "store", any(target_os = "linux", target_os = "android")))]
fn short_file(path: &str) -> Option<String> {
    use std::io::Read as _;
    let mut bytes = vec![0; 64];
    let length = std::fs::File::open(path).ok()?.read(&mut bytes).ok()?;
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Moment {
        (**self).now()
    }

    fn monotonic(&self) -> Instant {
        (**self).monotonic()
    }

    fn sleep(&self, pause: Duration) {
        (**self).sleep(pause);
    }

    #[cfg(feature = "store")]
    fn uptime(&self) -> Option<Uptime> {
        (**self).uptime()
    }
}

impl<C: Clock + ?Sized> Clock for Box<C> {
    fn now(&self) -> Moment {
        (**self).now()
    }

    fn monotonic(&self) -> Instant {
        (**self).monotonic()
    }

    fn sleep(&self, pause: Duration) {
        (**self).sleep(pause);
    }

    #[cfg(feature = "store")]
    fn uptime(&self) -> Option<Uptime> {
        (**self).uptime()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_cannot_represent_a_later_time_is_left_unchanged() {
        let now = SystemClock.now();
        assert_eq!(now.later(Duration::MAX), now);
        assert_eq!(now.later(Duration::from_secs(1)).since(&now), Duration::from_secs(1));
    }
}
