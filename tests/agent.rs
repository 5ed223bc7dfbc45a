//! The agent against real sockets: what goes over the wire, what comes back, and where the token never goes.
//! The names of the tests say the rule; `st_`, `br_` and `d` numbers are those of `vectors/scenarios.md` and DESIGN.md.
#![cfg(feature = "ureq")]

mod loopback;

use std::io::{self, Cursor, Read};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use client_credentials::test_util::{ManualClock, Script};
use client_credentials::{
    Attempt, CallSettings as _, Clock as _, Credentials, Error, EventKind, SystemClock, TokenRequest, TokenSource,
    TokenSourceBuilder, TransportError, TransportErrorKind, UreqTransport,
};
use loopback::{
    Framing, Outcome, Received, Reply, SECRET, Server, agent, builder, challenge, invalid_token, json_reply, lock,
    our_error, outside, redirect, reply, source, status, text, token_reply, tokens,
};
use ureq::config::{ConfigBuilder, RedirectAuthHeaders};
use ureq::http::{Request, Response};
use ureq::middleware::MiddlewareNext;
use ureq::typestate::AgentScope;
use ureq::{Agent, Body, Proxy, RequestBuilder, SendBody};

/// The status mode of the agent, and of the request if it has one of its own.
const MODES: [(bool, Option<bool>); 4] = [(true, None), (false, None), (true, Some(false)), (false, Some(true))];

const MIB: usize = 1024 * 1024;

fn with<Any>(request: RequestBuilder<Any>, status_as_error: Option<bool>) -> RequestBuilder<Any> {
    match status_as_error {
        Some(mode) => request.status_as_error(mode),
        None => request,
    }
}

/// One kind of request, what must arrive of it, and how its body must be delimited.
struct Kind {
    method: &'static str,
    send: fn(&Agent, &str, Option<bool>) -> Outcome,
    body: &'static str,
    framing: Framing,
}

/// As ureq writes it.
const JSON: &str = "{\n  \"name\": \"Käse\"\n}";

const KINDS: [Kind; 22] = [
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

fn get(agent: &Agent, url: &str) -> Outcome {
    agent.get(url).call()
}

fn post(agent: &Agent, url: &str) -> Outcome {
    agent.post(url).send("x")
}

// The replay.

#[test]
fn st_01_st_04_every_kind_of_request_is_sent_once_more_and_is_otherwise_identical() {
    for (n, kind) in KINDS.iter().enumerate() {
        for (agent_mode, mode) in MODES {
            let case = format!("kind {n} ({}), modes {agent_mode} {mode:?}", kind.method);
            let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
            let agent = agent(&source(&script, &api), agent_mode);
            let response = (kind.send)(&agent, &api.url("/v1/items?x=1"), mode).expect(&case);
            assert_eq!(response.status(), 200, "{case}");
            assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into()], 2), "{case}");
            let [first, second] = &api.requests()[..] else { panic!("{case}") };
            assert_eq!(first.without_token(), second.without_token(), "{case}");
            assert_eq!(
                (first.method(), first.text(), first.framing()),
                (kind.method, kind.body, kind.framing),
                "{case}"
            );
            assert!(first.target().starts_with("/v1/items?x=1"), "{case}");
            assert_eq!(second.headers("authorization").len(), 1, "{case}");
        }
    }
}

#[test]
fn st_02_the_second_401_is_the_callers_as_the_status_mode_says() {
    for (n, kind) in KINDS.iter().enumerate() {
        for (agent_mode, mode) in MODES {
            let case = format!("kind {n} ({}), modes {agent_mode} {mode:?}", kind.method);
            let script = tokens(&["T1", "T2"]);
            let api = Server::replies([
                invalid_token().body("first"),
                invalid_token().header("X-Attempt", "2").body("second"),
            ]);
            let outcome = (kind.send)(&agent(&source(&script, &api), agent_mode), &api.url("/"), mode);
            let is_error = if kind.method == "PROPFIND" { agent_mode } else { mode.unwrap_or(agent_mode) };
            if is_error {
                assert!(matches!(outcome, Err(ureq::Error::StatusCode(401))), "{case}: {outcome:?}");
            } else {
                let mut response = outcome.expect(&case);
                assert_eq!(
                    (response.status().as_u16(), &response.headers()["x-attempt"]),
                    (401, "2".parse().as_ref().unwrap())
                );
                let body = response.body_mut().read_to_string().expect(&case);
                assert_eq!(body, if kind.method == "HEAD" { "" } else { "second" }, "{case}");
            }
            assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into()], 2), "{case}");
        }
    }
}

#[test]
fn st_09_a_401_without_a_challenge_is_a_refusal_too() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([reply(401), reply(200).body("fine")]));
    assert_eq!(text(get(&agent(&source(&script, &api), true), &api.url("/"))), "fine");
    assert_eq!(api.tokens(), ["T1", "T2"]);
}

#[test]
fn st_08_many_refused_callers_share_one_renewal() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
    let agent = agent(&source(&script, &api), true);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(text(get(&agent, &api.url("/"))), "fine"));
        }
    });
    assert_eq!(script.requests().len(), 2);
    assert!(api.tokens().iter().filter(|token| *token == "T2").count() == 8);
}

#[test]
fn st_18_d20_if_the_renewal_fails_the_caller_gets_the_original_401() {
    for (agent_mode, mode) in MODES {
        let script = tokens(&["T1"]);
        script.json(400, r#"{"error":"invalid_client"}"#);
        let api = Server::replies([invalid_token().header("X-Attempt", "1").body("the first")]);
        let outcome = with(agent(&source(&script, &api), agent_mode).post(api.url("/")), mode).send("x");
        assert_eq!(status(&outcome), 401);
        assert_eq!(outcome.is_err(), mode.unwrap_or(agent_mode));
        if let Ok(response) = &outcome {
            assert_eq!(response.headers()["x-attempt"], "1");
            assert_eq!(text(outcome), "the first");
        }
        assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into()], 2));
    }
}

#[test]
fn d12_the_very_same_token_again_is_not_replayed() {
    let (script, api) = (tokens(&["T1", "T1"]), Server::replies([invalid_token().body("only")]));
    assert_eq!(text(get(&agent(&source(&script, &api), false), &api.url("/"))), "only");
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into()], 2));
}

#[test]
fn every_other_status_comes_as_the_status_mode_says() {
    for code in [200, 204, 304, 400, 404, 429, 500, 503] {
        for (agent_mode, mode) in MODES {
            let (script, api) = (tokens(&["T1"]), Server::replies([reply(code)]));
            let outcome = with(agent(&source(&script, &api), agent_mode).get(api.url("/")), mode).call();
            assert_eq!(status(&outcome), code);
            assert_eq!(outcome.is_err(), code >= 400 && mode.unwrap_or(agent_mode), "{code} {agent_mode} {mode:?}");
            assert_eq!((api.requests().len(), script.requests().len()), (1, 1));
        }
    }
}

/// A middleware further outside may make the request anew and lose ureq's extensions: nothing depends on them.
#[test]
fn a_request_made_anew_by_an_outer_middleware_is_served_as_any_other() {
    for status_as_error in [true, false] {
        let (script, api, other) = (tokens(&["T1", "T2"]), Server::wants("T2"), Server::replies([reply(404)]));
        let agent = outside(made_anew, agent(&source(&script, &api), status_as_error));
        assert_eq!(text(agent.post(api.url("/")).send("x")), "fine");
        assert_eq!(api.tokens(), ["T1", "T2"]);
        let outcome = get(&agent, &other.url("/"));
        assert_eq!((status(&outcome), outcome.is_err()), (404, status_as_error));
    }
}

