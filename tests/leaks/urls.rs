//! Where URLs lead, however they are written (D16).

use std::time::Duration;

use client_credentials::test_util::{Behaviour, TokenServer};
use client_credentials::{Credentials, TokenRequest, TokenSource};
use http::Uri;
use http::header::AUTHORIZATION;
use ureq::SendBody;
use ureq::middleware::MiddlewareNext;

use super::*;
use world::{World, bearer, config};

/// What becomes of a request for a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The API gets it, with the token.
    Api,
    /// The API gets it, without the token.
    Bare,
    /// Somebody else gets it, without the token.
    Elsewhere,
    /// Nobody gets it: this is no URL.
    Nobody,
}

fn follow(api: &str, host_and_port: &str, rows: &[(&str, Fate)]) {
    let world = World::new();
    let source = world.source(api);
    let agent = source.wrap(world.agent(host_and_port, config().build()));
    source.token().unwrap();
    for &(url, fate) in rows {
        let (before, elsewhere) = (world.tokens().len(), world.others.connections());
        let outcome = agent.get(url).config().max_idle_connections(0).build().call();
        let came = world.tokens().split_off(before);
        let got = match came.as_slice() {
            [] if world.others.connections() > elsewhere => Fate::Elsewhere,
            [] => Fate::Nobody,
            [token] if token == TOKENS[0] => Fate::Api,
            [token] if token == "-" => Fate::Bare,
            other => panic!("{url}: {other:?}"),
        };
        assert_eq!(got, fate, "{url}: {outcome:?}");
        assert_eq!(url.parse().is_ok_and(|uri| source.allows(&uri)), fate == Fate::Api, "{url}");
        let authorized = url.parse::<Uri>().is_ok_and(|uri| {
            let mut request = http::Request::new(());
            *request.uri_mut() = uri;
            source.authorize(&mut request).is_ok() && request.headers().contains_key(AUTHORIZATION)
        });
        assert_eq!(authorized, fate == Fate::Api, "{url}");
    }
    world.assert_others_know_nothing(api);
    assert_eq!(world.auth.requests().len(), 1);
}

