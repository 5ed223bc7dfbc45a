//! What real vendors want beyond RFC 6749, one test for each reason: the token request to the byte,
//! the answer, and the API request. The settings are documented with the vendors that need them.

use std::time::Duration;

use client_credentials::test_util::Script;
use client_credentials::{
    Attempt, BasicEncoding, BodyFormat, CacheKey, Clock, Credentials, Error, LifetimeUnit, ProtocolErrorKind,
    SystemClock, TokenRequest, TokenSource,
};

const API: &str = "https://api.example.com";

fn request(endpoint: &str) -> TokenRequest {
    TokenRequest::new(endpoint).and_then(|request| request.allow_origin(API)).expect("a request")
}

fn plain() -> TokenRequest {
    request("https://auth.example.com/token")
}

fn body(request: &TokenRequest, credentials: &Credentials) -> String {
    let sent = request.encode(credentials, &Attempt::default()).expect("an HTTP request");
    String::from_utf8(sent.into_body()).expect("text")
}

fn source(request: TokenRequest, answers: &[&str]) -> TokenSource {
    let script = Script::new();
    for answer in answers {
        script.json(200, answer);
    }
    let credentials = Credentials::new("id", "secret").in_body();
    TokenSource::builder(credentials, request)
        .transport(script.clone())
        .clock(script.clock())
        .build()
        .expect("a source")
}

fn decode(request: &TokenRequest, body: &str) -> Result<client_credentials::AccessToken, Error> {
    request.decode(&http::Response::new(body), SystemClock.now())
}

#[test]
fn grant_type_in_the_query_and_an_empty_body() {
    // Kno Commerce, Transporeon.
    let request = request("https://auth.example.com/token?grant_type=client_credentials").without_grant_type();
    let sent = request.encode(&Credentials::new("id", "secret"), &Attempt::default()).expect("an HTTP request");
    assert_eq!(sent.uri(), "https://auth.example.com/token?grant_type=client_credentials");
    assert_eq!(sent.headers()["authorization"], "Basic aWQ6c2VjcmV0");
    assert_eq!((sent.method().as_str(), sent.body().as_slice()), ("POST", &b""[..]));
}

