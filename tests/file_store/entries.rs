//! What is kept, what is replaced, and what is not believed (scenarios 6 and 9).

use std::fs;

use client_credentials::{FileStore, Stamp, StoreKey, TokenStore as _};

#[cfg(unix)]
use crate::world::unix::{chmod, give_away, make_fifo, mode};
use crate::world::{Directory, TOKEN, kept, key, load, save, why_unusable};

#[test]
fn what_was_saved_is_loaded_by_another_store_of_the_same_directory() {
    let directory = Directory::new("saved");
    let store = directory.store();
    assert!(load(&store).is_none());
    for bytes in [&b""[..], b"\n", b"\0\xff\r\n", TOKEN, &[7; 1024 * 1024]] {
        save(&store, bytes, 7).unwrap();
        assert_eq!(kept(&directory.store()), Some((bytes.to_vec(), 7)));
        assert_eq!(load(&store).unwrap().time_left(), None, "a file has no clock");
    }
    assert!(store.load(&StoreKey::from([0; 32])).unwrap().is_none());
    assert_eq!(directory.temporary_files(), 0);
}

#[test]
fn the_file_is_a_line_with_the_stamp_and_then_the_bytes() {
    let directory = Directory::new("format");
    save(&directory.store(), TOKEN, u64::MAX).unwrap();
    let text = [b"client-credentials 1 18446744073709551615\n", TOKEN].concat();
    assert_eq!(fs::read(directory.entry()).unwrap(), text);
    #[cfg(unix)]
    assert_eq!(mode(directory.entry()), 0o600);
}

#[test]
fn an_entry_with_a_later_stamp_stays_and_an_equal_one_is_replaced() {
    let directory = Directory::new("stamps");
    let store = directory.store();
    save(&store, b"first", 7).unwrap();
    save(&store, b"of a slow clock", 6).unwrap();
    assert_eq!(kept(&store), Some((b"first".to_vec(), 7)));
    save(&store, b"second", 7).unwrap();
    assert_eq!(kept(&store), Some((b"second".to_vec(), 7)));
    save(&store, b"third", 8).unwrap();
    assert_eq!(kept(&store), Some((b"third".to_vec(), 8)));
    assert_eq!(directory.temporary_files(), 0);
}

#[test]
fn st_06_what_does_not_begin_as_an_entry_is_not_used_and_is_replaced() {
    let directory = Directory::new("begin");
    let store = directory.store();
    for text in [&b""[..], b"{", b"client-credentials 2 9\n{}", b"client-credentials 1 nine\n{}", b"\xff\xfe", TOKEN] {
        save(&store, b"{}", 9).unwrap();
        fs::write(directory.entry(), text).unwrap();
        let why = why_unusable(&directory, &store);
        assert!(why.contains("does not begin with the line of this version"), "{why}");
        save(&store, b"better", 1).unwrap();
        assert_eq!(kept(&store), Some((b"better".to_vec(), 1)), "the stamp of a damaged entry does not count");
        fs::remove_file(directory.entry()).unwrap();
    }
}

#[test]
fn st_06_an_entry_that_is_cut_anywhere_causes_no_panic_and_gives_no_other_bytes() {
    let directory = Directory::new("cut");
    let store = directory.store();
    save(&store, TOKEN, 1234).unwrap();
    let whole = fs::read(directory.entry()).unwrap();
    let header = whole.len() - TOKEN.len();
    for length in 0..whole.len() {
        fs::write(directory.entry(), &whole[..length]).unwrap();
        if length < header {
            why_unusable(&directory, &store);
        } else {
            assert_eq!(kept(&store), Some((TOKEN[..length - header].to_vec(), 1234)));
        }
    }
    save(&store, TOKEN, 1235).unwrap();
    assert_eq!(kept(&store), Some((TOKEN.to_vec(), 1235)));
}

#[test]
fn st_06_more_than_a_mebibyte_is_neither_kept_nor_used() {
    let directory = Directory::new("large");
    let store = directory.store();
    let error = save(&store, &[7; 1024 * 1024 + 1], 7).unwrap_err();
    assert!(error.to_string().contains("an entry of 1048577 bytes is not kept, since it is larger than 1 MiB"));
    assert!(load(&store).is_none());

    for length in [1024 * 1024 + 1, 2 * 1024 * 1024] {
        save(&store, b"", 9).unwrap();
        let text = [&fs::read(directory.entry()).unwrap()[..], &vec![7; length]].concat();
        fs::write(directory.entry(), text).unwrap();
        let why = why_unusable(&directory, &store);
        assert!(why.contains("is larger than 1 MiB"), "{why}");
        fs::remove_file(directory.entry()).unwrap();
    }
    save(&store, TOKEN, 1).unwrap();
    assert_eq!(kept(&store), Some((TOKEN.to_vec(), 1)));
}

#[test]
fn st_09_a_directory_in_place_of_an_entry_is_not_used_and_saving_fails() {
    let directory = Directory::new("directory");
    let store = directory.store();
    fs::create_dir(directory.entry()).unwrap();
    let why = why_unusable(&directory, &store);
    assert!(why.contains("is a directory, so it is not used"), "{why}");
    let error = save(&store, TOKEN, 1).unwrap_err().to_string();
    assert!(error.contains("cannot be written: "), "{error}");
    assert_eq!(directory.temporary_files(), 0);
}

