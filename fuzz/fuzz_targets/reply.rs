//! Any answer of a token server is read as this file reads it: the same token, or an error of the same kind.
//!
//! - a token comes only from a 2xx answer, whose body is an object (JSON; a form where the content type says so) with
//!   no `error` that is a non-empty string, and with none of the five deciding members twice;
//! - a token is 1*(%x21-7E), and its header is `Bearer ` and the token, marked sensitive;
//! - its lifetime is the one stated;
//! - an error prints as printable ASCII, at most 2,560 bytes of it, and never repeats a 2xx body that was not an error,
//!   nor a token that stands in its own `token_type`;
//! - reading twice gives the same.
//!
//! Input: a digit first: status, space, content type, line feed, body. Anything else first: the bytes choose the
//! members of an answer, so that most of it is well-formed.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use client_credentials::{AccessToken, Clock, Error, Moment, ProtocolErrorKind, SystemClock, TokenRequest};
use client_credentials_fuzz::escapes::{holds, is_in};
use client_credentials_fuzz::reading::{form_pairs, json_names};
use http::{HeaderValue, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

const LONGEST_MESSAGE: usize = 2560;
/// In the reading only: a type or a code that holds the token.
const HIDDEN: &str = "\0hidden";
const ALIAS: &str = "Application Access Token";

static REQUEST: LazyLock<TokenRequest> = LazyLock::new(|| {
    TokenRequest::new("https://auth.test:8443/token").expect("a good endpoint").token_type_alias(ALIAS)
});
static SENT_AT: LazyLock<Moment> = LazyLock::new(|| SystemClock.now());

fuzz_target!(|data: &[u8]| {
    let answer = if data.first().is_some_and(u8::is_ascii_digit) { written(data) } else { chosen(data).ok() };
    if let Some(answer) = answer {
        check(&answer);
    }
});

struct Answer {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Vec<u8>,
}

fn written(data: &[u8]) -> Option<Answer> {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (head, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let status = StatusCode::from_bytes(head.get(..3)?).ok()?;
    let content_type = head.get(4..).and_then(|value| HeaderValue::from_bytes(value).ok());
    Some(Answer { status, content_type, body: body.to_vec() })
}

fn chosen(data: &[u8]) -> Result<Answer> {
    let mut u = Unstructured::new(data);
    let status = match u.arbitrary::<u8>()? {
        0..=160 => 200,
        161..=180 => u.int_in_range(200..=299)?,
        181..=220 => *u.choose(&[301, 307, 400, 401, 403, 404, 408, 429, 500, 502, 503])?,
        _ => u.int_in_range(100..=999)?,
    };
    let types = ["application/json", "text/html", "application/x-www-form-urlencoded; charset=utf-8"];
    let content_type = *u.choose(&types)?;
    let form = content_type.ends_with("utf-8");
    let mut body = Vec::new();
    if u.ratio(1, 16)? {
        body.extend_from_slice(b"\xef\xbb\xbf");
    }
    let mut between = "{";
    while !u.is_empty() && body.len() < 512 {
        let (name, value) = (name(&mut u)?, value(&mut u)?);
        if form {
            let plain = |json: &str| serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned());
            let encoded = |json: &str| form_urlencoded::byte_serialize(plain(json).as_bytes()).collect::<String>();
            let separator = between.trim_start_matches('{');
            body.extend(format!("{separator}{}={}", encoded(&name), encoded(&value)).bytes());
            between = "&";
        } else {
            body.extend(format!("{between}{name}:{value}").bytes());
            between = if u.ratio(1, 8)? { " ,\n" } else { "," };
        }
    }
    if !form {
        body.extend_from_slice(if between == "{" { b"{}" } else { b"}" });
    }
    Ok(Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        content_type: Some(HeaderValue::from_static(content_type)),
        body,
    })
}

/// A name as JSON: often one that counts, sometimes with an escape in it.
fn name(u: &mut Unstructured<'_>) -> Result<String> {
    let names = [
        "\"access_token\"",
        "\"token_type\"",
        "\"expires_in\"",
        "\"scope\"",
        "\"error\"",
        "\"error_description\"",
        "\"error_uri\"",
        "\"scopes\"",
        "\"refresh_token\"",
        "\"\\u0061ccess_token\"",
        "\"erro\\u0072\"",
        "\"Access_Token\"",
        "\"access_token\\u0000\"",
    ];
    if u.ratio(7, 8)? { Ok((*u.choose(&names)?).to_owned()) } else { text(u) }
}

