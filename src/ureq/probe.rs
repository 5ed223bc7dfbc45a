//! Reads the configuration that a request in a middleware will run with.
//!
//! ureq lets a middleware set that configuration, but not read it. A connector sees it, so a request with the same
//! extensions is run on an agent whose connector does nothing but hand it out: no name is resolved, no byte is sent.
//! This is the only use of `ureq::unversioned`; DESIGN.md says why, and what happens without it.

use std::fmt;
use std::time::Duration;

use ::ureq::config::{Config, ConfigBuilder};
use ::ureq::http::{Extensions, Request, Uri};
use ::ureq::typestate::HttpCrateScope;
use ::ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ::ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout, Transport};
use ::ureq::{Agent, Error, RequestExt as _};

pub(super) struct Probe(Agent);

/// What the caller wants of a call.
#[derive(Clone, Copy)]
pub(super) struct Wishes {
    pub(super) http_status_as_error: bool,
    pub(super) timeout_global: Option<Duration>,
}

impl Probe {
    pub(super) fn new() -> Self {
        Self(Agent::with_parts(Config::default(), HandOut, Nowhere))
    }

    /// The wishes of the call that these extensions came from; ureq's defaults if they cannot be had.
    pub(super) fn wishes(&self, extensions: &Extensions) -> Wishes {
        let config = match self.run(extensions, |config| config) {
            // No time at all, so that ureq would not even look for a connection.
            Err(Error::Timeout(_)) => {
                let config = self.run(extensions, |config| config.timeout_global(None)).unwrap_or_default();
                return Wishes { timeout_global: Some(Duration::ZERO), ..Wishes::of(&config) };
            }
            found => found.unwrap_or_default(),
        };
        Wishes::of(&config)
    }

    fn run(&self, extensions: &Extensions, change: impl FnOnce(Builder) -> Builder) -> Result<Config, Error> {
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_static("https://configuration.invalid/");
        *request.extensions_mut() = extensions.clone();
        let Some(config) = request.middleware_config() else {
            return Ok(Config::default());
        };
        match self.0.run(change(config).build()) {
            Err(Error::Other(found)) => {
                Ok(found.downcast::<Found>().map_or_else(|_| Config::default(), |found| found.0))
            }
            Err(error) => Err(error),
            Ok(_) => Ok(Config::default()),
        }
    }
}

type Builder = ConfigBuilder<HttpCrateScope<()>>;

impl Default for Wishes {
    fn default() -> Self {
        Self::of(&Config::default())
    }
}

impl Wishes {
    fn of(config: &Config) -> Self {
        Self { http_status_as_error: config.http_status_as_error(), timeout_global: config.timeouts().global }
    }
}

/// Not an error: the way out of ureq for what was found.
struct Found(Config);

// Not derived: that would bring along the text of every part of ureq's configuration.
impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("configuration found")
    }
}

impl std::error::Error for Found {}

#[derive(Debug)]
struct HandOut;

impl<In: Transport> Connector<In> for HandOut {
    type Out = In;

    fn connect(&self, details: &ConnectionDetails, _: Option<In>) -> Result<Option<In>, Error> {
        Err(Error::Other(Box::new(Found(details.config.clone()))))
    }
}

#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}
