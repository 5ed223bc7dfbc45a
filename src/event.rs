//! What a token source tells about its work. Imports `error`.

use std::fmt;
use std::time::Duration;

use crate::error::Error;

/// One thing that happened, for logs and metrics. Never holds a secret or a token.
///
/// Given to the hook of [`TokenSourceBuilder::on_event`](crate::TokenSourceBuilder::on_event), and, by its `Display`,
/// to the `log` crate under the target `client_credentials`: failures as warnings, the rest as debug.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.token("t", 60);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// use client_credentials::EventKind;
///
/// let source = TokenSource::builder(Credentials::new("id", "secret"), request, script)
///     .on_event(|event| match event.kind {
///         EventKind::Answered { duration, .. } => println!("{}: {duration:?}", event.endpoint),
///         _ => println!("{event}"),
///     })
///     .build()?;
/// # source.token()?;
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// Host (and port, if it was given) of the token endpoint.
    pub endpoint: &'a str,
    /// The client, unless it has no identifier.
    pub client_id: Option<&'a str>,
    /// What happened.
    pub kind: EventKind<'a>,
}

/// The kinds of [`Event`]. See its example.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum EventKind<'a> {
    /// A token request goes out.
    Requested {
        /// Why.
        reason: Reason,
        /// 0 for the first attempt, then the number of the retry.
        retry: u32,
    },
    /// A token request came to its end.
    Answered {
        /// From sending to the last byte, or to giving up.
        duration: Duration,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// What was wrong with it.
        error: Option<&'a Error>,
    },
    /// A caller got the token of somebody else's request by waiting for it.
    Waited {
        /// How long.
        duration: Duration,
    },
    /// A renewal failed; the token at hand goes on being used until it expires.
    RenewalFailed {
        /// Why.
        error: &'a Error,
    },
    /// A caller got an error that is remembered from a while ago; nothing was sent.
    Throttled {
        /// The remembered error.
        error: &'a Error,
    },
    /// An API answered 401 to a request that carried a token of ours.
    Refused {
        /// What was made of it.
        verdict: Verdict,
    },
    /// A host that may not receive the token answered 401 to a request that went out without one. Told once per origin.
    Bare {
        /// Scheme, host and port. If it should receive the token, name it with
        /// [`TokenRequest::allow_origin`](crate::TokenRequest::allow_origin).
        origin: &'a str,
    },
    /// The request was sent a second time, with another token.
    Replayed {
        /// The HTTP status of the second answer, if there was one.
        status: Option<u16>,
    },
}

/// Why a token was requested. See the example of [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// There was none.
    Empty,
    /// The one at hand expires soon, or has expired.
    Expiring,
    /// An API refused the last one.
    Refused,
    /// The program asked for a new one.
    Forced,
}

/// What was made of a 401. See the example of [`Event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The request goes out once more, with another token.
    Replay,
    /// The token was dropped, but the body of the request cannot be sent again.
    NotReplayable,
    /// The challenge says that another token would not help (RFC 6750 section 3.1).
    Useless,
    /// A redirect came before the 401, and it took the token off: nobody refused it.
    Redirected,
    /// The authorization server handed out the very same token again.
    SameToken,
    /// There is no other token to be had; the caller gets the 401.
    RenewalFailed,
    /// The last renewal after a 401 was moments ago.
    Throttled,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: ", self.client_id.unwrap_or("no client id"), self.endpoint)?;
        match self.kind {
            EventKind::Requested { reason, retry: 0 } => write!(f, "token requested ({reason:?})"),
            EventKind::Requested { reason, retry } => write!(f, "token requested ({reason:?}), retry {retry}"),
            EventKind::Answered { duration, error: None, .. } => write!(f, "token received after {duration:?}"),
            EventKind::Answered { duration, error: Some(error), .. } => {
                write!(f, "no token after {duration:?}: {error}")
            }
            EventKind::Waited { duration } => write!(f, "waited {duration:?} for a token requested by another caller"),
            EventKind::RenewalFailed { error } => write!(f, "renewal failed, the token at hand stays: {error}"),
            EventKind::Throttled { error } => write!(f, "not asked again so soon after: {error}"),
            EventKind::Refused { verdict } => write!(f, "the API answered 401: {verdict:?}"),
            EventKind::Bare { origin } => write!(
                f,
                "{origin} answered 401 to a request without a token; if it should receive one, name it with \
                 TokenRequest::allow_origin"
            ),
            EventKind::Replayed { status: Some(status) } => write!(f, "request replayed, answer {status}"),
            EventKind::Replayed { status: None } => write!(f, "request replayed, no answer"),
        }
    }
}
