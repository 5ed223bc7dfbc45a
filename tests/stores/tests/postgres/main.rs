//! The store of `docs/recipes/own-store.md` on a PostgreSQL server.

#![allow(clippy::disallowed_methods, reason = "the clock of a database cannot be set by hand")]

mod cluster;
mod page;
mod sources;

use std::thread;
use std::time::{Duration, Instant};

use client_credentials::{Entry, Sealed, SealingKey, Stamp, StoreError, StoreKey, TokenStore};
use client_credentials_stores::CLEAN;
use client_credentials_stores::postgres::{PostgresStore, sealed};
use cluster::{Database, Own};

const KEY: [u8; 32] = [7; 32];
const LEASE: Duration = Duration::from_secs(5);
const KEEP: Duration = Duration::from_secs(3600);
/// Much longer than any answer takes; the machine may be busy.
const BOUNDED: Duration = Duration::from_secs(3);

fn key() -> StoreKey {
    StoreKey::from(KEY)
}

fn save(store: &impl TokenStore, entry: &[u8], stamp: u64) {
    store.save(&key(), entry, Stamp::from(stamp), KEEP).expect("kept");
}

fn load(store: &impl TokenStore) -> Option<Entry> {
    store.load(&key()).expect("an answer")
}

fn kept(store: &impl TokenStore) -> Option<(Vec<u8>, u64)> {
    load(store)
        .map(|entry| (entry.bytes().expect("a usable entry").to_vec(), u64::from(entry.stamp())))
}

fn claims(store: &PostgresStore) -> Option<client_credentials::Claim> {
    store.claim(&key(), LEASE).expect("an answer")
}

/// The error of a call, which came in bounded time.
#[track_caller]
fn failed(store: &impl TokenStore) -> StoreError {
    let start = Instant::now();
    let error = store.load(&key()).expect_err("no answer");
    assert!(start.elapsed() < BOUNDED, "{:?}", start.elapsed());
    error
}

#[test]
fn an_entry_comes_back_with_its_bytes_its_stamp_and_the_time_that_is_left() {
    let database = Database::new();
    let (ours, theirs) = (database.store(), database.store());
    assert_eq!(kept(&ours), None);
    let entry: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for entry in [&b""[..], b"\0'\\", &entry] {
        save(&ours, entry, 1);
        assert_eq!(kept(&theirs), Some((entry.to_vec(), 1)));
    }
    let left = load(&theirs).and_then(|entry| entry.time_left()).expect("the database's clock");
    assert!(left <= KEEP && left > KEEP - Duration::from_secs(10), "{left:?}");
    assert!(theirs.load(&StoreKey::from([8; 32])).expect("an answer").is_none());
}

#[test]
fn of_two_connections_one_gets_the_claim_and_the_other_after_it_is_released() {
    let database = Database::new();
    let (ours, theirs) = (database.store(), database.store());
    let claim = claims(&ours).expect("the claim");
    assert!(claims(&theirs).is_none());
    assert!(claims(&ours).is_none());
    let other = theirs.claim(&StoreKey::from([8; 32]), LEASE).expect("an answer");
    assert!(other.is_some(), "of another key");
    // A claim is no entry, and an entry needs no claim.
    assert_eq!(kept(&theirs), None);
    save(&theirs, b"entry", 1);
    assert!(claims(&theirs).is_none(), "saving does not end the claim");
    drop(claim);
    assert!(claims(&theirs).is_some());
    assert_eq!(kept(&ours), Some((b"entry".to_vec(), 1)));
}

#[test]
fn of_thirty_connections_one_gets_the_claim() {
    let database = Database::new();
    let stores: Vec<_> = (0..30).map(|_| database.store()).collect();
    // Connected beforehand, so that all claim at the same moment.
    stores.iter().for_each(|store| assert_eq!(kept(store), None));
    let claims: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = stores.iter().map(|store| scope.spawn(|| claims(store))).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(claims.len(), 1);
}

