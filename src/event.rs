//! Events: what a token source reports about its work. Imports `error`.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
#[cfg(feature = "store")]
use crate::redact::Excerpt;
#[cfg(feature = "store")]
use crate::store::StoreError;

/// An event in the work of a token source, for logs and metrics. Never contains a secret or a
/// token.
///
/// Each event is given to the hook of
/// [`TokenSourceBuilder::on_event`](crate::TokenSourceBuilder::on_event). Its `Display` text goes
/// to the `log` crate under the target `client_credentials`: failed token requests, also those that
/// could not be sent, failed renewals, ignored lifetimes, origins that are not allowed and bodies that
/// need a length as warnings, all others as debug messages.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.token("t", 60);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let credentials = Credentials::new("my-client", "s3cret");
/// use std::sync::{Arc, Mutex};
///
/// let lines = Arc::new(Mutex::new(Vec::new()));
/// let log = Arc::clone(&lines);
/// let source = TokenSource::builder(credentials, request)
///     .transport(script)
///     .on_event(move |event| log.lock().unwrap().push(event.to_string()))
///     .build()?;
/// source.token()?;
/// let lines = lines.lock().unwrap();
/// assert_eq!(lines[0], "my-client at auth.example.com: token requested (NoToken)");
/// assert!(lines[1].starts_with("my-client at auth.example.com: token received after "));
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The host (and port, if one was given) of the token endpoint.
    pub endpoint: &'a str,
    /// The client identifier, if the client has one.
    pub client_id: Option<&'a str>,
    /// What happened.
    pub kind: EventKind<'a>,
}

/// What happened: the kinds of an [`Event`].
///
/// # Examples
///
/// Counts the tokens and the failures:
///
/// ```
/// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
/// # use std::sync::{Arc, Mutex};
/// # let script = Script::new();
/// # script.token("t", 60);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let credentials = Credentials::new("my-client", "s3cret");
/// use client_credentials::EventKind;
///
/// let counts = Arc::new(Mutex::new((0, 0)));
/// let counter = Arc::clone(&counts);
/// let source = TokenSource::builder(credentials, request)
///     .transport(script)
///     .on_event(move |event| match event.kind {
///         EventKind::Answered { error: None, .. } => counter.lock().unwrap().0 += 1,
///         EventKind::Answered { .. } | EventKind::NotSent { .. } => counter.lock().unwrap().1 += 1,
///         _ => {}
///     })
///     .build()?;
/// source.token()?;
/// assert_eq!(*counts.lock().unwrap(), (1, 0));
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum EventKind<'a> {
    /// A token request is sent.
    #[non_exhaustive]
    Requested {
        /// Why a token is needed.
        reason: Reason,
        /// 0 for the first attempt, then the number of the retry.
        retry: u32,
    },
    /// A token request has ended.
    #[non_exhaustive]
    Answered {
        /// The time from sending the request to the last byte of the answer, or to giving up.
        duration: Duration,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// What went wrong; `None` if there is a token.
        error: Option<&'a Error>,
    },
    /// A token request could not be made, so nothing was sent: the closure that provides the secret
    /// failed, or returned what cannot be sent. Logged as a warning, with the closure's error.
    #[non_exhaustive]
    NotSent {
        /// Why it could not be made. The closure's error is its `source`.
        error: &'a Error,
    },
    /// A token response states a lifetime that is none, so the token is used for the
    /// [fallback lifetime](crate::TokenSourceBuilder::fallback_lifetime), as if there were none.
    /// Logged as a warning.
    #[non_exhaustive]
    LifetimeIgnored {
        /// What the response states instead: `0`, `a negative number`, `an empty string` or `not a
        /// number`.
        found: &'a str,
    },
    /// The server refused an assertion that was signed here, and the `Date` of its answer says that
    /// this machine's clock is wrong. The request is repeated at once, with an assertion that says the
    /// time of the server. Logged as a warning.
    #[non_exhaustive]
    ClockCorrected {
        /// By how many seconds the server's clock is ahead of this machine's. Negative if it is
        /// behind.
        offset: i64,
    },
    /// A caller waited for another caller's token request and got its token.
    #[non_exhaustive]
    Waited {
        /// How long the caller waited.
        duration: Duration,
    },
    /// A token of the [store](crate::TokenSourceBuilder::store) is used, which another process has
    /// fetched.
    #[cfg(feature = "store")]
    #[non_exhaustive]
    Loaded {
        /// How old the token is.
        age: Duration,
    },
    /// The [store](crate::TokenSourceBuilder::store) failed or did not answer in time, or what it keeps
    /// for this client cannot be used. The token is fetched as if there were no store. Logged as a
    /// warning.
    #[cfg(feature = "store")]
    #[non_exhaustive]
    StoreFailed {
        /// What the store says.
        error: &'a StoreError,
    },
    /// A renewal failed; the cached token is used until it expires.
    #[non_exhaustive]
    RenewalFailed {
        /// Why it failed.
        error: &'a Error,
    },
    /// A caller got the remembered error of an earlier token request; nothing was sent.
    #[non_exhaustive]
    RememberedFailure {
        /// The remembered error.
        error: &'a Error,
    },
    /// The answer to a request that carried a token of this source says that the token is not valid.
    #[non_exhaustive]
    Refused {
        /// The HTTP status of the answer, normally 401.
        status: u16,
        /// Whether the request is sent again, or why not.
        verdict: Verdict,
        /// Why there is no other token, if the verdict is [`Verdict::RenewalFailed`].
        error: Option<&'a Error>,
    },
    /// A host that may not receive the token answered 401 to a request that went out without one.
    /// Reported once per origin.
    #[non_exhaustive]
    OriginNotAllowed {
        /// Scheme, host and port. If it should receive the token, name it with
        /// [`TokenRequest::allow_origin`](crate::TokenRequest::allow_origin).
        origin: &'a str,
    },
    /// An API answered 411 (RFC 9110 section 15.5.12) to a request whose body was sent without a
    /// stated length, because it is larger than the
    /// [replay limit](crate::TokenSourceBuilder::replay_limit). Logged as a warning.
    #[non_exhaustive]
    LengthRequired {
        /// Scheme, host and port of the API.
        origin: &'a str,
    },
    /// The request was sent a second time, with another token.
    #[non_exhaustive]
    Replayed {
        /// The HTTP status of the second answer, if there was one.
        status: Option<u16>,
    },
}

