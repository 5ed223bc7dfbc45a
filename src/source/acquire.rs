//! Getting a token: from the cache, by fetching it, or by waiting for the caller that does.
//! Imports `backoff`, `clock`, `error`, `event`, `random`, `slot`, `thread_cache`, `token`,
//! `transport`.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroize as _;

use crate::clock::Deadline;
use crate::error::{Error, NoAnswer, TransportError, TransportErrorKind};
use crate::event::{EventKind, Reason};
use crate::protocol::token::AccessToken;
use crate::random::{random, random_bytes};
use crate::renewal::backoff::retry_pause;
use crate::renewal::slot::{FetchId, Next, Outcome, Usable};
use crate::source::thread_cache;
use crate::source::{Inner, TokenSource};
use crate::transport::Attempt;

/// The shortest time limit of a renewal by a caller with a usable token. Otherwise the limit is
/// half of what the token has left.
const LEAST_RENEWAL_TIMEOUT: Duration = Duration::from_secs(5);

impl TokenSource {
    /// Returns a valid token, within the source's own time limit and before `deadline`.
    pub(super) fn token_by(&self, deadline: Option<Deadline>) -> Result<AccessToken, Error> {
        self.recall().map_or_else(|| self.acquire(deadline, false), Ok)
    }

    /// Returns the token that this thread has cached, if any.
    pub(super) fn recall(&self) -> Option<AccessToken> {
        thread_cache::recall(&self.0.slot, self.0.clock.monotonic())
    }

    /// Returns a valid token from the slot. With `forced`, the cached one does not count.
    #[cold]
    pub(super) fn acquire(&self, deadline: Option<Deadline>, forced: bool) -> Result<AccessToken, Error> {
        let mut now = self.0.clock.now();
        let own = Deadline::after(now.monotonic(), self.0.settings.timeout);
        let deadline = deadline.map_or(own, |deadline| deadline.min(own));
        loop {
            // The generation is read before the slot, so the slot's answer belongs to this
            // generation or a later one.
            let generation = self.0.slot.generation();
            match self.0.slot.poll(now, deadline.left(now.monotonic()), forced) {
                Next::Use { token, holds } => {
                    return Ok(thread_cache::remember(&self.0.slot, generation, token, holds, now.monotonic()));
                }
                Next::Lead { fetch, after, reason, usable } => {
                    return self.lead(fetch, after, reason, usable, deadline);
                }
                Next::Follow { fetch, usable } => {
                    if let Some(result) = self.follow(fetch, usable, deadline.left(now.monotonic())) {
                        return result;
                    }
                }
                Next::Fail(error) => {
                    self.emit(EventKind::RememberedFailure { error: &error });
                    return Err(error);
                }
                Next::OutOfTime => {
                    return Err(self.0.out_of_time("the next token request is not due within the caller's time"));
                }
                Next::Recursion => return Err(recursion()),
            }
            now = self.0.clock.now();
            if deadline.left(now.monotonic()).is_zero() {
                return Err(self.0.out_of_time("another caller's token request outlasted the caller's time"));
            }
        }
    }

    /// Waits for the fetch of another caller. A caller with a usable token waits only for half of
    /// what that token has left, and then uses it. `None` means: poll again.
    fn follow(&self, fetch: FetchId, usable: Option<Usable>, left: Duration) -> Option<Result<AccessToken, Error>> {
        let from = self.0.clock.now();
        let longest = usable.as_ref().map_or(left, |usable| left.min(usable.left / 2));
        let result = self.0.slot.wait(fetch, longest);
        let duration = self.0.clock.now().since(&from);
        match (result, usable) {
            (Some(Ok(token)), _) => {
                self.emit(EventKind::Waited { duration });
                Some(Ok(token))
            }
            (_, Some(usable)) if duration < usable.left => Some(Ok(usable.token)),
            (Some(Err(error)), _) => Some(Err(error)),
            (None, _) => None,
        }
    }