/// A middleware that copies the request by hand, and so loses ureq's mark on it.
fn made_anew(request: Request<SendBody>, next: MiddlewareNext) -> Outcome {
    let (parts, body) = request.into_parts();
    let mut anew = Request::new(body);
    *anew.method_mut() = parts.method;
    *anew.uri_mut() = parts.uri;
    *anew.headers_mut() = parts.headers;
    next.handle(anew)
}

#[test]
fn middleware_outside_sees_one_call_and_middleware_of_the_wrapped_agent_both_attempts() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
    let (outer, inner) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counting = |count: &Arc<AtomicUsize>, authorized: bool| {
        let count = Arc::clone(count);
        move |request: Request<SendBody>, next: MiddlewareNext| {
            assert_eq!(request.headers().contains_key("authorization"), authorized);
            count.fetch_add(1, Ordering::Relaxed);
            next.handle(request)
        }
    };
    let own: Agent = Agent::config_builder().middleware(counting(&inner, true)).build().into();
    let agent = outside(counting(&outer, false), source(&script, &api).wrap(own));
    assert_eq!(text(get(&agent, &api.url("/"))), "fine");
    assert_eq!((outer.load(Ordering::Relaxed), inner.load(Ordering::Relaxed), api.requests().len()), (1, 2, 2));
}

#[test]
fn two_sources_on_one_agent_each_serve_their_own_origin() {
    let (one, two) = (Server::wants("A2"), Server::wants("B2"));
    let (for_one, for_two) = (tokens(&["A1", "A2"]), tokens(&["B1", "B2"]));
    let agent = source(&for_one, &one).wrap(source(&for_two, &two).wrap(Agent::new_with_defaults()));
    assert_eq!(text(get(&agent, &one.url("/"))), "fine");
    assert_eq!(text(get(&agent, &two.url("/"))), "fine");
    assert_eq!((one.tokens(), two.tokens()), (vec!["A1".into(), "A2".into()], vec!["B1".into(), "B2".into()]));
}

#[test]
fn a_401_of_the_inner_sources_api_is_not_reported_as_one_without_a_token() {
    for status_as_error in [true, false] {
        let (one, two) = (Server::replies([reply(200)]), Server::new(|_| invalid_token()));
        let (for_one, for_two) = (source(&tokens(&["A1"]), &one), source(&tokens(&["B1", "B2"]), &two));
        let agent = for_one.wrap(agent(&for_two, status_as_error));
        assert_eq!(status(&get(&agent, &two.url("/"))), 401);
        assert_eq!(two.tokens(), ["B1", "B2"]);
        assert_eq!((not_allowed(&for_one), not_allowed(&for_two)), (0, 0));
        assert_eq!(status(&get(&agent, &two.url_by_name("/"))), 401);
        assert_eq!((not_allowed(&for_one), not_allowed(&for_two)), (1, 1));
    }
}

fn not_allowed(source: &TokenSource) -> usize {
    source.inspect().origins_not_allowed.len()
}

// Framing, and bodies that are too large to keep.

fn large(length: usize) -> Vec<u8> {
    (0_usize..length).map(|n| u8::try_from(n % 251).expect("a byte")).collect()
}

/// Sends `body` with 401 for an answer; what arrived.
fn refused_upload(replay_limit: Option<usize>, send: impl FnOnce(&Agent, &str) -> Outcome) -> (Script, Received) {
    let script = tokens(&["T1", "T2"]);
    let api = Server::replies([invalid_token(), reply(200)]);
    let builder = builder(&script, &api);
    let source = match replay_limit {
        Some(limit) => builder.replay_limit(limit),
        None => builder,
    }
    .build()
    .expect("a source");
    let agent = agent(&source, false);
    let outcome = send(&agent, &api.url("/upload"));
    assert_eq!((status(&outcome), api.tokens()), (401, vec!["T1".into()]));
    assert_eq!(text(outcome), "status 401");
    // The refused token is gone: the next call fetches another one.
    assert_eq!((source.inspect().has_token, script.requests().len()), (false, 1));
    assert_eq!(status(&get(&agent, &api.url("/"))), 200);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into()], 2));
    (script, api.requests().swap_remove(0))
}

#[test]
fn st_03_a_body_over_1_mib_arrives_whole_is_not_replayed_and_the_token_is_dropped() {
    let body = large(MIB + 1);
    for how in 0..4 {
        let (_, received) = refused_upload(None, |agent, url| match how {
            0 => agent.post(url).send(&body),
            1 => agent.put(url).send(SendBody::from_reader(&mut Cursor::new(&body))),
            2 => agent.patch(url).send(SendBody::from_owned_reader(Trickle(body.clone()))),
            _ => agent.delete(url).force_send_body().send(&body),
        });
        assert!(received.body == body, "{how}: {} bytes", received.body.len());
        assert_eq!(received.framing(), Framing::Chunked, "{how}");
    }
}

#[test]
fn st_03_with_a_replay_limit_of_the_callers() {
    let (_, received) = refused_upload(Some(9), |agent, url| agent.post(url).send("ten bytes!"));
    assert_eq!((received.text(), received.framing()), ("ten bytes!", Framing::Chunked));
}

#[test]
fn a_content_length_of_the_callers_is_kept_also_for_a_body_over_the_limit() {
    let body = large(3 * MIB);
    let length = body.len().to_string();
    let (_, received) = refused_upload(None, |agent, url| {
        agent.post(url).header("Content-Length", &length).send(SendBody::from_reader(&mut Cursor::new(&body)))
    });
    assert!(received.body == body);
    assert_eq!(received.framing(), Framing::Length(body.len()));
}

#[test]
fn a_body_of_exactly_the_limit_is_replayed() {
    for (limit, body) in [(None, large(MIB)), (Some(4), b"four".to_vec())] {
        let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
        let builder = builder(&script, &api);
        let builder = if let Some(limit) = limit { builder.replay_limit(limit) } else { builder };
        let agent = agent(&builder.build().expect("a source"), true);
        let reader = &mut Trickle(body.clone());
        assert_eq!(text(agent.post(api.url("/")).send(SendBody::from_reader(reader))), "fine");
        for request in api.requests() {
            assert!(request.body == body);
            assert_eq!(request.framing(), Framing::Length(body.len()));
        }
        assert_eq!(api.tokens(), ["T1", "T2"]);
    }
}

#[test]
fn with_a_replay_limit_of_0_bodies_go_out_as_they_would_without_us() {
    let sends: [fn(&Agent, &str) -> Outcome; 5] = [
        |agent, url| agent.post(url).send("known"),
        |agent, url| agent.post(url).send_empty(),
        |agent, url| agent.post(url).send(SendBody::none()),
        |agent, url| agent.put(url).send(SendBody::from_reader(&mut Cursor::new("read"))),
        |agent, url| {
            agent.post(url).header("Content-Length", "4").send(SendBody::from_reader(&mut Cursor::new("read")))
        },
    ];
    sends.into_iter().for_each(goes_out_as_it_would_without_us);
}

#[test]
fn with_a_replay_limit_of_0_the_forced_body_of_a_delete_goes_out_as_it_would_without_us() {
    goes_out_as_it_would_without_us(|agent, url| agent.delete(url).force_send_body().send("known"));
}

fn goes_out_as_it_would_without_us(send: fn(&Agent, &str) -> Outcome) {
    let (_, received) = refused_upload(Some(0), send);
    let plain = Server::replies([reply(200)]);
    send(&Agent::new_with_defaults(), &plain.url("/upload")).expect("an answer");
    let [expected] = &plain.requests()[..] else { panic!("one request") };
    assert_eq!((received.text(), received.framing()), (expected.text(), expected.framing()));
}

