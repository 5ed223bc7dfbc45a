//! Keys, assertions and parameters from closures: rotation and workload identity.

use super::*;

/// What a closure returns: these values in order, the last one again and again.
struct File<T>(Arc<Mutex<(Vec<T>, usize)>>);

impl<T> Clone for File<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> File<T> {
    fn new(values: &[T]) -> Self {
        Self(Arc::new(Mutex::new((values.to_vec(), 0))))
    }

    fn read(&self) -> T {
        let mut state = self.0.lock().expect("a file");
        let at = state.1.min(state.0.len() - 1);
        state.1 += 1;
        state.0[at].clone()
    }

    fn reads(&self) -> usize {
        self.0.lock().expect("a file").1
    }
}

fn assertions(file: &File<&'static str>) -> Credentials {
    let file = file.clone();
    Credentials::with_assertion_from("my-client", move || Ok(Secret::from(file.read())))
}

fn sent_assertions(script: &Script) -> Vec<String> {
    script.requests().iter().map(|sent| form(sent)["client_assertion"].clone()).collect()
}

#[test]
fn an_assertion_from_a_file_is_read_at_each_token_request() {
    let (script, file) = (Script::new(), File::new(&["a.b.1", "a.b.2"]));
    script.token("T1", 3600);
    script.token("T2", 3600);
    let source = builder(assertions(&file), &script).build().expect("a source");
    assert_eq!(file.reads(), 0);
    source.token().expect("a token");
    source.token().expect("the same token");
    script.clock().advance(Duration::from_secs(3600));
    source.token().expect("another token");
    assert_eq!(sent_assertions(&script), ["a.b.1", "a.b.2"]);
    assert_eq!(form(&script.requests()[0])["client_id"], "my-client");
}

#[test]
fn a_refused_assertion_is_read_once_more_and_sent_only_if_it_is_another() {
    for (in_file, requests) in [(&["old", "new"][..], 2), (&["old"], 1)] {
        let (script, file) = (Script::new(), File::new(in_file));
        script.json(401, r#"{"error":"invalid_client"}"#);
        script.token("t", 3600);
        let source = builder(assertions(&file), &script).build().expect("a source");
        assert_eq!(source.token().is_ok(), requests == 2);
        assert_eq!(script.requests().len(), requests);
        assert_eq!(file.reads(), 2);
    }
}

#[test]
fn a_refused_key_is_read_once_more_and_signs_only_if_it_is_another() {
    let (old, new) = (key(), key());
    for (in_file, requests) in [(vec![old.clone(), new.clone()], 2), (vec![old.clone()], 1)] {
        let (script, file) = (Script::new(), File::new(&in_file));
        script.json(401, r#"{"error":"invalid_client"}"#);
        script.token("t", 3600);
        let reader = file.clone();
        let credentials = Credentials::with_key_from("my-client", move || Ok(reader.read()));
        let source = builder(credentials, &script).build().expect("a source");
        assert_eq!(source.token().is_ok(), requests == 2);
        assert_eq!(sent_assertions(&script).len(), requests);
        claims(&sent_assertions(&script)[0], &old);
        assert_eq!(file.reads(), 2);
        if requests == 2 {
            claims(&sent_assertions(&script)[1], &new);
        }
    }
}

#[test]
fn d49_after_a_refusal_a_key_that_cannot_be_another_signs_nothing_more() {
    for is_grant in [false, true] {
        let (script, signatures) = (Script::new(), Arc::new(Mutex::new(0)));
        script.json(401, r#"{"error":"invalid_client"}"#);
        let count = Arc::clone(&signatures);
        let external = SigningKey::external(client_credentials::Algorithm::Es256, move |_: &[u8]| {
            *count.lock().expect("a number") += 1;
            Ok(vec![7; 64])
        });
        let (credentials, request) = if is_grant {
            (Credentials::none(), question().assertion(Assertion::new(external)).expect("a request"))
        } else {
            (Credentials::with_key("id", external), question())
        };
        let source = TokenSource::builder(credentials, request).transport(script.clone()).clock(script.clock());
        let source = source.build().expect("a source");
        source.token().expect_err("a refusal");
        script.clock().advance(Duration::from_secs(1));
        source.token().expect_err("the same refusal");
        assert_eq!(*signatures.lock().expect("a number"), 1);
    }
}

#[test]
fn a_closure_that_fails_says_what_could_not_be_read() {
    let failing = || Err("no such file".into());
    let no_key = || Err::<SigningKey, _>("no such file".into());
    let with_parameter = question().parameter_from("subject", failing).expect("a request");
    for (credentials, request, text) in [
        (
            Credentials::with_assertion_from("id", failing),
            question(),
            "the assertion of client \"id\" could not be read",
        ),
        (Credentials::with_key_from("id", no_key), question(), "the key of client \"id\" could not be read"),
        (Credentials::new("id", "s3cret"), with_parameter, "the parameter \"subject\" could not be read"),
    ] {
        let error = request.encode(&credentials, &Attempt::default()).expect_err("an error");
        assert_eq!(error.to_string(), text);
        assert_eq!(std::error::Error::source(&error).expect("a cause").to_string(), "no such file");
    }
}

#[test]
fn an_assertion_with_a_line_break_names_the_line_break() {
    let credentials = Credentials::with_assertion_from("id", || Ok(Secret::from("eyJ.eyJ.sig\n")));
    let error = question().encode(&credentials, &Attempt::default()).expect_err("an error").to_string();
    assert_eq!(error, "the client assertion holds a control character; is there a line break at its end?");
}
