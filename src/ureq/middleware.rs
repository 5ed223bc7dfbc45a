//! The middleware of a wrapped agent: authorizes its requests, sends them through the caller's
//! own agent, and sends a request once more after a 401. Like any other adapter, it uses `Call`
//! and no internals of the crate. Imports `error`, `source`.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::ureq::config::RedirectAuthHeaders;
use ::ureq::http::request::Parts;
use ::ureq::http::{Extensions, HeaderMap, Request, Response, StatusCode, Uri};
use ::ureq::middleware::{Middleware, MiddlewareNext};
use ::ureq::{Agent, AsSendBody, Body, Error, ResponseExt as _, SendBody};

use crate::source::TokenSource;
use crate::source::call::Call;
use crate::ureq::body::{Outgoing, Payload, drained};
use crate::ureq::call_settings::Settings;
use crate::ureq::transport::{IsTokenRequest, is_this_machine};

pub(super) struct Authorize {
    source: TokenSource,
    /// The caller's agent, which sends everything: with a token or without, and both attempts.
    inner: Agent,
    /// The settings in force when the caller sets none.
    usual: Wishes,
    /// Whether `inner` already has the settings that a request with a token needs. Then nothing is
    /// pinned on a request, because ureq would make a new TLS configuration for each connection.
    is_ready: bool,
    /// Whether this crate made the agent. If so, its proxy comes from the environment.
    own_agent: bool,
}

/// What the caller wants of one call.
#[derive(Clone, Copy)]
struct Wishes {
    /// `None` if it cannot be read. ureq itself then reports the status as the caller wants it.
    status_as_error: Option<bool>,
    /// The time limit of the whole call, if it is known, and its setting.
    time: Option<(Duration, &'static str)>,
    /// Whether the settings of `inner` may differ from these wishes.
    of_this_call: bool,
}

impl Authorize {
    pub(super) fn new(source: TokenSource, inner: Agent, status_as_error: bool, own_agent: bool) -> Self {
        let config = inner.config();
        let time = config.timeouts().global;
        let is_ready = !config.http_status_as_error()
            && config.save_redirect_history()
            && config.redirect_auth_headers() == RedirectAuthHeaders::Never
            && time.is_none();
        let time = time.map(|time| (time, "timeout_global of the agent"));
        let usual = Wishes { status_as_error: Some(status_as_error), time, of_this_call: false };
        Self { source, inner, usual, is_ready, own_agent }
    }
}

impl Middleware for Authorize {
    fn handle(&self, request: Request<SendBody>, _: MiddlewareNext) -> Result<Response<Body>, Error> {
        // A source that needs a server for its tokens might need this one. One that signs them itself
        // may authorize the token request of another source.
        if request.extensions().get::<IsTokenRequest>().is_some() && !self.source.is_self_signed() {
            return self.run_as_it_is(request);
        }
        let wishes = self.wishes(request.extensions());
        let mut prepared = self.source.prepare();
        if let Some((time, setting)) = wishes.time {
            prepared = prepared.within(time).limited_by(setting);
        }
        let (mut parts, body) = request.into_parts();
        let call = prepared
            .authorize_parts(&parts.method, &parts.uri, &mut parts.headers)
            .map_err(|error| Error::Other(error.into()))?;
        if call.is_authorized() {
            self.run(call, &mut parts, body, wishes)
        } else {
            self.pass_on(call, Request::from_parts(parts, body), wishes)
        }
    }
}

impl Authorize {
    /// Sends a request that carries a token, and once more if that may help.
    fn run(&self, mut call: Call, parts: &mut Parts, body: SendBody, wishes: Wishes) -> Result<Response<Body>, Error> {
        if let Some(mark) = parts.extensions.get::<Authorized>() {
            mark.0.store(true, Ordering::Relaxed);
        }
        let mut payload = Payload::new(body, parts, self.source.replay_limit())?;
        call.replayable(payload.is_replayable());
        let mut refusal = None;
        loop {
            let attempt = copy(parts);
            let result = match payload.outgoing() {
                Outgoing::Nothing => self.send(Request::from_parts(attempt, ()), &call, wishes),
                Outgoing::Bytes(body) => self.send(Request::from_parts(attempt, body), &call, wishes),
                Outgoing::Stream(body) => self.send(Request::from_parts(attempt, body), &call, wishes),
                Outgoing::Untouched(body) => self.send(Request::from_parts(attempt, body), &call, wishes),
            };
            let (no_headers, headers);
            let status = match &result {
                Ok(response) => {
                    let status = response.status();
                    let redirects = if is_error(status) { response.get_redirect_history() } else { None };
                    if let Some([_, .., last]) = redirects {
                        call.answered_by(last);
                    }
                    headers = response.headers();
                    status
                }
                // This call wants errors for statuses. Such an error hides the challenge and
                // redirects, and a POST that was answered by a redirect before its 401 must not be
                // sent again.
                Err(Error::StatusCode(status)) => {
                    call.replayable(payload.is_replayable() && parts.method.is_idempotent());
                    no_headers = HeaderMap::new();
                    headers = &no_headers;
                    StatusCode::from_u16(*status).unwrap_or_default()
                }
                // These are answers, too.
                Err(Error::TooManyRedirects | Error::RedirectFailed) => return result,
                Err(_) => {
                    let refusal = refusal.filter(|_| parts.method.is_safe());
                    return refusal.unwrap_or(result);
                }
            };
            if !call.retry_parts(&parts.method, &mut parts.uri, &mut parts.headers, status, headers) {
                return as_wished(result, wishes);
            }
            refusal = Some(as_wished(result.map(drained), wishes));
        }
    }

