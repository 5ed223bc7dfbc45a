//! What is deleted because nobody uses it any more (scenario 5).

use std::fs;
use std::time::Duration;

use client_credentials::StoreKey;

use crate::world::{Directory, TOKEN, age, kept, save};

const HOUR: Duration = Duration::from_secs(60 * 60);

#[test]
fn st_05_saving_deletes_what_was_not_written_for_25_hours() {
    let directory = Directory::new("sweep");
    let store = directory.store();
    let other = StoreKey::from([1; 32]);
    let random = "0123456789abcdef";
    let ours = [
        format!("{other}.token"),
        format!("{other}.lock"),
        format!("{other}.{random}.tmp"),
        format!("KEY.{random}.tmp"),
    ];
    let others = ["KEY".to_owned(), "notes".to_owned(), format!("{other}.token.old")];
    for (hours, stay) in [(24, true), (26, false)] {
        for name in ours.iter().chain(&others) {
            let path = directory.path().join(name);
            if name != "KEY" {
                fs::write(&path, "").unwrap();
            }
            age(&path, HOUR * hours);
        }
        save(&store, TOKEN, 1).unwrap();
        for name in &ours {
            assert_eq!(directory.path().join(name).exists(), stay, "{name} after {hours} hours");
        }
        for name in &others {
            assert!(directory.path().join(name).exists(), "{name} is not ours to delete");
        }
        assert_eq!(kept(&store), Some((TOKEN.to_vec(), 1)));
    }
}

#[test]
fn a_claim_makes_an_old_lock_young() {
    use client_credentials::TokenStore as _;
    let directory = Directory::new("young");
    let store = directory.store();
    drop(store.claim(&crate::world::key(), HOUR).unwrap().expect("the claim"));
    age(&directory.lock(), HOUR * 26);
    let _claim = store.claim(&crate::world::key(), HOUR).unwrap().expect("the claim");
    save(&store, TOKEN, 1).unwrap();
    assert!(directory.lock().exists());
}

#[test]
fn a_file_of_the_future_and_a_directory_stay() {
    let directory = Directory::new("future");
    let store = directory.store();
    save(&store, TOKEN, 1).unwrap();
    let lock = directory.lock();
    fs::write(&lock, "").unwrap();
    let file = fs::File::options().write(true).open(&lock).unwrap();
    file.set_modified(file.metadata().unwrap().modified().unwrap() + HOUR * 1000).unwrap();
    let inner = directory.path().join(format!("{}.token", StoreKey::from([1; 32])));
    fs::create_dir(&inner).unwrap();
    save(&store, TOKEN, 2).unwrap();
    assert!(lock.exists() && inner.exists());
}

#[test]
fn a_directory_with_very_many_files_is_swept_a_part_at_a_time() {
    let directory = Directory::new("many");
    let store = directory.store();
    for number in 0..1500_u16 {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        let path = directory.path().join(format!("{}.lock", StoreKey::from(bytes)));
        fs::write(&path, "").unwrap();
        age(&path, HOUR * 26);
    }
    save(&store, TOKEN, 1).unwrap();
    let left = directory.names().len();
    assert!((1502 - 1024..1502).contains(&left), "{left}");
    save(&store, TOKEN, 2).unwrap();
    assert_eq!(directory.names().len(), 2, "KEY and the entry");
}