impl EventKind<'_> {
    /// Returns a word for this kind, such as `requested`, for a label in metrics.
    ///
    /// It is the name of the variant in snake case. The words of all variants are stable: a new
    /// version may add words, but does not change one.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # use std::sync::{Arc, Mutex};
    /// # let script = Script::new();
    /// # script.token("t", 60);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let names = Arc::new(Mutex::new(Vec::new()));
    /// # let seen = Arc::clone(&names);
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request)
    /// #     .transport(script)
    /// .on_event(move |event| seen.lock().unwrap().push(event.kind.name()))
    /// # .build()?;
    /// # source.token()?;
    /// # assert_eq!(*names.lock().unwrap(), ["requested", "answered"]);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Requested { .. } => "requested",
            Self::Answered { .. } => "answered",
            Self::NotSent { .. } => "not_sent",
            Self::LifetimeIgnored { .. } => "lifetime_ignored",
            Self::ClockCorrected { .. } => "clock_corrected",
            Self::Waited { .. } => "waited",
            #[cfg(feature = "store")]
            Self::Loaded { .. } => "loaded",
            #[cfg(feature = "store")]
            Self::StoreFailed { .. } => "store_failed",
            Self::RenewalFailed { .. } => "renewal_failed",
            Self::RememberedFailure { .. } => "remembered_failure",
            Self::Refused { .. } => "refused",
            Self::OriginNotAllowed { .. } => "origin_not_allowed",
            Self::LengthRequired { .. } => "length_required",
            Self::Replayed { .. } => "replayed",
        }
    }
}

