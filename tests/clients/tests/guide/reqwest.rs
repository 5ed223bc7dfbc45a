use std::io::Read as _;

use client_credentials::{Attempt, Credentials, TokenRequest, TokenSource};
use client_credentials::{TransportError, TransportErrorKind};
use reqwest::blocking::{Client, Request, Response};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Sends a token request, and reads the answer within the limits.
fn transport(
    client: &Client,
    request: http::Request<Vec<u8>>,
    attempt: &Attempt,
) -> Result<http::Response<Vec<u8>>, TransportError> {
    let failed = |error: reqwest::Error| {
        let kind = match &error {
            error if error.is_timeout() => TransportErrorKind::Timeout,
            error if error.is_connect() => TransportErrorKind::Connect,
            _ => TransportErrorKind::Other,
        };
        TransportError::new(kind, error)
    };
    let mut request = Request::try_from(request).map_err(failed)?;
    *request.timeout_mut() = Some(attempt.timeout);
    let response = client.execute(request).map_err(failed)?;
    let mut answer = http::Response::new(Vec::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    let mut body = response.take(attempt.max_body as u64 + 1);
    body.read_to_end(answer.body_mut())
        .map_err(|error| TransportError::new(TransportErrorKind::Other, error))?;
    Ok(answer)
}

/// Sends an API request with a token, and once more after a 401 if another token may help.
fn execute(
    source: &TokenSource,
    client: &Client,
    mut request: Request,
) -> Result<Response, Failure> {
    let (method, mut uri) = (request.method().clone(), request.url().as_str().parse()?);
    let mut call = source.prepare().authorize_parts(&method, &uri, request.headers_mut())?;
    loop {
        let mut headers = request.headers().clone();
        let copy = request.try_clone();
        call.replayable(copy.is_some());
        let answer = client.execute(request)?;
        let (status, said) = (answer.status(), answer.headers());
        let again = call.retry_parts(&method, &mut uri, &mut headers, status, said);
        request = match copy {
            Some(copy) if again => copy,
            _ => return Ok(answer),
        };
        *request.headers_mut() = headers;
    }
}

fn items(client: &Client, request: TokenRequest, url: &str) -> Result<String, Failure> {
    let credentials = Credentials::new("my-client", "s3cret");
    let sender = client.clone();
    let source = TokenSource::builder(credentials, request)
        .transport(move |request: http::Request<Vec<u8>>, attempt: &Attempt| {
            transport(&sender, request, attempt)
        })
        .build()?;
    let answer = execute(&source, client, client.get(url).build()?)?;
    Ok(answer.error_for_status()?.text()?)
}

fn main() -> Result<(), Failure> {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let request = TokenRequest::new("https://auth.example.com/token")?
        .audience("https://api.example.com");
    println!("{}", items(&client, request, "https://api.example.com/v1/items")?);
    Ok(())
}
