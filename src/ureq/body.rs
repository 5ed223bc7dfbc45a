//! The body of a request, buffered so that it can be sent twice, and the body of the answer in
//! between. Imports nothing from this crate.

use std::io::{self, Cursor, Read};

use ::ureq::http::request::Parts;
use ::ureq::http::{Method, Response};
use ::ureq::{Body, BodyReader, Error, SendBody};

pub(super) struct Payload<'a> {
    /// The part of the body that was read.
    bytes: Vec<u8>,
    /// How much of `bytes` the attempt under way has sent.
    sent: usize,
    rest: Rest<'a>,
}

enum Rest<'a> {
    /// All of the body was read.
    Nothing { is_body: bool },
    /// More than may be kept.
    Reader(Box<dyn Read + 'a>),
    /// Nothing was read. The body can be sent once.
    Untouched(Option<SendBody<'a>>),
}

/// The body of one attempt. Not one type for all, because the lifetimes differ, and because ureq
/// writes the length of nothing but bytes.
pub(super) enum Outgoing<'p, 'a> {
    Nothing,
    Bytes(&'p [u8]),
    Stream(SendBody<'p>),
    Untouched(SendBody<'a>),
}

/// Initial capacity for a body of unknown length, in bytes.
const USUAL_BODY: usize = 1024;

impl<'a> Payload<'a> {
    /// Reads a body up to the limit. A body that fits is sent with its `Content-Length`, unless the
    /// caller has set the framing. ureq does not say whether there is a body, so an empty one
    /// counts as none, except for the methods that always have one.
    pub(super) fn new(body: SendBody<'a>, parts: &Parts, limit: usize) -> Result<Self, Error> {
        if limit == 0 && !parts.method.is_safe() {
            return Ok(Self { bytes: Vec::new(), sent: 0, rest: Rest::Untouched(Some(body)) });
        }
        let expects_body = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        let mut reader = body.into_reader();
        let mut bytes = Vec::with_capacity(if expects_body { USUAL_BODY } else { 0 });
        read_beyond(limit, &mut reader, &mut bytes)?;
        let rest = if bytes.len() > limit {
            Rest::Reader(Box::new(reader))
        } else {
            Rest::Nothing { is_body: expects_body || !bytes.is_empty() }
        };
        Ok(Self { bytes, sent: 0, rest })
    }

    pub(super) fn is_replayable(&self) -> bool {
        matches!(self.rest, Rest::Nothing { .. })
    }

    /// The body from its beginning.
    pub(super) fn outgoing(&mut self) -> Outgoing<'_, 'a> {
        self.sent = 0;
        match &mut self.rest {
            Rest::Untouched(body) => body.take().map_or(Outgoing::Nothing, Outgoing::Untouched),
            Rest::Nothing { is_body: true } => Outgoing::Bytes(&self.bytes),
            Rest::Nothing { is_body: false } => Outgoing::Nothing,
            Rest::Reader(_) => Outgoing::Stream(SendBody::from_reader(self)),
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
    let read = read_beyond(DRAINED, &mut reader, &mut bytes);
    let body = if read.is_ok() && bytes.len() <= DRAINED {
        builder.data(bytes)
    } else {
        builder.reader(Begun { bytes: Cursor::new(bytes), rest: read.map(|_| reader).map_err(Some) })
    };
    Response::from_parts(parts, body)
}

/// A body whose beginning was read.
struct Begun {
    bytes: Cursor<Vec<u8>>,
    /// The rest, or where the body broke off: that error is for the reader of this body, not for
    /// the second attempt.
    rest: Result<BodyReader<'static>, Option<io::Error>>,
}

impl Read for Begun {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.bytes.read(buffer)?, &mut self.rest) {
            (0, Ok(rest)) => rest.read(buffer),
            (0, Err(error)) => error.take().map_or(Ok(0), Err),
            (read, _) => Ok(read),
        }
    }
}
