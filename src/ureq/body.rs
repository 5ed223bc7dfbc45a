//! The body of a request, buffered so that it can be sent twice, and the body of the answer in
//! between. Imports nothing from this crate.

use std::io::{self, Cursor, Read};

use ::ureq::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use ::ureq::http::request::Parts;
use ::ureq::http::{HeaderValue, Method, Request, Response};
use ::ureq::{Body, Error, SendBody};

pub(super) struct Payload<'a> {
    /// The part of the body that was read.
    bytes: Vec<u8>,
    /// How much of `bytes` the attempt under way has sent.
    sent: usize,
    rest: Rest<'a>,
    /// Whether the body is sent with a `Content-Length` of ours.
    counted: bool,
}

enum Rest<'a> {
    /// All of the body was read.
    Nothing,
    /// The body is longer than the limit; this is the rest of it.
    Reader(Box<dyn Read + 'a>),
    /// Nothing was read. The body can be sent once.
    Untouched(Option<SendBody<'a>>),
}

/// The initial capacity for a body of unknown length, in bytes.
const USUAL_BODY: usize = 1024;

impl<'a> Payload<'a> {
    /// Reads a body up to the limit. A body that fits is sent with its `Content-Length`, unless the
    /// caller has set the framing. ureq does not say whether there is a body, so an empty one
    /// counts as none, except for the methods that always have one.
    pub(super) fn new(body: SendBody<'a>, parts: &Parts, limit: usize) -> Result<Self, Error> {
        if limit == 0 && !parts.method.is_safe() {
            return Ok(Self { bytes: Vec::new(), sent: 0, rest: Rest::Untouched(Some(body)), counted: false });
        }
        let expects_body = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        let mut reader = body.into_reader();
        let mut bytes = Vec::with_capacity(if expects_body { USUAL_BODY } else { 0 });
        read_beyond(limit, &mut reader, &mut bytes)?;
        if bytes.len() > limit {
            return Ok(Self { bytes, sent: 0, rest: Rest::Reader(Box::new(reader)), counted: false });
        }
        let counted = (expects_body || !bytes.is_empty())
            && !parts.headers.contains_key(CONTENT_LENGTH)
            && !parts.headers.contains_key(TRANSFER_ENCODING);
        Ok(Self { bytes, sent: 0, rest: Rest::Nothing, counted })
    }

    pub(super) fn is_replayable(&self) -> bool {
        matches!(self.rest, Rest::Nothing)
    }

    /// Sends the request with this body, from its beginning.
    pub(super) fn send<T>(&mut self, mut parts: Parts, send: impl FnOnce(Request<SendBody>) -> T) -> T {
        self.sent = 0;
        if self.counted {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(self.bytes.len()));
        }
        // There is no single `Request::from_parts` for all, because the lifetimes of the bodies
        // differ.
        match &mut self.rest {
            Rest::Untouched(body) => match body.take() {
                Some(body) => send(Request::from_parts(parts, body)),
                None => send(Request::from_parts(parts, SendBody::none())),
            },
            Rest::Nothing if self.bytes.is_empty() => send(Request::from_parts(parts, SendBody::none())),
            Rest::Nothing | Rest::Reader(_) => send(Request::from_parts(parts, SendBody::from_reader(self))),
        }
    }
}

impl Read for Payload<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&self.bytes[self.sent..]).read(buffer)?;
        self.sent += read;
        match &mut self.rest {
            Rest::Reader(rest) if read == 0 => rest.read(buffer),
            _ => Ok(read),
        }
    }
}

/// Reads until the end, but at most one byte beyond the limit.
pub(super) fn read_beyond(limit: usize, reader: &mut dyn Read, into: &mut Vec<u8>) -> io::Result<usize> {
    reader.take((limit as u64).saturating_add(1)).read_to_end(into)
}

/// The longest body, in bytes, that is read to its end so that its connection can be used again.
const DRAINED: usize = 16 * 1024;

/// Reads the body of an answer if it is short, so that the next request to the same host finds
/// the connection free.
pub(super) fn drained(response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let mut builder = Body::builder();
    if let Some(mime_type) = body.mime_type() {
        builder = builder.mime_type(mime_type);
    }
    if let Some(charset) = body.charset() {
        builder = builder.charset(charset);
    }
    let (mut reader, mut bytes) = (body.into_reader(), Vec::new());
    // An error here does not concern the second attempt. A caller that reads on gets it again.
    let read = read_beyond(DRAINED, &mut reader, &mut bytes);
    let is_whole = read.is_ok() && bytes.len() <= DRAINED;
    let body = if is_whole { builder.data(bytes) } else { builder.reader(Cursor::new(bytes).chain(reader)) };
    Response::from_parts(parts, body)
}
