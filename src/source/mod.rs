//! The token source: puts the clock, the locks and the transport together, in the right order.
//! Imports `protocol`, `renewal` and the common ground below them.
//!
//! Its parts: `builder` and `store_settings` (settings), `call` (one API request and its 401), `acquire`
//! (getting a token), `plan` and `fetch` (token requests), `obtain` and `desk` (a store), `emit` (events), `thread_cache` (each thread's own copies), `shared_slot` (a slot with
//! its mutex), `token_cache` (slots that sources share) and `snapshot` (what `inspect` returns).

#[cfg(feature = "keys")]
mod self_signed;

mod acquire;
pub(crate) mod builder;
pub(crate) mod call;
#[cfg(feature = "store")]
mod desk;
mod emit;
mod fetch;
#[cfg(feature = "store")]
mod obtain;
mod plan;
mod shared_slot;
pub(crate) mod snapshot;
#[cfg(feature = "store")]
mod store_settings;
mod thread_cache;
pub(crate) mod token_cache;

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::clock::{Clock, Deadline};
use crate::error::{Error, OriginNotAllowed};
use crate::event::Event;
use crate::origin;
use crate::protocol::credentials::Credentials;
#[cfg(feature = "store")]
use crate::protocol::encode::Prepared;
use crate::protocol::request::TokenRequest;
use crate::protocol::token::AccessToken;
use crate::renewal::caller::{Lead, Outcome, Refusal, Usable};
use crate::renewal::settings::Settings;
use crate::renewal::slot::Slot;
#[cfg(feature = "store")]
use crate::source::plan::{Plan, Told};
use crate::source::shared_slot::SharedSlot;
use crate::source::snapshot::Snapshot;
use crate::transport::Transport;

/// Hands out valid access tokens: fetches a token once, caches it, renews it before it expires,
/// and replaces it when an API refuses it.
///
/// A source is cheap to clone, and its clones share everything. No thread runs in the background:
/// one caller renews the token inside its own call. Until the token is about to expire, all other
/// callers use it without waiting. Every wait ends by a deadline, 30 seconds unless set
/// otherwise.
///
/// # Examples
///
/// ```
/// # use client_credentials::test_util::Script;
/// # let script = Script::new();
/// # script.token("t", 3600);
/// use client_credentials::{Credentials, TokenRequest, TokenSource};
///
/// let credentials = Credentials::new("my-client", "s3cret");
/// let request = TokenRequest::new("https://auth.example.com/oauth/token")?
///     .audience("https://api.example.com");
/// # let transport = script.clone();
/// let source = TokenSource::builder(credentials, request).transport(transport).build()?;
///
/// let mut request = http::Request::get("https://api.example.com/v1/items").body(())?;
/// source.authorize(&mut request)?;
/// assert_eq!(request.headers()["authorization"], "Bearer t");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

struct Inner {
    credentials: Credentials,
    request: TokenRequest,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    hook: Option<Box<Hook>>,
    renew_in_background: Option<Background>,
    refused_when: Option<Box<RefusedWhen>>,
    /// A trait object, so that a program that sets no store does not contain what asks it.
    #[cfg(feature = "store")]
    store: Option<Box<dyn Obtain>>,
    slot: Arc<SharedSlot>,
    /// The key of this source in the cache of each thread.
    id: usize,
    /// Origins that answered 401 and may not receive the token.
    origins_not_allowed: Mutex<Vec<String>>,
    /// Whether its tokens are made without a token endpoint.
    self_signed: bool,
    /// Whether a request has carried a token of this source.
    authorized: AtomicBool,
    /// Seconds by which the server's clock is ahead, for the time in assertions.
    clock_offset: AtomicI32,
    adapter: OnceLock<Box<dyn Any + Send + Sync>>,
}