/// A value as JSON.
fn value(u: &mut Unstructured<'_>) -> Result<String> {
    let values = [
        "null",
        "true",
        "\"bearer\"",
        "\"BEARER\"",
        "\"application access token\"",
        "\"mac\"",
        "3600",
        "\"3600\"",
        "-1",
        "1.5",
        "1e3",
        "\"-2.5\"",
        "\"NaN\"",
        "18446744073709551615",
        "99999999999999999999999",
        "\"\"",
        "\"a b\"",
        "\"invalid_client\"",
        "\"server_error\"",
        "{\"access_token\":\"x\",\"error\":\"x\"}",
        "[\"a\",\"b c\",1]",
        "\"\\ud83d\\udd11\"",
        "\"\\r\\nX: y\"",
    ];
    match u.arbitrary::<u8>()? {
        0..=159 => Ok((*u.choose(&values)?).to_owned()),
        160..=199 => Ok(u.arbitrary::<u32>()?.to_string()),
        200..=209 => Ok(Value::from(u.arbitrary::<f64>()?).to_string()),
        210..=214 => Ok(Value::from("a".repeat(usize::from(u.arbitrary::<u16>()? % 1024))).to_string()),
        215..=235 => Ok(Value::from("0123456789abcdef!#%".repeat(usize::from(u.arbitrary::<u8>()? % 8))).to_string()),
        _ => text(u),
    }
}

fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let length = u.int_in_range(0..=24)?;
    Ok(Value::from(String::from_utf8_lossy(u.bytes(length.min(u.len()))?).into_owned()).to_string())
}

/// What this file reads in an answer.
#[derive(Debug, PartialEq)]
enum Reading {
    Token { text: String, lifetime: Option<u64>, scope: Option<String> },
    Denied { code: Option<String>, retryable: bool },
    Protocol(ProtocolErrorKind),
}

fn read(answer: &Answer) -> Reading {
    let (members, twice) = members(answer);
    let code = match members.as_ref().and_then(|members| members.get("error")) {
        Some(Value::String(code)) if !code.is_empty() && twice.is_empty() => Some(code.clone()),
        _ => None,
    };
    let status = answer.status.as_u16();
    let passing = matches!(code.as_deref(), Some("server_error" | "temporarily_unavailable"));
    let retryable = status == 408 || status == 429 || (500..600).contains(&status) || passing;
    let token = members.as_ref().and_then(|members| members.get("access_token")).and_then(Value::as_str);
    let code = code.map(|code| without(&code, token.unwrap_or_default()));
    if !(200..300).contains(&status) {
        return Reading::Denied { code, retryable };
    }
    let Some(members) = members else { return Reading::Protocol(ProtocolErrorKind::MalformedResponse) };
    if let Some(name) = twice.last() {
        return Reading::Protocol(ProtocolErrorKind::DuplicateMember(name));
    }
    if code.is_some() {
        return Reading::Denied { code, retryable };
    }
    let member = |name: &str| members.get(name).filter(|value| !value.is_null());
    let text = match member("access_token") {
        None => return Reading::Protocol(ProtocolErrorKind::MissingAccessToken),
        Some(Value::String(text)) if text.is_empty() => {
            return Reading::Protocol(ProtocolErrorKind::InvalidAccessToken);
        }
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Reading::Protocol(ProtocolErrorKind::InvalidAccessToken),
    };
    match member("token_type") {
        None => {}
        Some(Value::String(name)) if name.is_empty() => {}
        Some(Value::String(name)) if ["bearer", &ALIAS.to_lowercase()].contains(&&*name.to_ascii_lowercase()) => {}
        Some(other) => {
            let shown = other.as_str().map_or_else(|| String::from("(not a string)"), |name| without(name, &text));
            return Reading::Protocol(ProtocolErrorKind::UnsupportedTokenType(shown));
        }
    }
    let lifetime = member("expires_in").and_then(lifetime);
    if text.is_empty() || text.bytes().any(|byte| !(0x21..=0x7e).contains(&byte)) {
        return Reading::Protocol(ProtocolErrorKind::InvalidAccessToken);
    }
    let scope = member("scope").or(member("scopes")).and_then(Value::as_str).map(str::to_owned);
    Reading::Token { text, lifetime, scope }
}

/// A token that stands in its own type or in a code too is not shown, unless it is too short to be told from a word. What is shown
/// instead is the business of the target `redact`.
fn without(name: &str, token: &str) -> String {
    let is_it = |text: &[u8]| is_in(token, text);
    let hidden = token.chars().count() >= 8 && holds(name.as_bytes(), 2, &is_it);
    if hidden { String::from(HIDDEN) } else { name.to_owned() }
}

/// The members, each name with its last value, and the deciding names that stand there twice.
fn members(answer: &Answer) -> (Option<Map<String, Value>>, Vec<&'static str>) {
    let body = answer.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&answer.body);
    let essence = answer.content_type.as_ref().map(|value| {
        let text: String = value.as_bytes().iter().map(|&byte| char::from(byte)).collect();
        text.split(';').next().unwrap_or_default().trim_matches([' ', '\t']).to_ascii_lowercase()
    });
    let (members, names) = match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => (members, json_names(body)),
        _ if essence.as_deref() == Some("application/x-www-form-urlencoded") && !body.is_empty() => {
            let pairs = form_pairs(body);
            let names = pairs.iter().map(|(name, _)| name.clone()).collect();
            (pairs.into_iter().map(|(name, value)| (name, Value::from(value))).collect(), names)
        }
        _ => return (None, Vec::new()),
    };
    let mut twice = Vec::new();
    for (at, name) in names.iter().enumerate() {
        for known in ["access_token", "token_type", "expires_in", "scope", "error"] {
            if name == known && names[..at].contains(name) {
                twice.push(known);
            }
        }
    }
    (Some(members), twice)
}

