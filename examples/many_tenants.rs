//! Calls an API in the name of hundreds of tenants: `cargo run --example many_tenants -- --help`
//!
//! One cache, one connection pool, and a pool of threads. Sources are made where they are needed and
//! dropped again: two with the same token request share one token.

mod common;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, thread};

use client_credentials::{Credentials, EventKind, TokenCache, TokenRequest, TokenSource, UreqTransport};
use common::{Args, Failure, Usage, say, warn};
use serde_json::Value;
use ureq::Agent;

const HELP: &str = "\
Calls an API for every tenant, and prints `TENANT STATUS` for each call.

Usage: many_tenants [OPTIONS] FILE

FILE has a line for each tenant:
{\"tenant\":\"...\",\"client_id\":\"...\",\"client_secret\":\"...\"}

  --token-endpoint URL       with {tenant} in it, if each has its own
                             [env: TOKEN_ENDPOINT]
  --url URL                  of the API, with {tenant} in it
  --threads N                [default: 8]
  --rounds N                 call for all of them so many times [default: 1]
";

struct Tenant {
    name: String,
    credentials: Credentials,
}

/// What the threads share.
struct Pool {
    endpoint: String,
    url: String,
    cache: TokenCache,
    transport: UreqTransport,
    agent: Agent,
}

static TOKEN_REQUESTS: AtomicUsize = AtomicUsize::new(0);

fn main() -> ExitCode {
    common::run(HELP, program)
}

fn program(args: Args) -> Result<(), Failure> {
    let (endpoint, url) = (args.token_endpoint()?, args.required("url")?);
    let (threads, rounds) = (args.number("threads", 8)?, args.number("rounds", 1)?);
    let [file] = &args.words[..] else { return Err(Usage::new("one FILE is needed").into()) };
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let tenants: Vec<Tenant> =
        text.lines().enumerate().map(|(at, line)| tenant(file, at + 1, line)).collect::<Result<_, _>>()?;

    let pool = Pool {
        endpoint,
        url,
        // Room for all, or else they would push each other out.
        cache: TokenCache::new(tenants.len()),
        transport: UreqTransport::new(),
        agent: Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .http_status_as_error(false)
            // A redirect would take the token off, and the 401 after it would be no refusal of the
            // token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // One for each thread.
            .max_idle_connections_per_host(threads)
            .build()
            .into(),
    };
    let jobs = Mutex::new((0..rounds).flat_map(|_| &tenants));
    let failures = AtomicUsize::new(0);
    let work = || -> Result<(), Failure> {
        loop {
            // The lock is held for taking the next job, not for doing it.
            let job = jobs.lock().expect("taking a job does not panic").next();
            let Some(tenant) = job else { return Ok(()) };
            match pool.call(tenant) {
                // Without a reader, some tenants are not called: that is not a success.
                Ok(status) => say(format_args!("{} {status}", tenant.name)).map_err(|error| error.to_string())?,
                // One tenant's wrong secret is nothing to the others.
                Err(error) => {
                    failures.fetch_add(1, Ordering::Relaxed);
                    warn(format_args!("{}: {error}", tenant.name));
                }
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("`work` returns its errors"))
    })?;
    let (calls, requests) = (rounds * tenants.len(), TOKEN_REQUESTS.load(Ordering::Relaxed));
    let (all, kept) = (tenants.len(), pool.cache.len());
    warn(format_args!("{all} tenants, {calls} calls, {requests} token requests, {kept} tokens kept"));
    match failures.into_inner() {
        0 => Ok(()),
        failures => Err(format!("{failures} of {calls} calls failed").into()),
    }
}

fn tenant(file: &str, at: usize, line: &str) -> Result<Tenant, Failure> {
    // Where it is, and not what it is: the line holds a secret.
    let wrong = || format!("{file}, line {at}: not an object with tenant, client_id and client_secret");
    let object: Value = serde_json::from_str(line).map_err(|_| wrong())?;
    let text = |name: &str| object[name].as_str().ok_or_else(wrong);
    let name = text("tenant")?;
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(format!("{file}, line {at}: this tenant's name does not go into a URL").into());
    }
    Ok(Tenant { name: name.to_owned(), credentials: Credentials::new(text("client_id")?, text("client_secret")?) })
}

impl Pool {
    fn call(&self, tenant: &Tenant) -> Result<http::StatusCode, Failure> {
        let url = self.url.replace("{tenant}", &tenant.name);
        let request = TokenRequest::new(&self.endpoint.replace("{tenant}", &tenant.name))?.allow_origin(&url)?;
        let source = TokenSource::builder(tenant.credentials.clone(), request)
            .transport(self.transport.clone())
            .cache(&self.cache)
            .on_event(|event| {
                if let EventKind::Requested { .. } = event.kind {
                    TOKEN_REQUESTS.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build()?;
        // Not `source.agent()`: that would be a connection pool for each tenant.
        let mut request = http::Request::get(url).body(())?;
        let mut call = source.call(&mut request)?;
        let mut response = self.agent.run(request.clone())?;
        while call.retry(&mut request, &response) {
            response = self.agent.run(request.clone())?;
        }
        match response.status() {
            status if status.is_success() => Ok(status),
            status => Err(format!("the API answered {status}").into()),
        }
    }
}