/// Why a token was requested.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
/// # use std::sync::{Arc, Mutex};
/// # let script = Script::new();
/// # script.token("one", 3600); script.token("two", 3600);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let builder = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock());
/// use client_credentials::{EventKind, Reason};
///
/// let reasons = Arc::new(Mutex::new(Vec::new()));
/// let seen = Arc::clone(&reasons);
/// let builder = builder.on_event(move |event| {
///     if let EventKind::Requested { reason, .. } = event.kind {
///         seen.lock().unwrap().push(reason);
///     }
/// });
/// let source = builder.build()?;
/// source.token()?;
/// source.renew()?;
/// assert_eq!(*reasons.lock().unwrap(), [Reason::NoToken, Reason::Forced]);
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// There was no token yet.
    NoToken,
    /// The cached token expires soon, or has expired.
    Expiring,
    /// An API refused the last token.
    Refused,
    /// The program asked for a new token, with [`TokenSource::renew`](crate::TokenSource::renew).
    Forced,
}

impl Reason {
    /// Returns a word for this reason, such as `no_token`, for a label in metrics.
    ///
    /// It is the name of the variant in snake case. The words of all variants are stable: a new
    /// version may add words, but does not change one.
    ///
    /// ```
    /// use client_credentials::Reason;
    ///
    /// assert_eq!(Reason::NoToken.name(), "no_token");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::Expiring => "expiring",
            Self::Refused => "refused",
            Self::Forced => "forced",
        }
    }
}

/// What was decided after an API refused a token.
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
/// # use std::sync::{Arc, Mutex};
/// # let script = Script::new();
/// # script.token("one", 3600); script.token("two", 3600);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let builder = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock());
/// use client_credentials::{EventKind, Verdict};
///
/// let verdicts = Arc::new(Mutex::new(Vec::new()));
/// let seen = Arc::clone(&verdicts);
/// let builder = builder.on_event(move |event| {
///     if let EventKind::Refused { verdict, .. } = event.kind {
///         seen.lock().unwrap().push(verdict);
///     }
/// });
/// let source = builder.build()?;
/// for error in ["insufficient_scope", "invalid_token"] {
///     let answer = http::Response::builder()
///         .status(401)
///         .header("www-authenticate", format!("Bearer error={error}"))
///         .body(())?;
///     let mut request = http::Request::get("https://api.example.com/").body(())?;
///     let _ = source.call(&mut request)?.retry(&mut request, &answer);
/// }
/// assert_eq!(*verdicts.lock().unwrap(), [Verdict::Useless, Verdict::Replay]);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The request is sent once more, with another token.
    Replay,
    /// The token was dropped, but the body of the request cannot be sent again.
    NotReplayable,
    /// The challenge says that another token would not help (RFC 6750 section 3.1).
    Useless,
    /// The HTTP client followed a redirect before this answer, and removed the token, so the token was
    /// not refused. The request goes to where the redirect led, once more and with the token, if its
    /// method is safe and that URL may receive the token.
    Redirected,
    /// The authorization server issued the very same token again.
    SameToken,
    /// No other token could be had; the caller gets the answer.
    RenewalFailed,
    /// The last renewal after a refusal was less than 10 seconds ago; the caller gets the answer.
    TooSoon,
}