    /// Sends a request that this source leaves alone, as it is.
    fn pass_on(&self, mut call: Call, mut request: Request<SendBody>, wishes: Wishes) -> Result<Response<Body>, Error> {
        let (method, mut uri) = (request.method().clone(), request.uri().clone());
        let mark = request.extensions_mut().get_or_insert_default::<Authorized>().clone();
        let result = as_wished(self.run_as_it_is(request), wishes);
        if status(&result) == Some(StatusCode::UNAUTHORIZED) && !mark.0.load(Ordering::Relaxed) {
            let none = HeaderMap::new();
            let _ = call.retry_parts(&method, &mut uri, &mut HeaderMap::new(), StatusCode::UNAUTHORIZED, &none);
            if let (Err(_), Some(error)) = (&result, call.origin_error()) {
                return Err(Error::Other(error.clone().into()));
            }
        }
        result
    }

    /// Sends a request that carries a token. An error status is returned as an answer, so that its
    /// headers can be read. Redirects are recorded, and do not take the token along.
    fn send(&self, request: Request<impl AsSendBody>, call: &Call, wishes: Wishes) -> Result<Response<Body>, Error> {
        let avoids_proxy = self.avoids_proxy(request.uri());
        let may_be_redirected = self.source.sends_authorization();
        if self.is_ready && !wishes.of_this_call && !avoids_proxy && may_be_redirected {
            return self.inner.run(request);
        }
        let mut config = self
            .inner
            .configure_request(request)
            .save_redirect_history(true)
            .redirect_auth_headers(RedirectAuthHeaders::Never);
        if wishes.status_as_error.is_some() {
            config = config.http_status_as_error(false);
        }
        if let (Some(_), Some(left)) = (wishes.status_as_error, call.time_left()) {
            config = config.timeout_global(Some(left));
        }
        if avoids_proxy {
            config = config.proxy(None);
        }
        if !may_be_redirected {
            // ureq would take the token along, because it takes off no header but `Authorization`.
            config = config.max_redirects(0).max_redirects_will_error(false);
        }
        self.inner.run(config.build())
    }

    /// Sends a request without any setting but that of the proxy.
    fn run_as_it_is(&self, request: Request<SendBody>) -> Result<Response<Body>, Error> {
        if self.avoids_proxy(request.uri()) {
            return self.inner.run(self.inner.configure_request(request).proxy(None).build());
        }
        self.inner.run(request)
    }

    /// Returns whether the proxy of the environment must not be asked (D31).
    fn avoids_proxy(&self, uri: &Uri) -> bool {
        self.own_agent && self.inner.config().proxy().is_some() && is_this_machine(uri)
    }

    fn wishes(&self, extensions: &Extensions) -> Wishes {
        // ureq's mark of the calling agent is always there. Settings of the call would be a second
        // extension.
        if extensions.len() == 1 {
            return self.usual;
        }
        if let Some(settings) = extensions.get::<Settings>() {
            let usual = self.usual.status_as_error.filter(|_| !settings.has_others);
            return Wishes {
                status_as_error: settings.status_as_error.or(usual),
                time: settings.time.map(|time| (time, "CallSettings::within")).or(self.usual.time),
                of_this_call: true,
            };
        }
        if self.has_settings(extensions) {
            return Wishes { status_as_error: None, of_this_call: true, ..self.usual };
        }
        self.usual
    }

    /// Returns whether a call has settings of its own, by ureq's `config()`. ureq does not say what
    /// they are, but it adds them to a request only if there are none.
    fn has_settings(&self, extensions: &Extensions) -> bool {
        let mut probe = Request::new(());
        *probe.extensions_mut() = extensions.clone();
        self.inner.configure_request(probe).build().extensions().len() == extensions.len()
    }
}

/// Whether the middleware of another source, further inside, put a token on a request that this
/// one left alone.
#[derive(Clone, Default)]
struct Authorized(Arc<AtomicBool>);

/// Copies the head of the request for one attempt. `parts` keeps what another one needs.
fn copy(parts: &mut Parts) -> Parts {
    let (mut copy, ()) = Request::new(()).into_parts();
    copy.method = parts.method.clone();
    copy.uri = parts.uri.clone();
    copy.version = parts.version;
    copy.headers = parts.headers.clone();
    // The mark of the calling agent alone is not needed again: the inner agent sets its own.
    copy.extensions =
        if parts.extensions.len() > 1 { parts.extensions.clone() } else { mem::take(&mut parts.extensions) };
    copy
}

/// Returns the outcome of a call, with the status reported as its caller wants it.
fn as_wished(result: Result<Response<Body>, Error>, wishes: Wishes) -> Result<Response<Body>, Error> {
    match result {
        Ok(response) if wishes.status_as_error == Some(true) && is_error(response.status()) => {
            Err(Error::StatusCode(response.status().as_u16()))
        }
        result => result,
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Returns the status of an answer, however the agent reports it.
fn status(result: &Result<Response<Body>, Error>) -> Option<StatusCode> {
    match result {
        Ok(response) => Some(response.status()),
        Err(Error::StatusCode(status)) => StatusCode::from_u16(*status).ok(),
        Err(_) => None,
    }
}
