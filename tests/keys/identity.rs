//! Which sources share a token.

use super::*;

/// Whether two sources of one cache share a token.
fn share(one: (Credentials, TokenRequest), other: (Credentials, TokenRequest)) -> bool {
    let cache = TokenCache::new(8);
    let script = Arc::new(Script::new());
    for (credentials, request) in [one, other] {
        TokenSource::builder(credentials, request)
            .transport(Arc::clone(&script))
            .cache(&cache)
            .build()
            .expect("a source");
    }
    cache.len() == 1
}

#[test]
fn sources_with_the_same_key_share_and_with_other_claims_do_not() {
    let key = key();
    let plain = || Assertion::new(key.clone());
    let with = |assertion: Assertion| (Credentials::with_assertion("id", assertion), question());
    assert!(share(with(plain()), with(plain())));
    assert!(share(with(plain()), (Credentials::with_key("id", key.clone()), question())));
    for other in [
        plain().issuer("x"),
        plain().subject("x"),
        plain().audience("x"),
        plain().claim("x", 1).expect("a claim"),
        plain().header("x", 1).expect("a header"),
        plain().lifetime(Duration::from_secs(61)),
        Assertion::new(key.clone().key_id("x")),
        Assertion::new(self::key()),
    ] {
        assert!(!share(with(plain()), with(other.clone())), "{other:?}");
    }
    assert!(!share(with(plain()), (Credentials::with_assertion("id", plain()), question().issuer("x"))));
    assert!(!share(with(plain()), (Credentials::with_assertion("other", plain()), question())));
}

#[test]
fn grants_are_compared_by_what_they_say_and_closures_by_instance() {
    let key = key();
    let grant = |issuer: &str| {
        let claims = Assertion::new(key.clone()).issuer(issuer);
        (Credentials::none(), question().assertion(claims).expect("a request"))
    };
    let none = Credentials::none();
    let with_none = |(_, request): (Credentials, TokenRequest)| (none.clone(), request);
    assert!(share(with_none(grant("a")), with_none(grant("a"))));
    assert!(!share(with_none(grant("a")), with_none(grant("b"))));

    let from_closure = || Credentials::with_assertion_from("id", || Ok(Secret::from("a.b.c")));
    let one = from_closure();
    assert!(share((one.clone(), question()), (one.clone(), question())));
    assert!(!share((one, question()), (from_closure(), question())));
    let key_from = || {
        let key = key.clone();
        Credentials::with_key_from("id", move || Ok(key.clone()))
    };
    assert!(!share((key_from(), question()), (key_from(), question())));
    let client = Credentials::new("id", "s3cret");
    let made = || question().parameter_from("x", || Ok(Secret::from("y"))).expect("a request");
    let one = made();
    assert!(share((client.clone(), one.clone()), (client.clone(), one.clone())));
    assert!(!share((client.clone(), one), (client, made())));
}

#[test]
fn a_secret_that_signs_is_another_proof_than_one_that_is_sent() {
    let secret = || Credentials::new("id", "a secret of thirty-two bytes, or more");
    assert!(share((secret().in_assertion(), question()), (secret().in_assertion(), question())));
    assert!(!share((secret().in_assertion(), question()), (secret(), question())));
    assert!(!share((secret().in_assertion(), question()), (secret().in_body(), question())));
    // It says for whom it is.
    assert!(!share((secret().in_assertion(), question()), (secret().in_assertion(), question().issuer("x"))));
    let provided = Credentials::with_secret_from("id", || Ok(Secret::from("s"))).in_assertion();
    assert!(share((provided.clone(), question()), (provided.clone(), question())));
    assert!(!share((provided.clone(), question()), (provided, question().issuer("x"))));
    assert!(share((secret(), question()), (secret(), question().issuer("x"))));
}
