//! A token endpoint that answers by a script. Imports `error`, `transport`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::{ManualClock, lock};
use crate::error::{TransportError, TransportErrorKind};
use crate::transport::{Attempt, Transport, TransportIdentity};

type Answer = dyn FnMut(&http::Request<Vec<u8>>, &Attempt) -> Result<http::Response<Vec<u8>>, TransportError> + Send;

/// A token endpoint that answers by a script, one answer per request, and records the requests.
///
/// It is a [`Transport`], so nothing goes over the network. When no answer is left, the error says
/// so, and is otherwise like that of a token endpoint that cannot be reached. Clones are the same
/// script.
///
/// # Examples
///
/// ```
/// use client_credentials::test_util::Script;
/// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource};
///
/// let script = Script::new();
/// script.token("2YotnFZFEjr1zCsicMWpAA", 3600);
/// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
/// # let credentials = Credentials::new("my-client", "s3cret");
/// let source = TokenSource::builder(credentials, request).transport(script.clone()).build()?;
/// assert_eq!(source.token()?.secret(), "2YotnFZFEjr1zCsicMWpAA");
/// assert_eq!(script.requests()[0].uri(), "https://auth.example.com/token");
/// # Ok::<_, Error>(())
/// ```
#[derive(Clone)]
pub struct Script(Arc<ScriptInner>);

struct ScriptInner {
    answers: Mutex<VecDeque<Box<Answer>>>,
    requests: Mutex<Vec<http::Request<Vec<u8>>>>,
    clock: ManualClock,
}

impl Script {
    /// Makes an empty script with its own clock.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).retries(0).build()?;
    /// assert!(source.token().unwrap_err().is_retryable()); // no answer is left
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(ScriptInner { answers: Mutex::default(), requests: Mutex::default(), clock: ManualClock::new() }))
    }

    /// Returns the clock of this script, for
    /// [`TokenSourceBuilder::clock`](crate::TokenSourceBuilder::clock).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let credentials = Credentials::new("my-client", "s3cret");
    /// script.token("t", 3600);
    /// let source = TokenSource::builder(credentials, request)
    ///     .transport(script.clone())
    ///     .clock(script.clock())
    ///     .build()?;
    /// source.token()?;
    /// script.clock().advance(Duration::from_secs(60));
    /// assert_eq!(source.inspect().expires_in, Some(Duration::from_secs(3540)));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn clock(&self) -> ManualClock {
        self.0.clock.clone()
    }

    /// Adds an answer with this token and its lifetime in seconds.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).retries(0).build()?;
    /// script.token("t", 3600);
    /// assert_eq!(source.token()?.header_value(), "Bearer t");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn token(&self, token: &str, expires_in: u64) {
        let token = serde_json::Value::from(token);
        self.json(200, &format!(r#"{{"access_token":{token},"token_type":"Bearer","expires_in":{expires_in}}}"#));
    }

    /// Adds an answer with this status and body, and the content type of JSON.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).retries(0).build()?;
    /// script.json(400, r#"{"error":"invalid_scope"}"#);
    /// let Err(Error::Denied(denied)) = source.token() else { panic!() };
    /// assert_eq!(denied.code(), Some("invalid_scope"));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn json(&self, status: u16, body: &str) {
        let mut response = http::Response::new(body.as_bytes().to_vec());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(http::header::CONTENT_TYPE, json);
        self.answer(move |_, _| Ok(response.clone()));
    }

    /// Adds a failure: the request gets this error and no answer.
    ///
    /// ```
    /// use client_credentials::{TransportError, TransportErrorKind};
    ///
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).retries(0).build()?;
    /// script.fail(TransportError::new(TransportErrorKind::Tls, "certificate expired"));
    /// let Err(Error::Transport(failure)) = source.token() else { panic!() };
    /// assert_eq!(failure.kind(), TransportErrorKind::Tls);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn fail(&self, error: TransportError) {
        let mut error = Some(error);
        self.answer(move |_, _| Err(error.take().unwrap_or_else(nobody)));
    }

    /// Adds an answer that is made by `answer`, which may advance the [`clock`](Self::clock),
    /// block, or panic.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).retries(0).build()?;
    /// let clock = script.clock();
    /// script.answer(move |_, _| {
    ///     clock.advance(std::time::Duration::from_secs(10)); // a slow server
    ///     Ok(http::Response::new(br#"{"access_token":"t","expires_in":3600}"#.to_vec()))
    /// });
    /// source.token()?;
    /// assert_eq!(source.inspect().expires_in.map(|left| left.as_secs()), Some(3590));
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn answer<F>(&self, answer: F)
    where
        F: FnMut(&http::Request<Vec<u8>>, &Attempt) -> Result<http::Response<Vec<u8>>, TransportError> + Send + 'static,
    {
        lock(&self.0.answers).push_back(Box::new(answer));
    }

    /// Returns the requests so far, in order. They contain the secrets that were sent.
    ///
    /// ```
    /// # use client_credentials::{Credentials, Error, TokenRequest, TokenSource, test_util::Script};
    /// # let script = Script::new();
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.audience("https://api.example.com");
    /// # let source = TokenSource::builder(Credentials::new("id", "secret"), request).transport(script.clone()).clock(script.clock()).retries(0).build()?;
    /// script.token("t", 3600);
    /// source.token()?;
    /// source.token()?; // from the cache
    /// assert_eq!(script.requests().len(), 1);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    #[must_use]
    pub fn requests(&self) -> Vec<http::Request<Vec<u8>>> {
        lock(&self.0.requests).clone()
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Transport for Script {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        attempt: &Attempt,
    ) -> Result<http::Response<Vec<u8>>, TransportError> {
        lock(&self.0.requests).push(request.clone());
        let answer = lock(&self.0.answers).pop_front();
        answer.map_or_else(|| Err(nobody()), |mut answer| answer(&request, attempt))
    }

    /// Clones of a script are one.
    fn identity(&self) -> Option<TransportIdentity> {
        Some(TransportIdentity::of(&self.0))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("answers", &lock(&self.0.answers).len())
            .field("requests", &lock(&self.0.requests).len())
            .finish_non_exhaustive()
    }
}

fn nobody() -> TransportError {
    TransportError::new(TransportErrorKind::Connect, "an empty test_util::Script")
        .says("the script has no answer left; add one for each token request (test_util::Script::token)")
}
