//! One process with one token source, from its start to the end of the time that is watched, through the public API.
//!
//! Processes do not feel each other, so each is played to its end before the next, on a clock of its own.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use client_credentials::test_util::ManualClock;
use client_credentials::{
    Attempt, Clock as _, Credentials, Moment, TokenRequest, TokenSource, TransportError, TransportErrorKind,
};
use http::{Request, Response};

use crate::dice::Dice;

/// When a process needs a token.
#[derive(Clone, Copy)]
pub enum Traffic {
    /// At random times, so many seconds apart on average.
    Random(f64),
    /// Every so many seconds, each process at times of its own.
    Every(f64),
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(seconds) => write!(f, "at random, one in {seconds} s"),
            Self::Every(seconds) => write!(f, "every {seconds} s"),
        }
    }
}

impl Traffic {
    pub fn seconds(self) -> f64 {
        match self {
            Self::Random(seconds) | Self::Every(seconds) => seconds,
        }
    }

    /// The first call at `due` or later, and after `now`. `phase`: when this process made its first call.
    pub fn next(self, now: f64, due: f64, phase: f64, dice: &mut Dice) -> f64 {
        match self {
            Self::Random(seconds) => due.max(now) - seconds * (1.0 - dice.share()).ln(),
            Self::Every(seconds) => {
                let next = phase + ((due - phase) / seconds).ceil() * seconds;
                if next > now { next } else { phase + ((now - phase) / seconds).floor().mul_add(seconds, seconds) }
            }
        }
    }
}

/// What happens to all processes.
#[derive(Clone, Copy)]
pub enum Common {
    /// They start, within so many seconds.
    Start { within: f64 },
    /// They start spread over their period, and at this time all start again, within so many seconds.
    Restart { at: f64, within: f64 },
    /// They start spread over their period, or within a second if it begins with the start; from here to there nobody
    /// can reach the token endpoint.
    Outage { from: f64, to: f64 },
    /// They start spread over their period, and at this time the APIs refuse all tokens there are.
    Refusal { at: f64 },
    /// They start spread over their period; from here to there nobody calls an API.
    Silence { from: f64, to: f64 },
}

impl Common {
    /// When it begins, and when it is over.
    pub fn span(self) -> (f64, f64) {
        match self {
            Self::Start { within } => (0.0, within),
            Self::Restart { at, within } => (at, at + within),
            Self::Outage { from, to } | Self::Silence { from, to } => (from, to),
            Self::Refusal { at } => (at, at),
        }
    }
}

pub struct Play {
    pub lifetime: u64,
    pub traffic: Traffic,
    pub common: Common,
    pub until: f64,
    /// Starts are spread over this, if they are not what happens to all.
    pub period: f64,
}

/// The times of its token requests, in seconds from when the first process could start.
pub fn requests(play: &Play, dice: &mut Dice, log: &Arc<Mutex<Vec<f64>>>) -> Vec<f64> {
    let mut process = Process::start(play, log);
    let phase = match play.common {
        Common::Start { within } => within * dice.share(),
        Common::Outage { from: 0.0, .. } => dice.share(),
        _ => play.period * dice.share(),
    };
    let (mut call, mut restarted) = (phase, false);
    while call < play.until {
        process.wait_until(call);
        let due = process.call(play.common);
        let now = process.now();
        call = play.traffic.next(now, now + due, phase, dice);
        match play.common {
            Common::Restart { at, within } if call > at && !restarted => {
                restarted = true;
                process = Process::start(play, log);
                call = at + within * dice.share();
            }
            Common::Silence { from, to } if now < to && call > from => call = play.traffic.next(to, to, phase, dice),
            Common::Refusal { at } if now < at && call > at => call = play.traffic.next(at, at, phase, dice),
            _ => {}
        }
    }
    drop(process);
    std::mem::take(&mut log.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Process {
    source: TokenSource,
    clock: ManualClock,
    zero: Moment,
}

impl Process {
    fn start(play: &Play, log: &Arc<Mutex<Vec<f64>>>) -> Self {
        let clock = ManualClock::new();
        let zero = clock.now();
        let (watch, log, lifetime) = (clock.clone(), Arc::clone(log), play.lifetime);
        let down = match play.common {
            Common::Outage { from, to } => from..to,
            _ => 0.0..0.0,
        };
        let endpoint = move |_: Request<Vec<u8>>, _: &Attempt| {
            let now = watch.now().since(&zero).as_secs_f64();
            log.lock().unwrap_or_else(PoisonError::into_inner).push(now);
            if down.contains(&now) {
                return Err(TransportError::new(TransportErrorKind::Connect, "down"));
            }
            // No two tokens of a process are the same.
            let body = format!(r#"{{"access_token":"{now}","token_type":"Bearer","expires_in":{lifetime}}}"#);
            Ok(Response::new(body.into_bytes()))
        };
        let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
        let request = request.audience("https://api.example.com");
        let builder = TokenSource::builder(Credentials::new("id", "secret"), request).transport(endpoint);
        Self { source: builder.clock(clock.clone()).build().expect("a source"), clock, zero }
    }

    fn now(&self) -> f64 {
        self.clock.now().since(&self.zero).as_secs_f64()
    }

    fn wait_until(&self, time: f64) {
        self.clock.advance(Duration::from_secs_f64((time - self.now()).max(0.0)));
    }

    /// Calls an API. Returns the seconds for which further calls make no token request.
    fn call(&self, common: Common) -> f64 {
        let mut request = Request::get("https://api.example.com/").body(()).expect("a request");
        if let (Ok(token), Common::Refusal { at }) = (self.source.token(), common) {
            let sent = token.sent_at().since(&self.zero).as_secs_f64();
            if sent < at && at <= self.now() {
                let refusal = Response::builder().status(401).body(()).expect("a response");
                let mut call = self.source.call(&mut request).expect("a token");
                assert!(call.retry(&mut request, &refusal), "another token");
            }
        }
        self.source.inspect().renews_in.unwrap_or_default().as_secs_f64()
    }
}
