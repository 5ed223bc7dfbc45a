//! A program that starts and needs a token: with a store in files that has one, beside a token request on loopback to an
//! endpoint that answers at once. `cargo bench --manifest-path benches/Cargo.toml --bench warm_start`.
//!
//! They take turns in one process. Each makes a source of its own, as a new process does, and what that takes by itself is
//! measured, too, and subtracted. In life a token request takes 100 ms and more, so that the ratio is smaller.
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
use rounds::quantile;

const ROUNDS: usize = 2_000;
const LIMIT: f64 = 0.2;

fn main() {
    // `cargo test --benches` runs this without the flag.
    if !env::args().any(|word| word == "--bench") {
        return println!("cargo bench --manifest-path benches/Cargo.toml --bench warm_start");
    }
    let world = World::start(Duration::ZERO);
    let directory = env::temp_dir().join(format!("warm-start-{}", process::id()));
    start(&world, Need::Stored(&directory));
    let [mut nothing, mut requested, mut stored] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        nothing.push(start(&world, Need::Nothing));
        stored.push(start(&world, Need::Stored(&directory)));
        requested.push(start(&world, Need::Requested));
    }
    fs::remove_dir_all(&directory).expect("a directory");
    println!("| a source | best | median | 90 % |\n|---|---|---|---|");
    let line = |what: &str, times: Vec<f64>| {
        let [best, median, most] = [0.0, 0.5, 0.9].map(|share| quantile(times.iter().copied(), share) / 1000.0);
        println!("| {what} | {best:.0} µs | {median:.0} µs | {most:.0} µs |");
        median
    };
    let nothing = line("that is built", nothing);
    let requested = line("and requests a token on loopback", requested) - nothing;
    let stored = line("and finds a token in a file", stored) - nothing;
    println!(
        "\nabove a source that is built: {stored:.0} and {requested:.0} µs, {:.2} (at most {LIMIT})",
        stored / requested
    );
}

enum Need<'a> {
    Nothing,
    Requested,
    Stored(&'a Path),
}

/// The time in nanoseconds from nothing to a token.
fn start(world: &World, need: Need<'_>) -> f64 {
    let began = Instant::now();
    let request = TokenRequest::new(&world.auth.url).expect("a URL").audience(&world.api.url);
    let agent = ureq::Agent::config_builder().proxy(None).build();
    let transport = UreqTransport::with_agent(agent.into());
    let builder = TokenSource::builder(Credentials::new("my-client", "s3cret"), request).transport(transport);
    let source = match need {
        Need::Stored(directory) => builder.store(FileStore::open(directory).expect("a store")).store_as("warm"),
        Need::Nothing | Need::Requested => builder,
    };
    let source = source.build().expect("a source");
    if !matches!(need, Need::Nothing) {
        source.token().expect("a token");
    }
    began.elapsed().as_nanos() as f64
}
