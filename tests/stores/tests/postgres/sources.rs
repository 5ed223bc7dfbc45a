//! Sources on one table, as in many processes.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use client_credentials::test_util::{Behaviour, Step, TokenServer};
use client_credentials::{Credentials, Event, EventKind, Sealed, SealingKey};
use client_credentials::{TokenRequest, TokenSource};
use client_credentials_stores::postgres::PostgresStore;
use rustix::process::Signal;

use crate::cluster::{Database, Own};

const WORKERS: usize = 8;
/// A token request takes this long, so that all others meet it.
const ANSWER: Duration = Duration::from_millis(300);

fn server(tokens: usize, lifetime: u64) -> TokenServer {
    let server = TokenServer::start().expect("a port");
    for number in 1..=tokens {
        let token = Behaviour::token(&format!("token-{number}"), lifetime);
        server.next(Behaviour::from(Step::Pause(ANSWER)).then(token));
    }
    server
}

/// A source of its own, and how often its store failed.
fn source(store: PostgresStore, server: &TokenServer) -> (TokenSource, Arc<AtomicUsize>) {
    let request = TokenRequest::new(&server.url()).expect("a URL");
    let request = request.audience("https://api.example.com");
    let failures = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&failures);
    let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request)
        .store(Sealed::new(store, SealingKey::from([1; 32])))
        .on_event(move |event: &Event<'_>| {
            if let EventKind::StoreFailed { .. } = event.kind {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build();
    (source.expect("a source"), failures)
}

/// A machine that is very busy may not connect all of them within the limits of the store. They then
/// do without it, as they should, and it is tried again.
#[test]
fn eight_processes_make_one_token_request() {
    let mut said = Vec::new();
    for _ in 0..5 {
        let (database, server) = (Database::new(), server(WORKERS, 3600));
        let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
        worker.args([database.settings("my_program"), server.url()]).stdout(Stdio::piped());
        let workers: Vec<Child> =
            (0..WORKERS).map(|_| worker.spawn().expect("a process")).collect();
        let outputs = workers.into_iter().map(|worker| {
            let output = worker.wait_with_output().expect("an output");
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).expect("a text")
        });
        said = outputs.collect();
        if said.iter().any(|said| said.contains("the store failed")) {
            continue;
        }
        assert_eq!(said, ["token-1\n"; WORKERS]);
        assert_eq!(server.requests().len(), 1);
        // One that starts later makes none.
        let output = worker.output().expect("a process");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "token-1\n");
        assert_eq!(server.requests().len(), 1);
        return;
    }
    panic!("the store failed each time: {said:?}");
}

#[test]
fn twenty_sources_make_one_token_request() {
    let (database, server) = (Database::new(), server(40, 3600));
    let (sources, failures): (Vec<_>, Vec<_>) = (0..20)
        .map(|_| {
            // Connected beforehand, because twenty connections may take a busy server long.
            let store = database.store();
            assert_eq!(super::kept(&store), None);
            source(store, &server)
        })
        .unzip();
    let barrier = Barrier::new(sources.len());
    let token = |source: &TokenSource| {
        barrier.wait();
        source.token().expect("a token").secret().to_owned()
    };
    let tokens: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = sources.iter().map(|source| scope.spawn(|| token(source))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(tokens, vec!["token-1"; sources.len()]);
    assert_eq!(server.requests().len(), 1);
    let failed: usize = failures.iter().map(|failures| failures.load(Ordering::Relaxed)).sum();
    assert_eq!(failed, 0);
}

/// The threads that asked are left behind, and end when the server answers.
#[test]
fn a_server_that_does_not_answer_delays_a_token_by_half_a_second() {
    let (database, server) = (Own::start(), server(4, 3600));
    let (warm, warm_failures) = source(database.store(), &server);
    let first = warm.token().expect("a token");
    let (cold, cold_failures) = source(database.store(), &server);
    let secret = |source: &TokenSource| {
        let start = Instant::now();
        let token = source.token().expect("a token").secret().to_owned();
        // Half a second and the token request; the machine may be busy.
        assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
        token
    };
    database.signal(Signal::STOP);
    assert_eq!(secret(&warm), "token-1", "a valid token needs no store");
    // It waits for a new connection.
    assert_eq!(secret(&cold), "token-2");
    // It waits on the connection that is there.
    assert!(warm.refused(&first));
    assert_eq!(secret(&warm), "token-3");
    let failures = || [&warm_failures, &cold_failures].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(failures(), [1, 1]);
    assert_eq!(server.requests().len(), 3);
    database.signal(Signal::CONT);
    let end = Instant::now() + Duration::from_secs(30);
    while database.sessions() != "2" {
        assert!(Instant::now() < end, "one connection of each store: {}", database.sessions());
        thread::sleep(Duration::from_millis(50));
    }
}

/// They do without the store while it is away, and share tokens again afterwards.
#[test]
fn no_call_fails_while_the_database_is_away() {
    const SOURCES: usize = 10;
    let mut database = Own::start();
    let server = server(1000, 4);
    let (sources, failures): (Vec<_>, Vec<_>) =
        (0..SOURCES).map(|_| source(database.store(), &server)).unzip();
    let (is_over, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for source in &sources {
            scope.spawn(|| {
                while is_over.load(Ordering::Relaxed) == 0 {
                    source.token().expect("a token");
                    calls.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(10));
                }
            });
        }
        thread::sleep(Duration::from_secs(3));
        let before = server.requests().len();
        database.crash();
        thread::sleep(Duration::from_secs(6));
        let during = server.requests().len() - before;
        database.run();
        let is_shared = || {
            let token = |source: &TokenSource| source.token().expect("a token").secret().to_owned();
            let first = token(&sources[0]);
            sources.iter().all(|source| token(source) == first)
        };
        let end = Instant::now() + Duration::from_secs(60);
        while !is_shared() && Instant::now() < end {
            thread::sleep(Duration::from_millis(50));
        }
        let is_shared = is_shared();
        is_over.store(1, Ordering::Relaxed);
        let all = server.requests().len();
        println!("{before} requests before, {during} while it was away, {all} in all");
        assert!(during >= SOURCES, "each for itself: {during}");
        assert!(is_shared, "one token for all again");
    });
    assert!(failures.iter().all(|failures| failures.load(Ordering::Relaxed) > 0));
    println!("{calls:?} calls");
}
