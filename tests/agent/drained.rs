//! The 401 that is kept while the request is sent once more.

use super::*;

/// What an answer tells, whether it came from ureq or was kept.
#[derive(Debug, PartialEq)]
struct Told {
    status: u16,
    headers: Vec<(String, String)>,
    mime_type: Option<String>,
    charset: Option<String>,
    /// Why the body cannot be read to its end. ureq fails on an empty one that claims to be gzip.
    failure: Option<String>,
}

fn told(mut response: Response<Body>) -> (Told, Vec<u8>) {
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    let (status, mut bytes) = (response.status().as_u16(), Vec::new());
    let body = response.body_mut();
    let (mime_type, charset) = (body.mime_type().map(str::to_owned), body.charset().map(str::to_owned));
    let failure = body.as_reader().read_to_end(&mut bytes).err().map(|error| error.to_string());
    (Told { status, headers, mime_type, charset, failure }, bytes)
}

/// Answers of 401: short and long, in one piece and in many, text and compressed.
fn refusals() -> Vec<(&'static str, Reply)> {
    let text = |charset: &str| invalid_token().header("Content-Type", format!("text/plain; charset={charset}"));
    vec![
        ("empty", invalid_token().body("")),
        ("short", invalid_token().header("X-Attempt", "1")),
        ("16 KiB", invalid_token().body(large(16 * 1024))),
        ("16 KiB and a byte", invalid_token().body(large(16 * 1024 + 1))),
        ("long", invalid_token().body(large(300_000))),
        ("chunked", invalid_token().chunked()),
        ("long and chunked", invalid_token().body(large(300_000)).chunked()),
        ("UTF-8", text("utf-8").body("Käse")),
        ("Latin-1", text("iso-8859-1").body(&b"K\xe4se"[..])),
        ("JSON without a charset", invalid_token().header("Content-Type", "application/json").body("{}")),
        #[cfg(feature = "gzip")]
        ("gzip", gzip(text("utf-8"), "Käse".as_bytes())),
        #[cfg(feature = "gzip")]
        ("long gzip", gzip(text("utf-8"), &large(60_000))),
        #[cfg(feature = "gzip")]
        ("gzip that is longer than what is kept of it", gzip(text("utf-8"), &large(16 * 1024))),
    ]
}

#[test]
fn if_the_second_attempt_gets_no_answer_a_safe_method_returns_the_401_whole() {
    type Send = fn(&Agent, &str) -> Outcome;
    let safe: [Send; 4] = [
        get,
        |agent, url| agent.head(url).call(),
        |agent, url| agent.options(url).call(),
        |agent, url| agent.trace(url).call(),
    ];
    for (name, refusal) in refusals() {
        for (n, send) in safe.into_iter().enumerate() {
            let case = format!("{name}, method {n}");
            let bare = Server::replies([refusal.clone()]);
            let plain: Agent = config().http_status_as_error(false).build().into();
            let (expected, body) = told(send(&plain, &bare.url("/")).expect(&case));
            let api = Server::replies([refusal.clone(), Reply::hang_up()]);
            let agent = agent(&source(&tokens(&["T1", "T2"]), &api), false);
            let (received, bytes) = told(send(&agent, &api.url("/")).expect(&case));
            assert_bytes(&case, &body, &bytes);
            assert_eq!(received, expected, "{case}");
            assert_eq!(api.tokens(), ["T1", "T2"], "{case}");
        }
    }
}

#[test]
fn if_the_second_attempt_gets_no_answer_any_other_method_returns_the_error() {
    let unsafe_methods: [fn(&Agent, &str) -> Outcome; 5] = [
        post,
        |agent, url| agent.put(url).send("x"),
        |agent, url| agent.patch(url).send("x"),
        |agent, url| agent.delete(url).call(),
        |agent, url| agent.run(Request::builder().method("PROPFIND").uri(url).body(()).expect("a request")),
    ];
    for (n, send) in unsafe_methods.into_iter().enumerate() {
        for status_as_error in [true, false] {
            let api = Server::replies([invalid_token(), Reply::hang_up(), reply(200)]);
            let outcome = send(&agent(&source(&tokens(&["T1", "T2"]), &api), status_as_error), &api.url("/"));
            assert!(matches!(outcome, Err(ureq::Error::Io(_))), "{n}: {outcome:?}");
            assert_eq!(api.tokens(), ["T1", "T2"], "{n}");
        }
    }
}

#[test]
fn a_second_attempt_that_runs_out_of_time_gives_a_safe_method_the_401() {
    let check = |refusal| {
        let api = Server::replies([refusal, Reply::never()]);
        let short = config().http_status_as_error(false).timeout_recv_response(Some(Duration::from_secs(1)));
        let agent = source(&tokens(&["T1", "T2"]), &api).wrap(short.build().into());
        assert_eq!(status(&get(&agent, &api.url("/"))), 401);
        assert_eq!(api.tokens(), ["T1", "T2"]);
    };
    thread::scope(|scope| {
        for refusal in [invalid_token(), invalid_token().body(large(100_000))] {
            scope.spawn(move || check(refusal));
        }
    });
}

#[test]
fn too_many_redirects_of_the_second_attempt_stay_an_error() {
    for (agent_mode, mode) in MODES {
        let api = Server::replies([invalid_token(), redirect(302, "/1".into()), redirect(302, "/2".into())]);
        let settings = config().max_redirects(1).http_status_as_error(agent_mode);
        let agent = source(&tokens(&["T1", "T2"]), &api).wrap(settings.build().into());
        let outcome = with(agent.get(api.url("/")), mode).call();
        assert!(matches!(outcome, Err(ureq::Error::TooManyRedirects)), "{outcome:?}");
        assert_eq!(api.tokens(), ["T1", "T2", "-"]);
    }
}

#[test]
fn a_redirect_of_the_second_attempt_that_cannot_be_followed_stays_an_error() {
    let api = Server::replies([invalid_token(), redirect(307, "/1".into())]);
    let outcome = post(&agent(&source(&tokens(&["T1", "T2"]), &api), false), &api.url("/"));
    assert!(matches!(outcome, Err(ureq::Error::RedirectFailed)), "{outcome:?}");
    assert_eq!(api.tokens(), ["T1", "T2"]);
}

#[test]
fn a_401_that_breaks_off_is_a_refusal_all_the_same() {
    for refusal in [invalid_token().cut(), invalid_token().chunked().cut(), invalid_token().body(large(100_000)).cut()]
    {
        let api = Server::replies([refusal.clone(), reply(200).body("fine")]);
        assert_eq!(text(post(&agent(&source(&tokens(&["T1", "T2"]), &api), true), &api.url("/"))), "fine");
        assert_eq!(api.tokens(), ["T1", "T2"]);

        // Without a second answer, the caller sees where it breaks off.
        let plain: Agent = config().http_status_as_error(false).build().into();
        let bare = Server::replies([refusal.clone()]);
        let (expected, body) = told(get(&plain, &bare.url("/")).expect("the 401"));
        let api = Server::replies([refusal, Reply::hang_up()]);
        let agent = agent(&source(&tokens(&["T1", "T2"]), &api), false);
        let (received, bytes) = told(get(&agent, &api.url("/")).expect("the 401"));
        assert_bytes("what came of it", &body, &bytes);
        assert!(received == expected && received.failure.is_some(), "{received:?} instead of {expected:?}");
    }
}
