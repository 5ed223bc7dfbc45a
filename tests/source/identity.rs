use super::*;

/// How many token requests two sources with a common cache make.
fn requests(one: (Credentials, TokenRequest), two: (Credentials, TokenRequest)) -> usize {
    let script = Script::new();
    script.token("1", 60);
    script.token("2", 60);
    let cache = TokenCache::default();
    for (credentials, request) in [one, two] {
        let source =
            TokenSource::builder(credentials, request).transport(script.clone()).clock(script.clock()).cache(&cache);
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
    let aliases = |a, b| question().token_type_alias(a).token_type_alias(b);
    assert_eq!(requests((id(), aliases("bot", "mac")), (id(), aliases("MAC", "Bot"))), 1);
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
fn d26_questions_whose_parts_make_the_same_text_when_put_together_are_different() {
    let id = || Credentials::new("id", "s");
    let header = |name, value| (id(), question().header(name, value).expect("a header"));
    assert_eq!(requests(header("x-a", "v"), header("x-b", "v")), 2);
    assert_eq!(requests(header("x-a", "bc"), header("x-ab", "c")), 2);
    let aliases = (id(), question().token_type_alias("x-tenant").token_type_alias("y"));
    assert_eq!(requests(header("x-tenant", "y"), aliases), 2);
    let aliases = |a, b| (id(), question().token_type_alias(a).token_type_alias(b));
    assert_eq!(requests(aliases("a", "bc"), aliases("ab", "c")), 2);
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
        TokenSource::builder(Credentials::new("id", "s"), question().scope(scope).expect("a scope"))
            .transport(script.clone())
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

/// A question as the setter calls that made it, and what makes two of them the same.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    id: usize,
    secret: usize,
    in_body: bool,
    endpoint: usize,
    scopes: std::collections::BTreeSet<usize>,
    resources: std::collections::BTreeSet<usize>,
    audience: Option<usize>,
    parameters: std::collections::BTreeMap<usize, usize>,
    headers: std::collections::BTreeMap<usize, usize>,
    json: bool,
}

const WORDS: [&str; 4] = ["a", "ab", "b", "a&scope=b"];
const SCOPES: [&str; 4] = ["a", "ab", "b", "a&b"];

impl Question {
    fn random(next: &mut impl FnMut(usize) -> usize) -> Self {
        Self {
            id: next(2),
            secret: next(2),
            in_body: next(4) == 0,
            endpoint: next(2),
            scopes: (0..next(3)).map(|_| next(4)).collect(),
            resources: (0..next(3)).map(|_| next(2)).collect(),
            audience: Some(next(3)).filter(|n| *n < 2),
            parameters: (0..next(3)).map(|_| (next(2), next(2))).collect(),
            headers: (0..next(2)).map(|_| (next(2), next(2))).collect(),
            json: next(4) == 0,
        }
    }

    /// `order`: whether sets are handed over forwards or backwards.
    fn key(&self, order: bool) -> client_credentials::CacheKey {
        let turned = |values: Vec<usize>| if order { values } else { values.into_iter().rev().collect() };
        let endpoint = ["https://auth.example.com/t", "https://auth.example.com/t?a=b"][self.endpoint];
        let mut request = TokenRequest::new(endpoint).expect("a request");
        for scope in turned(self.scopes.iter().copied().collect()) {
            request = request.scope(SCOPES[scope]).expect("a scope");
        }
        for resource in turned(self.resources.iter().copied().collect()) {
            request = request.resource(["urn:a", "urn:b"][resource]).expect("a resource");
        }
        if let Some(audience) = self.audience {
            request = request.audience(WORDS[audience]);
        }
        for name in turned(self.parameters.keys().copied().collect()) {
            request = request.parameter(WORDS[name], WORDS[self.parameters[&name]]).expect("a parameter");
        }
        for name in turned(self.headers.keys().copied().collect()) {
            request = request.header(["x-a", "x-ab"][name], WORDS[self.headers[&name]]).expect("a header");
        }
        if self.json {
            request = request.body_format(client_credentials::BodyFormat::Json);
        }
        let credentials = Credentials::new(WORDS[self.id], WORDS[self.secret]);
        let credentials = if self.in_body { credentials.in_body() } else { credentials };
        client_credentials::CacheKey::new(&request, &credentials).expect("a key")
    }
}

#[test]
fn keys_are_equal_if_and_only_if_questions_are() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let mut next = |limit: usize| usize::try_from(dice.below(limit as u64)).expect("small");
    let mut equal = 0;
    for _ in 0..5_000 {
        let one = Question::random(&mut next);
        // Now and then the same question, now and then one that differs in one place.
        let mut two = if next(2) == 0 { Question::random(&mut next) } else { one.clone() };
        match next(8) {
            0 => two.secret = 1 - two.secret,
            1 => two.scopes = (0..next(3)).map(|_| next(4)).collect(),
            2 => two.audience = None,
            3 => two.json = !two.json,
            _ => {}
        }
        assert_eq!(one.key(true) == two.key(false), one == two, "{one:?} {two:?}");
        equal += usize::from(one == two);
    }
    assert!(equal > 500, "{equal} pairs were equal");
}

#[test]
fn msal_net_5743_duende_634_httpx_auth_97_hand_out_a_wrong_token_here_16_threads_never_do() {
    // Each token spells out the request that it was issued for, so that a wrong one shows.
    let transport = Arc::new(|request: Request<Vec<u8>>, _: &client_credentials::Attempt| {
        let header = |name| request.headers().get(name).map_or("-", |value| value.to_str().expect("ASCII"));
        let asked = format!(
            "{}|{}|{}|{}",
            request.uri(),
            header("authorization").replace(' ', "_"),
            header("x-tenant"),
            String::from_utf8_lossy(request.body())
        );
        let body = serde_json::json!({ "access_token": asked, "expires_in": 3600 });
        Ok(Response::new(body.to_string().into_bytes()))
    });
    let cache = TokenCache::default();
    let build = |id: &str, secret: &str, scope: &str, tenant: Option<&str>, header: &str| {
        let mut request = question().scope(scope).expect("a scope").header("x-tenant", header).expect("a header");
        if let Some(tenant) = tenant {
            request = request.parameter("tenant", tenant).expect("a parameter");
        }
        TokenSource::builder(Credentials::new(id, secret), request)
            .transport(Arc::clone(&transport))
            .cache(&cache)
            .build()
            .expect("a source")
    };
    let questions: Vec<TokenSource> = [
        build("one", "s", "read", None, "x"),
        build("two", "s", "read", None, "x"),
        build("one", "rotated", "read", None, "x"),
        build("one", "s", "read write", None, "x"),
        build("one", "s", "read", Some("a"), "x"),
        build("one", "s", "read", Some("b"), "x"),
        build("one", "s", "read", None, "y"),
    ]
    .into();
    let same = build("one", "s", "write read", None, "x");
    assert_eq!(same.token().expect("a token").secret(), questions[3].token().expect("a token").secret());
    let expected: Vec<String> =
        questions.iter().map(|source| source.token().expect("a token").secret().to_owned()).collect();
    let distinct: std::collections::BTreeSet<_> = expected.iter().collect();
    assert_eq!((distinct.len(), cache.len()), (7, 7));
    thread::scope(|scope| {
        for number in 0..16 {
            let (questions, expected) = (&questions, &expected);
            scope.spawn(move || {
                for round in 0..6_250 {
                    // Three times in a row: from the second on, a thread may use what it remembers.
                    let which = (round / 3 + number) % questions.len();
                    assert_eq!(questions[which].token().expect("a token").secret(), expected[which]);
                }
            });
        }
    });
}

/// A transport of its own that asks for this resource in addition.
fn adding(resource: &'static str) -> impl Fn(Request<Vec<u8>>, &Attempt) -> Result<Response<Vec<u8>>, TransportError> {
    move |_, _| Ok(Response::new(format!(r#"{{"access_token":"for-{resource}","expires_in":3600}}"#).into_bytes()))
}

#[test]
fn sources_whose_transports_may_ask_for_different_tokens_share_none() {
    let cache = TokenCache::default();
    let by = |transport: Arc<dyn Transport>| {
        TokenSource::builder(Credentials::new("id", "s"), question()).transport(transport).cache(&cache).build()
    };
    let (one, two) = (Arc::new(adding("one")), Arc::new(adding("two")));
    let token =
        |transport: Arc<dyn Transport>| by(transport).expect("a source").token().expect("a token").secret().to_owned();
    assert_eq!((token(one.clone()), token(two)), ("for-one".into(), "for-two".into()));
    // Clones of an `Arc` are one transport; what is behind another `Arc` is another.
    assert_eq!((token(one), cache.len()), ("for-one".into(), 2));
    let closures = ["three", "four"].map(|resource| {
        let builder = TokenSource::builder(Credentials::new("id", "s"), question()).transport(adding(resource));
        builder.cache(&cache).build().expect("a source").token().expect("a token").secret().to_owned()
    });
    assert_eq!((closures, cache.len()), (["for-three", "for-four"].map(str::to_owned), 2));
}

#[cfg(feature = "ureq")]
#[test]
fn default_transports_are_one_and_an_agent_of_ones_own_is_another() {
    use client_credentials::UreqTransport;

    let own = UreqTransport::with_agent(ureq::Agent::new_with_defaults());
    assert!(UreqTransport::new().identity() == UreqTransport::default().identity());
    assert!(own.identity() == own.clone().identity());
    assert!(own.identity() != UreqTransport::new().identity());
    assert!(own.identity() != UreqTransport::with_agent(ureq::Agent::new_with_defaults()).identity());
}

#[test]
fn settings_of_one_source_do_not_decide_for_another_that_shares_its_token() {
    let (script, cache) = (Script::new(), TokenCache::default());
    script.json(200, r#"{"access_token":"T1"}"#);
    script.json(200, r#"{"access_token":"T2"}"#);
    let lasting = |lifetime| builder(&script).cache(&cache).fallback_lifetime(lifetime).build().expect("a source");
    let (short, long) = (lasting(Some(seconds(10))), lasting(None));
    for source in [&short, &long, &short, &long] {
        assert_eq!(source.token().expect("a token").secret(), "T1");
    }
    script.clock().advance(seconds(20));
    assert_eq!((short.inspect().has_token, long.inspect().has_token), (false, true));
    assert_eq!(long.token().expect("a token").secret(), "T1");
    assert_eq!(short.token().expect("a token").secret(), "T2");
}