impl Verdict {
    /// Returns a word for this verdict, such as `same_token`, for a label in metrics.
    ///
    /// It is the name of the variant in snake case. The words of all variants are stable: a new
    /// version may add words, but does not change one.
    ///
    /// ```
    /// use client_credentials::Verdict;
    ///
    /// assert_eq!(Verdict::SameToken.name(), "same_token");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::NotReplayable => "not_replayable",
            Self::Useless => "useless",
            Self::Redirected => "redirected",
            Self::SameToken => "same_token",
            Self::RenewalFailed => "renewal_failed",
            Self::TooSoon => "too_soon",
        }
    }
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
            EventKind::NotSent { error } => write!(f, "no token requested: {error:?}"),
            EventKind::LifetimeIgnored { found } => write!(
                f,
                "the lifetime of the token is {found}, so TokenSourceBuilder::fallback_lifetime counts instead"
            ),
            EventKind::ClockCorrected { offset } => write!(
                f,
                "this machine's clock is {} s {} the server's; assertions say the server's time from now on",
                offset.unsigned_abs(),
                if offset < 0 { "ahead of" } else { "behind" }
            ),
            EventKind::Waited { duration } => write!(f, "waited {duration:?} for a token requested by another caller"),
            #[cfg(feature = "store")]
            EventKind::Loaded { age } => write!(f, "token taken from the store, requested {age:?} ago"),
            #[cfg(feature = "store")]
            EventKind::StoreFailed { error } => {
                write!(f, "the token store: {}", Excerpt(format!("{error:?}").as_bytes()))
            }
            EventKind::RenewalFailed { error } => write!(f, "renewal failed, the cached token is still used: {error}"),
            EventKind::RememberedFailure { error } => write!(f, "not asked again so soon after: {error}"),
            EventKind::Refused { status, verdict, error: None } => {
                write!(f, "the API answered {status}: {verdict:?}")
            }
            EventKind::Refused { status, verdict, error: Some(error) } => {
                write!(f, "the API answered {status}: {verdict:?}: {error}")
            }
            EventKind::OriginNotAllowed { origin } => write!(
                f,
                "{origin} answered 401 to a request without a token; if it should receive one, name it with \
                 TokenRequest::allow_origin"
            ),
            EventKind::LengthRequired { origin } => write!(
                f,
                "{origin} answered 411 to a request whose body has no stated length; put a Content-Length header on \
                 it, or raise TokenSourceBuilder::replay_limit, so that the body is kept in memory"
            ),
            EventKind::Replayed { status: Some(status) } => write!(f, "request replayed, answer {status}"),
            EventKind::Replayed { status: None } => write!(f, "request replayed, no answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dashboards and alerts depend on these words, so none of them may change.
    #[test]
    fn d50_each_event_reason_and_verdict_has_a_word_that_never_changes() {
        let error = &Error::configuration("for a test");
        let (reason, verdict, duration) = (Reason::NoToken, Verdict::Replay, Duration::ZERO);
        let kinds = [
            EventKind::Requested { reason, retry: 0 },
            EventKind::Answered { duration, status: None, error: None },
            EventKind::NotSent { error },
            EventKind::LifetimeIgnored { found: "0" },
            EventKind::ClockCorrected { offset: -5 },
            EventKind::Waited { duration },
            EventKind::RenewalFailed { error },
            EventKind::RememberedFailure { error },
            EventKind::Refused { status: 401, verdict, error: None },
            EventKind::OriginNotAllowed { origin: "" },
            EventKind::LengthRequired { origin: "" },
            EventKind::Replayed { status: None },
        ];
        let words = [
            "requested",
            "answered",
            "not_sent",
            "lifetime_ignored",
            "clock_corrected",
            "waited",
            "renewal_failed",
            "remembered_failure",
            "refused",
            "origin_not_allowed",
            "length_required",
            "replayed",
        ];
        assert_eq!(kinds.map(|kind| kind.name()), words);
        #[cfg(feature = "store")]
        {
            let error = &StoreError::new("for a test");
            let kinds = [EventKind::Loaded { age: duration }, EventKind::StoreFailed { error }];
            assert_eq!(kinds.map(|kind| kind.name()), ["loaded", "store_failed"]);
        }

        let reasons = [Reason::NoToken, Reason::Expiring, Reason::Refused, Reason::Forced];
        assert_eq!(reasons.map(Reason::name), ["no_token", "expiring", "refused", "forced"]);

        let verdicts = [
            Verdict::Replay,
            Verdict::NotReplayable,
            Verdict::Useless,
            Verdict::Redirected,
            Verdict::SameToken,
            Verdict::RenewalFailed,
            Verdict::TooSoon,
        ];
        let words = ["replay", "not_replayable", "useless", "redirected", "same_token", "renewal_failed", "too_soon"];
        assert_eq!(verdicts.map(Verdict::name), words);
    }
}