#[test]
fn grant_type_in_the_query_and_a_json_body_with_one_parameter() {
    // Greenhouse.
    let request = request("https://auth.example.com/token?grant_type=client_credentials")
        .without_grant_type()
        .body_format(BodyFormat::Json)
        .parameter("sub", "4711")
        .expect("a parameter");
    assert_eq!(body(&request, &Credentials::new("id", "secret")), r#"{"sub":"4711"}"#);
}

#[test]
fn a_json_body_without_grant_type() {
    // Roller, Personio.
    let request = plain().without_grant_type().body_format(BodyFormat::Json);
    let credentials = Credentials::new("id", "secret").in_body();
    assert_eq!(body(&request, &credentials), r#"{"client_id":"id","client_secret":"secret"}"#);
    assert_eq!(body(&request, &Credentials::none()), "{}");
}

#[test]
fn a_login_with_a_key_or_a_password_needs_no_client() {
    let login = plain().without_grant_type().parameter("username", "robot").expect("a parameter");
    let login = login.parameter("password", "hunter2").expect("a parameter");
    assert_eq!(body(&login, &Credentials::none()), "username=robot&password=hunter2");
    let script = Script::new();
    assert!(TokenSource::builder(Credentials::none(), login.clone()).transport(script).build().is_ok());
    // A grant that is named afterwards counts.
    let named = login.grant_type("urn:example:grant").expect("a grant");
    assert_eq!(body(&named, &Credentials::none()), "grant_type=urn%3Aexample%3Agrant&username=robot&password=hunter2");
}

#[test]
fn a_token_under_another_name() {
    // ZoomInfo.
    let request = plain().token_member("jwt").expect("a name");
    let token = decode(&request, r#"{"jwt":"T1","expires_in":60,"more":1}"#).expect("a token");
    assert_eq!((token.secret(), token.expires_in()), ("T1", Some(Duration::from_secs(60))));
    assert!(token.member("jwt").is_none() && token.member("more").is_some());
    let usual = plain().token_member("access_token").expect("a name");
    assert_eq!(decode(&usual, r#"{"access_token":"T1"}"#).expect("a token").secret(), "T1");
    let form = http::Response::builder()
        .header("content-type", "application/x-www-form-urlencoded")
        .body("jwt=T2&access_token=other")
        .expect("a response");
    assert_eq!(request.decode(&form, SystemClock.now()).expect("a token").secret(), "T2");
}

#[test]
fn a_token_at_a_path() {
    // Personio, and logins that answer with lists.
    let request = plain().token_member("data.token").expect("a path");
    let token = decode(&request, r#"{"success":true,"data":{"token":"T1","id":7}}"#).expect("a token");
    assert_eq!(token.secret(), "T1");
    assert!(!token.member("data").expect("a member").to_string().contains("T1"), "the token is kept once");
    assert_eq!(decode(&request, r#"{"data.token":"T2"}"#).expect("a token").secret(), "T2");
    let list = plain().token_member("tokens.1.value").expect("a path");
    assert_eq!(decode(&list, r#"{"tokens":[{},{"value":"T3"}]}"#).expect("a token").secret(), "T3");
    for bad in ["", ".", "a..b", ".a", "a."] {
        assert!(plain().token_member(bad).is_err(), "{bad}");
        assert!(plain().lifetime_member(bad, LifetimeUnit::Seconds).is_err(), "{bad}");
    }
}

#[test]
fn a_token_that_is_not_where_the_setting_says_is_told_by_the_setting() {
    let request = plain().token_member("data.token").expect("a path");
    let told = |body: &str| match decode(&request, body).expect_err("an error") {
        Error::Protocol(error) => (error.kind().clone(), error.to_string()),
        other => panic!("{other:?}"),
    };
    let but = "token request to auth.example.com: status 200, but";
    let member = "if one of them is the token, name it with TokenRequest::token_member";
    assert_eq!(
        told(r#"{"access_token":"T1","data":{"jwt":"T2"}}"#),
        (
            ProtocolErrorKind::MissingAccessToken,
            format!("{but} the answer holds no data.token, only access_token, data.jwt; {member}")
        )
    );
    assert_eq!(
        told(r#"{"data":{"token":""}}"#),
        (ProtocolErrorKind::InvalidAccessToken, format!("{but} data.token is empty"))
    );
    for odd in ["7", "[]", r#""a b""#, r#""a\r\nb""#] {
        assert_eq!(
            told(&format!(r#"{{"data":{{"token":{odd}}}}}"#)),
            (
                ProtocolErrorKind::InvalidAccessToken,
                format!("{but} data.token is not a string of visible ASCII characters")
            ),
            "{odd}"
        );
    }
}

#[test]
fn d44_a_token_that_a_setting_names_is_not_shown_by_an_error_beside_it() {
    let request = plain().token_member("data.token").expect("a path");
    for body in [
        r#"{"error":"invalid_scope","error_description":"not token-of-8","data":{"token":"token-of-8"}}"#,
        r#"{"error":"invalid_scope","error_description":"not token-of-8","data.token":"token-of-8"}"#,
    ] {
        let error = decode(&request, body).expect_err("an error").to_string();
        assert!(error.contains("not [redacted]") && !error.contains("token-of-8"), "{error}");
    }
}

#[test]
fn d7_a_member_that_a_setting_names_may_not_stand_there_twice() {
    let request = plain()
        .token_member("data.token")
        .and_then(|request| request.lifetime_member("valid.for", LifetimeUnit::Seconds))
        .expect("a path");
    for twice in [
        r#"{"data":{"token":"T1","token":"T2"}}"#,
        r#"{"data":{"token":"T1"},"data":{"token":"T2"}}"#,
        r#"{"data":{"token":"T1"},"valid":{"for":1,"for":2}}"#,
        r#"{"data.token":"T1","data.token":"T2"}"#,
    ] {
        let error = decode(&request, twice).expect_err(twice).to_string();
        assert!(error.contains("more than once"), "{error}");
    }
    assert!(decode(&request, r#"{"data":{"token":"T1"},"other":{"a":1,"a":2}}"#).is_ok());
    let flat = plain().token_member("jwt").expect("a name");
    assert!(decode(&flat, r#"{"jwt":"T1","jwt":"T2"}"#).is_err());
    let listed = plain().token_member("list.0.token").expect("a path");
    assert!(decode(&listed, r#"{"list":[{"token":"T1","token":"T2"},{}]}"#).is_err());
    // Of a refusal that can be read in two ways, nothing counts but the status.
    for twice in [r#"{"error":"a","jwt":1,"jwt":2}"#, r#"{"error":"a","error":"b"}"#] {
        let answer = http::Response::builder().status(400).body(twice).expect("a response");
        let Err(Error::Denied(denied)) = flat.decode(&answer, SystemClock.now()) else { panic!("not denied: {twice}") };
        assert_eq!((denied.status(), denied.code()), (400, None), "{twice}");
    }
}

#[test]
fn a_lifetime_in_milliseconds_or_under_another_name_or_path() {
    let lifetime = |path: &str, unit, body: &str| {
        let request = plain().lifetime_member(path, unit).expect("a path");
        decode(&request, body).expect("a token").expires_in().map(|lifetime| lifetime.as_secs())
    };
    use LifetimeUnit::{Milliseconds, Minutes, Seconds};
    // Fiserv.
    assert_eq!(lifetime("expires_in", Milliseconds, r#"{"access_token":"t","expires_in":1799000}"#), Some(1799));
    assert_eq!(lifetime("expires_in", Milliseconds, r#"{"access_token":"t","expires_in":"1799000"}"#), Some(1799));
    // Odoo.
    assert_eq!(lifetime("expiresIn", Seconds, r#"{"access_token":"t","expiresIn":60,"expires_in":1}"#), Some(60));
    assert_eq!(lifetime("data.ttl", Minutes, r#"{"access_token":"t","data":{"ttl":30}}"#), Some(1800));
    assert_eq!(lifetime("data.ttl", Minutes, r#"{"access_token":"t","data":{"ttl":1e300}}"#), Some(u64::MAX));
    for none in [r#"{"ttl":0}"#, r#"{"ttl":"soon"}"#, r#"{"ttl":null}"#, "{}", "7"] {
        assert_eq!(lifetime("data.ttl", Minutes, &format!(r#"{{"access_token":"t","data":{none}}}"#)), None, "{none}");
    }
}

#[test]
fn d37_another_scheme_or_header_is_kept_by_the_second_attempt() {
    for (name, scheme, one, two) in [
        ("authorization", Some("Zoho-oauthtoken"), "Zoho-oauthtoken T1", "Zoho-oauthtoken T2"), // Zoho
        ("x-shopify-access-token", None, "T1", "T2"),                                           // Shopify
        ("authorization", None, "T1", "T2"),                                                    // Veeva Vault
    ] {
        let request = plain().token_header(name, scheme).expect("a header");
        let source = source(request, &[r#"{"access_token":"T1"}"#, r#"{"access_token":"T2"}"#]);
        let mut api = http::Request::get(format!("{API}/items")).body(()).expect("a request");
        let mut call = source.call(&mut api).expect("a token");
        assert_eq!((api.headers()[name].clone(), api.headers().len()), (one.parse().expect("a value"), 1));
        assert!(api.headers()[name].is_sensitive());
        let refusal = http::Response::builder().status(401).body(()).expect("a response");
        assert!(call.retry(&mut api, &refusal));
        assert_eq!((api.headers()[name].clone(), api.headers().len()), (two.parse().expect("a value"), 1));
        let mut api = http::Request::get(format!("{API}/items")).body(()).expect("a request");
        let token = source.authorize(&mut api).expect("a token");
        assert_eq!(api.headers()[name], two);
        assert_eq!((token.secret(), token.header_name().as_str()), ("T2", name));
        let (method, uri) = (http::Method::GET, format!("{API}/items").parse().expect("a URL"));
        let mut headers = http::HeaderMap::new();
        let _ = source.prepare().authorize_parts(&method, &uri, &mut headers).expect("a token");
        assert_eq!(headers[name], two);
    }
}

#[test]
fn d37_a_header_of_the_request_s_own_is_left_alone() {
    let request = plain().token_header("x-token", None).expect("a header");
    let source = source(request, &[r#"{"access_token":"T1"}"#]);
    let mut own = http::Request::get(API).header("x-token", "mine").body(()).expect("a request");
    assert!(!source.call(&mut own).expect("a call").is_authorized());
    assert_eq!(own.headers()["x-token"], "mine");
    // Another header may authenticate at a gateway.
    let mut gateway = http::Request::get(API).header("authorization", "Basic Z3c6").body(()).expect("a request");
    assert!(source.call(&mut gateway).expect("a call").is_authorized());
    assert_eq!((gateway.headers()["x-token"].clone(), gateway.headers().len()), ("T1".parse().expect("a value"), 2));
}

#[test]
fn d37_a_header_that_cannot_carry_a_token_is_refused() {
    for (name, scheme) in [
        ("", None),
        ("x token", None),
        ("host", None),
        ("content-length", None),
        ("cookie", None),
        ("x-token", Some("")),
        ("x-token", Some("a b")),
        ("x-token", Some("a\r\nb")),
    ] {
        assert!(plain().token_header(name, scheme).is_err(), "{name} {scheme:?}");
    }
}

/// ureq takes every header but `Authorization` along to another host.
#[cfg(feature = "ureq")]
#[test]
fn d37_the_agent_follows_no_redirect_with_a_token_in_another_header() {
    use client_credentials::test_util::{Behaviour, TokenServer};
    let (auth, api, other) = (TokenServer::start(), TokenServer::start(), TokenServer::start());
    let (auth, api, other) = (auth.expect("a server"), api.expect("a server"), other.expect("a server"));
    api.always(Behaviour::redirect(302, &other.url()));
    let origin = format!("http://{}", api.address());
    let request = TokenRequest::new(&auth.url())
        .and_then(|request| request.allow_origin(&origin))
        .and_then(|request| request.token_header("x-token", None))
        .expect("a request");
    let agent = TokenSource::new(Credentials::new("id", "secret"), request).expect("a source").agent();
    let answer = agent.get(format!("{origin}/items")).call().expect("an answer");
    assert_eq!(answer.status(), 302);
    assert_eq!(api.requests()[0].headers()["x-token"], "token-1");
    assert_eq!(other.connections(), 0);
}

#[test]
fn whatever_is_read_or_sent_in_another_way_is_in_the_cache_key() {
    let credentials = Credentials::new("id", "secret");
    let key = |request: TokenRequest| CacheKey::new(&request, &credentials).expect("a key");
    let all = [
        plain(),
        plain().token_member("a").expect("a name"),
        plain().token_member("a.b").expect("a path"),
        plain().lifetime_member("a", LifetimeUnit::Seconds).expect("a name"),
        plain().lifetime_member("a", LifetimeUnit::Minutes).expect("a name"),
        plain().token_header("x-token", None).expect("a header"),
        plain().token_header("x-token", Some("Token")).expect("a header"),
        plain().token_header("authorization", None).expect("a header"),
        plain().without_grant_type(),
        plain().resource_by_name("a").expect("a name"),
        plain().audience("a"),
        plain().audience("a").add_audience("b").expect("an audience"),
    ];
    for (at, one) in all.iter().enumerate() {
        for (other_at, other) in all.iter().enumerate() {
            assert_eq!(key(one.clone()) == key(other.clone()), at == other_at, "{one:?} {other:?}");
        }
    }
    let reversed = plain().audience("b").add_audience("a").expect("an audience");
    assert_eq!(key(reversed), key(plain().audience("a").add_audience("b").expect("an audience")));
    let repeated = plain().token_type_alias("a").token_type_alias("A");
    assert_eq!(key(repeated), key(plain().token_type_alias("a")));
    let beside = CacheKey::new(&plain(), &credentials.clone().client_id_in_body()).expect("a key");
    assert_ne!(key(plain()), beside);
}

#[test]
fn the_grant_password_needs_a_dangerous_name() {
    // Acumatica, Dayforce, Datto RMM.
    let request = plain().dangerously_password_grant("robot", "hunter2").expect("a request");
    assert_eq!(
        body(&request.scope("api").expect("a scope"), &Credentials::new("id", "secret").in_body()),
        "grant_type=password&scope=api&username=robot&password=hunter2&client_id=id&client_secret=secret"
    );
    let error = plain().grant_type("password").expect_err("an error").to_string();
    assert!(error.contains("dangerously_password_grant"), "{error}");
    let request = plain().dangerously_password_grant("robot", "hunter2").expect("a request");
    assert!(!format!("{request:?}").contains("hunter2"));
}

#[test]
fn a_client_assertion_is_no_parameter() {
    // Okta's private_key_jwt.
    let error = plain().parameter("client_assertion", "eyJ.eyJ.sig").expect_err("an error").to_string();
    assert!(error.contains("use Credentials::with_key"), "{error}");
}

#[test]
fn d36_a_replaced_audience_takes_its_origin_along() {
    let (green, blue) = ("https://green.example.com", "https://blue.example.com");
    let may = |request: &TokenRequest, url: &str| request.allows(&url.parse().expect("a URL"));
    let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
    let replaced = request.clone().audience(green).audience(blue);
    assert!(!may(&replaced, green) && may(&replaced, blue));
    assert_eq!(
        body(&replaced, &Credentials::new("id", "s")),
        "grant_type=client_credentials&audience=https%3A%2F%2Fblue.example.com"
    );
    for gone in [request.clone().audience(green).audience(""), request.clone().audience(green).audience("a-name")] {
        assert!(!may(&gone, green), "{gone:?}");
    }
    let removed = request.clone().audience(green).audience("");
    assert_eq!(body(&removed, &Credentials::new("id", "s")), "grant_type=client_credentials");
    let error = TokenSource::builder(Credentials::new("id", "s"), removed).transport(Script::new()).build();
    assert!(error.expect_err("an error").to_string().contains("no origin may receive this token"));
    // An origin that is allowed otherwise, too, stays.
    for kept in [
        request.clone().allow_origin(green).expect("an origin").audience(green).audience(blue),
        request.clone().audience(green).allow_origin(green).expect("an origin").audience(blue),
        request.clone().audience(green).resource(green).expect("a resource").audience(""),
    ] {
        assert!(may(&kept, green), "{kept:?}");
    }
    let several = request.audience(green).add_audience(blue).expect("an audience");
    assert!(may(&several, green) && may(&several, blue));
    let none = several.audience("https://red.example.com");
    assert!(!may(&none, green) && !may(&none, blue));
}

#[test]
fn d38_a_resource_may_be_a_name_and_an_audience_may_be_repeated() {
    let request = plain()
        .resource_by_name("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d")
        .and_then(|request| request.audience("a").add_audience("https://b.example.com/x"))
        .expect("a request");
    assert_eq!(
        body(&request, &Credentials::new("id", "s")),
        "grant_type=client_credentials&audience=a&audience=https%3A%2F%2Fb.example.com%2Fx\
         &resource=2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
    );
    assert_eq!(
        body(&request.clone().body_format(BodyFormat::Json), &Credentials::new("id", "s")),
        r#"{"grant_type":"client_credentials","audience":["a","https://b.example.com/x"],"resource":"2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"}"#
    );
    assert!(request.allows(&"https://b.example.com/y".parse().expect("a URL")));
    let names = ["a", "b", "a"].into_iter().try_fold(plain(), |request, name| request.resource_by_name(name));
    assert_eq!(
        body(&names.expect("a request"), &Credentials::new("id", "s")),
        "grant_type=client_credentials&resource=a&resource=b"
    );
    for bad in ["", "a\n"] {
        assert!(plain().resource_by_name(bad).is_err(), "{bad:?}");
    }
    assert!(plain().add_audience("").is_err());
    assert!(plain().audience("a").add_audience("a").is_err());
    let told = |result: Result<TokenRequest, Error>| result.expect_err("an error").to_string();
    assert!(told(plain().resource("a-name")).ends_with("use TokenRequest::resource_by_name"));
    assert!(told(plain().parameter("resource", "a-name")).contains("TokenRequest::resource_by_name"));
    assert!(told(plain().parameter("audience", "a-name")).contains("TokenRequest::add_audience"));
}

#[test]
fn d38_the_client_id_may_be_beside_basic() {
    let credentials = Credentials::new("id", "secret").client_id_in_body().basic_encoding(BasicEncoding::Raw);
    let sent = plain().encode(&credentials, &Attempt::default()).expect("an HTTP request");
    assert_eq!(sent.headers()["authorization"], "Basic aWQ6c2VjcmV0");
    assert_eq!(sent.body(), b"grant_type=client_credentials&client_id=id");
    let in_body = credentials.in_body();
    assert_eq!(body(&plain(), &in_body), "grant_type=client_credentials&client_id=id&client_secret=secret");
}

#[test]
fn d39_a_lifetime_is_at_most_the_longest_that_was_set() {
    let script = Script::new();
    script.token("T1", 43_200);
    script.token("T2", 43_200);
    let source = TokenSource::builder(Credentials::new("id", "secret"), plain())
        .transport(script.clone())
        .clock(script.clock())
        .longest_lifetime(Duration::from_secs(1800))
        .build()
        .expect("a source");
    assert_eq!(source.token().expect("a token").expires_in(), Some(Duration::from_secs(43_200)));
    assert_eq!(source.inspect().expires_in, Some(Duration::from_secs(1800)));
    script.clock().advance(Duration::from_secs(1800));
    assert_eq!(source.token().expect("a token").secret(), "T2");
}

#[test]
fn a_timeout_of_zero_is_refused_and_an_endless_one_is_clamped() {
    let builder = || TokenSource::builder(Credentials::new("id", "secret"), plain());
    for (built, name) in [
        (builder().transport(Script::new()).timeout(Duration::ZERO).build(), "timeout"),
        (builder().transport(Script::new()).connect_timeout(Duration::ZERO).build(), "connect_timeout"),
    ] {
        assert_eq!(
            built.expect_err("an error").to_string(),
            format!("TokenSourceBuilder::{name}: zero leaves no time for a token request")
        );
    }
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    let transport = move |_: http::Request<Vec<u8>>, attempt: &Attempt| {
        assert!(attempt.timeout <= year && attempt.connect_timeout <= year);
        Ok(http::Response::new(br#"{"access_token":"t"}"#.to_vec()))
    };
    let source = builder().transport(transport).timeout(Duration::MAX).connect_timeout(Duration::MAX).build();
    assert!(source.expect("a source").token().is_ok());
}

#[cfg(feature = "ureq")]
#[test]
fn an_endless_connect_timeout_does_not_panic_inside_ureq() {
    let server = client_credentials::test_util::TokenServer::start().expect("a server");
    let source = TokenSource::builder(Credentials::new("id", "secret"), request(&server.url()))
        .timeout(Duration::MAX)
        .connect_timeout(Duration::MAX)
        .build()
        .expect("a source");
    assert_eq!(source.token().expect("a token").secret(), "token-1");
    let transport = client_credentials::UreqTransport::new();
    let sent = http::Request::post(server.url()).body(Vec::new()).expect("a request");
    let mut attempt = Attempt::default();
    (attempt.timeout, attempt.connect_timeout) = (Duration::MAX, Duration::MAX);
    assert!(client_credentials::Transport::send(&transport, sent, &attempt).is_ok());
}
