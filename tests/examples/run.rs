//! A program in an environment of its own, with a deadline.
#![allow(clippy::disallowed_methods, reason = "the search path of git")]

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, thread};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::emulator;
use crate::loopback::SECRET;

/// The client of all tests; its secret is [`SECRET`].
pub const CLIENT: &str = "the-client";

/// Every token of these tests begins like this, so that one that shows is found.
pub const TOKEN: &str = "tok-";

/// No program here takes so long. It is killed then.
const DEADLINE: Duration = Duration::from_secs(60);

/// The Basic value of a client.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A program with nothing in its environment.
pub struct Program {
    name: String,
    command: Command,
    stdin: String,
    shows_token: bool,
}

/// What came of it. That no secret shows has been checked.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// An example, without arguments.
pub fn example(name: &str) -> Program {
    let mut words = emulator::words(&binary(name)).into_iter();
    Program::new(Path::new(&words.next().expect("a program"))).args(words)
}

/// Beside this test: `target/debug/deps/examples-0123456789abcdef` finds `target/debug/examples/NAME`.
pub fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let binary = test.ancestors().nth(2).expect("a directory of the profile").join("examples").join(name);
    let binary = binary.with_extension(env::consts::EXE_EXTENSION);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let built = changed(&binary).unwrap_or_else(|error| {
        panic!(
            "{} cannot be run ({error}): build it by `cargo build --examples`, or test by `cargo test`",
            binary.display()
        )
    });
    assert!(
        changed(&source).is_ok_and(|changed| changed <= built),
        "{} is older than its source: build it by `cargo build --examples`, or test by `cargo test`",
        binary.display()
    );
    binary
}

/// A command with pipes, and nothing in its environment.
pub fn command(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Without these, git finds no helpers, and Windows no sockets.
    for name in ["PATH", "SystemRoot"] {
        command.envs(env::var_os(name).map(|value| (name, value)));
    }
    command
}

impl Program {
    pub fn new(path: &Path) -> Self {
        Self { name: path.display().to_string(), command: command(path), stdin: String::new(), shows_token: false }
    }

    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn current_dir(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    /// The endpoint, the id and the secret, in the environment.
    pub fn client(self, endpoint: &str) -> Self {
        self.env("TOKEN_ENDPOINT", endpoint).env("CLIENT_ID", CLIENT).env("CLIENT_SECRET", SECRET)
    }

    pub fn stdin(mut self, text: &str) -> Self {
        text.clone_into(&mut self.stdin);
        self
    }

    /// Its standard output is where a token belongs.
    pub fn shows_token(mut self) -> Self {
        self.shows_token = true;
        self
    }

    /// Nothing reads what it prints: each write fails.
    #[cfg(unix)]
    pub fn without_readers(mut self) -> Self {
        use std::os::{fd::OwnedFd, unix::net::UnixStream};
        let closed = || Stdio::from(OwnedFd::from(UnixStream::pair().expect("a pair of sockets").0));
        self.command.stdout(closed()).stderr(closed());
        self
    }

    /// Runs it to its end. Fails if a secret shows.
    pub fn run(mut self) -> Run {
        let child = self.command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", self.name));
        let (code, stdout, stderr) = finish(child, self.stdin.into_bytes(), &self.name);
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let run = Run { code, stdout: text(stdout), stderr: text(stderr) };
        let outputs = [(&run.stderr, true), (&run.stdout, !self.shows_token)];
        for (output, hides_token) in outputs {
            assert!(!output.contains(SECRET), "the secret shows: {run:?}");
            assert!(!output.contains(&basic(CLIENT, SECRET)[6..]), "the secret shows: {run:?}");
            assert!(!(hides_token && output.contains(TOKEN)), "a token shows: {run:?}");
        }
        run
    }
}

/// Waits for a program, or kills it when the time is over.
pub fn finish(mut child: Child, stdin: Vec<u8>, name: &str) -> (i32, Vec<u8>, Vec<u8>) {
    let mut input = child.stdin.take().expect("a pipe");
    // A program that does not read its input is no failure here. Closes the pipe.
    let writer = thread::spawn(move || drop(input.write_all(&stdin)));
    let (sender, ended) = mpsc::channel();
    let out = drain(child.stdout.take(), sender.clone());
    let err = drain(child.stderr.take(), sender);
    if (0..2).any(|_| ended.recv_timeout(DEADLINE).is_err()) {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{name} did not end");
    }
    let status = child.wait().expect("a child");
    writer.join().expect("the writer does not panic");
    let [out, err] = [out, err].map(|reader| reader.join().expect("the reader does not panic"));
    (status.code().expect("not killed"), out, err)
}

fn drain<R: Read + Send + 'static>(pipe: Option<R>, ended: mpsc::Sender<()>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        // Nobody listens any more when the deadline is over.
        let _ = ended.send(());
        bytes
    })
}

impl Run {
    /// It succeeded. Returns what it printed.
    #[track_caller]
    pub fn success(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.stdout
    }

    /// It failed, and said this among other things: the words of this crate's own errors are tested elsewhere.
    #[track_caller]
    pub fn failure(&self, what: &str) {
        assert_eq!(self.code, 1, "{self:?}");
        assert!(self.stderr.contains(what), "{self:?}");
    }

    /// It did not understand its arguments.
    #[track_caller]
    pub fn is_usage(&self, what: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (2, ""), "{self:?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert!(matches!(lines[..], [first, last] if first.ends_with(what) && last.ends_with("--help")), "{self:?}");
    }
}

/// A directory that goes away with its value.
pub struct Directory(PathBuf);

impl Directory {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("examples-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_owned()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.join(name)).expect("a file")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
