//! A resolver and a connector of the caller's, which write down what they are asked.

use ureq::config::Config;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport};

use super::*;

/// What the parts of an agent were asked.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<Mutex<Vec<Lookup>>>, Arc<AtomicUsize>);

/// One look for the address of a host.
#[derive(Clone, Debug)]
pub struct Lookup {
    pub host: String,
    /// The time for the whole attempt.
    pub time: Option<Duration>,
    /// Whether ureq would look in a thread of its own.
    pub in_thread: bool,
}

impl Asked {
    pub fn lookups(&self) -> Vec<Lookup> {
        lock(&self.0).clone()
    }

    pub fn hosts(&self) -> Vec<String> {
        self.lookups().into_iter().map(|lookup| lookup.host).collect()
    }

    pub fn connections(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

/// An agent for which these hosts are this server, and which knows no other host.
pub fn agent_of_parts(config: Config, hosts: &'static [&'static str], server: &Server) -> (Agent, Asked) {
    let asked = Asked::default();
    let names = Names { asked: asked.clone(), hosts, port: server.port() };
    let connector = ().chain(TcpConnector::default()).chain(Counted(asked.clone()));
    (Agent::with_parts(config, connector, names), asked)
}

#[derive(Debug)]
struct Names {
    asked: Asked,
    hosts: &'static [&'static str],
    port: u16,
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        lock(&self.asked.0).push(Lookup {
            host: host.to_owned(),
            time: config.timeouts().global,
            in_thread: !timeout.after.is_not_happening(),
        });
        if !self.hosts.contains(&host) {
            return Err(ureq::Error::HostNotFound);
        }
        let mut addresses = self.empty();
        addresses.push((Ipv4Addr::LOCALHOST, self.port).into());
        Ok(addresses)
    }
}

#[derive(Debug)]
struct Counted(Asked);

impl<In: Transport> Connector<In> for Counted {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<In>, ureq::Error> {
        self.0.1.fetch_add(1, Ordering::Relaxed);
        Ok(chained)
    }
}

/// A source for `http://api.test`, which only the agents of this module know.
pub fn source_for_api_test(script: &Script) -> TokenSource {
    let request = TokenRequest::new("https://auth.example.com/token")
        .and_then(|request| request.dangerously_allow_plain_http_origin("http://api.test"))
        .expect("a request");
    TokenSource::builder(Credentials::new("id", SECRET), request)
        .transport(script.clone())
        .clock(script.clock())
        .build()
        .expect("a source")
}
