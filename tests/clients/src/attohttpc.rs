//! An adapter for `attohttpc`, whose requests cannot be copied: it takes those of the `http` crate.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use attohttpc::body::{Body, BodyKind};
use attohttpc::{RequestBuilder, Response};
use client_credentials::{Call, TokenSource};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, Method, Request};

/// An error of `client_credentials` if there was no token, of attohttpc, or of reading the body.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Sends a request with a token; `limit` includes the wait for the token. `settings` are those of
/// attohttpc that each attempt gets.
///
/// A body within the replay limit is kept in memory to be sent again. A larger one is sent only
/// once, as it is read, and in chunks unless the request has a `Content-Length`.
pub fn send(
    source: &TokenSource,
    limit: Option<Duration>,
    request: Request<impl Read>,
    settings: impl Fn(RequestBuilder) -> RequestBuilder,
) -> Result<Response, Failure> {
    let (mut parts, body) = request.into_parts();
    let mut prepared = source.prepare();
    if let Some(limit) = limit {
        prepared = prepared.within(limit).limited_by("the limit of the request");
    }
    let mut call = prepared.authorize_parts(&parts.method, &parts.uri, &mut parts.headers)?;

    let length = parts.headers.get(CONTENT_LENGTH).map(|length| length.to_str()).transpose()?;
    let length = length.map(str::parse).transpose()?;
    let mut payload = Payload::new(body, length, source.replay_limit())?;
    // A limit of 0 means that nothing but safe methods is sent again.
    call.replayable(payload.is_whole && (source.replay_limit() > 0 || parts.method.is_safe()));

    // Starts an attempt, or the request that follows a redirect.
    let prepare = |call: &Call, url: &str, headers: &HeaderMap| {
        let mut builder = settings(RequestBuilder::try_new(parts.method.clone(), url)?);
        if let Some(left) = call.time_left() {
            // attohttpc might send the request all the same.
            if left.is_zero() {
                return Err(io::Error::from(ErrorKind::TimedOut).into());
            }
            builder = builder.timeout(left);
        }
        builder.headers_mut().extend(headers.clone());
        Ok::<_, Failure>(builder)
    };

    let mut refusal = None;
    loop {
        let result = prepare(&call, &parts.uri.to_string(), &parts.headers).and_then(|mut builder| {
            if call.is_authorized() {
                // attohttpc would take the token along, to any host.
                builder = builder.follow_redirects(false);
            }
            let response = builder.body(&mut payload).send()?;
            match redirect(&parts.method, &response).filter(|_| call.is_authorized()) {
                Some(to) => {
                    call.answered_by(&to.parse()?);
                    let mut headers = parts.headers.clone();
                    headers.remove(AUTHORIZATION);
                    headers.remove(CONTENT_LENGTH);
                    Ok(prepare(&call, &to, &headers)?.send()?)
                }
                None => Ok(response),
            }
        });
        let response = match result {
            Ok(response) => response,
            Err(error) => return refusal.filter(|_| parts.method.is_safe()).ok_or(error),
        };
        if !call.retry_parts(&parts.method, &mut parts.uri, &mut parts.headers, response.status(), response.headers()) {
            return Ok(response);
        }
        refusal = Some(response);
    }
}

/// Where an answer leads to. The redirects of other methods are returned to the caller.
fn redirect(method: &Method, response: &Response) -> Option<String> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) && method.is_safe();
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    Some(response.url().join(location.to_str().ok()?).ok()?.into())
}

/// The body of a request: its beginning in memory, and a reader for the rest.
struct Payload<R> {
    start: Vec<u8>,
    rest: R,
    is_whole: bool,
    length: Option<u64>,
}

impl<R: Read> Payload<R> {
    fn new(mut reader: R, length: Option<u64>, limit: usize) -> io::Result<Self> {
        let mut start = Vec::new();
        reader.by_ref().take((limit as u64).saturating_add(1)).read_to_end(&mut start)?;
        Ok(Self { is_whole: start.len() <= limit, start, rest: reader, length })
    }
}

impl<R: Read> Body for &mut Payload<R> {
    fn kind(&mut self) -> io::Result<BodyKind> {
        Ok(match self.length {
            Some(length) => BodyKind::KnownLength(length),
            None if !self.is_whole => BodyKind::Chunked,
            None if self.start.is_empty() => BodyKind::Empty,
            None => BodyKind::KnownLength(self.start.len() as u64),
        })
    }

    fn write<W: Write>(&mut self, mut writer: W) -> io::Result<()> {
        writer.write_all(&self.start)?;
        io::copy(&mut self.rest, &mut writer).map(drop)
    }
}