/// Whole seconds, at least one; more than fits is what fits.
fn lifetime(value: &Value) -> Option<u64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        // Digits, points and minus signs: no exponents, no infinities.
        Value::String(text) if text.chars().all(|c| "0123456789.-".contains(c)) => text.clone(),
        _ => return None,
    };
    let seconds: f64 = text.parse().ok().filter(|seconds| *seconds >= 1.0)?;
    // Digits in a string are exact, and a float is not.
    let digits = text.split('.').next().filter(|_| value.is_string());
    Some(digits.map_or(seconds as u64, |digits| digits.parse().unwrap_or(u64::MAX)))
}

fn check(answer: &Answer) {
    let mut response = Response::new(&answer.body);
    *response.status_mut() = answer.status;
    if let Some(value) = &answer.content_type {
        response.headers_mut().insert("content-type", value.clone());
    }
    let first = REQUEST.decode(&response, *SENT_AT);
    let reading = read(answer);
    match (&first, &reading) {
        (Ok(token), Reading::Token { text, lifetime, scope }) => {
            check_token(token, text, scope.as_deref());
            assert_eq!(token.expires_in(), lifetime.map(Duration::from_secs), "lifetime");
        }
        (Err(Error::Denied(denied)), Reading::Denied { code, retryable }) => {
            match code.as_deref() {
                Some(HIDDEN) => assert!(denied.code().is_some_and(|code| code.contains("[redacted]"))),
                // A code that no Rust type can hold is shown with its escapes.
                None if may_be_odd(&answer.body) => {}
                code => assert_eq!(denied.code(), code),
            }
            assert_eq!(denied.status(), answer.status.as_u16());
            assert_eq!(first.as_ref().err().map(Error::is_retryable), Some(*retryable));
            assert!(denied.excerpt().is_none() || !answer.status.is_success(), "a 2xx body is shown");
        }
        // An unknown member that no Rust type can hold is ignored. `Value` cannot tell it from what is not JSON.
        (_, Reading::Protocol(ProtocolErrorKind::MalformedResponse)) if may_be_odd(&answer.body) => {}
        (Err(Error::Protocol(error)), Reading::Protocol(kind)) => {
            match (error.kind(), kind) {
                (ProtocolErrorKind::UnsupportedTokenType(shown), ProtocolErrorKind::UnsupportedTokenType(name))
                    if name == HIDDEN =>
                {
                    assert!(shown.contains("[redacted]"), "{shown}");
                }
                (got, expected) => assert_eq!(got, expected),
            }
            assert_eq!(error.status(), answer.status.as_u16());
            assert!(answer.status.is_success());
        }
        (got, _) => panic!("{got:?}, but the answer reads {reading:?}"),
    }
    if let Err(error) = &first {
        let message = error.to_string();
        assert!(message.len() <= LONGEST_MESSAGE, "{} bytes", message.len());
        assert!(message.bytes().all(|byte| matches!(byte, 0x20..=0x7e)), "{message:?}");
    }
    // Nothing here keeps anything: now and then is often enough.
    if answer.body.len().is_multiple_of(8) {
        let second = REQUEST.decode(&response, *SENT_AT);
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert_eq!(
            first.ok().map(|token| token.secret().to_owned()),
            second.ok().map(|token| token.secret().to_owned())
        );
    }
}

/// Whether the body may hold a number beyond `f64`, a lone surrogate, or lists in lists in lists.
fn may_be_odd(body: &[u8]) -> bool {
    let deep = body.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > 100;
    deep || body.windows(2).any(|two| two == b"\\u" || (two[0].is_ascii_digit() && matches!(two[1], b'e' | b'E')))
}

fn check_token(token: &AccessToken, text: &str, scope: Option<&str>) {
    assert_eq!(token.secret(), text);
    assert_eq!(token.header_value().as_bytes(), format!("Bearer {text}").as_bytes());
    assert!(token.header_value().is_sensitive());
    assert_eq!(token.sent_at(), *SENT_AT);
    for name in ["access_token", "refresh_token", "expires_in", "token_type"] {
        assert!(token.member(name).is_none(), "{name} is kept as a member");
    }
    if let Some(stated) = scope {
        let scopes: Vec<&str> = stated.split(' ').filter(|scope| !scope.is_empty()).collect();
        assert_eq!(token.scope(), Some(scopes.join(" ").as_str()));
    }
}
