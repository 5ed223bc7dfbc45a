//! Getting a token: from the cache, by fetching it, or by waiting for the caller that does.
//! Imports `caller`, `clock`, `error`, `event`, `fetch`, `random`, `shared_slot`, `thread_cache`,
//! `token`.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock::Deadline;
use crate::error::{Error, NoAnswer, TransportErrorKind};
use crate::event::{EventKind, Reason};
use crate::protocol::token::AccessToken;
use crate::random::Fingerprint;
use crate::renewal::caller::{Caller, FetchId, Lead, Next, Outcome, Usable, share};
use crate::source::plan::{OWN_LIMIT, Plan, SHARE, Told};
use crate::source::shared_slot::Waited;
use crate::source::thread_cache;
use crate::source::{Inner, Obtained, TokenSource};

impl TokenSource {
    /// Returns a valid token, within the source's own time limit and before `deadline`.
    pub(super) fn token_by(&self, deadline: Option<Deadline>) -> Result<AccessToken, Error> {
        self.recall().map_or_else(|| self.acquire(deadline, None), Ok)
    }

    /// Returns the token that this thread has cached, if any.
    pub(super) fn recall(&self) -> Option<AccessToken> {
        thread_cache::recall(self.0.id, &self.0.slot, self.0.clock.monotonic())
    }

    /// Returns a valid token from the slot, if `newer_than` is set one of a later fetch.
    #[cold]
    pub(super) fn acquire(
        &self,
        deadline: Option<Deadline>,
        newer_than: Option<FetchId>,
    ) -> Result<AccessToken, Error> {
        let (slot, settings) = (&self.0.slot, &self.0.settings);
        let mut now = self.0.clock.now();
        let own = Deadline::after(now.monotonic(), settings.timeout, OWN_LIMIT);
        let deadline = deadline.map_or(own, |deadline| deadline.min(own));
        let budget = deadline.budget(now.monotonic()).min(settings.timeout);
        let mut caller = Caller { budget, left: deadline.left(now.monotonic()), newer_than };
        loop {
            // The generation is read before the slot, so the slot's answer belongs to this
            // generation or a later one.
            let generation = slot.generation();
            let next = slot.poll(now, &caller, settings);
            let waited = match next {
                Next::Use { token, holds } => {
                    return Ok(thread_cache::remember(self.0.id, generation, token, holds, now.monotonic()));
                }
                Next::Lead { fetch, after, reason, usable } => {
                    return self.lead(&caller, deadline, Lead { fetch, after, reason }, usable);
                }
                Next::Follow { fetch, longest } => match self.follow(&caller, fetch, longest) {
                    // It started before the caller asked for a new token.
                    Waited::Ended(_) if newer_than >= Some(fetch) => Waited::NoResult,
                    waited => waited,
                },
                Next::Fail { error, ask } => {
                    if !ask.is_some_and(|refused| self.is_replaced(refused)) {
                        self.emit(EventKind::RememberedFailure { error: &error });
                        return Err(error);
                    }
                    Waited::NoResult
                }
                Next::OutOfTime => {
                    let detail = "the next token request is not due within the caller's time; try again in a second";
                    return Err(self.0.out_of_time(detail, deadline));
                }
                Next::Recursion => return Err(recursion()),
            };
            match waited {
                Waited::Inherited { fetch, reason } => {
                    let reason = if newer_than.is_some() { Reason::Forced } else { reason };
                    return self.lead(&caller, deadline, Lead { fetch, after: Duration::ZERO, reason }, None);
                }
                Waited::Ended(result) => return result,
                Waited::NoResult => {}
            }
            now = self.0.clock.now();
            caller.left = deadline.left(now.monotonic());
            if caller.left.is_zero() {
                let detail =
                    "another caller's token request or the closure for the secret took too long; try again later";
                return Err(self.0.out_of_time(detail, deadline));
            }
        }
    }

    /// Asks the closure whether it has replaced a secret that was refused. No lock is held meanwhile.
    fn is_replaced(&self, refused: Fingerprint) -> bool {
        let prepared = self.prepared(&self.new_attempt(Reason::NoToken, 0));
        let replaced = prepared.as_ref().is_ok_and(|prepared| self.is_another(prepared, refused));
        self.0.slot.asked(refused, replaced, self.0.clock.now());
        if let Err(error) = &prepared {
            self.emit(EventKind::NotSent { error });
        }
        replaced
    }

    /// Waits for the fetch of another caller.
    fn follow(&self, caller: &Caller, fetch: FetchId, longest: Duration) -> Waited {
        let from = self.0.clock.now();
        let waited = self.0.slot.wait(fetch, caller, from.monotonic(), longest, &self.0.settings);
        if let Waited::Ended(Ok(_)) = &waited {
            self.emit(EventKind::Waited { duration: self.0.clock.now().since(&from) });
        }
        waited
    }

