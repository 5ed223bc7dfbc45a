//! Servers on a socket that misbehave as no real one does on demand.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use client_credentials::{Stamp, TokenStore};
use client_credentials_redis::RedisStore;

use crate::support::name;

/// What an operation may take: the limit of 400 ms, and what a busy machine adds. Two limits are more.
const BOUND: Duration = Duration::from_millis(750);
const MINUTE: Duration = Duration::from_secs(60);

/// Answers everything that it reads with `answer`, and ends with its test.
struct Fake {
    port: u16,
    connections: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    fn new(answer: impl Fn(&mut TcpStream, &[u8]) -> bool + Send + Clone + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        let thread = thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (answer, mut buffer) = (answer.clone(), [0; 4096]);
                if count.fetch_add(1, Ordering::Relaxed) >= END {
                    break;
                }
                open.push(stream.try_clone().unwrap());
                thread::spawn(move || {
                    while let Ok(read @ 1..) = stream.read(&mut buffer) {
                        if !answer(&mut stream, &buffer[..read]) {
                            break;
                        }
                    }
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
            open.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        });
        Self { port, connections, thread: Some(thread) }
    }

    /// Answers with this text, always.
    fn says(text: &'static str) -> Self {
        Self::new(move |stream, _| stream.write_all(text.as_bytes()).is_ok())
    }

