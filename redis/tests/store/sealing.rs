use std::time::Duration;

use client_credentials::{SealingKey, Stamp, TokenStore};
use client_credentials_redis::RedisStore;

use crate::support::{Server, key, name};

const MINUTE: Duration = Duration::from_secs(60);
const TOKEN: &[u8] = b"the-access-token";

fn why_unusable(store: &RedisStore, byte: u8) -> String {
    let entry = store.load(&name(byte)).unwrap().unwrap();
    assert_eq!(entry.bytes(), None);
    format!("{entry:?}")
}

#[test]
fn neither_names_nor_values_show_the_token() {
    let server = Server::start();
    let store = server.store();
    store.save(&name(1), TOKEN, Stamp::from(1), MINUTE).unwrap();
    let _claim = store.claim(&name(1), MINUTE).unwrap().unwrap();

    let names = server.names();
    assert_eq!(names.len(), 2);
    for name in names {
        let value: Vec<u8> = server.run(&[b"GET", name.as_bytes()]);
        assert!(!value.windows(6).any(|part| TOKEN.windows(6).any(|other| part == other)), "{value:?}");
    }
}

#[test]
fn an_entry_of_another_key_is_not_accepted() {
    let server = Server::start();
    let stranger = RedisStore::new(server.url(), SealingKey::from([8; 32])).unwrap();
    stranger.save(&name(1), TOKEN, Stamp::from(1), MINUTE).unwrap();
    assert!(why_unusable(&server.store(), 1).contains("also_open"));

    let plain = server.plain();
    plain.save(&name(2), TOKEN, Stamp::from(1), MINUTE).unwrap();
    assert!(why_unusable(&server.store(), 2).contains("changed"));
}

#[test]
fn an_entry_that_was_moved_or_changed_is_not_accepted_and_is_replaced() {
    let server = Server::start();
    let store = server.store();
    store.save(&name(1), TOKEN, Stamp::from(1), MINUTE).unwrap();
    let good: Vec<u8> = server.run(&[b"GET", &key(1, "t")]);

    // To another name, which would be another account.
    server.run::<()>(&[b"SET", &key(2, "t"), &good]);
    why_unusable(&store, 2);

    // Another stamp, so that it would never be replaced.
    let forged = [&[0xff; 8], &good[8..]].concat();
    server.run::<()>(&[b"SET", &key(1, "t"), &forged]);
    why_unusable(&store, 1);
    let stamp = store.load(&name(1)).unwrap().unwrap().stamp();
    store.save(&name(1), b"next", stamp, MINUTE).unwrap();
    assert_eq!(store.load(&name(1)).unwrap().unwrap().bytes(), Some(&b"next"[..]));

    // Every byte matters.
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 1;
        server.run::<()>(&[b"SET", &key(3, "t"), &changed]);
        why_unusable(&store, 3);
    }
    for end in [8, 9, 20, good.len() - 1] {
        server.run::<()>(&[b"SET", &key(3, "t"), &good[..end]]);
        why_unusable(&store, 3);
    }
}

#[test]
fn keys_are_changed_without_losing_an_entry() {
    let server = Server::start();
    let store = |key: u8| RedisStore::new(server.url(), SealingKey::from([key; 32])).unwrap();
    store(1).save(&name(1), TOKEN, Stamp::from(1), MINUTE).unwrap();

    let both = store(2).also_open(SealingKey::from([1; 32]));
    assert_eq!(both.load(&name(1)).unwrap().unwrap().bytes(), Some(TOKEN));
    both.save(&name(1), b"next", Stamp::from(2), MINUTE).unwrap();

    assert_eq!(store(2).load(&name(1)).unwrap().unwrap().bytes(), Some(&b"next"[..]));
    why_unusable(&store(1), 1);
}

#[test]
fn debug_shows_no_login() {
    let store = RedisStore::new("redis://me:hush@cache.example/3", SealingKey::from([7; 32])).unwrap();
    let text = format!("{store:?}");
    assert_eq!(text, r#"RedisStore { url: redis://cache.example:6379/3, prefix: "cc:1:", sealed: true, .. }"#);
}
