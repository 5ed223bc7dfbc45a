//! The vector files that can be checked through the public API. The other files are read by unit tests: `basic`,
//! `token_request_body`, `retry_after`, `www_authenticate`, `keys` and `key_files` beside the code that obeys them.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use client_credentials::test_util::Script;
use client_credentials::{
    AccessToken, Attempt, Clock, Credentials, Error, EventKind, Moment, ProtocolErrorKind, SystemClock, TokenRequest,
    TokenSource,
};
use serde_json::Value;

fn rows(file: &str, expected: usize) -> Vec<Value> {
    let rows: Vec<Value> = file.lines().map(|line| serde_json::from_str(line).expect("a vector is JSON")).collect();
    assert_eq!(rows.len(), expected);
    rows
}

/// Tests have the ids of the scenarios in their names. What is not built yet has none.
#[test]
fn every_scenario_of_bearer_tokens_refusals_and_expiry_has_a_test() {
    let mut names = String::new();
    for folder in ["src", "tests"] {
        read_tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut names);
    }
    // A token in the body or in the URL.
    let not_built = ["br_03", "br_04", "br_05", "br_06"];
    let ids =
        include_str!("vectors/scenarios.md").lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let ids: Vec<String> = ids.map(|id| id.to_lowercase().replace('-', "_")).collect();
    let built = |id: &&String| ["br_", "st_", "ex_"].iter().any(|kind| id.starts_with(kind));
    let ids: Vec<&String> = ids.iter().filter(built).filter(|id| !not_built.contains(&id.as_str())).collect();
    assert_eq!(ids.len(), 6 + 22 + 7);
    for id in ids {
        assert!(names.contains(&format!("{id}_")), "no test has {id} in its name");
    }
}

/// Collects the lines that begin a function.
fn read_tests(folder: &Path, names: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_tests(&path, names);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a text");
            names.extend(text.lines().filter(|line| line.trim_start().starts_with("fn ")));
        }
    }
}

fn request() -> TokenRequest {
    TokenRequest::new("https://auth.example.com/token").expect("a request")
}

fn response(row: &Value) -> http::Response<Vec<u8>> {
    let status = u16::try_from(row["status"].as_u64().expect("a status")).expect("a status");
    let mut builder = http::Response::builder()
        .status(status)
        .header("content-type", row["content_type"].as_str().expect("a content type"));
    for (name, value) in row["headers"].as_object().into_iter().flatten() {
        builder = builder.header(name, value.as_str().expect("a header"));
    }
    builder.body(row["body"].as_str().expect("a body").into()).expect("a response")
}

