//! The token requests of one fetch: an attempt and its retries. Imports `backoff`, `clock`, `error`,
//! `event`, `random`, `token`, `transport`.

use std::time::Duration;

use zeroize::Zeroize as _;

use crate::clock::Deadline;
use crate::error::{Error, TransportError, TransportErrorKind};
use crate::event::{EventKind, Reason};
use crate::protocol::token::AccessToken;
use crate::random::{random, random_bytes};
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
    ) -> Result<AccessToken, Error> {
        let mut retry = 0;
        loop {
            let error = match self.attempt(reason, retry, deadline, events) {
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

    fn attempt(
        &self,
        reason: Reason,
        retry: u32,
        deadline: Deadline,
        events: &mut Vec<Told>,
    ) -> Result<AccessToken, Error> {
        let mut attempt = Attempt {
            connect_timeout: self.0.settings.connect_timeout,
            max_body: self.0.settings.max_body,
            reason,
            retry,
            ..Attempt::new(self.0.clock.now(), random_bytes())
        };
        let encoded = |proof| self.0.request.encode_with(&proof).map(|request| (request, proof));
        let made = self.0.credentials.authenticate().and_then(encoded);
        let (request, authentication) = made.inspect_err(|error| events.push(Told::NotSent(error.clone())))?;
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
                    self.0.request.decode_sent(&response, sent_at, Some(&authentication))
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
        result
    }
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
