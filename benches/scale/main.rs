//! The tables of docs/simulation.md, and the plot `docs/scale.svg`:
//! `cargo bench --manifest-path benches/Cargo.toml --bench scale`, with `-- start` for one of the tables
//! (start, events, lives, calls, rules). The plot comes with the first.
//!
//! Every request is one that a `TokenSource` made of its transport, on a clock set by hand. The rule that it is compared
//! with, the narrow jitter alone, is a model: it takes over from the first token after what happened to all
//! processes.
#![allow(clippy::disallowed_methods, clippy::cast_precision_loss, reason = "a bench may look at the clock")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds as places in a list")]

mod dice;
mod model;
mod plot;
mod process;

use std::sync::{Arc, Mutex};
use std::thread;
use std::{env, fs};

use dice::Dice;
use model::{RULES, Timing, by_the_narrow_jitter, worst};
use process::{Common, Play, Traffic};

/// How many renewals of each process are watched after what happens to all.
const PERIODS: f64 = 10.0;

const DAY: u64 = 86_400;
const EACH_SECOND: Traffic = Traffic::Random(1.0);
const TOGETHER: Common = Common::Start { within: 1.0 };

fn main() {
    let words: Vec<String> = env::args().skip(1).collect();
    // `cargo test --benches` runs this without the flag.
    if !words.iter().any(|word| word == "--bench") {
        return println!("cargo bench --manifest-path benches/Cargo.toml --bench scale");
    }
    let tables: [(&str, fn()); 5] =
        [("start", start), ("events", events), ("lives", lives), ("calls", calls), ("rules", rules)];
    for (name, table) in tables {
        if words.len() == 1 || words.iter().any(|word| word == name) {
            table();
        }
    }
}