#[test]
fn with_a_replay_limit_of_0_requests_of_safe_methods_are_still_replayed() {
    let sends: [fn(&Agent, &str) -> Outcome; 3] =
        [get, |agent, url| agent.head(url).call(), |agent, url| agent.options(url).call()];
    for send in sends {
        let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
        let source = builder(&script, &api).replay_limit(0).build().expect("a source");
        assert_eq!(status(&send(&agent(&source, true), &api.url("/"))), 200);
        assert_eq!(api.tokens(), ["T1", "T2"]);
    }
}

#[test]
fn a_body_that_cannot_be_read_is_an_error_and_nothing_is_sent() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    let (script, api) = (tokens(&["T1"]), Server::replies([]));
    let outcome = agent(&source(&script, &api), true).post(api.url("/")).send(SendBody::from_reader(&mut Broken));
    assert!(matches!(&outcome, Err(ureq::Error::Io(error)) if error.to_string() == "broken"), "{outcome:?}");
    assert_eq!(api.requests(), []);
}

/// Gives its bytes in small and uneven pieces.
struct Trickle(Vec<u8>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.len().min(buffer.len()).min(4093);
        buffer[..read].copy_from_slice(&self.0[..read]);
        self.0.drain(..read);
        Ok(read)
    }
}

// The configuration of the calling agent in both attempts.

/// Two token requests are a second apart, which is more than the callers of some tests have.
fn a_while_after_its_first_token(source: &TokenSource, clock: &ManualClock) {
    source.token().expect("a token");
    clock.advance(Duration::from_secs(2));
}

#[test]
fn the_replay_has_the_user_agent_and_accept_of_agent_and_request() {
    let (script, api) = (tokens(&["T1", "T2", "T3"]), Server::wants("T2"));
    let agent =
        source(&script, &api).wrap(Agent::config_builder().user_agent("agent/1").accept("text/plain").build().into());
    assert_eq!(text(get(&agent, &api.url("/"))), "fine");
    let (script, api_two) = (tokens(&["T1", "T2"]), Server::wants("T2"));
    let own = source(&script, &api_two).wrap(Agent::config_builder().user_agent("agent/1").build().into());
    assert_eq!(text(own.get(api_two.url("/")).config().user_agent("request/2").accept("").build().call()), "fine");
    let sent = |api: &Server| -> Vec<(Option<String>, Option<String>)> {
        let own = |request: &Received, name| request.header(name).map(str::to_owned);
        api.requests().iter().map(|request| (own(request, "user-agent"), own(request, "accept"))).collect()
    };
    assert_eq!(sent(&api), vec![(Some("agent/1".into()), Some("text/plain".into())); 2]);
    assert_eq!(sent(&api_two), vec![(Some("request/2".into()), None); 2]);
}

#[test]
fn the_replay_has_the_timeouts_of_agent_and_request() {
    const SHORT: Option<Duration> = Some(Duration::from_millis(250));
    type Configure = fn(&Agent, &str) -> Outcome;
    let at_agent = || Agent::config_builder();
    let at_request: [Configure; 2] = [
        |agent, url| agent.post(url).within(Duration::from_millis(250)).send("x"),
        |agent, url| agent.post(url).config().timeout_recv_response(SHORT).build().status_as_error(true).send("x"),
    ];
    let agents = [
        (at_agent().timeout_global(SHORT), post as Configure),
        (at_agent().timeout_per_call(SHORT), post),
        (at_agent().timeout_recv_response(SHORT), post),
        (at_agent(), at_request[0]),
        (at_agent().timeout_global(Some(Duration::from_secs(60))), at_request[1]),
    ];
    let check = |n, config: ConfigBuilder<AgentScope>, send: Configure| {
        let (script, api) = (tokens(&["T1", "T2"]), Server::replies([invalid_token(), Reply::never()]));
        let source = source(&script, &api);
        a_while_after_its_first_token(&source, &script.clock());
        let agent = source.wrap(config.build().into());
        let outcome = send(&agent, &api.url("/"));
        assert!(matches!(outcome, Err(ureq::Error::Timeout(_))), "{n}: {outcome:?}");
        assert_eq!(api.tokens(), ["T1", "T2"], "{n}");
    };
    thread::scope(|scope| {
        for (n, (config, send)) in agents.into_iter().enumerate() {
            scope.spawn(move || check(n, config, send));
        }
    });
}

#[test]
fn the_replay_has_the_proxy_of_agent_and_request() {
    for at_request in [false, true] {
        let (script, proxy) = (tokens(&["T1", "T2"]), Server::wants("T2"));
        // Nobody knows the name of this host, so a request that does not go through the proxy fails.
        let request = TokenRequest::new("https://auth.example.com/token")
            .and_then(|request| request.dangerously_allow_plain_http_origin("http://api.invalid:8080"))
            .expect("a request");
        let source = TokenSource::builder(Credentials::new("id", SECRET), request)
            .transport(script.clone())
            .clock(script.clock())
            .build()
            .expect("a source");
        let through = Proxy::new(&proxy.url("")).expect("a proxy");
        let config = Agent::config_builder();
        let outcome = if at_request {
            let agent = source.wrap(config.build().into());
            agent
                .post("http://api.invalid:8080/x")
                .config()
                .proxy(Some(through))
                .build()
                .status_as_error(true)
                .send("body")
        } else {
            let agent = source.wrap(config.proxy(Some(through)).build().into());
            agent.post("http://api.invalid:8080/x").send("body")
        };
        assert_eq!(text(outcome), "fine");
        let lines: Vec<_> = proxy.requests().iter().map(|request| request.line().to_owned()).collect();
        let (tunnel, post) = ("CONNECT api.invalid:8080 HTTP/1.1", "POST /x HTTP/1.1");
        // One connection for both attempts.
        assert_eq!(lines, [tunnel, post, post]);
        assert_eq!(proxy.tokens(), ["-", "T1", "T2"]);
    }
}

#[test]
fn the_replay_has_the_redirect_settings_of_agent_and_request() {
    let replies =
        || Server::replies([invalid_token(), redirect(302, "/1".into()), redirect(302, "/2".into()), reply(200)]);
    let run = |most: Option<u32>, at_request: Option<u32>| {
        let (script, api) = (tokens(&["T1", "T2"]), replies());
        let mut config = Agent::config_builder();
        if let Some(most) = most {
            config = config.max_redirects(most);
        }
        let mut request = source(&script, &api).wrap(config.build().into()).get(api.url("/"));
        if let Some(most) = at_request {
            request = request.config().max_redirects(most).build().status_as_error(true);
        }
        (request.call(), api.tokens())
    };
    for (outcome, seen) in [run(Some(0), None), run(None, Some(0)), run(Some(5), Some(0))] {
        assert_eq!((status(&outcome), seen), (302, vec!["T1".to_owned(), "T2".to_owned()]));
    }
    for (outcome, seen) in [run(Some(1), None), run(None, Some(1))] {
        assert!(matches!(outcome, Err(ureq::Error::TooManyRedirects)), "{outcome:?}");
        assert_eq!(seen, ["T1", "T2", "-"]);
    }
    let (outcome, seen) = run(None, None);
    assert_eq!((status(&outcome), seen.len()), (200, 4));
}

// Where there is no token of ours.

