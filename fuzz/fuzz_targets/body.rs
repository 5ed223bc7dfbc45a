//! A token request built by any sequence of setters carries exactly what was put in.
//!
//! - as a form, read by the `form_urlencoded` parser and by a decoder of our own: these names and values, in this
//!   order, and every name once but for `resource`;
//! - as JSON: one object of strings with the same names, none twice; several `resource`s are an array;
//! - the endpoint is kept byte for byte (but for the case of the scheme, and `/` for no path), the method is POST, and
//!   the content type says what the body is;
//! - HTTP Basic, if that is the client authentication, decodes to the id and the secret, and neither is in the body;
//! - every header that was given stands there once, marked sensitive, and no other;
//! - a request that would carry two proofs of the client, or none where the grant needs one, is refused.
//!
//! Input: steps as `client_credentials_fuzz::model` reads them, between bytes 0xFF.

#![no_main]

use std::collections::BTreeMap;

use client_credentials::Attempt;
use client_credentials_fuzz::model::{Built, Proof};
use client_credentials_fuzz::reading::{base64_decoded, form_pairs, json_names, records};
use http::Request;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let mut built = Built::default();
    records(data).take(16).for_each(|step| built.step(step));
    let http = match built.request().encode(&built.credentials, &Attempt::default()) {
        Ok(http) => http,
        Err(error) => {
            assert!(!built.can_be_sent(), "{error}: {built:?}");
            return;
        }
    };
    assert!(built.can_be_sent(), "{built:?}");
    check_head(&built, &http);
    let expected = built.pairs();
    let names: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    for (at, name) in names.iter().enumerate() {
        assert!(*name == "resource" || !names[..at].contains(name), "{name} twice");
    }
    if built.question.json {
        check_json(http.body(), &expected);
    } else {
        let read: Vec<(String, String)> = form_urlencoded::parse(http.body()).into_owned().collect();
        assert_eq!(read, expected);
        assert_eq!(form_pairs(http.body()), expected);
        assert!(http.body().iter().all(|byte| byte.is_ascii_alphanumeric() || b"*-._%+&=".contains(byte)));
    }
});

fn check_head(built: &Built, http: &Request<Vec<u8>>) {
    assert_eq!(http.method(), "POST");
    // `http::Uri` writes the empty path as `/` here, not in `path_and_query`.
    assert_eq!(http.uri().to_string(), built.question.endpoint);
    assert_eq!(http.uri().query(), built.endpoint.split_once('?').map(|(_, query)| query));
    let content_type = if built.question.json { "application/json" } else { "application/x-www-form-urlencoded" };
    assert_eq!(http.headers()["content-type"], content_type);
    assert_eq!(http.headers()["accept"], "application/json");
    built.check_headers(http);
    if let Some((id, secret)) = &built.basic {
        let value = http.headers()["authorization"].as_bytes();
        let pair = base64_decoded(value.strip_prefix(b"Basic ").expect("Basic")).expect("base64");
        match &built.question.proof {
            Proof::Basic(wanted) => assert_eq!(&pair, wanted),
            _ => assert!(pair.starts_with(id.as_bytes()) && pair.len() >= id.len() + 1 + secret.len()),
        }
    }
}

fn check_json(body: &[u8], expected: &[(String, String)]) {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else { panic!("not an object") };
    assert_eq!(json_names(body).len(), object.len(), "a name twice");
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in expected {
        wanted.entry(name).or_default().push(value);
    }
    assert_eq!(object.len(), wanted.len());
    for (name, values) in wanted {
        let value = if values.len() == 1 { Value::from(values[0]) } else { Value::from(values) };
        assert_eq!(object.get(name), Some(&value), "{name}");
    }
}
