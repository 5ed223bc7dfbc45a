//! The table of docs/measurements.md: `cargo bench --manifest-path benches/Cargo.toml --bench table`,
//! with `-- GET` for the rows with that word.
//!
//! Not divan: it runs one bench to its end before the next, so noise that comes and goes would fall on one side of a
//! ratio; here both sides take turns every millisecond or so.
#![allow(clippy::disallowed_methods, clippy::cast_precision_loss, reason = "a bench looks at the clock")]

#[path = "../cases/mod.rs"]
mod cases;
mod core;
mod heap;
mod rounds;

use std::cell::Cell;
use std::time::Duration;
use std::{env, fs};

use cases::keys::Keys;
use cases::wire::World;
use cases::{answer, hot, keys, token, wire};
use client_credentials::{Attempt, Clock as _, SystemClock, TokenCache};
use http::Response;
use rounds::{Rounds, cores, each, each_of, nanos, quantile};

/// Rounds well below a millisecond, for what takes nanoseconds: most of them are over before the scheduler gives the
/// core to somebody else.
const ROUNDS: usize = 2000;
const CALLS: u32 = 1000;

const LEGEND: &str = "\
Limit and ours: best / median of all rounds. Ratio: the median of the ratios of single rounds, in brackets where it lies
at 95 %, then of the bests and of the medians. Held: `?` if the target is inside the brackets, so that noise decides.
Core-ns: wall x min(threads, cores) / calls. GET, POST and cold start: both ends on one core.";

