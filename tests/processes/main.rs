//! One token for many processes of this machine: real processes with a [`FileStore`], and a token server
//! that counts.
#![cfg(unix)]

#[path = "../emulator/mod.rs"]
mod emulator;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use client_credentials::test_util::{Behaviour, Step, TokenServer};
use client_credentials::{Clock as _, Credentials, FileStore, SystemClock, TokenRequest, TokenSource, UreqTransport};

const CLIENT: &str = "the-client-of-this-test";
const SECRET: &str = "hush-hush-secret";

/// What a process is to do; without it, it has nothing to do.
const VARIABLE: &str = "CLIENT_CREDENTIALS_WORKER";

/// The program of each process: gets a token, and prints it.
#[test]
fn worker() {
    #[expect(clippy::disallowed_methods, reason = "how a parent talks to its child")]
    let Ok(work) = env::var(VARIABLE) else { return };
    let [endpoint, directory, secret, milliseconds] = work.split('\n').collect::<Vec<_>>()[..] else { panic!() };
    let request = TokenRequest::new(endpoint).expect("an endpoint").audience("https://api.example.com");
    let no_proxy = ureq::Agent::config_builder().proxy(None).build();
    let source = TokenSource::builder(Credentials::new(CLIENT, secret), request)
        .transport(UreqTransport::with_agent(no_proxy.into()))
        .timeout(Duration::from_millis(milliseconds.parse().expect("a number")))
        .store(FileStore::open(directory).expect("a store"))
        .store_as("worker")
        .build()
        .expect("a source");
    match source.token() {
        Ok(token) => println!("\ntoken {}", token.secret()),
        Err(error) => println!("\nerror {error}"),
    }
}

/// A directory that is deleted at the end, and a token server.
struct World {
    directory: PathBuf,
    server: TokenServer,
}

impl World {
    fn new(test: &str) -> Self {
        let directory = env::temp_dir().join(format!("client-credentials-{}-{test}", std::process::id()));
        Self { directory, server: TokenServer::start().expect("a server") }
    }

    fn store(&self) -> PathBuf {
        self.directory.join("not/there/yet")
    }

    fn start(&self) -> Process {
        self.start_with(SECRET, 30_000)
    }

    fn start_with(&self, secret: &str, milliseconds: u64) -> Process {
        let mut command = emulator::command(&env::current_exe().expect("this test"));
        command.args(["--exact", "worker", "--nocapture", "--test-threads=1"]).stdout(Stdio::piped());
        let work =
            [&self.server.url(), self.store().to_str().expect("UTF-8"), secret, &milliseconds.to_string()].join("\n");
        Process(command.env(VARIABLE, work).spawn().expect("a process"))
    }

    fn requests(&self) -> usize {
        self.server.requests().len()
    }

    /// Waits until so many token requests have arrived.
    fn wait_for(&self, requests: usize) {
        let began = SystemClock.now();
        while self.requests() < requests {
            assert!(SystemClock.now().since(&began) < Duration::from_secs(60), "no request");
            SystemClock.sleep(Duration::from_millis(1));
        }
    }

    /// The files of this kind.
    fn files(&self, extension: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.store()).expect("a directory").map(|file| file.expect("a file").path());
        files.filter(|path| path.extension().is_some_and(|known| known == extension)).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

struct Process(Child);

impl Process {
    /// What it printed.
    fn result(mut self) -> String {
        let mut text = String::new();
        self.0.stdout.take().expect("a pipe").read_to_string(&mut text).expect("UTF-8");
        let result = text.lines().find(|line| line.starts_with("token ") || line.starts_with("error "));
        result.unwrap_or_else(|| panic!("neither token nor error: {text}")).to_owned()
    }

    fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn slow(pause: u64, answer: impl Into<Behaviour>) -> Behaviour {
    Behaviour::from(Step::Pause(Duration::from_millis(pause))).then(answer)
}

#[test]
fn two_hundred_processes_that_start_together_make_one_request() {
    let world = World::new("cold");
    world.server.always(slow(100, Behaviour::token("the-token", 3600)));
    let processes: Vec<_> = (0..200).map(|_| world.start()).collect();
    for process in processes {
        assert_eq!(process.result(), "token the-token");
    }
    assert_eq!(world.requests(), 1);

    use std::os::unix::fs::MetadataExt as _;
    for path in [world.store(), world.store().join("..")] {
        assert_eq!(fs::metadata(&path).expect("a directory").mode() & 0o777, 0o700, "{}", path.display());
    }
    let all: Vec<PathBuf> = ["token", "lock", "tmp"].iter().flat_map(|kind| world.files(kind)).collect();
    let holds = |path: &Path, text: &str| {
        let bytes = fs::read(path).expect("a file");
        path.to_string_lossy().contains(text) || String::from_utf8_lossy(&bytes).contains(text)
    };
    for text in [SECRET, CLIENT, "127.0.0.1"] {
        assert!(!all.iter().any(|path| holds(path, text)), "{text}");
    }
    let with_token = all.iter().filter(|path| holds(path, "the-token"));
    assert!(with_token.eq(&world.files("token")), "the token is in its entry alone");
    assert!(world.files("tmp").is_empty());
}

#[test]
fn fifty_processes_with_a_wrong_secret_make_one_request_and_say_the_same() {
    let world = World::new("wrong");
    world.server.always(slow(100, Behaviour::json(401, r#"{"error":"invalid_client"}"#)));
    let processes: Vec<_> = (0..50).map(|_| world.start_with("wrong", 30_000)).collect();
    let results: Vec<String> = processes.into_iter().map(Process::result).collect();
    assert!(results[0].contains("denied with status 401, invalid_client"), "{}", results[0]);
    assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
    assert_eq!(world.requests(), 1);
    // The right secret has another name.
    world.server.always(Behaviour::token("the-token", 3600));
    assert_eq!(world.start().result(), "token the-token");
}

#[test]
fn fifty_processes_heed_one_retry_after() {
    let world = World::new("busy");
    let busy = http::Response::builder().status(429).header("retry-after", "60").body("").expect("an answer");
    world.server.always(slow(100, busy));
    let processes: Vec<_> = (0..50).map(|_| world.start()).collect();
    for process in processes {
        let result = process.result();
        assert!(result.starts_with("error ") && result.contains("denied with status 429"), "{result}");
    }
    assert_eq!(world.requests(), 1);
}

#[test]
fn a_holder_that_is_killed_is_followed_at_once_by_one_other() {
    let world = World::new("killed");
    world.server.next(Step::Stall);
    world.server.always(slow(300, Behaviour::token("the-token", 3600)));
    let holder = world.start();
    world.wait_for(1);
    let waiting: Vec<_> = (0..20).map(|_| world.start()).collect();
    SystemClock.sleep(Duration::from_millis(500));
    assert_eq!(world.requests(), 1);
    holder.signal("KILL");
    let killed = SystemClock.now();
    world.wait_for(2);
    // Printed for the one who measures: the time depends on the machine.
    println!("the next request came {:?} after the end of the holder", SystemClock.now().since(&killed));
    for process in waiting {
        assert_eq!(process.result(), "token the-token");
    }
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_holder_that_was_stopped_is_replaced_by_one_stand_in_and_its_token_does_not_win() {
    let world = World::new("stopped");
    world.server.next(slow(200, Behaviour::token("late", 3600)));
    world.server.always(slow(200, Behaviour::token("the-token", 3600)));
    let holder = world.start();
    world.wait_for(1);
    holder.signal("STOP");
    // A third of 6 s belongs to the holder.
    let waiting: Vec<_> = (0..20).map(|_| world.start_with(SECRET, 6_000)).collect();
    for process in waiting {
        assert_eq!(process.result(), "token the-token");
    }
    assert_eq!(world.requests(), 2);
    holder.signal("CONT");
    assert_eq!(holder.result(), "token late");
    assert_eq!(world.start().result(), "token the-token");
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_lock_that_a_cleaner_deletes_costs_one_request_at_most() {
    let world = World::new("cleaned");
    world.server.always(slow(500, Behaviour::token("the-token", 3600)));
    let holder = world.start();
    world.wait_for(1);
    world.files("lock").iter().for_each(|lock| fs::remove_file(lock).expect("deleted"));
    let processes: Vec<_> = (0..20).map(|_| world.start()).collect();
    for process in processes.into_iter().chain([holder]) {
        assert_eq!(process.result(), "token the-token");
    }
    assert!(world.requests() <= 2, "{}", world.requests());
}

#[test]
fn whatever_happened_to_the_files_each_process_gets_a_token_and_replaces_them() {
    let world = World::new("damaged");
    world.server.always(Behaviour::token("the-token", 3600));
    assert_eq!(world.start().result(), "token the-token");
    let entry = world.files("token").pop().expect("an entry");
    let good = fs::read(&entry).expect("an entry");
    type Damage = Box<dyn Fn(&Path)>;
    let write = |bytes: Vec<u8>| -> Damage { Box::new(move |path| fs::write(path, &bytes).expect("written")) };
    let link = |to: PathBuf| -> Damage { Box::new(move |path| std::os::unix::fs::symlink(&to, path).expect("a link")) };
    let elsewhere = world.directory.join("elsewhere");
    fs::write(&elsewhere, &good).expect("written");
    let damages: [(&str, Damage); 6] = [
        ("empty", write(Vec::new())),
        ("cut", write(good[..good.len() / 2].to_vec())),
        ("random", write((0..=255).collect())),
        ("large", write(vec![b'x'; 2 << 20])),
        ("a link", link(elsewhere.clone())),
        ("a FIFO", Box::new(|path| assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success()))),
    ];
    for (what, damage) in damages {
        let before = world.requests();
        fs::remove_file(&entry).expect("deleted");
        damage(&entry);
        assert_eq!(world.start().result(), "token the-token", "{what}");
        assert_eq!(world.requests(), before + 1, "{what}");
        assert_eq!(world.start().result(), "token the-token", "{what}");
        assert_eq!(world.requests(), before + 1, "{what} was replaced");
    }
    assert_eq!(fs::read(&elsewhere).expect("the target of the link"), good, "untouched");
}
