//! The token requests of one fetch: an attempt and its retries. Imports `backoff`, `clock`,
//! `caller`, `clock_offset`, `encode`, `error`, `event`, `plan`, `random`, `source`, `token`, `transport`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use zeroize::Zeroize as _;

use crate::clock::Deadline;
use crate::error::{Error, TransportError, TransportErrorKind};
use crate::event::Reason;
use crate::protocol::clock_offset::correction;
use crate::protocol::encode::Prepared;
use crate::protocol::token::AccessToken;
use crate::random::{Fingerprint, random, random_bytes};
use crate::renewal::backoff::retry_pause;
use crate::renewal::caller::Outcome;
use crate::source::plan::{Failed, Plan, Told};
use crate::source::{Obtained, TokenSource};
use crate::transport::Attempt;

impl TokenSource {
    /// Fetches a token for this source alone.
    pub(super) fn fetch_alone(&self, plan: &Plan, events: &mut Vec<Told>) -> Obtained {
        match self.fetch(plan, events) {
            Ok(token) => (Outcome::Fetched(token.clone()), Ok(token)),
            Err(failed) => failed.outcome(plan),
        }
    }

    pub(super) fn fetch(&self, plan: &Plan, events: &mut Vec<Told>) -> Result<AccessToken, Failed> {
        let Plan { reason, retries, deadline, .. } = *plan;
        let (mut retry, mut retries_left, mut asked_again, mut corrected) = (0, retries, false, false);
        let mut attempt = self.new_attempt(reason, retry);
        let mut prepared = self.prepared(&attempt);
        loop {
            let failed = match self.attempt(&prepared, attempt, deadline, events) {
                Ok(token) => return Ok(token),
                Err(failed) => failed,
            };
            drop(prepared);
            let ahead = failed.error.server_ahead().filter(|_| !corrected);
            let offset = ahead.and_then(|ahead| self.correct_clock(ahead));
            events.extend(offset.map(|offset| Told::ClockCorrected { offset }));
            let pause = match failed.refused {
                // Neither counts as a retry.
                _ if offset.is_some() => {
                    corrected = true;
                    Some(Duration::ZERO)
                }
                // Once, whatever the number of retries (D49).
                Some(_) if !asked_again => {
                    asked_again = true;
                    Some(Duration::ZERO)
                }
                _ if retries_left == 0 => None,
                _ => {
                    retries_left -= 1;
                    retry_pause(&failed.error, retry, random())
                }
            };
            let is_in_time = |pause: Duration| pause < deadline.left(self.0.clock.monotonic());
            match pause {
                Some(pause) if is_in_time(pause) => self.0.clock.sleep(pause),
                _ => return Err(failed),
            }
            retry += 1;
            attempt = self.new_attempt(reason, retry);
            prepared = self.prepared(&attempt);
            match (failed.refused, &prepared) {
                (None, _) => {}
                _ if offset.is_some() => {}
                (Some(refused), Ok(prepared)) if self.is_another(prepared, refused) && is_in_time(Duration::ZERO) => {}
                (Some(_), Ok(_)) => return Err(failed),
                (Some(_), Err(error)) => {
                    events.push(Told::NotSent(error.clone()));
                    return Err(failed);
                }
            }
        }
    }

    /// Makes what belongs to one attempt. Calls the closures.
    pub(super) fn prepared(&self, attempt: &Attempt) -> Result<Prepared, Error> {
        self.0.request.prepare(&self.0.credentials, attempt)
    }

    /// Starts an attempt now, by the clock of the server, as far as it is known.
    pub(super) fn new_attempt(&self, reason: Reason, retry: u32) -> Attempt {
        let offset = self.0.clock_offset.load(Ordering::Relaxed);
        Attempt {
            connect_timeout: self.0.settings.connect_timeout,
            max_body: self.0.settings.max_body,
            reason,
            retry,
            ..Attempt::new(self.0.clock.now().shifted(offset), random_bytes())
        }
    }

    /// Whether this is not what was refused.
    pub(super) fn is_another(&self, prepared: &Prepared, refused: Fingerprint) -> bool {
        self.0.slot.fingerprint(prepared) != refused
    }

    /// Adopts the time of the server for assertions, and returns the offset. `None` if another time
    /// would not help, or if anyone on the network path may have changed the answer.
    fn correct_clock(&self, server_ahead: i64) -> Option<i64> {
        let known = self.0.clock_offset.load(Ordering::Relaxed);
        let offset = correction(server_ahead, known).filter(|_| self.0.request.is_safe())?;
        self.0.clock_offset.store(offset, Ordering::Relaxed);
        Some(i64::from(offset))
    }

    /// Sends one token request. Not inlined, because that is smaller.
    #[inline(never)]
    fn attempt(
        &self,
        prepared: &Result<Prepared, Error>,
        mut attempt: Attempt,
        deadline: Deadline,
        events: &mut Vec<Told>,
    ) -> Result<AccessToken, Failed> {
        let encoded = |prepared| Ok((self.0.request.encode_with(prepared)?, prepared));
        let (request, prepared) = prepared.as_ref().map_err(Clone::clone).and_then(encoded).map_err(|error| {
            events.push(Told::NotSent(error.clone()));
            Failed::new(error)
        })?;
        events.push(Told::Requested { reason: attempt.reason, retry: attempt.retry });
        let sent_at = self.0.clock.now();
        attempt.timeout = deadline.left(sent_at.monotonic());
        let answer = self.0.transport.send(request, &attempt);
        let status = answer.as_ref().ok().map(|response| response.status().as_u16());
        let failed = |error: TransportError| {
            error.into_error(self.0.request.endpoint_host(), self.0.request.is_https(), deadline.setting)
        };
        let result = match answer {
            Ok(mut response) => {
                let result = if response.body().len() > attempt.max_body {
                    Err(failed(TransportError::new(TransportErrorKind::BodyTooLarge, "the answer is too large")))
                } else {
                    self.0.request.decode_sent(&response, sent_at, Some(prepared))
                };
                response.body_mut().zeroize();
                result
            }
            Err(error) => Err(failed(error)),
        };
        let duration = self.0.clock.now().since(&sent_at);
        events.push(Told::Answered { duration, status, error: result.as_ref().err().cloned() });
        let ignored = result.as_ref().ok().and_then(AccessToken::ignored_lifetime);
        events.extend(ignored.map(|found| Told::LifetimeIgnored { found }));
        result.map_err(|error| {
            let may_change = self.0.credentials.may_change() || self.0.request.may_change();
            let may_be_another = may_change && error.may_be_the_secret();
            Failed {
                error,
                refused: may_be_another.then(|| self.0.slot.fingerprint(prepared)),
                #[cfg(feature = "store")]
                proof: self.0.store.as_ref().filter(|_| may_be_another).map(|store| store.proof(prepared)),
            }
        })
    }
}
