//! One call of an API: authorizes its request, reads its answer, and says after a 401 whether to
//! send the request once more, with another token. Imports `caller`, `challenge`, `clock`,
//! `error`, `event`, `origin`, `source`, `token`.

use std::fmt;
use std::mem;
use std::thread;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};

use crate::clock::Deadline;
use crate::error::Error;
use crate::event::{EventKind, Verdict};
use crate::origin;
use crate::protocol::challenge::{self, Challenge};
use crate::protocol::token::AccessToken;
use crate::renewal::caller::Refusal;
use crate::source::TokenSource;

impl TokenSource {
    /// Puts a valid token on a request, and returns the [`Call`] that reads its answer.
    ///
    /// This is short for [`prepare`](Self::prepare) and [`PreparedCall::authorize`]. A request is
    /// left as it is if its origin may not receive the token, or if it already has an
    /// `Authorization` header: see [`Call::is_authorized`].
    ///
    /// # Errors
    ///
    /// The same as for [`token`](Self::token): [`Error::Configuration`], [`Error::Credentials`],
    /// [`Error::Transport`], [`Error::Denied`], [`Error::Protocol`]. The request is then unchanged
    /// and should not be sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("one", 3600); script.token("two", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// # fn send(request: &http::Request<()>) -> http::Response<()> {
    /// #     let status = if request.headers()["authorization"] == "Bearer one" { 401 } else { 200 };
    /// #     http::Response::builder().status(status).body(()).unwrap()
    /// # }
    /// let mut request = http::Request::get("https://api.example.com/").body(())?;
    /// let mut call = source.call(&mut request)?;
    /// let mut response = send(&request);
    /// while call.retry(&mut request, &response) {
    ///     response = send(&request);
    /// }
    /// assert_eq!(response.status(), 200);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn call<B>(&self, request: &mut Request<B>) -> Result<Call<'_>, Error> {
        self.prepare().authorize(request)
    }

    /// Starts a call that has a time limit, or whose request is not an [`http::Request`].
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// use std::time::Duration;
    ///
    /// let mut request = http::Request::get("https://api.example.com/").body(())?;
    /// let call = source.prepare().within(Duration::from_secs(10)).authorize(&mut request)?;
    /// assert!(call.time_left() <= Some(Duration::from_secs(10)));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn prepare(&self) -> PreparedCall<'_> {
        PreparedCall { source: self, deadline: None }
    }
}

/// A call whose request is not authorized yet, made by [`TokenSource::prepare`].
///
/// # Examples
///
/// ```
/// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
/// # let script = Script::new();
/// # script.token("t", 3600);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
/// let mut request = http::Request::get("https://api.example.com/").body(())?;
/// let prepared = source.prepare().within(std::time::Duration::from_secs(2));
/// let call = prepared.authorize(&mut request)?;
/// assert_eq!(request.headers()["authorization"], "Bearer t");
/// # assert!(call.is_authorized());
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a call does nothing before `authorize`"]
pub struct PreparedCall<'s> {
    source: &'s TokenSource,
    deadline: Option<Deadline>,
}

