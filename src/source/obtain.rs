//! A fetch of a source with a store: looks whether another process has fetched a token, and fetches for
//! all of them if not. Imports `backoff`, `caller`, `clock`, `desk`, `encode`, `error`, `fetch`, `plan`,
//! `random`, `schedule`, `source`, `store`, `token`, `token_cache`.
//!
//! ```text
//!  look ── usable ────────────────────────────────────────────▶ use it
//!   │ ── a failure that is remembered ────────────────────────▶ fail
//!   ▼
//!  claim ── got it ── look again ── fetch ── save ── release ─▶ use it, or fail
//!   │ ── busy, and a token that is due but valid is here ─────▶ use that
//!   ▼
//!  sleep, look, claim ... for a third of the time; then one of those who wait fetches as the stand-in
//!  of a holder that does not come back; after two thirds, each for himself
//! ```
//!
//! If the store fails anywhere, the token is fetched as if there were none.

mod entries;

use std::hash::{Hash as _, Hasher};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::clock::{Deadline, Moment};
use crate::protocol::encode::Prepared;
use crate::protocol::token::AccessToken;
use crate::random::random;
use crate::renewal::backoff::doubled;
use crate::renewal::caller::{Kept, KeptFor, Outcome, share};
use crate::renewal::schedule::{Jitter, Renewal, Schedule};
use crate::source::desk::{Desk, Rest};
use crate::source::obtain::entries::Noted;
use crate::source::plan::{Failed, Plan, SHARE, Told};
use crate::source::token_cache::jitter;
use crate::source::{Obtain, Obtained, TokenSource};
use crate::store::key::Of;
use crate::store::{Claim, Stamp, StoreError, StoreKey, TokenStore};

/// How long a claim lasts at most in a store that does not notice the end of its clients.
const LEASE: Duration = Duration::from_secs(5);
/// How long a store may take for a look and a claim, or to save. With a usable token that is lost time, so
/// it is at most this part of what the caller has.
const STORE_TIME: Duration = Duration::from_millis(500);
const STORE_SHARE: u32 = 50;
/// The longest of the three parts of a wait for another process.
const LONGEST_THIRD: Duration = Duration::from_secs(10);
/// The first pause of a process that waits for another. It doubles, with full jitter.
const POLL: Duration = Duration::from_millis(4);
/// The longest pause if a question costs next to nothing.
const POLL_MOST_HERE: Duration = Duration::from_millis(40);
const POLL_MOST: Duration = Duration::from_millis(250);
/// The longest pause after [`LONG_WAIT`].
const POLL_MOST_LATER: Duration = Duration::from_secs(1);
const LONG_WAIT: Duration = Duration::from_secs(2);
/// A claim writes, so it is tried only with every fourth question.
const CLAIM_EVERY: u32 = 4;

/// A store, and the names of one token request in it.
pub(super) struct Shared {
    store: Arc<dyn TokenStore>,
    token: StoreKey,
    failure: StoreKey,
    stand_in: StoreKey,
    name_key: Zeroizing<Vec<u8>>,
    may_hang: bool,
    rest: Arc<Rest>,
}

impl Shared {
    pub(super) fn new(store: Arc<dyn TokenStore>, request: &[u8]) -> Self {
        let name_key = Zeroizing::new(store.name_key().to_vec());
        let [token, failure, stand_in] =
            [Of::Token, Of::Failure, Of::StandIn].map(|of| StoreKey::new(&name_key, request, of));
        let may_hang = store.may_hang();
        Self { store, token, failure, stand_in, name_key, may_hang, rest: Arc::default() }
    }
}

impl Obtain for Shared {
    fn obtain(&self, source: &TokenSource, plan: &Plan, events: &mut Vec<Told>) -> Obtained {
        let from = source.0.clock.now();
        if self.rest.is_on(from.monotonic()) {
            return source.fetch_alone(plan, events);
        }
        let desk = Desk::new(&self.store, self.may_hang, &self.rest, &*source.0.clock);
        let visit = Visit {
            shared: self,
            source,
            plan,
            desk,
            from,
            events,
            claim: None,
            kept: None,
            token_stamp: Stamp::default(),
            note_stamp: Stamp::default(),
            is_broken: false,
            has_waited: false,
        };
        visit.run()
    }