    /// Fetches a token for all callers that wait, before the deadline of this one.
    fn lead(
        &self,
        fetch: FetchId,
        after: Duration,
        reason: Reason,
        usable: Option<Usable>,
        deadline: Deadline,
    ) -> Result<AccessToken, Error> {
        // Ends the fetch whatever happens below, even if the caller's transport or closure panics.
        let mut guard = FinishOnDrop { inner: &self.0, fetch, outcome: Some(Outcome::Abandoned) };
        if !after.is_zero() {
            self.0.clock.sleep(after);
        }
        let from = self.0.clock.now();
        let timeout = self.0.settings.timeout;
        let longest =
            usable.as_ref().map_or(timeout, |usable| timeout.min((usable.left / 2).max(LEAST_RENEWAL_TIMEOUT)));
        let hurried = deadline.left(from.monotonic()) < longest;
        let deadline = if hurried { deadline } else { Deadline::after(from.monotonic(), longest) };
        let retries = if usable.is_some() { 0 } else { self.0.settings.retries };
        let result = self.fetch(reason, retries, deadline);
        guard.outcome = Some(match &result {
            Ok(token) => Outcome::Fetched(token.clone()),
            // Running out of the caller's own time says nothing about the server.
            Err(Error::Transport(failure)) if hurried && failure.kind == TransportErrorKind::Timeout => {
                Outcome::Abandoned
            }
            Err(error) => Outcome::Failed(error.clone()),
        });
        drop(guard);
        match (result, usable) {
            (Err(error), Some(usable)) if after + self.0.clock.now().since(&from) < usable.left => {
                self.emit(EventKind::RenewalFailed { error: &error });
                Ok(usable.token)
            }
            (result, _) => result,
        }
    }

    fn fetch(&self, reason: Reason, retries: u32, deadline: Deadline) -> Result<AccessToken, Error> {
        let mut retry = 0;
        loop {
            let error = match self.attempt(reason, retry, deadline) {
                Ok(token) => return Ok(token),
                Err(error) => error,
            };
            if retry >= retries {
                return Err(error);
            }
            match retry_pause(&error, retry, random()) {
                Some(pause) if pause < deadline.left(self.0.clock.monotonic()) => self.0.clock.sleep(pause),
                _ => return Err(error),
            }
            retry += 1;
        }
    }

    fn attempt(&self, reason: Reason, retry: u32, deadline: Deadline) -> Result<AccessToken, Error> {
        let mut attempt = Attempt {
            connect_timeout: self.0.settings.connect_timeout,
            max_body: self.0.settings.max_body,
            reason,
            retry,
            ..Attempt::new(self.0.clock.now(), random_bytes())
        };
        let authentication = self.0.credentials.authenticate()?;
        let request = self.0.request.encode_with(&authentication)?;
        self.emit(EventKind::Requested { reason, retry });
        let sent_at = self.0.clock.now();
        attempt.timeout = deadline.left(sent_at.monotonic());
        let answer = self.0.transport.send(request, &attempt);
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        let result = match answer {
            Ok(mut response) => {
                let result = if response.body().len() > attempt.max_body {
                    Err(TransportError::new(TransportErrorKind::BodyTooLarge, "the answer is too large")
                        .into_error(self.0.request.endpoint_host()))
                } else {
                    self.0.request.decode_sent(&response, sent_at, &authentication)
                };
                response.body_mut().zeroize();
                result
            }
            Err(error) => Err(error.into_error(self.0.request.endpoint_host())),
        };
        let duration = self.0.clock.now().since(&sent_at);
        self.emit(EventKind::Answered { duration, status, error: result.as_ref().err() });
        result
    }
}

impl Inner {
    fn out_of_time(&self, detail: &'static str) -> Error {
        Error::Transport(Arc::new(NoAnswer {
            endpoint: self.request.endpoint_host().to_owned(),
            kind: TransportErrorKind::Timeout,
            detail,
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
