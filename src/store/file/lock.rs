//! The claim of a key: a kernel lock, which ends with the process that holds it. Imports `store`,
//! `store::file::checked`, `store::file::platform`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use fs4::{FileExt, TryLockError};

use crate::store::StoreError;
use crate::store::file::checked::{self, Found};
use crate::store::file::platform;

/// How often the lock is tried if the file of this name is replaced meanwhile.
const TRIES: usize = 8;

/// The lock on a file. It is never deleted here, because a waiting process would then lock a file without a name.
pub(super) struct Lock(File);

impl Lock {
    /// Locks the file at `path`, which is created. Returns `None` if another process or thread has the
    /// lock. Never waits.
    pub(super) fn of(path: &Path) -> Result<Option<Self>, StoreError> {
        for _ in 0..TRIES {
            let file = open(path)?;
            // The standard library has a method of this name since Rust 1.89.
            match FileExt::try_lock(&file) {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(no_locks(path, &error)),
            }
            let lock = Self(file);
            if platform::is_at(path, &lock.0).map_err(|error| cannot_open(path, error))? {
                lock.touch();
                return Ok(Some(lock));
            }
        }
        Err(StoreError::new(format!("the lock {path:?} is replaced again and again; what deletes files there?")))
    }

    /// Makes the file young, so that it is not swept. If the disk is full, it is locked all the same.
    fn touch(&self) {
        let _ = (&self.0).write_all(b"\n");
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a forked child may have the same open file.
        let _ = FileExt::unlock(&self.0);
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    platform::undeletable(platform::make_private(options.read(true).write(true).create(true).truncate(false)));
    match checked::open_with(&mut options, path, platform::stranger) {
        Ok(Found::File(file, _)) => Ok(file),
        Ok(Found::Wrong(why)) => Err(StoreError::new(format!("the lock {path:?} {why}; delete it"))),
        Ok(Found::Nothing) => Err(cannot_open(path, io::ErrorKind::NotFound.into())),
        Err(error) => Err(cannot_open(path, error)),
    }
}

fn cannot_open(path: &Path, error: io::Error) -> StoreError {
    StoreError::new(io::Error::new(error.kind(), format!("the lock {path:?} cannot be opened: {error}")))
}

fn no_locks(path: &Path, error: &io::Error) -> StoreError {
    let directory = path.parent().unwrap_or(path);
    StoreError::new(io::Error::new(
        error.kind(),
        format!(
            "locks do not work in {directory:?} ({error}); give FileStore::open a directory on a disk of this machine"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own, which is deleted at the end.
    struct Directory(std::path::PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("client-credentials-{}-lock-{name}", std::process::id()));
            std::fs::create_dir(&path).expect("a directory");
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_lock_is_free_after_drop_although_a_forked_child_has_the_file() {
        let directory = Directory::new("fork");
        let path = directory.0.join("a.lock");
        let lock = Lock::of(&path).expect("no error").expect("the lock");
        // What a child would have after fork: the same open file.
        let of_the_child = lock.0.try_clone().expect("a clone");
        assert!(Lock::of(&path).expect("no error").is_none());
        drop(lock);
        assert!(Lock::of(&path).expect("no error").is_some());
        drop(of_the_child);
    }

    #[test]
    fn a_file_system_without_locks_is_named_with_the_way_out() {
        // ENOLCK, EBADF and ENOTSUP of Linux.
        for number in [37, 9, 95] {
            let error = no_locks(Path::new("/somewhere/a.lock"), &io::Error::from_raw_os_error(number)).to_string();
            assert!(error.starts_with("locks do not work in \"/somewhere\" ("), "{error}");
            assert!(error.ends_with("give FileStore::open a directory on a disk of this machine"), "{error}");
        }
    }
}