impl<'s> PreparedCall<'s> {
    /// Limits the call to this long from now: the wait for a token, and the wait for another one
    /// after a 401. [`Call::time_left`] is what remains for the request itself. Default: no limit
    /// but the source's own for each token request
    /// ([`TokenSourceBuilder::timeout`](crate::TokenSourceBuilder::timeout)).
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// use std::time::Duration;
    ///
    /// let mut request = http::Request::get("https://api.example.com/").body(())?;
    /// let no_time = source.prepare().within(Duration::ZERO).authorize(&mut request);
    /// assert!(matches!(no_time, Err(Error::Transport(_))));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn within(mut self, budget: Duration) -> Self {
        let now = self.source.0.clock.monotonic();
        self.deadline = Some(Deadline::after(now, budget, "PreparedCall::within"));
        self
    }

    /// Names the setting behind the limit that [`within`](Self::within) has set, for the error of a
    /// token request that it ended. For adapters, whose users do not call `within` themselves.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// # let timeout = std::time::Duration::ZERO;
    /// let mut request = http::Request::get("https://api.example.com/").body(())?;
    /// let prepared = source.prepare().within(timeout).limited_by("the timeout of my client");
    /// let error = prepared.authorize(&mut request).unwrap_err();
    /// assert!(error.to_string().ends_with("or allow more time (the timeout of my client)"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn limited_by(mut self, setting: &'static str) -> Self {
        if let Some(deadline) = &mut self.deadline {
            deadline.setting = setting;
        }
        self
    }

    /// Puts a valid token on the request.
    ///
    /// # Errors
    ///
    /// The same as for [`TokenSource::call`]: [`Error::Configuration`], [`Error::Credentials`],
    /// [`Error::Transport`] (also when the time is up), [`Error::Denied`], [`Error::Protocol`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// let mut elsewhere = http::Request::get("https://example.net/").body(())?;
    /// let call = source.prepare().authorize(&mut elsewhere)?;
    /// assert!(!call.is_authorized());
    /// assert!(elsewhere.headers().is_empty());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn authorize<B>(self, request: &mut Request<B>) -> Result<Call<'s>, Error> {
        let call = self.start(request.method(), request.uri(), request.headers())?;
        call.put_token(request.headers_mut());
        Ok(call)
    }

    /// Puts a valid token on the headers of a request that is not an [`http::Request`].
    ///
    /// `method` and `uri` are those of the request; `uri` decides whether it may carry the token.
    ///
    /// # Errors
    ///
    /// The same as for [`authorize`](Self::authorize): [`Error::Configuration`],
    /// [`Error::Credentials`], [`Error::Transport`], [`Error::Denied`], [`Error::Protocol`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// use http::{HeaderMap, Method, Uri};
    ///
    /// let uri = Uri::from_static("https://api.example.com/v1/items");
    /// let mut headers = HeaderMap::new();
    /// let call = source.prepare().authorize_parts(&Method::GET, &uri, &mut headers)?;
    /// assert_eq!(headers["authorization"], "Bearer t");
    /// # assert!(call.is_authorized());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[inline]
    pub fn authorize_parts(self, method: &Method, uri: &Uri, headers: &mut HeaderMap) -> Result<Call<'s>, Error> {
        let call = self.start(method, uri, headers)?;
        call.put_token(headers);
        Ok(call)
    }

    fn start(self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Call<'s>, Error> {
        let Self { source, deadline } = self;
        let state = if headers.contains_key(source.0.request.token_header_name()) {
            State::OwnAuthorization
        } else if source.allows(uri) {
            let token = source.token_by(deadline)?;
            source.has_authorized();
            State::First(token)
        } else {
            State::OriginNotAllowed
        };
        Ok(Call {
            source,
            deadline,
            state,
            is_safe: method.is_safe(),
            replayable: true,
            redirected: None,
            target: None,
            origin_error: None,
        })
    }
}

/// One call of an API, from its authorized request to its last answer, made by
/// [`TokenSource::call`].
///
/// An adapter for an HTTP client sends the request, gives every answer to [`retry`](Self::retry),
/// and sends the request again if `retry` says so. `Call` does the rest: it decides which answers
/// refuse the token and whether another token may help, allows at most one second attempt, and
/// emits the [events](crate::Event). The agent of the feature `ureq` is such an adapter and uses
/// nothing else.
///
/// A call that left the request alone ([`is_authorized`](Self::is_authorized) is false) never
/// changes it later, either. It only reports a 401 from an origin that is not allowed.
///
/// # Examples
///
/// An adapter for a client without the types of the `http` crate; `send` is that client:
///
/// ```
/// # use client_credentials::{Credentials, TokenRequest, test_util::Script};
/// # let script = Script::new();
/// # script.token("one", 3600); script.token("two", 3600);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
/// # fn send(url: &str, authorization: Option<&str>) -> (u16, Vec<(String, String)>) {
/// #     (if authorization == Some("Bearer one") { 401 } else { 200 }, Vec::new())
/// # }
/// use client_credentials::TokenSource;
/// use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
///
/// fn get(source: &TokenSource, url: &str) -> Result<u16, Box<dyn std::error::Error>> {
///     let (mut uri, mut headers) = (url.parse::<Uri>()?, HeaderMap::new());
///     let mut call = source.prepare().authorize_parts(&Method::GET, &uri, &mut headers)?;
///     loop {
///         let authorization = headers.get("authorization");
///         let authorization = authorization.map(|value| value.to_str()).transpose()?;
///         let (status, answer) = send(&uri.to_string(), authorization);
///         let mut answer_headers = HeaderMap::new();
///         for (name, value) in &answer {
///             answer_headers.append(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
///         }
///         let code = StatusCode::from_u16(status)?;
///         if !call.retry_parts(&Method::GET, &mut uri, &mut headers, code, &answer_headers) {
///             return Ok(status);
///         }
///     }
/// }
///
/// assert_eq!(get(&source, "https://api.example.com/v1/items")?, 200);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[must_use = "give each answer to `retry`"]
pub struct Call<'s> {
    source: &'s TokenSource,
    deadline: Option<Deadline>,
    state: State,
    /// Of the request's method (RFC 9110 section 9.2.1).
    is_safe: bool,
    replayable: bool,
    /// Where the last redirect led.
    redirected: Option<Uri>,
    /// Where the second attempt goes, if not to the URL of the first.
    target: Option<Uri>,
    origin_error: Option<Error>,
}

