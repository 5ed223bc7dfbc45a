//! Instructions per call, counted by callgrind: the same on a busy machine as on a quiet one.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench instructions` prints them beside those of the limit;
//! with `-- --check` it fails if a count has grown by more than a twentieth over what is recorded here. Needs valgrind.

#[path = "cases/mod.rs"]
mod cases;

use std::io::{self, BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;
use std::{env, iter};

use cases::wire::World;
use cases::{answer, hot, token, wire};
use client_credentials::{Clock as _, SystemClock};
use http::Response;

/// What is counted, and its recorded count (rustc 1.95, x86-64). Lower one when it falls; raise it only with a reason.
/// The limits are those of the table; they fall or rise with the libraries. Those of a GET vary by one in a hundred.
const RECORDED: [(&str, u64); 10] = [
    ("authorize, cache hit, 900-byte token", 425),
    (STORE, 425),
    ("authorize, its limit", 211),
    ("audience check that says no", 346),
    ("decode, 900-byte token", 8290),
    ("decode, its limit", 4903),
    ("decode, 40-byte token", 5005),
    ("decode, 40-byte token, its limit", 2521),
    (AGENT, 4170),
    (OWN_AGENT, 5020),
];

const STORE: &str = "authorize, cache hit, with a store";
const AGENT: &str = "GET by `agent()`, above bare ureq";
const OWN_AGENT: &str = "GET by an agent of the caller's own, above bare ureq";
const BARE: &str = "GET by bare ureq with a fixed header";

const CASE: &str = "--case";
const SERVER: &str = "--server";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [flag, case, calls, ..] = words.as_slice()
        && flag == CASE
    {
        run(case, calls.parse().expect("a number of calls"));
        return ExitCode::SUCCESS;
    }
    if words == [SERVER] {
        serve();
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` runs this without the flag.
    if !words.iter().any(|word| word == "--bench") {
        println!("cargo bench --manifest-path benches/Cargo.toml --bench instructions [-- --check]");
        return ExitCode::SUCCESS;
    }
    println!("| what | instructions | recorded |\n|---|---|---|");
    let bare = per_call(BARE);
    let mut grown = Vec::new();
    for (case, recorded) in RECORDED {
        let counted = per_call(case).saturating_sub(if is_get(case) { bare } else { 0 });
        println!("| {case} | {counted} | {recorded} |");
        if counted > recorded + recorded / 20 {
            grown.push(case);
        }
    }
    if grown.is_empty() || !words.iter().any(|word| word == "--check") {
        return ExitCode::SUCCESS;
    }
    eprintln!("more than 5 % above what is recorded: {}", grown.join("; "));
    ExitCode::FAILURE
}

/// The difference between a longer and a shorter run, so that start and end of the process do not count.
fn per_call(case: &str) -> u64 {
    let (few, many) = if is_get(case) { (100, 1_100) } else { (1_000, 11_000) };
    (instructions(case, many) - instructions(case, few)) / (many - few)
}

fn is_get(case: &str) -> bool {
    case.starts_with("GET")
}

fn instructions(case: &str, calls: u64) -> u64 {
    let program = env::current_exe().expect("a path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([CASE, case, &calls.to_string()])
        .output()
        .expect("valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    let line = text.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind's sum");
    line.1.trim().parse().expect("a number")
}

fn run(case: &str, calls: usize) {
    if is_get(case) {
        return get(case, calls);
    }
    let calls = iter::repeat_n((), calls);
    let length = if case.contains("40-byte") { 40 } else { 900 };
    let (source, mut request, value) = (hot::source(length), hot::request(), hot::fixed_value(length));
    let (question, sent_at) = (hot::question(), SystemClock.now());
    let (foreign, response) = (hot::foreign(), Response::new(answer(&token(length)).into_bytes()));
    match case {
        _ if case.starts_with("authorize") && case.ends_with("limit") => {
            calls.for_each(|()| hot::hit_limit(&value, &mut request));
        }
        STORE => {
            let source = hot::source_with_store(length);
            calls.for_each(|()| hot::hit(&source, &mut request));
        }
        _ if case.starts_with("authorize") => calls.for_each(|()| hot::hit(&source, &mut request)),
        _ if case.starts_with("audience") => calls.for_each(|()| hot::says_no(&source, &foreign)),
        _ if case.ends_with("limit") => calls.for_each(|()| hot::decode_limit(response.body())),
        _ => calls.for_each(|()| hot::decode(&question, &response, sent_at)),
    }
}

/// On one connection, which is kept alive.
fn get(case: &str, calls: usize) {
    let servers = Servers::start();
    let source = wire::source(&servers.auth, &servers.api);
    let (agent, header) = match case {
        AGENT => (source.agent(), None),
        OWN_AGENT => (wire::own_agent(&source), None),
        _ => (wire::bare_agent(), Some(hot::counted_value(wire::TOKEN))),
    };
    (0..calls).for_each(|_| wire::get(&agent, &servers.api, header.as_ref()));
}

/// The token endpoint and the API in a process of their own: valgrind does not count in it.
struct Servers {
    process: Child,
    auth: String,
    api: String,
}

impl Servers {
    fn start() -> Self {
        let mut command = Command::new(env::current_exe().expect("a path"));
        let mut process = command.arg(SERVER).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        Self { auth: line(), api: line(), process }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().expect("an end");
    }
}

/// Until standard input ends, which it also does when the other process dies.
fn serve() {
    let World { auth, api } = World::start(Duration::ZERO);
    println!("{}\n{}", auth.url, api.url);
    io::copy(&mut io::stdin(), &mut io::sink()).expect("a pipe");
}
