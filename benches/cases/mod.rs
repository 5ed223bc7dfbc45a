//! What is measured: each case and, beside it, its limit, which is the least work that gives the caller the same.
#![allow(dead_code, reason = "each bench uses its part")]

pub mod hot;
pub mod keys;
pub mod server;
pub mod wire;

use serde::Deserialize;

/// A token of this length, with the characters of a JWT.
pub fn token(length: usize) -> String {
    "eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCJ9.".chars().cycle().take(length).collect()
}

/// The answer of a token endpoint.
pub fn answer(token: &str) -> String {
    format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600,"scope":"read write"}}"#)
}

/// The least that reads such an answer: no copy, no check beyond JSON.
#[derive(Deserialize)]
pub struct Answer<'a> {
    pub access_token: &'a str,
    pub token_type: &'a str,
    pub expires_in: u64,
    pub scope: &'a str,
}
