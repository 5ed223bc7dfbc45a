//! The agent, the middleware and the transport for ureq (feature `ureq`). Imports everything below it.

mod middleware;
mod probe;
mod transport;

use crate::credentials::Credentials;
use crate::error::Error;
use crate::request::TokenRequest;
use crate::source::TokenSource;

pub use middleware::Middleware;
pub use transport::UreqTransport;

impl TokenSource {
    /// A source with a [`UreqTransport`] and all defaults. For other settings: [`TokenSource::builder`].
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], as [`TokenSourceBuilder::build`](crate::TokenSourceBuilder::build).
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
        Self::builder(credentials, request, UreqTransport::new()).build()
    }

    /// An ordinary agent with ureq's defaults: every request for an allowed origin carries a valid token, every other
    /// request is left alone. A proxy that the environment names is used, but never for plain http to this machine. For
    /// an agent with settings of your own: [`middleware`](Self::middleware).
    ///
    /// Requests with a token have connections of their own: `Agent::shutdown` and the cookies of this agent do not
    /// reach them.
    ///
    /// ```
    /// # use client_credentials::test_util::{Script, TokenServer};
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource};
    /// # let (script, api) = (Script::new(), TokenServer::start()?);
    /// # script.token("t", 3600);
    /// # let items = format!("http://{}/v1/items", api.address());
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.allow_origin(&items)?;
    /// # let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request, script).build()?;
    /// let agent = source.agent();
    /// agent.get(&items).call()?;
    /// assert_eq!(api.requests()[0].headers()["authorization"], "Bearer t");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn agent(&self) -> ::ureq::Agent {
        ::ureq::Agent::config_builder().middleware(Middleware::new(self.clone(), true)).build().new_agent()
    }

    /// What [`agent`](Self::agent) does, for an agent with settings of your own. Register it last: middleware after it is
    /// not run when a request is sent once more. The agent's `timeout_global` includes the wait for a token.
    ///
    /// ```
    /// # use client_credentials::test_util::{Script, TokenServer};
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource};
    /// # let (script, api) = (Script::new(), TokenServer::start()?);
    /// # script.token("t", 3600);
    /// # let items = format!("http://{}/v1/items", api.address());
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.allow_origin(&items)?;
    /// # let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request, script).build()?;
    /// let agent: ureq::Agent = ureq::Agent::config_builder()
    ///     .timeout_global(Some(std::time::Duration::from_secs(20)))
    ///     .middleware(source.middleware())
    ///     .build()
    ///     .into();
    /// agent.get(&items).call()?;
    /// assert_eq!(api.requests()[0].headers()["authorization"], "Bearer t");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn middleware(&self) -> Middleware {
        Middleware::new(self.clone(), false)
    }
}

impl Error {
    /// The error of this crate in what a call through an agent returned, if that is why the call failed: ureq passes it
    /// on as `ureq::Error::Other`. The API request was not sent then.
    ///
    /// ```
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # script.json(401, r#"{"error":"invalid_client"}"#);
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let agent = TokenSource::builder(Credentials::new("id", "secret"), request, script).build()?.agent();
    /// use client_credentials::Error;
    ///
    /// if let Err(error) = agent.get("https://api.example.com/v1/items").call() {
    ///     match Error::from_ureq(&error) {
    ///         Some(error) if error.is_retryable() => eprintln!("later: {error}"),
    ///         Some(error) => eprintln!("mend this: {error}"),
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