enum State {
    /// The request has an `Authorization` header of its own.
    OwnAuthorization,
    /// Its origin may not receive the token.
    OriginNotAllowed,
    /// The first attempt carries this token.
    First(AccessToken),
    /// The second attempt carries this one, and there is no answer yet.
    Second(AccessToken),
    /// The last answer was read.
    Over,
}

impl Call<'_> {
    /// Sets whether the request can be sent again in full. Default: `true`.
    ///
    /// Set this to `false` before [`retry`](Self::retry) if the body was a stream that is used up.
    /// A 401 then still drops the token, so that the next call gets another one. A 411 to such a
    /// request, if it has no `Content-Length` header, is reported as
    /// [`EventKind::LengthRequired`](crate::EventKind::LengthRequired).
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// # let refused = http::Response::builder().status(401).body(())?;
    /// let mut request = http::Request::put("https://api.example.com/upload").body(())?;
    /// let mut call = source.call(&mut request)?;
    /// call.replayable(false);
    /// // ... the body is sent as it is read, and the API answers 401 ...
    /// assert!(!call.retry(&mut request, &refused));
    /// assert!(!source.inspect().has_token);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn replayable(&mut self, replayable: bool) -> &mut Self {
        self.replayable = replayable;
        self
    }

    /// Reports that the HTTP client followed a redirect, and that the next answer comes from `uri`.
    ///
    /// A 401 then says nothing about the token, because the client removed the `Authorization` header
    /// on the way. If the method of the request is safe (RFC 9110 section 9.2.1) and `uri` may receive
    /// the token, [`retry`](Self::retry) sets the request's URI to `uri`, and the request should be
    /// sent once more. Any other request may have been applied, and is not sent again. Call this even
    /// for a redirect to the request's own URL, if the client can tell.
    ///
    /// Some clients take the `Authorization` header along to any host (attohttpc 0.31 and minreq
    /// 3.0 do). An adapter for one of them must not let it follow redirects while
    /// [`is_authorized`](Self::is_authorized) is true.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// # let refused = http::Response::builder().status(401).body(())?;
    /// let mut request = http::Request::get("https://api.example.com/items").body(())?;
    /// let mut call = source.call(&mut request)?;
    /// // ... the client was redirected to /items/ and got a 401 there ...
    /// call.answered_by(&"https://api.example.com/items/".parse()?);
    /// assert!(call.retry(&mut request, &refused));
    /// assert_eq!(request.uri(), "https://api.example.com/items/");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn answered_by(&mut self, uri: &Uri) -> &mut Self {
        self.redirected = Some(uri.clone());
        self
    }

    /// Reads an answer, and returns whether the request should be sent once more. If so, the
    /// request already carries another token. Call this for every answer, whatever its status.
    ///
    /// Returns `true` if all of this holds: the status is 401 (or 400 with the Bearer error
    /// `invalid_token`), and the challenge does not say that a new token is useless (RFC 6750 section
    /// 3.1), or [`refused_when`](crate::TokenSourceBuilder::refused_when) calls the answer a refusal;
    /// the request carried a token of this source and can be sent again; and a different token can be
    /// had in the time left. After a redirect: see [`answered_by`](Self::answered_by). It returns
    /// `true` at most once.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("one", 3600); script.token("two", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// let mut request = http::Request::get("https://api.example.com/").body(())?;
    /// let mut call = source.call(&mut request)?;
    /// let refused = http::Response::builder().status(401).body(())?;
    /// assert!(call.retry(&mut request, &refused));
    /// assert_eq!(request.headers()["authorization"], "Bearer two");
    /// assert!(!call.retry(&mut request, &refused)); // the caller gets this 401
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "true: send the request again"]
    pub fn retry<B, C>(&mut self, request: &mut Request<B>, response: &Response<C>) -> bool {
        let retry = self.read(request.uri(), request.headers(), response.status(), response.headers());
        if retry {
            if let Some(target) = self.target.take() {
                *request.uri_mut() = target;
            }
            self.put_token(request.headers_mut());
        }
        retry
    }

    /// Reads an answer as [`retry`](Self::retry) does, for clients without the types of the `http`
    /// crate: method, URI and headers of the request, status and headers of the answer.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("one", 3600); script.token("two", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// use http::{HeaderMap, Method, StatusCode, Uri};
    ///
    /// let (method, mut headers) = (Method::GET, HeaderMap::new());
    /// let mut uri = Uri::from_static("https://api.example.com/v1/items");
    /// let mut call = source.prepare().authorize_parts(&method, &uri, &mut headers)?;
    /// let (status, answer) = (StatusCode::UNAUTHORIZED, HeaderMap::new());
    /// assert!(call.retry_parts(&method, &mut uri, &mut headers, status, &answer));
    /// assert_eq!(headers["authorization"], "Bearer two");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use = "true: send the request again"]
    pub fn retry_parts(
        &mut self,
        _method: &Method,
        uri: &mut Uri,
        headers: &mut HeaderMap,
        status: StatusCode,
        answer: &HeaderMap,
    ) -> bool {
        let retry = self.read(uri, headers, status, answer);
        if retry {
            if let Some(target) = self.target.take() {
                *uri = target;
            }
            self.put_token(headers);
        }
        retry
    }

    /// Returns whether the request carries a token of this source.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// let mut request = http::Request::get("https://api.example.com/").body(())?;
    /// assert!(source.call(&mut request)?.is_authorized());
    /// let mut own = http::Request::get("https://api.example.com/")
    ///     .header("authorization", "Basic eDp5")
    ///     .body(())?;
    /// assert!(!source.call(&mut own)?.is_authorized());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_authorized(&self) -> bool {
        !matches!(self.state, State::OwnAuthorization | State::OriginNotAllowed)
    }

    /// Returns the error that a program should see instead of the 401 that was read, if the origin may
    /// not receive the token and this source has authorized no request yet.
    ///
    /// The API may be at another origin than the audience, which a bare status 401 does not tell. Once
    /// a request was authorized, and in a program that reads statuses itself, a 401 of another origin
    /// is just that.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(Script::new()).build()?;
    /// # let refused = http::Response::builder().status(401).body(())?;
    /// let mut request = http::Request::get("https://items.example.com/v1/items").body(())?;
    /// let mut call = source.call(&mut request)?;
    /// // ... the API answers 401 to a request without a token ...
    /// assert!(!call.retry(&mut request, &refused));
    /// let error = call.origin_error().expect("nothing was authorized yet");
    /// assert!(error.to_string().contains("TokenRequest::allow_origin"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn origin_error(&self) -> Option<&Error> {
        self.origin_error.as_ref()
    }

    /// Returns what is left of the time that [`PreparedCall::within`] set; `None` without a limit.
    ///
    /// It can be zero even before the first attempt, if the wait for the token took all the time.
    /// An adapter should not send the request then, because with a limit of zero some clients do.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// use std::time::Duration;
    ///
    /// let mut request = http::Request::get("https://api.example.com/").body(())?;
    /// let call = source.prepare().within(Duration::from_secs(10)).authorize(&mut request)?;
    /// script.clock().advance(Duration::from_secs(4));
    /// assert_eq!(call.time_left(), Some(Duration::from_secs(6)));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.left(self.source.0.clock.monotonic()))
    }

    /// Reads an answer, and returns whether to send the request once more, with the token that is
    /// then in the state.
    fn read(&mut self, uri: &Uri, sent: &HeaderMap, status: StatusCode, headers: &HeaderMap) -> bool {
        match mem::replace(&mut self.state, State::Over) {
            State::First(token) => {
                if status == StatusCode::LENGTH_REQUIRED && !self.replayable && !sent.contains_key(CONTENT_LENGTH) {
                    self.source.emit(EventKind::LengthRequired { origin: &origin::display(uri) });
                }
                match self.refused_by(status, headers) {
                    None => self.source.accept(&token),
                    Some(refused) => self.decide(token, &refused),
                }
            }
            State::Second(token) => {
                self.source.emit(EventKind::Replayed { status: Some(status.as_u16()) });
                if self.refused_by(status, headers).is_none() {
                    self.source.accept(&token);
                }
            }
            State::Over => {}
            State::OwnAuthorization => self.state = State::OwnAuthorization,
            State::OriginNotAllowed => {
                if status == StatusCode::UNAUTHORIZED {
                    self.source.report_origin(uri);
                    self.origin_error = self.source.origin_error(uri);
                }
                self.state = State::OriginNotAllowed;
            }
        }
        matches!(self.state, State::Second(_))
    }

    /// Returns the refusal in an answer, if it is one.
    fn refused_by(&self, status: StatusCode, headers: &HeaderMap) -> Option<Refused> {
        if status < StatusCode::BAD_REQUEST {
            return None;
        }
        let challenges = || Challenge::parse(headers.get_all(WWW_AUTHENTICATE));
        let renewal_may_help = match status {
            StatusCode::UNAUTHORIZED => Some(challenge::renewal_may_help(&challenges())),
            StatusCode::BAD_REQUEST => challenge::says_invalid_token(&challenges()).then_some(true),
            _ => None,
        };
        match &self.source.0.refused_when {
            Some(refuses) if renewal_may_help != Some(true) && refuses(status, headers) => Some(true),
            _ => renewal_may_help,
        }
        .map(|renewal_may_help| Refused { status, renewal_may_help })
    }

    /// Decides what follows an answer that refused this token, or seems to.
    fn decide(&mut self, token: AccessToken, refused: &Refused) {
        if let Some(target) = self.redirected.take() {
            self.emit_refused(refused, Verdict::Redirected, None);
            // The client removed the token on the way, so nobody has refused it.
            if !self.source.allows(&target) {
                self.source.report_origin(&target);
            } else if self.is_safe && self.replayable {
                self.target = Some(target);
                self.state = State::Second(token);
            }
            return;
        }
        let (verdict, error) = match self.successor(&token, refused) {
            Ok(successor) => {
                self.state = State::Second(successor);
                (Verdict::Replay, None)
            }
            Err((verdict, error)) => (verdict, error),
        };
        self.emit_refused(refused, verdict, error.as_ref());
    }

    fn emit_refused(&self, refused: &Refused, verdict: Verdict, error: Option<&Error>) {
        self.source.emit(EventKind::Refused { status: refused.status.as_u16(), verdict, error });
    }

    /// Returns the token for a second attempt, or the reason why there is none.
    fn successor(&self, token: &AccessToken, refused: &Refused) -> Result<AccessToken, (Verdict, Option<Error>)> {
        if !refused.renewal_may_help {
            return Err((Verdict::Useless, None));
        }
        let successor = match self.source.refuse(token) {
            Refusal::TooSoon => return Err((Verdict::TooSoon, None)),
            _ if !self.replayable => return Err((Verdict::NotReplayable, None)),
            Refusal::Superseded(successor) => successor,
            Refusal::Dropped => {
                self.source.token_by(self.deadline).map_err(|error| (Verdict::RenewalFailed, Some(error)))?
            }
        };
        if successor.is_same(token) { Err((Verdict::SameToken, None)) } else { Ok(successor) }
    }

    fn put_token(&self, headers: &mut HeaderMap) {
        if let State::First(token) | State::Second(token) = &self.state {
            token.put_on(headers);
        }
    }
}

/// An answer that refuses the token, or may do so.
struct Refused {
    status: StatusCode,
    renewal_may_help: bool,
}

/// A call that is dropped before the answer to its second attempt was read emits
/// [`EventKind::Replayed`] without a status.
impl Drop for Call<'_> {
    fn drop(&mut self) {
        if matches!(self.state, State::Second(_)) && !thread::panicking() {
            self.source.emit(EventKind::Replayed { status: None });
        }
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("is_authorized", &self.is_authorized()).finish_non_exhaustive()
    }
}

impl fmt::Debug for PreparedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedCall").finish_non_exhaustive()
    }
}
