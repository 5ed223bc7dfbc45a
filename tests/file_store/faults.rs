//! Disks that are full, and directories that cannot be written to (scenarios 5 and 10).

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use client_credentials::{FileStore, StoreError, TokenStore as _};

use crate::world::unix::chmod;
use crate::world::{Directory, TOKEN, kept, key, load, refused, save};

/// A file system of 64 KiB, if this is root in a place where it may mount one.
struct Tiny<'a>(&'a Path);

impl<'a> Tiny<'a> {
    fn mount(directory: &'a Directory, options: &str) -> Option<Self> {
        let output = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(directory.path()).output();
        match output {
            Ok(output) if output.status.success() => Some(Self(directory.path())),
            other => {
                println!("no file system could be mounted: {other:?}");
                None
            }
        }
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Tiny<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

fn assert_names_the_entry(error: &StoreError, directory: &Directory) {
    let text = format!("{error:?}");
    assert!(text.starts_with(&format!("the entry {:?} cannot be written: ", directory.entry())), "{text}");
    assert!(!text.contains("very-secret"), "{text}");
}

/// Without root, a directory that may not be written to takes the place of the full disk.
#[test]
fn st_10_a_full_disk_is_an_error_and_leaves_the_old_entry_and_no_temporary_file() {
    let directory = Directory::made("full");
    let tiny = Tiny::mount(&directory, "size=64k,mode=0700");
    chmod(directory.path(), 0o700);
    let store = directory.store();
    save(&store, TOKEN, 1).unwrap();
    if tiny.is_some() {
        let error = save(&store, &[7; 200_000], 2).unwrap_err();
        assert!(error.to_string().contains("No space left"), "{error}");
        assert_names_the_entry(&error, &directory);
        assert_eq!(kept(&store), Some((TOKEN.to_vec(), 1)));
        assert_eq!(directory.temporary_files(), 0);

        // The lock needs no block.
        let _ = fs::write(directory.path().join("rest"), [7; 200_000]);
        assert!(store.claim(&key(), Duration::ZERO).unwrap().is_some());
        let text = refused(directory.path().join("new"));
        assert!(text.contains("could not be "), "{text}");
    } else {
        chmod(directory.path(), 0o500);
        if let Err(error) = save(&store, TOKEN, 2) {
            assert_names_the_entry(&error, &directory);
            assert_eq!(kept(&store), Some((TOKEN.to_vec(), 1)));
        }
        chmod(directory.path(), 0o700);
        assert_eq!(directory.temporary_files(), 0);
    }
}

#[test]
fn st_10_a_file_system_that_cannot_be_written_to_can_be_read() {
    let directory = Directory::made("read-only");
    let tiny = Tiny::mount(&directory, "size=64k,mode=0700");
    chmod(directory.path(), 0o700);
    save(&directory.store(), TOKEN, 1).unwrap();
    match &tiny {
        Some(tiny) => tiny.remount("ro"),
        None => chmod(directory.path(), 0o500),
    }
    let store = FileStore::open(directory.path()).unwrap();
    assert_eq!(kept(&store), Some((TOKEN.to_vec(), 1)));
    if tiny.is_some() {
        assert_names_the_entry(&save(&store, TOKEN, 2).unwrap_err(), &directory);
        let error = store.claim(&key(), Duration::ZERO).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the lock {:?} cannot be opened: ", directory.lock())), "{error}");
        let text = refused(directory.path().join("new"));
        assert!(text.contains("could not be created (") && text.contains("that this user may create"), "{text}");
    } else {
        chmod(directory.path(), 0o700);
    }
}

#[test]
fn st_10_a_directory_that_was_deleted_is_a_miss_and_an_error_of_saving() {
    let directory = Directory::new("gone");
    let store = directory.store();
    save(&store, TOKEN, 1).unwrap();
    fs::remove_dir_all(directory.path()).unwrap();
    assert!(load(&store).is_none());
    assert_names_the_entry(&save(&store, TOKEN, 2).unwrap_err(), &directory);
}

/// Root may write everywhere.
#[test]
fn a_directory_without_the_right_to_write_is_refused_with_the_way_out() {
    let directory = Directory::made("no-key");
    let tiny = Tiny::mount(&directory, "size=64k,mode=0700");
    match &tiny {
        Some(tiny) => tiny.remount("ro"),
        None => chmod(directory.path(), 0o500),
    }
    if tiny.is_some() || fs::write(directory.path().join("probe"), "").is_err() {
        let text = refused(directory.path());
        assert!(text.contains("KEY\" could not be written ("), "{text}");
        assert!(text.ends_with("; name a directory that this user may write to"), "{text}");
    }
    drop(tiny);
    chmod(directory.path(), 0o700);
}

#[test]
fn st_05_what_a_killed_process_left_behind_is_neither_read_nor_in_the_way() {
    let directory = Directory::new("left");
    let store = directory.store();
    let half = directory.path().join(format!("{}.0123456789abcdef.tmp", key()));
    fs::write(&half, b"client-credentials 1 9\n{\"tok").unwrap();
    assert!(load(&store).is_none());
    save(&store, TOKEN, 1).unwrap();
    assert_eq!(kept(&store), Some((TOKEN.to_vec(), 1)));
    assert!(half.exists(), "it may be somebody's who is about to finish");
    crate::world::age(&half, Duration::from_secs(26 * 3600));
    save(&store, TOKEN, 1).unwrap();
    assert!(!half.exists());
}
