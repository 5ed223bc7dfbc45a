//! A client certificate for the token request (RFC 8705 section 2). ureq panics at the first connection
//! if rustls cannot use it, so it is checked before.

use client_credentials::UreqTransport;

const KEY: &str = include_str!("key.pem");
const CERTIFICATE: &str = include_str!("version3.pem");

fn read(pem: &str) -> Result<UreqTransport, String> {
    UreqTransport::with_client_certificate(pem).map_err(|error| {
        let text = error.to_string();
        text.strip_prefix("UreqTransport::with_client_certificate: ").expect("the method").to_owned()
    })
}

#[test]
fn certificate_and_key_are_read_from_one_text_in_any_order_and_form() {
    for text in [
        format!("{KEY}{CERTIFICATE}"),
        format!("{CERTIFICATE}{KEY}"),
        format!("{CERTIFICATE}{KEY}").replace('\n', "\\n"),
        format!("\"{CERTIFICATE}{KEY}\"").replace('\n', "\r\n"),
    ] {
        read(&text).expect("a transport");
    }
    assert!(!format!("{:?}", read(&format!("{KEY}{CERTIFICATE}")).expect("a transport")).contains("MIGH"));
}

#[test]
fn what_would_make_ureq_panic_is_an_error() {
    let version_1 = format!("{KEY}{}", include_str!("version1.pem"));
    assert_eq!(
        read(&version_1).expect_err("an error"),
        "the certificate or its key cannot be used for TLS (invalid peer certificate: Other(OtherError(UnsupportedCertVersion))); \
         rustls takes X.509 certificates of version 3 with an RSA, P-256, P-384 or Ed25519 key"
    );
    let another = include_str!("../vectors/keys.jsonl").lines().find_map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).expect("a vector is JSON");
        (row["id"] == "KV-KEY-01").then(|| row["pem"].as_str().expect("PEM").to_owned())
    });
    let another = another.expect("a row");
    let error = read(&format!("{another}{CERTIFICATE}")).expect_err("an error");
    assert!(error.starts_with("the certificate belongs to another key"), "{error}");
}

#[test]
fn what_is_missing_or_cannot_be_used_is_named() {
    for (text, says) in [
        (KEY.to_owned(), "has no certificate in PEM"),
        (CERTIFICATE.to_owned(), "a certificate and no key"),
        (String::from("client.pem"), "is it the name of a file?"),
        (format!("{CERTIFICATE}{}", KEY.replace("PRIVATE", "ENCRYPTED PRIVATE")), "openssl pkey -in KEY -out PLAIN"),
        (format!("{CERTIFICATE}{KEY}{KEY}"), "more than one private key"),
    ] {
        let error = read(&text).expect_err("an error");
        assert!(error.contains(says), "{error}");
    }
}
