//! Who may fetch (scenarios 3 and 36).

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use client_credentials::{Claim, FileStore, StoreKey, TokenStore as _};

use crate::emulator;
#[cfg(unix)]
use crate::world::unix::{chmod, give_away, make_fifo, mode};
use crate::world::{Directory, key};

fn claim(store: &FileStore) -> Option<Claim> {
    store.claim(&key(), Duration::ZERO).unwrap()
}

#[test]
fn one_of_many_gets_the_claim_and_the_next_when_it_is_dropped() {
    let directory = Directory::new("claim");
    let (store, other) = (directory.store(), directory.store());
    let first = claim(&store).expect("the claim");
    assert!(claim(&store).is_none());
    assert!(claim(&other).is_none());
    assert!(other.claim(&StoreKey::from([0; 32]), Duration::ZERO).unwrap().is_some(), "another key is free");
    drop(first);
    let second = claim(&other).expect("the claim");
    assert!(claim(&store).is_none());
    drop(second);
    assert!(directory.lock().is_file(), "the file stays, for others may have it open");
    #[cfg(unix)]
    assert_eq!(mode(directory.lock()), 0o600);
}

#[test]
fn one_of_many_threads_gets_the_claim() {
    let directory = Directory::new("threads");
    let (start, end, claims) = (Barrier::new(8), Barrier::new(8), AtomicUsize::new(0));
    let race = || {
        let store = directory.store();
        start.wait();
        let claim = claim(&store);
        claims.fetch_add(usize::from(claim.is_some()), Ordering::Relaxed);
        end.wait();
    };
    std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(race))));
    assert_eq!(claims.into_inner(), 1);
}

/// The directory that a child is to use; without it the test below has nothing to do.
const VARIABLE: &str = "FILE_STORE_DIRECTORY";

/// Holds the claim until its input ends.
#[test]
fn child() {
    #[expect(clippy::disallowed_methods, reason = "how a parent talks to its child")]
    let Some(directory) = env::var_os(VARIABLE) else { return };
    let store = FileStore::open(directory).unwrap();
    let claim = claim(&store);
    println!("\nclaimed {}", claim.is_some());
    let _ = std::io::stdin().read(&mut [0]);
}

/// A process that has asked for the claim, and what it got.
struct Other(Child);

impl Other {
    fn start(directory: &Directory) -> (Self, bool) {
        let mut command = emulator::command(&env::current_exe().unwrap());
        command.args(["--exact", "claims::child", "--nocapture", "--test-threads=1"]);
        command.env(VARIABLE, directory.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut answers = lines.filter_map(|line| line.strip_prefix("claimed ").map(|got| got == "true"));
        let got = answers.next().expect("an answer");
        (Self(child), got)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn st_03_one_process_of_many_gets_the_claim_and_loses_it_when_it_is_killed() {
    let directory = Directory::new("processes");
    let store = directory.store();
    let (holder, got) = Other::start(&directory);
    assert!(got && claim(&store).is_none());
    let (_late, got) = Other::start(&directory);
    assert!(!got);
    drop(holder);
    let ours = claim(&store).expect("the claim of the dead");
    let (_late, got) = Other::start(&directory);
    assert!(!got);
    drop(ours);
    let (_holder, got) = Other::start(&directory);
    assert!(got);
}

/// Windows does not let anybody delete it.
#[cfg(unix)]
#[test]
fn st_36_a_lock_file_that_is_deleted_while_held_locks_nobody_out() {
    let directory = Directory::new("deleted");
    let store = directory.store();
    let first = claim(&store).expect("the claim");
    fs::remove_file(directory.lock()).unwrap();
    let second = claim(&store).expect("a claim of the new file");
    assert!(claim(&store).is_none());
    drop(first);
    assert!(claim(&store).is_none(), "the first does not give back what the second has");
    drop(second);
    assert!(claim(&store).is_some());
}

#[cfg(unix)]
#[test]
fn st_36_a_cleaner_that_deletes_the_lock_file_all_the_time_causes_no_deadlock() {
    let directory = Directory::new("cleaner");
    let claims = AtomicUsize::new(0);
    let work = || {
        let store = directory.store();
        for _ in 0..200 {
            match store.claim(&key(), Duration::ZERO) {
                Ok(claim) => {
                    claims.fetch_add(usize::from(claim.is_some()), Ordering::Relaxed);
                }
                Err(error) => assert!(error.to_string().contains("is replaced again and again"), "{error}"),
            }
        }
    };
    std::thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let _ = fs::remove_file(directory.lock());
        }
    });
    assert!(claims.into_inner() > 0);
    assert!(claim(&directory.store()).is_some());
}

#[cfg(unix)]
#[test]
fn a_lock_that_is_no_file_of_this_user_is_an_error_that_names_it() {
    let directory = Directory::new("lock-kinds");
    let (store, lock) = (directory.store(), directory.lock());
    let refused = |what: &str| {
        let error = store.claim(&key(), Duration::ZERO).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the lock {lock:?} {what}")) && error.ends_with("; delete it"), "{error}");
    };
    fs::create_dir(&lock).unwrap();
    refused("is a directory");
    fs::remove_dir(&lock).unwrap();

    let elsewhere = directory.path().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
    refused("is a symbolic link");
    assert!(!elsewhere.exists(), "nothing is created through a link");
    fs::remove_file(&lock).unwrap();

    make_fifo(&lock);
    refused("is not a regular file");
    fs::remove_file(&lock).unwrap();

    fs::write(&lock, "").unwrap();
    chmod(&lock, 0o600);
    if give_away(&lock) {
        refused("belongs to the user with the id 65534");
    }
    fs::remove_file(&lock).unwrap();
    assert!(claim(&store).is_some());
}

#[test]
fn a_directory_that_was_deleted_is_an_error_that_names_the_lock() {
    let directory = Directory::new("gone-claim");
    let store = directory.store();
    fs::remove_dir_all(directory.path()).unwrap();
    let error = store.claim(&key(), Duration::ZERO).unwrap_err().to_string();
    assert!(error.starts_with(&format!("the lock {:?} cannot be opened: ", directory.lock())), "{error}");
}
