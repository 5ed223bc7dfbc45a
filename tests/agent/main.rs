//! The agent against real sockets: what goes over the wire, what comes back, and where the token
//! never goes. The names of the tests say the rule; `st_` and `br_` numbers are those of
//! `vectors/scenarios.md`, `d` numbers those of docs/decisions.md.
#![cfg(feature = "ureq")]

#[path = "../emulator/mod.rs"]
mod emulator;
#[path = "../loopback/mod.rs"]
mod loopback;

mod answers;
mod bodies;
mod call_settings;
mod config_of_a_call;
mod drained;
mod events;
mod kinds;
mod layers;
mod no_token;
mod own_agent;
mod parts;
mod redirects;
mod refused_when;
mod replay;
mod settings;
mod through;
mod time;
mod token_requests;
mod untouched;
mod wrapped;

use std::io::{self, Cursor, Read};
use std::net::Ipv4Addr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use client_credentials::test_util::{ManualClock, Script};
use client_credentials::{
    Attempt, CallSettings as _, Clock as _, Credentials, Error, EventKind, Moment, SystemClock, TokenRequest,
    TokenSource, TokenSourceBuilder, TransportError, TransportErrorKind, UreqTransport,
};
use kinds::KINDS;
use loopback::{
    CLOSED, Framing, Outcome, Received, Reply, SECRET, Server, agent, assert_bytes, assert_same, builder, challenge,
    config, invalid_token, json_reply, lock, our_error, outside, redirect, reply, source, status, text, token_reply,
    tokens,
};
use ureq::config::{AutoHeaderValue, Config, ConfigBuilder, RedirectAuthHeaders};
use ureq::http::{Request, Response};
use ureq::middleware::MiddlewareNext;
use ureq::typestate::AgentScope;
use ureq::{Agent, Body, Proxy, RequestBuilder, SendBody};

/// The status mode of the agent, and of the request if it has one of its own.
const MODES: [(bool, Option<bool>); 4] = [(true, None), (false, None), (true, Some(false)), (false, Some(true))];

const MIB: usize = 1024 * 1024;

fn with<Any>(request: RequestBuilder<Any>, status_as_error: Option<bool>) -> RequestBuilder<Any> {
    match status_as_error {
        Some(mode) => request.status_as_error(mode),
        None => request,
    }
}

fn get(agent: &Agent, url: &str) -> Outcome {
    agent.get(url).call()
}

fn post(agent: &Agent, url: &str) -> Outcome {
    agent.post(url).send("x")
}

fn large(length: usize) -> Vec<u8> {
    (0_usize..length).map(|n| u8::try_from(n % 251).expect("a byte")).collect()
}

/// Gives its bytes in small and uneven pieces.
struct Trickle(Vec<u8>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.len().min(buffer.len()).min(4093);
        buffer[..read].copy_from_slice(&self.0[..read]);
        self.0.drain(..read);
        Ok(read)
    }
}

/// Two token requests are a second apart, which is more than the callers of some tests have.
fn a_while_after_its_first_token(source: &TokenSource, clock: &ManualClock) {
    source.token().expect("a token");
    clock.advance(Duration::from_secs(2));
}

/// A source of tokens for `api` that asks this server through this transport, with a clock that
/// sleeps in no time.
fn asks(auth: &Server, api: &str, transport: UreqTransport) -> TokenSourceBuilder {
    let request = TokenRequest::new(&auth.url("/token")).expect("a request").audience(api);
    TokenSource::builder(Credentials::new("id", SECRET), request).transport(transport).clock(Script::new().clock())
}

/// The API of a source whose API is of no matter.
const API: &str = "https://api.example.com";

/// An answer with this body, compressed as far as the format goes: in one stored block.
#[cfg(feature = "gzip")]
fn gzip(reply: Reply, body: &[u8]) -> Reply {
    let length = u16::try_from(body.len()).expect("a short body");
    let mut zipped = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01".to_vec();
    zipped.extend(length.to_le_bytes().into_iter().chain((!length).to_le_bytes()));
    zipped.extend(body);
    let checksum = body.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
    });
    zipped.extend((!checksum).to_le_bytes().into_iter().chain(u32::from(length).to_le_bytes()));
    reply.header("Content-Encoding", "gzip").body(zipped)
}

/// The names of the settings in which two configurations differ, in alphabetical order.
fn changed_settings(one: &Config, other: &Config) -> Vec<String> {
    let (one, other) = (settings(one), settings(other));
    assert_eq!(one.len(), other.len(), "{one:#?}\n{other:#?}");
    let pairs = one.into_iter().zip(other).filter(|(one, other)| one != other);
    let mut names: Vec<_> = pairs.map(|((name, _), _)| name).collect();
    names.sort_unstable();
    names
}

/// Every setting with its value: those that `Debug` shows, and those that it leaves out.
fn settings(config: &Config) -> Vec<(String, String)> {
    let shown = format!("{config:#?}\n{:#?}", config.timeouts());
    let mut settings: Vec<(String, String)> = Vec::new();
    for line in shown.lines().filter(|line| line.starts_with("    ")) {
        match line[4..].split_once(": ") {
            Some((name, value)) if !name.starts_with(' ') => settings.push((name.to_owned(), value.to_owned())),
            _ => settings.last_mut().expect("a setting").1 += line.trim(),
        }
    }
    settings.retain(|(name, _)| name != "timeouts");
    let header = |value: &AutoHeaderValue| format!("{value:?}");
    settings.extend([
        ("accept".into(), header(config.accept())),
        ("accept_encoding".into(), header(config.accept_encoding())),
        ("max_redirects_will_error".into(), config.max_redirects_will_error().to_string()),
        ("allow_non_standard_methods".into(), config.allow_non_standard_methods().to_string()),
    ]);
    settings
}
