//! A clock set by hand.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::lock;
use crate::moment::Moment;
use crate::source::clock::{Clock, SystemClock};

/// A clock that moves only when it is told to, or slept on. Clones are the same clock.
///
/// See the example of the [module](super).
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Moment>>);

impl ManualClock {
    /// A clock that shows the present.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemClock.now())))
    }

    /// Time passes.
    pub fn advance(&self, by: Duration) {
        let mut now = lock(&self.0);
        *now = now.later(by);
    }

    /// The machine is suspended: the wall clock moves on, the monotonic one stands still.
    pub fn suspend(&self, for_: Duration) {
        lock(&self.0).wall += for_;
    }

    /// Somebody sets the wall clock.
    pub fn set_wall(&self, wall: SystemTime) {
        lock(&self.0).wall = wall;
    }

    /// Time passes on the monotonic clock only.
    pub fn advance_monotonic(&self, by: Duration) {
        lock(&self.0).monotonic += by;
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        *lock(&self.0)
    }

    fn sleep(&self, pause: Duration) {
        self.advance(pause);
    }
}
