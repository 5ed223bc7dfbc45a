//! A thousand callers at once.

use super::*;

const HERD: u64 = 1000;

/// Runs `work` in a thousand threads, lets all but the leader wait, then lets the token endpoint answer.
fn stampede<T: Send + 'static>(
    source: &TokenSource,
    go: &mpsc::Sender<()>,
    work: impl Fn(&TokenSource) -> T + Copy + Send + 'static,
) -> Vec<T> {
    let before = source.inspect().waits;
    let threads: Vec<_> = (0..HERD)
        .map(|_| {
            let source = source.clone();
            thread::Builder::new().stack_size(128 * 1024).spawn(move || work(&source)).expect("a thread")
        })
        .collect();
    while source.inspect().waits - before < HERD - 1 {
        thread::yield_now();
    }
    go.send(()).expect("the token endpoint waits");
    threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
}

fn held_back(script: &Script, status: u16, body: &'static str) -> mpsc::Sender<()> {
    let (go, may_go) = mpsc::channel::<()>();
    script.answer(move |_, _| {
        may_go.recv().expect("a word");
        Ok(Response::builder().status(status).body(body.into()).expect("a response"))
    });
    go
}

#[test]
fn go_oauth2_and_azure_identity_stampede_here_a_thousand_callers_make_one_request() {
    let script = Script::new();
    let source = source(&script);
    let go = held_back(&script, 200, r#"{"access_token":"T1","expires_in":60}"#);
    let tokens = stampede(&source, &go, |source| source.token().expect("a token").secret().to_owned());
    assert!(tokens.iter().all(|token| token == "T1"));
    assert_eq!(script.requests().len(), 1);

    script.clock().advance(seconds(60));
    let go = held_back(&script, 200, r#"{"access_token":"T2","expires_in":60}"#);
    let tokens = stampede(&source, &go, |source| source.token().expect("a token").secret().to_owned());
    assert!(tokens.iter().all(|token| token == "T2"), "at expiry too");
    assert_eq!(script.requests().len(), 2);
}

#[test]
fn a_thousand_callers_of_a_refusing_server_get_one_error_in_the_time_of_one_fetch() {
    let script = Script::new();
    let source = source(&script);
    let go = held_back(&script, 401, r#"{"error":"invalid_client","error_description":"wrong secret"}"#);
    let errors = stampede(&source, &go, |source| source.token().expect_err("an error").to_string());
    assert!(errors.iter().all(|error| *error == errors[0] && error.contains("wrong secret")));
    // One request is one fetch's time: nobody fetched after the leader.
    assert_eq!(script.requests().len(), 1);
}

#[test]
fn a_panicking_secret_closure_hurts_only_its_own_caller() {
    let script = Script::new();
    script.token("T1", 60);
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let credentials = Credentials::with_secret_from("id", move || match counter.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("the user's closure"),
        _ => Ok(Secret::from("s")),
    });
    let source = TokenSource::builder(credentials, question())
        .transport(script.clone())
        .clock(script.clock())
        .build()
        .expect("a source");
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let source = source.clone();
            thread::spawn(move || source.token().expect("a token").secret().to_owned())
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(thread::JoinHandle::join).collect();
    assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    assert!(results.into_iter().flatten().all(|token| token == "T1"));
    assert_eq!(script.requests().len(), 1);
}
