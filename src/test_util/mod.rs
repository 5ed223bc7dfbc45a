//! Tools for testing programs that use this crate (feature `test-util`): a scripted token
//! endpoint, a clock set by hand, and a token server on this machine.
//!
//! | | what it is | for |
//! |---|---|---|
//! | [`Script`] | a [`Transport`](crate::Transport) that answers by a script | most tests: no network, no waiting |
//! | [`ManualClock`] | a [`Clock`](crate::Clock) that is set by hand | expiry, outages, suspended machines |
//! | [`TokenServer`] | a token endpoint on this machine | requests over a real connection |
//! | [`Behaviour`] | what such a server does, good and bad | servers that hang, break off or send nonsense |
//!
//! # Examples
//!
//! ```
//! use client_credentials::test_util::Script;
//! use client_credentials::{Credentials, TokenRequest, TokenSource};
//! use std::time::Duration;
//!
//! let script = Script::new();
//! script.token("first", 3600);
//! script.token("second", 3600);
//! let request = TokenRequest::new("https://auth.example.com/token")?
//!     .audience("https://api.example.com");
//! let credentials = Credentials::new("my-client", "s3cret");
//! let source = TokenSource::builder(credentials, request)
//!     .transport(script.clone())
//!     .clock(script.clock())
//!     .build()?;
//!
//! assert_eq!(source.token()?.secret(), "first");
//! script.clock().advance(Duration::from_secs(3600));
//! assert_eq!(source.token()?.secret(), "second");
//! assert_eq!(script.requests().len(), 2);
//! # Ok::<_, client_credentials::Error>(())
//! ```

// Its parts import `clock`, `error` and `transport`, and know neither `source` nor `ureq`.

mod clock;
mod script;
mod server;
#[cfg(feature = "store")]
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::ManualClock;
pub use script::Script;
pub use server::{Behaviour, Step, TokenServer};
#[cfg(feature = "store")]
pub use store::{MemoryStore, StoreFault};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
