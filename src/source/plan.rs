//! What a fetch is given, and what it brings: a plan, a failure, and the events that are told when it is
//! finished. Imports `caller`, `clock`, `error`, `event`, `random`, `store`, `token`.

use std::time::Duration;

use crate::clock::Deadline;
use crate::error::Error;
use crate::event::{EventKind, Reason};
use crate::protocol::token::AccessToken;
use crate::random::Fingerprint;
use crate::renewal::caller::{Outcome, Usable};
#[cfg(feature = "store")]
use crate::store::StoreError;

/// The setting of the source's own time limit.
pub(super) const OWN_LIMIT: &str = "TokenSourceBuilder::timeout";
/// The setting that makes a renewal last longer than the share of a caller.
pub(super) const SHARE: &str = "TokenSourceBuilder::renew_in_background";

/// How to fetch.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) reason: Reason,
    pub(super) retries: u32,
    pub(super) deadline: Deadline,
    /// The time of the caller, of which a renewal has a share.
    #[cfg_attr(not(feature = "store"), expect(dead_code, reason = "a part of it is for the store"))]
    pub(super) budget: Duration,
    /// The time that the fetch has, if a caller with more of it is to try again when it runs out.
    pub(super) given: Option<Duration>,
    /// The token that is used if there is no other.
    #[cfg_attr(not(feature = "store"), expect(dead_code, reason = "only a store changes what is done then"))]
    pub(super) usable: Option<Usable>,
}

/// Why there is no token.
pub(super) struct Failed {
    pub(super) error: Error,
    /// What was refused, if a closure may return something else by now.
    pub(super) refused: Option<Fingerprint>,
    /// The same for other processes.
    #[cfg(feature = "store")]
    pub(super) proof: Option<String>,
}

impl Failed {
    pub(super) fn new(error: Error) -> Self {
        Self {
            error,
            refused: None,
            #[cfg(feature = "store")]
            proof: None,
        }
    }

    /// Returns the time that the fetch had, if it ran out.
    pub(super) fn given(&self, plan: &Plan) -> Option<Duration> {
        plan.given.filter(|_| self.error.is_limited_by(plan.deadline.setting))
    }

    pub(super) fn outcome(self, plan: &Plan) -> (Outcome, Result<AccessToken, Error>) {
        let given = self.given(plan);
        let Self { error, refused, .. } = self;
        (Outcome::Failed { error: error.clone(), given, refused }, Err(error))
    }
}

/// An event of a fetch, kept until it is finished: a hook that is slow or panics must cost nobody
/// else anything.
pub(super) enum Told {
    Requested {
        reason: Reason,
        retry: u32,
    },
    Answered {
        duration: Duration,
        status: Option<u16>,
        error: Option<Error>,
    },
    NotSent(Error),
    LifetimeIgnored {
        found: &'static str,
    },
    ClockCorrected {
        offset: i64,
    },
    #[cfg(feature = "store")]
    Waited(Duration),
    #[cfg(feature = "store")]
    Loaded {
        age: Duration,
    },
    #[cfg(feature = "store")]
    StoreFailed(StoreError),
    #[cfg(feature = "store")]
    RememberedFailure(Error),
    #[cfg(feature = "store")]
    RenewalFailed(Error),
}

impl Told {
    pub(super) fn kind(&self) -> EventKind<'_> {
        match self {
            Self::Requested { reason, retry } => EventKind::Requested { reason: *reason, retry: *retry },
            Self::Answered { duration, status, error } => {
                EventKind::Answered { duration: *duration, status: *status, error: error.as_ref() }
            }
            Self::NotSent(error) => EventKind::NotSent { error },
            Self::LifetimeIgnored { found } => EventKind::LifetimeIgnored { found },
            Self::ClockCorrected { offset } => EventKind::ClockCorrected { offset: *offset },
            #[cfg(feature = "store")]
            Self::Waited(duration) => EventKind::Waited { duration: *duration },
            #[cfg(feature = "store")]
            Self::Loaded { age } => EventKind::Loaded { age: *age },
            #[cfg(feature = "store")]
            Self::StoreFailed(error) => EventKind::StoreFailed { error },
            #[cfg(feature = "store")]
            Self::RememberedFailure(error) => EventKind::RememberedFailure { error },
            #[cfg(feature = "store")]
            Self::RenewalFailed(error) => EventKind::RenewalFailed { error },
        }
    }
}
