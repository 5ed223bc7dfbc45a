//! API calls while a token is renewed, beside the same calls without a renewal:
//! `cargo bench --manifest-path benches/Cargo.toml --bench renewal`.
//!
//! Windows with and without a renewal take turns, on the same connections. The clock of the source is set by hand, so
//! that every other window begins when a renewal is due. The token endpoint takes 300 ms.
#![allow(clippy::disallowed_methods, clippy::cast_precision_loss, reason = "a bench looks at the clock")]

mod cases;
#[allow(dead_code, reason = "only the quantile")]
#[path = "table/rounds.rs"]
mod rounds;

use std::time::{Duration, Instant};
use std::{env, thread};

use cases::wire::{self, World};
use client_credentials::test_util::ManualClock;
use client_credentials::{Credentials, TokenRequest, TokenSource, UreqTransport};
use rounds::{nanos, quantile};
use ureq::Agent;

/// Of the token endpoint, and the length of a window: every call begins while the renewal is under way.
const LATENCY: Duration = Duration::from_millis(300);
const RENEWALS: usize = 25;
/// Of the 99th percentile with a renewal in the background to that without a renewal.
const MOST: f64 = 1.1;

const LEGEND: &str = "\
p99 ratio: the median of the ratios of neighbouring windows, in brackets that of all calls. Waiting: calls of at least
150 ms for each renewal. With one thread and a renewal by a caller, the call that renews is the only one.";

fn main() {
    // `cargo test --benches` runs this without the flag.
    if !env::args().any(|word| word == "--bench") {
        return println!("cargo bench --manifest-path benches/Cargo.toml --bench renewal");
    }
    println!("| threads | renewal | calls | p50 | p99 | max | p99 ratio | waiting | target | held |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for threads in [1, 16] {
        for in_background in [false, true] {
            measure(threads, in_background);
        }
    }
    println!("\n{LEGEND}");
}

fn measure(threads: usize, in_background: bool) {
    let (world, clock) = (World::start(LATENCY), ManualClock::new());
    let request = TokenRequest::new(&world.auth.url).expect("a URL").audience(&world.api.url);
    let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request)
        .transport(UreqTransport::new())
        .clock(clock.clone())
        .renew_in_background(in_background)
        .build()
        .expect("a source");
    // Each thread keeps its connection.
    let own = Agent::config_builder().proxy(None).max_idle_connections(threads).max_idle_connections_per_host(threads);
    let agent = source.wrap(own.build().into());
    calls(&agent, &world, threads);

    let (mut calm, mut renewing) = (Vec::new(), Vec::new());
    for renewal in 1..=RENEWALS {
        calm.push(calls(&agent, &world, threads));
        assert_eq!(world.auth.requests(), renewal, "no renewal in between");
        clock.advance(source.inspect().renews_in.expect("a renewal to come"));
        renewing.push(calls(&agent, &world, threads));
        while source.inspect().renews_in.is_none_or(|time| time.is_zero()) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    let ratios = calm.iter().zip(&renewing).map(|(calm, renewing)| p99(renewing) / p99(calm));
    let ratio = quantile(ratios, 0.5);
    let [calm, renewing] = [calm.concat(), renewing.concat()];
    let waits = renewing.iter().filter(|took| **took >= nanos(LATENCY / 2)).count();
    let (target, held) = match in_background {
        true => (format!("p99 {MOST}x, no caller waits"), ratio <= MOST && waits == 0),
        false => (String::from("1 caller waits"), waits == RENEWALS),
    };
    println!("| {threads} | none | {} | - | - | | |", show(&calm));
    println!(
        "| {threads} | {} | {} | {ratio:.2} ({:.2}) | {:.2} | {target} | {} |",
        if in_background { "in the background" } else { "by a caller" },
        show(&renewing),
        p99(&renewing) / p99(&calm),
        waits as f64 / RENEWALS as f64,
        if held { "yes" } else { "**no**" },
    );
}

/// What each GET took, in nanoseconds, of those that begin within a window.
fn calls(agent: &Agent, world: &World, threads: usize) -> Vec<f64> {
    let until = Instant::now() + LATENCY;
    let work = || {
        let mut took = Vec::new();
        while Instant::now() < until {
            let from = Instant::now();
            wire::get(agent, &world.api.url, None);
            took.push(nanos(from.elapsed()));
        }
        took
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

fn p99(took: &[f64]) -> f64 {
    quantile(took.iter().copied(), 0.99)
}

fn show(took: &[f64]) -> String {
    let ms = |share| quantile(took.iter().copied(), share) / 1e6;
    format!("{} | {:.3} ms | {:.3} ms | {:.1} ms", took.len(), ms(0.5), ms(0.99), ms(1.0))
}