fn start() {
    println!("\nRequests per second, all processes start within 1 s, each calls once a second\n");
    println!(
        "| processes | lifetime | mean | 30 s jitter alone: peak | times the mean | ours: peak | times the mean | bin |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let many = &[1000, 10_000, 100_000, 1_000_000][..];
    for (lifetime, sizes) in [(5, &[100_000][..]), (60, &[100_000]), (300, many), (3600, many), (86_400, many)] {
        for &n in sizes {
            let watched = Watched::new(n, lifetime, EACH_SECOND, TOGETHER);
            let Rates { mean, narrow, ours, bin, .. } = watched.rates(3000.0);
            println!(
                "| {} | {} s | {} | {} | {:.1} | {} | **{:.2}** | {bin} s |",
                grouped(n),
                grouped(lifetime),
                rate(mean),
                rate(narrow),
                narrow / mean,
                rate(ours),
                ours / mean
            );
            if (n, lifetime) == (1_000_000, 3600) {
                let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scale.svg");
                fs::write(path, plot::svg(&watched)).expect("a file");
            }
        }
    }
}

fn events() {
    println!("\nWhat happens to all of 100,000 processes (1,000,000 at a lifetime of a day)\n");
    println!("| event | lifetime | calls | worst second of it | mean | 30 s jitter alone | ours | bin |");
    println!("|---|---|---|---|---|---|---|---|");
    for (what, lifetime, traffic, common) in list_of_events() {
        let processes = if lifetime == DAY { 1_000_000 } else { 100_000 };
        let Rates { at_once, mean, narrow, ours, bin } =
            Watched::new(processes, lifetime, traffic, common).rates(900.0);
        let (narrow, ours) = (narrow / mean, ours / mean);
        let (lifetime, at_once, mean) = (grouped(lifetime), rate(at_once), rate(mean));
        println!("| {what} | {lifetime} s | {traffic} | {at_once} | {mean} | {narrow:.1} | **{ours:.2}** | {bin} s |");
    }
}

fn lives() {
    println!("\nToken requests of a process that lives so long (lifetime 3600 s, one call a second)\n");
    println!("| minutes | 30 s jitter alone | ours |");
    println!("|---|---|---|");
    let watched = Watched::new(100_000, 3600, EACH_SECOND, TOGETHER);
    let until = |end: usize| [&watched.narrow, &watched.ours].map(|counts| sum(counts, 0, end) / 100_000.0);
    for minutes in [10, 20, 30, 40, 50, 54, 60, 90, 120, 240, 480] {
        let [narrow, ours] = until(minutes * 60);
        println!("| {minutes} | {narrow:.2} | {ours:.2} |");
    }
    let end = watched.ours.len();
    let more: Vec<f64> = (end / 2..end).step_by(10).map(until).map(|[narrow, ours]| ours - narrow).collect();
    println!("\nOurs is {:.2} more on average.", more.iter().sum::<f64>() / more.len() as f64);
}

fn calls() {
    println!("\nToken requests of a process in a day, long after its start (lifetime 3600 s)\n");
    println!("| calls | 30 s jitter alone | ours | more |");
    println!("|---|---|---|---|");
    let random = [1.0, 60.0, 600.0, 1800.0, 3600.0, 7200.0].map(Traffic::Random);
    let regular = [60.0, 600.0, 900.0, 1800.0, 3600.0].map(Traffic::Every);
    for traffic in random.into_iter().chain(regular) {
        let start = Common::Start { within: 3600.0 };
        let watched = Watched::for_periods(5000, 3600, traffic, start, 100.0);
        let end = watched.ours.len();
        let days = (end - end / 2) as f64 / 86_400.0 * watched.processes as f64;
        let [narrow, ours] = [&watched.narrow, &watched.ours].map(|counts| sum(counts, end / 2, end) / days);
        println!("| {traffic} | {narrow:.2} | {ours:.2} | {:+.1} % |", (ours / narrow - 1.0) * 100.0);
    }
}

fn rules() {
    println!("\nRules by model: 1,000,000 processes start at once; the highest ratio in 100 periods, and in which\n");
    println!("| rule | 300 s | 3,600 s | 86,400 s |");
    println!("|---|---|---|---|");
    for (name, rule) in RULES {
        let cells = [300, 3600, DAY].map(|lifetime| {
            let (ratio, period) = worst(1_000_000, lifetime, rule);
            format!("{ratio:.2} in {period}")
        });
        println!("| {name} | {} |", cells.join(" | "));
    }
}

fn list_of_events() -> Vec<(&'static str, u64, Traffic, Common)> {
    let mut events = Vec::new();
    for lifetime in [300, 3600, DAY] {
        let at = (3.0 * Timing::of(lifetime).opens).round();
        events.push(("rolling start, 60 s", lifetime, EACH_SECOND, Common::Start { within: 60.0 }));
        events.push(("restart within 10 s", lifetime, EACH_SECOND, Common::Restart { at, within: 10.0 }));
        events.push(("all tokens refused", lifetime, EACH_SECOND, Common::Refusal { at }));
        // A process in an outage makes a call every second that is played: not for a day.
        if lifetime < DAY {
            let past = Common::Outage { from: at, to: at + lifetime as f64 + 600.0 };
            events.push(("outage to 10 min past expiry", lifetime, EACH_SECOND, past));
            events.push(("outage of 3 min", lifetime, EACH_SECOND, Common::Outage { from: at, to: at + 180.0 }));
        }
    }
    let (minute, at) = (Traffic::Random(60.0), 10_000.0);
    events.extend([
        ("start within 1 s", 3600, minute, TOGETHER),
        ("all tokens refused", 3600, minute, Common::Refusal { at }),
        ("outage to 10 min past expiry", 3600, minute, Common::Outage { from: at, to: at + 4200.0 }),
        ("outage of 3 min", 3600, minute, Common::Outage { from: at, to: at + 180.0 }),
        ("rolling start, 60 s", 3600, Traffic::Every(60.0), Common::Start { within: 60.0 }),
        ("start into an outage of 10 min", 3600, EACH_SECOND, Common::Outage { from: 0.0, to: 600.0 }),
        ("no calls for 30 min", 3600, EACH_SECOND, Common::Silence { from: at, to: at + 1800.0 }),
        ("no calls for 12 h", 3600, EACH_SECOND, Common::Silence { from: at, to: at + 43_200.0 }),
    ]);
    events
}

/// Token requests in each second.
pub struct Watched {
    pub processes: usize,
    lifetime: u64,
    traffic: Traffic,
    common: Common,
    /// By the model.
    pub narrow: Vec<u32>,
    pub ours: Vec<u32>,
}

pub struct Rates {
    /// In the worst second of what happens to all, up to when it is over for each of them.
    at_once: f64,
    /// In the second half of the time.
    pub mean: f64,
    /// The highest of all bins after what happens to all; those of the narrow jitter are 10 s at most.
    narrow: f64,
    ours: f64,
    /// Seconds.
    bin: usize,
}

impl Watched {
    fn new(processes: usize, lifetime: u64, traffic: Traffic, common: Common) -> Self {
        Self::for_periods(processes, lifetime, traffic, common, PERIODS)
    }

    fn for_periods(processes: usize, lifetime: u64, traffic: Traffic, common: Common, periods: f64) -> Self {
        let timing = Timing::of(lifetime);
        let period = timing.period(traffic);
        let until = common.span().1 + (periods * period).ceil();
        let play = Play { lifetime, traffic, common, until, period };
        let mut watched = Self { processes, lifetime, traffic, common, narrow: Vec::new(), ours: Vec::new() };
        let settled = watched.settled();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let parts = thread::scope(|scope| {
            let workers: Vec<_> = (0..cores)
                .map(|core| {
                    let (play, timing) = (&play, &timing);
                    scope.spawn(move || {
                        let log = Arc::new(Mutex::new(Vec::new()));
                        let mut dice = Dice::new(core as u64 + 1);
                        let mut counts = [const { Vec::new() }; 2].map(|mut list| {
                            list.resize(until as usize + 1, 0_u32);
                            list
                        });
                        for _ in (core..processes).step_by(cores) {
                            let ours = process::requests(play, &mut dice, &log);
                            let narrow = by_the_narrow_jitter(&ours, settled, play, timing, &mut dice);
                            for (counts, times) in counts.iter_mut().zip([narrow, ours]) {
                                times.iter().filter(|&&time| time < until).for_each(|&time| counts[time as usize] += 1);
                            }
                        }
                        counts
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("no panic")).collect::<Vec<_>>()
        });
        for [narrow, ours] in parts {
            add(&mut watched.narrow, &narrow);
            add(&mut watched.ours, &ours);
        }
        watched
    }

    /// When each process has the token that what happened to all made it ask for: after the longest pause between two
    /// fetches, and then a call.
    fn settled(&self) -> f64 {
        let (_, over) = self.common.span();
        let pause = if matches!(self.common, Common::Outage { .. }) { 31.0 } else { 1.0 };
        over + (pause + 10.0 * self.traffic.seconds()).min(0.3 * Timing::of(self.lifetime).opens)
    }

    /// In bins that hold `count` requests on average, if they are a tenth of a life at most.
    pub fn rates(&self, count: f64) -> Rates {
        let (from, end) = (self.common.span().0 as usize, self.ours.len());
        let half = end - (Timing::of(self.lifetime).period(self.traffic) * PERIODS / 2.0) as usize;
        let mean = sum(&self.ours, half, end) / (end - half) as f64;
        let bin = ((count / mean).ceil() as usize).clamp(1, (self.lifetime as usize / 10).max(1));
        let settled = self.settled() as usize;
        Rates {
            at_once: highest(&self.ours[..settled], from, 1),
            mean,
            narrow: highest(&self.narrow, settled, bin.min(10)),
            ours: highest(&self.ours, settled, bin),
            bin,
        }
    }
}

fn add(sum: &mut Vec<u32>, part: &[u32]) {
    sum.resize(part.len(), 0);
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
}

fn sum(counts: &[u32], from: usize, to: usize) -> f64 {
    counts[from..to].iter().map(|&count| f64::from(count)).sum()
}

fn highest(counts: &[u32], from: usize, bin: usize) -> f64 {
    let sums = counts[from..].chunks_exact(bin).map(|bin| bin.iter().sum::<u32>());
    f64::from(sums.max().unwrap_or_default()) / bin as f64
}

fn rate(rate: f64) -> String {
    match rate {
        100.0.. => grouped(rate.round()),
        1.0.. => format!("{rate:.1}"),
        _ => format!("{rate:.3}"),
    }
}

fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let parts: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|part| std::str::from_utf8(part).expect("digits")).collect();
    parts.join(",")
}
