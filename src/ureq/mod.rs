//! The agent, the adapter and the transport for ureq (feature `ureq`). Imports everything below
//! it.

// First, because rustdoc shows methods in the order of their modules: the page of `UreqTransport`
// begins with its constructors.
mod transport;

mod body;
mod call_settings;
#[cfg(all(feature = "keys", feature = "rustls"))]
mod client_certificate;
mod middleware;

use std::sync::Arc;
use std::time::Duration;

use ::ureq::Agent;
use ::ureq::config::{Config, ConfigBuilder, RedirectAuthHeaders};
use ::ureq::typestate::AgentScope;

use crate::error::Error;
use crate::protocol::credentials::Credentials;
use crate::protocol::request::TokenRequest;
use crate::source::TokenSource;
use crate::source::builder::TokenSourceBuilder;
use crate::ureq::middleware::Authorize;

pub use call_settings::CallSettings;
pub use transport::UreqTransport;

/// Time limits of an agent that this crate makes. There is no `timeout_global`, because ureq
/// needs a thread for each call with that.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

impl TokenSource {
    /// Makes a source with a [`UreqTransport`] and all defaults. Use [`TokenSource::builder`] for
    /// other settings.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], the same as for
    /// [`TokenSourceBuilder::build`](crate::TokenSourceBuilder::build).
    ///
    /// # Examples
    ///
    /// ```
    /// use client_credentials::{Credentials, TokenRequest, TokenSource};
    ///
    /// let request = TokenRequest::new("https://auth.example.com/oauth/token")?
    ///     .audience("https://api.example.com");
    /// let source = TokenSource::new(Credentials::new("my-client", "s3cret"), request)?;
    /// assert_eq!(source.inspect().fetches, 0); // nothing is sent before it is needed
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn new(credentials: Credentials, request: TokenRequest) -> Result<Self, Error> {
        Self::builder(credentials, request).build()
    }

