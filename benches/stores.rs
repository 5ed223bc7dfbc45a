//! What many processes ask of the store that they share, for docs/simulation.md and docs/stores.md:
//! `cargo bench --manifest-path benches/Cargo.toml --bench stores`.
//!
//! Each process is a `TokenSource` of its own. All have the same store in memory, which counts, and a token endpoint
//! that counts. Fleets and starts run on a clock set by hand, one call after the other. The cold start runs on threads,
//! in real time.
#![allow(clippy::disallowed_methods, clippy::cast_precision_loss, reason = "a bench looks at the clock")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds as places in a list")]

#[path = "scale/dice.rs"]
mod dice;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use client_credentials::test_util::{ManualClock, MemoryStore};
use client_credentials::{Attempt, Clock, Credentials, SystemClock, TokenRequest, TokenSource, TransportError};
use dice::Dice;
use http::{Request, Response};

const LIFETIME: u64 = 3600;
/// Of the token endpoint.
const LATENCY: Duration = Duration::from_millis(100);
/// After the start, and then as many as are watched.
const PERIODS_BEFORE: usize = 4;
const PERIODS: usize = 10;
const NANOS: f64 = 1e9;

fn main() {
    // `cargo test --benches` runs this without the flag.
    if !env::args().any(|word| word == "--bench") {
        return println!("cargo bench --manifest-path benches/Cargo.toml --bench stores");
    }
    println!("\nProcesses that call once a second, tokens of an hour: in one period, from one renewal to the next\n");
    println!("| processes | period | token requests | loads | claims | saves | loads a second | most in a second |");
    println!("|---|---|---|---|---|---|---|---|");
    for processes in [1, 20, 200, 2000, 20_000] {
        fleet(processes);
    }
    println!("\nProcesses that start, ask once, and end, tokens of an hour: in one period\n");
    println!("| a start every | period | starts | token requests | loads | claims | saves | loads for each start |");
    println!("|---|---|---|---|---|---|---|---|");
    for seconds in [60.0, 1.0, 0.1] {
        starts(seconds);
    }
    println!("\nProcesses that all start at once, with nothing in the store, and a token endpoint that takes 100 ms\n");
    println!("| store | processes | token requests | loads for each | claims for each | all served after |");
    println!("|---|---|---|---|---|---|");
    for processes in [50, 200, 1000] {
        cold("as files", MemoryStore::new(), processes);
        cold("as on a network", MemoryStore::remote(ManualClock::new()), processes);
    }
}

/// The processes that share a store, and what they have asked so far.
struct World {
    clock: ManualClock,
    store: MemoryStore,
    requests: Arc<AtomicUsize>,
}

/// Numbers of a moment, or the difference of two.
#[derive(Clone, Copy)]
struct Counts {
    seconds: f64,
    requests: usize,
    loads: usize,
    claims: usize,
    saves: usize,
}

impl World {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self { store: MemoryStore::with_clock(clock.clone()), clock, requests: Arc::default() }
    }

    fn process(&self) -> TokenSource {
        source(&self.store, self.clock.clone(), &self.requests)
    }

    fn counts(&self, seconds: f64) -> Counts {
        Counts {
            seconds,
            requests: self.requests.load(Ordering::Relaxed),
            loads: self.store.loads(),
            claims: self.store.claims(),
            saves: self.store.saves(),
        }
    }
}

impl Counts {
    fn since(self, before: Self) -> Self {
        Self {
            seconds: self.seconds - before.seconds,
            requests: self.requests - before.requests,
            loads: self.loads - before.loads,
            claims: self.claims - before.claims,
            saves: self.saves - before.saves,
        }
    }
}

