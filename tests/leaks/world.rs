//! A world of hosts, all of them on this machine: ureq decides where a URL leads, and the servers say what arrived.

use std::net::SocketAddr;

use client_credentials::test_util::{Behaviour, TokenServer};
use client_credentials::{Credentials, TokenRequest, TokenSource, UreqTransport};
use http::Uri;
use http::header::AUTHORIZATION;
use ureq::Agent;
use ureq::config::{Config, ConfigBuilder};
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport};

use super::*;

/// The settings of an agent, without the proxy that the environment may name.
pub fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder().proxy(None)
}

/// The hosts that matter have servers of their own; every other name, address and port leads to `others`.
pub struct World {
    pub api: TokenServer,
    pub auth: TokenServer,
    pub others: TokenServer,
}

impl World {
    pub fn new() -> Self {
        let [api, auth, others] = [(); 3].map(|()| TokenServer::start().unwrap());
        for server in [&api, &others] {
            server.always(Behaviour::json(200, "fine"));
        }
        auth.always(Behaviour::token(TOKENS[0], 3600));
        Self { api, auth, others }
    }

    /// An agent for which `api` (as `host:port`, an https origin) and `auth.example.com` are where they are, and https
    /// needs no certificate. The rest is as with any agent: ureq decides where a URL leads.
    pub fn agent(&self, api: &str, config: Config) -> Agent {
        let known = vec![(api.to_owned(), self.api.address()), ("auth.example.com:443".into(), self.auth.address())];
        Agent::with_parts(
            config,
            ().chain(TcpConnector::default()).chain(Trusting),
            Names(known, self.others.address()),
        )
    }

    pub fn source(&self, api: &str) -> TokenSource {
        let request = TokenRequest::new("https://auth.example.com/token").unwrap().allow_origin(api).unwrap();
        let transport = UreqTransport::with_agent(self.agent("", config().build()));
        TokenSource::builder(Credentials::new(CLIENT, SECRET), request).transport(transport).build().unwrap()
    }

    /// Nothing that came to any other host, or without TLS, holds a token or a secret, in whatever form.
    pub fn assert_others_know_nothing(&self, case: &str) {
        for request in self.others.requests() {
            assert_eq!(bearer(&request), None, "{case}: {request:?}");
            let body = String::from_utf8_lossy(request.body());
            let headers: Vec<_> =
                request.headers().values().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            assert_hides_everything(case, &format!("{}\n{}\n{body}", request.uri(), headers.join("\n")));
        }
    }

    /// The bearer token of each request of the API so far; `-` for none.
    pub fn tokens(&self) -> Vec<String> {
        self.api.requests().iter().map(|request| bearer(request).unwrap_or_else(|| String::from("-"))).collect()
    }
}

/// ureq makes a Basic header of user info, which is no business of ours.
pub fn bearer(request: &http::Request<Vec<u8>>) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().expect("visible ASCII");
    (!value.starts_with("Basic ")).then(|| value.trim_start_matches("Bearer ").to_owned())
}

/// Names and where they lead; everything else leads to the last address. Plain http has its port in the name, too, and
/// so is another place than https.
#[derive(Debug)]
struct Names(Vec<(String, SocketAddr)>, SocketAddr);

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(ureq::Error::HostNotFound);
        };
        let name = DefaultResolver::host_and_port(scheme, authority).ok_or(ureq::Error::HostNotFound)?;
        let secure = uri.scheme_str() == Some("https");
        let found = self.0.iter().find(|(known, _)| secure && known.eq_ignore_ascii_case(&name));
        let mut addresses = self.empty();
        addresses.push(found.map_or(self.1, |(_, address)| *address));
        Ok(addresses)
    }
}

/// Says that a connection is secure, so that https URLs can be watched without certificates.
#[derive(Debug)]
struct Trusting;

#[derive(Debug)]
struct Trusted<T>(T);

impl<In: Transport> Connector<In> for Trusting {
    type Out = Trusted<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        Ok(chained.map(Trusted))
    }
}

impl<T: Transport> Transport for Trusted<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
