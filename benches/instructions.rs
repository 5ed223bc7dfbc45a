//! Instructions per call, counted by callgrind: the same on a busy machine as on a quiet one.
//!
//! `cargo bench --manifest-path benches/Cargo.toml --bench instructions` prints them beside those of the limit;
//! with `-- --check` it fails if a count has grown by more than a twentieth over what is recorded here. Needs valgrind.

#[path = "cases/mod.rs"]
mod cases;

use std::process::{Command, ExitCode};
use std::{env, iter};

use cases::{answer, hot, token};
use client_credentials::{Clock as _, SystemClock};
use http::Response;

/// What is counted, and its recorded count (rustc 1.95, x86-64). Lower one when it falls; raise it only with a reason.
/// The limits are those of the table; they fall or rise with the libraries.
const RECORDED: [(&str, u64); 7] = [
    ("authorize, cache hit, 900-byte token", 415),
    ("authorize, its limit", 211),
    ("audience check that says no", 345),
    ("decode, 900-byte token", 8080),
    ("decode, its limit", 4903),
    ("decode, 40-byte token", 4791),
    ("decode, 40-byte token, its limit", 2521),
];

const CASE: &str = "--case";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if let [flag, case, calls, ..] = words.as_slice()
        && flag == CASE
    {
        run(case, calls.parse().expect("a number of calls"));
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` runs this without the flag.
    if !words.iter().any(|word| word == "--bench") {
        println!("cargo bench --manifest-path benches/Cargo.toml --bench instructions [-- --check]");
        return ExitCode::SUCCESS;
    }
    println!("| what | instructions | recorded |\n|---|---|---|");
    let mut grown = Vec::new();
    for (case, recorded) in RECORDED {
        let counted = per_call(case);
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
    const FEW: u64 = 1_000;
    const MANY: u64 = 11_000;
    (instructions(case, MANY) - instructions(case, FEW)) / (MANY - FEW)
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
    let calls = iter::repeat_n((), calls);
    let length = if case.contains("40-byte") { 40 } else { 900 };
    let (source, mut request, value) = (hot::source(length), hot::request(), hot::fixed_value(length));
    let (question, sent_at) = (hot::question(), SystemClock.now());
    let (foreign, response) = (hot::foreign(), Response::new(answer(&token(length)).into_bytes()));
    match case {
        _ if case.starts_with("authorize") && case.ends_with("limit") => {
            calls.for_each(|()| hot::hit_limit(&value, &mut request));
        }
        _ if case.starts_with("authorize") => calls.for_each(|()| hot::hit(&source, &mut request)),
        _ if case.starts_with("audience") => calls.for_each(|()| hot::says_no(&source, &foreign)),
        _ if case.ends_with("limit") => calls.for_each(|()| hot::decode_limit(response.body())),
        _ => calls.for_each(|()| hot::decode(&question, &response, sent_at)),
    }
}
