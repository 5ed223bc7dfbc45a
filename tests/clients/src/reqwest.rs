//! An adapter for `reqwest::blocking`. Its requests have the types of the `http` crate, except for
//! the URL.

use std::io::{self, ErrorKind};
use std::mem;
use std::time::Duration;

use client_credentials::TokenSource;
use http::Uri;
use reqwest::blocking::{Body, Client, Request, Response};
use reqwest::redirect::Policy;

/// An error of `client_credentials` if there was no token, or one of reqwest.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Sends a request with a token. The timeout of the request includes the wait for the token. That
/// of the client cannot be read, so it limits each attempt by itself.
///
/// The client must have the redirect policy [`redirects`].
pub fn execute(source: &TokenSource, client: &Client, mut request: Request) -> Result<Response, Failure> {
    let method = request.method().clone();
    let mut uri: Uri = request.url().as_str().parse()?;
    let mut headers = mem::take(request.headers_mut());
    let mut prepared = source.prepare();
    if let Some(limit) = request.timeout() {
        prepared = prepared.within(*limit).limited_by("the timeout of the request");
    }
    let mut call = prepared.authorize_parts(&method, &uri, &mut headers)?;

    // What reqwest keeps in memory can be sent again at no cost, a reader cannot. A limit of 0
    // means that nothing but safe methods is sent again.
    let limit = source.replay_limit();
    let fits = |body: &Body| body.as_bytes().is_some_and(|bytes| bytes.len() <= limit);
    let is_replayable = request.body().is_none_or(fits) && (limit > 0 || method.is_safe());
    call.replayable(is_replayable);

    let mut refusal = None;
    loop {
        let copy = if is_replayable { request.try_clone() } else { None };
        *request.headers_mut() = headers.clone();
        *request.timeout_mut() = call.time_left();
        let result = match call.time_left() {
            // reqwest might send the request all the same.
            Some(Duration::ZERO) => Err(io::Error::from(ErrorKind::TimedOut).into()),
            _ => client.execute(request).map_err(Failure::from),
        };
        let response = match result {
            Ok(response) => response,
            Err(error) => return refusal.filter(|_| method.is_safe()).ok_or(error),
        };
        // Not compared as URLs: only that of the request may have a fragment.
        let answered_by: Uri = response.url().as_str().parse()?;
        if answered_by != uri {
            call.answered_by(&answered_by);
        }
        let again = call.retry_parts(&method, &mut uri, &mut headers, response.status(), response.headers());
        match copy {
            Some(copy) if again => {
                request = copy;
                // Where a redirect led.
                if uri == answered_by {
                    *request.url_mut() = response.url().clone();
                }
            }
            _ => return Ok(response),
        }
        refusal = Some(response);
    }
}

/// Follows redirects as reqwest does by default, but returns one that leads back to a URL of the
/// same call.
///
/// Such a redirect leaves no trace in the answer. It often follows a POST that was applied, which
/// must not be sent again after a 401.
pub fn redirects() -> Policy {
    Policy::custom(|attempt| {
        if attempt.previous().contains(attempt.url()) { attempt.stop() } else { Policy::default().redirect(attempt) }
    })
}
