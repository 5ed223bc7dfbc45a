//! What a caller brings to a slot, what it must do next, and what it reports back. Imports `error`,
//! `event`, `random`, `token`.

use std::time::Duration;

use crate::error::Error;
use crate::event::Reason;
use crate::protocol::token::AccessToken;
use crate::random::Fingerprint;

/// The number of a fetch, unique within its slot and growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FetchId(pub(super) u64);

/// A caller that needs a token.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    /// The time it came with.
    pub(crate) budget: Duration,
    /// What is left of it.
    pub(crate) left: Duration,
    /// Only a token of a later fetch than this will do ([`renew`](crate::TokenSource::renew)).
    pub(crate) newer_than: Option<FetchId>,
}

/// What a caller must do next.
pub(crate) enum Next {
    /// Use this token. The next poll gives the same answer for this long, unless a fetch ends or
    /// the token is refused.
    Use { token: AccessToken, holds: Duration },
    /// Wait for `after`, fetch a token, and [`finish`](super::slot::Slot::finish) this fetch, which counts as
    /// started.
    Lead { fetch: FetchId, after: Duration, reason: Reason, usable: Option<Usable> },
    /// Wait for this fetch, but no longer than this.
    Follow { fetch: FetchId, longest: Duration },
    /// There is no token, and it is too soon to ask again after this error. With `ask`, first ask
    /// the closure whether this proof has been replaced, tell [`asked`](super::slot::Slot::asked),
    /// and poll again if it has.
    Fail { error: Error, ask: Option<Fingerprint> },
    /// The next fetch may not start within the caller's time.
    OutOfTime,
    /// This thread is fetching already: its transport uses the source that needs the token.
    Recursion,
}

/// A fetch to run, as the slot decided it.
#[derive(Clone, Copy)]
pub(crate) struct Lead {
    pub(crate) fetch: FetchId,
    pub(crate) after: Duration,
    pub(crate) reason: Reason,
}

/// A token that needs renewal but is still accepted for a while.
#[derive(Clone)]
pub(crate) struct Usable {
    pub(crate) token: AccessToken,
    pub(crate) left: Duration,
}

/// The longest time that a caller with a usable token gives a renewal.
const LONGEST_SHARE: Duration = Duration::from_secs(5);

/// Returns the share of a caller's time that it gives a renewal, if the old token can be used for as long
/// as `left`.
pub(crate) fn share(budget: Duration, left: Duration) -> Duration {
    LONGEST_SHARE.min(budget / 2).min(left / 2)
}

/// How a fetch ended.
pub(crate) enum Outcome {
    Fetched(AccessToken),
    /// `given` is set if the time of the fetch ran out: the time that its leader had for it. Then
    /// the fetch is handed over to a caller that came with more, if one waits.
    Failed {
        error: Error,
        given: Option<Duration>,
        /// The proof that was refused, if a closure may replace it.
        refused: Option<Fingerprint>,
    },
    /// The leader panicked. Another caller may try.
    Abandoned,
    /// A token of the store, if it has one that can be used, and why it is used.
    #[cfg(feature = "store")]
    Kept(Option<Kept>, KeptFor),
}

/// Why a token of the store is used.
#[cfg(feature = "store")]
pub(crate) enum KeptFor {
    /// It is new: this process has fetched it, or another one has.
    Use,
    /// It is due, and another process renews it.
    Elsewhere,
    /// It is due, and the fetch failed.
    Failure { error: Error, given: Option<Duration>, refused: Option<Fingerprint> },
    /// Another process has failed, and all remember it for this long.
    Noted { error: Error, pause: Duration, refused: Option<Fingerprint> },
}

/// A token that is kept in a store.
#[cfg(feature = "store")]
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) token: AccessToken,
    /// The age from which one of the processes renews it.
    pub(crate) due: Duration,
}

/// What became of a token that an API refused.
pub(crate) enum Refusal {
    /// It was dropped from the cache.
    Dropped,
    /// It was no longer cached; this is its successor.
    Superseded(AccessToken),
    /// It stays cached, because the last refusal was too recent.
    TooSoon,
}
