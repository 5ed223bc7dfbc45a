//! The rows of `tests/vectors/keys.jsonl` and `key_files.jsonl`, and what holds for every key.

#[path = "../../tests/signed/mod.rs"]
mod signed;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::algorithm::{Algorithm, Kind};
use super::{SigningKey, jwt};

pub(super) fn rows(kind: &str) -> Vec<Value> {
    let files = [include_str!("../../tests/vectors/keys.jsonl"), include_str!("../../tests/vectors/key_files.jsonl")];
    let rows = files.iter().flat_map(|file| file.lines());
    let rows = rows.map(|line| serde_json::from_str::<Value>(line).expect("a vector is JSON"));
    rows.filter(|row| row["kind"] == kind).collect()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_else(|| panic!("{name} of {row}"))
}

fn base64(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().expect("Base64")).expect("Base64")
}

/// Whether the private key of this JWK has signed the JWS.
pub(super) fn verifies(jwk: &Value, algorithm: &str, jws: &str) -> bool {
    let (message, signature) = jws.rsplit_once('.').expect("three parts");
    signed::is_valid(jwk, algorithm, message.as_bytes(), &base64(&signature.into()))
}

fn public_jwk(key: &SigningKey) -> Value {
    serde_json::from_str(&key.public_jwk().expect("a public key")).expect("JSON")
}

pub(super) fn thumbprint(key: &SigningKey) -> String {
    key.identity().0.expect("a thumbprint").to_string()
}

#[test]
fn every_jws_line_of_keys_jsonl() {
    let (mut signed, mut verified, mut refused) = (0, 0, 0);
    for row in rows("jws") {
        let (algorithm, header, payload) = (text(&row, "alg"), text(&row, "header"), text(&row, "payload"));
        let jwk = &row["jwk"];
        let pems = row["pem"].as_object().into_iter().flatten();
        let mut keys: Vec<_> = pems.map(|(_, pem)| SigningKey::from_pem(pem.as_str().expect("PEM"))).collect();
        if algorithm == "HS256" {
            let secret = row["secret"].as_str().map_or_else(|| base64(&jwk["k"]), |secret| secret.as_bytes().to_vec());
            keys.push(SigningKey::shared(&secret));
        } else {
            keys.push(SigningKey::from_jwk(&jwk.to_string()));
        }
        if algorithm == "ES512" {
            for key in keys {
                let error = key.expect_err("an error").to_string();
                assert!(error.contains("ES512, which is not supported"), "{error}");
                refused += 1;
            }
            continue;
        }
        if jwk.get("d").is_none() && jwk.get("k").is_none() {
            assert!(keys.remove(0).expect_err("an error").to_string().contains("a public key"));
            assert!(verifies(jwk, algorithm, text(&row, "jws")), "{row}");
            verified += 1;
        }
        for key in keys {
            let mut key = key.expect("a key");
            if let Some(algorithm) = Algorithm::from_name(algorithm) {
                key = key.algorithm(algorithm).expect("an algorithm of this key");
            }
            let jws = jwt::compact(header.as_bytes(), payload.as_bytes(), &key).expect("a signature");
            let jws = jws.secret();
            if row["deterministic"] == true {
                assert_eq!(jws, text(&row, "jws"));
            } else {
                assert!(verifies(jwk, algorithm, jws) && verifies(jwk, algorithm, text(&row, "jws")), "{row}");
                let (message, _) = jws.rsplit_once('.').expect("three parts");
                assert!(text(&row, "jws").starts_with(message), "{row}");
            }
            signed += 1;
        }
    }
    assert_eq!((signed, verified, refused), (39, 3, 3));
}

/// The forms that one text takes on its way through variables, editors and configuration.
fn forms(pem: &str) -> Vec<String> {
    let lines: Vec<&str> = pem.lines().collect();
    if !pem.contains("-----BEGIN ") {
        return vec![pem.to_owned(), format!("\u{feff}{pem}\r\n"), format!("\"{pem}\"")];
    }
    vec![
        pem.to_owned(),
        pem.trim().to_owned(),
        lines.join("\r\n"),
        lines.join("\\n"),
        lines.join("\\r\\n"),
        lines.join("\\\\n"),
        lines.join(" "),
        lines.concat(),
        format!("\"{}\"", lines.join("\\n")),
        format!("'{pem}'"),
        format!("\u{feff}{pem}"),
        format!("KEY={pem}\nOTHER=x"),
        lines.iter().map(|line| format!("    {line}  \n")).collect(),
    ]
}