    fn store(&self) -> RedisStore {
        RedisStore::dangerously_unsealed(format!("redis://127.0.0.1:{}", self.port)).unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

const END: usize = 1 << 20;

impl Drop for Fake {
    fn drop(&mut self) {
        self.connections.store(END, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.thread.take().unwrap().join();
    }
}

/// The error of each operation, which must not take longer than it may.
fn errors(store: &RedisStore) -> [String; 3] {
    let timed = |work: &dyn Fn() -> Option<String>| {
        let start = Instant::now();
        let error = work().expect("an error");
        assert!(start.elapsed() < BOUND, "{:?}: {error}", start.elapsed());
        error
    };
    [
        timed(&|| store.load(&name(1)).err().map(|error| error.to_string())),
        timed(&|| store.claim(&name(1), MINUTE).err().map(|error| error.to_string())),
        timed(&|| store.save(&name(1), b"token", Stamp::from(1), MINUTE).err().map(|error| error.to_string())),
    ]
}

#[test]
fn each_refusal_says_what_to_do() {
    let cases = [
        ("-LOADING Redis is loading the dataset in memory\r\n", "reading its data"),
        ("-READONLY You can't write against a read only replica.\r\n", "address of the primary"),
        ("-MASTERDOWN Link with MASTER is down\r\n", "address of the primary"),
        ("-ERR Error running script: @user_script:1: -READONLY You can't write\r\n", "address of the primary"),
        ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", "maxmemory-policy"),
        (
            "-NOPERM this user has no permissions to run the 'set' command\r\n",
            "~cc:1:* +getrange +pttl +set +del +eval",
        ),
        ("-NOAUTH Authentication required.\r\n", "user and password into the URL"),
        ("-MISCONF Redis is configured to save RDB snapshots\r\n", "MISCONF"),
        ("-MOVED 3999 127.0.0.1:6381\r\n", "a node of a cluster"),
        ("-DENIED Redis is running in protected mode\r\n", "protected mode"),
        ("-ERR max number of clients reached\r\n", "max number of clients reached"),
        ("-ERR unknown command 'EVAL', with args beginning with: 'hush'\r\n", "unknown command 'EVAL'"),
    ];
    for (answer, expected) in cases {
        let fake = Fake::says(answer);
        for error in errors(&fake.store()) {
            assert!(error.contains(expected), "{answer}: {error}");
            assert!(error.starts_with("redis://127.0.0.1:") && !error.contains("hush"), "{error}");
        }
    }
}

#[test]
fn an_answer_that_repeats_the_password_is_not_shown() {
    let fake = Fake::says("-ERR unknown command 'AUTH', with args beginning with: 'me' 'hush'\r\n");
    let store = RedisStore::dangerously_unsealed(format!("redis://me:hush@127.0.0.1:{}/3", fake.port)).unwrap();
    for error in errors(&store) {
        assert!(error.contains("refuses the user or the password") && !error.contains("hush"), "{error}");
    }
}

#[test]
fn logging_in_and_choosing_a_database_is_one_round_trip() {
    let fake = Fake::new(|stream, asked| {
        let asked = String::from_utf8_lossy(asked);
        let answer = match (asked.contains("AUTH"), asked.contains("SELECT"), asked.contains("GETRANGE")) {
            (true, true, false) => "+OK\r\n+OK\r\n",
            (false, false, true) => ":-2\r\n$0\r\n\r\n",
            _ => return false,
        };
        stream.write_all(answer.as_bytes()).is_ok()
    });
    let store = RedisStore::dangerously_unsealed(format!("redis://me:hush@127.0.0.1:{}/3", fake.port)).unwrap();
    assert!(store.load(&name(1)).unwrap().is_none());
}

#[test]
fn a_server_that_says_nothing_costs_one_limit_for_each_operation() {
    let fake = Fake::new(|_, _| true);
    for url in ["redis://127.0.0.1", "redis://me:hush@127.0.0.1"] {
        // Log in, choose a database, two commands of a load: one limit for all.
        let store = RedisStore::dangerously_unsealed(format!("{url}:{}/3", fake.port)).unwrap();
        for error in errors(&store) {
            assert!(error.contains("does not answer within 400 ms"), "{error}");
        }
    }
}

#[test]
fn a_server_that_answers_half_costs_one_limit() {
    // The first of two answers, and the beginning of a long one.
    for text in [":-2\r\n", "$100\r\nabc", "*2\r\n"] {
        let fake = Fake::says(text);
        let start = Instant::now();
        let error = fake.store().load(&name(1)).unwrap_err().to_string();
        assert!(start.elapsed() < BOUND && error.contains("does not answer"), "{text}: {error}");
    }
}

#[test]
fn a_server_that_closes_is_asked_twice_at_most() {
    let fake = Fake::new(|stream, _| {
        let _ = stream.write_all(b"$100\r\nabc");
        false
    });
    let store = fake.store();
    for error in errors(&store) {
        assert!(error.contains("closes the connection"), "{error}");
    }
    assert_eq!(fake.connections(), 3, "a new connection is not tried twice");
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced() {
    // Serves one load, then closes at the next one.
    let fake = Fake::new(|stream, _| {
        let _ = stream.write_all(b":-2\r\n$0\r\n\r\n");
        let mut next = [0; 4096];
        let _ = stream.read(&mut next);
        false
    });
    let store = fake.store();
    for round in 1..=5 {
        assert!(store.load(&name(1)).unwrap().is_none());
        assert_eq!(fake.connections(), round);
    }
}

#[test]
fn nonsense_is_an_error() {
    for text in
        ["HTTP/1.1 400 Bad Request\r\n\r\n", "\x15\x03\x03\0\x02\x02\x46", ":1\r\n:1\r\n", "+OK\r\n+OK\r\n", "*-5\r\n"]
    {
        let fake = Fake::says(text);
        let error = fake.store().load(&name(1)).unwrap_err().to_string();
        assert!(error.starts_with("redis://"), "{text:?}: {error}");
    }
}

#[test]
fn an_answer_of_500_mebibytes_is_not_waited_for() {
    let fake = Fake::new(|stream, _| {
        let _ = stream.write_all(b":1\r\n$536870912\r\n");
        let part = [b'x'; 65536];
        while stream.write_all(&part).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
        false
    });
    let start = Instant::now();
    let error = fake.store().load(&name(1)).unwrap_err().to_string();
    assert!(start.elapsed() < BOUND && error.contains("does not answer"), "{error}");
}

#[test]
fn an_answer_that_is_too_long_is_not_read() {
    let fake = Fake::new(|stream, _| {
        let _ = stream.write_all(b":1\r\n$536870912\r\n");
        let part = [b'x'; 65536];
        while stream.write_all(&part).is_ok() {}
        false
    });
    let error = fake.store().load(&name(1)).unwrap_err().to_string();
    assert!(error.contains("too long") || error.contains("does not answer"), "{error}");
}

#[test]
fn nobody_at_the_port_is_an_error_at_once() {
    let port = crate::support::free_port();
    let store = RedisStore::dangerously_unsealed(format!("redis://127.0.0.1:{port}")).unwrap();
    let start = Instant::now();
    for error in errors(&store) {
        assert!(error.contains("cannot be reached"), "{error}");
    }
    assert!(start.elapsed() < Duration::from_millis(200), "{:?}", start.elapsed());
}

#[test]
fn a_name_that_does_not_exist_is_an_error() {
    let store = RedisStore::dangerously_unsealed("redis://redis.invalid").unwrap();
    let error = store.load(&name(1)).unwrap_err().to_string();
    assert!(error.starts_with("redis://redis.invalid:6379 cannot be reached"), "{error}");
}
