use super::*;

#[test]
fn br_01_the_token_goes_into_the_header_and_nowhere_else() {
    let script = Script::new();
    script.token("mF_9.B5f-4.1JqM", 3600);
    let mut request = Request::get("https://api.example.com/resource").body(()).expect("a request");
    source(&script).authorize(&mut request).expect("a token");
    assert_eq!(request.headers()["authorization"], "Bearer mF_9.B5f-4.1JqM");
    assert!(request.headers()["authorization"].is_sensitive());
    assert_eq!(request.uri(), "https://api.example.com/resource");
}

#[test]
fn br_02_the_scheme_is_spelled_bearer_whatever_the_server_wrote() {
    let script = Script::new();
    script.json(200, r#"{"access_token":"t","token_type":"bEARER"}"#);
    assert_eq!(source(&script).token().expect("a token").header_value(), "Bearer t");
}

#[test]
fn br_07_plain_http_gets_no_token_and_none_is_fetched() {
    let script = Script::new();
    let mut request = Request::get("http://api.example.com/").body(()).expect("a request");
    let error = source(&script).authorize(&mut request).expect_err("refused");
    assert!(matches!(&error, Error::OriginNotAllowed(error) if error.origin() == "http://api.example.com"));
    assert!(request.headers().is_empty() && script.requests().is_empty());
}

#[test]
fn br_10_nothing_that_can_be_printed_shows_a_secret() {
    let script = Script::new();
    script.token("T0ken-text", 3600);
    script.json(401, r#"{"error":"invalid_client"}"#);
    let request = question()
        .header("x-api-key", "api-key-0815")
        .and_then(|request| request.parameter("assertion", "eyJ.eyJ.sig"))
        .expect("a request");
    let mut shown = format!("{request:?}");
    let builder =
        TokenSource::builder(Credentials::new("id", "s3cret"), request).transport(script.clone()).clock(script.clock());
    shown += &format!("{builder:?}");
    let source = builder.build().expect("a source");
    let mut request = get();
    let token = source.authorize(&mut request).expect("a token");
    let error = source.renew().expect_err("an error");
    shown += &format!("{source:?}{token:?}{request:?}{error:?}{error}{:?}{script:?}", source.inspect());
    for secret in ["s3cret", "T0ken-text", "aWQ6czNjcmV0", "api-key-0815", "eyJ.eyJ.sig"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn a_server_that_repeats_the_secret_does_not_make_it_show() {
    let basic = "aWQ6cy9jJTJCcj1ldA==";
    for credentials in [Credentials::new("id", "s/c+r=et"), Credentials::new("id", "s/c+r=et").in_body()] {
        for status in [400, 500, 200] {
            let script = Script::new();
            let body = serde_json::json!({
                "error": "bad s/c+r=et",
                "error_description": format!("got s/c+r=et, s%2Fc%2Br%3Det, Basic {basic}, a-long-assertion-value"),
                "error_uri": "https://auth.example.com/?s=s%2Fc%2Br%3Det",
            });
            script.json(status, &body.to_string());
            script.json(status, "client_secret=s%2Fc%2Br%3Det s/c+r=et");
            let request = question().parameter("assertion", "a-long-assertion-value").expect("a parameter");
            let source = TokenSource::builder(credentials.clone(), request)
                .transport(script.clone())
                .clock(script.clock())
                .retries(0)
                .build()
                .expect("a source");
            for _ in 0..2 {
                let error = source.token().expect_err("an error");
                let shown = format!("{error} {error:?}");
                for secret in ["s/c+r=et", "s%2Fc%2Br%3Det", "a-long-assertion-value"] {
                    assert!(!shown.contains(secret), "{shown}");
                }
                assert!(!shown.contains(basic) || script.requests()[0].headers().get("authorization").is_none());
                script.clock().advance(seconds(10));
            }
        }
    }
}

#[test]
fn a_secret_that_a_server_repeats_inside_json_does_not_show_either() {
    let script = Script::new();
    let body = serde_json::json!({ "message": "no client with secret quote\"back\\slash here" });
    script.json(500, &body.to_string());
    let source = TokenSource::builder(Credentials::new("id", "quote\"back\\slash"), question())
        .transport(script.clone())
        .clock(script.clock())
        .retries(0)
        .build()
        .expect("a source");
    let error = source.token().expect_err("an error").to_string();
    assert!(error.contains("no client with secret [redacted] here"), "{error}");
}

#[test]
fn an_excerpt_is_no_shorter_for_a_long_secret() {
    let script = Script::new();
    script.json(500, &"x".repeat(1000));
    let source = TokenSource::builder(Credentials::new("id", "s".repeat(100)), question())
        .transport(script.clone())
        .clock(script.clock())
        .retries(0)
        .build()
        .expect("a source");
    let error = source.token().expect_err("an error").to_string();
    assert!(error.contains(&("x".repeat(256) + "...")), "{error}");
}

/// What the program reads if the token endpoint repeats `said` in its description of an error.
fn told(credentials: Credentials, request: TokenRequest, said: &str) -> String {
    let script = Script::new();
    let body = serde_json::json!({ "error": "invalid_request", "error_description": format!("bad {said} here") });
    script.json(400, &body.to_string());
    let source = TokenSource::builder(credentials, request).transport(script.clone()).clock(script.clock());
    source.build().expect("a source").token().expect_err("an error").to_string()
}

#[test]
fn a_proof_in_a_header_of_ones_own_does_not_show_if_the_server_repeats_it() {
    let request = question().header("authorization", "JWT eyJ.eyJ.sig").expect("a header");
    let error = told(Credentials::none(), request, "eyJ.eyJ.sig");
    assert!(error.contains("bad [redacted] here"), "{error}");

    // The password of HTTP Basic alone.
    let request = question().header("authorization", "Basic dXNlcjpodW50ZXIyaHVudGVyMg==").expect("a header");
    let error = told(Credentials::none(), request, "hunter2hunter2");
    assert!(error.contains("bad [redacted] here"), "{error}");

    // Without a scheme, with two spaces, of two words.
    for proof in ["0123456789abcdef", "Own  0123456789abcdef", "Own someone 0123456789abcdef"] {
        let request = question().header("authorization", proof).expect("a header");
        for repeated in [proof, "0123456789abcdef"] {
            let error = told(Credentials::none(), request.clone(), repeated);
            assert!(error.contains("[redacted]") && !error.contains("0123456789abcdef"), "{error}");
        }
    }
}

#[test]
fn a_parameter_of_8_characters_counts_as_a_secret_and_a_shorter_one_can_be_read() {
    for (value, shown) in [("01234567", "[redacted]"), ("0123456", "0123456")] {
        let request = question().parameter("tenant", value).expect("a parameter");
        let error = told(Credentials::new("id", "s3cret"), request, value);
        assert!(error.contains(&format!("bad {shown} here")), "{error}");
    }
}

#[test]
fn any_header_and_the_query_of_the_endpoint_count_as_secrets() {
    let request = TokenRequest::new("https://auth.example.com/token?code=key%2fof+mine&v=1&keyonly8")
        .and_then(|request| request.header("x-api-key", "Key ä/of+the&gateway"))
        .and_then(|request| request.header("x-short", "short"))
        .expect("a request")
        .audience("https://api.example.com");
    for repeated in [
        "Key ä/of+the&gateway",
        "ä/of+the&gateway",
        "%C3%A4%2Fof%2Bthe%26gateway",
        "code=key%2fof+mine&v=1&keyonly8",
        "key%2fof+mine",
        "key/of mine",
        "keyonly8",
    ] {
        let error = told(Credentials::new("id", "s3cret"), request.clone(), repeated);
        assert!(error.contains("bad [redacted] here"), "{error}");
    }
    for repeated in ["short", "v=1", "code="] {
        let error = told(Credentials::new("id", "s3cret"), request.clone(), repeated);
        assert!(error.contains(&format!("bad {repeated} here")), "{error}");
    }
}

#[test]
fn a_basic_value_does_not_show_whatever_alphabet_and_padding_the_server_uses() {
    // Too short to be hidden alone.
    let credentials = Credentials::new("my>client", "s?cret").basic_encoding(client_credentials::BasicEncoding::Raw);
    for repeated in ["bXk+Y2xpZW50OnM/Y3JldA==", "bXk-Y2xpZW50OnM_Y3JldA", "my>client:s?cret", "my%3Eclient%3As%3Fcret"]
    {
        let error = told(credentials.clone(), question(), repeated);
        assert!(error.contains("bad [redacted]"), "{error}");
    }
    // A header of one's own, whose password the server repeats.
    let request = question().header("authorization", "Basic bWU6cGFzc3dvcmQvb2YrbWluZQ==").expect("a header");
    let error = told(Credentials::none(), request, "me:password%2Fof%2Bmine");
    assert!(error.contains("bad [redacted] here"), "{error}");
}

#[test]
fn scopes_audience_and_client_id_can_be_read_in_an_error() {
    let request = question().scope("items:read:everything").expect("a scope");
    for repeated in ["items:read:everything", "client-of-the-month"] {
        let error = told(Credentials::new("client-of-the-month", "s3cret"), request.clone(), repeated);
        assert!(error.contains(&format!("bad {repeated} here")), "{error}");
    }
}

#[test]
fn a_token_that_comes_beside_an_error_does_not_show_in_it() {
    let script = Script::new();
    script.json(
        200,
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","error":"denied","error_description":"not 2YotnFZFEjr1zCsicMWpAA"}"#,
    );
    let source = TokenSource::builder(Credentials::new("id", "s3cret"), question()).transport(script.clone());
    let error = source.clock(script.clock()).build().expect("a source").token().expect_err("an error").to_string();
    assert!(error.contains("\"not [redacted]\""), "{error}");
}
