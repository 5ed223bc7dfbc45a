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
        let (mut retry, mut retries_left, mut proof, mut asked_again) = (0, retries, None, false);
        loop {
            let failed = match self.attempt(proof.take(), reason, retry, deadline, events) {
                Ok(token) => return Ok(token),
                Err(failed) => failed,
            };
            let time_left = || deadline.left(self.0.clock.monotonic());
            let pause = match failed.refused {
                // Once, whatever the number of retries (D49).
                Some(refused) if !asked_again && !time_left().is_zero() => {
                    asked_again = true;
                    proof = self.replacement(refused).unwrap_or_else(|error| {
                        events.push(Told::NotSent(error));
                        None
                    });
                    proof.as_ref().map(|_| Duration::ZERO)
                }
                _ if retries_left == 0 => None,
                _ => {
                    retries_left -= 1;
                    retry_pause(&failed.error, retry, random())
                }
            };
            match pause {
                Some(pause) if pause < time_left() => self.0.clock.sleep(pause),
                _ => return Err(failed),
            }
            retry += 1;
        }
    }

    /// Asks the closure again after its secret was refused. Returns the proof of now if it is
    /// another one.
    pub(super) fn replacement(&self, refused: Fingerprint) -> Result<Option<Authentication>, Error> {
        let proof = self.0.credentials.authenticate()?;
        Ok(Some(proof).filter(|proof| Fingerprint::of(proof) != refused))
    }

    /// Sends one token request, with this proof or else a new one.
    fn attempt(
        &self,
        proof: Option<Authentication>,
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
        let encoded = |proof| self.0.request.encode_with(&proof).map(|request| (request, proof));
        let made = proof.map_or_else(|| self.0.credentials.authenticate(), Ok).and_then(encoded);
        let (request, proof) = made.map_err(|error| {
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
                    self.0.request.decode_sent(&response, sent_at, Some(&proof))
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
            Failed { error, refused: may_be_another.then(|| Fingerprint::of(&proof)) }
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