fn source(store: &MemoryStore, clock: impl Clock + Clone, requests: &Arc<AtomicUsize>) -> TokenSource {
    let (requests, watch) = (Arc::clone(requests), clock.clone());
    let endpoint = move |_: Request<Vec<u8>>, _: &Attempt| -> Result<Response<Vec<u8>>, TransportError> {
        let number = requests.fetch_add(1, Ordering::Relaxed);
        watch.sleep(LATENCY);
        let body = format!(r#"{{"access_token":"t{number}","token_type":"Bearer","expires_in":{LIFETIME}}}"#);
        Ok(Response::new(body.into_bytes()))
    };
    let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
    let request = request.audience("https://api.example.com");
    let builder = TokenSource::builder(Credentials::new("id", "secret"), request).transport(endpoint).clock(clock);
    builder.store(store.clone()).store_as("id").build().expect("a source")
}

/// Waits for the call at this time, and returns what the clock shows then.
fn wait_until(world: &World, zero: Instant, time: f64) -> f64 {
    let now = world.clock.monotonic().duration_since(zero).as_secs_f64();
    world.clock.advance(Duration::from_secs_f64((time - now).max(0.0)));
    now.max(time)
}

fn fleet(processes: usize) {
    let (world, mut dice) = (World::new(), Dice::new(1));
    let zero = world.clock.monotonic();
    let sources: Vec<_> = (0..processes).map(|_| world.process()).collect();
    // Started within a minute.
    let mut calls: BinaryHeap<_> =
        (0..processes).map(|index| Reverse(((60.0 * dice.share() * NANOS) as u64, index))).collect();
    let (mut from, mut most, mut in_second) = (None, 0, (0, 0));
    while let Some(Reverse((time, index))) = calls.pop() {
        let time = wait_until(&world, zero, time as f64 / NANOS);
        let before = world.counts(time);
        if from.is_none() && before.requests > PERIODS_BEFORE {
            from = Some(before);
        }
        if let Some(from) = from.filter(|from| before.requests == from.requests + PERIODS) {
            let Counts { seconds, requests, loads, claims, saves } = before.since(from);
            let each = |count: usize| count as f64 / PERIODS as f64;
            return println!(
                "| {processes} | {:.0} s | {:.1} | {:.1} | {:.1} | {:.1} | {:.3} | {most} |",
                seconds / PERIODS as f64,
                each(requests),
                each(loads),
                each(claims),
                each(saves),
                loads as f64 / seconds
            );
        }
        sources[index].token().expect("a token");
        let loads = world.store.loads() - before.loads;
        in_second = if in_second.0 == time as u64 { (in_second.0, in_second.1 + loads) } else { (time as u64, loads) };
        most = most.max(if from.is_some() { in_second.1 } else { 0 });
        // The first call after the moment from which the source asks again.
        let due = sources[index].inspect().renews_in.unwrap_or_default().as_secs_f64();
        calls.push(Reverse((((time + due.max(0.001) + dice.share()) * NANOS) as u64, index)));
    }
}

fn starts(seconds: f64) {
    let world = World::new();
    let zero = world.clock.monotonic();
    let (mut from, mut time, mut count) = (None, 0.0, 0);
    loop {
        let now = wait_until(&world, zero, time);
        let before = world.counts(now);
        if from.is_none() && before.requests > PERIODS_BEFORE {
            (from, count) = (Some(before), 0);
        }
        if let Some(from) = from.filter(|from| before.requests == from.requests + PERIODS) {
            let sum = before.since(from);
            let each = |count: usize| count as f64 / PERIODS as f64;
            return println!(
                "| {seconds} s | {:.0} s | {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.3} |",
                sum.seconds / PERIODS as f64,
                each(count),
                each(sum.requests),
                each(sum.loads),
                each(sum.claims),
                each(sum.saves),
                sum.loads as f64 / count as f64
            );
        }
        world.process().token().expect("a token");
        count += 1;
        time += seconds;
    }
}

fn cold(name: &str, store: MemoryStore, processes: usize) {
    let requests = Arc::default();
    let (ready, last) = (Barrier::new(processes), Mutex::new(Duration::ZERO));
    let start = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..processes {
            let source = source(&store, SystemClock, &requests);
            let (ready, last, start) = (&ready, &last, &start);
            let work = move || {
                ready.wait();
                let start = *start.lock().expect("no panic").get_or_insert_with(Instant::now);
                source.token().expect("a token");
                let mut last = last.lock().expect("no panic");
                *last = start.elapsed().max(*last);
            };
            thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, work).expect("a thread");
        }
    });
    let each = |count: usize| count as f64 / processes as f64;
    println!(
        "| {name} | {processes} | {} | {:.1} | {:.1} | {:.2} s |",
        requests.load(Ordering::Relaxed),
        each(store.loads()),
        each(store.claims()),
        last.into_inner().expect("no panic").as_secs_f64()
    );
}
