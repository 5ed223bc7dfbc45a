use std::thread;
use std::time::{Duration, Instant};

use client_credentials::{Stamp, TokenStore};
use client_credentials_redis::RedisStore;

use crate::support::{Server, name};

const BOUND: Duration = Duration::from_millis(750);
const MINUTE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(5);

fn is_there(store: &RedisStore, byte: u8) -> bool {
    store.load(&name(byte)).unwrap().is_some()
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

#[test]
fn a_server_that_was_restarted_is_used_again_without_an_error() {
    let mut server = Server::start();
    let store = server.store();
    store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    for _ in 0..3 {
        server.restart();
        assert!(!is_there(&store, 1), "it is empty");
        store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
        let _claim = store.claim(&name(1), LEASE).unwrap().unwrap();
        assert!(is_there(&store, 1));
    }
}

#[test]
fn a_server_that_is_down_is_an_error_until_it_is_back() {
    let mut server = Server::start();
    let store = server.store();
    let claim = store.claim(&name(1), LEASE).unwrap();
    server.kill();
    let (took, error) = timed(|| store.load(&name(1)).unwrap_err());
    assert!(error.to_string().contains("cannot be reached") && took < Duration::from_millis(100), "{took:?} {error}");
    let (took, ()) = timed(|| drop(claim));
    assert!(took < Duration::from_millis(100), "{took:?}");
    server.restart();
    assert!(!is_there(&store, 1));
}

#[test]
fn an_idle_connection_that_the_server_closed_is_replaced() {
    let server = Server::start();
    let store = server.store();
    for _ in 0..3 {
        assert!(!is_there(&store, 1));
        server.run::<()>(&[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]);
    }
    assert!(!is_there(&store, 1));
}

#[test]
fn a_server_that_hangs_costs_less_than_half_a_second() {
    let server = Server::start();
    // One with a connection, one without.
    for store in [server.store(), RedisStore::dangerously_unsealed(format!("{}/3", server.url())).unwrap()] {
        let held = store.claim(&name(9), LEASE).unwrap();
        server.freeze();
        let (took, result) = timed(|| store.load(&name(1)));
        assert!(took < BOUND && result.unwrap_err().to_string().contains("does not answer"), "load {took:?}");
        let (took, result) = timed(|| store.claim(&name(1), LEASE));
        assert!(took < BOUND && result.is_err(), "claim {took:?}");
        let (took, result) = timed(|| store.save(&name(1), b"token", Stamp::from(1), MINUTE));
        assert!(took < BOUND && result.is_err(), "save {took:?}");
        // Nothing is gained by waiting for an answer to the release, too.
        let (took, ()) = timed(|| drop(held));
        assert!(took < Duration::from_millis(100), "release {took:?}");
        server.thaw();
        server.run::<()>(&[b"FLUSHALL"]);
        assert!(!is_there(&store, 2), "it is used again");
    }
}

#[test]
fn a_claim_that_is_released_while_the_server_hangs_costs_one_limit() {
    let server = Server::start();
    let store = server.store();
    let claim = store.claim(&name(1), LEASE).unwrap();
    server.freeze();
    let (took, ()) = timed(|| drop(claim));
    assert!(took < BOUND, "{took:?}");
    server.thaw();
}

#[test]
fn threads_do_not_wait_for_each_other_while_the_server_hangs() {
    let server = Server::start();
    let store = server.store();
    server.freeze();
    let (took, ()) = timed(|| {
        thread::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| assert!(store.load(&name(1)).is_err()));
            }
        });
    });
    server.thaw();
    assert!(took < BOUND, "{took:?}");
}

#[test]
fn an_entry_that_was_evicted_or_flushed_is_a_miss() {
    let server = Server::with(&["--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru"]);
    let store = server.store();
    store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    for number in 0..200u32 {
        server.run::<()>(&[b"SET", &number.to_be_bytes(), &[b'x'; 50_000]]);
    }
    let evicted: u64 = server.info("stats", "evicted_keys").unwrap().parse().unwrap();
    assert!(evicted > 0);
    store.save(&name(2), b"token", Stamp::from(1), MINUTE).unwrap();
    assert!(store.load(&name(1)).is_ok() && is_there(&store, 2));

    server.run::<()>(&[b"FLUSHALL"]);
    assert!(!is_there(&store, 2));
}

