//! Many processes with one Redis: how often is the token endpoint asked, and what do callers notice?
//!
//! The processes are real: this test binary, started again. Each of their threads has a source and a store
//! of its own, so it is a client like a process.

mod scenarios;
#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use client_credentials::test_util::{Behaviour, Step, TokenServer};
use client_credentials::{Credentials, EventKind, SealingKey, TokenRequest, TokenSource};
use client_credentials_redis::RedisStore;

const WORKER: &str = "CLIENT_CREDENTIALS_REDIS_WORKER";

/// Some clients in a process of their own, which call for a token until the time is over.
struct Clients {
    process: Child,
    start: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// What clients noticed.
#[derive(Default, Debug)]
struct Noticed {
    calls: u64,
    errors: u64,
    /// When the store failed, in seconds: the client then asks the token endpoint itself. On a machine that is too
    /// busy for an answer in 0.4 s that happens, too.
    alone: Vec<f64>,
    /// The longest call.
    worst: Duration,
}

impl Clients {
    /// Makes this many clients ready.
    fn new(redis: &str, endpoint: &str, count: usize, time: Duration) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "worker", "--nocapture", "--test-threads", "1"])
            .env(WORKER, format!("{redis} {endpoint} {count} {}", time.as_millis()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (start, output) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut clients = Self { process, start, output };
        clients.wait_for("READY");
        clients
    }

    fn start(&mut self) {
        self.start.write_all(b"\n").unwrap();
    }

    fn finish(mut self) -> Noticed {
        let line = self.wait_for("NOTICED");
        let mut numbers = line.split(' ').skip(1).map(|number| number.parse().unwrap());
        let mut next = || numbers.next();
        let [calls, errors, worst] = [(); 3].map(|()| next().unwrap());
        let alone = std::iter::from_fn(next).map(|at| at as f64 / 1e6).collect();
        Noticed { calls, errors, alone, worst: Duration::from_micros(worst) }
    }

    fn id(&self) -> u32 {
        self.process.id()
    }

    fn wait_for(&mut self, word: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "a process with clients has ended");
            // The test harness writes the name of the test first, without the end of the line.
            if let Some(at) = line.find(word) {
                return line[at..].trim_end().to_owned();
            }
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Noticed {
    /// The number of clients that asked the token endpoint themselves since then.
    fn alone_since(&self, seconds: f64) -> usize {
        self.alone.iter().filter(|&&at| at >= seconds).count()
    }

    fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            errors: self.errors + other.errors,
            alone: [self.alone, other.alone].concat(),
            worst: self.worst.max(other.worst),
        }
    }
}

/// Not a test: what the processes run.
#[test]
fn worker() {
    let Ok(task) = std::env::var(WORKER) else { return };
    let task: Vec<&str> = task.split(' ').collect();
    let [redis, endpoint, count, time] = task[..] else { panic!("{task:?}") };
    let (count, time): (usize, _) = (count.parse().unwrap(), Duration::from_millis(time.parse().unwrap()));
    let barrier = Arc::new(Barrier::new(count + 1));
    let threads: Vec<_> = (0..count)
        .map(|number| {
            let (source, barrier) = (client(redis, endpoint), Arc::clone(&barrier));
            thread::spawn(move || {
                barrier.wait();
                let until = Instant::now() + time;
                let mut noticed = Noticed::default();
                loop {
                    let from = Instant::now();
                    let result = source.token();
                    noticed = noticed.and(Noticed {
                        calls: 1,
                        errors: u64::from(result.is_err()),
                        alone: Vec::new(),
                        worst: from.elapsed(),
                    });
                    if Instant::now() >= until {
                        return noticed;
                    }
                    thread::sleep(Duration::from_millis(20 + number as u64 % 20));
                }
            })
        })
        .collect();
    println!("READY");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let from = Instant::now();
    barrier.wait();
    let noticed = threads.into_iter().map(|thread| thread.join().unwrap()).fold(Noticed::default(), Noticed::and);
    let alone = ALONE.lock().unwrap();
    let alone: String = alone.iter().map(|at| format!(" {}", (*at - from).as_micros())).collect();
    println!("NOTICED {} {} {}{alone}", noticed.calls, noticed.errors, noticed.worst.as_micros());
}

static ALONE: Mutex<Vec<Instant>> = Mutex::new(Vec::new());

/// A client with its own source, store and connection.
fn client(redis: &str, endpoint: &str) -> TokenSource {
    let store = RedisStore::new(redis, SealingKey::from([7; 32])).unwrap();
    let request = TokenRequest::new(endpoint).unwrap().audience("https://api.example.com");
    TokenSource::builder(Credentials::new("the-client", "the-secret"), request)
        .store(store)
        .on_event(|event| {
            if let EventKind::StoreFailed { .. } = event.kind {
                ALONE.lock().unwrap().push(Instant::now());
            }
        })
        .build()
        .unwrap()
}

/// An endpoint that takes this long for an answer.
fn endpoint(delay: Duration, expires_in: u64) -> TokenServer {
    let server = TokenServer::start().unwrap();
    server.always(answer(delay, expires_in));
    server
}

fn answer(delay: Duration, expires_in: u64) -> Behaviour {
    Behaviour::from(Step::Pause(delay)).then(Behaviour::token("the-token", expires_in))
}
