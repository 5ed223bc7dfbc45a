//! `RedisStore` with a real redis-server, and with servers that misbehave.

mod basics;
mod faults;
mod outages;
mod rights;
mod sealing;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "rustls")]
mod tls;
