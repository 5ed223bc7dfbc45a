//! For tests of programs that use this crate: a token endpoint that answers by a script, and a clock set by hand.
//! Feature `test-util`. Imports `error`, `moment`, `source`, `transport`.
//!
//! ```
//! use client_credentials::test_util::Script;
//! use client_credentials::{Credentials, TokenRequest, TokenSource};
//! use std::time::Duration;
//!
//! let script = Script::new();
//! script.token("first", 3600);
//! script.token("second", 3600);
//! let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
//! let source = TokenSource::builder(Credentials::new("id", "secret"), request, script.clone())
//!     .clock(script.clock())
//!     .build()?;
//!
//! assert_eq!(source.token()?.secret(), "first");
//! script.clock().advance(Duration::from_secs(3600));
//! assert_eq!(source.token()?.secret(), "second");
//! assert_eq!(script.requests().len(), 2);
//! # Ok::<_, client_credentials::Error>(())
//! ```
//!
//! [`TokenServer`] is a token endpoint on this machine, for tests of the real way over the network, with a menu of
//! misbehaviours: see its example, and that of [`Behaviour`].

mod clock;
mod script;
mod server;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::ManualClock;
pub use script::Script;
pub use server::{Behaviour, Step, TokenServer};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
