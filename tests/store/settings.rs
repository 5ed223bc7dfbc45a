//! Which sources share a token, and what a store requires of a source.

use client_credentials::{
    Attempt, BasicEncoding, Claim, Entry, Error, Secret, Stamp, StoreError, StoreKey, TokenStore, TransportError,
    TransportErrorKind,
};

use super::*;

fn request() -> TokenRequest {
    TokenRequest::new("https://auth.example.com/token").expect("a request").audience(API)
}

fn nobody(_: http::Request<Vec<u8>>, _: &Attempt) -> Result<http::Response<Vec<u8>>, TransportError> {
    Err(TransportError::new(TransportErrorKind::Connect, "no network"))
}

/// The names that sources ask a store for.
fn names(sources: Vec<TokenSourceBuilder>) -> Vec<String> {
    let names = sources.into_iter().map(|builder| {
        let store = MemoryStore::new();
        let script = Script::new();
        script.token("t", 3600);
        let source = builder.transport(script).store(store.clone()).build().expect("a source");
        source.token().expect("a token");
        store.entries()[0].0.to_string()
    });
    names.collect()
}

#[test]
fn what_decides_about_the_token_decides_about_its_name() {
    let new = |request| TokenSource::builder(Credentials::new("id", "secret"), request).store_as("x");
    let mut all = names(vec![
        new(request()),
        new(request().scope("a").expect("a scope")),
        new(request().parameter("tenant", "1").expect("a parameter")),
        new(request().parameter("tenant", "2").expect("a parameter")),
        new(request().header("x-tenant", "1").expect("a header")),
        new(request().add_audience("https://other.example").expect("an audience")),
        new(TokenRequest::new("https://auth.example.com/other").expect("a request").audience(API)),
        TokenSource::builder(Credentials::new("id", "rotated"), request()).store_as("x"),
        TokenSource::builder(Credentials::new("other", "secret"), request()).store_as("x"),
        TokenSource::builder(Credentials::new("id", "secret").in_body(), request()).store_as("x"),
        TokenSource::builder(Credentials::new("id", "s+").basic_encoding(BasicEncoding::Raw), request()).store_as("x"),
        TokenSource::builder(Credentials::new("id", "s+"), request()).store_as("x"),
        new(request()).store_as("y"),
    ]);
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[test]
fn policy_does_not_decide_about_the_name_and_neither_does_the_order_of_scopes() {
    let new = |request| TokenSource::builder(Credentials::new("id", "secret"), request).store_as("x");
    let all = names(vec![
        new(request().scope("a b").expect("a scope")),
        new(request().scope("b a").expect("a scope")).early_expiry(Duration::from_secs(600)),
        new(request().scope("a b").expect("a scope")).timeout(Duration::from_secs(5)),
    ]);
    assert!(all.iter().all(|name| *name == all[0]), "{all:?}");
}

#[test]
fn the_names_of_two_stores_with_different_keys_differ() {
    struct Renamed(MemoryStore);
    impl TokenStore for Renamed {
        fn load(&self, key: &StoreKey) -> Result<Option<Entry>, StoreError> {
            self.0.load(key)
        }
        fn claim(&self, key: &StoreKey, lease: Duration) -> Result<Option<Claim>, StoreError> {
            self.0.claim(key, lease)
        }
        fn save(&self, key: &StoreKey, entry: &[u8], stamp: Stamp, keep: Duration) -> Result<(), StoreError> {
            self.0.save(key, entry, stamp, keep)
        }
    }
    let world = World::new();
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    token(&world.process());
    let credentials = Credentials::new("my-client", "s3cret-of-my-client");
    let other =
        world.builder(credentials, world.clock.clone()).store(Renamed(world.store.clone())).build().expect("a source");
    assert_eq!(token(&other), "two");
    assert_eq!(world.store.entries().len(), 2);
}

#[test]
fn what_cannot_be_compared_between_processes_needs_a_name() {
    let from_closure = || Credentials::with_secret_from("id", || Ok(Secret::from("s")));
    let with = |credentials: Credentials, request: TokenRequest| {
        TokenSource::builder(credentials, request).store(MemoryStore::new())
    };
    let fixed = || Credentials::new("id", "s");
    let parameter = request().parameter_from("nonce", || Ok(Secret::from("n"))).expect("a parameter");
    let assertion = Credentials::with_assertion_from("id", || Ok(Secret::from("a")));
    for builder in [
        with(from_closure(), request()),
        with(assertion, request()),
        with(Credentials::public("id"), request()),
        with(fixed(), parameter),
        with(fixed(), request()).transport(nobody),
        with(fixed(), request()).transport(Arc::new(nobody)),
        with(fixed(), request()).transport(Script::new()),
    ] {
        let error = builder.build().expect_err("no name");
        assert!(matches!(error, Error::Configuration(_)));
        assert!(error.to_string().contains("TokenSourceBuilder::store_as"), "{error}");
    }
    with(from_closure(), request()).transport(nobody).store_as("x").build().expect("a name");
}
