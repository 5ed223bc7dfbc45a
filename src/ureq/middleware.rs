//! Puts tokens on the requests of an agent, and sends a request once more after a 401.
//!
//! ureq's `MiddlewareNext` can be used once, so the second attempt goes through a plain agent of our own, with the
//! calling agent's configuration pinned on the request. For our own agent so does the first, and without a
//! configuration on the request there is nothing to pin.

use std::fmt;
use std::io::{self, Read};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::ureq::config::RedirectAuthHeaders;
use ::ureq::http::header::{AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING};
use ::ureq::http::request::Parts;
use ::ureq::http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use ::ureq::middleware::MiddlewareNext;
use ::ureq::{Agent, Body, Error, RequestExt as _, ResponseExt as _, SendBody};

use crate::event::{EventKind, Verdict};
use crate::source::TokenSource;
use crate::token::AccessToken;
use crate::ureq::probe::{Probe, Wishes};
use crate::ureq::transport::{IsTokenRequest, is_plain_loopback, read_beyond};

/// Puts tokens on the requests of a ureq agent: made by [`TokenSource::middleware`].
///
/// A request gets a token if its URL may receive it ([`TokenSource::allows`]) and it has no `Authorization` header
/// yet; any other request is passed on untouched. After a 401 that a new token may mend, the request is sent once more,
/// if its body can be.
///
/// If there is no token to be had, the request is not sent, and the call returns the [`Error`](crate::Error) inside a
/// `ureq::Error`: see [`Error::from_ureq`](crate::Error::from_ureq). Cheap to clone.
///
/// # Examples
///
/// A request with an `Authorization` header of its own keeps it:
///
/// ```
/// # use client_credentials::test_util::{Script, TokenServer};
/// # use client_credentials::{Credentials, TokenRequest, TokenSource};
/// # let (script, api) = (Script::new(), TokenServer::start()?);
/// # script.token("t", 3600);
/// # let items = format!("http://{}/v1/items", api.address());
/// # let request = TokenRequest::new("https://auth.example.com/token")?.allow_origin(&items)?;
/// # let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request, script).build()?;
/// let agent: ureq::Agent =
///     ureq::Agent::config_builder().middleware(source.middleware()).build().into();
/// agent.get(&items).header("authorization", "Basic bWU6cHc=").call()?;
/// assert_eq!(api.requests()[0].headers()["authorization"], "Basic bWU6cHc=");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Middleware(Arc<Inner>);

struct Inner {
    source: TokenSource,
    /// The calling agent is ours: it has ureq's defaults, and a proxy it has comes from the environment.
    own_agent: bool,
    /// Sends what carries a token and cannot, or need not, go through the calling agent.
    plain: Agent,
    probe: Probe,
    /// Of a caller who says nothing.
    usual: Wishes,
}

impl Middleware {
    pub(super) fn new(source: TokenSource, own_agent: bool) -> Self {
        let plain = Agent::config_builder()
            .http_status_as_error(false)
            .save_redirect_history(true)
            .redirect_auth_headers(RedirectAuthHeaders::Never)
            .build();
        Self(Arc::new(Inner { source, own_agent, plain: plain.into(), probe: Probe::new(), usual: Wishes::default() }))
    }
}

impl fmt::Debug for Middleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Middleware").field(&self.0.source).finish()
    }
}

impl ::ureq::middleware::Middleware for Middleware {
    fn handle(&self, mut request: Request<SendBody>, next: MiddlewareNext) -> Result<Response<Body>, Error> {
        if request.headers().contains_key(AUTHORIZATION) || request.extensions().get::<IsTokenRequest>().is_some() {
            return next.handle(request);
        }
        if self.0.source.allows(request.uri()) {
            return self.0.handle(request, next);
        }
        let uri = request.uri().clone();
        let authorized = request.extensions_mut().get_or_insert_default::<Authorized>().clone();
        let result = next.handle(request);
        if status(&result) == Some(StatusCode::UNAUTHORIZED.as_u16()) && !authorized.0.load(Ordering::Relaxed) {
            self.0.source.report_origin(&uri);
        }
        result
    }
}

/// Whether a token was put on a request by the middleware of another source, after one that may not do so.
#[derive(Clone, Default)]
struct Authorized(Arc<AtomicBool>);

