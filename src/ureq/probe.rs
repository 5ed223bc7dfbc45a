//! Reads the configuration that a request in a middleware will run with.
//!
//! ureq lets a middleware set that configuration, but not read it. A connector sees it, so a request with the same
//! extensions is run on an agent whose connector does nothing but hand it out: no name is resolved, no byte is sent.
//! This is the only use of `ureq::unversioned`; DESIGN.md says why, and what happens without it.

use std::fmt;

use ::ureq::config::Config;
use ::ureq::http::{Extensions, Request, Uri};
use ::ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ::ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout, Transport};
use ::ureq::{Agent, Error, RequestExt as _};

pub(super) struct Probe(Agent);

impl Probe {
    pub(super) fn new() -> Self {
        Self(Agent::with_parts(Config::default(), HandOut, Nowhere))
    }

    /// The configuration of the request that these extensions came from; ureq's defaults if it cannot be had.
    pub(super) fn config(&self, extensions: &Extensions) -> Config {
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_static("https://configuration.invalid/");
        *request.extensions_mut() = extensions.clone();
        let Some(builder) = request.middleware_config() else {
            return Config::default();
        };
        match self.0.run(builder.build()) {
            Err(Error::Other(found)) => found.downcast::<Found>().map_or_else(|_| Config::default(), |found| found.0),
            _ => Config::default(),
        }
    }
}

/// Not an error: the way out of ureq for what was found.
#[derive(Debug)]
struct Found(Config);

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
