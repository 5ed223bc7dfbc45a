//! The store in the files of one machine: what it keeps, what it refuses, and who may fetch.

mod claims;
mod directories;
mod entries;
#[cfg(unix)]
mod faults;
mod sweep;
mod world;