fn main() {
    if wire::is_cold_start() {
        return;
    }
    let mut words: Vec<String> = env::args().skip(1).collect();
    // `cargo test --benches` runs this without the flag.
    if !words.iter().any(|word| word == "--bench") {
        return println!("cargo bench --manifest-path benches/Cargo.toml --bench table");
    }
    words.retain(|word| !word.starts_with("--"));
    let table = Table { words };
    println!("| what | limit | ours | ratio | target | held |");
    println!("|---|---|---|---|---|---|");
    let (before, cores) = (load(), cores());
    hits(&table);
    in_memory(&table);
    crowd(&table);
    over_loopback(&table);
    many_keys(&table);
    println!("\n{LEGEND} {cores} cores; load before and after: {before}, {}.", load());
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn hits(table: &Table) {
    for length in [900, 40] {
        let (source, value) = (hot::source(length), hot::fixed_value(length));
        table.row(&format!("`authorize`, cache hit, {length}-byte token"), || {
            let (mut one, mut two) = (hot::request(), hot::request());
            let allocations = heap::allocations(|| hot::hit(&source, &mut two));
            let limit = || each(CALLS, || hot::hit_limit(&value, &mut one));
            let ours = || each(CALLS, || hot::hit(&source, &mut two));
            Row::of(&Rounds::alternate(ROUNDS, limit, ours), 1.25).allocates(allocations)
        });
        for threads in [2, 8] {
            table.row(&format!("the same on {threads} threads, core-ns, {length}-byte token"), || {
                let calls = 100_000 / threads;
                let state = || (hot::request(), value.clone());
                let limit = || each_of(threads, calls, state, |(request, value)| hot::hit_limit(value, request));
                let ours = || each_of(threads, calls, state, |(request, _)| hot::hit(&source, request));
                Row::of(&Rounds::alternate(ROUNDS / 20, limit, ours), 1.25)
            });
        }
    }
    table.row("cache hit, another thread stuck in a renewal (limit: no renewal)", || {
        let (calm, stuck) = (hot::Renewal::new(900), hot::Renewal::new(900).start());
        let (mut one, mut two) = (hot::request(), hot::request());
        let limit = || each(CALLS, || hot::hit(&calm.source, &mut one));
        let ours = || each(CALLS, || hot::hit(&stuck.source, &mut two));
        let row = Row::of(&Rounds::alternate(ROUNDS, limit, ours), 1.1);
        let never = stuck.is_stuck();
        row.also(if never { "never blocked" } else { "blocked" }, "never blocked", never)
    });
}

fn in_memory(table: &Table) {
    table.row("audience check that says no (limit: two string compares)", || {
        let (source, uri) = (hot::source(40), hot::foreign());
        let allocations = heap::allocations(|| hot::says_no(&source, &uri));
        let limit = || each(CALLS, hot::says_no_limit);
        let ours = || each(CALLS, || hot::says_no(&source, &uri));
        let rounds = Rounds::alternate(ROUNDS, limit, ours);
        let row = Row::of(&rounds, f64::INFINITY);
        row.also("", "30 ns", quantile(rounds.ours(), 0.5) <= 30.0).allocates(allocations)
    });
    table.row("decode a token reply, 900-byte token (limit: `serde_json`, borrowed struct)", || {
        let (request, sent_at) = (hot::question(), SystemClock.now());
        let response = Response::new(answer(&token(900)).into_bytes());
        let ours = || hot::decode(&request, &response, sent_at);
        let allocations = heap::allocations(ours);
        let limit = || each(CALLS / 5, || hot::decode_limit(response.body()));
        let ours = || each(CALLS / 5, ours);
        let row = Row::of(&Rounds::alternate(ROUNDS, limit, ours), 1.5);
        row.also(&format!("{allocations} allocations"), "", true)
    });
    table.row("token request with an ES256 assertion (limit: ring's bare signature)", || {
        let (signing, attempt) = (hot::Signing::new(), Attempt::default());
        let limit = || each(CALLS / 50, || signing.limit());
        let ours = || each(CALLS / 50, || signing.encode(&attempt));
        Row::of(&Rounds::alternate(ROUNDS, limit, ours), 1.3)
    });
}

fn crowd(table: &Table) {
    table.row("1,000 threads, empty cache, token endpoint 100 ms (limit: one fetch)", || {
        let world = World::start(Duration::from_millis(100));
        let most = Cell::new(0);
        let ours = || {
            let before = world.auth.requests();
            let duration = wire::crowd(&world);
            most.set(most.get().max(world.auth.requests() - before));
            nanos(duration)
        };
        let row = Row::of(&Rounds::alternate(15, || nanos(wire::crowd_limit(&world)), ours), 1.2);
        row.also(&format!("{} request", most.get()), "1 request", most.get() == 1)
    });
}

/// Single calls take turns here, and a round is what a thousand of them come to.
fn over_loopback(table: &Table) {
    core::stay();
    let world = World::start(Duration::ZERO);
    let (ours, bare, header) = (world.source().agent(), wire::bare_agent(), hot::counted_value(wire::TOKEN));
    let url = format!("{}/v1/items", world.api.url);

    let mut gets = None;
    for (what, share, most) in [("GET, keep-alive, median", 0.5, 1.01), ("GET, keep-alive, p99", 0.99, 1.05)] {
        table.row(what, || {
            let limit = || each(1, || wire::get(&bare, &url, Some(&header)));
            let ours = || each(1, || wire::get(&ours, &url, None));
            let gets = gets.get_or_insert_with(|| Rounds::alternate(30_000, limit, ours));
            Row::of(&gets.grouped(1000, share), most)
        });
    }
    table.row("GET, an agent of the caller's own by `wrap`, median", || {
        let own = wire::own_agent(&world.source());
        let limit = || each(1, || wire::get(&bare, &url, Some(&header)));
        let ours = || each(1, || wire::get(&own, &url, None));
        Row::of(&Rounds::alternate(30_000, limit, ours).grouped(1000, 0.5), f64::INFINITY)
    });
    for (size, count, most) in [(1, 20_000, 1.02), (1024, 2000, 1.15)] {
        let body = vec![b'x'; size * 1024];
        table.row(&format!("POST of {size} KiB, median"), || {
            let limit = || each(1, || wire::post(&bare, &url, Some(&header), &body));
            let ours = || each(1, || wire::post(&ours, &url, None, &body));
            Row::of(&Rounds::alternate(count, limit, ours).grouped(count / 20, 0.5), most)
        });
    }
    table.row("cold start: process start to exit, one authorized GET (limit: by hand)", || {
        let start = |by_hand| nanos(wire::cold_start(&world, by_hand));
        Row::of(&Rounds::alternate(300, || start(true), || start(false)), 1.02)
    });
}

fn many_keys(table: &Table) {
    const MANY: usize = 100_000;
    if !table.wants("100,000 keys") {
        return;
    }
    let before = heap::bytes();
    let mut many = Keys::new(MANY);
    let each_source = (heap::bytes() - before) as f64 / MANY as f64;
    let one = Keys::new(1);
    let (mut left, mut right) = (hot::request(), hot::request());

    table.row("100,000 keys in one cache: hits of one (limit: one key)", || {
        let limit = || each(CALLS, || hot::hit(&one.sources[0], &mut left));
        let ours = || each(CALLS, || hot::hit(&many.sources[MANY / 2], &mut right));
        Row::of(&Rounds::alternate(ROUNDS, limit, ours), 2.0)
    });
    table.row("100,000 keys: each hit another one (limit: as many header values)", || {
        let values: Vec<_> = (0..MANY).map(|_| hot::counted_value(keys::TOKEN)).collect();
        let mut ours = || hot::hit(&many.sources[many.next()], &mut right);
        // The first clone of a header value allocates its count of references.
        (0..MANY).for_each(|_| ours());
        let allocations = heap::allocations(&mut ours);
        let limit = || each(CALLS, || hot::hit_limit(&values[many.next()], &mut left));
        let ours = || each(CALLS, &mut ours);
        // No target: it is the memory of the machine that is measured here.
        Row::of(&Rounds::alternate(ROUNDS, limit, ours), f64::INFINITY).allocates(allocations)
    });
    table.row("100,000 keys: each hit another one, by a source built for it (limit: one key)", || {
        let build = |cache: &TokenCache, number| drop(keys::source(cache, number));
        let limit = || each(CALLS / 20, || build(&one.cache, one.next()));
        let ours = || each(CALLS / 20, || build(&many.cache, many.next()));
        Row::of(&Rounds::alternate(ROUNDS, limit, ours), 2.0)
    });

    many.sources.clear();
    many.sources.shrink_to_fit();
    let each_key = (heap::bytes() - before) as f64 / MANY as f64;
    let limit = (2048 + keys::TOKEN) as f64;
    for (what, bytes) in [("a source per key", each_source), ("no source", each_key)] {
        table.row(&format!("100,000 keys: memory per key, {what} alive"), || Row {
            limit: format!("{limit} B"),
            ours: format!("{bytes:.0} B"),
            ratio: format!("{:.2}", bytes / limit),
            target: String::from("2 KiB + token"),
            held: if bytes <= limit { Held::Yes } else { Held::No },
        });
    }
}

struct Table {
    words: Vec<String>,
}

impl Table {
    fn wants(&self, what: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| what.contains(word.as_str()))
    }

    fn row(&self, what: &str, measure: impl FnOnce() -> Row) {
        if self.wants(what) {
            let Row { limit, ours, ratio, target, held } = measure();
            let held = match held {
                Held::Yes => "yes",
                Held::Unclear => "?",
                Held::No => "**no**",
            };
            println!("| {what} | {limit} | {ours} | {ratio} | {target} | {held} |");
        }
    }
}

