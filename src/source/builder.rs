//! The settings of a source, apart from credentials and token request. Imports `clock`,
//! `credentials`, `error`, `event`, `key`, `request`, `settings`, `shared_slot`, `source`,
//! `token_cache`, `transport`.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI32};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::event::Event;
use crate::protocol::credentials::Credentials;
use crate::protocol::key::CacheKey;
use crate::protocol::request::TokenRequest;
use crate::renewal::settings::Settings;
use crate::source::shared_slot::SharedSlot;
#[cfg(feature = "store")]
use crate::source::store_settings::{Client, StoreSettings};
use crate::source::thread_cache;
use crate::source::token_cache::{TokenCache, jitter};
use crate::source::{Background, Hook, Inner, RefusedWhen, TokenSource};
#[cfg(feature = "store")]
use crate::store::TokenStore;
use crate::transport::{Transport, TransportIdentity};

/// The settings of a [`TokenSource`].
///
/// Every setting has a default, and most programs need no other.
///
/// # Examples
///
/// ```
/// # use client_credentials::test_util::Script;
/// # let transport = Script::new();
/// use std::time::Duration;
/// use client_credentials::{Credentials, TokenRequest, TokenSource};
///
/// let request = TokenRequest::new("https://auth.example.com/token")?
///     .audience("https://api.example.com");
/// let credentials = Credentials::new("my-client", "s3cret");
/// let source = TokenSource::builder(credentials, request)
///     .transport(transport)
///     .timeout(Duration::from_secs(10))
///     .retries(0)
///     .build()?;
/// assert!(!source.inspect().has_token);
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[must_use = "a builder does nothing before `build`"]
pub struct TokenSourceBuilder {
    credentials: Credentials,
    request: TokenRequest,
    transport: Option<Arc<dyn Transport>>,
    default_transport: Option<fn() -> Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    hook: Option<Box<Hook>>,
    renew_in_background: Option<Background>,
    refused_when: Option<Box<RefusedWhen>>,
    shared: Option<Box<FindSlot>>,
    #[cfg(feature = "store")]
    store: Option<StoreSettings>,
    /// Whether its tokens are made without a token endpoint.
    pub(super) self_signed: bool,
}

/// A longer timeout counts as this.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Finds the shared slot of a token request. It is a closure, so that a program without a shared
/// cache contains neither the keys nor the map.
type FindSlot = dyn Fn(&TokenRequest, &Credentials, TransportIdentity) -> Result<Arc<SharedSlot>, Error> + Send + Sync;

// The feature `ureq` has a `builder` of its own, with a default transport.
#[cfg(not(feature = "ureq"))]
impl TokenSource {
    /// Starts a source, which needs a [`transport`](TokenSourceBuilder::transport).
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest, TokenSource};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// let transport = |_: http::Request<Vec<u8>>, _: &Attempt| {
    ///     // ... your HTTP client sends the token request ...
    ///     Ok(http::Response::new(br#"{"access_token":"t","expires_in":3600}"#.to_vec()))
    /// };
    /// let source = TokenSource::builder(credentials, request).transport(transport).build()?;
    /// assert_eq!(source.token()?.secret(), "t");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn builder(credentials: Credentials, request: TokenRequest) -> TokenSourceBuilder {
        TokenSourceBuilder::new(credentials, request, None)
    }
}

impl TokenSourceBuilder {
    /// Starts with all defaults. `default_transport` makes the transport if none is set.
    pub(crate) fn new(
        credentials: Credentials,
        request: TokenRequest,
        default_transport: Option<fn() -> Arc<dyn Transport>>,
    ) -> Self {
        Self {
            credentials,
            request,
            transport: None,
            default_transport,
            clock: Arc::new(SystemClock),
            settings: Settings::default(),
            hook: None,
            renew_in_background: None,
            refused_when: None,
            shared: None,
            #[cfg(feature = "store")]
            store: None,
            self_signed: false,
        }
    }

