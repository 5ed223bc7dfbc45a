//! An adapter for `minreq`. It has no types of the `http` crate, and its requests cannot be read.

use std::mem;
use std::time::Duration;

use client_credentials::TokenSource;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use minreq::Response;

/// An error of `client_credentials` if there was no token, one of minreq, or that a header is not
/// ASCII.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The reason phrase of the 503 that minreq makes up if the connection ends before an answer.
const NO_ANSWER: &str = "Server did not provide a status line";

/// Sends a request with a token; `limit` includes the wait for the token, and is rounded up to
/// whole seconds, because minreq counts these.
///
/// A redirect of a request with a token is returned, because minreq would take the token along, to
/// any host.
pub fn send(source: &TokenSource, limit: Option<Duration>, request: Request<Vec<u8>>) -> Result<Response, Failure> {
    let (mut parts, mut body) = request.into_parts();
    let mut prepared = source.prepare();
    if let Some(limit) = limit {
        prepared = prepared.within(limit).limited_by("the limit of the request");
    }
    let mut call = prepared.authorize_parts(&parts.method, &parts.uri, &mut parts.headers)?;

    // A limit of 0 means that nothing but safe methods is sent again.
    let limit = source.replay_limit();
    let is_replayable = body.len() <= limit && (limit > 0 || parts.method.is_safe());
    call.replayable(is_replayable);

    // minreq knows HEAD, whose answer has no body, only by its own name for it.
    let method = match parts.method {
        Method::HEAD => minreq::Method::Head,
        ref method => minreq::Method::Custom(method.to_string()),
    };
    let mut refusal = None;
    loop {
        let mut request = minreq::Request::new(method.clone(), parts.uri.to_string());
        if let Some(left) = call.time_left() {
            // Without any time left, minreq sends nothing.
            request = request.with_timeout(left.as_secs_f64().ceil() as u64);
        }
        if call.is_authorized() {
            request = request.with_follow_redirects(false);
        }
        // minreq adds the length of the body by itself.
        for (name, value) in parts.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
            request = request.with_header(name.as_str(), value.to_str()?);
        }
        let attempt = if is_replayable { body.clone() } else { mem::take(&mut body) };
        if !attempt.is_empty() {
            request = request.with_body(attempt);
        }
        let response = match request.send() {
            Ok(response) if response.reason_phrase != NO_ANSWER => response,
            result => {
                let failure = result.map_or_else(Failure::from, |_| NO_ANSWER.into());
                return refusal.filter(|_| parts.method.is_safe()).ok_or(failure);
            }
        };
        let status = StatusCode::from_u16(response.status_code)?;
        if !call.retry_parts(&parts.method, &mut parts.uri, &mut parts.headers, status, &headers(&response)) {
            return Ok(response);
        }
        refusal = Some(response);
    }
}

/// The headers of an answer, without those that are malformed.
fn headers(response: &Response) -> HeaderMap {
    let valid = |(name, value): &(String, String)| {
        Some((name.parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers.iter().filter_map(valid) {
        headers.append(name, value);
    }
    headers
}
