//! Sources whose token is the JWT itself.

use client_credentials::test_util::ManualClock;

use super::*;

fn app(key: &SigningKey) -> Assertion {
    Assertion::new(key.clone()).issuer("Iv23liABC").lifetime(Duration::from_secs(540))
}

fn source(key: &SigningKey, clock: &ManualClock) -> TokenSource {
    let builder = TokenSourceBuilder::self_signed(app(key), "https://api.github.com").expect("a builder");
    builder.clock(clock.clone()).build().expect("a source")
}

#[test]
fn the_token_is_signed_here_and_renewed_before_its_own_end() {
    let (key, clock) = (key(), ManualClock::new());
    let source = source(&key, &clock);
    let token = source.token().expect("a token");
    let (_, claims) = verified(token.secret(), &key).expect("a signature of this key");
    let now = unix(clock.now().wall());
    assert_eq!(claims["iss"], "Iv23liABC");
    assert_eq!((claims["iat"].as_u64(), claims["exp"].as_u64()), (Some(now - 10), Some(now + 530)));
    assert!(claims.get("aud").is_none() && claims.get("sub").is_none());
    assert_eq!(token.expires_in(), Some(Duration::from_secs(530)));
    assert_eq!(token.header_value(), &*format!("Bearer {}", token.secret()));

    assert_eq!(source.token().expect("the same").secret(), token.secret());
    clock.advance(Duration::from_secs(525));
    let next = source.token().expect("another token");
    assert_eq!(verified(next.secret(), &key).expect("signed").1["iat"].as_u64(), Some(now + 515));
}

#[test]
fn a_401_brings_another_jwt_and_other_origins_get_none() {
    let (key, clock) = (key(), ManualClock::new());
    let source = source(&key, &clock);
    let refusal = Response::builder().status(401).body(()).expect("a response");
    let mut request = Request::get("https://api.github.com/app").body(()).expect("a request");
    let mut call = source.call(&mut request).expect("a token");
    let first = request.headers()["authorization"].clone();
    assert!(call.retry(&mut request, &refusal));
    assert_ne!(request.headers()["authorization"], first);
    drop(call);

    let mut elsewhere = Request::get("https://example.com/").body(()).expect("a request");
    assert!(!source.call(&mut elsewhere).expect("no token").is_authorized());
    assert!(TokenSource::self_signed(app(&key), "http://api.github.com").is_err());
    assert!(TokenSource::self_signed(app(&key), "api.github.com").is_err());
}

#[test]
fn a_key_that_cannot_sign_says_so() {
    let external = SigningKey::external(client_credentials::Algorithm::Rs256, |_: &[u8]| Err("sealed".into()));
    let source = TokenSource::self_signed(Assertion::new(external), "https://api.example.com").expect("a source");
    let error = source.token().expect_err("an error");
    assert_eq!(error.to_string(), "the assertion could not be signed");
}
