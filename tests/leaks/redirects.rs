//! Where redirects lead.

use client_credentials::test_util::Behaviour;
use client_credentials::{Credentials, Error, TokenRequest, TokenSource, UreqTransport};
use ureq::config::RedirectAuthHeaders;

use super::*;
use world::{World, config};

/// From `https://api.example.com/`, and whether they lead back there.
const LOCATIONS: [(&str, bool); 12] = [
    ("https://evil.test/", false),
    ("//evil.test/", false),
    ("http://api.example.com/", false),
    ("http://api.example.com:443/", false),
    ("https://api.example.com:8443/", false),
    ("https://api.example.com.evil.test/", false),
    ("https://api.example.com@evil.test/", false),
    ("https://api.example.com./", false),
    ("https://example.com/", false),
    ("https://evil.test/?https://api.example.com/", false),
    ("/elsewhere", true),
    ("https://api.example.com/elsewhere", true),
];

#[test]
fn redirects_at_the_api_take_no_token_along() {
    for carry in [RedirectAuthHeaders::Never, RedirectAuthHeaders::SameHost] {
        for status in [301, 302, 303, 307, 308] {
            let world = World::new();
            let source = world.source("https://api.example.com");
            let config = config().redirect_auth_headers(carry).build();
            let agent = source.wrap(world.agent("api.example.com:443", config));
            for ((location, back), post) in LOCATIONS.into_iter().flat_map(|row| [(row, false), (row, true)]) {
                let case = format!("{status} to {location}, {carry:?}, post {post}");
                let (before, others) = (world.tokens().len(), world.others.requests().len());
                world.api.next(Behaviour::redirect(status, location));
                let outcome = if post {
                    agent.post("https://api.example.com/").send("body")
                } else {
                    agent.get("https://api.example.com/").call()
                };
                // ureq does not send a body twice.
                let followed = !post || status < 307;
                assert_eq!(outcome.is_ok(), followed, "{case}: {outcome:?}");
                assert_eq!(world.others.requests().len() - others, usize::from(followed && !back), "{case}");
                let tokens = if followed && back { vec![TOKENS[0], "-"] } else { vec![TOKENS[0]] };
                assert_eq!(world.tokens().split_off(before), tokens, "{case}");
            }
            world.assert_others_know_nothing(&format!("{status}, {carry:?}"));
            assert_eq!(world.auth.requests().len(), 1, "{status}, {carry:?}");
        }
    }
}

#[test]
fn d15_redirects_at_the_token_endpoint_take_no_secret_along() {
    for status in [301, 302, 303, 307, 308] {
        for (location, _) in LOCATIONS {
            let location = location.replace("api.example.com", "auth.example.com");
            let basic = Credentials::new(CLIENT, SECRET);
            for credentials in [basic.clone(), basic.in_body()] {
                let world = World::new();
                world.auth.always(Behaviour::redirect(status, &location));
                let request = TokenRequest::new("https://auth.example.com/token").unwrap();
                let request = request.parameter("assertion", ASSERTION).unwrap().audience("https://api.example.com");
                // An agent that would follow, and that takes its authorization along.
                let config = config().redirect_auth_headers(RedirectAuthHeaders::SameHost).build();
                let transport = UreqTransport::with_agent(world.agent("", config));
                let source = TokenSource::builder(credentials, request).transport(transport).build().unwrap();
                let Err(Error::Denied(denied)) = source.token() else { panic!("{status} to {location}") };
                assert_eq!(denied.status(), status);
                let seen = (world.auth.requests().len(), world.others.connections(), world.api.connections());
                assert_eq!(seen, (1, 0, 0), "{status} to {location}");
            }
        }
    }
}

#[test]
fn d23_a_401_after_a_redirect_asks_nobody_for_a_token() {
    let world = World::new();
    let source = world.source("https://api.example.com");
    let agent = source.wrap(world.agent("api.example.com:443", config().build()));
    world.api.next(Behaviour::redirect(302, "https://evil.test/"));
    let challenge = r#"Bearer error="invalid_token""#;
    world.others.next(http::Response::builder().status(401).header("www-authenticate", challenge).body("").unwrap());
    assert!(matches!(agent.get("https://api.example.com/").call(), Err(ureq::Error::StatusCode(401))));
    world.assert_others_know_nothing("401 of another host");
    assert_eq!((world.tokens(), world.auth.requests().len()), (vec![TOKENS[0].to_owned()], 1));
}
