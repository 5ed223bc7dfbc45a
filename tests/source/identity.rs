use super::*;

/// How many token requests two sources with a common cache make.
fn requests(one: (Credentials, TokenRequest), two: (Credentials, TokenRequest)) -> usize {
    let script = Script::new();
    script.token("1", 60);
    script.token("2", 60);
    let cache = TokenCache::default();
    for (credentials, request) in [one, two] {
        let source = TokenSource::builder(credentials, request, script.clone()).clock(script.clock()).cache(&cache);
        source.build().expect("a source").token().expect("a token");
    }
    script.requests().len()
}

#[test]
fn d26_the_same_question_shares_a_token() {
    let id = || Credentials::new("id", "s");
    assert_eq!(requests((id(), question()), (id(), question())), 1);
    let scopes = |scope| question().scope(scope).expect("a scope");
    assert_eq!(requests((id(), scopes("b a")), (id(), scopes("a b a"))), 1);
    let resources = |a, b| question().resource(a).and_then(|request| request.resource(b)).expect("resources");
    assert_eq!(requests((id(), resources("urn:a", "urn:b")), (id(), resources("urn:b", "urn:a"))), 1);
    let parameters =
        |a, b| question().parameter(a, "v").and_then(|request| request.parameter(b, "v")).expect("parameters");
    assert_eq!(requests((id(), parameters("x", "y")), (id(), parameters("y", "x"))), 1);
    let headers = |a, b| question().header(a, "v").and_then(|request| request.header(b, "v")).expect("headers");
    assert_eq!(requests((id(), headers("x-a", "x-b")), (id(), headers("x-b", "x-a"))), 1);
}

#[test]
fn d26_another_question_never_shares_one() {
    let id = || Credentials::new("id", "s");
    let same = || (id(), question());
    let others = [
        (Credentials::new("id2", "s"), question()),
        (Credentials::new("id", "s2"), question()),
        (Credentials::new("ids", ""), question()),
        (id().in_body(), question()),
        (Credentials::public("id"), question()),
        (
            id(),
            TokenRequest::new("https://auth.example.com/token2")
                .expect("a request")
                .audience("https://api.example.com"),
        ),
        (
            id(),
            TokenRequest::new("https://auth.example.com/token?a=1")
                .expect("a request")
                .audience("https://api.example.com"),
        ),
        (id(), question().grant_type("account_credentials").expect("a grant")),
        (id(), question().scope("a").expect("a scope")),
        (id(), question().audience("https://api.example.com/")),
        (id(), question().resource("https://api.example.com").expect("a resource")),
        (id(), question().organization("org").expect("an organization")),
        (id(), question().parameter("tenant", "a").expect("a parameter")),
        (id(), question().header("x-tenant", "a").expect("a header")),
        (id(), question().body_format(client_credentials::BodyFormat::Json)),
        (id(), question().token_type_alias("MAC")),
    ];
    for other in others {
        let shown = format!("{other:?}");
        assert_eq!(requests(same(), other), 2, "{shown}");
    }
    let narrow = (id(), question().scope("a").expect("a scope"));
    let wide = (id(), question().scope("a b").expect("a scope"));
    assert_eq!(requests(wide, narrow), 2, "a superset is another question");
}

#[test]
fn where_a_token_may_go_is_not_part_of_the_question() {
    let id = || Credentials::new("id", "s");
    let wider = question().allow_origin("https://other.example.com").expect("an origin");
    assert_eq!(requests((id(), question()), (id(), wider)), 1);
}

#[test]
fn the_cache_is_bounded_and_the_least_recently_asked_question_goes_first() {
    let script = Script::new();
    for number in 0..10 {
        script.token(&format!("T{number}"), 3600);
    }
    let cache = TokenCache::new(2);
    let ask = |scope| {
        TokenSource::builder(Credentials::new("id", "s"), question().scope(scope).expect("a scope"), script.clone())
            .clock(script.clock())
            .cache(&cache)
            .build()
            .and_then(|source| source.token())
            .expect("a token")
            .secret()
            .to_owned()
    };
    assert_eq!([ask("a"), ask("b"), ask("a"), ask("c"), ask("a"), ask("b")], ["T0", "T1", "T0", "T2", "T0", "T3"]);
    assert_eq!(cache.len(), 2);
}