    /// Fetches a token for all who wait, in the time of this caller; with a usable token in a share of
    /// it, or in a thread of its own.
    fn lead(
        &self,
        caller: &Caller,
        deadline: Deadline,
        lead: Lead,
        usable: Option<Usable>,
    ) -> Result<AccessToken, Error> {
        let Some(usable) = usable else {
            let hurried = caller.budget < self.0.settings.timeout;
            let limit = if hurried { Limit::Hurried(deadline, caller.budget) } else { Limit::Own };
            return self.run(lead, limit, self.0.settings.retries, None);
        };
        if self.0.renew_in_background.is_some_and(|renew| renew(self, lead, &usable)) {
            return Ok(usable.token);
        }
        let from = self.0.clock.now();
        match self.run(lead, Limit::Share(caller.budget), 0, Some(usable.clone())) {
            Err(error) if self.0.clock.now().since(&from) < usable.left => {
                self.emit(EventKind::RenewalFailed { error: &error });
                Ok(usable.token)
            }
            result => result,
        }
    }

    /// Starts a thread that fetches and ends. False if the system has none to give.
    pub(super) fn renew_in_thread(&self, lead: Lead, usable: &Usable) -> bool {
        let (source, usable) = (self.clone(), usable.clone());
        let fetch = move || {
            source.0.slot.adopt(lead.fetch);
            if let Err(error) = source.run(lead, Limit::Own, source.0.settings.retries, Some(usable)) {
                source.emit(EventKind::RenewalFailed { error: &error });
            }
        };
        thread::Builder::new().name(String::from("token renewal")).spawn(fetch).is_ok()
    }

    /// Runs a fetch from its pause to its end, and emits its events after that.
    fn run(&self, lead: Lead, limit: Limit, retries: u32, usable: Option<Usable>) -> Result<AccessToken, Error> {
        // Ends the fetch whatever happens below, even if the caller's transport or closure panics.
        let mut guard = FinishOnDrop { inner: &self.0, fetch: lead.fetch, outcome: Some(Outcome::Abandoned) };
        if !lead.after.is_zero() {
            self.0.clock.sleep(lead.after);
        }
        let now = self.0.clock.monotonic();
        let own = self.0.settings.timeout;
        let (budget, deadline, given) = match (limit, &usable) {
            (Limit::Share(budget), Some(usable)) => {
                let share = share(budget, usable.left);
                (budget, Deadline::after(now, share, SHARE), Some(share))
            }
            (Limit::Hurried(deadline, budget), _) => (budget, deadline, Some(budget)),
            (Limit::Own | Limit::Share(_), _) => (own, Deadline::after(now, own, OWN_LIMIT), Some(own)),
        };
        let plan = Plan { reason: lead.reason, retries, deadline, budget, given, usable };
        let mut events = Vec::new();
        let (outcome, result) = self.obtain(&plan, &mut events);
        guard.outcome = Some(outcome);
        drop(guard);
        for event in &events {
            self.emit(event.kind());
        }
        result
    }

    /// Gets a token from the store, if the source has one, or from the token endpoint.
    fn obtain(&self, plan: &Plan, events: &mut Vec<Told>) -> Obtained {
        #[cfg(feature = "store")]
        if let Some(store) = &self.0.store {
            return store.obtain(self, plan, events);
        }
        self.fetch_alone(plan, events)
    }
}

impl Inner {
    fn out_of_time(&self, detail: &'static str, deadline: Deadline) -> Error {
        Error::Transport(Arc::new(NoAnswer {
            endpoint: self.request.endpoint_host().to_owned(),
            kind: TransportErrorKind::Timeout,
            detail,
            limit: Some(deadline.setting),
            cause: None,
        }))
    }
}

fn recursion() -> Error {
    Error::configuration(
        "the token request was sent through the very agent or source that needs the token; give the source a transport \
         of its own",
    )
}

/// The time of a fetch.
#[derive(Clone, Copy)]
enum Limit {
    /// The source's own.
    Own,
    /// A part of it, in the hands of a caller with a usable token.
    Share(Duration),
    /// Until the end of a caller's time, which came with less than the source has.
    Hurried(Deadline, Duration),
}

/// Ends a fetch with this outcome when it is dropped.
struct FinishOnDrop<'a> {
    inner: &'a Inner,
    fetch: FetchId,
    outcome: Option<Outcome>,
}

impl Drop for FinishOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.inner.slot.finish(self.fetch, outcome, self.inner.clock.now(), &self.inner.settings);
        }
    }
}
