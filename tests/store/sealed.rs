//! A store that others can read and write, with entries that they can neither read nor make.

use client_credentials::{Entry, Sealed, SealingKey, Stamp, TokenStore as _};

use super::*;

/// A process that seals with the first of these keys, and opens with all.
fn process(world: &World, keys: &[u8], words: &Words) -> TokenSource {
    let key = |byte: &u8| SealingKey::from([*byte; 32]);
    let sealed = Sealed::new(world.store.clone(), key(&keys[0]));
    let sealed = keys[1..].iter().fold(sealed, |sealed, other| sealed.also_open(key(other)));
    let builder = world.client();
    words.on(builder).store(sealed).build().expect("a source")
}

#[test]
fn who_reads_the_store_finds_no_token_and_all_with_the_key_use_it() {
    for world in [World::new(), World::remote()] {
        world.script.token("the-token-itself", 3600);
        let words = Words::default();
        for _ in 0..3 {
            assert_eq!(token(&process(&world, &[1], &words)), "the-token-itself");
        }
        assert_eq!((world.requests(), words.count("the token store: ")), (1, 0));
        let (_, entry) = world.store.entries().remove(0);
        for clear in [&b"the-token"[..], b"Bearer", b"token", b"wall_ms"] {
            assert!(!entry.windows(clear.len()).any(|part| part == clear));
        }
    }
}

#[test]
fn who_writes_to_the_store_cannot_plant_a_token_or_an_error() {
    let world = World::new();
    // As a process without a key writes them, which has an account of its own.
    let theirs = World { script: Script::new(), store: MemoryStore::new(), clock: world.clock.clone() };
    theirs.script.token("planted", 3600);
    token(&theirs.process());
    let (name, planted) = theirs.store.entries().remove(0);
    let denied = World { script: Script::new(), store: MemoryStore::new(), clock: world.clock.clone() };
    denied.script.json(401, r#"{"error":"invalid_client"}"#);
    denied.process().token().expect_err("refused");
    let (name_of_failure, failure) = denied.store.entries().remove(0);
    let minute = Duration::from_secs(60);
    for stamp in [0, u64::MAX] {
        world.store.clear();
        world.store.save(&name, &planted, Stamp::from(stamp), minute).expect("a store");
        world.store.save(&name_of_failure, &failure, Stamp::from(stamp), minute).expect("a store");
        world.script.token("one", 3600);
        let words = Words::default();
        assert_eq!(token(&process(&world, &[1], &words)), "one");
        assert_eq!(words.count("an entry of the store was changed"), 1, "{:?}", words.take());
        assert_eq!(token(&process(&world, &[1], &words)), "one", "it has taken the place of what was planted");
    }
    assert_eq!(world.requests(), 2);
}

#[test]
fn an_entry_that_was_moved_or_has_another_stamp_is_not_used() {
    let world = World::new();
    world.script.token("one", 3600);
    token(&process(&world, &[1], &Words::default()));
    let (name, entry) = world.store.entries().remove(0);
    let sealed = Sealed::new(world.store.clone(), SealingKey::from([1; 32]));
    let stamp = world.store.load(&name).expect("a store").expect("an entry").stamp();
    let (minute, elsewhere) = (Duration::from_secs(60), [7; 32].into());
    world.store.save(&elsewhere, &entry, stamp, minute).expect("a store");
    let is_used = |name| sealed.load(name).expect("a store").as_ref().and_then(Entry::bytes).is_some();
    assert!(is_used(&name) && !is_used(&elsewhere));
    world.store.save(&name, &entry, Stamp::from(u64::from(stamp) + 1), minute).expect("a store");
    assert!(!is_used(&name));
}

#[test]
fn a_sealing_key_is_rotated_without_a_token_request() {
    let world = World::new();
    (1..=3).for_each(|number| world.script.token(&format!("t{number}"), 3600));
    let words = Words::default();
    // All seal with 1; then all open with 2, too; then some seal with it, and all; then 1 is gone.
    for keys in [&[1][..], &[1, 2], &[2, 1], &[1, 2], &[2, 1]] {
        assert_eq!(token(&process(&world, keys, &words)), "t1");
    }
    assert_eq!(process(&world, &[2, 1], &words).renew().expect("a token").secret(), "t2");
    assert_eq!(token(&process(&world, &[1, 2], &words)), "t2");
    assert_eq!(token(&process(&world, &[2], &words)), "t2");
    assert_eq!((world.requests(), words.count("the token store: ")), (2, 0));
    // Too soon.
    assert_eq!(token(&process(&world, &[1], &words)), "t3");
    assert_eq!(words.count("sealed with a key that is not known here"), 1);
}
