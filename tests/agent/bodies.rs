//! Framing, and bodies that are too large to keep.

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
