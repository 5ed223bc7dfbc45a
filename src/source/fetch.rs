//! The token requests of one fetch: an attempt and its retries. Imports `backoff`, `clock`,
//! `credentials`, `error`, `event`, `random`, `token`, `transport`.

use std::time::Duration;

use zeroize::Zeroize as _;

use crate::clock::Deadline;
use crate::error::{Error, TransportError, TransportErrorKind};
use crate::event::{EventKind, Reason};
use crate::protocol::credentials::Authentication;
use crate::protocol::token::AccessToken;
use crate::random::{Fingerprint, random, random_bytes};
use crate::renewal::backoff::retry_pause;
use crate::source::TokenSource;
use crate::transport::Attempt;

impl TokenSource {
    pub(super) fn fetch(
        &self,
        reason: Reason,
        retries: u32,
        deadline: Deadline,
        events: &mut Vec<Told>,
    ) -> Result<AccessToken, Failed> {
        let (mut retry, mut retries_left, mut asked_again) = (0, retries, false);
        let mut proof = self.0.credentials.authenticate();
        loop {
            let failed = match self.attempt(&proof, reason, retry, deadline, events) {
                Ok(token) => return Ok(token),
                Err(failed) => failed,
            };
            drop(proof);
            let pause = match failed.refused {
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
            proof = self.0.credentials.authenticate();
            match (failed.refused, &proof) {
                (None, _) => {}
                (Some(refused), Ok(proof)) if self.is_another(proof, refused) && is_in_time(Duration::ZERO) => {}
                (Some(_), Ok(_)) => return Err(failed),
                (Some(_), Err(error)) => {
                    events.push(Told::NotSent(error.clone()));
                    return Err(failed);
                }
            }
            retry += 1;
        }
    }

    /// Whether this is not the proof that was refused.
    pub(super) fn is_another(&self, proof: &Authentication, refused: Fingerprint) -> bool {
        self.0.slot.fingerprint(proof) != refused
    }

    /// Sends one token request. Not inlined, because that is smaller.
    #[inline(never)]
    fn attempt(
        &self,
        proof: &Result<Authentication, Error>,
        reason: Reason,
        retry: u32,
        deadline: Deadline,
        events: &mut Vec<Told>,
    ) -> Result<AccessToken, Failed> {
        let mut attempt = Attempt {
            connect_timeout: self.0.settings.connect_timeout,
            max_body: self.0.settings.max_body,
            reason,
            retry,
            ..Attempt::new(self.0.clock.now(), random_bytes())
        };
        let encoded = |proof| Ok((self.0.request.encode_with(proof)?, proof));
        let (request, proof) = proof.as_ref().map_err(Clone::clone).and_then(encoded).map_err(|error| {
            events.push(Told::NotSent(error.clone()));
            Failed { error, refused: None }
        })?;
        events.push(Told::Requested { reason, retry });
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
                    self.0.request.decode_sent(&response, sent_at, Some(proof))
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
            let may_be_another = self.0.credentials.may_change() && error.may_be_the_secret();
            Failed { error, refused: may_be_another.then(|| self.0.slot.fingerprint(proof)) }
        })
    }
}

/// Why there is no token.
pub(super) struct Failed {
    pub(super) error: Error,
    /// The proof that was refused, if the closure may return another one by now.
    pub(super) refused: Option<Fingerprint>,
}

/// An event of a fetch, kept until it is finished: a hook that is slow or panics must cost nobody
/// else anything.
pub(super) enum Told {
    Requested { reason: Reason, retry: u32 },
    Answered { duration: Duration, status: Option<u16>, error: Option<Error> },
    NotSent(Error),
    LifetimeIgnored { found: &'static str },
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
        }
    }
}
