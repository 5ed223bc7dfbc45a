//! Which directory may hold tokens. Imports `error`, `store::file::platform`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::store::file::platform;

/// Creates the directory if it is not there, and returns its absolute path if it is safe.
pub(super) fn prepare(directory: &Path) -> Result<PathBuf, Error> {
    // The program may change its working directory later. Without a slash at its end, a link is not
    // followed.
    let absolute = std::path::absolute(directory)
        .map_err(|error| refused(directory, &format!("is not the name of a directory ({error})")))?;
    let directory: PathBuf = absolute.components().collect();
    let metadata = fs::symlink_metadata(&directory).or_else(|_| {
        // Another process may create it at the same time.
        platform::create_directory(&directory)?;
        fs::symlink_metadata(&directory)
    });
    let metadata = metadata.map_err(|error| {
        refused(&directory, &format!("could not be created ({error}); name a directory that this user may create"))
    })?;
    if metadata.is_symlink() {
        return Err(refused(&directory, "is a symbolic link; name the directory that it leads to"));
    }
    if !metadata.is_dir() {
        return Err(refused(&directory, "is not a directory; name one, or a name that is not taken"));
    }
    match platform::strangers(&metadata) {
        Some(why) => Err(refused(
            &directory,
            &format!("{why}; name a directory of this user alone (chmod 700), or a new one inside it"),
        )),
        None => Ok(directory),
    }
}

/// Refuses a directory where a lock may hang for as long as the network does, or be no lock.
pub(super) fn must_be_local(directory: &Path) -> Result<(), Error> {
    let Some(name) = platform::network_file_system(directory) else { return Ok(()) };
    let why = format!(
        "is on a network file system ({name}), where locks may hang or not work; name a directory on a disk of this \
         machine, or, if locks do work there, use FileStore::open_on_any_file_system"
    );
    Err(refused(directory, &why))
}

fn refused(directory: &Path, why: &str) -> Error {
    Error::configuration(format!("FileStore::open: {directory:?} {why}"))
}