/// The moment that the vectors' dates are seen from.
fn sent_at() -> Moment {
    Moment::new(SystemClock.now().monotonic(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

/// The words of the vectors for our variants.
fn name(error: &Error) -> (&'static str, Option<String>) {
    match error {
        Error::Denied(denied) if denied.code().is_some() => ("OAuthError", denied.code().map(str::to_owned)),
        Error::Denied(_) => ("HttpStatus", None),
        Error::Protocol(error) => match error.kind() {
            ProtocolErrorKind::MalformedResponse => ("MalformedResponse", None),
            ProtocolErrorKind::MissingAccessToken => ("MissingAccessToken", None),
            ProtocolErrorKind::InvalidAccessToken => ("InvalidAccessToken", None),
            ProtocolErrorKind::UnsupportedTokenType(name) => ("UnsupportedTokenType", Some(name.clone())),
            ProtocolErrorKind::DuplicateMember(_) => ("DuplicateMember", None),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn check_error(error: &Error, row: &Value) {
    let out = &row["out"];
    let (kind, word) = name(error);
    assert_eq!(kind, out["err"], "{row}");
    for expected in [&out["code"], &out["token_type"]] {
        assert!(expected.is_null() || expected.as_str() == word.as_deref(), "{row}");
    }
    if let Error::Denied(denied) = error {
        assert_eq!(denied.status(), row["status"], "{row}");
        assert!(out["retryable"].is_null() || error.is_retryable() == out["retryable"], "{row}");
        assert_eq!(error.retry_after().map(|delay| delay.as_secs()), out["retry_after_s"].as_u64(), "{row}");
        assert_eq!(denied.description(), out["description"].as_str().or(denied.description()), "{row}");
        assert_eq!(denied.uri(), out["uri"].as_str().or(denied.uri()), "{row}");
    }
    let shown = error.to_string();
    assert!(!shown.chars().any(char::is_control), "control characters are escaped: {shown:?}");
}

#[test]
fn every_line_of_token_response_jsonl() {
    for row in rows(include_str!("vectors/token_response.jsonl"), 47) {
        if row["out"]["err"] == "TokenTypeDowngrade" {
            // The same body as TR-36 under a setting, DPoP required, that does not exist yet.
            continue;
        }
        let result = request().decode(&response(&row), sent_at());
        let expected = &row["out"]["ok"];
        match result {
            Ok(token) => {
                assert_eq!(token.secret(), expected["access_token"], "{row}");
                assert_eq!(token.header_value().to_str().expect("ASCII"), format!("Bearer {}", token.secret()));
                assert!(token.header_value().is_sensitive());
                let seconds = token.expires_in().map(|lifetime| lifetime.as_secs());
                if expected["expires_in"] == "CLAMPED" {
                    assert!(seconds.is_some_and(|seconds| seconds >= 86_400), "{row}");
                } else {
                    assert_eq!(seconds, expected["expires_in"].as_u64(), "{row}");
                }
                let scope = token.scope().map_or(Value::Null, |scope| scope.split_whitespace().collect());
                assert_eq!(scope, expected["scope"], "{row}");
            }
            Err(error) => check_error(&error, &row),
        }
    }
}

#[test]
fn d5_an_alias_makes_a_vendors_token_type_mean_bearer() {
    let mut seen = 0;
    for row in rows(include_str!("vectors/token_response.jsonl"), 47) {
        if let Some(alias) = row["out"]["token_type"].as_str() {
            let token = request().token_type_alias(alias.to_uppercase()).decode(&response(&row), sent_at());
            assert!(token.expect("an alias").header_value().to_str().expect("ASCII").starts_with("Bearer "));
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn every_line_of_error_response_jsonl() {
    for row in rows(include_str!("vectors/error_response.jsonl"), 28) {
        let error = request().decode(&response(&row), sent_at()).expect_err("an error");
        if row["out"]["err"] == "DpopNonceRequired" {
            assert_eq!(name(&error), ("OAuthError", Some("use_dpop_nonce".into())), "DPoP is off: {row}");
        } else {
            check_error(&error, &row);
        }
    }
}

#[test]
fn every_line_of_scope_jsonl() {
    for row in rows(include_str!("vectors/scope.jsonl"), 28) {
        let scope = row["scope"].as_str().expect("a scope");
        assert_eq!(request().scope(scope).is_ok(), row["valid"], "{row}");
    }
}

/// D3: the vectors draw the line of `b64token`; ours is visible ASCII, because real tokens are wider.
#[test]
fn every_line_of_b64token_jsonl() {
    for row in rows(include_str!("vectors/b64token.jsonl"), 13) {
        let value = row["value"].as_str().expect("a value");
        let body = serde_json::json!({ "access_token": value }).to_string();
        let accepted = request().decode(&http::Response::new(body), sent_at()).is_ok();
        let visible = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
        assert_eq!(accepted, visible, "{row}");
        assert!(accepted || row["b64token"] == false, "whatever is a b64token is accepted: {row}");
    }
}

#[test]
fn d3_visible_ascii_ends_before_the_space_and_before_the_delete_character() {
    for (value, is_visible) in [(" ", false), ("!", true), ("~", true), ("\u{7f}", false), ("\u{80}", false)] {
        let body = serde_json::json!({ "access_token": format!("t{value}") }).to_string();
        let token = request().decode(&http::Response::new(body), sent_at());
        assert_eq!(token.is_ok(), is_visible, "{value:?}");
    }
}

#[test]
fn every_body_that_this_crate_can_ask_for_is_built_from_its_setters() {
    for row in rows(include_str!("vectors/token_request_body.jsonl"), 14) {
        let pairs: Vec<(&str, &str)> = row["pairs"]
            .as_array()
            .expect("pairs")
            .iter()
            .map(|pair| (pair[0].as_str().expect("a name"), pair[1].as_str().expect("a value")))
            .collect();
        let value = |wanted| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        // BD-08 has no client id, which is sent beside an assertion here; BD-11 is not a token request.
        let Some(grant) = value("grant_type").filter(|_| value("client_assertion").is_none()) else { continue };
        let mut request = request().grant_type(grant).expect("a grant");
        let credentials = match (value("client_id"), value("client_secret")) {
            (Some(id), Some(secret)) => Credentials::new(id, secret).in_body(),
            (Some(id), None) => Credentials::public(id),
            _ if grant == "client_credentials" => Credentials::new("id", "by Basic"),
            _ => Credentials::none(),
        };
        for &(name, value) in &pairs {
            request = match name {
                "grant_type" | "client_id" | "client_secret" => request,
                "scope" => request.scope(value).expect("a scope"),
                "audience" => request.audience(value),
                "organization" => request.organization(value).expect("an organization"),
                "resource" => request.resource(value).expect("a resource"),
                name => request.parameter(name, value).expect("a parameter"),
            };
        }
        // The parameters of client authentication come last here; the vectors do not mix them with others.
        let http = request.encode(&credentials, &Attempt::default()).expect("an HTTP request");
        assert_eq!(String::from_utf8_lossy(http.body()), row["body"].as_str().expect("a body"), "{row}");
        assert_eq!(http.method(), http::Method::POST);
        assert_eq!(http.headers()["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(http.headers()["accept"], "application/json");
    }
}

#[test]
fn d7_a_member_that_decides_about_the_token_may_not_stand_there_twice() {
    let token = r#""access_token":"t""#;
    for twice in [
        r#""token_type":"Bearer","token_type":"Bearer""#,
        r#""expires_in":1,"expires_in":2"#,
        r#""scope":"a","scope":"b""#,
        r#""error":null,"error":null"#,
        token,
    ] {
        let body = format!("{{{token},{twice}}}");
        let error = request().decode(&http::Response::new(body), sent_at()).expect_err("refused");
        assert_eq!(name(&error).0, "DuplicateMember", "{twice}");
    }
    let other = format!(r#"{{{token},"x":1,"x":2}}"#);
    assert!(request().decode(&http::Response::new(other), sent_at()).is_ok());
}

fn form(body: &str) -> http::Response<&str> {
    let answer = http::Response::builder().header("content-type", "application/x-www-form-urlencoded");
    answer.body(body).expect("a response")
}

#[test]
fn d7_a_form_may_not_contain_twice_what_decides_about_the_token() {
    for twice in ["access_token=t&access_token=t", "access_token=t&expires_in=1&expires_in=2"] {
        let error = request().decode(&form(twice), sent_at()).expect_err("refused");
        assert_eq!(name(&error).0, "DuplicateMember", "{twice}");
    }
    assert!(request().decode(&form("access_token=t&x=1&x=2"), sent_at()).is_ok());
}

#[test]
fn nothing_counts_that_was_read_before_the_json_broke_off() {
    let error = request().decode(&form(r#"{"access_token":"t","x":"#), sent_at()).expect_err("no token");
    assert_eq!(name(&error).0, "MissingAccessToken");
    let broken = http::Response::builder().status(401).body(r#"{"error":"invalid_client","x":"#).expect("a response");
    let error = request().decode(&broken, sent_at()).expect_err("refused");
    assert_eq!(name(&error), ("HttpStatus", None));
}

#[test]
fn d8_an_error_beside_a_token_counts_only_if_it_is_a_word() {
    for harmless in [r#""""#, "null", "{}", "false", "0"] {
        let body = format!(r#"{{"access_token":"t","error":{harmless}}}"#);
        assert!(request().decode(&http::Response::new(body), sent_at()).is_ok(), "{harmless}");
    }
}

#[test]
fn expires_in_is_read_in_every_shape_that_real_servers_write() {
    for (value, seconds) in [
        ("60", 60),
        (r#""60""#, 60),
        ("60.9", 60),
        (r#""60.9""#, 60),
        ("6e1", 60),
        ("1e300", u64::MAX),
        ("18446744073709551616", u64::MAX),
    ] {
        assert_eq!(decoded("expires_in", value).expires_in(), Some(Duration::from_secs(seconds)), "{value}");
    }
}

#[test]
fn ex_04_d6_what_is_no_lifetime_counts_as_missing_and_is_said() {
    for (value, said) in [
        ("0", "0"),
        ("0.4", "0"),
        (r#""0""#, "0"),
        ("-1", "a negative number"),
        (r#""-1""#, "a negative number"),
        (r#""""#, "an empty string"),
        (r#""2027-01-01T00:00:00Z""#, "not a number"),
        (r#""soon""#, "not a number"),
        (r#""1 h""#, "not a number"),
        (r#""inf""#, "not a number"),
        (r#""\ud800""#, "not a number"),
        ("true", "not a number"),
        ("[3600]", "not a number"),
        ("{}", "not a number"),
        ("1e999", "not a number"),
    ] {
        let token = decoded("expires_in", value);
        assert_eq!((token.secret(), token.expires_in()), ("t", None), "{value}");
        let script = Script::new();
        script.json(200, &format!(r#"{{"access_token":"t","expires_in":{value}}}"#));
        let told = Arc::new(Mutex::new(Vec::new()));
        let hook = Arc::clone(&told);
        let source = TokenSource::builder(Credentials::new("id", "s"), request().audience("https://api.example.com"))
            .transport(script.clone())
            .clock(script.clock())
            .on_event(move |event| {
                if let EventKind::LifetimeIgnored { found, .. } = event.kind {
                    hook.lock().expect("a list").push(format!("{found}; {event}"));
                }
            })
            .build()
            .expect("a source");
        source.token().expect("a token");
        assert_eq!(source.inspect().expires_in, Some(Duration::from_secs(300)), "{value}");
        source.token().expect("a token");
        assert_eq!(script.requests().len(), 1, "{value}");
        let line = "id at auth.example.com: the lifetime of the token is";
        assert_eq!(
            *told.lock().expect("a list"),
            [format!("{said}; {line} {said}, so TokenSourceBuilder::fallback_lifetime counts instead")]
        );
    }
    assert_eq!(decoded("expires_in", "null").expires_in(), None);
}

/// RFC 6749 section 5.1: "The client MUST ignore unrecognized value names in the response."
#[test]
fn unknown_members_are_ignored_whatever_is_odd_about_them() {
    let deep = "[".repeat(500) + &"]".repeat(500);
    for odd in ["1e999", "-1e999", r#""\ud800""#, r#""\udc00 x""#, r#"{"a":[{"b":1e999}]}"#, r#"{"\ud800":1}"#, &deep] {
        let body = format!(r#"{{"odd":{odd},"access_token":"t","instance":"x","expires_in":60}}"#);
        let token = request().decode(&http::Response::new(body), sent_at()).expect(odd);
        assert_eq!((token.secret(), token.expires_in()), ("t", Some(Duration::from_secs(60))), "{odd}");
        assert_eq!(token.member("instance").and_then(Value::as_str), Some("x"), "{odd}");
        assert_eq!(token.member("odd"), None, "{odd}");
    }
    for name in [r#""\ud800""#, r#""\udfff\ud800""#] {
        let body = format!(r#"{{{name}:1,"access_token":"t"}}"#);
        assert!(request().decode(&http::Response::new(body), sent_at()).is_ok(), "{name}");
    }
    // What is not JSON stays an error, and the rules for deciding members hold.
    for bad in [r#""\u12""#, "1e", "01", "nul", "{", "\"\u{1}\""] {
        let body = format!(r#"{{"access_token":"t","odd":1e999,"bad":{bad}}}"#);
        assert!(request().decode(&http::Response::new(body), sent_at()).is_err(), "{bad}");
    }
    for (members, kind) in [
        (r#""access_token":"t","access_token":"u""#, "DuplicateMember"),
        (r#""access_token":"\ud800""#, "InvalidAccessToken"),
        (r#""access_token":1e999"#, "InvalidAccessToken"),
        (r#""access_token":"t","token_type":"\ud800""#, "UnsupportedTokenType"),
        (r#""access_token":"t","token_type":1e999"#, "UnsupportedTokenType"),
        (r#""access_token":"t","error":"\ud800""#, "OAuthError"),
    ] {
        let body = format!(r#"{{{members},"odd":1e999}}"#);
        let error = request().decode(&http::Response::new(body), sent_at()).expect_err(members);
        assert_eq!(name(&error).0, kind, "{members}");
    }
    let body = r#"{"error":"invalid_client","error_description":"no \ud800 here","error_uri":1e999}"#;
    let answer = http::Response::builder().status(401).body(body).expect("a response");
    let Err(Error::Denied(denied)) = request().decode(&answer, sent_at()) else { panic!("not denied") };
    assert_eq!(denied.code(), Some("invalid_client"));
    assert!(denied.description().is_some_and(|text| text.starts_with("no ") && text.ends_with(" here")));
}

#[test]
fn d4_an_empty_token_type_counts_as_missing() {
    assert_eq!(decoded("token_type", r#""""#).header_value(), "Bearer t");
}

#[test]
fn an_error_code_in_errorcode_counts_only_if_it_is_an_oauth_code_and_there_is_no_error() {
    let refusal = |status: u16, body: &str| {
        let answer = http::Response::builder().status(status).body(body.to_owned()).expect("a response");
        match request().decode(&answer, sent_at()) {
            Err(Error::Denied(denied)) => {
                Some((denied.code().map(str::to_owned), denied.description().map(str::to_owned)))
            }
            _ => None,
        }
    };
    let code = |code: &str, said: Option<&str>| Some((Some(code.to_owned()), said.map(str::to_owned)));
    assert_eq!(
        refusal(400, r#"{"errorCode":"invalid_client","errorSummary":"No such client"}"#),
        code("invalid_client", Some("No such client"))
    );
    assert_eq!(refusal(401, r#"{"error":null,"errorCode":"invalid_client"}"#), code("invalid_client", None));
    assert_eq!(refusal(200, r#"{"errorCode":"invalid_scope"}"#), code("invalid_scope", None));
    assert_eq!(refusal(200, r#"{"access_token":"t","errorCode":"invalid_scope"}"#), None);
    for body in [
        r#"{"errorCode":"E0000047","errorSummary":"too many requests"}"#,
        r#"{"errorCode":1}"#,
        r#"{"error":{"code":1},"errorCode":"invalid_client"}"#,
        r#"{"error":"","errorCode":"invalid_client"}"#,
    ] {
        assert_eq!(refusal(400, body), Some((None, None)), "{body}");
    }
    assert_eq!(
        refusal(400, r#"{"error":"invalid_scope","errorCode":"invalid_client","errorSummary":"x"}"#),
        code("invalid_scope", None)
    );
}

/// Returns a token `t` that was read from an answer with this member beside it.
fn decoded(name: &str, value: &str) -> AccessToken {
    let body = format!(r#"{{"access_token":"t","{name}":{value}}}"#);
    request().decode(&http::Response::new(body), sent_at()).expect("a token")
}

#[test]
fn an_excerpt_is_short_escaped_and_only_of_answers_that_are_neither_good_nor_oauth() {
    let excerpt = |status: u16, body: &str| {
        let response = http::Response::builder().status(status).body(body.to_owned()).expect("a response");
        match request().decode(&response, sent_at()).expect_err("an error") {
            Error::Denied(denied) => denied.excerpt().map(str::to_owned),
            _ => None,
        }
    };
    assert_eq!(excerpt(502, "<html>\u{1b}[31m"), Some(r"<html>\x1b[31m".to_owned()));
    assert_eq!(excerpt(502, ""), None);
    assert_eq!(excerpt(400, r#"{"error":"invalid_scope"}"#), None);
    assert_eq!(excerpt(200, "<html>"), None);
    assert_eq!(excerpt(200, r#"{"error":"invalid_scope"}"#), None);
    assert_eq!(excerpt(500, &"x".repeat(256)), Some("x".repeat(256)));
    assert_eq!(excerpt(500, &"x".repeat(1000)), Some("x".repeat(256) + "..."));
}

#[test]
fn a_scope_may_come_as_an_array_and_what_is_no_scope_is_none() {
    let scope = |value: &str| {
        let body = format!(r#"{{"access_token":"t","scope":{value}}}"#);
        request().decode(&http::Response::new(body), sent_at()).expect("a token").scope().map(str::to_owned)
    };
    assert_eq!(scope(r#"["a","b c",1]"#), Some("a b c".to_owned()));
    assert_eq!(scope(r#"["a  b"," "]"#), Some("a b".to_owned()));
    assert_eq!(scope(r#"" a  b ""#), Some("a b".to_owned()));
    assert_eq!(scope("7"), None);
}

/// RFC 6749 section 4.4.3.
#[test]
fn a_refresh_token_is_never_kept_however_the_response_is_read() {
    let json = r#"{"access_token":"t","refresh_token":"r","instance":"x"}"#;
    let odd = r#"{"access_token":"t","refresh_token":"r","instance":"x","odd":1e999}"#;
    let elsewhere = request().token_member("access_token").expect("a name");
    for (request, answer) in [
        (&request(), http::Response::new(json)),
        (&request(), http::Response::new(odd)),
        (&elsewhere, http::Response::new(json)),
        (&request(), form("access_token=t&refresh_token=r&instance=x")),
    ] {
        let token = request.decode(&answer, sent_at()).expect("a token");
        let found = ["refresh_token", "instance"].map(|name| token.member(name).and_then(Value::as_str));
        assert_eq!(found, [None, Some("x")], "{answer:?}");
    }
}

#[test]
fn a_token_response_has_at_most_8192_values() {
    let decode = |more: usize| {
        let body = format!(r#"{{"access_token":"t","list":[0{}]}}"#, ",0".repeat(more));
        request().decode(&http::Response::new(body), sent_at())
    };
    // With the object, its two members and the first value of the list.
    assert!(decode(8192 - 3).is_ok());
    let error = decode(8192 - 2).expect_err("an error");
    assert!(matches!(&error, Error::Protocol(error) if *error.kind() == ProtocolErrorKind::MalformedResponse));

    let form = |members: usize| {
        let (name, value) = ("content-type", "application/x-www-form-urlencoded");
        let body = format!("access_token=t{}", "&a=0".repeat(members - 1));
        request().decode(&http::Response::builder().header(name, value).body(body).expect("a response"), sent_at())
    };
    assert!(form(8193).is_ok());
    assert!(form(8194).is_err());
}

#[test]
fn a_token_response_is_utf_8_to_its_last_member() {
    for member in ["refresh_token", "more", "scope"] {
        let body = [format!(r#"{{"access_token":"t","{member}":""#).as_bytes(), b"\xa3\"}"].concat();
        assert!(request().decode(&http::Response::new(body), sent_at()).is_err(), "{member}");
    }
}
