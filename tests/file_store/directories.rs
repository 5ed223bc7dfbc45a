//! Which directories are used, and which are refused (scenarios 2, 9 and 39).

use std::fs;
use std::sync::Barrier;
use std::thread;

use client_credentials::{FileStore, TokenStore as _};

#[cfg(unix)]
use crate::world::unix::{chmod, give_away, mode};
use crate::world::{Directory, KEY, refused};

#[test]
fn st_02_threads_that_race_for_a_directory_without_a_parent_get_the_same_key() {
    for round in 0..20 {
        let directory = Directory::new(&format!("race-{round}"));
        let (path, barrier) = (directory.path().join("parent/tokens"), Barrier::new(4));
        let open = || {
            barrier.wait();
            FileStore::open(&path).unwrap().name_key().to_vec()
        };
        let keys: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| key.len() == 32 && *key == keys[0]));
        assert_eq!(fs::read(path.join("KEY")).unwrap(), keys[0]);
        let names: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["KEY"], "no temporary file stays");
        #[cfg(unix)]
        {
            let modes = [directory.path(), &directory.path().join("parent"), &path, &path.join("KEY")].map(mode);
            assert_eq!(modes, [0o700, 0o700, 0o700, 0o600]);
        }
    }
}

#[test]
fn the_key_of_a_directory_stays_and_no_other_directory_has_it() {
    let (one, other) = (Directory::new("key-one"), Directory::new("key-other"));
    assert_eq!(one.store().name_key(), one.store().name_key());
    assert_ne!(one.store().name_key(), other.store().name_key());
    assert_ne!(one.store().name_key(), [0; 32]);
}

#[test]
fn debug_shows_the_directory_and_not_the_key() {
    let directory = Directory::new("debug");
    let store = directory.store();
    let text = format!("{store:?}");
    assert_eq!(text, format!("FileStore {{ directory: {:?}, .. }}", directory.path()));
}

#[test]
fn it_answers_at_once() {
    assert!(!Directory::new("hang").store().may_hang());
}

#[test]
fn an_empty_name_is_refused() {
    assert!(refused("").contains("is not the name of a directory"));
}

#[test]
fn a_file_is_refused_and_so_is_a_directory_in_a_file() {
    let directory = Directory::made("file");
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let text = refused(&file);
    assert!(text.starts_with(&format!("FileStore::open: {file:?} is not a directory; name one")), "{text}");
    let text = refused(file.join("tokens"));
    assert!(text.contains("could not be created (") && text.contains("; name a directory"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_relative_name_is_made_absolute_for_the_program_may_change_its_directory() {
    let directory = Directory::new("relative");
    let here = std::env::current_dir().unwrap();
    let up: std::path::PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = up.join(directory.path().strip_prefix("/").unwrap());
    let store = FileStore::open(&relative).unwrap();
    assert_eq!(format!("{store:?}"), format!("FileStore {{ directory: {:?}, .. }}", here.join(relative)));
    assert!(directory.path().join("KEY").is_file());
}

#[test]
fn a_key_of_another_length_is_refused() {
    let directory = Directory::new("short-key");
    for length in [0, 31, 33, 100_000] {
        drop(directory.store());
        fs::write(directory.path().join("KEY"), vec![7; length]).unwrap();
        let text = refused(directory.path());
        assert!(text.contains("KEY\" does not have 32 bytes; delete it, and start every program again"), "{text}");
        fs::remove_file(directory.path().join("KEY")).unwrap();
    }
}

#[test]
fn a_directory_of_a_file_system_that_nobody_may_check_is_used() {
    let directory = Directory::new("any");
    let store = FileStore::open_on_any_file_system(directory.path()).unwrap();
    assert_eq!(store.name_key(), directory.store().name_key());
    assert_ne!(store.name_key(), KEY);
}

#[cfg(unix)]
#[test]
fn st_09_a_link_is_refused_however_it_is_written() {
    let directory = Directory::made("link");
    let (real, link) = (directory.path().join("real"), directory.path().join("link"));
    fs::create_dir(&real).unwrap();
    chmod(&real, 0o700);
    std::os::unix::fs::symlink(&real, &link).unwrap();
    for end in ["", "/", "/.", "//./"] {
        let text = refused(format!("{}{end}", link.display()));
        assert!(text.starts_with(&format!("FileStore::open: {link:?} is a symbolic link")), "{text}");
        assert!(text.ends_with("; name the directory that it leads to"), "{text}");
    }
    fs::remove_dir(&real).unwrap();
    assert!(refused(&link).contains("is a symbolic link"), "it leads nowhere");
    assert!(!real.exists());
}

#[cfg(unix)]
#[test]
fn a_link_on_the_way_to_the_directory_is_followed() {
    let directory = Directory::made("way");
    let (real, link) = (directory.path().join("real"), directory.path().join("link"));
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    FileStore::open(link.join("tokens")).unwrap();
    assert!(real.join("tokens/KEY").is_file());
}

#[cfg(unix)]
#[test]
fn st_09_a_directory_with_a_right_for_others_is_refused() {
    let directory = Directory::new("open");
    drop(directory.store());
    for right in [0o001, 0o002, 0o004, 0o010, 0o020, 0o040, 0o077] {
        chmod(directory.path(), 0o700 | right);
        let text = refused(directory.path());
        assert!(text.contains(&format!("its mode is {:04o}; ", 0o700 | right)), "{text}");
        assert!(text.ends_with("(chmod 700), or a new one inside it"), "{text}");
    }
    chmod(directory.path(), 0o2700);
    drop(directory.store());
}

#[cfg(unix)]
#[test]
fn st_09_a_directory_of_another_user_is_refused() {
    let directory = Directory::new("foreign");
    drop(directory.store());
    if give_away(directory.path()) {
        let text = refused(directory.path());
        assert!(text.contains("belongs to the user with the id 65534, and this program runs as 0; name "), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_or_could_have_made_is_refused() {
    let directory = Directory::new("open-key");
    let key = directory.path().join("KEY");
    drop(directory.store());
    chmod(&key, 0o640);
    let text = refused(directory.path());
    assert!(text.contains("can be read or changed by other users, since its mode is 0640; delete it"), "{text}");

    chmod(&key, 0o600);
    if give_away(&key) {
        assert!(refused(directory.path()).contains("KEY\" belongs to the user with the id 65534"));
    }

    let elsewhere = directory.path().join("elsewhere");
    fs::rename(&key, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &key).unwrap();
    assert!(refused(directory.path()).contains("KEY\" is a symbolic link; delete it"));

    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    assert!(refused(directory.path()).contains("KEY\" is a directory; delete it"));

    fs::remove_dir(&key).unwrap();
    crate::world::unix::make_fifo(&key);
    chmod(&key, 0o600);
    assert!(refused(directory.path()).contains("KEY\" is not a regular file; delete it"));
}
