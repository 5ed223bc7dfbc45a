//! Framing, and bodies that are too large to keep.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process;

use ureq::typestate::WithBody;

use super::*;

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
        assert_bytes(&format!("way {how}"), &body, &received.body);
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
    assert_bytes("the upload", &body, &received.body);
    assert_eq!(received.framing(), Framing::Length(body.len()));
}

/// Text that is larger than the default limit, without two equal stretches of a buffer's size.
fn large_text() -> String {
    let text: String = (0_usize..).map(|n| n.to_string()).take(200_000).collect();
    assert!(text.len() > MIB);
    text
}

/// A file with this text, which goes away with its value.
struct TextFile(PathBuf);

impl TextFile {
    fn new(name: &str, text: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", process::id()));
        fs::write(&path, text).expect("a file");
        Self(path)
    }

    fn open(&self) -> File {
        File::open(&self.0).expect("a file")
    }
}

impl Drop for TextFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

type Send = Box<dyn Fn(RequestBuilder<WithBody>) -> Outcome>;

/// The ways to send a body whose size ureq knows.
fn bodies_of_known_size(text: &str, file: &Arc<TextFile>) -> Vec<(&'static str, Send)> {
    let body = |send: fn(RequestBuilder<WithBody>, &str) -> Outcome| {
        let text = text.to_owned();
        Box::new(move |request| send(request, &text)) as Send
    };
    let from_file = |send: fn(RequestBuilder<WithBody>, File) -> Outcome| {
        let file = Arc::clone(file);
        Box::new(move |request| send(request, file.open())) as Send
    };
    vec![
        ("&str", body(|request, text| request.send(text))),
        ("String", body(|request, text| request.send(text.to_owned()))),
        ("&[u8]", body(|request, text| request.send(text.as_bytes()))),
        ("Vec", body(|request, text| request.send(text.as_bytes().to_vec()))),
        #[cfg(feature = "json")]
        ("JSON", body(|request, text| request.send_json(serde_json::json!({ "text": text })))),
        ("a form", body(|request, text| request.send_form([("a", "x y"), ("text", text)]))),
        ("another answer", body(|request, text| request.send(Response::new(Body::builder().data(text))))),
        ("a file", from_file(|request, file| request.send(file))),
        ("&File", from_file(|request, file| request.send(&file))),
    ]
}

#[test]
fn a_body_of_known_size_over_1_mib_arrives_byte_for_byte_and_in_chunks_unless_its_length_is_stated() {
    let text = large_text();
    let file = Arc::new(TextFile::new("over-1-mib", &text));
    for (name, send) in bodies_of_known_size(&text, &file) {
        let plain = Server::replies([reply(200)]);
        let bare: Agent = config().build().into();
        send(bare.put(plain.url("/upload"))).expect("an answer");
        let [expected] = &plain.requests()[..] else { panic!("one request") };
        let Framing::Length(length) = expected.framing() else { panic!("{name}: {:?}", expected.framing()) };
        assert!(length > MIB, "{name}");
        for is_stated in [false, true] {
            let api = Server::replies([reply(200)]);
            let mut request = agent(&source(&tokens(&["T1"]), &api), true).put(api.url("/upload"));
            if is_stated {
                request = request.header("Content-Length", length);
            }
            send(request).expect("an answer");
            let [received] = &api.requests()[..] else { panic!("one request") };
            let framing = if is_stated { Framing::Length(length) } else { Framing::Chunked };
            assert_eq!((received.framing(), received.token()), (framing, Some("T1")), "{name}");
            assert_bytes(name, &expected.body, &received.body);
            assert_eq!(received.header("content-type"), expected.header("content-type"), "{name}");
        }
    }
}

/// Each kind of request with a limit that most of the bodies exceed.
#[test]
fn every_kind_of_request_over_the_limit_is_the_one_that_ureq_alone_sends_apart_from_token_and_framing() {
    const LIMIT: usize = 3;
    let mut over = 0;
    for kind in KINDS {
        let case = format!("{} ({})", kind.method, kind.name);
        let plain: Agent = config().allow_non_standard_methods(true).build().into();
        let (elsewhere, api) = (Server::replies([reply(200)]), Server::replies([reply(200)]));
        let source = builder(&tokens(&["T1"]), &api).replay_limit(LIMIT).build().expect("a source");
        let wrapped = source.wrap(plain.clone());
        for (agent, server) in [(&plain, &elsewhere), (&wrapped, &api)] {
            assert_eq!(status(&(kind.send)(agent, &server.url("/v1/items"), None)), 200, "{case}");
        }
        let is_stated = kind.name.starts_with("a length of the caller's");
        let is_over = kind.body.len() > LIMIT && !is_stated;
        over += usize::from(is_over);
        let framing = if is_over { Framing::Chunked } else { kind.framing };
        let [expected, received] = [&elsewhere, &api].map(|server| server.requests().swap_remove(0));
        // The two servers have ports of their own.
        assert_same(&case, &expected.with_host_of(&received), &received, framing);
    }
    assert!(over > 20, "{over}");
}

/// A server that takes no chunks.
fn wants_a_length() -> Server {
    Server::new(|request| if request.framing() == Framing::Chunked { reply(411) } else { reply(200).body("stored") })
}

#[test]
fn a_411_is_reported_as_a_warning_and_both_ways_out_work() {
    let api = wants_a_length();
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let source = builder(&tokens(&["T1"]), &api).on_event(move |event| {
        if let EventKind::LengthRequired { origin, .. } = event.kind {
            lock(&log).push((origin.to_owned(), event.to_string()));
        }
    });
    let source = source.build().expect("a source");
    let body = large(MIB + 1);
    for (agent_mode, mode) in MODES {
        let outcome = with(agent(&source, agent_mode).put(api.url("/")), mode).send(&body);
        assert_eq!((status(&outcome), outcome.is_err()), (411, mode.unwrap_or(agent_mode)));
    }
    let configured = agent(&source, true).put(api.url("/")).config().no_delay(true).build().send(&body);
    assert_eq!(status(&configured), 411);
    let told = lock(&told).clone();
    assert_eq!(told.len(), 5);
    for (origin, text) in told {
        assert_eq!(origin, api.url(""));
        assert!(text.contains("Content-Length") && text.contains("TokenSourceBuilder::replay_limit"), "{text}");
    }

    let stated = agent(&source, true).put(api.url("/")).header("Content-Length", body.len()).send(&body);
    assert_eq!(text(stated), "stored");
    let raised = builder(&tokens(&["T1"]), &api).replay_limit(2 * MIB).build().expect("a source");
    assert_eq!(text(agent(&raised, true).put(api.url("/")).send(&body)), "stored");
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
        for (n, request) in api.requests().iter().enumerate() {
            assert_bytes(&format!("attempt {n}"), &body, &request.body);
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
    send(&config().build().into(), &plain.url("/upload")).expect("an answer");
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
