//! The figures over loopback, one by one, with their allocations:
//! `cargo bench --manifest-path benches/Cargo.toml --bench wire`. The bench `table` prints them beside their limits.

mod cases;

use std::time::Duration;

use cases::hot;
use cases::wire::{self, World};
use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    if !wire::is_cold_start() {
        divan::main();
    }
}

/// Bytes of a body.
const SIZES: [usize; 2] = [1 << 10, 1 << 20];

#[divan::bench(sample_count = 2000)]
fn get(bencher: Bencher<'_, '_>) {
    let world = World::start(Duration::ZERO);
    let agent = world.source().agent();
    bencher.bench_local(|| wire::get(&agent, &world.api.url, None));
}

#[divan::bench(sample_count = 2000)]
fn get_limit(bencher: Bencher<'_, '_>) {
    let world = World::start(Duration::ZERO);
    let (agent, header) = (wire::bare_agent(), hot::counted_value(wire::TOKEN));
    bencher.bench_local(|| wire::get(&agent, &world.api.url, Some(&header)));
}

#[divan::bench(args = SIZES)]
fn post(bencher: Bencher<'_, '_>, size: usize) {
    let (world, body) = (World::start(Duration::ZERO), vec![b'x'; size]);
    let agent = world.source().agent();
    bencher.bench_local(|| wire::post(&agent, &world.api.url, None, &body));
}

#[divan::bench(args = SIZES)]
fn post_limit(bencher: Bencher<'_, '_>, size: usize) {
    let (world, body) = (World::start(Duration::ZERO), vec![b'x'; size]);
    let (agent, header) = (wire::bare_agent(), hot::counted_value(wire::TOKEN));
    bencher.bench_local(|| wire::post(&agent, &world.api.url, Some(&header), &body));
}

#[divan::bench(sample_size = 1, args = [false, true])]
fn cold_start(bencher: Bencher<'_, '_>, by_hand: bool) {
    let world = World::start(Duration::ZERO);
    bencher.bench_local(|| wire::cold_start(&world, by_hand));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn crowd(bencher: Bencher<'_, '_>) {
    let world = World::start(Duration::from_millis(100));
    bencher.bench_local(|| wire::crowd(&world));
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn crowd_limit(bencher: Bencher<'_, '_>) {
    let world = World::start(Duration::from_millis(100));
    bencher.bench_local(|| wire::crowd_limit(&world));
}
