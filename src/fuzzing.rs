//! What the fuzz targets need beside the public API, until token requests send assertions. Only with
//! `--cfg fuzzing`, which cargo-fuzz sets. Imports `signing`.

use std::time::{Duration, UNIX_EPOCH};

use crate::signing::assertion::{Assertion, Defaults};
use crate::signing::der;

/// Turns an ECDSA signature in DER into R and S.
pub fn ecdsa_raw(der: &[u8], size: usize) -> Option<Vec<u8>> {
    der::ecdsa_raw(der, size)
}

/// Signs an assertion of this client for this server at this time. `None` if the key fails.
pub fn sign(assertion: &Assertion, client_id: &str, audience: &str, seconds: u64, jti: &[u8; 16]) -> Option<String> {
    let defaults = Defaults { client_id: Some(client_id), authenticates: true, audience: Some(audience) };
    let jwt = assertion.sign(defaults, UNIX_EPOCH + Duration::from_secs(seconds), jti);
    jwt.ok().map(|jwt| jwt.secret().to_owned())
}
