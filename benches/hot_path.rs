//! The figures without a network, one by one, with their allocations:
//! `cargo bench --manifest-path benches/Cargo.toml --bench hot_path`. The bench `table` prints them beside their limits.
#![allow(clippy::disallowed_methods, reason = "a bench looks at the clock")]

mod cases;

use cases::{answer, hot, keys, token};
use client_credentials::{Clock as _, SystemClock};
use divan::{AllocProfiler, Bencher};
use http::Response;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const LENGTHS: [usize; 2] = [40, 900];
const THREADS: [usize; 3] = [1, 2, 8];

#[divan::bench(args = LENGTHS, threads = THREADS, sample_size = 1000)]
fn hit(bencher: Bencher<'_, '_>, length: usize) {
    let source = hot::source(length);
    bencher.with_inputs(hot::request).bench_refs(|request| hot::hit(&source, request));
}

#[divan::bench(args = LENGTHS, threads = THREADS, sample_size = 1000)]
fn hit_limit(bencher: Bencher<'_, '_>, length: usize) {
    let value = hot::fixed_value(length);
    bencher.with_inputs(hot::request).bench_refs(|request| hot::hit_limit(&value, request));
}

#[divan::bench(sample_size = 1000)]
fn hit_during_renewal(bencher: Bencher<'_, '_>) {
    let renewal = hot::Renewal::new(900).start();
    bencher.with_inputs(hot::request).bench_refs(|request| hot::hit(&renewal.source, request));
    assert!(renewal.is_stuck());
}

#[divan::bench(sample_size = 1000)]
fn hit_of_another_key(bencher: Bencher<'_, '_>) {
    let keys = keys::Keys::new(10_000);
    let mut request = hot::request();
    bencher.bench_local(|| {
        let next = keys.next();
        hot::hit(&keys.sources[next], &mut request);
    });
}

#[divan::bench]
fn says_no(bencher: Bencher<'_, '_>) {
    let (source, uri) = (hot::source(40), hot::foreign());
    bencher.bench(|| hot::says_no(&source, &uri));
}

#[divan::bench]
fn says_no_limit() {
    hot::says_no_limit();
}

#[divan::bench(args = LENGTHS)]
fn decode(bencher: Bencher<'_, '_>, length: usize) {
    let (request, sent_at) = (hot::question(), SystemClock.now());
    let response = Response::new(answer(&token(length)).into_bytes());
    bencher.bench(|| hot::decode(&request, &response, sent_at));
}

#[divan::bench(args = LENGTHS)]
fn decode_limit(bencher: Bencher<'_, '_>, length: usize) {
    let body = answer(&token(length));
    bencher.bench(|| hot::decode_limit(body.as_bytes()));
}
