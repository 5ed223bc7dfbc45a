//! Kinds of requests.

use super::*;

/// One kind of request, what must arrive of it, and how its body must be delimited.
pub struct Kind {
    pub method: &'static str,
    pub send: fn(&Agent, &str, Option<bool>) -> Outcome,
    pub body: &'static str,
    pub framing: Framing,
}

/// As ureq writes it.
const JSON: &str = "{\n  \"name\": \"Käse\"\n}";

pub const KINDS: [Kind; 22] = [
    Kind {
        method: "GET",
        send: |agent, url, mode| with(agent.get(url), mode).header("x-two", "1").header("x-two", "2").call(),
        body: "",
        framing: Framing::None,
    },
    Kind {
        method: "GET",
        send: |agent, url, mode| with(agent.get(url), mode).query("q", "ä b&c").header_raw("X-RaW", b"1").call(),
        body: "",
        framing: Framing::None,
    },
    Kind {
        method: "GET",
        send: |agent, url, mode| with(agent.get(url), mode).force_send_body().send("search"),
        body: "search",
        framing: Framing::Length(6),
    },
    Kind {
        method: "HEAD",
        send: |agent, url, mode| with(agent.head(url), mode).call(),
        body: "",
        framing: Framing::None,
    },
    Kind {
        method: "OPTIONS",
        send: |agent, url, mode| with(agent.options(url), mode).call(),
        body: "",
        framing: Framing::None,
    },
    Kind {
        method: "DELETE",
        send: |agent, url, mode| with(agent.delete(url), mode).call(),
        body: "",
        framing: Framing::None,
    },
    Kind {
        method: "DELETE",
        send: |agent, url, mode| with(agent.delete(url), mode).force_send_body().send("why"),
        body: "why",
        framing: Framing::Length(3),
    },
    Kind {
        method: "DELETE",
        send: |agent, url, mode| with(agent.delete(url), mode).force_send_body().send_empty(),
        body: "",
        framing: Framing::None,
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).send_json(serde_json::json!({ "name": "Käse" })),
        body: JSON,
        framing: Framing::Length(JSON.len()),
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).send_form([("a", "1"), ("b", "x y")]),
        body: "a=1&b=x+y",
        framing: Framing::Length(9),
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).send("text"),
        body: "text",
        framing: Framing::Length(4),
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).send(SendBody::from_reader(&mut Cursor::new("read"))),
        body: "read",
        framing: Framing::Length(4),
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).send(SendBody::from_owned_reader(io::empty())),
        body: "",
        framing: Framing::Length(0),
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).send_empty(),
        body: "",
        framing: Framing::Length(0),
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).send(SendBody::none()),
        body: "",
        framing: Framing::Length(0),
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).header("Content-Length", "5").send("whole"),
        body: "whole",
        framing: Framing::Length(5),
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).header("Transfer-Encoding", "chunked").send("pieces"),
        body: "pieces",
        framing: Framing::Chunked,
    },
    Kind {
        method: "POST",
        send: |agent, url, mode| with(agent.post(url), mode).header("Expect", "100-continue").send("later"),
        body: "later",
        framing: Framing::Length(5),
    },
    Kind {
        method: "PUT",
        send: |agent, url, mode| with(agent.put(url), mode).send(&b"bytes"[..]),
        body: "bytes",
        framing: Framing::Length(5),
    },
    Kind {
        method: "PATCH",
        send: |agent, url, mode| with(agent.patch(url), mode).send(String::from("patch")),
        body: "patch",
        framing: Framing::Length(5),
    },
    Kind {
        method: "PUT",
        send: |agent, url, mode| {
            let request = Request::put(url).header("X-Http", "crate").body("request").expect("a request");
            match mode {
                Some(mode) => agent.run(agent.configure_request(request).http_status_as_error(mode).build()),
                None => agent.run(request),
            }
        },
        body: "request",
        framing: Framing::Length(7),
    },
    Kind {
        method: "PROPFIND",
        // A method of one's own is not idempotent, so it has the settings of the agent.
        send: |agent, url, _| {
            agent.run(Request::builder().method("PROPFIND").uri(url).body("<prop/>").expect("a request"))
        },
        body: "<prop/>",
        framing: Framing::Length(7),
    },
];