#[test]
fn a_claim_survives_that_everything_was_deleted() {
    let server = Server::start();
    let (one, other) = (server.store(), server.store());
    let claim = one.claim(&name(1), LEASE).unwrap().unwrap();
    server.run::<()>(&[b"FLUSHALL"]);
    let second = other.claim(&name(1), LEASE).unwrap().expect("the first one is forgotten");
    one.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    drop(claim);
    assert!(one.claim(&name(1), LEASE).unwrap().is_none(), "that of the second must still be there");
    drop(second);
    assert!(is_there(&other, 1));
}

#[test]
fn a_server_that_is_full_says_so() {
    let server = Server::with(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
    let store = server.store();
    assert!(!is_there(&store, 1), "reading is possible");
    for error in
        [store.claim(&name(1), LEASE).unwrap_err(), store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap_err()]
    {
        assert!(error.to_string().contains("is full (maxmemory)"), "{error}");
    }
    // It may become full during a fetch: the claim is released nevertheless.
    server.run::<()>(&[b"CONFIG", b"SET", b"maxmemory", b"0"]);
    let claim = store.claim(&name(1), LEASE).unwrap().unwrap();
    server.run::<()>(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);
    store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap_err();
    drop(claim);
    assert_eq!(server.names(), [""; 0]);
}

#[test]
fn a_replica_says_that_it_only_reads() {
    let server = Server::start();
    let store = server.store();
    store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    let claim = store.claim(&name(2), LEASE).unwrap();
    // A primary that does not exist: it serves what it has.
    server.run::<()>(&[b"REPLICAOF", b"127.0.0.1", b"1"]);
    assert!(is_there(&store, 1));
    for error in
        [store.claim(&name(1), LEASE).unwrap_err(), store.save(&name(1), b"token", Stamp::from(2), MINUTE).unwrap_err()]
    {
        assert!(error.to_string().contains("use the address of the primary"), "{error}");
    }
    drop(claim);
    // Promoted: as good as before.
    server.run::<()>(&[b"REPLICAOF", b"NO", b"ONE"]);
    store.save(&name(1), b"token", Stamp::from(2), MINUTE).unwrap();

    server.run::<()>(&[b"CONFIG", b"SET", b"replica-serve-stale-data", b"no"]);
    server.run::<()>(&[b"REPLICAOF", b"127.0.0.1", b"1"]);
    assert!(store.load(&name(1)).unwrap_err().to_string().contains("use the address of the primary"));
}

#[test]
fn a_server_that_reads_its_data_says_so() {
    let mut server = Server::with(&["--enable-debug-command", "yes"]);
    server.run::<()>(&[b"DEBUG", b"POPULATE", b"20000"]);
    server.run::<()>(&[b"SAVE"]);
    server.kill();
    // So that it takes 2 s: 100 us for each key.
    let slow = Server::with(&[
        "--dir",
        server.directory().to_str().unwrap(),
        "--key-load-delay",
        "100",
        "--loading-process-events-interval-bytes",
        "1024",
    ]);
    let error = slow.store().load(&name(1)).map(|entry| entry.is_some());
    println!("{error:?}");
    let error = error.unwrap_err().to_string();
    assert!(error.contains("is reading its data"), "{error}");
}

#[test]
fn a_node_of_a_cluster_says_that_it_is_not_followed() {
    let server = Server::with(&["--cluster-enabled", "yes"]);
    let error = server.store().load(&name(1)).unwrap_err();
    assert!(error.to_string().contains("(CLUSTERDOWN)"), "{error}");
    let all: Vec<u8> = (0..16384u32).flat_map(|slot| format!(" {slot}").into_bytes()).collect();
    let mut command: Vec<&[u8]> = vec![b"CLUSTER", b"ADDSLOTS"];
    command.extend(all.split(|&byte| byte == b' ').filter(|part| !part.is_empty()));
    server.run::<()>(&command);
    // A cluster of one node is used like a server.
    let until = Instant::now() + Duration::from_secs(10);
    while server.store().load(&name(1)).is_err() && Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
    }
    let store = server.store();
    store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    let _claim = store.claim(&name(1), LEASE).unwrap().unwrap();
    assert!(is_there(&store, 1));
}
