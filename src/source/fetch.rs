//! Getting a token: from the slot, by fetching it, or by waiting for whoever does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroize as _;

use crate::backoff::retry_pause;
use crate::error::{Error, TransportError, TransportErrorKind, TransportFailure};
use crate::event::{EventKind, Reason};
use crate::moment::Moment;
use crate::slot::{Good, Landing};
use crate::source::flight::Turn;
use crate::source::hits;
use crate::source::store::random;
use crate::source::{Inner, TokenSource};
use crate::token::AccessToken;
use crate::transport::Limits;

/// A leader with a good token in hand gives the server at least this long, and never more than half of what the
/// token has left beyond it.
const LEAST_RENEWAL_TIMEOUT: Duration = Duration::from_secs(5);

/// When a call must be back, by the monotonic clock alone: a wall clock set forward is no reason to give up.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn after(now: Moment, budget: Duration) -> Self {
        // A budget beyond what the clock can show is no limit; a year will do.
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        Self(now.later(budget.min(YEAR)).monotonic)
    }

    fn left(self, now: Moment) -> Duration {
        self.0.saturating_duration_since(now.monotonic)
    }
}

impl TokenSource {
    pub(super) fn acquire(&self, budget: Duration, forced: bool) -> Result<AccessToken, Error> {
        if let Some(token) = self.recall().filter(|_| !forced) {
            return Ok(token);
        }
        self.acquire_from_slot(budget, forced)
    }

    #[cold]
    fn acquire_from_slot(&self, budget: Duration, forced: bool) -> Result<AccessToken, Error> {
        let mut now = self.0.clock.now();
        let deadline = Deadline::after(now, budget);
        loop {
            match self.0.flight.turn(now, forced, deadline.left(now)) {
                Some(Turn::Use(found)) => return Ok(hits::remember(&self.0.flight, found, now.monotonic)),
                Some(Turn::Fail(error)) => {
                    self.tell(EventKind::Throttled { error: &error });
                    return Err(error);
                }
                Some(Turn::Lead { flight, after, reason, good }) => {
                    return self.lead(flight, after, reason, good.filter(|_| !forced), deadline);
                }
                Some(Turn::Follow { flight, good }) => {
                    if let Some(result) = self.follow(flight, good.filter(|_| !forced), deadline.left(now)) {
                        return result;
                    }
                }
                Some(Turn::Recursion) => return Err(recursion()),
                None => return Err(self.0.out_of_time("the next token request is not due within the caller's time")),
            }
            now = self.0.clock.now();
            if deadline.left(now).is_zero() {
                return Err(self.0.out_of_time("another caller's token request outlasted the caller's time"));
            }
        }
    }

    /// The token that this thread used last, if it still may.
    fn recall(&self) -> Option<AccessToken> {
        hits::recall(&self.0.flight, self.0.clock.monotonic())
    }

    /// A token that needs no waiting and no renewal.
    #[cfg(feature = "ureq")]
    pub(crate) fn ready(&self) -> Option<AccessToken> {
        self.recall().or_else(|| {
            let now = self.0.clock.now();
            self.0.flight.glance(now).map(|found| hits::remember(&self.0.flight, found, now.monotonic))
        })
    }

    /// `None`: the flight brought nothing; look again.
    fn follow(&self, flight: u64, good: Option<Good>, left: Duration) -> Option<Result<AccessToken, Error>> {
        let from = self.0.clock.now();
        let longest = good.as_ref().map_or(left, |good| left.min(good.left / 2));
        let result = self.0.flight.wait(flight, longest);
        let duration = self.0.clock.now().since(&from);
        match (result, good) {
            (Some(Ok(token)), _) => {
                self.tell(EventKind::Waited { duration });
                Some(Ok(token))
            }
            (_, Some(good)) if duration < good.left => Some(Ok(good.token)),
            (Some(Err(error)), _) => Some(Err(error)),
            (None, _) => None,
        }
    }

    fn lead(
        &self,
        flight: u64,
        after: Duration,
        reason: Reason,
        good: Option<Good>,
        deadline: Deadline,
    ) -> Result<AccessToken, Error> {
        // Lands the flight whatever happens below, a panic in the caller's transport or closure included.
        let mut landing = OnDrop { inner: &self.0, flight, landing: Some(Landing::Abandoned) };
        if !after.is_zero() {
            self.0.clock.sleep(after);
        }
        let from = self.0.clock.now();
        let longest = good.as_ref().map_or(self.0.settings.timeout, |good| {
            self.0.settings.timeout.min((good.left / 2).max(LEAST_RENEWAL_TIMEOUT))
        });
        let hurried = deadline.left(from) < longest;
        let deadline = if hurried { deadline } else { Deadline::after(from, longest) };
        let retries = if good.is_some() { 0 } else { self.0.settings.retries };
        let result = self.fetch(reason, retries, deadline);
        landing.landing = Some(match &result {
            Ok(token) => Landing::Fetched(token.clone()),
            // Running out of the caller's own time says nothing about the server.
            Err(Error::Transport(failure)) if hurried && failure.kind == TransportErrorKind::Timeout => {
                Landing::Abandoned
            }
            Err(error) => Landing::Failed(error.clone()),
        });
        drop(landing);
        match (result, good) {
            (Err(error), Some(good)) if after + self.0.clock.now().since(&from) < good.left => {
                self.tell(EventKind::RenewalFailed { error: &error });
                Ok(good.token)
            }
            (result, _) => result,
        }
    }

    /// One token, with retries, inside the deadline.
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
                Some(pause) if pause < deadline.left(self.0.clock.now()) => self.0.clock.sleep(pause),
                _ => return Err(error),
            }
            retry += 1;
        }
    }

    fn attempt(&self, reason: Reason, retry: u32, deadline: Deadline) -> Result<AccessToken, Error> {
        let authentication = self.0.credentials.authenticate()?;
        let request = self.0.request.encode_with(&authentication)?;
        self.tell(EventKind::Requested { reason, retry });
        let sent_at = self.0.clock.now();
        let limits = Limits {
            timeout: deadline.left(sent_at),
            connect_timeout: self.0.settings.connect_timeout,
            max_body: self.0.settings.max_body,
        };
        let answer = self.0.transport.send(request, &limits);
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        let result = match answer {
            Ok(mut response) => {
                let result = if response.body().len() > limits.max_body {
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
        self.tell(EventKind::Answered { duration, status, error: result.as_ref().err() });
        result
    }
}

impl Inner {
    fn out_of_time(&self, detail: &'static str) -> Error {
        Error::Transport(Arc::new(TransportFailure {
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

struct OnDrop<'a> {
    inner: &'a Inner,
    flight: u64,
    landing: Option<Landing>,
}

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        if let Some(landing) = self.landing.take() {
            self.inner.flight.land(self.flight, landing, self.inner.clock.now(), &self.inner.settings);
        }
    }
}
