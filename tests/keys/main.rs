//! Proof without a shared secret: assertions that are signed here or come from elsewhere (RFC 7521, RFC
//! 7523), against token endpoints that verify the signature. A clock set by hand, no network.

mod assertion;
#[cfg(all(feature = "ureq", feature = "rustls"))]
mod client_certificate;
mod clock;
mod elsewhere;
mod grants;
mod identity;
mod refusal;
mod self_signed;
#[path = "../signed/mod.rs"]
mod signed;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client_credentials::test_util::Script;
use client_credentials::{
    Assertion, Attempt, Clock as _, Credentials, Error, EventKind, Secret, SigningKey, TokenCache, TokenRequest,
    TokenSource, TokenSourceBuilder,
};
use http::{Request, Response};
use serde_json::Value;
use signed::unix;

const ENDPOINT: &str = "https://auth.example.com/token";

fn question() -> TokenRequest {
    TokenRequest::new(ENDPOINT).expect("a request").audience("https://api.example.com")
}

fn key() -> SigningKey {
    SigningKey::generate().expect("a key")
}

fn with_key(key: &SigningKey) -> Credentials {
    Credentials::with_key("my-client", key.clone())
}

fn builder(credentials: Credentials, script: &Script) -> TokenSourceBuilder {
    TokenSource::builder(credentials, question()).transport(script.clone()).clock(script.clock())
}

/// The parameters of a token request.
fn form(request: &Request<Vec<u8>>) -> HashMap<String, String> {
    form_urlencoded::parse(request.body()).into_owned().collect()
}

/// The header and the claims of a JWT, if this key has signed it.
fn verified(jwt: &str, key: &SigningKey) -> Option<(Value, Value)> {
    signed::verified(jwt, &key.public_jwk().expect("a public key"))
}

fn claims(jwt: &str, key: &SigningKey) -> Value {
    verified(jwt, key).expect("a signature of this key").1
}

fn answer(status: u16, body: &str) -> Response<Vec<u8>> {
    Response::builder().status(status).body(body.as_bytes().to_vec()).expect("a response")
}

fn token(text: &str) -> Response<Vec<u8>> {
    answer(200, &format!(r#"{{"access_token":"{text}","token_type":"Bearer","expires_in":3600}}"#))
}
