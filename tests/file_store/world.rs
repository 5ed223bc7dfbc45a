//! Directories for the tests, and short words for what they do.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use client_credentials::{Entry, Error, FileStore, Stamp, StoreError, StoreKey, TokenStore};

pub const KEY: [u8; 32] = [0xab; 32];
/// No error and no name may contain it.
pub const TOKEN: &[u8] = b"{\"token\":\"very-secret\"}";

/// A name in the directory for temporary files, which is deleted at the end.
pub struct Directory(PathBuf);

impl Directory {
    /// Nothing is there yet.
    pub fn new(test: &str) -> Self {
        Self(std::env::temp_dir().join(format!("client-credentials-{}-{test}", std::process::id())))
    }

    pub fn made(test: &str) -> Self {
        let directory = Self::new(test);
        fs::create_dir(&directory.0).unwrap();
        directory
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn store(&self) -> FileStore {
        FileStore::open(&self.0).unwrap()
    }

    pub fn entry(&self) -> PathBuf {
        self.0.join(format!("{}.token", key()))
    }

    pub fn lock(&self) -> PathBuf {
        self.0.join(format!("{}.lock", key()))
    }

    pub fn temporary_files(&self) -> usize {
        self.names().iter().filter(|name| name.ends_with(".tmp")).count()
    }

    pub fn names(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn key() -> StoreKey {
    StoreKey::from(KEY)
}

pub fn save(store: &FileStore, bytes: &[u8], stamp: u64) -> Result<(), StoreError> {
    store.save(&key(), bytes, Stamp::from(stamp), Duration::from_secs(60))
}

pub fn load(store: &FileStore) -> Option<Entry> {
    store.load(&key()).unwrap()
}

/// The bytes and the stamp of an entry that can be used.
pub fn kept(store: &FileStore) -> Option<(Vec<u8>, u64)> {
    let entry = load(store)?;
    Some((entry.bytes()?.to_vec(), entry.stamp().into()))
}

/// Why an entry cannot be used. The text names the file, and does not tell what is in it.
pub fn why_unusable(directory: &Directory, store: &FileStore) -> String {
    let entry = load(store).expect("something is there");
    assert_eq!((entry.bytes(), entry.stamp()), (None, Stamp::default()));
    let text = format!("{entry:?}");
    assert!(text.contains(&format!("the entry {:?}", directory.entry())), "{text}");
    assert!(!text.contains("very-secret"), "{text}");
    text
}

/// The text of the configuration error, which names the directory.
pub fn refused(path: impl AsRef<Path>) -> String {
    match FileStore::open(path.as_ref()) {
        Err(Error::Configuration(error)) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{path:?} was not refused", path = path.as_ref()),
    }
}

/// Makes a file look as if it was written this long before it was.
pub fn age(path: &Path, by: Duration) {
    let file = File::options().write(true).open(path).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written - by).unwrap();
}

#[cfg(unix)]
pub mod unix {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    pub const NOBODY: u32 = 65534;

    pub fn mode(path: impl AsRef<Path>) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    pub fn chmod(path: impl AsRef<Path>, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Gives a file or a directory to another user. `false` if only root may do that, and this is not root;
    /// `store::file::platform::unix::tests` has the rule as a function then.
    pub fn give_away(path: impl AsRef<Path>) -> bool {
        let path = path.as_ref();
        let owner = fs::symlink_metadata(path).unwrap().uid();
        let given = std::os::unix::fs::chown(path, Some(NOBODY), None).is_ok() && owner != NOBODY;
        if !given {
            println!("only root can give {path:?} to another user");
        }
        given
    }

    pub fn make_fifo(path: impl AsRef<Path>) {
        let status = std::process::Command::new("mkfifo").arg(path.as_ref()).status().unwrap();
        assert!(status.success());
    }
}
