//! What differs between Unix and Windows: flags, owners, modes and file numbers. Imports nothing from
//! this crate.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::{
    create_directory, do_not_follow, is_at, make_private, network_file_system, stranger, strangers, undeletable,
};
#[cfg(windows)]
pub(super) use windows::{
    create_directory, do_not_follow, is_at, make_private, network_file_system, stranger, strangers, undeletable,
};
