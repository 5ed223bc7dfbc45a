//! Stores that the guide shows. A test compares them with the pages.

pub mod postgres;

/// The table, and what the program may do with it.
pub const TABLE: &str = include_str!("table.sql");

/// Removes the rows of clients that are gone.
pub const CLEAN: &str = include_str!("clean.sql");
