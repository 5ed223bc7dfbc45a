//! Windows has access control lists, which std cannot read: the one of the directory, which files
//! inherit, is the guard. Imports nothing from this crate.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;

/// Opens a symbolic link or a junction itself (`FILE_FLAG_OPEN_REPARSE_POINT`).
const OPEN_REPARSE_POINT: u32 = 0x0020_0000;
/// Reading and writing by others, but not deleting (`FILE_SHARE_READ | FILE_SHARE_WRITE`).
const SHARE_ALL_BUT_DELETE: u32 = 1 | 2;

/// Creates the directory and its parents. It is no error if it is there.
pub(in super::super) fn create_directory(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)
}

/// Makes `open` open a symbolic link itself and not what it leads to.
pub(in super::super) fn do_not_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(OPEN_REPARSE_POINT)
}

/// Does nothing: the file inherits the rights of the directory.
pub(in super::super) fn make_private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Keeps the file from being deleted while it is open.
pub(in super::super) fn undeletable(options: &mut OpenOptions) -> &mut OpenOptions {
    options.share_mode(SHARE_ALL_BUT_DELETE)
}

/// Always `true`: a lock file that is open cannot be deleted.
pub(in super::super) fn is_at(_: &Path, _: &File) -> io::Result<bool> {
    Ok(true)
}

/// Always `None`: the access control list is not checked.
pub(in super::super) fn strangers(_: &Metadata) -> Option<String> {
    None
}

/// Always `None`: the owner is not checked.
pub(in super::super) fn stranger(_: &Metadata) -> Option<String> {
    None
}

/// Always `None`: there is no such check here.
pub(in super::super) fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}