    fn proof(&self, prepared: &Prepared) -> String {
        let mut bytes = Bytes::default();
        prepared.hash(&mut bytes);
        StoreKey::new(&self.name_key, &bytes.0, Of::Failure).to_string()
    }
}

/// Collects what is hashed.
#[derive(Default)]
struct Bytes(Zeroizing<Vec<u8>>);

impl Hasher for Bytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// One fetch that asks the store.
struct Visit<'a> {
    shared: &'a Shared,
    source: &'a TokenSource,
    plan: &'a Plan,
    desk: Desk<'a>,
    from: Moment,
    events: &'a mut Vec<Told>,
    /// The right to fetch, if this process has it.
    claim: Option<Claim>,
    /// A token of the store that is due, but can be used for a while.
    kept: Option<Kept>,
    /// The stamp of what is there, which the next entry follows.
    token_stamp: Stamp,
    /// That of the failure that was noted last, even if it is over.
    note_stamp: Stamp,
    /// Whether the store has failed.
    is_broken: bool,
    /// Whether it has waited for another process.
    has_waited: bool,
}

/// What is in the store, or what this process must do.
enum Found {
    /// A token that needs no renewal.
    Token(Kept),
    Failure(Noted),
    /// Another process renews the token, and this one is good enough until then.
    Elsewhere(AccessToken),
    /// Fetch a token.
    Nothing,
}

/// Gives the claim back, even if a closure or the transport panics.
impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let left = self.store_time();
        self.desk.allow(left);
        self.desk.release(self.claim.take());
    }
}