struct Row {
    limit: String,
    ours: String,
    ratio: String,
    target: String,
    held: Held,
}

enum Held {
    Yes,
    Unclear,
    No,
}

impl Row {
    /// `most`: the ratio that is aimed for.
    fn of(rounds: &Rounds, most: f64) -> Self {
        let ratio = quantile(rounds.ratios(), 0.5);
        let (low, high) = rounds.range_of_median();
        let [best, medians] = [0.0, 0.5].map(|share| quantile(rounds.ours(), share) / quantile(rounds.limit(), share));
        Self {
            limit: show(|share| quantile(rounds.limit(), share)),
            ours: show(|share| quantile(rounds.ours(), share)),
            ratio: format!("{ratio:.2} ({low:.2}-{high:.2}), best {best:.2}, medians {medians:.2}"),
            target: if most.is_finite() { format!("{most}x") } else { String::new() },
            held: match most {
                _ if high <= most => Held::Yes,
                _ if low > most => Held::No,
                _ => Held::Unclear,
            },
        }
    }

    /// One more thing that is aimed for.
    fn also(mut self, ours: &str, target: &str, held: bool) -> Self {
        for (cell, more) in [(&mut self.ours, ours), (&mut self.target, target)] {
            let comma = if cell.is_empty() || more.is_empty() { "" } else { ", " };
            *cell += &format!("{comma}{more}");
        }
        if !held {
            self.held = Held::No;
        }
        self
    }

    fn allocates(self, allocations: f64) -> Self {
        self.also(&format!("{allocations} allocations"), "0 allocations", allocations == 0.0)
    }
}

/// Best / median, in a unit that suits the median.
fn show(quantile: impl Fn(f64) -> f64) -> String {
    let (best, median) = (quantile(0.0), quantile(0.5));
    let (unit, name) = match median {
        ..1e3 => (1.0, "ns"),
        ..1e6 => (1e3, "µs"),
        _ => (1e6, "ms"),
    };
    let digits = usize::from(median / unit < 100.0);
    format!("{:.digits$} / {:.digits$} {name}", best / unit, median / unit)
}
