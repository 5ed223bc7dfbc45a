//! The fastest HTTP server that will do: a thread per connection, one fixed answer, nothing parsed that is not needed.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A server on this machine. It lives as long as the process.
#[derive(Clone)]
pub struct Server {
    pub url: String,
    requests: Arc<AtomicUsize>,
}

#[derive(Clone, Copy)]
struct Manner {
    /// How a line starts that every request must have: a bench of requests without a token would be a lie.
    wanted: &'static str,
    body: &'static str,
    delay: Duration,
}

impl Server {
    pub fn start(wanted: &'static str, body: String, delay: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = Self { url, requests: Arc::default() };
        let (requests, manner) = (Arc::clone(&server.requests), Manner { wanted, body: body.leak(), delay });
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, requests) = (stream.expect("a connection"), Arc::clone(&requests));
                thread::spawn(move || serve(&stream, &requests, manner));
            }
        });
        server
    }

    /// How many requests came so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Until the client hangs up.
#[allow(clippy::disallowed_methods, reason = "the delay of a token endpoint")]
fn serve(mut stream: &TcpStream, requests: &AtomicUsize, manner: Manner) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let reply = |status, body: &str| format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (good, bad) = (reply("200 OK", manner.body), reply("401 Unauthorized", ""));
    let mut reader = BufReader::with_capacity(64 * 1024, stream);
    let mut line = String::new();
    loop {
        let (mut authorized, mut length) = (false, 0);
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            authorized |= after(&line, manner.wanted).is_some();
            if let Some(value) = after(&line, "content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        while length > 0 {
            let read = reader.fill_buf()?.len().min(length);
            if read == 0 {
                return Ok(());
            }
            reader.consume(read);
            length -= read;
        }
        requests.fetch_add(1, Ordering::SeqCst);
        if !manner.delay.is_zero() {
            thread::sleep(manner.delay);
        }
        stream.write_all(if authorized { &good } else { &bad }.as_bytes())?;
    }
}

fn after<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    let (head, rest) = line.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}
