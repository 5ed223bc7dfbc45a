//! The settings of a source that are not part of the question.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cache::CacheKey;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::event::Event;
use crate::policy::Policy;
use crate::request::TokenRequest;
use crate::source::clock::{Clock, SystemClock};
use crate::source::store::TokenCache;
use crate::source::{Hook, Inner, TokenSource};
use crate::transport::Transport;

/// Builds a [`TokenSource`]. Every setting has a default that is meant to be left alone.
///
/// # Examples
///
/// ```
/// # use client_credentials::test_util::Script;
/// # let transport = Script::new();
/// use std::time::Duration;
/// use client_credentials::{Credentials, TokenRequest, TokenSource};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// let source = TokenSource::builder(Credentials::new("id", "secret"), request, transport)
///     .timeout(Duration::from_secs(10))
///     .retries(0)
///     .build()?;
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct TokenSourceBuilder {
    credentials: Credentials,
    request: TokenRequest,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    policy: Policy,
    hook: Option<Box<Hook>>,
    cache: TokenCache,
}

impl TokenSourceBuilder {
    pub(super) fn new(credentials: Credentials, request: TokenRequest, transport: Arc<dyn Transport>) -> Self {
        Self {
            credentials,
            request,
            transport,
            clock: Arc::new(SystemClock),
            policy: Policy::default(),
            hook: None,
            cache: TokenCache::new(1),
        }
    }

    /// Shares tokens with every other source of this cache that asks the same question. Default: a cache of its own.
    /// See the example of [`TokenCache`].
    pub fn cache(mut self, cache: &TokenCache) -> Self {
        self.cache = cache.clone();
        self
    }

    /// Calls `hook` for every [`Event`], in the thread where it happens, outside of all locks. Default: none.
    /// See the example of [`Event`].
    pub fn on_event(mut self, hook: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// The longest time for one token request with its retries, and for waiting for somebody else's.
    /// Default: 30 seconds.
    ///
    /// See the example of [`TokenSourceBuilder`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = timeout;
        self
    }

    /// The longest time until the connection to the token endpoint stands. Default: 5 seconds.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// let builder = TokenSource::builder(Credentials::new("id", "secret"), request, Script::new())
    ///     .connect_timeout(std::time::Duration::from_secs(1));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.policy.connect_timeout = timeout;
        self
    }

    /// How often a token request is repeated within one call, after connection errors, timeouts and the statuses 408,
    /// 429 and 5xx, if there is no other token to use meanwhile. Default: 2.
    ///
    /// See the example of [`TokenSourceBuilder`].
    pub fn retries(mut self, retries: u32) -> Self {
        self.policy.retries = retries;
        self
    }

    /// A token counts as expired this long before it is, but at most half its lifetime. Default: 30 seconds, at most
    /// a quarter of the lifetime.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// let builder = TokenSource::builder(Credentials::new("id", "secret"), request, Script::new())
    ///     .early_expiry(std::time::Duration::from_secs(60));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn early_expiry(mut self, margin: Duration) -> Self {
        self.policy.early_expiry = Some(margin);
        self
    }

    /// The lifetime of a token whose answer has no `expires_in`; `None`: it is used until an API refuses it.
    /// Default: 300 seconds.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://my.salesforce.com/services/oauth2/token")?.allow_origin("https://api.example.com")?;
    /// let builder = TokenSource::builder(Credentials::new("id", "secret"), request, Script::new())
    ///     .fallback_lifetime(None);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn fallback_lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.policy.fallback_lifetime = lifetime;
        self
    }

    /// The largest request body, in bytes, that the agent keeps to send it again after a 401. Larger bodies are sent
    /// in chunks as they are read (unless the request has a `Content-Length` header), and not sent again. 0: what
    /// is no GET, HEAD, OPTIONS or TRACE is left alone and not sent again. Default: 1 MiB.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// let builder = TokenSource::builder(Credentials::new("id", "secret"), request, Script::new()).replay_limit(0);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn replay_limit(mut self, bytes: usize) -> Self {
        self.policy.replay_limit = bytes;
        self
    }

    /// Another clock, for tests. Default: [`SystemClock`].
    ///
    /// ```
    /// # use client_credentials::{Credentials, SystemClock, TokenRequest, TokenSource, test_util::Script};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// let builder = TokenSource::builder(Credentials::new("id", "secret"), request, Script::new()).clock(SystemClock);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the settings against each other. No request is sent and no closure called.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if there is no origin that may receive the token, or the credentials do not go with
    /// the request (see [`TokenRequest::encode`]).
    ///
    /// See the example of [`TokenSourceBuilder`].
    pub fn build(self) -> Result<TokenSource, Error> {
        if !self.request.names_an_origin() {
            return Err(Error::configuration(
                "no origin may receive this token: neither audience nor resource is an https URL; name the API, as in \
                 TokenRequest::allow_origin(\"https://api.example.com\")",
            ));
        }
        let key = CacheKey::new(&self.request, &self.credentials)?;
        Ok(TokenSource(Arc::new(Inner {
            flight: self.cache.flight(&key),
            credentials: self.credentials,
            request: self.request,
            transport: self.transport,
            clock: self.clock,
            policy: self.policy,
            hook: self.hook,
            bare: Mutex::default(),
        })))
    }
}

impl fmt::Debug for TokenSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSourceBuilder")
            .field("credentials", &self.credentials)
            .field("request", &self.request)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