    /// Starts a source with a [`UreqTransport`] and settings of your own.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource};
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// use std::time::Duration;
    ///
    /// let source = TokenSource::builder(credentials, request)
    ///     .timeout(Duration::from_secs(10))
    ///     .build()?;
    /// # assert_eq!(source.inspect().fetches, 0);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn builder(credentials: Credentials, request: TokenRequest) -> TokenSourceBuilder {
        TokenSourceBuilder::new(credentials, request, Some(|| Arc::new(UreqTransport::new())))
    }

    /// Returns a ureq agent whose requests carry a valid token.
    ///
    /// A request gets a token if its URL may receive it ([`allows`](Self::allows)) and it has no
    /// `Authorization` header yet; any other request is sent as it is. After a 401 that another
    /// token may help, the request is sent once more, if its body can be sent again.
    ///
    /// If no token can be had, the request is not sent, and the call returns the [`Error`] inside a
    /// `ureq::Error`: see [`Error::from_ureq`].
    ///
    /// The agent has ureq's defaults and two time limits: 10 seconds to connect, and 5 minutes
    /// until the head of an answer is there. It uses a proxy that the environment names, but never
    /// for this machine (`localhost` and the loopback addresses). Use [`CallSettings`](crate::CallSettings) for a time limit
    /// or a status mode of a single call, and [`wrap`](Self::wrap) for any other setting. All
    /// agents of one source share their connections, so this may be called whenever an agent is
    /// needed.
    ///
    /// A body of up to 1 MiB ([`replay_limit`](crate::TokenSourceBuilder::replay_limit)) is read
    /// into memory, to be sent again after a 401, and is sent with a `Content-Length`. A larger one
    /// is sent in chunks as it is read, and only once, even if its size is known: ureq does not tell
    /// it to us. If a server wants the length (411), put a `Content-Length` header on the request, as
    /// in [Upload a large body](crate::guide::how_do_i#upload-a-large-body), or raise the limit.
    ///
    /// ```
    /// # use client_credentials::test_util::{Script, TokenServer};
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource};
    /// # let (script, api) = (Script::new(), TokenServer::start()?);
    /// # script.token("t", 3600);
    /// # let items = format!("http://{}/v1/items", api.address());
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.allow_origin(&items)?;
    /// # let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request).transport(script).build()?;
    /// let agent = source.agent();
    /// agent.get(&items).call()?;
    /// assert_eq!(api.requests()[0].headers()["authorization"], "Bearer t");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn agent(&self) -> Agent {
        let inner = self.adapter(|| {
            // These are the settings that `Authorize` needs, so that nothing must be pinned on a
            // request.
            let config = with_tls(Agent::config_builder())
                .http_status_as_error(false)
                .save_redirect_history(true)
                .redirect_auth_headers(RedirectAuthHeaders::Never)
                .timeout_connect(Some(CONNECT_TIMEOUT))
                .timeout_recv_response(Some(ANSWER_TIMEOUT));
            config.build().new_agent()
        });
        let config = repeated(inner.config()).http_status_as_error(true);
        config.middleware(Authorize::new(self.clone(), inner, true, true)).build().new_agent()
    }

    /// Returns an agent around one of your own. Its requests carry a valid token, as those of
    /// [`agent`](Self::agent) do.
    ///
    /// Everything is sent through your agent, both attempts of a call, with a token or without. So
    /// its connections, resolver, proxy, TLS settings, cookie jar, middleware and time limits are
    /// used. Its `timeout_global` includes the wait for a token. `shutdown` and the cookie jar are
    /// those of your agent, so keep a clone of it; those of the returned agent have no effect.
    /// Middleware of your agent sees the token. A body larger than
    /// [`replay_limit`](crate::TokenSourceBuilder::replay_limit) is sent in chunks, unless the request
    /// has a `Content-Length` header.
    ///
    /// Middleware that must see a request before it gets its token belongs on an agent around this
    /// one, whose own settings do not count:
    ///
    /// ```
    /// # use client_credentials::test_util::{Script, TokenServer};
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource};
    /// # use ureq::middleware::MiddlewareNext;
    /// # let (script, api) = (Script::new(), TokenServer::start()?);
    /// # script.token("t", 3600);
    /// # let items = format!("http://{}/v1/items", api.address());
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.allow_origin(&items)?;
    /// # let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request).transport(script).build()?;
    /// use ureq::http::Request;
    /// use ureq::{Agent, SendBody};
    ///
    /// let limit = std::time::Duration::from_secs(20);
    /// let config = Agent::config_builder().timeout_global(Some(limit));
    /// # let config = config.proxy(None); // a proxy of the environment
    /// let wrapped = source.wrap(config.build().new_agent());
    /// let outermost = Agent::config_builder()
    ///     .middleware(|request: Request<SendBody>, next: MiddlewareNext| {
    ///         println!("{} {}", request.method(), request.uri());
    ///         next.handle(request)
    ///     })
    ///     .middleware(move |request: Request<SendBody>, _: MiddlewareNext| wrapped.run(request))
    ///     .build()
    ///     .new_agent();
    /// outermost.get(&items).call()?;
    /// assert_eq!(api.requests()[0].headers()["authorization"], "Bearer t");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// To use several sources with one agent, wrap the wrapped agent.
    ///
    /// # Single calls with settings of their own
    ///
    /// Set a time limit or a status mode for a single call with
    /// [`CallSettings`](crate::CallSettings). What a call sets by ureq's `config()` is obeyed by
    /// ureq, in both attempts, but cannot be read:
    ///
    /// - its `timeout_global` applies to each attempt separately, and the wait for a token is
    ///   bounded by the limits of the source and of the agent;
    /// - if it wants errors for error statuses, a 401 renews the token whatever the challenge says,
    ///   and even after a redirect; only idempotent methods (RFC 9110 section 9.2.2) are then sent
    ///   again.
    ///
    /// ureq's documentation says that a request that is configured with one agent and run with
    /// another may become an error in a later version. A wrapped agent does that with such calls.
    #[must_use]
    pub fn wrap(&self, agent: Agent) -> Agent {
        let status_as_error = agent.config().http_status_as_error();
        let config = repeated(agent.config());
        config.middleware(Authorize::new(self.clone(), agent, status_as_error, false)).build().new_agent()
    }
}

