//! Kinds of requests.

use std::fs::File;
use std::net::{TcpListener, TcpStream};

use ureq::http::Version;

use super::*;

/// One kind of request, what must arrive of it, and how its body must be delimited.
pub struct Kind {
    pub method: &'static str,
    pub name: &'static str,
    pub body: &'static str,
    pub framing: Framing,
    /// The framing without a wrapped agent, which tells the length of a body that it has read.
    pub bare: Framing,
    pub send: Send,
}

/// Sends a request to a URL, with a status mode of its own if there is one.
type Send = fn(&Agent, &str, Option<bool>) -> Outcome;

impl Kind {
    /// A method that ureq does not send without a setting, so that requests have the settings of
    /// their agent.
    pub fn is_own_method(&self) -> bool {
        matches!(self.method, "PROPFIND" | "PURGE")
    }
}

const fn kind(method: &'static str, name: &'static str, send: Send) -> Kind {
    Kind { method, name, body: "", framing: Framing::None, bare: Framing::None, send }
}

impl Kind {
    /// A body with its length on the wire.
    const fn counted(mut self, body: &'static str) -> Self {
        self.body = body;
        self.framing = Framing::Length(body.len());
        self.bare = self.framing;
        self
    }

    /// A body whose length ureq does not know.
    const fn read(self, body: &'static str) -> Self {
        let mut kind = self.counted(body);
        kind.bare = Framing::Chunked;
        kind
    }

    /// An empty body where none is expected, which a wrapped agent cannot tell from none.
    const fn omitted(mut self) -> Self {
        self.bare = Framing::Length(0);
        self
    }

    /// A body that is sent in chunks because the caller says so.
    const fn chunked(mut self, body: &'static str) -> Self {
        self.body = body;
        self.framing = Framing::Chunked;
        self.bare = Framing::Chunked;
        self
    }
}

/// As ureq writes it.
#[cfg(feature = "json")]
const JSON: &str = "{\n  \"name\": \"Käse\"\n}";

/// More than a buffer of ureq holds.
const LONG: &str = match std::str::from_utf8(&[b'x'; 200_000]) {
    Ok(text) => text,
    Err(_) => panic!("ASCII"),
};

const FILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));

fn file() -> File {
    File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("a file")
}

/// The reading end of a connection on which this text comes.
fn socket(text: &'static str) -> TcpStream {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let mut writer = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    io::Write::write_all(&mut writer, text.as_bytes()).expect("a buffer");
    listener.accept().expect("a connection").0
}

/// A request of the `http` crate.
fn run(agent: &Agent, mode: Option<bool>, request: Request<impl ureq::AsSendBody>) -> Outcome {
    match mode {
        Some(mode) => agent.run(agent.configure_request(request).http_status_as_error(mode).build()),
        None => agent.run(request),
    }
}

fn request(method: &str, url: &str) -> ureq::http::request::Builder {
    Request::builder().method(method).uri(url)
}