#[test]
fn every_key_file_line_in_each_form_is_read_or_refused_with_its_remedy() {
    let remedies = |id: &str| match id {
        "KV-KEY-20" => vec!["openssl pkey -in KEY -out PLAIN"],
        "KV-KEY-22" => vec!["P-521", "ES512, which is not supported"],
        "KV-KEY-23" => vec!["secp256k1", "not P-256"],
        "KV-KEY-24" => vec!["1024 bits", "2048"],
        "KV-KEY-26" => vec!["openssl ec -in KEY | openssl pkcs8 -topk8 -nocrypt -out KEY2"],
        "KV-KEY-28" => vec!["a certificate and no key"],
        "KV-KEY-29" => vec!["not PEM"],
        "KV-KEY-31" => vec!["Ed448"],
        _ => panic!("{id}: what is its remedy?"),
    };
    let (mut read, mut refused) = (0, 0);
    for row in rows("key_file") {
        let (id, pem) = (text(&row, "id"), text(&row, "pem"));
        // Such a key is read, which the row leaves open.
        let expected = if id == "KV-KEY-25" { Some("RSA-PSS 2048") } else { row["key"].as_str() };
        let mut thumbprints = Vec::new();
        for form in forms(pem) {
            match (SigningKey::from_pem(&form), expected) {
                (Ok(key), Some(expected)) => {
                    assert_eq!(name(&key), expected, "{id}");
                    thumbprints.push(thumbprint(&key));
                    read += 1;
                }
                (Err(error), None) => {
                    let says = row["says"].as_array().map(|says| says.iter().filter_map(Value::as_str).collect());
                    for remedy in says.unwrap_or_else(|| remedies(id)) {
                        assert!(error.to_string().contains(remedy), "{id}: {error} does not say {remedy}");
                    }
                    refused += 1;
                }
                (Ok(_), None) => panic!("{id} was read"),
                (Err(error), Some(_)) => panic!("{id}: {error}\n{form}"),
            }
        }
        thumbprints.dedup();
        assert!(thumbprints.len() < 2, "{id}: forms differ");
    }
    assert_eq!((read, refused), (13 * (9 + 10), 13 * (7 + 22) + 3 * (1 + 4)));
}

fn name(key: &SigningKey) -> String {
    let public = key.public.as_ref().expect("a public key");
    let bits = || base64(&public_jwk(key)["n"]).len() * 8;
    match public.kind {
        Kind::Rsa => format!("RSA {}", bits()),
        Kind::RsaPss => format!("RSA-PSS {}", bits()),
        Kind::P256 => "P-256".to_owned(),
        Kind::P384 => "P-384".to_owned(),
        Kind::Ed25519 => "Ed25519".to_owned(),
    }
}

#[test]
fn every_public_jwk_line_of_keys_jsonl() {
    let rows = rows("public_jwk");
    for row in &rows {
        for pem in row["pem"].as_object().expect("PEM").values() {
            let key = SigningKey::from_pem(pem.as_str().expect("PEM")).expect("a key").key_id("k");
            let mut jwk = public_jwk(&key);
            let jwk = jwk.as_object_mut().expect("an object");
            assert_eq!(jwk.remove("kid"), Some("k".into()));
            assert_eq!(jwk.remove("use"), Some("sig".into()));
            assert_eq!(jwk.remove("alg"), Some(key.algorithm_name().into()));
            assert_eq!(Some(&*jwk), row["jwk"].as_object(), "{row}");
            assert_eq!(thumbprint(&key), text(row, "thumbprint"), "{row}");
        }
    }
    assert_eq!(rows.len(), 3);
}

/// DPoP is not there yet.
#[test]
fn every_line_of_keys_jsonl_is_of_a_kind_that_a_test_reads() {
    let kinds =
        ["jws", "thumbprint", "public_jwk", "ecdsa_der", "x5t", "google_key_file", "github_app", "clock_offset"];
    let tested: usize = kinds.iter().map(|kind| rows(kind).len()).sum();
    let waiting: usize = ["ath", "htu"].iter().map(|kind| rows(kind).len()).sum();
    let files = rows("key_file").len() - include_str!("../../tests/vectors/key_files.jsonl").lines().count();
    assert_eq!((tested + files, waiting), (59, 7));
    assert_eq!(include_str!("../../tests/vectors/keys.jsonl").lines().count(), 66);
}