impl Error {
    /// Returns the error of this crate if that is why a call through an agent failed. The API request
    /// was not sent then, or, for [`OriginNotAllowed`](Self::OriginNotAllowed), went out without a
    /// token.
    ///
    /// ureq passes it on as `ureq::Error::Other`, whose text begins with `other: ` and which has no
    /// `source()`. A program that passes errors on gets the whole error by a match on that variant.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.json(401, r#"{"error":"invalid_client"}"#);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let agent = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script).build()?.agent();
    /// use client_credentials::Error;
    ///
    /// if let Err(error) = agent.get("https://api.example.com/v1/items").call() {
    ///     match Error::from_ureq(&error) {
    ///         Some(error) if error.is_retryable() => eprintln!("later: {error}"),
    ///         Some(error) => eprintln!("fix this: {error}"),
    ///         None => eprintln!("the API: {error}"),
    ///     }
    /// #   assert!(!Error::from_ureq(&error).expect("the token was refused").is_retryable());
    /// }
    /// # Ok::<_, Error>(())
    /// ```
    #[must_use]
    pub fn from_ureq(error: &::ureq::Error) -> Option<&Self> {
        match error {
            ::ureq::Error::Other(error) => error.downcast_ref(),
            _ => None,
        }
    }
}

/// Returns the settings of an agent without its middleware. A call that adds settings of its own
/// starts from these.
fn repeated(config: &Config) -> ConfigBuilder<AgentScope> {
    let timeouts = config.timeouts();
    let repeated = Agent::config_builder()
        .http_status_as_error(config.http_status_as_error())
        .https_only(config.https_only())
        .ip_family(config.ip_family())
        .proxy(config.proxy().cloned())
        .no_delay(config.no_delay())
        .max_redirects(config.max_redirects())
        .max_redirects_will_error(config.max_redirects_will_error())
        .redirect_auth_headers(config.redirect_auth_headers())
        .save_redirect_history(config.save_redirect_history())
        .user_agent(config.user_agent().clone())
        .accept(config.accept().clone())
        .accept_encoding(config.accept_encoding().clone())
        .max_response_header_size(config.max_response_header_size())
        .input_buffer_size(config.input_buffer_size())
        .output_buffer_size(config.output_buffer_size())
        .max_idle_connections(config.max_idle_connections())
        .max_idle_connections_per_host(config.max_idle_connections_per_host())
        .max_idle_age(config.max_idle_age())
        .allow_non_standard_methods(config.allow_non_standard_methods())
        .timeout_global(timeouts.global)
        .timeout_per_call(timeouts.per_call)
        .timeout_per_read(config.timeout_per_read())
        .timeout_per_write(config.timeout_per_write())
        .timeout_resolve(timeouts.resolve)
        .timeout_connect(timeouts.connect)
        .timeout_send_request(timeouts.send_request)
        .timeout_await_100(timeouts.await_100)
        .timeout_send_body(timeouts.send_body)
        .timeout_recv_response(timeouts.recv_response)
        .timeout_recv_body(timeouts.recv_body);
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    let repeated = repeated.tls_config(config.tls_config().clone());
    repeated
}

/// Selects TLS by the features of this crate; ureq's default is rustls.
fn with_tls(config: ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope> {
    #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
    let config = {
        use ::ureq::tls::{TlsConfig, TlsProvider};
        config.tls_config(TlsConfig::builder().provider(TlsProvider::NativeTls).build())
    };
    config
}