#[test]
fn st_11_br_09_an_authorization_of_the_callers_is_left_alone_and_its_401_is_theirs() {
    for value in ["Basic dTpw", "Bearer mine", ""] {
        for (agent_mode, mode) in MODES {
            let (script, api) = (tokens(&["T1"]), Server::replies([invalid_token()]));
            let agent = agent(&source(&script, &api), agent_mode);
            let outcome = with(agent.post(api.url("/")), mode).header("Authorization", value).send("x");
            assert_eq!((status(&outcome), outcome.is_err()), (401, mode.unwrap_or(agent_mode)));
            let [request] = &api.requests()[..] else { panic!("one request") };
            assert_eq!((request.headers("authorization"), script.requests().len()), (vec![value], 0));
        }
    }
}

#[test]
fn d17_requests_for_other_origins_are_untouched_and_their_401_is_ignored() {
    for (agent_mode, mode) in MODES {
        let (script, api) = (tokens(&["T1"]), Server::replies([reply(200), reply(200)]));
        let other = Server::replies([invalid_token().body("other")]);
        let agent = agent(&source(&script, &api), agent_mode);
        assert_eq!(status(&get(&agent, &api.url("/"))), 200);
        let body = &mut Cursor::new("streamed");
        let outcome = with(agent.post(other.url("/")), mode).send(SendBody::from_reader(body));
        assert_eq!((status(&outcome), outcome.is_err()), (401, mode.unwrap_or(agent_mode)));
        let [request] = &other.requests()[..] else { panic!("one request") };
        assert_eq!((request.header("authorization"), request.framing()), (None, Framing::Chunked));
        assert_eq!(status(&get(&agent, &api.url("/"))), 200);
        assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T1".into()], 1));
    }
}

#[test]
fn the_same_server_by_another_name_is_another_origin() {
    let (script, api) = (tokens(&["T1"]), Server::replies([reply(200)]));
    assert_eq!(status(&get(&agent(&source(&script, &api), true), &api.url_by_name("/"))), 200);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["-".into()], 0));
}

#[test]
fn a_url_with_user_info_gets_no_token() {
    let (script, api) = (tokens(&["T1"]), Server::replies([invalid_token()]));
    let url = format!("http://user:pass@127.0.0.1:{}/", api.port());
    assert_eq!(status(&get(&agent(&source(&script, &api), false), &url)), 401);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["-".into()], 0));
    assert!(api.requests()[0].header("authorization").is_some_and(|value| value.starts_with("Basic ")));
}

#[test]
fn d14_br_07_plain_http_to_another_machine_is_refused_when_it_is_configured() {
    let refused = |result: Result<TokenRequest, Error>| {
        let error = result.expect_err("plain http");
        assert!(matches!(error, Error::Configuration(_)) && error.to_string().contains("https"), "{error}");
    };
    let good = || TokenRequest::new("https://auth.example.com/token").expect("https");
    refused(TokenRequest::new("http://auth.example.com/token"));
    refused(good().allow_origin("http://api.example.com"));
    let error = TokenSource::new(Credentials::new("id", SECRET), good().audience("http://api.example.com"))
        .expect_err("an audience that names no origin");
    assert!(matches!(error, Error::Configuration(_)), "{error}");
}

#[test]
fn d14_plain_http_to_an_https_origin_gets_no_token_and_is_sent_bare() {
    let script = tokens(&["T1"]);
    let proxy = Server::replies([reply(200)]);
    let request =
        TokenRequest::new("https://auth.example.com/token").expect("a request").audience("https://api.invalid:8443");
    let source = TokenSource::builder(Credentials::new("id", SECRET), request)
        .transport(script.clone())
        .build()
        .expect("a source");
    let agent =
        source.wrap(Agent::config_builder().proxy(Some(Proxy::new(&proxy.url("")).expect("a proxy"))).build().into());
    assert_eq!(status(&get(&agent, "http://api.invalid:8443/")), 200);
    assert_eq!((proxy.tokens(), script.requests().len()), (vec!["-".into(), "-".into()], 0));
}

// No token to be had.

#[test]
fn st_12_d18_a_token_error_reaches_the_caller_and_the_request_is_not_sent() {
    type Prepare = fn(&Script);
    type Check = fn(&Error) -> bool;
    let cases: [(Prepare, Check, usize); 4] = [
        (
            |script| script.json(401, r#"{"error":"invalid_client"}"#),
            |error| matches!(error, Error::Denied(denied) if denied.code() == Some("invalid_client")),
            1,
        ),
        (|script| script.json(200, "<html>"), |error| matches!(error, Error::Protocol(_)), 1),
        (|_| {}, |error| matches!(error, Error::Transport(_)), 3),
        (
            |script| (0..3).for_each(|_| script.json(503, "")),
            |error| matches!(error, Error::Denied(denied) if denied.status() == 503),
            3,
        ),
    ];
    for (n, (prepare, check, asked)) in cases.into_iter().enumerate() {
        for status_as_error in [true, false] {
            let (script, api) = (Script::new(), Server::replies([]));
            prepare(&script);
            let agent = agent(&source(&script, &api), status_as_error);
            let error = our_error(agent.post(api.url("/")).send("x"));
            assert!(check(&error), "{n}: {error:?}");
            assert!(!format!("{error:?} {error}").contains(SECRET), "{n}: {error:?}");
            // The failure is remembered, so the next call does not ask again at once.
            assert!(check(&our_error(get(&agent, &api.url("/")))));
            assert_eq!((api.requests().len(), script.requests().len()), (0, asked), "{n}");
        }
    }
}

#[test]
fn a_secret_that_cannot_be_read_reaches_the_caller_with_its_cause() {
    let (script, api) = (Script::new(), Server::replies([]));
    let credentials = Credentials::with_secret_from("id", || Err("the vault is sealed".into()));
    let request = TokenRequest::new("https://auth.example.com/token").expect("a request").audience(api.url("/"));
    let source = TokenSource::builder(credentials, request).transport(script.clone()).build().expect("a source");
    let error = our_error(get(&agent(&source, true), &api.url("/")));
    assert!(matches!(error, Error::Credentials(_)), "{error:?}");
    assert_eq!(std::error::Error::source(&error).expect("a cause").to_string(), "the vault is sealed");
    assert_eq!((api.requests().len(), script.requests().len()), (0, 0));
}

// Answers that are no refusal of the token.

#[test]
fn st_05_a_connection_that_breaks_before_the_answer_is_an_error_and_nothing_is_repeated() {
    for api in [Server::resetting(), Server::replies([Reply::hang_up(), reply(200)])] {
        let script = tokens(&["T1", "T2"]);
        let outcome = agent(&source(&script, &api), true).post(api.url("/")).send("x");
        assert!(matches!(outcome, Err(ureq::Error::Io(_))), "{outcome:?}");
        assert_eq!((api.requests().len(), script.requests().len()), (1, 1));
    }
}

#[test]
fn st_05_if_the_second_attempt_gets_no_answer_a_safe_method_returns_the_401() {
    for (agent_mode, mode) in MODES {
        let refused = invalid_token().header("X-Attempt", "1").body("the first");
        let (script, api) = (tokens(&["T1", "T2"]), Server::replies([refused, Reply::hang_up()]));
        let outcome = with(agent(&source(&script, &api), agent_mode).get(api.url("/")), mode).call();
        assert_eq!((status(&outcome), outcome.is_err()), (401, mode.unwrap_or(agent_mode)));
        if let Ok(mut response) = outcome {
            assert_eq!(response.headers()["x-attempt"], "1");
            assert_eq!(response.body_mut().read_to_string().expect("text"), "the first");
        }
        assert_eq!(api.tokens(), ["T1", "T2"]);
    }
}

#[test]
fn st_05_a_replay_that_breaks_is_an_error_and_nothing_is_repeated() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([invalid_token(), Reply::hang_up(), reply(200)]));
    let outcome = agent(&source(&script, &api), true).post(api.url("/")).send("x");
    assert!(matches!(outcome, Err(ureq::Error::Io(_))), "{outcome:?}");
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T2".into()], 2));
}

