use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use client_credentials::{Stamp, TokenStore};
use client_credentials_redis::RedisStore;

use crate::support::{Server, key, name};

const MINUTE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(5);

fn bytes(store: &RedisStore, byte: u8) -> Option<Vec<u8>> {
    store.load(&name(byte)).unwrap().map(|entry| entry.bytes().expect("an entry that can be used").to_vec())
}

#[test]
fn an_entry_comes_back_with_its_stamp_and_the_time_left() {
    let server = Server::start();
    for store in [server.store(), server.plain()] {
        let (one, other) = if format!("{store:?}").contains("sealed: true") { (1, 2) } else { (3, 4) };
        assert!(store.load(&name(one)).unwrap().is_none());

        store.save(&name(one), b"token", Stamp::from(1 << 40), MINUTE).unwrap();

        let entry = store.load(&name(one)).unwrap().unwrap();
        assert_eq!((entry.bytes(), entry.stamp()), (Some(&b"token"[..]), Stamp::from(1 << 40)));
        let left = entry.time_left().unwrap();
        assert!(left <= MINUTE && left > MINUTE / 2, "{left:?}");
        assert!(store.load(&name(other)).unwrap().is_none());
    }
}

#[test]
fn an_entry_ends_when_it_should() {
    let server = Server::start();
    let store = server.store();
    store.save(&name(1), b"token", Stamp::from(1), Duration::from_micros(1)).unwrap();
    thread::sleep(Duration::from_millis(10));
    assert_eq!(bytes(&store, 1), None);
    assert_eq!(server.names(), [""; 0]);

    store.save(&name(1), b"token", Stamp::from(1), Duration::MAX).unwrap();
    assert_eq!(bytes(&store, 1), Some(b"token".to_vec()));
}

#[test]
fn a_later_stamp_wins_whatever_comes_last() {
    let server = Server::start();
    let store = server.plain();
    // Bytes beyond 127, and those that a locale sorts otherwise, must compare as numbers do.
    let stamps = [1, 2, 0x5a, 0x61, 0x7f, 0x80, 0xc3, 0xff, 0x100, 0x61ff, 0x6200, 0xff00_0000_0000_0000, u64::MAX];
    for (number, &earlier) in (1u8..).zip(&stamps) {
        for &later in stamps.iter().filter(|&&later| later > earlier) {
            let (a, b) = (earlier.to_string(), later.to_string());
            store.save(&name(number), a.as_bytes(), Stamp::from(earlier), MINUTE).unwrap();
            store.save(&name(number), b.as_bytes(), Stamp::from(later), MINUTE).unwrap();
            store.save(&name(number), a.as_bytes(), Stamp::from(earlier), MINUTE).unwrap();
            assert_eq!(bytes(&store, number), Some(b.into_bytes()), "{earlier} {later}");
            server.run::<()>(&[b"DEL", &key(number, "t")]);
        }
    }
}

#[test]
fn an_equal_stamp_replaces() {
    let server = Server::start();
    let store = server.store();
    store.save(&name(1), b"one", Stamp::from(u64::MAX), MINUTE).unwrap();
    store.save(&name(1), b"two", Stamp::from(u64::MAX), MINUTE).unwrap();
    assert_eq!(bytes(&store, 1), Some(b"two".to_vec()));
}

#[test]
fn one_claims_and_others_get_nothing_until_it_is_dropped() {
    let server = Server::start();
    let (one, other) = (server.store(), server.store());
    let claim = one.claim(&name(1), LEASE).unwrap().expect("nobody has it");
    assert!(one.claim(&name(1), LEASE).unwrap().is_none());
    assert!(other.claim(&name(1), LEASE).unwrap().is_none());
    assert!(other.claim(&name(2), LEASE).unwrap().is_some(), "another key");
    drop(claim);
    assert!(other.claim(&name(1), LEASE).unwrap().is_some());
    assert_eq!(server.names(), [""; 0], "claims that were dropped leave nothing");
}

#[test]
fn of_many_threads_one_claims() {
    let server = Server::start();
    let (store, start) = (Arc::new(server.store()), Arc::new(Barrier::new(20)));
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let (store, start) = (Arc::clone(&store), Arc::clone(&start));
            thread::spawn(move || {
                start.wait();
                store.claim(&name(1), LEASE).unwrap()
            })
        })
        .collect();
    let claims: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(claims.iter().flatten().count(), 1);
}

