//! One connection of a token server: reads the requests and performs the steps. Imports nothing
//! from this crate.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderMap};

use super::{Shared, Step};

/// The largest request, in bytes. The server closes the connection of a larger one.
const LONGEST_REQUEST: usize = 1 << 20;
/// How long a connection waits for input until it checks whether the server stops. `shutdown` wakes
/// a thread that is blocked in a read on Unix, but not under Wine, and Windows does not promise it.
const CHECK_AFTER: Duration = Duration::from_millis(20);

/// A connection. `None` from any of its methods means that it must be closed.
pub(super) struct Connection<'a> {
    stream: &'a TcpStream,
    shared: &'a Shared,
}

impl<'a> Connection<'a> {
    pub(super) fn new(stream: &'a TcpStream, shared: &'a Shared) -> Option<Self> {
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(CHECK_AFTER)).ok()?;
        Some(Self { stream, shared })
    }

    /// Answers the requests, one after the other.
    pub(super) fn serve(&self) -> Option<()> {
        loop {
            let behaviour = self.shared.record(self.receive()?);
            if !behaviour.0.contains(&Step::Reset) {
                self.receive_last()?;
            }
            behaviour.0.into_iter().try_for_each(|step| self.perform(step))?;
        }
    }

    fn perform(&self, step: Step) -> Option<()> {
        match step {
            Step::Send(bytes) => self.write_all(&bytes),
            Step::Repeat(bytes, times) if !bytes.is_empty() => {
                let at_once = if bytes.len() < 1 << 12 { (1 << 16) / bytes.len().max(1) } else { 1 };
                let many = bytes.repeat(at_once);
                let (whole, rest) = (times / at_once as u64, times % at_once as u64);
                (0..whole).try_for_each(|_| self.write_all(&many))?;
                self.write_all(&many[..bytes.len() * rest as usize])
            }
            Step::Trickle(bytes, interval) => bytes.chunks(1).try_for_each(|byte| {
                self.write_all(byte)?;
                self.shared.pause(interval)
            }),
            Step::Repeat(..) => Some(()),
            Step::Pause(pause) => self.shared.pause(pause),
            Step::Stall => loop {
                self.receive_last()?;
            },
            Step::HalfClose => self.stream.shutdown(Shutdown::Write).ok(),
            Step::Close | Step::Reset => None,
        }
    }

    /// Receives a request, but leaves its last byte unread for [`Step::Reset`]: that byte is only
    /// peeked at.
    fn receive(&self) -> Option<http::Request<Vec<u8>>> {
        let mut head = Vec::new();
        let mut seen = [0; 4096];
        loop {
            let count = self.peek(&mut seen)?;
            let read = head.len();
            head.extend_from_slice(&seen[..count]);
            let look_at = read.saturating_sub(3);
            let end = head[look_at..].windows(4).position(|end| end == b"\r\n\r\n").map(|at| look_at + at + 4);
            head.truncate(end.unwrap_or(head.len()));
            let unread = usize::from(end.is_some());
            self.read_exact(&mut seen[..head.len() - read - unread])?;
            if end.is_some() {
                break;
            }
            if head.len() > LONGEST_REQUEST {
                return None;
            }
        }
        let request = parse(&head)?;
        let mut body = vec![0; content_length(request.headers())?];
        if let Some((last, rest)) = body.split_last_mut() {
            self.receive_last()?;
            self.read_exact(rest)?;
            self.peek(std::slice::from_mut(last))?;
        }
        Some(request.map(|()| body))
    }

    fn receive_last(&self) -> Option<()> {
        self.read_exact(&mut [0])
    }

    /// Waits for input, and copies it without taking it.
    fn peek(&self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            match self.stream.peek(buffer) {
                Err(error) if may_go_on(&error) => self.shared.pause(Duration::ZERO)?,
                peeked => return peeked.ok().filter(|count| *count > 0),
            }
        }
    }

    fn read_exact(&self, mut buffer: &mut [u8]) -> Option<()> {
        while !buffer.is_empty() {
            self.peek(&mut [0])?;
            let count = { self.stream }.read(buffer).ok()?;
            buffer = &mut buffer[count..];
        }
        Some(())
    }

    /// Does not block: after a write that timed out, it is unknown how much was written.
    fn write_all(&self, mut bytes: &[u8]) -> Option<()> {
        self.stream.set_nonblocking(true).ok()?;
        while !bytes.is_empty() {
            match { self.stream }.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if may_go_on(&error) => self.shared.pause(Duration::from_millis(1))?,
                Err(_) => return None,
            }
        }
        self.stream.set_nonblocking(false).ok()
    }
}

fn may_go_on(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn parse(head: &[u8]) -> Option<http::Request<()>> {
    let mut lines = std::str::from_utf8(head).ok()?.trim_end().split("\r\n");
    let mut words = lines.next()?.split(' ');
    let mut request = http::Request::builder().method(words.next()?).uri(words.next()?);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        request = request.header(name, value.trim());
    }
    request.body(()).ok()
}

fn content_length(headers: &HeaderMap) -> Option<usize> {
    match headers.get(CONTENT_LENGTH) {
        None => Some(0),
        Some(value) => value.to_str().ok()?.parse().ok().filter(|length| *length <= LONGEST_REQUEST),
    }
}
