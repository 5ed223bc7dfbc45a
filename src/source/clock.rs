//! The only place where time is read and slept away. Imports `moment`.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::moment::Moment;

/// Where a token source reads the time, and how it pauses.
///
/// [`SystemClock`] unless a test wants another one: `test_util::ManualClock` is set by hand and sleeps by moving on.
///
/// # Examples
///
/// A clock that says when it pauses:
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
/// let source = TokenSource::builder(credentials, request, transport).clock(Talking).build()?;
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

    /// Reads the monotonic clock alone, which is all that most calls need. Default: that of [`now`](Self::now).
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock};
    /// let first = SystemClock.monotonic();
    /// assert!(SystemClock.monotonic() >= first);
    /// ```
    fn monotonic(&self) -> Instant {
        self.now().monotonic
    }

    /// Returns after `pause`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Clock, SystemClock};
    /// let began = SystemClock.now();
    /// SystemClock.sleep(Duration::from_millis(2));
    /// assert!(SystemClock.now().since(&began) >= Duration::from_millis(2));
    /// ```
    fn sleep(&self, pause: Duration);
}

/// The clocks of this machine.
///
/// # Examples
///
/// ```
/// use client_credentials::{Clock, SystemClock, TokenRequest};
///
/// // The moment that `decode` wants.
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
        Moment { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, pause: Duration) {
        thread::sleep(pause);
    }
}