impl Inner {
    fn handle(&self, request: Request<SendBody>, next: MiddlewareNext) -> Result<Response<Body>, Error> {
        let (mut parts, body) = request.into_parts();
        if let Some(authorized) = parts.extensions.get::<Authorized>() {
            authorized.0.store(true, Ordering::Relaxed);
        }
        let mut call = Call::new(self, &parts);
        let token = self.source.token_within(call.token_budget(&parts)).map_err(other)?;
        let mut payload = Payload::of(body, &parts, self.source.settings().replay_limit)?;
        let mut again = call.pin(&mut parts, &token)?;
        let mut response =
            payload.send(parts, |first| if self.own_agent { self.plain.run(first) } else { next.handle(first) })?;
        if response.status() < StatusCode::BAD_REQUEST {
            return Ok(response);
        }
        let status_as_error = call.wishes(&again).http_status_as_error;
        if let Some(token) = call.replacement(&again, &token, &response, payload.is_replayable()) {
            drop(response);
            call.pin(&mut again, &token)?;
            let result = payload.send(again, |second| self.plain.run(second));
            self.source.emit(EventKind::Replayed { status: status(&result) });
            response = result?;
        }
        let status = response.status();
        if status_as_error && (status.is_client_error() || status.is_server_error()) {
            return Err(Error::StatusCode(status.as_u16()));
        }
        Ok(response)
    }

    /// A proxy of the environment would see what plain http says to this machine.
    fn avoids_proxy(&self, uri: &Uri) -> bool {
        self.own_agent && self.plain.config().proxy().is_some() && is_plain_loopback(uri)
    }
}

/// One call through the middleware.
struct Call<'a> {
    inner: &'a Inner,
    /// `None`: the configuration of the plain agent is all that this call needs.
    began: Option<Instant>,
    /// What the caller wants, read only when it is needed.
    wishes: Option<Wishes>,
}

impl<'a> Call<'a> {
    fn new(inner: &'a Inner, parts: &Parts) -> Self {
        // ureq's mark of the calling agent is always there; what the caller wants of this call would be a second.
        let is_plain = inner.own_agent && parts.extensions.len() == 1 && !inner.avoids_proxy(&parts.uri);
        let began = (!is_plain).then(|| inner.source.clock().monotonic());
        Self { inner, began, wishes: is_plain.then_some(inner.usual) }
    }

    fn wishes(&mut self, parts: &Parts) -> Wishes {
        *self.wishes.get_or_insert_with(|| self.inner.probe.wishes(&parts.extensions))
    }

    /// How long a token may take: the source's own limit, or what the call's `timeout_global` leaves.
    fn token_budget(&mut self, parts: &Parts) -> Duration {
        let own = self.inner.source.settings().timeout;
        self.wishes(parts);
        self.global_left().map_or(own, |left| own.min(left))
    }

    /// What is left of `timeout_global`, once it has been read: before that, no time was spent.
    fn global_left(&self) -> Option<Duration> {
        let (began, global) = (self.began?, self.wishes?.timeout_global?);
        Some(global.saturating_sub(self.inner.source.clock().monotonic().saturating_duration_since(began)))
    }

    /// Puts the token on the head of a request, and what else it needs to be sent; returns what can be pinned once more.
    fn pin(&self, parts: &mut Parts, token: &AccessToken) -> Result<Parts, Error> {
        let again = if self.began.is_none() {
            let (mut copy, ()) = Request::new(()).into_parts();
            copy.method = parts.method.clone();
            copy.uri = parts.uri.clone();
            copy.version = parts.version;
            copy.headers = parts.headers.clone();
            copy
        } else {
            let pinned = self.configured(parts)?;
            mem::replace(parts, pinned)
        };
        parts.headers.insert(AUTHORIZATION, token.header_value().clone());
        Ok(again)
    }

    /// The caller's configuration fixed on the request: with answers instead of errors, so that their headers can be
    /// read, and without carrying the token along on a redirect, which ureq would do to another port.
    fn configured(&self, parts: &Parts) -> Result<Parts, Error> {
        let Some(config) = Request::from_parts(parts.clone(), ()).middleware_config() else {
            // Without ureq's mark nothing can be pinned, and a redirect might carry the token along.
            return Err(other(crate::error::Error::configuration(
                "a middleware before this one made the request anew and lost its extensions; it must keep them",
            )));
        };
        let config = config
            .http_status_as_error(false)
            .save_redirect_history(true)
            .redirect_auth_headers(RedirectAuthHeaders::Never);
        let config = if self.inner.avoids_proxy(&parts.uri) { config.proxy(None) } else { config };
        let config = match self.global_left() {
            Some(left) => config.timeout_global(Some(left)),
            None => config,
        };
        Ok(config.build().into_parts().0)
    }