type Hook = dyn Fn(&Event<'_>) + Send + Sync;
type RefusedWhen = dyn Fn(StatusCode, &HeaderMap) -> bool + Send + Sync;

/// What starts a renewal in the background. A program that does not choose it links no threads.
type Background = fn(&TokenSource, Lead, &Usable) -> bool;

/// How a fetch ends for its slot, and for the caller that led it.
type Obtained = (Outcome, Result<AccessToken, Error>);

/// Gets a token that other processes use, too.
#[cfg(feature = "store")]
trait Obtain: Send + Sync {
    fn obtain(&self, source: &TokenSource, plan: &Plan, events: &mut Vec<Told>) -> Obtained;

    /// Returns what tells other processes whether they would send the same proof.
    fn proof(&self, prepared: &Prepared) -> String;
}

impl TokenSource {
    /// Returns a token that is valid now, from the cache if there is one. Waits at most for the
    /// timeout of the source.
    ///
    /// # Errors
    ///
    /// - [`Error::Configuration`] if this call comes from inside the token request itself.
    /// - [`Error::Credentials`] if the client secret could not be read.
    /// - [`Error::Transport`] if the token endpoint did not answer, or the time ran out.
    /// - [`Error::Denied`] if the authorization server refused the token request.
    /// - [`Error::Protocol`] if its answer could not be used.
    ///
    /// A failure is remembered for a while (1 to 30 seconds, longer if the server says so) and
    /// returned at once to callers that ask again in that time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// let token = source.token()?;
    /// assert_eq!(source.token()?.secret(), token.secret());
    /// assert_eq!(script.requests().len(), 1);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn token(&self) -> Result<AccessToken, Error> {
        self.token_by(None)
    }

    /// Returns a token that is valid now, as [`token`](Self::token) does, or an error after at most
    /// `budget`. A token request that this call started ends with the budget; a caller with more
    /// time then makes another.
    ///
    /// # Errors
    ///
    /// The same as for [`token`](Self::token): [`Error::Configuration`], [`Error::Credentials`],
    /// [`Error::Transport`] (also when the budget is used up), [`Error::Denied`],
    /// [`Error::Protocol`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// let token = source.token_within(std::time::Duration::from_millis(500))?;
    /// assert_eq!(token.secret(), "t");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn token_within(&self, budget: Duration) -> Result<AccessToken, Error> {
        self.token_in(budget, "TokenSource::token_within")
    }

    fn token_in(&self, budget: Duration, setting: &'static str) -> Result<AccessToken, Error> {
        let deadline = || Deadline::after(self.0.clock.monotonic(), budget, setting);
        self.recall().map_or_else(|| self.acquire(Some(deadline()), None), Ok)
    }

    /// Fetches a new token, even if the cached one is good. At most one token is fetched per
    /// second.
    ///
    /// # Errors
    ///
    /// The same as for [`token`](Self::token): [`Error::Configuration`], [`Error::Credentials`],
    /// [`Error::Transport`], [`Error::Denied`], [`Error::Protocol`]. The cached token is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("one", 3600); script.token("two", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// assert_eq!(source.token()?.secret(), "one");
    /// assert_eq!(source.renew()?.secret(), "two");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn renew(&self) -> Result<AccessToken, Error> {
        let last = self.0.slot.inspect(Slot::last_fetch);
        self.acquire(None, Some(last))
    }

    /// Puts a valid token on a request, after a check that its URL may receive it. Replaces an
    /// `Authorization` header that is already there.
    ///
    /// # Errors
    ///
    /// [`Error::OriginNotAllowed`] if the URL may not receive the token; otherwise the same as for
    /// [`token`](Self::token). The request is then unchanged and should not be sent.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// use client_credentials::Error;
    ///
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).build()?;
    /// let mut request = http::Request::get("https://api.example.com/v1/items").body(())?;
    /// source.authorize(&mut request)?;
    /// assert_eq!(request.headers()["authorization"], "Bearer t");
    ///
    /// let mut elsewhere = http::Request::get("https://example.net/").body(())?;
    /// assert!(matches!(source.authorize(&mut elsewhere), Err(Error::OriginNotAllowed(_))));
    /// assert!(elsewhere.headers().is_empty());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn authorize<B>(&self, request: &mut http::Request<B>) -> Result<AccessToken, Error> {
        let token = self.token_for(request.uri(), None)?;
        token.put_on(request.headers_mut());
        Ok(token)
    }

    /// Puts a valid token on a request, as [`authorize`](Self::authorize) does, or returns an error
    /// after at most `budget`.
    ///
    /// # Errors
    ///
    /// The same as for [`authorize`](Self::authorize): [`Error::OriginNotAllowed`],
    /// [`Error::Configuration`], [`Error::Credentials`], [`Error::Transport`] (also when the budget
    /// is used up), [`Error::Denied`], [`Error::Protocol`].
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
    /// source.authorize_within(&mut request, std::time::Duration::from_secs(2))?;
    /// assert_eq!(request.headers()["authorization"], "Bearer t");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn authorize_within<B>(&self, request: &mut http::Request<B>, budget: Duration) -> Result<AccessToken, Error> {
        let token = self.token_for(request.uri(), Some(budget))?;
        token.put_on(request.headers_mut());
        Ok(token)
    }

    /// Reports that an API refused this token, with a 401 or in its own way. The token is dropped
    /// only if it is still the cached one, and at most once in 10 seconds. Returns whether the next
    /// call gets another token.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("one", 3600); script.token("two", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// let one = source.token()?;
    /// assert!(source.refused(&one));
    /// let two = source.token()?;
    /// // A late 401 for the old token does not affect the new one.
    /// let _ = source.refused(&one);
    /// assert_eq!(source.token()?.secret(), two.secret());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use = "false: the token stays, because another one was refused less than 10 seconds ago"]
    pub fn refused(&self, token: &AccessToken) -> bool {
        !matches!(self.refuse(token), Refusal::TooSoon)
    }

    /// Returns what is known about the token right now, for health pages and support. Contains no
    /// secret.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).build()?;
    /// assert!(!source.inspect().has_token);
    /// source.token()?;
    /// let state = source.inspect();
    /// assert!(state.has_token && state.last_error.is_none());
    /// println!("{} token requests, the next in {:?}", state.fetches, state.renews_in);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Snapshot {
        let now = self.0.clock.now();
        let not_allowed = self.0.origins_not_allowed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.slot.inspect(|slot| Snapshot::new(slot, &self.0.settings, now, not_allowed))
    }

    /// Returns whether this source may put a token on a request for this URL. See
    /// [`TokenRequest::allows`].
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(Script::new()).build()?;
    /// assert!(source.allows(&"https://api.example.com/v1".parse().unwrap()));
    /// assert!(!source.allows(&"https://api.example.net/v1".parse().unwrap()));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn allows(&self, uri: &http::Uri) -> bool {
        self.0.request.allows(uri)
    }

    /// Returns the largest request body, in bytes, that an adapter should keep in memory to be able
    /// to send it again after a 401. See
    /// [`TokenSourceBuilder::replay_limit`](crate::TokenSourceBuilder::replay_limit).
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(Script::new()).build()?;
    /// assert_eq!(source.replay_limit(), 1024 * 1024);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn replay_limit(&self) -> usize {
        self.0.settings.replay_limit
    }

    #[allow(dead_code, reason = "used by the adapters that the features select")]
    pub(crate) fn is_self_signed(&self) -> bool {
        self.0.self_signed
    }

    /// The value that an adapter of this crate keeps with the source, made at the first call.
    #[allow(dead_code, reason = "used by the adapters that the features select")]
    pub(crate) fn adapter<T: Any + Clone + Send + Sync>(&self, make: impl FnOnce() -> T) -> T {
        let kept = self.0.adapter.get_or_init(|| Box::new(make()));
        kept.downcast_ref::<T>().cloned().expect("a source has one kind of adapter")
    }

    /// Remembers that a request has carried a token.
    fn has_authorized(&self) {
        // Not stored again and again: the cache line is shared by all threads.
        if !self.0.authorized.load(Ordering::Relaxed) {
            self.0.authorized.store(true, Ordering::Relaxed);
        }
    }

    /// The error for a 401 from an origin that is not allowed, before any request has carried a token.
    fn origin_error(&self, uri: &http::Uri) -> Option<Error> {
        (!self.0.authorized.load(Ordering::Relaxed)).then(|| not_allowed(uri))
    }

    fn accept(&self, token: &AccessToken) {
        self.0.slot.accept(token);
    }

    /// Whether the token is sent in a header that HTTP clients take off at a redirect.
    #[allow(dead_code, reason = "used by the adapters that the features select")]
    pub(crate) fn sends_authorization(&self) -> bool {
        self.0.request.sends_authorization()
    }

    pub(crate) fn refuse(&self, token: &AccessToken) -> Refusal {
        self.0.slot.refuse(token, self.0.clock.now(), &self.0.settings)
    }

    fn token_for(&self, uri: &http::Uri, budget: Option<Duration>) -> Result<AccessToken, Error> {
        if !self.allows(uri) {
            return Err(not_allowed(uri));
        }
        let token = match budget {
            Some(budget) => self.token_in(budget, "TokenSource::authorize_within")?,
            None => self.token()?,
        };
        self.has_authorized();
        Ok(token)
    }
}

fn not_allowed(uri: &http::Uri) -> Error {
    Error::OriginNotAllowed(Arc::new(OriginNotAllowed { origin: origin::display(uri) }))
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("credentials", &self.0.credentials)
            .field("request", &self.0.request)
            .field("state", &self.inspect())
            .finish_non_exhaustive()
    }
}