#[test]
fn a_lease_ends_by_itself() {
    let database = Database::new();
    let (ours, theirs) = (database.store(), database.store());
    let lease = Duration::from_millis(700);
    let (start, claim) = (Instant::now(), ours.claim(&key(), lease).expect("an answer"));
    // As if the process were killed.
    std::mem::forget(claim.expect("the claim"));
    while claims(&theirs).is_none() {
        assert!(start.elapsed() < lease + BOUNDED, "{:?}", start.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(start.elapsed() >= lease, "{:?}", start.elapsed());
}

#[test]
fn a_late_release_does_not_end_the_claim_of_somebody_else() {
    let database = Database::new();
    let (ours, theirs) = (database.store(), database.store());
    let late = ours.claim(&key(), Duration::ZERO).expect("an answer").expect("the claim");
    thread::sleep(Duration::from_millis(5));
    let claim = claims(&theirs).expect("the lease is over");
    drop(late);
    assert!(claims(&ours).is_none());
    drop(claim);
    assert!(claims(&ours).is_some());
}

#[test]
fn an_earlier_stamp_does_not_replace_a_later_one() {
    let database = Database::new();
    let store = database.store();
    let top = 1 << 63;
    for stamp in [0, 1, 1_800_000_000_000, top - 1, top, top + 1, u64::MAX] {
        save(&store, b"first", stamp);
        save(&store, b"second", stamp);
        assert_eq!(kept(&store), Some((b"second".to_vec(), stamp)), "an equal one does");
        save(&store, b"late", stamp.saturating_sub(1));
        let expected = if stamp == 0 { &b"late"[..] } else { b"second" };
        assert_eq!(kept(&store), Some((expected.to_vec(), stamp)));
    }
}

#[test]
fn an_expired_entry_is_a_miss_and_is_replaced_whatever_its_stamp() {
    let database = Database::new();
    let store = database.store();
    store.save(&key(), b"short", Stamp::from(9), Duration::from_millis(1)).expect("kept");
    thread::sleep(Duration::from_millis(5));
    assert_eq!(kept(&store), None);
    save(&store, b"slow clock", 3);
    assert_eq!(kept(&store), Some((b"slow clock".to_vec(), 3)));
}

#[test]
fn a_server_that_was_started_again_is_connected_again() {
    let mut server = Own::start();
    let store = server.store();
    save(&store, b"entry", 1);
    server.crash();
    let error = format!("{:?}", failed(&store));
    assert!(error.contains("error connecting to server"), "{error}");
    server.run();
    assert_eq!(kept(&store), None, "an unlogged table is empty after a crash");
    save(&store, b"entry", 1);
    // Without a call in between, the store learns by the next call that its connection is gone.
    server.crash();
    server.run();
    assert_eq!(kept(&store), None);
    save(&store, b"entry", 1);
    assert!(claims(&store).is_some());
}

#[test]
fn a_connection_that_the_server_closed_is_made_again() {
    let database = Database::new();
    let store = database.store();
    save(&store, b"entry", 1);
    let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
               WHERE datname = current_database() AND usename = 'my_program'";
    assert_eq!(database.sql(end), ["t"]);
    assert_eq!(kept(&store), Some((b"entry".to_vec(), 1)));
    assert_eq!(database.sessions(), "1");
}

/// Locks the row for some seconds.
fn locked(database: &Database, seconds: u8, work: impl FnOnce()) {
    thread::scope(|scope| {
        let sleep = format!("SELECT pg_sleep({seconds})");
        let lock = format!("BEGIN; SELECT 1 FROM token_store FOR UPDATE; {sleep}; COMMIT");
        scope.spawn(move || database.sql(&lock));
        let sleeps = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND wait_event = 'PgSleep'";
        while database.sql(sleeps) != ["1"] {
            thread::sleep(Duration::from_millis(20));
        }
        work();
    });
}

/// The server keeps this limit, so that a thread which nobody waits for ends soon.
#[test]
fn a_row_that_is_locked_is_an_error_in_bounded_time_with_a_limit_of_the_server() {
    let database = Database::new();
    let store = PostgresStore::new(database.settings("my_program").parse().expect("settings"));
    save(&store, b"entry", 1);
    locked(&database, 5, || {
        let start = Instant::now();
        let error = store.save(&key(), b"later", Stamp::from(2), KEEP).expect_err("locked");
        // Twice the limit, because a connection that was used before may be the reason.
        assert!(start.elapsed() < BOUNDED, "{:?}", start.elapsed());
        assert!(format!("{error:?}").contains("statement timeout"), "{error:?}");
        assert_eq!(kept(&store), Some((b"entry".to_vec(), 1)));
    });
    save(&store, b"later", 2);
    assert_eq!(kept(&store), Some((b"later".to_vec(), 2)));
}

#[test]
fn a_call_that_waits_for_an_answer_keeps_no_other_call_waiting() {
    let database = Database::new();
    let store = database.store();
    save(&store, b"entry", 1);
    locked(&database, 3, || {
        thread::scope(|scope| {
            let later = scope.spawn(|| save(&store, b"later", 2));
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                         AND datname = current_database() AND usename = 'my_program'";
            while database.sql(waits) != ["1"] {
                thread::sleep(Duration::from_millis(20));
            }
            assert_eq!(kept(&store), Some((b"entry".to_vec(), 1)));
            assert!(!later.is_finished());
        });
    });
    assert_eq!(kept(&store), Some((b"later".to_vec(), 2)));
    // Of the two connections one is kept.
    assert_eq!(database.sessions(), "1");
}

#[test]
fn a_user_without_rights_gets_an_error_that_says_so() {
    let database = Database::new();
    let store = |user| PostgresStore::new(database.config(user));
    let error = format!("{:?}", failed(&store("stranger")));
    assert!(error.contains("permission denied for table token_store"), "{error}");
    let error = format!("{:?}", failed(&store("nobody")));
    assert!(error.contains("role \"nobody\" does not exist"), "{error}");
    database.sql("REVOKE INSERT ON token_store FROM my_program");
    let error = database.store().claim(&key(), LEASE).expect_err("no rights");
    let error = format!("{error:?}");
    assert!(error.contains("permission denied for table token_store"), "{error}");
}

#[test]
fn a_table_that_is_missing_is_an_error_that_names_it() {
    let database = Database::new();
    database.sql("DROP TABLE token_store");
    let error = format!("{:?}", failed(&database.store()));
    assert!(error.contains("relation \"token_store\" does not exist"), "{error}");
}

#[test]
fn a_sealed_entry_that_was_changed_or_moved_cannot_be_used() {
    let database = Database::new();
    let store = Sealed::new(database.store(), SealingKey::from([1; 32]));
    let sealed_again = |sql: &str| {
        database.sql("DELETE FROM token_store");
        save(&store, b"entry", 5);
        store.save(&StoreKey::from([8; 32]), b"other", Stamp::from(5), KEEP).expect("kept");
        assert_eq!(kept(&store), Some((b"entry".to_vec(), 5)));
        database.sql(sql);
        let entry = load(&store).expect("an entry");
        assert_eq!(entry.bytes(), None, "{sql}");
        entry.stamp()
    };
    assert_eq!(
        sealed_again("UPDATE token_store SET entry = set_byte(entry, 0, 1 # get_byte(entry, 0))"),
        Stamp::from(5)
    );
    sealed_again("UPDATE token_store SET entry = ''");
    sealed_again("UPDATE token_store SET stamp = stamp + 1");
    for planted in [i64::MIN, -1, 0, i64::MAX] {
        let stamp = sealed_again(&format!("UPDATE token_store SET stamp = {planted}"));
        // The source replaces it with the next stamp, or the same if there is none.
        let next = u64::from(stamp).saturating_add(1);
        save(&store, b"again", next);
        assert_eq!(kept(&store), Some((b"again".to_vec(), next)));
    }
    let other = StoreKey::from([8; 32]);
    sealed_again(&format!(
        "UPDATE token_store SET entry = (SELECT entry FROM token_store WHERE key = '\\x{other}')"
    ));
    // Nobody who reads the database finds a token in it.
    assert_eq!(
        database.sql("SELECT count(*) FROM token_store WHERE position('entry' IN entry) > 0"),
        ["0"]
    );
}

#[test]
fn cleaning_up_removes_what_is_neither_kept_nor_claimed() {
    let database = Database::new();
    let store = database.store();
    let name = |number| StoreKey::from([number; 32]);
    let save = |number| store.save(&name(number), b"entry", Stamp::from(1), KEEP).expect("kept");
    (1..=4).for_each(save);
    let _kept: Vec<_> = [3, 4, 5, 6].map(|number| store.claim(&name(number), LEASE)).into();
    let old = |column: &str, number: u8| {
        let key = name(number);
        database.sql(&format!(
            "UPDATE token_store SET {column} = now() - interval '2 hours' WHERE key = '\\x{key}'"
        ));
    };
    // 1: kept. 2: old. 3: old, but claimed. 4: kept, with an old claim. 5: claimed. 6: an old claim.
    old("until", 2);
    old("until", 3);
    old("claimed_until", 4);
    old("claimed_until", 6);
    database.sql(CLEAN);
    let left = database.sql("SELECT get_byte(key, 0) FROM token_store ORDER BY key");
    assert_eq!(left, ["1", "3", "4", "5"]);
}

#[test]
fn a_setting_that_is_wrong_is_an_error_that_says_so() {
    let error = |database, key: &[u8]| format!("{:?}", sealed(database, key).err().expect("wrong"));
    let text = error("host=localhost prot=5432", &[1; 32]);
    assert!(text.contains("unknown option `prot`"), "{text}");
    let text = error("host=localhost", b"a password");
    assert!(text.contains("a sealing key has 32 bytes, and this one has 10"), "{text}");
    assert!(sealed("host=localhost user=my_program", &[1; 32]).is_ok());
}