pub static KINDS: &[Kind] = &[
    // Without a body.
    kind("GET", "two headers of one name", |agent, url, mode| {
        with(agent.get(url), mode).header("x-two", "1").header("x-other", "").header("x-two", "2").call()
    }),
    kind("GET", "a query, a header in letters of its own", |agent, url, mode| {
        with(agent.get(url), mode).query("q", "ä b&c").header_raw("X-RaW", b"1").header("x-next", "2").call()
    }),
    kind("GET", "queries with and without encoding", |agent, url, mode| {
        with(agent.get(url), mode).query_raw("raw", "a/b?c").query_pairs([("p", "1 2"), ("p", "+")]).call()
    }),
    kind("GET", "headers instead of ureq's", |agent, url, mode| {
        let request = with(agent.get(url), mode).header("User-Agent", "mine/1").header("Accept", "text/plain");
        request.header("Accept-Encoding", "identity").header("Host", "api.example.com").call()
    }),
    kind("GET", "a cookie, a range and conditions", |agent, url, mode| {
        let request = with(agent.get(url), mode).header("Cookie", "a=1; b=2").header("Range", "bytes=0-9");
        request.header("If-None-Match", "\"tag\"").header("If-Match", "*").call()
    }),
    kind("GET", "a header with all sorts of bytes", |agent, url, mode| {
        with(agent.get(url), mode).header("x-odd", "\t\"ü\" \\ ,;=%00 ").call()
    }),
    kind("GET", "the connection is to be closed", |agent, url, mode| {
        with(agent.get(url), mode).header("Connection", "close").call()
    }),
    kind("GET", "HTTP/1.0", |agent, url, mode| with(agent.get(url), mode).version(Version::HTTP_10).call()),
    kind("GET", "http crate", |agent, url, mode| {
        run(agent, mode, request("GET", url).header("X-Http", "crate").body(()).expect("a request"))
    }),
    kind("HEAD", "plain", |agent, url, mode| with(agent.head(url), mode).call()),
    kind("HEAD", "http crate", |agent, url, mode| run(agent, mode, request("HEAD", url).body(()).expect("a request"))),
    kind("OPTIONS", "plain", |agent, url, mode| with(agent.options(url), mode).call()),
    kind("TRACE", "plain", |agent, url, mode| with(agent.trace(url), mode).call()),
    kind("DELETE", "plain", |agent, url, mode| with(agent.delete(url), mode).call()),
    kind("DELETE", "http crate", |agent, url, mode| {
        run(agent, mode, request("DELETE", url).header("If-Match", "*").body(()).expect("a request"))
    }),
    kind("PURGE", "a method of one's own", |agent, url, _| {
        agent.run(request("PURGE", url).body(()).expect("a request"))
    }),
    // With a body where there is none as a rule.
    kind("GET", "a body", |agent, url, mode| with(agent.get(url), mode).force_send_body().send("search"))
        .counted("search"),
    kind("GET", "a body that is read", |agent, url, mode| {
        let request = with(agent.get(url), mode).force_send_body();
        request.send(SendBody::from_owned_reader(Cursor::new("search")))
    })
    .read("search"),
    kind("GET", "http crate with a body", |agent, url, mode| {
        run(agent, mode, request("GET", url).body("search").expect("a request"))
    })
    .counted("search"),
    kind("OPTIONS", "a body", |agent, url, mode| with(agent.options(url), mode).force_send_body().send("why"))
        .counted("why"),
    kind("DELETE", "a body", |agent, url, mode| with(agent.delete(url), mode).force_send_body().send("why"))
        .counted("why"),
    kind("DELETE", "an empty body", |agent, url, mode| with(agent.delete(url), mode).force_send_body().send_empty())
        .omitted(),
    // Bodies of known length.
    #[cfg(feature = "json")]
    kind("POST", "JSON", |agent, url, mode| {
        with(agent.post(url), mode).send_json(serde_json::json!({ "name": "Käse" }))
    })
    .counted(JSON),
    #[cfg(feature = "json")]
    kind("POST", "JSON with a type of its own", |agent, url, mode| {
        let request = with(agent.post(url), mode).content_type("application/vnd.api+json");
        request.send_json(serde_json::json!({ "name": "Käse" }))
    })
    .counted(JSON),
    kind("POST", "a form", |agent, url, mode| with(agent.post(url), mode).send_form([("a", "1"), ("b", "x y")]))
        .counted("a=1&b=x+y"),
    kind("POST", "&str", |agent, url, mode| with(agent.post(url), mode).send("text")).counted("text"),
    kind("POST", "an empty &str", |agent, url, mode| with(agent.post(url), mode).send("")).counted(""),
    kind("POST", "a long &str", |agent, url, mode| with(agent.post(url), mode).send(LONG)).counted(LONG),
    kind("POST", "Vec", |agent, url, mode| with(agent.post(url), mode).send(b"bytes\r\n\r\n".to_vec()))
        .counted("bytes\r\n\r\n"),
    kind("POST", "an extension of the caller's", |agent, url, mode| {
        with(agent.post(url), mode).extension(5_u32).send("text")
    })
    .counted("text"),
    kind("PUT", "&[u8]", |agent, url, mode| with(agent.put(url), mode).send(&b"bytes"[..])).counted("bytes"),
    kind("PUT", "an array", |agent, url, mode| with(agent.put(url), mode).send(b"array")).counted("array"),
    kind("PATCH", "String", |agent, url, mode| {
        with(agent.patch(url), mode).header_raw("X-RaW", b"1").send(String::from("patch"))
    })
    .counted("patch"),
    kind("PUT", "a file", |agent, url, mode| with(agent.put(url), mode).send(file())).counted(FILE),
    kind("PUT", "&File", |agent, url, mode| with(agent.put(url), mode).send(&file())).counted(FILE),
    kind("POST", "another answer", |agent, url, mode| {
        with(agent.post(url), mode).send(Response::new(Body::builder().data("again")))
    })
    .counted("again"),
    kind("POST", "a length of the caller's", |agent, url, mode| {
        with(agent.post(url), mode).header("Content-Length", "5").send("whole")
    })
    .counted("whole"),
    kind("PUT", "a length of the caller's for what is read", |agent, url, mode| {
        let request = with(agent.put(url), mode).header("Content-Length", "4").header("x-next", "1");
        request.send(SendBody::from_owned_reader(Cursor::new("read")))
    })
    .counted("read"),
    kind("POST", "Expect: 100-continue", |agent, url, mode| {
        with(agent.post(url), mode).header("Expect", "100-continue").send("later")
    })
    .counted("later"),
    kind("PUT", "http crate", |agent, url, mode| {
        run(agent, mode, request("PUT", url).header("X-Http", "crate").body("request").expect("a request"))
    })
    .counted("request"),
    kind("PUT", "http crate with bytes", |agent, url, mode| {
        run(agent, mode, request("PUT", url).header("x", "1").body(b"\0\x01".to_vec()).expect("a request"))
    })
    .counted("\0\x01"),
    kind("PROPFIND", "a method of one's own with a body", |agent, url, _| {
        agent.run(request("PROPFIND", url).header("Depth", "1").body("<prop/>").expect("a request"))
    })
    .counted("<prop/>"),
    // No body where there is one as a rule.
    kind("POST", "send_empty", |agent, url, mode| with(agent.post(url), mode).send_empty()).counted(""),
    kind("POST", "SendBody::none", |agent, url, mode| with(agent.post(url), mode).send(SendBody::none())).read(""),
    kind("PUT", "http crate without a body", |agent, url, mode| {
        run(agent, mode, request("PUT", url).body(()).expect("a request"))
    })
    .read(""),
    // Bodies of unknown length.
    kind("POST", "a reader", |agent, url, mode| {
        with(agent.post(url), mode).send(SendBody::from_reader(&mut Cursor::new("read")))
    })
    .read("read"),
    kind("POST", "a long reader", |agent, url, mode| {
        with(agent.post(url), mode).send(SendBody::from_owned_reader(Trickle(LONG.into())))
    })
    .read(LONG),
    kind("POST", "an empty reader", |agent, url, mode| {
        with(agent.post(url), mode).send(SendBody::from_owned_reader(io::empty()))
    })
    .read(""),
    kind("PATCH", "a socket", |agent, url, mode| with(agent.patch(url), mode).send(socket("from the net")))
        .read("from the net"),
    kind("PUT", "Expect: 100-continue with a reader", |agent, url, mode| {
        let request = with(agent.put(url), mode).header("Expect", "100-continue");
        request.send(SendBody::from_owned_reader(Cursor::new("later")))
    })
    .read("later"),
    kind("PROPFIND", "a method of one's own with a reader", |agent, url, _| {
        let body = SendBody::from_owned_reader(Cursor::new("<prop/>"));
        agent.run(request("PROPFIND", url).body(body).expect("a request"))
    })
    .read("<prop/>"),
    // Chunks.
    kind("POST", "chunks of the caller's", |agent, url, mode| {
        with(agent.post(url), mode).header("Transfer-Encoding", "chunked").send("pieces")
    })
    .chunked("pieces"),
    kind("PUT", "chunks of the caller's for a reader", |agent, url, mode| {
        let request = with(agent.put(url), mode).header("Transfer-Encoding", "chunked");
        request.send(SendBody::from_owned_reader(Cursor::new("pieces")))
    })
    .chunked("pieces"),
];
