//! Settings of a single call that a wrapped agent can read. Imports nothing from this crate.

use std::time::Duration;

use ::ureq::RequestBuilder;

/// Settings of a single call through an agent of
/// [`TokenSource::agent`](crate::TokenSource::agent) or [`wrap`](crate::TokenSource::wrap): the
/// time limit of the whole call, and how an error status is reported.
///
/// Use these instead of ureq's `config()` if a call differs from its agent in one of the two. A
/// wrapped agent cannot obey everywhere what `config()` sets, because ureq does not let it read
/// those settings (see [`wrap`](crate::TokenSource::wrap)). Set other settings of ureq with
/// `config()` before these.
///
/// # Examples
///
/// ```
/// # use client_credentials::test_util::{Behaviour, Script, TokenServer};
/// # use client_credentials::{Credentials, TokenRequest, TokenSource};
/// # let (script, api) = (Script::new(), TokenServer::start()?);
/// # script.token("t", 3600);
/// # api.always(Behaviour::json(404, ""));
/// # let items = format!("http://{}/v1/items", api.address());
/// # let request = TokenRequest::new("https://auth.example.com/token")?.allow_origin(&items)?;
/// # let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request).transport(script).build()?;
/// use std::time::Duration;
/// use client_credentials::CallSettings as _;
///
/// let agent = source.agent();
/// let response = agent
///     .get(&items)
///     .within(Duration::from_secs(5))
///     .status_as_error(false)
///     .call()?;
/// assert_eq!(response.status(), 404);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub trait CallSettings: Sized + private::Sealed {
    /// Limits the time of the whole call: waiting for a token, both attempts, and reading the body.
    /// Sets ureq's `timeout_global` as well.
    ///
    /// ```
    /// # use client_credentials::test_util::{Script, TokenServer};
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource};
    /// # let (script, api) = (Script::new(), TokenServer::start()?);
    /// # script.token("t", 3600);
    /// # let items = format!("http://{}/v1/items", api.address());
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.allow_origin(&items)?;
    /// # let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request).transport(script).build()?;
    /// use client_credentials::CallSettings as _;
    ///
    /// let agent = source.agent();
    /// agent.get(&items).within(std::time::Duration::from_secs(20)).call()?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    fn within(self, time: Duration) -> Self;

    /// Sets whether a status of 400 or above is an error of this call. Sets ureq's
    /// `http_status_as_error` as well.
    ///
    /// ```
    /// # use client_credentials::test_util::{Behaviour, Script, TokenServer};
    /// # use client_credentials::{Credentials, TokenRequest, TokenSource};
    /// # let (script, api) = (Script::new(), TokenServer::start()?);
    /// # script.token("t", 3600);
    /// # api.always(Behaviour::json(503, ""));
    /// # let items = format!("http://{}/v1/items", api.address());
    /// # let request = TokenRequest::new("https://auth.example.com/token")?.allow_origin(&items)?;
    /// # let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request).transport(script).build()?;
    /// use client_credentials::CallSettings as _;
    ///
    /// let agent = source.agent();
    /// assert_eq!(agent.get(&items).status_as_error(false).call()?.status(), 503);
    /// assert!(agent.get(&items).call().is_err());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    fn status_as_error(self, status_as_error: bool) -> Self;
}

/// A year. ureq panics on a time that the clock cannot show.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl<Any> CallSettings for RequestBuilder<Any> {
    fn within(self, time: Duration) -> Self {
        let time = time.min(LONGEST);
        let before = Before::of(&self);
        let request = self.config().timeout_global(Some(time)).build();
        before.with(request, |settings| settings.time = Some(time))
    }

    fn status_as_error(self, status_as_error: bool) -> Self {
        let before = Before::of(&self);
        let request = self.config().http_status_as_error(status_as_error).build();
        before.with(request, |settings| settings.status_as_error = Some(status_as_error))
    }
}

mod private {
    pub trait Sealed {}
    impl<Any> Sealed for ::ureq::RequestBuilder<Any> {}
}

/// A readable copy of what a call has set, in the extensions of its request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    pub(super) time: Option<Duration>,
    pub(super) status_as_error: Option<bool>,
    /// Whether the call had settings of ureq's before, which cannot be read.
    pub(super) has_others: bool,
}

/// The settings of a request before one was added.
struct Before {
    settings: Option<Settings>,
    extensions: usize,
}

impl Before {
    fn of<Any>(request: &RequestBuilder<Any>) -> Self {
        let extensions = request.extensions_ref();
        Self {
            settings: extensions.and_then(|extensions| extensions.get::<Settings>()).copied(),
            extensions: extensions.map_or(0, |extensions| extensions.len()),
        }
    }

    /// Returns `request` with the settings from before and a change. ureq adds an extension for its
    /// settings unless there is one already.
    fn with<Any>(self, request: RequestBuilder<Any>, change: impl FnOnce(&mut Settings)) -> RequestBuilder<Any> {
        let after = request.extensions_ref().map_or(0, |extensions| extensions.len());
        let has_others = after == self.extensions;
        let mut settings = self.settings.unwrap_or(Settings { has_others, ..Settings::default() });
        change(&mut settings);
        request.extension(settings)
    }
}