    /// Sets what sends the token requests. Default: [`UreqTransport`](crate::UreqTransport) with
    /// the feature `ureq`. Without the feature there is no default, and [`build`](Self::build)
    /// returns an error if no transport is set.
    ///
    /// ```
    /// # use client_credentials::{Attempt, Credentials, TokenRequest, TokenSource};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// let transport = |_: http::Request<Vec<u8>>, _: &Attempt| {
    ///     // ... your HTTP client sends the token request ...
    ///     Ok(http::Response::new(br#"{"access_token":"t","expires_in":3600}"#.to_vec()))
    /// };
    /// let source = TokenSource::builder(credentials, request).transport(transport).build()?;
    /// assert_eq!(source.token()?.secret(), "t");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Shares tokens with every other source of this cache that has an identical token request.
    /// Default: only the clones of the source share its token.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenCache, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// # let transport = script.clone();
    /// let cache = TokenCache::default();
    /// for _ in 0..2 {
    ///     let source = TokenSource::builder(credentials.clone(), request.clone())
    ///         .transport(transport.clone())
    ///         .cache(&cache)
    ///         .build()?;
    ///     source.token()?;
    /// }
    /// assert_eq!(script.requests().len(), 1);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn cache(mut self, cache: &TokenCache) -> Self {
        let cache = cache.clone();
        self.shared = Some(Box::new(move |request, credentials, transport| {
            Ok(cache.slot(CacheKey::new(request, credentials)?, transport))
        }));
        self
    }

    /// Shares the token with every process that has the same store and an identical token request.
    /// Default: the token stays in this process.
    ///
    /// The process that needs a token looks into the store first. If there is none, one process fetches
    /// it, and the others wait for it, at most two thirds of their time. A token is renewed ahead of
    /// expiry by one of them. A failed request is shared, too: a wrong secret costs one request in 10
    /// seconds, however many processes have it. Callers with a valid token do not ask the store.
    ///
    /// A store that fails is reported ([`EventKind::StoreFailed`](crate::EventKind::StoreFailed)), and
    /// then left alone for 1 to 30 seconds. The process fetches for itself meanwhile.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::{MemoryStore, Script}};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let (store, transport) = (MemoryStore::new(), script.clone());
    /// let process = || {
    ///     TokenSource::builder(Credentials::new("my-client", "s3cret"), request.clone())
    /// #         .transport(transport.clone())
    /// #         .store_as("my-client")
    ///         .store(store.clone())
    ///         .build()
    /// };
    /// assert_eq!(process()?.token()?.secret(), "t");
    /// assert_eq!(process()?.token()?.secret(), "t");
    /// assert_eq!(script.requests().len(), 1);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[cfg(feature = "store")]
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.store.get_or_insert_default().set_store(store);
        self
    }

    /// Names the client in the [store](Self::store), if what decides about its token cannot be compared
    /// between processes: a closure that returns the secret, a key, an assertion or a parameter, a key
    /// that signs elsewhere, a transport of your own, [`Credentials::public`] and [`Credentials::none`].
    /// Default: no name, so [`build`](Self::build) refuses such a source with a store.
    ///
    /// Processes with the same name share a token, so give different names to what must have different
    /// tokens: to two certificates, to two secrets that are valid at the same time. The name is part of
    /// what the [`StoreKey`](crate::StoreKey) is made of, beside the token request.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Secret, TokenRequest, TokenSource, test_util::{MemoryStore, Script}};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let (store, transport) = (MemoryStore::new(), Script::new());
    /// let credentials = Credentials::with_secret_from("my-client", || {
    ///     Ok(Secret::from(std::fs::read_to_string("/run/secrets/client")?.trim_end()))
    /// });
    /// let source = TokenSource::builder(credentials, request)
    /// #     .transport(transport)
    ///     .store(store)
    ///     .store_as("my-client")
    ///     .build()?;
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[cfg(feature = "store")]
    pub fn store_as(mut self, name: impl Into<String>) -> Self {
        self.store.get_or_insert_default().set_name(name.into());
        self
    }

    /// Calls `hook` for every [`Event`], on the thread where it happens and outside of all locks.
    /// Default: no hook.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.json(503, ""); script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let builder = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock());
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use client_credentials::EventKind;
    ///
    /// let retries = Arc::new(AtomicUsize::new(0));
    /// let counter = Arc::clone(&retries);
    /// let builder = builder.on_event(move |event| {
    ///     if matches!(event.kind, EventKind::Requested { retry: 1.., .. }) {
    ///         counter.fetch_add(1, Ordering::Relaxed);
    ///     }
    /// });
    /// builder.build()?.token()?; // the server is busy at first
    /// assert_eq!(retries.load(Ordering::Relaxed), 1);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn on_event(mut self, hook: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Sets the longest time for one token request with its retries, and for waiting for the
    /// request of another caller. Default: 30 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Credentials, Attempt, TokenRequest, TokenSource};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// // The HTTP client of the token request gets the limit with each attempt.
    /// let transport = |_: http::Request<Vec<u8>>, attempt: &Attempt| {
    ///     assert!(attempt.timeout <= Duration::from_secs(3));
    ///     Ok(http::Response::new(br#"{"access_token":"t"}"#.to_vec()))
    /// };
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .timeout(Duration::from_secs(3))
    ///     .build()?;
    /// assert!(source.token().is_ok());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Sets the maximum time to establish a connection to the token endpoint. Default: 5 seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Credentials, Attempt, TokenRequest, TokenSource};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// let transport = |_: http::Request<Vec<u8>>, attempt: &Attempt| {
    ///     assert_eq!(attempt.connect_timeout, Duration::from_secs(1));
    ///     Ok(http::Response::new(br#"{"access_token":"t"}"#.to_vec()))
    /// };
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .connect_timeout(Duration::from_secs(1))
    ///     .build()?;
    /// assert!(source.token().is_ok());
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// Sets how often a token request is repeated within one call, after errors that may pass by
    /// themselves ([`Error::is_retryable`]): connection errors, timeouts, the statuses 408, 429 and
    /// 5xx, and a secret that could not be read. A request is not repeated while the old token can
    /// be used instead. Default: 2.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// # let transport = script.clone();
    /// script.json(503, "");
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .retries(0)
    ///     .build()?;
    /// assert!(source.token().is_err());
    /// assert_eq!(script.requests().len(), 1);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// Sets the early expiry: a token counts as expired this long before it is, and is then used
    /// only if no new one comes in time. At most half of the lifetime counts. Default: 30 seconds,
    /// but at most a quarter of the lifetime.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// # let transport = script.clone();
    /// script.token("one", 3600);
    /// script.token("two", 3600);
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .clock(script.clock())
    ///     .early_expiry(Duration::from_secs(600))
    ///     .build()?;
    /// assert_eq!(source.token()?.secret(), "one");
    /// script.clock().advance(Duration::from_secs(3000));
    /// assert_eq!(source.token()?.secret(), "two");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn early_expiry(mut self, margin: Duration) -> Self {
        self.settings.early_expiry = Some(margin);
        self
    }

    /// Sets the lifetime of a token whose response has no `expires_in`, which RFC 6749 section 5.1
    /// only recommends. With `None`, such a token is used until an API refuses it. Default: 300
    /// seconds.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// # let transport = script.clone();
    /// script.json(200, r#"{"access_token":"t","token_type":"Bearer"}"#);
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .fallback_lifetime(Some(Duration::from_secs(7200)))
    ///     .build()?;
    /// source.token()?;
    /// assert!(source.inspect().expires_in > Some(Duration::from_secs(7000)));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn fallback_lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.settings.fallback_lifetime = lifetime;
        self
    }

    /// Sets the longest lifetime of a token. A longer one counts as this, whether the server stated
    /// it or it is the fallback. Default: 24 hours for a lifetime that the server states. A greater
    /// value does not raise that limit.
    ///
    /// For servers whose tokens die before they say, such as tokens of 12 hours that are refused
    /// after 30 minutes.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// # let transport = script.clone();
    /// script.token("t", 43_200);
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .longest_lifetime(Duration::from_secs(1800))
    ///     .build()?;
    /// source.token()?;
    /// assert!(source.inspect().expires_in <= Some(Duration::from_secs(1800)));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn longest_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.longest_lifetime = Some(lifetime);
        self
    }

    /// Sets the largest request body, in bytes, that the agent keeps in memory to send it again
    /// after a 401. A larger body is sent in chunks as it is read (unless the request has a
    /// `Content-Length` header), and not sent again. With 0, only GET, HEAD, OPTIONS and TRACE are
    /// sent again, and the bodies of all other requests are left alone. Default: 1 MiB.
    ///
    /// Some servers take no chunks and answer 411, which is reported as
    /// [`EventKind::LengthRequired`](crate::EventKind::LengthRequired): put a `Content-Length` header
    /// on such a request, or raise this limit.
    ///
    /// ```
    /// # #[cfg(feature = "ureq")] {
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # use client_credentials::test_util::{Behaviour, TokenServer};
    /// # let script = Script::new();
    /// # script.token("one", 3600); script.token("two", 3600);
    /// # let transport = script.clone();
    /// let api = TokenServer::start()?;
    /// api.always(Behaviour::json(401, ""));
    /// # let origin = format!("http://{}", api.address());
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.allow_origin(&origin)?;
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .replay_limit(0)
    ///     .build()?;
    /// assert!(source.agent().post(&origin).send("a body").is_err());
    /// assert_eq!(api.requests().len(), 1);
    /// # }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay_limit(mut self, bytes: usize) -> Self {
        self.settings.replay_limit = bytes;
        self
    }

    /// Sets which answers of the API refuse the token, too. Default: none but a 401, and a 400 with
    /// the Bearer error `invalid_token` (RFC 6750 section 3.1).
    ///
    /// Some APIs answer 403, 400, 404 or 419 to a token that has expired or was revoked. `refuses`
    /// gets status and headers of every answer of 400 or above that does not renew the token by
    /// itself. If it returns `true`, the token is renewed and the request sent once more, as after a
    /// 401. It cannot take a refusal away.
    ///
    /// Say `true` only for answers that are about the token. A 403 that is about a permission comes
    /// again with the next token, so each call would cost a token request (at most one in a second)
    /// and a second attempt.
    ///
    /// `refuses` is called on the thread of the call and outside of all locks. A panic in it reaches
    /// the caller of that call. It is not asked about an origin that may not receive the token. The
    /// headers are empty if a call through the agent has settings of its own by ureq's `config()`
    /// and wants errors for statuses ([`CallSettings`](crate::CallSettings) shows them).
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("one", 3600); script.token("two", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// # let transport = script.clone();
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .refused_when(|status, headers| {
    ///         status == 403 && headers.get("x-error").is_some_and(|error| error == "token_expired")
    ///     })
    ///     .build()?;
    /// # let source = &source;
    /// # let renews = |answer: http::response::Builder| {
    /// #     let mut request = http::Request::get("https://api.example.com/").body(())?;
    /// #     Ok::<_, Box<dyn std::error::Error>>(source.call(&mut request)?.retry(&mut request, &answer.body(())?))
    /// # };
    /// assert!(!renews(http::Response::builder().status(403))?);
    /// assert!(renews(http::Response::builder().status(403).header("x-error", "token_expired"))?);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn refused_when(mut self, refuses: impl Fn(StatusCode, &HeaderMap) -> bool + Send + Sync + 'static) -> Self {
        self.refused_when = Some(Box::new(refuses));
        self
    }

    /// Sets whether a token is renewed in a thread of its own. Default: no.
    ///
    /// One caller renews the token inside its own call: it waits at most 5 seconds, and not longer
    /// than half of its time or half of what the token has left. With `true`, that caller starts a
    /// thread, which ends with the renewal, and goes on at once with the token it has. A token that
    /// has expired or was refused is always fetched inside a call.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("one", 3600); script.token("two", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// # let transport = script.clone();
    /// # let clock = script.clock();
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .clock(clock.clone())
    ///     .renew_in_background(true)
    ///     .build()?;
    /// assert_eq!(source.token()?.secret(), "one");
    /// clock.advance(std::time::Duration::from_secs(3500));
    /// assert_eq!(source.token()?.secret(), "one"); // the thread is on its way
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn renew_in_background(mut self, background: bool) -> Self {
        self.renew_in_background = background.then_some(TokenSource::renew_in_thread);
        self
    }

    /// Sets another clock, for tests. Default: [`SystemClock`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.token("t", 3600);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// # let transport = script.clone();
    /// let clock = script.clock();
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(transport)
    ///     .clock(clock.clone())
    ///     .build()?;
    /// source.token()?;
    /// clock.advance(Duration::from_secs(3600));
    /// assert!(!source.inspect().has_token);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the settings against each other and makes the source. Sends no request and calls no
    /// closure.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if no origin may receive the token, if there is no transport, if a
    /// timeout is zero, or if the credentials do not suit the request (see
    /// [`TokenRequest::encode`]).
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// # let transport = Script::new();
    /// let request = TokenRequest::new("https://auth.example.com/token")?.audience("my-api");
    /// let builder = TokenSource::builder(credentials, request).transport(transport);
    /// let error = builder.build().unwrap_err();
    /// assert!(error.to_string().contains("name the API, as in TokenRequest::allow_origin"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn build(mut self) -> Result<TokenSource, Error> {
        let settings = &mut self.settings;
        for (name, timeout) in [("timeout", settings.timeout), ("connect_timeout", settings.connect_timeout)] {
            if timeout.is_zero() {
                return Err(Error::configuration(format!(
                    "TokenSourceBuilder::{name}: zero leaves no time for a token request"
                )));
            }
        }
        // No deadline overflows then, in this crate or in an HTTP client.
        settings.timeout = settings.timeout.min(LONGEST_TIMEOUT);
        settings.connect_timeout = settings.connect_timeout.min(settings.timeout);
        if !self.request.names_an_origin() {
            return Err(Error::configuration(
                "no origin may receive this token: neither audience nor resource is an https URL; name the API, as in \
                 TokenRequest::allow_origin(\"https://api.example.com\")",
            ));
        }
        let Some(transport) = self.transport.or_else(|| self.default_transport.map(|make| make())) else {
            return Err(Error::configuration(
                "no transport sends the token request: name one (TokenSourceBuilder::transport), or use the feature \"ureq\"",
            ));
        };
        // Not the identity of the `Arc` itself.
        let identity = (*transport).identity();
        #[cfg(feature = "store")]
        let store = match self.store {
            Some(store) => {
                let default = self.default_transport.and_then(|make| (*make()).identity());
                store.open(&Client {
                    request: &self.request,
                    credentials: &self.credentials,
                    has_default_transport: identity.is_some() && identity == default,
                    is_self_signed: self.self_signed,
                })?
            }
            None => None,
        };
        let slot = match (self.shared, identity) {
            (Some(find), Some(identity)) => find(&self.request, &self.credentials, identity)?,
            _ => {
                self.request.check(&self.request.identity(&self.credentials)?.0.client)?;
                Arc::new(SharedSlot::new(jitter()))
            }
        };
        Ok(TokenSource(Arc::new(Inner {
            slot,
            id: thread_cache::new_id(),
            credentials: self.credentials,
            request: self.request,
            transport,
            clock: self.clock,
            settings: self.settings,
            hook: self.hook,
            renew_in_background: self.renew_in_background,
            refused_when: self.refused_when,
            #[cfg(feature = "store")]
            store,
            origins_not_allowed: Mutex::default(),
            self_signed: self.self_signed,
            authorized: AtomicBool::new(false),
            clock_offset: AtomicI32::new(0),
            adapter: OnceLock::new(),
        })))
    }
}

impl fmt::Debug for TokenSourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSourceBuilder")
            .field("credentials", &self.credentials)
            .field("request", &self.request)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
