//! The file `KEY`: random bytes from which the names are made, the same for all processes of the
//! directory. Imports `error`, `store::crypto`, `store::file::checked`, `store::file::temporary`.

use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::store::crypto;
use crate::store::file::checked::{self, Found};
use crate::store::file::temporary::Temporary;

const LENGTH: usize = 32;

/// Returns the key of this directory. If there is none, it is made, and read back: another process may
/// have made it first.
pub(super) fn read_or_make(directory: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let path = directory.join("KEY");
    if let Some(key) = read(&path)? {
        return Ok(key);
    }
    make(&path)?;
    read(&path)?.ok_or_else(|| unreadable(&path, &io::ErrorKind::NotFound.into()))
}

fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let file = match checked::open(path).map_err(|error| unreadable(path, &error))? {
        Found::Nothing => return Ok(None),
        Found::Wrong(why) => return Err(damaged(path, &why)),
        Found::File(file, _) => file,
    };
    let mut key = Zeroizing::new(Vec::with_capacity(LENGTH + 1));
    file.take(LENGTH as u64 + 1).read_to_end(&mut key).map_err(|error| unreadable(path, &error))?;
    if key.len() == LENGTH { Ok(Some(key)) } else { Err(damaged(path, "does not have 32 bytes")) }
}

/// Makes the key, unless there is one.
fn make(path: &Path) -> Result<(), Error> {
    let unwritten = |error: io::Error| {
        Error::configuration(format!(
            "FileStore::open: {path:?} could not be written ({error}); name a directory that this user may write to"
        ))
    };
    let key: Zeroizing<[u8; LENGTH]> = Zeroizing::new(
        crypto::random().ok_or_else(|| Error::configuration("the operating system gives no random numbers"))?,
    );
    let temporary = Temporary::write(path, &[&*key]).map_err(unwritten)?;
    match temporary.link(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // Not every file system has hard links.
        Err(_) => temporary.rename(path).map_err(unwritten),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::configuration(format!("FileStore::open: {path:?} could not be read ({error}); name another directory"))
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::configuration(format!(
        "FileStore::open: {path:?} {why}; delete it, and start every program again that uses this directory"
    ))
}
