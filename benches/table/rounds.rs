//! Both sides of a ratio in turn, many short rounds of each.
#![allow(clippy::cast_precision_loss, reason = "nanoseconds of a bench")]

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// What each round took, in nanoseconds: the limit and ours, one after the other.
pub struct Rounds(Vec<(f64, f64)>);

impl Rounds {
    /// Who goes first changes each time.
    pub fn alternate(count: usize, mut limit: impl FnMut() -> f64, mut ours: impl FnMut() -> f64) -> Self {
        limit();
        ours();
        let round = |number| {
            if number % 2 == 0 {
                (limit(), ours())
            } else {
                let ours = ours();
                (limit(), ours)
            }
        };
        Self((0..count).map(round).collect())
    }

    /// Rounds of `size` single calls become one each, by this quantile of either side.
    pub fn grouped(&self, size: usize, share: f64) -> Self {
        let one = |rounds: &[(f64, f64)]| {
            let rounds = Self(rounds.to_vec());
            (quantile(rounds.limit(), share), quantile(rounds.ours(), share))
        };
        Self(self.0.chunks_exact(size).map(one).collect())
    }

    pub fn limit(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|round| round.0)
    }

    pub fn ours(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|round| round.1)
    }

    /// Round by round: noise that lasts longer than a round is on both sides of each.
    pub fn ratios(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|(limit, ours)| ours / limit)
    }

    /// Where the median of the ratios lies with 95 % certainty, by rank: sqrt(n) places around the middle.
    pub fn range_of_median(&self) -> (f64, f64) {
        let away = (1.0 / (self.0.len() as f64).sqrt()).min(0.5);
        (quantile(self.ratios(), 0.5 - away), quantile(self.ratios(), 0.5 + away))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
pub fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// One call, the mean of `calls`.
pub fn each(calls: u32, mut call: impl FnMut()) -> f64 {
    let from = Instant::now();
    (0..calls).for_each(|_| call());
    nanos(from.elapsed()) / f64::from(calls)
}

/// What one call costs one core while `threads` do the same: wall time x cores that can be used / all calls.
pub fn each_of<S>(threads: u32, calls: u32, state: impl Fn() -> S + Sync, call: impl Fn(&mut S) + Sync) -> f64 {
    let barrier = Barrier::new(threads as usize);
    let work = || {
        let mut state = state();
        barrier.wait();
        let from = Instant::now();
        (0..calls).for_each(|_| call(&mut state));
        (from, Instant::now())
    };
    let (from, to) = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let spans = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        spans.reduce(|one, two| (one.0.min(two.0), one.1.max(two.1))).expect("a thread")
    });
    nanos(to - from) * f64::from(threads).min(cores()) / (f64::from(threads) * f64::from(calls))
}

pub fn cores() -> f64 {
    thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

pub fn nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}
