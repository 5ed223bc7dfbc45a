//! Renewal rules as plain arithmetic, to compare the crate's with.

use crate::dice::Dice;
use crate::process::{Play, Traffic};

/// The numbers of docs/decisions.md, "Defaults", in seconds.
pub struct Timing {
    pub opens: f64,
    pub jitter: f64,
}

impl Timing {
    pub fn of(lifetime: u64) -> Self {
        let lifetime = lifetime as f64;
        let (early, window) = (30_f64.min(lifetime / 4.0), 300_f64.min(lifetime / 5.0));
        Self { opens: lifetime - early - window, jitter: 30_f64.min(lifetime / 10.0) }
    }

    pub fn period(&self, traffic: Traffic) -> f64 {
        self.opens - self.jitter / 2.0 + traffic.seconds()
    }
}

/// The requests of this process if each renewal came at most 30 s before the window, from the first token after what
/// happened to all.
pub fn by_the_narrow_jitter(ours: &[f64], settled: f64, play: &Play, timing: &Timing, dice: &mut Dice) -> Vec<f64> {
    let mut times: Vec<f64> = ours.iter().copied().take_while(|&time| time < settled).collect();
    let phase = ours[0];
    let (jitter, mut last) = (timing.jitter * dice.share(), times.last().copied().unwrap_or(phase));
    while last < play.until {
        let due = last + timing.opens - jitter;
        last = play.traffic.next(last, due, phase, dice);
        times.push(last);
    }
    times
}

/// The share of the time before the window, and of the narrow jitter, that two random numbers of a process come to.
pub type Rule = fn(f64, f64) -> (f64, f64);

pub const RULES: [(&str, Rule); 4] = [
    ("the narrow jitter alone", |one, _| (0.0, one)),
    ("spread, a number of its own for the narrow jitter", |one, other| (0.6 * one, other)),
    ("spread, one number for both", |one, _| (0.6 * one, one)),
    ("spread, one number against itself", |one, _| (0.6 * one, 1.0 - one)),
];

/// The worst ratio of a bin to the mean after a common start, and how many periods later.
pub fn worst(processes: usize, lifetime: u64, rule: Rule) -> (f64, usize) {
    let Timing { opens, jitter } = Timing::of(lifetime);
    let (mut dice, end) = (Dice::new(7), 100.0 * opens);
    let mut counts = vec![0_u32; end as usize + 1];
    for _ in 0..processes {
        let (spread, narrow) = rule(dice.share(), dice.share());
        let mut time = if spread > 0.0 { opens * (1.0 - spread) } else { opens - jitter * narrow };
        while time < end {
            counts[time as usize] += 1;
            time += opens - jitter * narrow;
        }
    }
    let bin = (lifetime as usize / 100).max(1);
    let mean = processes as f64 / (opens - jitter / 2.0);
    let worst = counts.chunks_exact(bin).map(|bin| bin.iter().sum::<u32>()).enumerate().max_by_key(|&(_, sum)| sum);
    let (place, sum) = worst.expect("a bin");
    (f64::from(sum) / bin as f64 / mean, ((place * bin) as f64 / opens).ceil() as usize)
}
