//! The store in the files of one machine: what it keeps, what it refuses, and who may fetch.

mod claims;
mod directories;
#[path = "../emulator/mod.rs"]
mod emulator;
mod entries;
#[cfg(unix)]
mod faults;
mod sweep;
mod world;
