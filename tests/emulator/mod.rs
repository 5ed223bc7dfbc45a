//! Starts programs that were built for the machine on which a test runs, which may be emulated.
#![allow(dead_code, reason = "every test uses its own part")]

use std::env;
use std::path::Path;
use std::process::Command;

/// What starts a program that was built with this test: the program, or an emulator for it.
pub fn words(program: &Path) -> Vec<String> {
    let mut words: Vec<String> = runner().split_whitespace().map(String::from).collect();
    words.push(program.to_str().expect("UTF-8").to_owned());
    words
}

pub fn command(program: &Path) -> Command {
    let words = words(program);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// The emulator by which cargo runs this test, from the variable that cargo reads,
/// `CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_RUNNER` for example. Windows needs none, because Wine
/// starts Windows programs by itself.
pub fn runner() -> String {
    let machine = format!("CARGO_TARGET_{}", env::consts::ARCH.to_uppercase());
    let system = format!("_{}_", env::consts::OS.to_uppercase());
    let is_ours = |name: &str| name.starts_with(&machine) && name.contains(&system) && name.ends_with("_RUNNER");
    let set = env::vars_os().find(|(name, _)| cfg!(unix) && name.to_str().is_some_and(is_ours));
    set.and_then(|(_, runner)| runner.into_string().ok()).unwrap_or_default()
}
