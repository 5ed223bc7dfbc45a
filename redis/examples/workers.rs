//! 200 clients in four processes share one token: `REDIS_URL=redis://127.0.0.1 cargo run --example workers`

use std::env;
use std::error::Error;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client_credentials::test_util::{Behaviour, Step, TokenServer};
use client_credentials::{Credentials, SealingKey, TokenRequest, TokenSource};
use client_credentials_redis::RedisStore;
use ring::rand::{SecureRandom as _, SystemRandom};

const HELP: &str = "\
Starts four processes of 50 threads that all need a token, and prints how many token requests were made.

Usage: workers

The processes share their token in the Redis of the environment variable REDIS_URL
[default: redis://127.0.0.1:6379]. The token endpoint is a server in this program.

Exit status: 0 for success, 1 for a failure, 2 for a wrong command line.";

const PROCESSES: usize = 4;
const THREADS: usize = 50;
/// Tells a process that it is one of the four.
const WORKER: &str = "--worker";

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let outcome = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => parent(),
        [WORKER] => worker(),
        ["-h" | "--help"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => {
            eprintln!("workers: it takes no arguments\nTry workers --help");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("workers: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn parent() -> Result<(), Failure> {
    // It answers after 100 ms, and counts.
    let endpoint = TokenServer::start()?;
    endpoint.always(Behaviour::from(Step::Pause(Duration::from_millis(100))).then(Behaviour::token("the-token", 3600)));
    // A program that runs for longer than this takes it from a secret manager.
    let mut key = [0; 32];
    SystemRandom::new().fill(&mut key).map_err(|_| "the operating system gives no random numbers")?;

    let from = Instant::now();
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let mut process = Command::new(env::current_exe()?).arg(WORKER).stdin(Stdio::piped()).spawn()?;
        let mut input = process.stdin.take().ok_or("no standard input")?;
        // Not as an argument: those of a process can be read by others.
        input.write_all(&key)?;
        writeln!(input, "{}", endpoint.url())?;
        processes.push(process);
    }
    for mut process in processes {
        if !process.wait()?.success() {
            return Err("a process failed".into());
        }
    }
    let (clients, requests, took) = (PROCESSES * THREADS, endpoint.requests().len(), from.elapsed());
    println!("{clients} clients in {PROCESSES} processes: {requests} token requests, {} ms", took.as_millis());
    Ok(())
}

fn worker() -> Result<(), Failure> {
    let (mut key, mut endpoint) = ([0; 32], String::new());
    let mut input = io::stdin().lock();
    input.read_exact(&mut key)?;
    input.read_line(&mut endpoint)?;
    let redis = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".into());

    let failures = Arc::new(AtomicUsize::new(0));
    let threads = (0..THREADS).map(|_| {
        // Each thread has a source of its own, as if it were a process. Threads of one program share one.
        let store = RedisStore::new(&redis, SealingKey::from(key)).map_err(|error| error.to_string())?;
        let request = TokenRequest::new(endpoint.trim())?.audience("https://api.example.com");
        let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request).store(store).build()?;
        let failures = Arc::clone(&failures);
        Ok::<_, Failure>(thread::spawn(move || {
            if let Err(error) = source.token() {
                eprintln!("workers: {error}");
                failures.fetch_add(1, Ordering::Relaxed);
            }
        }))
    });
    let threads = threads.collect::<Result<Vec<_>, _>>()?;
    for thread in threads {
        thread.join().map_err(|_| "a thread panicked")?;
    }
    match failures.load(Ordering::Relaxed) {
        0 => Ok(()),
        failures => Err(format!("{failures} of {THREADS} clients have no token").into()),
    }
}