    /// The token for a second attempt, if there is to be one.
    fn replacement(
        &mut self,
        parts: &Parts,
        token: &AccessToken,
        response: &Response<Body>,
        replayable: bool,
    ) -> Option<AccessToken> {
        if response.status() != StatusCode::UNAUTHORIZED {
            return None;
        }
        // ureq takes the token off at every redirect, so a 401 after one is no refusal of it.
        if response.get_redirect_history().is_some_and(|history| history.len() > 1) {
            self.inner.source.emit(EventKind::Refused { verdict: Verdict::Redirected });
            return None;
        }
        let budget = self.token_budget(parts);
        self.inner.source.after_refusal(token, response.headers(), replayable, budget)
    }
}

/// The body of a request, as far as it must be known to send it twice.
struct Payload<'a> {
    /// What was read of it.
    bytes: Vec<u8>,
    /// How much of that this attempt has sent.
    sent: usize,
    rest: Rest<'a>,
    /// Goes out with a `Content-Length` of ours.
    counted: bool,
}

enum Rest<'a> {
    /// All of the body was read.
    Nothing,
    /// More than may be kept.
    Reader(Box<dyn Read + 'a>),
    /// Not looked at; it can be sent once.
    Untouched(Option<SendBody<'a>>),
}

/// Room for a body, in bytes, before it is known how long it is.
const USUAL_BODY: usize = 1024;

impl<'a> Payload<'a> {
    /// A whole body goes out with an exact `Content-Length`, unless the caller has set the framing. ureq does not tell
    /// whether there is a body, so one without a byte counts as none, except for the methods that always have one.
    fn of(body: SendBody<'a>, parts: &Parts, limit: usize) -> Result<Self, Error> {
        if limit == 0 && !parts.method.is_safe() {
            return Ok(Self { bytes: Vec::new(), sent: 0, rest: Rest::Untouched(Some(body)), counted: false });
        }
        let expects_body = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        let mut reader = body.into_reader();
        let mut bytes = Vec::with_capacity(if expects_body { USUAL_BODY } else { 0 });
        read_beyond(limit, &mut reader, &mut bytes)?;
        if bytes.len() > limit {
            return Ok(Self { bytes, sent: 0, rest: Rest::Reader(Box::new(reader)), counted: false });
        }
        let counted = (expects_body || !bytes.is_empty())
            && !parts.headers.contains_key(CONTENT_LENGTH)
            && !parts.headers.contains_key(TRANSFER_ENCODING);
        Ok(Self { bytes, sent: 0, rest: Rest::Nothing, counted })
    }

    fn is_replayable(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    /// The request with this body, from its beginning.
    fn send<T>(&mut self, mut parts: Parts, how: impl FnOnce(Request<SendBody>) -> T) -> T {
        self.sent = 0;
        if self.counted {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(self.bytes.len()));
        }
        match &mut self.rest {
            Rest::Untouched(body) => match body.take() {
                Some(body) => how(with_body(parts, body)),
                None => how(with_body(parts, SendBody::none())),
            },
            Rest::Nothing if self.bytes.is_empty() => how(with_body(parts, SendBody::none())),
            Rest::Nothing | Rest::Reader(_) => how(with_body(parts, SendBody::from_reader(self))),
        }
    }
}

impl Read for Payload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&self.bytes[self.sent..]).read(buffer)?;
        self.sent += read;
        match &mut self.rest {
            Rest::Reader(rest) if read == 0 => rest.read(buffer),
            _ => Ok(read),
        }
    }
}

/// The status of an answer, however the agent reports it.
fn status(result: &Result<Response<Body>, Error>) -> Option<u16> {
    match result {
        Ok(response) => Some(response.status().as_u16()),
        Err(Error::StatusCode(status)) => Some(*status),
        Err(_) => None,
    }
}

fn other(error: crate::error::Error) -> Error {
    Error::Other(error.into())
}

fn with_body(parts: Parts, body: SendBody) -> Request<SendBody> {
    Request::from_parts(parts, body)
}