impl Visit<'_> {
    fn run(mut self) -> Obtained {
        let found = self.find().unwrap_or_else(|error| {
            self.fails(error);
            Found::Nothing
        });
        let obtained = match found {
            Found::Token(kept) => {
                let token = kept.token.clone();
                (Outcome::Kept(Some(kept), KeptFor::Use), Ok(token))
            }
            Found::Elsewhere(token) => {
                // What is cached is at least as good.
                let kept = self.kept.take().filter(|_| self.plan.usable.is_none());
                (Outcome::Kept(kept, KeptFor::Elsewhere), Ok(token))
            }
            Found::Failure(Noted { error, pause, refused }) => {
                self.events.push(Told::RememberedFailure(error.clone()));
                let result = self.kept.as_ref().map(|kept| kept.token.clone()).ok_or_else(|| error.clone());
                (Outcome::Kept(self.kept.take(), KeptFor::Noted { error, pause, refused }), result)
            }
            Found::Nothing => self.fetch(),
        };
        if !self.is_broken {
            self.shared.rest.end();
        }
        obtained
    }

    /// Looks, and waits, until there is something to use or to do.
    fn find(&mut self) -> Result<Found, StoreError> {
        let third = (self.plan.deadline.left(self.from.monotonic()) / 3).min(LONGEST_THIRD);
        let mut polls = 0;
        loop {
            self.desk.allow(self.store_time());
            if let Some(kept) = self.look()? {
                return Ok(self.loaded(kept));
            }
            let waited = self.waited();
            if polls % CLAIM_EVERY == 0 || !self.desk.may_hang() {
                if let Some(error) = self.noted()? {
                    return Ok(Found::Failure(error));
                }
                self.claim = self.desk.claim(self.shared.token, LEASE)?;
                let usable = self.plan.usable.as_ref().map(|usable| &usable.token);
                let good = usable.or(self.kept.as_ref().map(|kept| &kept.token));
                match (&self.claim, good) {
                    (None, Some(token)) => return Ok(Found::Elsewhere(token.clone())),
                    (None, None) if waited >= third => {
                        self.claim = self.desk.claim(self.shared.stand_in, LEASE)?;
                    }
                    _ => {}
                }
                if self.claim.is_some() {
                    return self.look_again();
                }
            }
            if waited >= third * 2 {
                return Ok(Found::Nothing);
            }
            self.has_waited = true;
            let border = if waited < third { third } else { third * 2 };
            self.source.0.clock.sleep(self.pause(polls, waited).min(border - waited));
            polls += 1;
        }
    }

    /// Somebody may have fetched, and given the claim back, since the last look.
    fn look_again(&mut self) -> Result<Found, StoreError> {
        self.desk.allow(self.store_time());
        if let Some(kept) = self.look()? {
            return Ok(self.loaded(kept));
        }
        Ok(self.noted()?.map_or(Found::Nothing, Found::Failure))
    }

    fn loaded(&mut self, kept: Kept) -> Found {
        if self.has_waited {
            self.events.push(Told::Waited(self.waited()));
        }
        self.events.push(Told::Loaded { age: kept.token.age(&self.source.0.clock.now()) });
        Found::Token(kept)
    }

    /// Fetches a token and saves what comes of it. With a token that can be used for a while, it gets no
    /// more time than any other renewal.
    fn fetch(&mut self) -> Obtained {
        let mut plan = self.plan.clone();
        if let (Some(kept), None) = (&self.kept, &plan.usable) {
            let now = self.source.0.clock.now();
            let expired = self.schedule_of(kept).expired;
            let left = expired.saturating_sub(kept.token.age(&now));
            let share = share(plan.deadline.left(now.monotonic()), left);
            let deadline = Deadline::after(now.monotonic(), share, SHARE);
            plan = Plan { retries: 0, deadline, given: Some(share), ..plan };
        }
        match self.source.fetch(&plan, self.events) {
            Ok(token) if self.is_broken => (Outcome::Fetched(token.clone()), Ok(token)),
            Ok(token) => {
                let kept = self.scheduled(token.clone());
                self.save_token(&kept);
                (Outcome::Kept(Some(kept), KeptFor::Use), Ok(token))
            }
            Err(failed) => {
                self.save_note(&failed);
                self.spare(failed, &plan)
            }
        }
    }

    /// Decides when the processes renew a token that this one has fetched: on schedule if the one before it
    /// was due and still valid, and no failure was noted since it was requested.
    fn scheduled(&self, token: AccessToken) -> Kept {
        let follows = self.kept.is_some() || self.plan.usable.is_some();
        let has_failed = self.note_stamp > self.token_stamp;
        let renewal = if follows && !has_failed { Renewal::OnSchedule } else { Renewal::Spread };
        let due = self.schedule(&token, renewal, jitter()).renew;
        Kept { token, due }
    }

    /// Serves the token that is due but valid, if there is one, in place of an error.
    fn spare(&mut self, failed: Failed, plan: &Plan) -> Obtained {
        let Some(kept) = self.kept.take().filter(|_| plan.usable.is_none()) else { return failed.outcome(plan) };
        let (token, given) = (kept.token.clone(), failed.given(plan));
        let Failed { error, refused, .. } = failed;
        self.events.push(Told::RenewalFailed(error.clone()));
        (Outcome::Kept(Some(kept), KeptFor::Failure { error, given, refused }), Ok(token))
    }

    /// Returns the schedule of a token in the store, by the settings of this source.
    fn schedule_of(&self, kept: &Kept) -> Schedule {
        self.schedule(&kept.token, Renewal::At(kept.due), Jitter::default())
    }

    fn schedule(&self, token: &AccessToken, renewal: Renewal, jitter: Jitter) -> Schedule {
        Schedule::new(token.expires_in(), renewal, jitter, &self.source.0.settings)
    }

    fn waited(&self) -> Duration {
        self.source.0.clock.monotonic().saturating_duration_since(self.from.monotonic())
    }

    fn store_time(&self) -> Duration {
        let is_good = self.kept.is_some() || self.plan.usable.is_some();
        let most = if is_good { self.plan.budget / STORE_SHARE } else { self.plan.budget };
        STORE_TIME.min(most).min(self.plan.deadline.left(self.source.0.clock.monotonic()))
    }

    fn pause(&self, polls: u32, waited: Duration) -> Duration {
        let most = match waited {
            _ if !self.desk.may_hang() => POLL_MOST_HERE,
            _ if waited >= LONG_WAIT => POLL_MOST_LATER,
            _ => POLL_MOST,
        };
        doubled(POLL, polls, most).mul_f64(random())
    }
}