/// The answer is the caller's, as the status mode says; nothing is repeated, and the token stays.
fn is_no_refusal(answer: &Reply, code: u16) {
    for (agent_mode, mode) in MODES {
        let (script, api) = (tokens(&["T1", "T2"]), Server::replies([answer.clone(), reply(200)]));
        let agent = agent(&source(&script, &api), agent_mode);
        let outcome = with(agent.post(api.url("/")), mode).send("x");
        assert_eq!((status(&outcome), outcome.is_err()), (code, code >= 400 && mode.unwrap_or(agent_mode)));
        if outcome.is_ok() {
            assert_eq!(text(outcome), format!("status {code}"));
        }
        assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into()], 1));
        assert_eq!(status(&get(&agent, &api.url("/"))), 200);
        assert_eq!((api.tokens(), script.requests().len()), (vec!["T1".into(), "T1".into()], 1));
    }
}

#[test]
fn st_06_a_403_insufficient_scope_is_no_refusal() {
    is_no_refusal(&challenge(403, r#"Bearer error="insufficient_scope", scope="admin""#), 403);
    is_no_refusal(&challenge(403, r#"Bearer error="invalid_token""#), 403);
}

#[test]
fn st_10_a_401_invalid_request_is_no_refusal() {
    is_no_refusal(&challenge(401, r#"Bearer error="invalid_request""#), 401);
}

#[test]
fn d10_a_401_insufficient_scope_is_no_refusal() {
    is_no_refusal(&challenge(401, r#"Bearer realm="x", error="insufficient_scope""#), 401);
}

#[test]
fn st_14_a_407_is_no_refusal() {
    let bearer = r#"Bearer error="invalid_token""#;
    is_no_refusal(&reply(407).header("Proxy-Authenticate", bearer).body("status 407"), 407);
    is_no_refusal(&challenge(407, bearer), 407);
}

#[test]
fn st_20_a_200_with_a_challenge_is_no_refusal() {
    is_no_refusal(&challenge(200, r#"Bearer error="invalid_token""#), 200);
}

// Redirects.

#[test]
fn st_13_br_08_a_redirect_to_another_origin_takes_no_token_along() {
    for code in [301, 302, 303, 307, 308] {
        for by_name in [false, true] {
            for keep in [RedirectAuthHeaders::Never, RedirectAuthHeaders::SameHost] {
                let other = Server::replies([reply(200).body("elsewhere")]);
                let to = if by_name { other.url_by_name("/x") } else { other.url("/x") };
                let (script, api) = (tokens(&["T1"]), Server::replies([redirect(code, to)]));
                let agent =
                    source(&script, &api).wrap(Agent::config_builder().redirect_auth_headers(keep).build().into());
                let request = agent.get(api.url("/")).config().redirect_auth_headers(keep).build();
                assert_eq!(text(request.call()), "elsewhere");
                assert_eq!((api.tokens(), other.tokens()), (vec!["T1".into()], vec!["-".into()]));
                assert_eq!(other.requests()[0].headers("authorization"), Vec::<&str>::new());
            }
        }
    }
}

#[test]
fn st_13_a_redirect_takes_no_token_of_the_sources_own_agent_along() {
    let other = Server::replies([invalid_token().body("elsewhere")]);
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([redirect(302, other.url("/"))]));
    let agent = source(&script, &api).agent();
    assert_eq!(status(&agent.get(api.url("/")).call()), 401);
    assert_eq!((api.tokens(), other.tokens()), (vec!["T1".into()], vec!["-".into()]));
    assert_eq!(script.requests().len(), 1, "d23: a 401 after a redirect is no refusal");
}

#[test]
fn the_sources_own_agent_heeds_the_configuration_of_a_call() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::new(|_| invalid_token().body("refused")));
    let agent = source(&script, &api).agent();
    let call = agent.get(api.url("/")).config().http_status_as_error(false).user_agent("mine/1").build();
    assert_eq!(text(call.call()), "refused");
    assert!(api.requests().iter().all(|request| request.header("user-agent") == Some("mine/1")));
    assert!(agent.get(api.url("/")).call().is_err());
}

#[test]
fn st_13_a_redirect_to_another_name_of_the_server_takes_no_token_along() {
    let script = tokens(&["T1"]);
    let api = Server::new(|request| match request.header("host").and_then(|host| host.strip_prefix("127.0.0.1:")) {
        Some(port) => redirect(307, format!("http://localhost:{port}/")),
        None => reply(200),
    });
    let agent = source(&script, &api)
        .wrap(Agent::config_builder().redirect_auth_headers(RedirectAuthHeaders::SameHost).build().into());
    assert_eq!(status(&agent.head(api.url("/")).call()), 200);
    assert_eq!(api.tokens(), ["T1", "-"]);
}

#[test]
fn st_13_a_redirected_post_takes_neither_token_nor_body_along() {
    for code in [302, 303] {
        let other = Server::replies([reply(200)]);
        let (script, api) = (tokens(&["T1"]), Server::replies([redirect(code, other.url("/"))]));
        let outcome = agent(&source(&script, &api), true).post(api.url("/")).send_form([("pin", "1234")]);
        assert_eq!(status(&outcome), 200);
        let [request] = &other.requests()[..] else { panic!("one request") };
        assert_eq!((request.method(), request.header("authorization")), ("GET", None));
        assert_eq!((request.text(), request.framing()), ("", Framing::None));
    }
    for code in [307, 308] {
        let other = Server::replies([]);
        let (script, api) = (tokens(&["T1"]), Server::replies([redirect(code, other.url("/"))]));
        let outcome = agent(&source(&script, &api), true).post(api.url("/")).send_form([("pin", "1234")]);
        assert!(matches!(outcome, Err(ureq::Error::RedirectFailed)), "{outcome:?}");
        assert_eq!(other.requests(), []);
    }
}

#[test]
fn st_13_a_redirect_of_the_replay_takes_no_token_along() {
    let other = Server::replies([invalid_token().body("elsewhere")]);
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([invalid_token(), redirect(307, other.url("/"))]));
    let agent = source(&script, &api).wrap(
        Agent::config_builder()
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .build()
            .into(),
    );
    assert_eq!(text(get(&agent, &api.url("/"))), "elsewhere");
    assert_eq!((api.tokens(), other.tokens()), (vec!["T1".into(), "T2".into()], vec!["-".into()]));
}

#[test]
fn d23_a_401_after_a_redirect_is_no_refusal() {
    for to_itself in [false, true] {
        for (agent_mode, mode) in MODES {
            let other = Server::replies([invalid_token()]);
            let to = if to_itself { String::from("/next") } else { other.url("/") };
            let api = Server::new(move |request| match request.target() {
                "/next" => invalid_token(),
                "/start" => redirect(302, to.clone()),
                _ => reply(200),
            });
            let script = tokens(&["T1", "T2"]);
            let agent = agent(&source(&script, &api), agent_mode);
            let outcome = with(agent.get(api.url("/start")), mode).call();
            assert_eq!((status(&outcome), outcome.is_err()), (401, mode.unwrap_or(agent_mode)));
            if outcome.is_ok() {
                assert_eq!(text(outcome), "status 401");
            }
            assert_eq!(status(&get(&agent, &api.url("/"))), 200);
            let seen = if to_itself { vec!["T1", "-", "T1"] } else { vec!["T1", "T1"] };
            assert_eq!((api.tokens(), script.requests().len()), (seen.into_iter().map(str::to_owned).collect(), 1));
        }
    }
}

/// Here a second attempt would not only be useless: the POST was applied.
#[test]
fn d23_a_401_after_a_redirect_to_the_very_same_url_is_no_refusal() {
    for (agent_mode, mode) in MODES {
        let api = Server::new(|request| match request.method() {
            "POST" => redirect(303, String::from("/items")),
            _ => invalid_token(),
        });
        let script = tokens(&["T1", "T2"]);
        let source = source(&script, &api);
        for agent in [agent(&source, agent_mode), source.agent()] {
            let outcome = with(agent.post(api.url("/items")), mode).send("one more");
            assert_eq!(status(&outcome), 401);
        }
        let seen = ["T1", "-", "T1", "-"].map(str::to_owned);
        assert_eq!((api.tokens(), script.requests().len()), (seen.into(), 1));
    }
}

/// A cache, a mock: what it answers did not come through ureq.
#[test]
fn a_401_that_a_later_middleware_makes_up_is_a_refusal_like_any_other() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::replies([reply(200)]));
    let first = AtomicBool::new(true);
    let refusing = move |request: Request<SendBody>, next: MiddlewareNext| {
        if !first.swap(false, Ordering::Relaxed) {
            return next.handle(request);
        }
        Response::builder().status(401).body(Body::builder().data("made up")).map_err(ureq::Error::from)
    };
    let agent = source(&script, &api).wrap(Agent::config_builder().middleware(refusing).build().into());
    assert_eq!(status(&get(&agent, &api.url("/"))), 200);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["T2".to_owned()], 2));
}

#[test]
fn a_later_middleware_may_send_the_request_elsewhere_at_the_api() {
    let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
    let versioned = |mut request: Request<SendBody>, next: MiddlewareNext| {
        let uri = format!("{}?version=2", request.uri());
        *request.uri_mut() = uri.parse().expect("a URL");
        next.handle(request)
    };
    let source = source(&script, &api);
    let agent = source.wrap(Agent::config_builder().middleware(versioned).build().into());
    assert_eq!(text(get(&agent, &api.url("/items"))), "fine");
    assert_eq!((api.tokens(), script.requests().len()), (["T1", "T2"].map(str::to_owned).into(), 2));
}

/// The two ways through the source's own agent: its own configuration, and one of the call's own.
#[test]
fn the_sources_own_agent_sends_again_what_has_a_body_or_a_configuration_of_its_own() {
    let send: [fn(&Agent, &str) -> Outcome; 4] = [
        |agent, url| agent.post(url).send("body"),
        |agent, url| agent.post(url).within(Duration::from_secs(20)).send("body"),
        |agent, url| agent.run(Request::post(url).body("body").expect("a request")),
        |agent, url| agent.get(url).force_send_body().send("body"),
    ];
    for send in send {
        let (script, api) = (tokens(&["T1", "T2"]), Server::wants("T2"));
        assert_eq!(text(send(&source(&script, &api).agent(), &api.url("/"))), "fine");
        let received = api.requests();
        assert_eq!(received.iter().map(Received::text).collect::<Vec<_>>(), ["body", "body"]);
        assert!(received.iter().all(|request| request.framing() == Framing::Length(4)), "{received:?}");
        assert_eq!(api.tokens(), ["T1", "T2"]);
    }
}

// Time.

#[test]
fn timeout_global_bounds_the_wait_for_a_token_that_another_caller_fetches() {
    let (script, api) = (Script::new(), Server::replies([reply(200)]));
    let (begun, has_begun) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    script.answer(move |_, _| {
        begun.send(()).expect("the test is there");
        assert_eq!(released.recv_timeout(Duration::from_secs(20)), Err(RecvTimeoutError::Disconnected));
        Ok(Response::new(br#"{"access_token":"late","token_type":"Bearer"}"#.to_vec()))
    });
    let source = builder(&script, &api).clock(SystemClock).build().expect("a source");
    let agent = agent(&source, true);
    thread::scope(|scope| {
        let release = release;
        scope.spawn(|| source.token().expect("a late token"));
        has_begun.recv().expect("the token request goes out");
        let from = SystemClock.now();
        let request = agent.get(api.url("/")).within(Duration::from_millis(50));
        let error = our_error(request.call());
        assert!(
            matches!(&error, Error::Transport(failure) if failure.kind() == TransportErrorKind::Timeout),
            "{error}"
        );
        assert!(SystemClock.now().since(&from) < Duration::from_secs(10));
        drop(release);
    });
    // The token request was not lost.
    assert_eq!(status(&get(&agent, &api.url("/"))), 200);
    assert_eq!((api.tokens(), script.requests().len()), (vec!["late".into()], 1));
}

#[test]
fn timeout_global_bounds_the_token_request_of_the_caller_itself() {
    for at_request in [false, true] {
        let (auth, api) = (Server::replies([Reply::never()]), Server::replies([]));
        let request = TokenRequest::new(&auth.url("/token")).expect("a request").audience(api.url("/"));
        let source = TokenSource::new(Credentials::new("id", SECRET), request).expect("a source");
        let short = Some(Duration::from_millis(200));
        let config = Agent::config_builder();
        let from = SystemClock.now();
        let outcome = if at_request {
            source.wrap(config.build().into()).get(api.url("/")).within(Duration::from_millis(200)).call()
        } else {
            source.wrap(config.timeout_global(short).build().into()).get(api.url("/")).call()
        };
        let error = our_error(outcome);
        assert!(
            matches!(&error, Error::Transport(failure) if failure.kind() == TransportErrorKind::Timeout),
            "{error}"
        );
        assert!(SystemClock.now().since(&from) < Duration::from_secs(10));
        assert_eq!((auth.requests().len(), api.requests().len()), (1, 0));
    }
}

#[test]
fn timeout_global_counts_token_first_attempt_and_renewal_together() {
    let script = Script::new();
    let clock = script.clock();
    let allowed = Arc::new(Mutex::new(Vec::new()));
    for token in ["T1", "T2"] {
        let (allowed, clock) = (Arc::clone(&allowed), clock.clone());
        script.answer(move |_, attempt| {
            lock(&allowed).push(attempt.timeout);
            clock.advance(Duration::from_secs(2));
            let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
            Ok(Response::new(body.into_bytes()))
        });
    }
    let api = Server::new(move |request| {
        clock.advance(Duration::from_secs(3));
        if request.token() == Some("T2") { reply(200) } else { invalid_token() }
    });
    let agent = agent(&source(&script, &api), true);
    let request = agent.get(api.url("/")).within(Duration::from_secs(10));
    assert_eq!(status(&request.call()), 200);
    assert_eq!(*lock(&allowed), [Duration::from_secs(10), Duration::from_secs(5)]);
}

#[test]
fn no_time_is_left_for_the_request_after_a_token_that_took_it_all() {
    let (script, api) = (Script::new(), Server::replies([]));
    let clock = script.clock();
    script.answer(move |_, _| {
        clock.advance(Duration::from_secs(10));
        Ok(Response::new(br#"{"access_token":"T1","token_type":"Bearer","expires_in":3600}"#.to_vec()))
    });
    let agent = agent(&source(&script, &api), true);
    let outcome = agent.get(api.url("/")).within(Duration::from_secs(10)).call();
    assert!(matches!(outcome, Err(ureq::Error::Timeout(ureq::Timeout::Global))), "{outcome:?}");
    assert_eq!(api.requests(), []);
}

#[test]
fn without_any_time_nothing_is_asked_and_nothing_sent() {
    let (script, api) = (tokens(&["T1"]), Server::replies([]));
    let agent = agent(&source(&script, &api), true);
    let outcome = agent.get(api.url("/")).within(Duration::ZERO).call();
    assert!(matches!(outcome, Err(ureq::Error::Timeout(_) | ureq::Error::Other(_))), "{outcome:?}");
    assert_eq!((script.requests().len(), api.requests().len()), (0, 0));
}

#[test]
fn a_stuck_renewal_gives_the_caller_the_original_401_in_time() {
    let api = Server::replies([invalid_token().body("the first")]);
    let auth = Server::replies([token_reply("T1"), Reply::never()]);
    let clock = Script::new().clock();
    let source =
        asks(&auth, &api.url("/"), UreqTransport::new()).clock(clock.clone()).retries(0).build().expect("good");
    a_while_after_its_first_token(&source, &clock);
    let agent = agent(&source, false);
    let from = SystemClock.now();
    let request = agent.get(api.url("/")).within(Duration::from_millis(300));
    assert_eq!(status(&request.call()), 401);
    assert!(SystemClock.now().since(&from) < Duration::from_secs(10));
    assert_eq!(auth.requests().len(), 2);
}

// Out of the box.

#[test]
fn with_agent_and_transport_of_the_crate_a_token_is_fetched_used_and_renewed() {
    let (auth, api) = (Server::replies([token_reply("T1"), token_reply("T2")]), Server::wants("T2"));
    let agent = asks(&auth, &api.url("/"), UreqTransport::new()).build().expect("a source").agent();
    assert_eq!(text(agent.post(api.url("/")).send("x")), "fine");
    assert_eq!((auth.requests().len(), api.tokens()), (2, vec!["T1".into(), "T2".into()]));
}

/// Runs the test above in a process whose environment names a proxy.
#[test]
fn d14_a_proxy_of_the_environment_never_sees_plain_http_to_this_machine() {
    let proxy = Server::replies([]);
    let mut child = Command::new(std::env::current_exe().expect("a path"));
    for name in ["NO_PROXY", "no_proxy"] {
        child.env_remove(name);
    }
    for name in ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        child.env(name, proxy.url(""));
    }
    let output =
        child.args(["--exact", "with_agent_and_transport_of_the_crate_a_token_is_fetched_used_and_renewed"]).output();
    let output = String::from_utf8(output.expect("a process").stdout).expect("text");
    assert!(output.contains("1 passed"), "{output}");
    assert_eq!(proxy.requests(), []);
}

// Token requests through ureq.

/// A source of tokens for `api` that asks this server through this transport, with a clock that sleeps in no time.
fn asks(auth: &Server, api: &str, transport: UreqTransport) -> TokenSourceBuilder {
    let request = TokenRequest::new(&auth.url("/token")).expect("a request").audience(api);
    TokenSource::builder(Credentials::new("id", SECRET), request).transport(transport).clock(Script::new().clock())
}

/// The API of a source whose API is of no matter.
const API: &str = "https://api.example.com";

fn failure(builder: TokenSourceBuilder) -> TransportErrorKind {
    match builder.build().expect("a source").token() {
        Err(Error::Transport(failure)) => failure.kind(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn d15_a_redirect_of_the_token_endpoint_is_not_followed() {
    for code in [301, 302, 303, 307, 308] {
        for transport in [
            UreqTransport::new(),
            UreqTransport::with_agent(
                Agent::config_builder()
                    .max_redirects(5)
                    .redirect_auth_headers(RedirectAuthHeaders::SameHost)
                    .build()
                    .into(),
            ),
        ] {
            let other = Server::replies([token_reply("stolen")]);
            let auth = Server::replies([redirect(code, other.url("/token"))]);
            let result = asks(&auth, API, transport).build().expect("a source").token();
            assert!(matches!(&result, Err(Error::Denied(denied)) if denied.status() == code), "{result:?}");
            assert_eq!((auth.requests().len(), other.requests()), (1, Vec::new()));
        }
    }
}

#[test]
fn an_answer_of_the_token_endpoint_over_256_kib_is_refused() {
    let padded = |length: usize| {
        let start = r#"{"access_token":"T1","token_type":"Bearer","pad":""#;
        format!("{start}{}\"}}", "x".repeat(length - start.len() - 2))
    };
    let auth = Server::replies([json_reply(200, &padded(256 * 1024))]);
    assert_eq!(
        asks(&auth, API, UreqTransport::new()).build().expect("a source").token().expect("a token").secret(),
        "T1"
    );
    for code in [200, 400] {
        let auth = Server::replies([json_reply(code, &padded(256 * 1024 + 1))]);
        assert_eq!(failure(asks(&auth, API, UreqTransport::new())), TransportErrorKind::BodyTooLarge);
        assert_eq!(auth.requests().len(), 1);
    }
}

#[test]
fn a_token_request_has_one_accept_header_and_a_body_of_known_length() {
    let auth = Server::replies([token_reply("T1")]);
    let agent = Agent::config_builder().accept("text/html").user_agent("mine/1").build().into();
    asks(&auth, API, UreqTransport::with_agent(agent)).build().expect("a source").token().expect("a token");
    let [request] = &auth.requests()[..] else { panic!("one request") };
    assert_eq!(request.headers("accept"), ["application/json"]);
    assert_eq!(request.headers("user-agent"), ["mine/1"]);
    assert_eq!(request.headers("content-type"), ["application/x-www-form-urlencoded"]);
    assert_eq!((request.line(), request.framing()), ("POST /token HTTP/1.1", Framing::Length(request.body.len())));
}

#[test]
fn the_limits_of_the_source_and_the_timeouts_of_the_agent_both_hold() {
    let from = SystemClock.now();
    let short = Duration::from_millis(50);
    let never = || Server::replies([Reply::never()]);
    let auth = never();
    let by_source = asks(&auth, API, UreqTransport::new()).timeout(short).retries(0);
    assert_eq!(failure(by_source), TransportErrorKind::Timeout);
    for config in [
        Agent::config_builder().timeout_global(Some(short)),
        Agent::config_builder().timeout_recv_response(Some(short)),
    ] {
        let auth = never();
        let by_agent = asks(&auth, API, UreqTransport::with_agent(config.build().into())).retries(0);
        assert_eq!(failure(by_agent), TransportErrorKind::Timeout);
    }
    let auth = never();
    let longer = Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).build().into();
    let by_source = asks(&auth, API, UreqTransport::with_agent(longer)).timeout(short).retries(0);
    assert_eq!(failure(by_source), TransportErrorKind::Timeout);
    assert!(SystemClock.now().since(&from) < Duration::from_secs(10));
}

#[test]
fn what_went_wrong_below_http_is_sorted_by_kind_and_retried_where_that_may_help() {
    let gone = Server::replies([]).url("/token");
    let request = TokenRequest::new(&gone).expect("a request").audience("https://api.example.com");
    let script = Script::new();
    let refused = TokenSource::builder(Credentials::new("id", SECRET), request)
        .transport(UreqTransport::new())
        .clock(script.clock());
    assert_eq!(failure(refused), TransportErrorKind::Connect);

    let cut = Server::replies([token_reply("T1").cut(), token_reply("T1")]);
    assert_eq!(failure(asks(&cut, API, UreqTransport::new())), TransportErrorKind::Other);
    let hang_up = Server::replies([Reply::hang_up(), token_reply("T1")]);
    assert_eq!(failure(asks(&hang_up, API, UreqTransport::new())), TransportErrorKind::Other);
    let reset = Server::resetting();
    assert_eq!(failure(asks(&reset, API, UreqTransport::new())), TransportErrorKind::Other);
    assert_eq!((cut.requests().len(), hang_up.requests().len(), reset.requests().len()), (1, 1, 1));

    let not_tls = Server::replies([reply(400)]);
    let request = TokenRequest::new(&format!("https://127.0.0.1:{}/token", not_tls.port()))
        .expect("a request")
        .audience("https://api.example.com");
    let tls = TokenSource::builder(Credentials::new("id", SECRET), request).transport(UreqTransport::new());
    assert_eq!(failure(tls.timeout(Duration::from_secs(2)).retries(0)), TransportErrorKind::Tls);

    let unwell = Server::replies([reply(503), reply(429), token_reply("T3")]);
    let token = asks(&unwell, API, UreqTransport::new()).build().expect("a source").token().expect("the third answer");
    assert_eq!((token.secret(), unwell.requests().len()), ("T3", 3));
}

#[test]
fn every_status_of_the_token_endpoint_is_an_answer_whatever_the_agents_mode() {
    for mode in [true, false] {
        let auth = Server::replies([json_reply(401, r#"{"error":"invalid_client","error_description":"no"}"#)]);
        let agent = Agent::config_builder().http_status_as_error(mode).build().into();
        let result = asks(&auth, API, UreqTransport::with_agent(agent)).build().expect("a source").token();
        let Err(Error::Denied(denied)) = result else { panic!("{result:?}") };
        assert_eq!((denied.status(), denied.code(), denied.description()), (401, Some("invalid_client"), Some("no")));
    }
}

#[test]
fn token_requests_use_the_proxy_of_the_users_agent() {
    let proxy = Server::replies([token_reply("T1")]);
    let agent = Agent::config_builder().proxy(Some(Proxy::new(&proxy.url("")).expect("a proxy"))).build().into();
    let request = TokenRequest::dangerously_over_plain_http("http://auth.invalid/token")
        .expect("a request")
        .audience("https://api.example.com");
    let source =
        TokenSource::builder(Credentials::new("id", SECRET), request).transport(UreqTransport::with_agent(agent));
    assert_eq!(source.build().expect("a source").token().expect("a token").secret(), "T1");
    let lines: Vec<_> = proxy.requests().iter().map(|request| request.line().to_owned()).collect();
    assert_eq!(lines, ["CONNECT auth.invalid:80 HTTP/1.1", "POST /token HTTP/1.1"]);
}

#[test]
fn token_requests_go_through_the_middleware_of_the_users_agent() {
    let auth = Server::replies([token_reply("T1")]);
    let agent = Agent::config_builder()
        .middleware(|mut request: Request<SendBody>, next: MiddlewareNext| {
            request.headers_mut().insert("x-trace", "42".parse().expect("a value"));
            next.handle(request)
        })
        .build()
        .into();
    asks(&auth, API, UreqTransport::with_agent(agent)).build().expect("a source").token().expect("a token");
    assert_eq!(auth.requests()[0].header("x-trace"), Some("42"));
}

/// A middleware that passes requests on to an agent that is made after the source is there.
#[derive(Clone, Default)]
struct Later(Arc<OnceLock<Agent>>);

impl ureq::middleware::Middleware for Later {
    fn handle(&self, request: Request<SendBody>, _: MiddlewareNext) -> Result<Response<Body>, ureq::Error> {
        self.0.get().expect("set by now").run(request)
    }
}

#[test]
fn our_own_middleware_on_the_agent_of_the_transport_leaves_token_requests_alone() {
    // Token endpoint and API are one origin, and the credentials leave the Authorization header free.
    let server = Server::new(|request| match request.target() {
        "/token" => token_reply("T1"),
        _ => reply(200).body("fine"),
    });
    let later = Later::default();
    let agent: Agent = Agent::config_builder().middleware(later.clone()).build().into();
    let request = TokenRequest::new(&server.url("/token")).expect("a request").audience(server.url("/"));
    let credentials = Credentials::new("id", SECRET).in_body();
    let source = TokenSource::builder(credentials, request).transport(UreqTransport::with_agent(agent.clone())).build();
    let wrapped = source.expect("a source").wrap(Agent::new_with_defaults());
    assert!(later.0.set(wrapped).is_ok());
    assert_eq!(text(get(&agent, &server.url("/api"))), "fine");
    assert_eq!(server.tokens(), ["-", "T1"]);
    assert_eq!(server.requests()[0].headers("authorization"), Vec::<&str>::new());
}

#[test]
fn the_middleware_of_another_source_leaves_token_requests_alone() {
    let auth = Server::replies([token_reply("T1")]);
    let other = tokens(&["other"]);
    let agent = source(&other, &auth).wrap(Agent::new_with_defaults());
    let request = TokenRequest::new(&auth.url("/token")).expect("a request").audience("https://api.example.com");
    let credentials = Credentials::new("id", SECRET).in_body();
    let source = TokenSource::builder(credentials, request)
        .transport(UreqTransport::with_agent(agent))
        .build()
        .expect("a source");
    assert_eq!(source.token().expect("a token").secret(), "T1");
    assert_eq!((auth.tokens(), other.requests().len()), (vec!["-".into()], 0));
}

#[test]
fn a_transport_that_goes_through_the_authenticated_agent_itself_is_a_clear_error_and_no_deadlock() {
    let server = Server::replies([]);
    let slot: Arc<OnceLock<Agent>> = Arc::default();
    let own = Arc::clone(&slot);
    let transport = move |request: Request<Vec<u8>>, _: &Attempt| {
        let agent = own.get().expect("set by now");
        match agent.run(request) {
            Ok(response) => panic!("{response:?}"),
            Err(error) => Err(TransportError::new(TransportErrorKind::Other, error)),
        }
    };
    let request = TokenRequest::new(&server.url("/token")).expect("a request").audience(server.url("/"));
    let credentials = Credentials::new("id", SECRET).in_body();
    let source = TokenSource::builder(credentials, request).transport(transport).build().expect("a source");
    assert!(slot.set(source.agent()).is_ok());
    let error = our_error(get(&source.agent(), &server.url("/api")));
    let mut chain = vec![error.to_string()];
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    assert!(chain.iter().any(|message| message.contains("through the very agent or source")), "{chain:?}");
    assert_eq!(server.requests(), []);
}

// What is told.

#[test]
fn an_api_that_lives_at_another_origin_than_the_audience_is_named_once() {
    let (script, api) = (tokens(&["T1"]), Server::replies([reply(200)]));
    let elsewhere = Server::new(|_| reply(401));
    let bare = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&bare);
    let source = builder(&script, &api)
        .on_event(move |event| {
            if matches!(event.kind, EventKind::OriginNotAllowed { .. }) {
                assert!(event.to_string().contains("TokenRequest::allow_origin"), "{event}");
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
        .build()
        .expect("a source");
    for status_as_error in [true, false] {
        let agent = agent(&source, status_as_error);
        for _ in 0..3 {
            assert_eq!(status(&get(&agent, &elsewhere.url("/items"))), 401);
        }
        // A 401 of the caller's own credentials is the caller's.
        drop(agent.get(elsewhere.url_by_name("/")).header("authorization", "Basic eDp5").call());
    }
    assert_eq!(source.inspect().origins_not_allowed, [elsewhere.url("")]);
    assert_eq!((bare.load(Ordering::Relaxed), script.requests().len()), (1, 0));
}
