//! No token to be had.

use super::*;

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
