//! What a fetch reads in the store, and what it writes there. Imports `backoff`, `caller`, `error`, `event`,
//! `obtain`, `plan`, `schedule`, `slot`, `source`, `store`.

use std::time::Duration;

use zeroize::Zeroizing;

use super::Visit;
use crate::error::Error;
use crate::event::Reason;
use crate::random::Fingerprint;
use crate::renewal::backoff::{REFUSAL_SPACING, failure_pause};
use crate::renewal::caller::Kept;
use crate::renewal::schedule::{LONGEST_LIFETIME, Phase};
use crate::renewal::slot::Slot;
use crate::source::Obtain as _;
use crate::source::plan::{Failed, Told};
use crate::store::record::{self, Clocks, Note};
use crate::store::{Stamp, StoreError, StoreKey};

/// What is kept under a name.
struct Loaded {
    bytes: Result<Zeroizing<Vec<u8>>, StoreError>,
    stamp: Stamp,
    clocks: Clocks,
}

/// A failure of another process, and for how much longer it is remembered.
pub(super) struct Noted {
    pub(super) error: Error,
    pub(super) pause: Duration,
    /// What was refused, if a closure may replace it.
    pub(super) refused: Option<Fingerprint>,
}

impl Visit<'_> {
    /// Returns the token in the store if it needs no renewal, and remembers one that does.
    pub(super) fn look(&mut self) -> Result<Option<Kept>, StoreError> {
        let loaded = self.load(self.shared.token)?;
        self.kept = None;
        let Some(Loaded { bytes, stamp, clocks }) = loaded else { return Ok(None) };
        self.token_stamp = stamp;
        let entry = match bytes {
            Ok(entry) => entry,
            Err(why) => {
                self.tell(why);
                return Ok(None);
            }
        };
        let source = &self.source.0;
        let Some(kept) = record::token(&entry, &source.request.dialect().header, &clocks) else {
            self.tell(StoreError::new(
                "an entry of the store is damaged, or was made in the future; it will be replaced",
            ));
            return Ok(None);
        };
        let age = kept.token.age(&clocks.now);
        let phase = self.schedule_of(&kept).phase(age);
        match self.plan.reason {
            _ if phase == Phase::Expired => return Ok(None),
            // Only what was requested since then is new.
            Reason::Forced if age >= self.waited() => return Ok(None),
            Reason::Refused => match source.slot.inspect(Slot::refused) {
                Some((refused, accepted)) if refused.is_same(&kept.token) => {
                    // All who share the token may refuse it at once (D34).
                    let is_handed_out_again = age < REFUSAL_SPACING && !accepted;
                    return Ok(Some(kept).filter(|_| is_handed_out_again));
                }
                _ => {}
            },
            _ => {}
        }
        if phase == Phase::Fresh {
            return Ok(Some(kept));
        }
        self.kept = Some(kept);
        Ok(None)
    }

    /// Returns the failure that another process has noted, as the error that this one would have got.
    pub(super) fn noted(&mut self) -> Result<Option<Noted>, StoreError> {
        if self.plan.reason == Reason::Forced {
            return Ok(None);
        }
        let Some(Loaded { bytes, stamp, clocks }) = self.load(self.shared.failure)? else { return Ok(None) };
        self.note_stamp = stamp;
        // One that cannot be used, or that a token has followed, says nothing.
        let bytes = bytes.ok().filter(|_| stamp >= self.token_stamp);
        let Some(note) = bytes.and_then(|entry| record::note(&entry, &clocks)) else { return Ok(None) };
        let source = self.source;
        let prepared = source.prepared(&source.new_attempt(self.plan.reason, 0));
        let is_another = |prepared| note.proof.as_ref().is_some_and(|proof| *proof != self.shared.proof(prepared));
        Ok(match &prepared {
            // The memory of a refusal does not hold for another secret (D49).
            Ok(prepared) if !is_another(prepared) => {
                let error = note.error(|answer| source.0.request.decode_sent(answer, clocks.now, Some(prepared)).err());
                let refused = note.proof.is_some().then(|| source.0.slot.fingerprint(prepared));
                error.map(|error| Noted { error, pause: note.pause, refused })
            }
            _ => None,
        })
    }

    fn load(&mut self, key: StoreKey) -> Result<Option<Loaded>, StoreError> {
        let Some(entry) = self.desk.ask(move |store| store.load(&key))? else { return Ok(None) };
        let (bytes, stamp, left) = entry.into_parts();
        Ok(Some(Loaded { bytes, stamp, clocks: self.clocks(left) }))
    }

    pub(super) fn save_token(&mut self, kept: &Kept) {
        let clocks = self.clocks(None);
        let lifetime = self.schedule_of(kept).expired.min(LONGEST_LIFETIME);
        let left = lifetime.saturating_sub(kept.token.age(&clocks.now));
        let stamp = self.token_stamp.next(record::stamp(kept.token.sent_at()));
        self.save(self.shared.token, record::of_token(kept, lifetime, &clocks), stamp, left);
    }

    pub(super) fn save_note(&mut self, failed: &Failed) {
        let clocks = self.clocks(None);
        let pause = failure_pause(&failed.error, 1);
        let note = Note::new(&failed.error, pause, failed.proof.clone()).filter(|_| !self.is_broken);
        if let Some(note) = note {
            let stamp = self.note_stamp.next(record::stamp(clocks.now));
            self.save(self.shared.failure, record::of_note(&note, &clocks), stamp, pause);
        }
    }

    fn save(&mut self, key: StoreKey, entry: Zeroizing<Vec<u8>>, stamp: Stamp, keep: Duration) {
        self.desk.allow(self.store_time());
        if let Err(error) = self.desk.ask(move |store| store.save(&key, &entry, stamp, keep)) {
            self.fails(error);
        }
    }

    pub(super) fn fails(&mut self, error: StoreError) {
        self.is_broken = true;
        self.shared.rest.begin(self.source.0.clock.monotonic());
        self.tell(error);
    }

    /// Reports it once in a visit.
    fn tell(&mut self, error: StoreError) {
        if !self.events.iter().any(|event| matches!(event, Told::StoreFailed(_))) {
            self.events.push(Told::StoreFailed(error));
        }
    }

    fn clocks(&self, left: Option<Duration>) -> Clocks {
        let clock = &self.source.0.clock;
        Clocks { now: clock.now(), uptime: clock.uptime(), left }
    }
}
