//! The same tokens under another HTTP client, here `minreq`:
//! `cargo run --example any_client -- --help`
//!
//! Nothing in here needs ureq: use this crate with `default-features = false`. For https, `minreq`
//! needs one of its features, such as `https`.

mod common;

use std::io::{ErrorKind, Read as _};
use std::process::ExitCode;
use std::time::Duration;

use client_credentials::{Attempt, TokenRequest, TokenSource, TransportError, TransportErrorKind};
use common::{Args, Failure, Usage, say};

const HELP: &str = "\
Calls an API by GET, and prints its answers.

Usage: any_client [OPTIONS] URL...

  --token-endpoint URL       [env: TOKEN_ENDPOINT]
  --client-id ID             [env: CLIENT_ID]
  --client-secret-file FILE  holds the secret
                             [or the secret itself in env: CLIENT_SECRET]
  --scope SCOPES
  --timeout SECONDS          for a token, and for an answer [default: 30]
";

/// The largest answer of the API that is read.
const LARGEST: usize = 10 << 20;

fn main() -> ExitCode {
    common::run(HELP, program)
}

fn program(args: Args) -> Result<(), Failure> {
    let credentials = args.credentials()?;
    let mut request = TokenRequest::new(&args.token_endpoint()?)?;
    if let Some(scope) = args.optional("scope")? {
        request = request.scope(&scope)?;
    }
    let timeout = Duration::from_secs(args.number("timeout", 30)? as u64);
    let urls = args.words;
    if urls.is_empty() {
        return Err(Usage::new("which URL?").into());
    }
    for url in &urls {
        request = request.allow_origin(url)?;
    }

    // A closure is a transport.
    let transport =
        |request: http::Request<Vec<u8>>, attempt: &Attempt| send(&request, attempt.timeout, attempt.max_body);
    let source = TokenSource::builder(credentials, request).transport(transport).timeout(timeout).build()?;

    for url in &urls {
        let mut request = http::Request::get(url).body(Vec::new())?;
        let mut call = source.call(&mut request)?;
        let mut response = send(&request, timeout, LARGEST)?;
        // After a 401 that another token may help, and only once.
        while call.retry(&mut request, &response) {
            response = send(&request, timeout, LARGEST)?;
        }
        let body = String::from_utf8_lossy(response.body());
        if !response.status().is_success() {
            return Err(format!("{url}: {}: {}", response.status(), body.escape_debug()).into());
        }
        say(body)?;
    }
    Ok(())
}

/// One exchange through `minreq`, the way a [`client_credentials::Transport`] must do it: every
/// status is an answer, no redirect is followed, and the limits hold.
fn send(
    request: &http::Request<Vec<u8>>,
    timeout: Duration,
    largest: usize,
) -> Result<http::Response<Vec<u8>>, TransportError> {
    let other = |cause: &str| TransportError::new(TransportErrorKind::Other, cause);
    let method = minreq::Method::Custom(request.method().to_string());
    // `minreq` counts whole seconds, and has one limit for connecting and all that follows.
    let seconds = timeout.as_secs_f64().round() as u64;
    if seconds == 0 {
        return Err(TransportError::new(TransportErrorKind::Timeout, "less than a second is left"));
    }
    let mut call =
        minreq::Request::new(method, request.uri().to_string()).with_follow_redirects(false).with_timeout(seconds);
    for (name, value) in request.headers() {
        let value = value.to_str().map_err(|_| other("a header is not ASCII"))?;
        call = call.with_header(name.as_str(), value);
    }
    if !request.body().is_empty() {
        call = call.with_body(request.body().as_slice());
    }

    let mut answer = call.send_lazy().map_err(failure)?;
    let mut body = Vec::new();
    let read = (&mut answer).take(largest as u64 + 1).read_to_end(&mut body);
    read.map_err(|error| failure(minreq::Error::IoError(error)))?;
    if body.len() > largest {
        return Err(TransportError::new(TransportErrorKind::BodyTooLarge, format!("more than {largest} bytes")));
    }
    let mut response = http::Response::builder().status(answer.status_code);
    for (name, value) in &answer.headers {
        // `minreq` takes the end of the connection for the end of the body.
        if name.eq_ignore_ascii_case("content-length") && value.trim().parse() != Ok(body.len()) {
            return Err(other("the answer was cut short"));
        }
        response = response.header(name.as_str(), value.trim());
    }
    response.body(body).map_err(|error| TransportError::new(TransportErrorKind::Other, error))
}

/// Which failures are worth a retry: that is what the kind decides.
fn failure(error: minreq::Error) -> TransportError {
    match error {
        minreq::Error::IoError(error) => {
            let kind = match error.kind() {
                ErrorKind::TimedOut => TransportErrorKind::Timeout,
                ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                    TransportErrorKind::Connect
                }
                _ => TransportErrorKind::Other,
            };
            TransportError::new(kind, error)
        }
        minreq::Error::AddressNotFound => TransportError::new(TransportErrorKind::Connect, error),
        _ => TransportError::new(TransportErrorKind::Other, error),
    }
}
