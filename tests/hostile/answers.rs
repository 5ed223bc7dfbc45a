//! What the token server says.

use std::time::SystemTime;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn every_status_of_the_menu_is_an_answer() {
    let row = |name, status, retryable| (name, html(status), End::Denied(status, None, retryable));
    run(vec![
        ("200", good(), End::Token(Some(3600))),
        ("201, which is a success too", answer(201, "application/json", &token_json("")), End::Token(None)),
        ("204", http::Response::builder().status(204).body("").unwrap().into(), malformed(204)),
        row("300", 300, false),
        row("301", 301, false),
        row("302", 302, false),
        row("303", 303, false),
        row("304", 304, false),
        row("307", 307, false),
        row("308", 308, false),
        row("400", 400, false),
        row("401", 401, false),
        row("403", 403, false),
        row("404", 404, false),
        row("405", 405, false),
        row("407", 407, false),
        row("408", 408, true),
        row("418", 418, false),
        row("429", 429, true),
        row("500", 500, true),
        row("502", 502, true),
        row("503", 503, true),
        row("504", 504, true),
        row("599", 599, true),
        row("600, which is no class of status", 600, false),
        row("999", 999, false),
        error_row("400 invalid_scope", 400, "invalid_scope", false),
        error_row("401 invalid_client", 401, "invalid_client", false),
        error_row("403 access_denied", 403, "access_denied", false),
        error_row("503 temporarily_unavailable", 503, "temporarily_unavailable", true),
        error_row("d8: 200 with an error", 200, "invalid_client", false),
        error_row("d8: 200 server_error", 200, "server_error", true),
        (
            "d8: 200 with a token and an error",
            json(&token_json(r#","error":"slow_down""#)),
            End::Denied(200, Some("slow_down"), false),
        ),
        ("d8: an empty error is none", json(&token_json(r#","error":"""#)), End::Token(None)),
        ("an error that is an object is none", json(&token_json(r#","error":{"code":1}"#)), End::Token(None)),
    ]);
}

#[test]
fn d6_every_odd_expires_in_is_read_or_counts_as_missing() {
    let row = |name, value: &str, end| (name, json(&token_json(&format!(r#","expires_in":{value}"#))), end);
    run(vec![
        row("a string", r#""3600""#, End::Token(Some(3600))),
        row("a string with a fraction", r#""3599.9""#, End::Token(Some(3599))),
        row("a fraction", "3599.9", End::Token(Some(3599))),
        row("an exponent", "36e2", End::Token(Some(3600))),
        row("0", "0", End::Token(None)),
        row("negative", "-1", End::Token(None)),
        row("a negative string", r#""-3600""#, End::Token(None)),
        row("huge", "18446744073709551616", End::Token(Some(u64::MAX))),
        row("huge, with an exponent", "1e300", End::Token(Some(u64::MAX))),
        row("beyond every float", "1e999", End::Token(None)),
        row("null is missing", "null", End::Token(None)),
        row("true", "true", End::Token(None)),
        row("a word", r#""soon""#, End::Token(None)),
        row("an empty string", r#""""#, End::Token(None)),
        row("infinity", r#""inf""#, End::Token(None)),
        row("a list", "[3600]", End::Token(None)),
        ("d6: missing", json(&token_json("")), End::Token(None)),
    ]);
}

#[test]
fn d4_d5_every_odd_token_type_is_read_or_refused() {
    let row = |name, token_type: &str, end| {
        (name, json(&format!(r#"{{"access_token":"{TOKEN}","token_type":{token_type}}}"#)), end)
    };
    let unsupported = |name: &str| protocol(ProtocolErrorKind::UnsupportedTokenType(name.to_owned()));
    run(vec![
        ("d4: missing", json(&format!(r#"{{"access_token":"{TOKEN}"}}"#)), End::Token(None)),
        row("d4: null", "null", End::Token(None)),
        row("another case", r#""bEARER""#, End::Token(None)),
        row("d5: mac", r#""mac""#, unsupported("mac")),
        row("d5: N_A", r#""N_A""#, unsupported("N_A")),
        row("d5: BearerToken", r#""BearerToken""#, unsupported("BearerToken")),
        row("DPoP, a downgrade in reverse", r#""DPoP""#, unsupported("DPoP")),
        row("d4: empty", r#""""#, End::Token(None)),
        row("a number", "1", unsupported("(not a string)")),
        row("header injection", r#""Bearer\r\nX: 1""#, unsupported("Bearer\r\nX: 1")),
    ]);
}

#[test]
fn every_odd_body_is_read_or_refused() {
    let form = format!("access_token={}&token_type=bearer&expires_in=60", TOKEN.replace('~', "%7E"));
    let bare = token_json("");
    let member = |value: &str| json(&format!(r#"{{"access_token":{value},"token_type":"Bearer"}}"#));
    let twice = |name, member: &str| {
        (name, json(&token_json(&format!(",{member},{member}"))), protocol(ProtocolErrorKind::DuplicateMember(name)))
    };
    let invalid = || protocol(ProtocolErrorKind::InvalidAccessToken);
    run(vec![
        ("HTML with a JSON content type", json("<!doctype html><title>Log in</title>"), malformed(200)),
        ("HTML", answer(200, "text/html", "<html>"), malformed(200)),
        ("JSON as text/plain", answer(200, "text/plain", &bare), End::Token(None)),
        ("JSON as HTML", answer(200, "text/html; charset=utf-8", &bare), End::Token(None)),
        (
            "JSON without a content type",
            raw(&format!("HTTP/1.1 200 OK\r\n\r\n{bare}")).then(Step::Close),
            End::Token(None),
        ),
        ("form-encoded", answer(200, "application/x-www-form-urlencoded", &form), End::Token(Some(60))),
        ("form-encoded with a JSON content type", json(&form), malformed(200)),
        ("JSON with a form content type", answer(200, "application/x-www-form-urlencoded", &bare), End::Token(None)),
        ("a byte order mark", json(&format!("\u{feff}{bare}")), End::Token(None)),
        ("two byte order marks", json(&format!("\u{feff}\u{feff}{bare}")), malformed(200)),
        ("d7: access_token twice", json(&token_json(r#","access_token":"x""#)), duplicate("access_token")),
        (
            "d7: access_token twice, once escaped",
            json(&token_json(r#","acc\u0065ss_token":"x""#)),
            duplicate("access_token"),
        ),
        (
            "d7: access_token twice in a form",
            answer(200, "application/x-www-form-urlencoded", &format!("{form}&access_token=x")),
            duplicate("access_token"),
        ),
        ("d7: token_type twice", json(&token_json(r#","token_type":"mac""#)), duplicate("token_type")),
        twice("expires_in", r#""expires_in":60"#),
        twice("scope", r#""scope":"read""#),
        twice("error", r#""error":"""#),
        ("d3: CR LF in the token", member(r#""a\r\nX-Evil: 1""#), invalid()),
        ("d3: NUL in the token", member(r#""a\u0000b""#), invalid()),
        ("d3: a raw NUL in the token", member("\"a\0b\""), malformed(200)),
        ("d3: non-ASCII in the token", member("\"a\u{e9}b\""), invalid()),
        ("d3: a space in the token", member(r#""a b""#), invalid()),
        ("d3: DEL in the token", member(r#""a\u007fb""#), invalid()),
        ("d3: an empty token", member(r#""""#), invalid()),
        ("a token that is a number", member("1"), invalid()),
        ("a token that is an object", member(r#"{"value":"x"}"#), invalid()),
        ("a token that is half a surrogate pair", member(r#""\ud800""#), invalid()),
        ("no token", json(r#"{"token_type":"Bearer"}"#), protocol(ProtocolErrorKind::MissingAccessToken)),
        ("no token but null", member("null"), protocol(ProtocolErrorKind::MissingAccessToken)),
        ("a token of 1 MiB", member(&format!("\"{}\"", "t".repeat(1 << 20))), too_large()),
        ("an empty body", json(""), malformed(200)),
        ("null", json("null"), malformed(200)),
        ("a list", json(&format!("[{bare}]")), malformed(200)),
        ("two documents", json(&format!("{bare}{bare}")), malformed(200)),
        ("half a document", json(&bare[..bare.len() / 2]), malformed(200)),
        (
            "a document too deep for a stack",
            json(&token_json(&format!(r#","x":{}"#, "[".repeat(100_000)))),
            malformed(200),
        ),
        ("bytes that are no UTF-8", http::Response::new(b"{\"access_token\":\"\xff\xfe\"}").into(), malformed(200)),
    ]);
}

#[test]
fn retry_after_in_every_form_is_reported_and_never_waited_for_beyond_the_deadline() {
    let date = |at: SystemTime| httpdate::fmt_http_date(at);
    let now = SystemClock.now().wall();
    let hours = |count: u32| Some(HOUR * count);
    let rows: Vec<(u16, String, Option<Duration>)> = vec![
        (429, "0".into(), Some(Duration::ZERO)),
        (429, "7".into(), Some(Duration::from_secs(7))),
        (503, "3600".into(), hours(1)),
        (503, "99999999999999999999999".into(), Some(Duration::from_secs(u64::MAX))),
        (503, date(now + HOUR), hours(1)),
        (503, date(now - HOUR), Some(Duration::ZERO)),
        (429, date(SystemTime::UNIX_EPOCH), Some(Duration::ZERO)),
        (503, "Fri, 31 Dec 9999 23:59:59 GMT".into(), Some(Duration::from_secs(u64::MAX))),
        (429, "-1".into(), None),
        (429, "1.5".into(), None),
        (429, "soon".into(), None),
        (429, "".into(), None),
        (302, "7".into(), Some(Duration::from_secs(7))),
    ];
    in_parallel(rows, |(status, value, expected)| {
        for retries in [0, 2] {
            let server = TokenServer::start().unwrap();
            let busy = http::Response::builder().status(status).header("retry-after", &value).body("").unwrap();
            server.always(busy);
            let source = source(&server, retries);
            let (result, took) = ask(&source);
            let error = result.expect_err(&value);
            assert!(took < at_most(PATIENCE), "{value}: {took:?}");
            let (got, expected) = (error.retry_after().map(|d| d.as_secs()), expected.map(|d| d.as_secs()));
            match (got, expected) {
                // Dates are whole seconds, and time goes on; the end of the year 9999 is far enough.
                (Some(got), Some(expected)) => {
                    assert!(
                        got <= expected && (got.saturating_add(3) >= expected || got > 200_000_000_000),
                        "{value}: {got}"
                    );
                }
                (got, expected) => assert_eq!(got, expected, "{value}"),
            }
            // Neither for long nor for the rest of time: a second call comes back at once, with the same.
            let asked = server.requests().len();
            assert!(asked <= 1 + retries as usize, "{value}");
            let (again, took) = ask(&source);
            assert_eq!(again.expect_err(&value).to_string(), error.to_string());
            assert!(took < at_most(PATIENCE) && server.requests().len() == asked, "{value}: {took:?}");
        }
    });
}