#[test]
fn a_lease_ends_by_itself() {
    let server = Server::start();
    let store = server.store();
    let claim = store.claim(&name(1), Duration::from_millis(100)).unwrap().unwrap();
    std::mem::forget(claim);
    thread::sleep(Duration::from_millis(150));
    assert!(store.claim(&name(1), LEASE).unwrap().is_some());
}

#[test]
fn a_claim_that_somebody_else_got_meanwhile_is_not_released() {
    let server = Server::start();
    let store = server.store();
    let slow = store.claim(&name(1), LEASE).unwrap().unwrap();
    // The lease of the slow one ends on the server, and somebody else claims.
    server.run::<()>(&[b"DEL", &key(1, "l")]);
    let _other = store.claim(&name(1), LEASE).unwrap().unwrap();
    drop(slow);
    assert!(store.claim(&name(1), LEASE).unwrap().is_none(), "the claim of the other must still be there");
    assert_eq!(server.calls("del"), 1, "only that of this test");
}

#[test]
fn a_claim_that_is_over_sends_nothing() {
    let server = Server::start();
    let store = server.store();
    let claim = store.claim(&name(1), Duration::from_millis(50)).unwrap();
    thread::sleep(Duration::from_millis(60));
    drop(claim);
    assert_eq!(server.calls("eval"), 0);
}

#[test]
fn saving_needs_no_claim() {
    let server = Server::start();
    let (one, other) = (server.store(), server.store());
    let _claim = one.claim(&name(1), LEASE).unwrap();
    other.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    assert_eq!(bytes(&one, 1), Some(b"token".to_vec()));
}

#[test]
fn twenty_loads_are_twenty_round_trips_on_one_connection() {
    let server = Server::start();
    let store = server.store();
    let before: u64 = server.info("stats", "total_connections_received").unwrap().parse().unwrap();
    for _ in 0..20 {
        assert_eq!(bytes(&store, 1), None);
    }
    assert_eq!((server.calls("getrange"), server.calls("pttl")), (20, 20));
    for other in ["get", "select", "hello", "auth", "eval", "client|setinfo", "client"] {
        assert_eq!(server.calls(other), 0, "{other}");
    }
    let after: u64 = server.info("stats", "total_connections_received").unwrap().parse().unwrap();
    // Each question of the test is a connection: two of commandstats, seven, and this one.
    assert_eq!(after - before, 1 + 2 + 7 + 1);
    // A pipeline is read at once: one event of reading for each load, and a few for the questions of the test.
    let reads: u64 = server.info("stats", "total_reads_processed").unwrap().parse().unwrap();
    assert!(reads < 80, "{reads}");
}

#[test]
fn threads_share_a_few_connections() {
    let server = Server::start();
    let store = Arc::new(server.store());
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let store = Arc::clone(&store);
            thread::spawn(move || (0..50).for_each(|_| drop(store.load(&name(number)).unwrap())))
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let clients: u64 = server.info("clients", "connected_clients").unwrap().parse().unwrap();
    assert!(clients <= 8 + 1, "{clients}");
    let received: u64 = server.info("stats", "total_connections_received").unwrap().parse().unwrap();
    assert!(received < 30, "{received} connections for 400 loads");
}

#[test]
fn opening_does_no_io() {
    let start = Instant::now();
    let store = RedisStore::dangerously_unsealed("redis://name.invalid").unwrap();
    assert!(start.elapsed() < Duration::from_millis(100));
    assert!(store.may_hang());
    assert!(store.load(&name(1)).is_err());
}

#[test]
fn an_entry_has_at_most_a_mebibyte() {
    let server = Server::start();
    let store = server.plain();
    let largest = vec![b'x'; 1 << 20];
    store.save(&name(1), &largest, Stamp::from(1), MINUTE).unwrap();
    assert_eq!(bytes(&store, 1), Some(largest));

    let error = store.save(&name(2), &[0; (1 << 20) + 1], Stamp::from(1), MINUTE).unwrap_err();
    assert!(error.to_string().contains("more than 1 MiB"), "{error}");

    // 64 MiB that somebody else put there are not read.
    server.run::<()>(&[b"SETRANGE", &key(3, "t"), b"67108863", b"x"]);
    let before: u64 = server.info("stats", "total_net_output_bytes").unwrap().parse().unwrap();
    let entry = store.load(&name(3)).unwrap().unwrap();
    let after: u64 = server.info("stats", "total_net_output_bytes").unwrap().parse().unwrap();
    assert!(format!("{entry:?}").contains("longer than 1 MiB"), "{entry:?}");
    assert!(after - before < 2 << 20, "{}", after - before);
    store.save(&name(3), b"good", Stamp::from(1), MINUTE).unwrap();
    assert_eq!(bytes(&store, 3), Some(b"good".to_vec()));
}

