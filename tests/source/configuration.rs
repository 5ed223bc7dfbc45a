use super::*;

#[test]
fn d16_no_origin_at_all_is_an_error_that_names_the_way_out() {
    let request = TokenRequest::new("https://auth.example.com/token").expect("a request").audience("my-api");
    let error = TokenSource::builder(Credentials::new("id", "s"), request)
        .transport(Script::new())
        .build()
        .expect_err("refused");
    assert!(error.to_string().contains("allow_origin"), "{error}");
}

#[test]
fn d16_each_resource_that_is_a_url_names_an_origin_as_an_audience_does() {
    let request = TokenRequest::new("https://auth.example.com/token")
        .and_then(|request| request.resource("https://cal.example.com/v1")?.resource("https://mail.example.com/"))
        .and_then(|request| request.resource("http://plain.example.com/")?.resource("urn:example:contacts"))
        .expect("a request");
    let source =
        TokenSource::builder(Credentials::new("id", "s"), request).transport(Script::new()).build().expect("a source");
    let allows = |url| source.allows(&http::Uri::from_static(url));
    assert!(allows("https://cal.example.com/v2") && allows("https://mail.example.com/x"));
    assert!(!allows("https://api.example.com/") && !allows("http://plain.example.com/"));
}

#[test]
fn one_method_of_client_authentication_in_one_request() {
    let with_header = question().header("authorization", "JWT eyJ.eyJ.sig").expect("a header");
    let build = |credentials, request| TokenSource::builder(credentials, request).transport(Script::new()).build();
    assert!(build(Credentials::new("id", "s"), with_header.clone()).is_err());
    assert!(build(Credentials::new("id", "s").in_body(), with_header.clone()).is_err());
    assert!(build(Credentials::none(), with_header).is_ok());
    assert!(build(Credentials::none(), question()).is_err(), "the grant needs client authentication");
}

#[test]
fn reserved_and_repeated_parameters_and_headers_are_refused() {
    for reserved in [
        "grant_type",
        "scope",
        "audience",
        "resource",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
    ] {
        assert!(question().parameter(reserved, "x").is_err(), "{reserved}");
    }
    assert!(question().parameter("a", "1").expect("once").parameter("a", "2").is_err());
    assert!(question().organization("o").expect("once").parameter("organization", "p").is_err());
    assert!(question().parameter("a", "").is_err());
    assert!(question().parameter("", "x").is_err());
    for reserved in ["Accept", "Content-Type", "content-length", "Host", "Transfer-Encoding", "Connection", "Expect"] {
        assert!(question().header(reserved, "x").is_err(), "{reserved}");
    }
    assert!(question().header("x-a", "1").expect("once").header("X-A", "2").is_err());
    assert!(question().header("x-a", "line\r\nbreak").is_err());
}

#[test]
fn the_password_grant_is_not_offered() {
    assert!(question().grant_type("password").is_err());
    assert!(question().grant_type("").is_err());
    assert!(question().grant_type("two words").is_err());
}

#[test]
fn ri_01_to_ri_06_a_resource_is_an_absolute_uri_without_a_fragment() {
    for good in ["https://api.example.com/app/", "urn:example:api", "https://api.example.com/?a=1"] {
        assert!(question().resource(good).is_ok(), "{good}");
    }
    for bad in [
        "/api",
        "api.example.com",
        "",
        "https://api.example.com/#f",
        "https://api.example.com/#",
        "1a:b",
        "a:",
        "a:b c",
    ] {
        assert!(question().resource(bad).is_err(), "{bad}");
    }
    let two = question().resource("urn:a").and_then(|request| request.resource("urn:b")).expect("two");
    let http = two.encode(&Credentials::new("id", "s"), &Attempt::default()).expect("an HTTP request");
    assert!(String::from_utf8_lossy(http.body()).ends_with("resource=urn%3Aa&resource=urn%3Ab"));
    let again = two.resource("urn:a").expect("the same one");
    let again = again.encode(&Credentials::new("id", "s"), &Attempt::default()).expect("an HTTP request");
    assert_eq!(again.body(), http.body());
}

#[test]
fn a_token_endpoint_is_https_and_its_query_is_kept_byte_for_byte() {
    for bad in [
        "http://auth.example.com/t",
        "https://auth.example.com/t#f",
        "https://auth.example.com/t#",
        "https://u:p@auth.example.com/t",
        "https://u@auth.example.com/t",
        "ftp://auth.example.com/t",
        "auth.example.com/t",
        "/token",
        "",
        "https://auth.example.com:99999/t",
    ] {
        assert!(TokenRequest::new(bad).is_err(), "{bad}");
    }
    for good in ["http://127.0.0.1:1/t", "http://localhost/t", "http://[::1]:1/t"] {
        assert!(TokenRequest::new(good).is_ok(), "{good}");
    }
    let odd = "https://auth.example.com/t?a=%2f&&b=+%20&c";
    let http = TokenRequest::new(odd)
        .expect("a request")
        .encode(&Credentials::new("i", "s"), &Attempt::default())
        .expect("an HTTP request");
    assert_eq!(http.uri().to_string(), odd);
}

#[test]
fn a_source_can_be_stored_cloned_and_sent_anywhere_and_has_no_type_parameters() {
    fn anywhere<T: Clone + Send + Sync + 'static>() {}
    anywhere::<TokenSource>();
    anywhere::<TokenCache>();
    anywhere::<Credentials>();
    anywhere::<TokenRequest>();
    anywhere::<AccessToken>();
    anywhere::<Error>();
}