#[test]
fn d16_tricks_with_a_url_lead_no_token_to_another_host() {
    use Fate::{Api, Bare, Elsewhere, Nobody};
    follow(
        "https://api.example.com",
        "api.example.com:443",
        &[
            ("https://api.example.com/v1?q=1", Api),
            ("https://API.Example.COM/", Api),
            ("HTTPS://api.example.com/", Api),
            ("https://api.example.com:443/", Api),
            ("https://api.example.com:0443/", Api),
            ("https://api.example.com/@evil.test/", Api),
            ("https://api.example.com?@evil.test/", Api),
            ("https://api.example.com#@evil.test/", Api),
            ("https://api.example.com//evil.test/", Api),
            // User info.
            ("https://api.example.com@evil.test/", Elsewhere),
            ("https://api.example.com:443@evil.test/", Elsewhere),
            ("https://api.example.com:@evil.test/", Elsewhere),
            ("https://user:pw@api.example.com@evil.test/", Elsewhere),
            ("https://api.example.com%2f@evil.test/", Elsewhere),
            ("https://api.example.com%40evil.test/", Nobody),
            ("https://evil.test@api.example.com/", Bare),
            ("https://user:pw@api.example.com/", Bare),
            ("https://@api.example.com/", Bare),
            // More or less of the name.
            ("https://api.example.com.evil.test/", Elsewhere),
            ("https://xapi.example.com/", Elsewhere),
            ("https://example.com/", Elsewhere),
            ("https://evil.test/api.example.com", Elsewhere),
            ("https://evil.test?https://api.example.com/", Elsewhere),
            ("https://evil.test#@api.example.com/", Elsewhere),
            ("https://api.example.com./", Elsewhere),
            ("https://API.example.com.:443/", Elsewhere),
            ("https://api.example.com../", Elsewhere),
            ("https://.api.example.com/", Elsewhere),
            // Ports and schemes.
            ("https://api.example.com:8443/", Elsewhere),
            ("https://api.example.com:80/", Elsewhere),
            ("http://api.example.com/", Elsewhere),
            ("http://api.example.com:443/", Elsewhere),
            ("https://api.example.com:/", Bare),
            ("https://api.example.com:99999/", Bare),
            ("https://api.example.com:+443/", Bare),
            ("https://api.example.com:443:443/", Nobody),
            ("https://api.example.com:4 43/", Nobody),
            ("ftp://api.example.com/", Nobody),
            ("ws://api.example.com/", Nobody),
            ("//api.example.com/", Nobody),
            ("/v1/items", Nobody),
            ("api.example.com", Nobody),
            ("https:api.example.com", Nobody),
            ("https:///api.example.com/", Nobody),
            ("https://", Nobody),
            // What browsers repair and others do not.
            (r"https://api.example.com\@evil.test/", Nobody),
            (r"https://api.example.com\.evil.test/", Nobody),
            (r"https://evil.test\.api.example.com/", Nobody),
            (r"https:\\api.example.com\", Nobody),
            ("https://api.exa\tmple.com/", Nobody),
            ("https://api.example.com\r\nHost: evil.test/", Nobody),
            (" https://api.example.com/", Nobody),
            ("https://api.example.com\u{0}.evil.test/", Nobody),
            // Encoded and foreign letters.
            ("https://api%2eexample.com/", Nobody),
            ("https://api.example.com%2f.evil.test/", Nobody),
            ("https://api.example.com%00.evil.test/", Nobody),
            ("https://%61pi.example.com/", Nobody),
            ("https://api\u{3002}example.com/", Nobody),
            ("https://api.ex\u{430}mple.com/", Nobody),
            ("https://api.example.\u{ff43}om/", Nobody),
            ("https://xn--pi-7kc.example.com/", Elsewhere),
        ],
    );
}

#[test]
fn d16_a_name_in_punycode_is_compared_as_it_is_written() {
    let rows = [
        ("https://xn--bcher-kva.example/", Fate::Api),
        ("https://XN--BCHER-KVA.example/", Fate::Api),
        ("https://b\u{fc}cher.example/", Fate::Nobody),
        ("https://bu\u{308}cher.example/", Fate::Nobody),
        ("https://b%C3%BCcher.example/", Fate::Nobody),
        ("https://bucher.example/", Fate::Elsewhere),
        ("https://xn--bcher-kva.example.evil.test/", Fate::Elsewhere),
    ];
    follow("https://xn--bcher-kva.example", "xn--bcher-kva.example:443", &rows);
}

#[test]
fn d16_addresses_are_compared_as_they_are_written() {
    let v6 = [
        ("https://[2001:db8::1]:8443/", Fate::Api),
        ("https://[2001:DB8::1]:8443/", Fate::Api),
        ("https://[2001:db8:0:0:0:0:0:1]:8443/", Fate::Elsewhere),
        ("https://[2001:db8::0001]:8443/", Fate::Elsewhere),
        ("https://[2001:db8::1]/", Fate::Elsewhere),
        ("https://[2001:db8::2]:8443/", Fate::Elsewhere),
        ("https://[2001:db8::1%25eth0]:8443/", Fate::Elsewhere),
        ("https://[::ffff:127.0.0.1]:8443/", Fate::Elsewhere),
        ("https://2001:db8::1:8443/", Fate::Nobody),
        ("https://[2001:db8::1:8443/", Fate::Nobody),
        ("https://[2001:db8::1]@evil.test:8443/", Fate::Elsewhere),
        ("https://[2001:db8::1].evil.test:8443/", Fate::Bare),
        ("http://[2001:db8::1]:8443/", Fate::Elsewhere),
    ];
    follow("https://[2001:db8::1]:8443", "[2001:db8::1]:8443", &v6);
    let v4 = [
        ("https://192.0.2.1/", Fate::Api),
        ("https://192.0.2.1:443/", Fate::Api),
        ("https://192.0.513/", Fate::Elsewhere),
        ("https://3221225985/", Fate::Elsewhere),
        ("https://0xc0000201/", Fate::Elsewhere),
        ("https://0300.0.2.1/", Fate::Elsewhere),
        ("https://192.0.2.1./", Fate::Elsewhere),
        ("https://192.0.2.1@192.0.2.2/", Fate::Elsewhere),
        ("https://[::ffff:192.0.2.1]/", Fate::Elsewhere),
    ];
    follow("https://192.0.2.1", "192.0.2.1:443", &v4);
}

/// The same with the real connector and resolver, where names and odd forms of 127.0.0.1 lead to one machine.
#[test]
fn d16_on_this_machine_only_the_very_origin_gets_the_token() {
    let (auth, api, other) =
        (TokenServer::start().unwrap(), TokenServer::start().unwrap(), TokenServer::start().unwrap());
    auth.always(Behaviour::token(TOKENS[0], 3600));
    let (allowed, port, other_port) = (api.address(), api.address().port(), other.address().port());
    let request = TokenRequest::new(&auth.url()).unwrap().audience(format!("http://{allowed}/"));
    let source = TokenSource::new(Credentials::new(CLIENT, SECRET), request).unwrap();
    let agent = source.wrap(config().build().into());
    drop(agent.get(format!("http://{allowed}/first")).call().unwrap());
    for url in [
        format!("http://localhost:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f000001:{port}/"),
        format!("http://user:pw@{allowed}/"),
        format!("http://127.0.0.1:{other_port}/"),
        format!("http://{allowed}@127.0.0.1:{other_port}/"),
        format!("http://127.0.0.1@localhost:{other_port}/"),
        format!("http://{allowed}%40127.0.0.1:{other_port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://127.0.0.1:0{other_port}/"),
        format!("https://{allowed}/"),
    ] {
        assert!(!url.parse().is_ok_and(|uri| source.allows(&uri)), "{url}");
        drop(agent.get(&url).config().timeout_global(Some(Duration::from_millis(300))).build().call());
    }
    drop(agent.get(format!("http://127.0.0.1:0{port}/last")).call().unwrap());
    for server in [&api, &other] {
        for request in server.requests() {
            let expected = ["/first", "/last"].contains(&request.uri().path());
            assert_eq!(bearer(&request).is_some(), expected, "{request:?}");
        }
    }
    assert!(api.requests().len() >= 5 && other.requests().len() >= 3);
}

/// What the user's own middleware could leak is the user's; but it must not be handed a token for another host.
#[test]
fn a_url_that_an_earlier_middleware_changes_is_the_one_that_counts() {
    let elsewhere = |mut request: http::Request<SendBody>, next: MiddlewareNext| {
        *request.uri_mut() = Uri::from_static("https://evil.test/");
        next.handle(request)
    };
    let world = World::new();
    let source = world.source("https://api.example.com");
    let wrapped = source.wrap(world.agent("api.example.com:443", config().build()));
    let pass_on = move |request: http::Request<SendBody>, _: MiddlewareNext| wrapped.run(request);
    let config = config().middleware(elsewhere).middleware(pass_on).build();
    config.new_agent().get("https://api.example.com/").call().unwrap();
    world.assert_others_know_nothing("changed on the way");
    assert_eq!((world.others.requests().len(), world.tokens().len()), (1, 0));
}
