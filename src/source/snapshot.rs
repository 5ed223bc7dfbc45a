//! What a source knows about its token, without any secret, for support. Imports `clock`,
//! `error`, `settings`, `slot`.

use std::time::Duration;

use crate::clock::Moment;
use crate::error::Error;
use crate::renewal::settings::Settings;
use crate::renewal::slot::Slot;

/// What a token source knows at one moment, for health pages and support. Contains no secret.
///
/// Sources that share a token in a [`TokenCache`](crate::TokenCache) have the same values here,
/// except for [`origins_not_allowed`](Self::origins_not_allowed).
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.token("t", 3600);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
/// source.token()?;
/// let snapshot = source.inspect();
/// assert_eq!(snapshot.expires_in, Some(std::time::Duration::from_secs(3600)));
/// assert_eq!((snapshot.fetches, snapshot.failures), (1, 0));
/// assert!(snapshot.last_error.is_none());
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// Whether a token is cached that may still be sent.
    pub has_token: bool,
    /// How long the cached token may still be sent; `None` if there is no token, or if it never
    /// expires.
    pub expires_in: Option<Duration>,
    /// How long until one caller renews the token; `None` if there is no token, or if it never
    /// expires.
    pub renews_in: Option<Duration>,
    /// The last failure of a token request, even if a later one succeeded.
    pub last_error: Option<Error>,
    /// The number of fetches started, each of one or more token requests.
    pub fetches: u64,
    /// The number of fetches that brought no token.
    pub failures: u64,
    /// The number of times that a caller waited for the fetch of another.
    pub waits: u64,
    /// The number of reported 401 answers of APIs.
    pub refusals: u64,
    /// Origins (at most 16) that answered 401 to requests that went out without a token, because
    /// these origins are not allowed to receive it. If one of them is the API, name it with
    /// [`TokenRequest::allow_origin`](crate::TokenRequest::allow_origin).
    pub origins_not_allowed: Vec<String>,
}

impl Snapshot {
    pub(super) fn new(slot: &Slot, settings: &Settings, now: Moment, origins_not_allowed: Vec<String>) -> Self {
        let held = slot.held(settings).map(|(token, schedule)| (token.age(&now), schedule));
        let until = |at: Duration, age: Duration| (at != Duration::MAX).then(|| at.saturating_sub(age));
        Self {
            has_token: held.is_some_and(|(age, schedule)| age < schedule.expired),
            expires_in: held.and_then(|(age, schedule)| until(schedule.expired, age)),
            renews_in: held.and_then(|(age, schedule)| until(schedule.renew, age)),
            last_error: slot.last_error().cloned(),
            fetches: slot.counts.fetches,
            failures: slot.counts.failures,
            waits: slot.counts.waits,
            refusals: slot.counts.refusals,
            origins_not_allowed,
        }
    }
}
