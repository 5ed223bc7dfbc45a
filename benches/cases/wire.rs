//! Cases over loopback: single requests, the first request of a process, and a crowd.
#![allow(clippy::disallowed_methods, reason = "a bench looks at the clock")]

use std::env;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client_credentials::{Credentials, TokenRequest, TokenSource};
use http::header::{AUTHORIZATION, HeaderValue};
use ureq::{Agent, Body};

use super::server::Server;
use super::{Answer, answer, token};

pub const TOKEN: usize = 900;
const ID: &str = "my-client";
const SECRET: &str = "s3cret";

/// A token endpoint and an API.
#[derive(Clone)]
pub struct World {
    pub auth: Server,
    pub api: Server,
}

impl World {
    pub fn start(latency: Duration) -> Self {
        Self {
            auth: Server::start("authorization: basic ", answer(&token(TOKEN)), latency),
            api: Server::start("authorization: bearer ", String::from(r#"{"items":[]}"#), Duration::ZERO),
        }
    }

    pub fn source(&self) -> TokenSource {
        source(&self.auth.url, &self.api.url)
    }
}

pub fn source(auth: &str, api: &str) -> TokenSource {
    let request = TokenRequest::new(auth).expect("a URL").audience(api);
    TokenSource::new(Credentials::new(ID, SECRET), request).expect("a source")
}

/// Without a proxy that the environment may name: ours uses none for this machine either.
pub fn bare_agent() -> Agent {
    Agent::config_builder().proxy(None).build().into()
}

/// An agent of the caller's own, with the usual settings.
pub fn own_agent(source: &TokenSource) -> Agent {
    source.wrap(bare_agent())
}

/// Without a header of its own the agent is expected to put one on.
pub fn get(agent: &Agent, url: &str, header: Option<&HeaderValue>) {
    let request = agent.get(url);
    read(header.into_iter().fold(request, |request, value| request.header(AUTHORIZATION, value)).call());
}

pub fn post(agent: &Agent, url: &str, header: Option<&HeaderValue>, body: &[u8]) {
    let request = agent.post(url);
    read(header.into_iter().fold(request, |request, value| request.header(AUTHORIZATION, value)).send(body));
}

fn read(response: Result<http::Response<Body>, ureq::Error>) -> Vec<u8> {
    response.expect("a good answer").body_mut().read_to_vec().expect("a body")
}

/// One token request by hand; the value of the header to send.
pub fn fetch(agent: &Agent, auth: &str, api: &str) -> String {
    let basic = format!("Basic {}", STANDARD.encode(format!("{ID}:{SECRET}")));
    let form = [("grant_type", "client_credentials"), ("audience", api)];
    let body = read(agent.post(auth).header(AUTHORIZATION, basic).send_form(form));
    let answer: Answer<'_> = serde_json::from_slice(&body).expect("an answer");
    format!("Bearer {}", answer.access_token)
}

const COLD: &str = "--cold-start";

/// The wall time of a process that makes one authorized request: this program once more, see [`is_cold_start`].
pub fn cold_start(world: &World, by_hand: bool) -> Duration {
    let program = env::current_exe().expect("a path");
    let how = if by_hand { "by-hand" } else { "ours" };
    let mut command = Command::new(program);
    command.args([COLD, how, &world.auth.url, &world.api.url]).stdin(Stdio::null());
    let from = Instant::now();
    let status = command.status().expect("a process");
    let duration = from.elapsed();
    assert!(status.success());
    duration
}

/// To be asked first in `main`: whether this process was such a one, and has done its work.
pub fn is_cold_start() -> bool {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [flag, how, auth, api] = arguments.as_slice() else { return false };
    if flag == COLD && how == "by-hand" {
        let agent = bare_agent();
        let header = fetch(&agent, auth, api);
        read(agent.get(api).header(AUTHORIZATION, header).call());
    } else if flag == COLD {
        read(source(auth, api).agent().get(api).call());
    }
    flag == COLD
}

pub const CROWD: usize = 1000;

/// From the moment that a crowd of threads asks an empty cache until the last of them has the token.
pub fn crowd(world: &World) -> Duration {
    let (source, barrier) = (world.source(), Barrier::new(CROWD));
    let ask = || {
        barrier.wait();
        let from = Instant::now();
        source.token().expect("a token");
        (from, Instant::now())
    };
    thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().stack_size(256 * 1024).spawn_scoped(scope, ask).expect("a thread");
        let threads: Vec<_> = (0..CROWD).map(spawn).collect();
        let spans = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        let (from, to) = spans.reduce(|one, two| (one.0.min(two.0), one.1.max(two.1))).expect("a crowd");
        to - from
    })
}

/// One fetch by hand on a new agent.
pub fn crowd_limit(world: &World) -> Duration {
    let agent = bare_agent();
    let from = Instant::now();
    fetch(&agent, &world.auth.url, &world.api.url);
    from.elapsed()
}