/// On Windows, a file that somebody reads cannot be replaced at that moment.
#[test]
fn readers_see_the_old_entry_or_the_new_one_while_writers_replace_it() {
    let directory = Directory::new("whole");
    let (one, other) = (vec![b'1'; 100_000], vec![b'2'; 50_000]);
    save(&directory.store(), &one, 1).unwrap();
    let write = |bytes: &[u8]| {
        let store = directory.store();
        (0..50).for_each(|_| assert!(save(&store, bytes, 1).is_ok() || cfg!(windows)));
    };
    std::thread::scope(|scope| {
        let writers = [scope.spawn(|| write(&one)), scope.spawn(|| write(&other))];
        let store = directory.store();
        while !writers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let bytes = kept(&store).map(|(bytes, _)| bytes);
            assert!(bytes.as_ref().map_or(cfg!(windows), |bytes| *bytes == one || *bytes == other));
        }
    });
    assert_eq!(directory.temporary_files(), 0);
}

#[test]
fn a_store_can_be_shared_behind_the_trait() {
    let directory = Directory::new("trait");
    let store: Box<dyn client_credentials::TokenStore> = Box::new(directory.store());
    store.save(&key(), TOKEN, Stamp::from(1), std::time::Duration::ZERO).unwrap();
    assert_eq!(store.load(&key()).unwrap().unwrap().bytes(), Some(TOKEN));
    assert_eq!(store.name_key(), FileStore::open(directory.path()).unwrap().name_key());
}

#[cfg(unix)]
#[test]
fn st_09_an_entry_with_a_right_for_others_is_not_used_and_is_replaced() {
    let directory = Directory::new("open-entry");
    let store = directory.store();
    for open in [0o604, 0o644, 0o620, 0o602, 0o610] {
        save(&store, TOKEN, 9).unwrap();
        chmod(directory.entry(), open);
        let why = why_unusable(&directory, &store);
        assert!(why.contains(&format!("its mode is {open:04o}, so it is not used")), "{why}");
        save(&store, b"better", 1).unwrap();
        assert_eq!(kept(&store), Some((b"better".to_vec(), 1)), "its stamp does not count");
        assert_eq!(mode(directory.entry()), 0o600);
    }
}

/// Root may read it all the same.
#[cfg(unix)]
#[test]
fn an_entry_that_may_not_be_read_is_not_used_and_is_replaced() {
    let directory = Directory::new("closed-entry");
    let store = directory.store();
    save(&store, TOKEN, 9).unwrap();
    chmod(directory.entry(), 0o000);
    if fs::read(directory.entry()).is_err() {
        let why = why_unusable(&directory, &store);
        assert!(why.contains("cannot be opened (Permission denied"), "{why}");
    }
    save(&store, b"better", 9).unwrap();
    assert_eq!(kept(&store), Some((b"better".to_vec(), 9)));
}

#[cfg(unix)]
#[test]
fn st_09_an_entry_of_another_user_is_not_used_and_is_replaced() {
    let directory = Directory::new("foreign-entry");
    let store = directory.store();
    save(&store, TOKEN, 9).unwrap();
    if give_away(directory.entry()) {
        let why = why_unusable(&directory, &store);
        assert!(why.contains("belongs to the user with the id 65534, and this program runs as 0"), "{why}");
        save(&store, b"better", 1).unwrap();
        assert_eq!(kept(&store), Some((b"better".to_vec(), 1)));
    }
}

#[cfg(unix)]
#[test]
fn st_09_a_link_is_not_followed_and_is_replaced() {
    let directory = Directory::new("entry-link");
    let store = directory.store();
    save(&store, TOKEN, 9).unwrap();
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(directory.entry(), &elsewhere).unwrap();
    let target = fs::read(&elsewhere).unwrap();
    for to in [elsewhere.clone(), directory.path().join("nowhere")] {
        std::os::unix::fs::symlink(to, directory.entry()).unwrap();
        let why = why_unusable(&directory, &store);
        assert!(why.contains("is a symbolic link, so it is not used"), "{why}");
        save(&store, b"better", 1).unwrap();
        assert_eq!(kept(&store), Some((b"better".to_vec(), 1)));
        assert_eq!(fs::read(&elsewhere).unwrap(), target, "it is as it was");
        fs::remove_file(directory.entry()).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn st_09_a_fifo_or_a_socket_does_not_hang_and_is_replaced() {
    let directory = Directory::new("fifo");
    let store = directory.store();
    let make_socket = |path: &std::path::Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    for make in [&(|path: &std::path::Path| make_fifo(path)) as &dyn Fn(&std::path::Path), &make_socket] {
        // The path of a socket must be short.
        make(&directory.path().join("s"));
        fs::rename(directory.path().join("s"), directory.entry()).unwrap();
        chmod(directory.entry(), 0o600);
        let why = why_unusable(&directory, &store);
        assert!(why.contains("is not a regular file, so it is not used"), "{why}");
        save(&store, b"better", 1).unwrap();
        assert_eq!(kept(&store), Some((b"better".to_vec(), 1)));
        fs::remove_file(directory.entry()).unwrap();
    }
}
