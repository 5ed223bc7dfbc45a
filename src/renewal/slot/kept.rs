//! What a store adds to a slot: tokens that other processes use, too. Imports `caller`, `clock`,
//! `event`, `failure`, `schedule`, `token`.

use super::{Cached, Ended, Slot};
use crate::clock::Moment;
use crate::event::Reason;
use crate::protocol::token::AccessToken;
use crate::renewal::caller::{FetchId, Kept, KeptFor};
use crate::renewal::failure::Failure;
use crate::renewal::schedule::Renewal;

impl Slot {
    /// Ends a fetch of a source with a store.
    pub(super) fn keep(&mut self, kept: Option<Kept>, why: KeptFor, fetch: FetchId, now: Moment) {
        let fetched =
            |kept: Option<&Kept>| kept.map_or(Ended::NoResult, |kept| Ended::Fetched(fetch, kept.token.clone()));
        self.ended = match why {
            KeptFor::Use => {
                if let Some(failure) = &mut self.failure {
                    failure.is_over();
                }
                fetched(kept.as_ref())
            }
            KeptFor::Elsewhere => Ended::NoResult,
            KeptFor::Failure { error, given, refused } => {
                self.fails(error, given, refused, now);
                fetched(kept.as_ref())
            }
            KeptFor::Noted { error, pause, refused } => {
                self.counts.failures += 1;
                let failure = Failure::noted(self.failure.as_deref(), error, pause, refused, now);
                self.failure = Some(Box::new(failure));
                kept.as_ref().map_or(Ended::Failed(fetch), |kept| Ended::Fetched(fetch, kept.token.clone()))
            }
        };
        if let Some(Kept { token, due }) = kept {
            let accepted = match &self.token {
                Cached::Held { token: held, accepted, .. } => *accepted && held.is_same(&token),
                Cached::Missing(_) => false,
            };
            self.token = Cached::Held { token, renewal: Renewal::At(due), fetch, accepted };
        }
    }

    /// Returns the token whose refusal is the reason for the fetch under way, and whether it had been
    /// accepted before.
    pub(crate) fn refused(&self) -> Option<(AccessToken, bool)> {
        let last = self.last_refusal.as_ref().filter(|_| matches!(self.token, Cached::Missing(Reason::Refused)))?;
        Some((last.token.clone(), last.accepted))
    }
}
