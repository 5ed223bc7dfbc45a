//! A store in the files of one machine. Imports `error`, `store`, and what is below `store::file`.

mod checked;
mod directory;
mod entry;
mod lock;
mod name_key;
mod platform;
mod sweep;
mod temporary;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::store::{Claim, Entry, Stamp, StoreError, StoreKey, TokenStore};
use lock::Lock;

/// A [`TokenStore`] in the files of a directory, so that all processes of one user on one machine use one
/// token. Requires the feature `store-file`, and Unix or Windows.
///
/// Give it to a source with `TokenSourceBuilder::store`.
///
/// # The directory
///
/// You name it; there is no default. It must be on a disk of this machine, and no other
/// user may have access to it: read access is enough to use the tokens, and write access to plant some.
///
/// - A systemd service uses `$RUNTIME_DIRECTORY` or `$CACHE_DIRECTORY`, with `RuntimeDirectoryMode=0700`
///   or `CacheDirectoryMode=0700`.
/// - A program in a login session uses a directory of its own in `$XDG_RUNTIME_DIR`.
/// - A cron job has no `$XDG_RUNTIME_DIR`. It uses `~/.cache/NAME`, and so does everything else, unless
///   the home directory is on a network.
///
/// On Windows only the kind of the directory is checked. Use one in the profile of the user
/// (`%LOCALAPPDATA%`), which others cannot read.
///
/// # The files
///
/// - `KEY` has 32 random bytes, from which the names of the others are made. If it is deleted, all
///   programs must be started again, and get new tokens.
/// - `<64 digits>.token` has one token. It is readable, not encrypted: its mode (0600) and that of the
///   directory are the guard. To encrypt it, wrap the store in [`Sealed`](crate::Sealed).
/// - `<64 digits>.lock` is locked while a process asks for that token. The kernel takes the lock away from
///   a process that ends, however it ends, so the lease of [`claim`](TokenStore::claim) is not needed.
///
/// Tokens and locks may be deleted at any time, which costs a token request each. One that was not written
/// for 25 hours is deleted by the next [`save`](TokenStore::save), whatever its `keep`: no token is used
/// for more than a day. Files are replaced as a whole, and not flushed to the disk, so a crash of the
/// machine may leave a damaged one.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use client_credentials::{FileStore, Stamp, StoreKey, TokenStore};
///
/// let directory = std::env::temp_dir().join(format!("tokens-{}", std::process::id()));
/// let (key, minute) = (StoreKey::from([7; 32]), Duration::from_secs(60));
///
/// let store = FileStore::open(&directory)?;
/// store.save(&key, b"{}", Stamp::from(1), minute).unwrap();
///
/// // Another process finds it.
/// let store = FileStore::open(&directory)?;
/// let entry = store.load(&key).unwrap().expect("the entry");
/// assert_eq!(entry.bytes(), Some(&b"{}"[..]));
///
/// std::fs::remove_dir_all(directory)?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct FileStore {
    directory: PathBuf,
    name_key: Zeroizing<Vec<u8>>,
    may_hang: bool,
}

impl FileStore {
    /// Opens the store in this directory. Creates it and its parents, with the mode 0700, if they are not
    /// there. Many processes may do this at the same time.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the directory
    ///
    /// - cannot be created, read or written,
    /// - is a symbolic link, or is not a directory,
    /// - belongs to another user, or gives a right to the group or to others (`chmod 700` removes it),
    /// - is on a network file system, as far as Linux can tell,
    ///
    /// or if there is a file `KEY` in it that this crate did not write, or that others may use. The text
    /// names the directory, and says what to do.
    ///
    /// # Examples
    ///
    /// ```
    /// use client_credentials::{Error, FileStore};
    ///
    /// let directory = std::env::temp_dir().join(format!("a-program-{}", std::process::id()));
    /// let store = FileStore::open(directory.join("tokens"))?;
    ///
    /// // A file is no directory.
    /// let Err(Error::Configuration(error)) = FileStore::open(directory.join("tokens/KEY")) else { panic!() };
    /// assert!(error.to_string().contains("is not a directory"));
    ///
    /// std::fs::remove_dir_all(directory)?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let directory = directory::prepare(directory.as_ref())?;
        directory::must_be_local(&directory)?;
        Self::open_prepared(directory, false)
    }

    /// Opens the store as [`open`](Self::open) does, on a network file system, too.
    ///
    /// It is meant for file systems that only look like one, such as the FUSE of a container runtime, and
    /// for those whose locks work for all processes that use the directory. If the network hangs, so do the
    /// threads that ask for a token.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] as for [`open`](Self::open), but for the network file system.
    ///
    /// # Examples
    ///
    /// ```
    /// use client_credentials::FileStore;
    ///
    /// let directory = std::env::temp_dir().join(format!("any-file-system-{}", std::process::id()));
    /// let store = FileStore::open_on_any_file_system(&directory)?;
    /// assert!(format!("{store:?}").contains("any-file-system"));
    ///
    /// std::fs::remove_dir_all(directory)?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_on_any_file_system(directory: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_prepared(directory::prepare(directory.as_ref())?, true)
    }

    fn open_prepared(directory: PathBuf, may_hang: bool) -> Result<Self, Error> {
        let name_key = name_key::read_or_make(&directory)?;
        Ok(Self { directory, name_key, may_hang })
    }

    fn path(&self, key: &StoreKey, extension: &str) -> PathBuf {
        self.directory.join(format!("{key}.{extension}"))
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl TokenStore for FileStore {
    fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
        let path = self.path(key, "token");
        entry::read(&path).map_err(|error| {
            StoreError::new(io::Error::new(error.kind(), format!("the entry {path:?} cannot be read: {error}")))
        })
    }

    fn claim(&self, key: &StoreKey, _: Duration) -> Result<Option<Claim>, StoreError> {
        Ok(Lock::of(&self.path(key, "lock"))?.map(Claim::new))
    }

    fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, _: Duration) -> Result<(), StoreError> {
        if entry.len() > entry::MOST {
            let length = entry.len();
            return Err(StoreError::new(format!(
                "an entry of {length} bytes is not kept, since it is larger than 1 MiB"
            )));
        }
        let path = self.path(key, "token");
        if entry::stamp(&path).is_some_and(|kept| kept > stamp) {
            return Ok(());
        }
        let written = entry::write(&path, stamp, entry).map_err(|error| {
            StoreError::new(io::Error::new(error.kind(), format!("the entry {path:?} cannot be written: {error}")))
        })?;
        if let Some(now) = written {
            sweep::sweep(&self.directory, now);
        }
        Ok(())
    }

    fn name_key(&self) -> &[u8] {
        &self.name_key
    }

    fn may_hang(&self) -> bool {
        self.may_hang
    }
}