#[test]
fn what_is_no_entry_is_unusable_and_is_replaced() {
    let server = Server::start();
    let store = server.plain();
    server.run::<()>(&[b"SET", &key(1, "t"), b"1234567"]);
    server.run::<()>(&[b"RPUSH", &key(2, "t"), b"1234567"]);
    for (byte, why) in [(1, "too short"), (2, "a list")] {
        let entry = store.load(&name(byte)).unwrap().unwrap();
        assert!(format!("{entry:?}").contains(why), "{entry:?}");
        assert_eq!(entry.stamp(), Stamp::default());
        store.save(&name(byte), b"good", Stamp::from(1), MINUTE).unwrap();
        assert_eq!(bytes(&store, byte), Some(b"good".to_vec()));
    }
}

#[test]
fn an_entry_without_a_time_to_live_has_no_time_left() {
    let server = Server::start();
    server.run::<()>(&[b"SET", &key(1, "t"), b"\0\0\0\0\0\0\0\x01entry"]);
    let entry = server.plain().load(&name(1)).unwrap().unwrap();
    assert_eq!((entry.bytes(), entry.stamp(), entry.time_left()), (Some(&b"entry"[..]), Stamp::from(1), None));
}

#[test]
fn token_and_claim_are_in_one_slot_of_a_cluster() {
    let server = Server::with(&["--cluster-enabled", "yes"]);
    for byte in [1, 0xab] {
        let slot = |what| -> u16 { server.run(&[b"CLUSTER", b"KEYSLOT", &key(byte, what)]) };
        assert_eq!(slot("t"), slot("l"));
    }
}

#[test]
fn a_database_is_chosen_by_the_url() {
    let server = Server::start();
    let third = RedisStore::dangerously_unsealed(format!("{}/3", server.url())).unwrap();
    third.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    assert_eq!(bytes(&third, 1), Some(b"token".to_vec()));
    assert_eq!(bytes(&server.plain(), 1), None);
    assert_eq!(server.info("keyspace", "db3").unwrap().split(',').next(), Some("keys=1"));
    assert_eq!(server.calls("select"), 1, "once for the connection");

    let none = RedisStore::dangerously_unsealed(format!("{}/99", server.url())).unwrap();
    assert!(none.load(&name(1)).unwrap_err().to_string().contains("has no database 99"));
}

#[test]
fn a_prefix_and_a_name_key_can_be_set() {
    let server = Server::start();
    let store = server.plain().prefix("billing:").name_key(*b"names");
    store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    assert_eq!(server.names(), [format!("billing:{{{}}}:t", name(1))]);
    assert_eq!(TokenStore::name_key(&store), b"names");
    assert_eq!(TokenStore::name_key(&server.store()), b"");
    // A sealed store, too.
    let store = server.store().prefix("other:");
    store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    assert_eq!(server.names()[1], format!("other:{{{}}}:t", name(1)));
}

#[test]
#[cfg(unix)]
fn a_socket_of_this_machine_will_do() {
    let server = Server::with(&["--unixsocket", "redis.sock"]);
    let url = format!("unix://{}?db=2", server.directory().join("redis.sock").display());
    let store = RedisStore::dangerously_unsealed(url).unwrap();
    store.save(&name(1), b"token", Stamp::from(1), MINUTE).unwrap();
    assert_eq!(bytes(&store, 1), Some(b"token".to_vec()));
    assert!(server.info("keyspace", "db2").is_some());
}

#[test]
fn a_name_with_two_addresses_is_tried_at_both() {
    // Nothing listens at ::1.
    let server = Server::start();
    let store = RedisStore::dangerously_unsealed(format!("redis://localhost:{}", server.port())).unwrap();
    assert_eq!(bytes(&store, 1), None);
}
