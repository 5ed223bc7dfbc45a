//! Files that are opened only if nobody else could have put them there. Imports `store::file::platform`.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::store::file::platform;

/// Says what is wrong with a file, if anything is.
type Check = fn(&Metadata) -> Option<String>;

/// What is at a path.
pub(super) enum Found {
    Nothing,
    /// Something that must not be used. The text goes on after the name: "is a symbolic link".
    Wrong(String),
    /// A regular file that passed the check.
    File(File, Metadata),
}

/// Opens the file at `path` to read it, if it is a regular file of this user, for which no other user has
/// rights. Does not follow a link, and does not wait for a FIFO.
pub(super) fn open(path: &Path) -> io::Result<Found> {
    open_with(OpenOptions::new().read(true), path, platform::strangers)
}

/// Opens as `options` say. The check looks at the file that was opened, and not at whatever has the name
/// a moment before or after.
pub(super) fn open_with(options: &mut OpenOptions, path: &Path, check: Check) -> io::Result<Found> {
    let file = match platform::do_not_follow(options).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return why_not(path, check, error),
    };
    let metadata = file.metadata()?;
    Ok(match wrong(&metadata, check) {
        Some(wrong) => Found::Wrong(wrong),
        None => Found::File(file, metadata),
    })
}

/// What could not be opened may be something else than a file, or somebody else's.
fn why_not(path: &Path, check: Check, error: io::Error) -> io::Result<Found> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Err(error) };
    match wrong(&metadata, check) {
        Some(wrong) => Ok(Found::Wrong(wrong)),
        None if error.kind() == ErrorKind::PermissionDenied => Ok(Found::Wrong(format!("cannot be opened ({error})"))),
        None => Err(error),
    }
}

fn wrong(metadata: &Metadata, check: Check) -> Option<String> {
    let kind = metadata.file_type();
    if kind.is_symlink() {
        Some("is a symbolic link".to_owned())
    } else if kind.is_dir() {
        Some("is a directory".to_owned())
    } else if !kind.is_file() {
        Some("is not a regular file".to_owned())
    } else {
        check(metadata)
    }
}
