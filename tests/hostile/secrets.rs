//! Where the secret goes, and whether it comes back: `check` looks at the error of every row of the other files, here the
//! server repeats what it was sent, or says what it should not.

use super::*;

#[test]
fn d15_redirects_of_the_token_endpoint_are_not_followed_wherever_they_point() {
    let (server, other) = (TokenServer::start().unwrap(), TokenServer::start().unwrap());
    let (address, elsewhere) = (server.address(), other.address());
    let locations = [
        format!("http://{elsewhere}/token"),
        format!("//{elsewhere}/token"),
        format!("https://{elsewhere}/token"),
        format!("http://{address}@{elsewhere}/token"),
        format!("http://localhost:{}/token", elsewhere.port()),
        format!("http://{address}/elsewhere"),
        String::from("/elsewhere"),
        String::from("?again"),
        String::from("http://["),
        String::new(),
    ];
    let mut asked = 0;
    for status in [301, 302, 303, 307, 308] {
        for location in &locations {
            for credentials in [Credentials::new(CLIENT, SECRET), Credentials::new(CLIENT, SECRET).in_body()] {
                server.next(Behaviour::redirect(status, location));
                let request = TokenRequest::new(&server.url()).unwrap().audience(API);
                let result = TokenSource::new(credentials, request).unwrap().token();
                expect(location, &result, &End::Denied(status, None, false));
                assert!(result.unwrap_err().to_string().contains("redirects are never followed"), "{location}");
                asked += 1;
                assert_eq!((server.requests().len(), other.connections()), (asked, 0), "{status} to {location:?}");
            }
        }
    }
}

#[test]
fn secrets_that_the_server_repeats_do_not_show_in_errors() {
    for (form, hidden) in forms(SECRET) {
        let rows = [
            ("error_description", format!(r#"{{"error":"invalid_client","error_description":"bad: {hidden}"}}"#)),
            ("error_uri", format!(r#"{{"error":"invalid_client","error_uri":"/help?{hidden}"}}"#)),
            ("error", format!(r#"{{"error":"no_{hidden}"}}"#)),
            ("JSON that is no error of OAuth", format!(r#"{{"message":"{hidden}"}}"#)),
            ("HTML", format!("<pre>{hidden}</pre>")),
        ];
        for (place, body) in rows {
            assert_hides(&format!("{form} in {place}"), SECRET, &Behaviour::json(400, &body));
        }
    }
}

#[test]
fn a_secret_that_the_server_repeats_percent_encoded_in_lower_case_does_not_show_in_errors() {
    let encoded = SECRET.replace('/', "%2f").replace('+', "%2b").replace('&', "%26").replace('=', "%3d");
    let server = TokenServer::start().unwrap();
    server.next(answer(400, "text/html", &format!("<pre>client_secret={encoded}</pre>")));
    let error = source(&server, 0).token().unwrap_err();
    assert!(!error.to_string().contains(&encoded), "{error}");
}

#[test]
fn a_secret_at_the_end_of_an_excerpt_does_not_show_in_part() {
    for filler in 200..=256 {
        let body = format!("{}{SECRET}", ".".repeat(filler));
        assert_hides(&format!("after {filler} bytes"), &SECRET[..8], &answer(500, "text/html", &body));
    }
}

#[test]
fn a_secret_with_quotes_and_backslashes_does_not_show_in_an_excerpt() {
    let secret = r#"pass"word\\with'marks"#;
    let server = TokenServer::start().unwrap();
    for body in [secret.to_owned(), serde_json::Value::from(secret).to_string()] {
        server.next(answer(500, "text/html", &body));
        let request = TokenRequest::new(&server.url()).unwrap().audience(API);
        let source =
            TokenSource::builder(Credentials::new(CLIENT, secret), request).transport(UreqTransport::new()).retries(0);
        let error = source.build().unwrap().token().unwrap_err().to_string();
        assert!(!(error.contains("pass") && error.contains("marks")), "{error}");
    }
}

#[test]
fn a_token_in_an_answer_that_is_no_success_does_not_show_in_errors() {
    for status in [300, 302, 400, 401, 403, 429, 500, 503] {
        assert_hides(&format!("JSON, status {status}"), TOKEN, &Behaviour::json(status, &token_json("")));
        let form = format!("token_type=bearer&access_token={TOKEN}");
        let form = answer(status, "application/x-www-form-urlencoded", &form);
        assert_hides(&format!("form, status {status}"), TOKEN, &form);
    }
}

#[test]
fn a_secret_that_the_server_repeats_as_token_type_does_not_show_in_errors() {
    let row = |token_type: &str| json(&format!(r#"{{"access_token":"x","token_type":{token_type}}}"#));
    assert_hides("the secret as token_type", SECRET, &row(&format!("\"{SECRET}\"")));
    assert_hides("the token in token_type", TOKEN, &row(&token_json("")));
}

#[test]
fn however_long_the_text_of_a_server_an_error_stays_short() {
    let long = "x".repeat(100_000);
    for behaviour in [
        Behaviour::json(400, &format!(r#"{{"error":"{long}","error_description":"{long}"}}"#)),
        json(&format!(r#"{{"access_token":"x","token_type":"{long}"}}"#)),
        answer(500, "text/html", &long),
    ] {
        let server = TokenServer::start().unwrap();
        server.next(behaviour);
        let error = source(&server, 0).token().unwrap_err();
        assert!(error.to_string().len() < 1024, "{error}");
    }
}

/// What is made of a secret on the way to the server.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let encoded: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let minimal = secret.replace('%', "%25").replace('+', "%2B").replace('&', "%26");
    let basic = STANDARD.encode(format!("{CLIENT}:{minimal}"));
    vec![("as it is", secret.to_owned()), ("form-encoded", encoded), ("the Basic value", basic)]
}

fn assert_hides(name: &str, hidden: &str, behaviour: &Behaviour) {
    let server = TokenServer::start().unwrap();
    server.always(behaviour.clone());
    let error = source(&server, 0).token().expect_err(name);
    assert_tells_nothing(name, &error);
    let text = format!("{error} {error:?}");
    for (form, hidden) in forms(hidden) {
        assert!(!text.contains(&hidden), "{name}: {hidden:?} ({form}) in {error}");
    }
}
