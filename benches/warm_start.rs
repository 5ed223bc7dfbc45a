//! A program that starts and needs a token: with a store in files that has one, beside a token request on loopback to an
//! endpoint that answers at once. `cargo bench --manifest-path benches/Cargo.toml --bench warm_start`.
//!
//! Both take turns in one process. Each makes a source of its own, as a new process does; starting the process itself,
//! which both would do, is left out. In life a token request takes 100 ms and more, so that the ratio is smaller.
#![allow(clippy::disallowed_methods, clippy::cast_precision_loss, reason = "a bench looks at the clock")]

mod cases;
#[allow(dead_code, reason = "only a part of it")]
#[path = "table/rounds.rs"]
mod rounds;

use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use cases::wire::World;
use client_credentials::{Credentials, FileStore, TokenRequest, TokenSource, UreqTransport};
use rounds::{Rounds, quantile};

const ROUNDS: usize = 2_000;
const LIMIT: f64 = 0.2;

fn main() {
    // `cargo test --benches` runs this without the flag.
    if !env::args().any(|word| word == "--bench") {
        return println!("cargo bench --manifest-path benches/Cargo.toml --bench warm_start");
    }
    let world = World::start(Duration::ZERO);
    let directory = env::temp_dir().join(format!("warm-start-{}", process::id()));
    start(&world, Some(&directory));
    let nanos = |time: Duration| time.as_nanos() as f64;
    let rounds = Rounds::alternate(ROUNDS, || nanos(start(&world, None)), || nanos(start(&world, Some(&directory))));
    fs::remove_dir_all(&directory).expect("a directory");
    println!("| a start with | best | median | 90 % |\n|---|---|---|---|");
    let line = |what: &str, times: Vec<f64>| {
        let [best, median, most] = [0.0, 0.5, 0.9].map(|share| quantile(times.iter().copied(), share) / 1000.0);
        println!("| {what} | {best:.0} µs | {median:.0} µs | {most:.0} µs |");
    };
    line("a token request on loopback", rounds.limit().collect());
    line("a token in a file", rounds.ours().collect());
    println!("\nmedian of the ratios: {:.2} (at most {LIMIT})", quantile(rounds.ratios(), 0.5));
}

/// The time from an empty cache to a token.
fn start(world: &World, directory: Option<&Path>) -> Duration {
    let began = Instant::now();
    let request = TokenRequest::new(&world.auth.url).expect("a URL").audience(&world.api.url);
    let agent = ureq::Agent::config_builder().proxy(None).build();
    let transport = UreqTransport::with_agent(agent.into());
    let mut builder = TokenSource::builder(Credentials::new("my-client", "s3cret"), request).transport(transport);
    if let Some(directory) = directory {
        builder = builder.store(FileStore::open(directory).expect("a store")).store_as("warm");
    }
    builder.build().expect("a source").token().expect("a token");
    began.elapsed()
}
