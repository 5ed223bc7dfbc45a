//! A real redis-server for each test. It listens on loopback, keeps nothing, and ends with its test.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client_credentials::{SealingKey, StoreKey};
use client_credentials_redis::RedisStore;
use redis::{FromRedisValue, Value};

pub struct Server {
    process: Process,
    directory: PathBuf,
    port: u16,
    arguments: Vec<String>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts a server with these arguments, on a port that the system chooses.
    pub fn with(arguments: &[&str]) -> Self {
        let directory = new_directory();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.into()).collect();
        for _ in 0..5 {
            let port = free_port();
            if let Some(process) = launch(port, &directory, &arguments) {
                return Self { process, directory, port, arguments };
            }
        }
        panic!("redis-server does not start: {}", log(&directory));
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A sealed store in this server.
    pub fn store(&self) -> RedisStore {
        RedisStore::new(self.url(), SealingKey::from([7; 32])).unwrap()
    }

    /// A store whose entries a test can read and change.
    pub fn plain(&self) -> RedisStore {
        RedisStore::dangerously_unsealed(self.url()).unwrap()
    }

    pub fn run<T: FromRedisValue>(&self, command: &[&[u8]]) -> T {
        self.try_run(command).unwrap()
    }

    pub fn try_run<T: FromRedisValue>(&self, command: &[&[u8]]) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_connection_with_timeout(Duration::from_secs(5))?;
        let mut request = redis::Cmd::new();
        for part in command {
            request.arg(*part);
        }
        request.query(&mut connection)
    }

    /// A line of INFO, such as `cmdstat_get:calls=3,...`.
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        let text: String = self.run(&[b"INFO", section.as_bytes()]);
        text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(Into::into))
    }

    /// How often a command was run.
    pub fn calls(&self, command: &str) -> u64 {
        let line = self.info("commandstats", &format!("cmdstat_{command}")).unwrap_or_default();
        line.strip_prefix("calls=").and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
    }

    /// The names of all keys.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.run(&[b"KEYS", b"*"]);
        names.sort();
        names
    }

    pub fn kill(&mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }

    /// Starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.kill();
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(process) = launch(self.port, &self.directory, &self.arguments) {
                self.process = process;
                return;
            }
            assert!(Instant::now() < until, "redis-server does not start again: {}", log(&self.directory));
        }
    }

    /// Stops the process, so that it accepts connections and says nothing.
    pub fn freeze(&self) {
        signal("-STOP", self.process.0.id());
    }

    pub fn thaw(&self) {
        signal("-CONT", self.process.0.id());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.0.kill();
        let _ = self.process.0.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Ends with its test, even if that panics, and even if it is stopped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `None` if the port was taken meanwhile.
fn launch(port: u16, directory: &Path, arguments: &[String]) -> Option<Process> {
    let log = std::fs::File::create(directory.join("log")).unwrap();
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "redis-server is missing ({error}): install it with \"apt-get install redis-server\" on Debian or \
                 Ubuntu, \"brew install redis\" on macOS"
            )
        });
    let mut process = Process(child);
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if process.0.try_wait().unwrap().is_some() {
            return None;
        }
        if process_at(port, arguments) == Some(process.0.id()) {
            return Some(process);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// The process id of the Redis at this port: another one may have been faster.
fn process_at(port: u16, arguments: &[String]) -> Option<u32> {
    let password = arguments.iter().position(|argument| argument == "--requirepass").map(|at| &arguments[at + 1]);
    let login = password.map_or(String::new(), |password| format!(":{}@", password.replace('/', "%2F")));
    let client = redis::Client::open(format!("redis://{login}127.0.0.1:{port}")).unwrap();
    let mut connection = client.get_connection_with_timeout(Duration::from_secs(1)).ok()?;
    connection.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let Value::BulkString(info) = redis::cmd("INFO").arg("server").query(&mut connection).ok()? else { return None };
    String::from_utf8(info).ok()?.lines().find_map(|line| line.strip_prefix("process_id:")?.parse().ok())
}

fn log(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("log")).unwrap_or_default()
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn new_directory() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let directory = std::env::temp_dir().join(format!("cc-redis-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

pub fn signal(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

pub fn name(byte: u8) -> StoreKey {
    StoreKey::from([byte; 32])
}

/// The name of a key in Redis.
pub fn key(byte: u8, what: &str) -> Vec<u8> {
    format!("cc:1:{{{}}}:{what}", name(byte)).into_bytes()
}
