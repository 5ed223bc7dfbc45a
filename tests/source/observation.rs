use std::sync::OnceLock;

use super::*;

#[test]
fn reasons_tell_why_a_token_was_requested() {
    let script = Script::new();
    for number in 0..4 {
        script.token(&format!("T{number}"), 60);
    }
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&reasons);
    let source = builder(&script)
        .on_event(move |event| {
            if let EventKind::Requested { reason, .. } = event.kind {
                log.lock().expect("a log").push(reason);
            }
        })
        .build()
        .expect("a source");
    source.token().expect("a token");
    script.clock().advance(seconds(60));
    sent(&source).answered(&answer(401, None)).expect("another");
    source.renew().expect("another");
    assert_eq!(*reasons.lock().expect("a log"), [Reason::NoToken, Reason::Expiring, Reason::Refused, Reason::Forced]);
}

#[test]
fn verdicts_and_context_are_told() {
    let script = Script::new();
    script.token("T1", 60);
    script.token("T2", 60);
    let verdicts = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&verdicts);
    let source = builder(&script)
        .on_event(move |event| {
            assert_eq!((event.endpoint, event.client_id), ("auth.example.com", Some("id")));
            if let EventKind::Refused { status, verdict, .. } = event.kind {
                log.lock().expect("a log").push((status, verdict));
            }
        })
        .build()
        .expect("a source");
    sent(&source).answered(&answer(401, None)).expect("another");
    // D33.
    let _ = sent(&source).answered(&answer(400, INVALID_TOKEN));
    assert_eq!(*verdicts.lock().expect("a log"), [(401, Verdict::Replay), (400, Verdict::TooSoon)]);
}

#[test]
fn a_snapshot_tells_what_support_asks() {
    let script = Script::new();
    script.token("T1", 3600);
    script.json(400, r#"{"error":"invalid_scope"}"#);
    let source = source(&script);
    assert!(!source.inspect().has_token);
    source.token().expect("a token");
    source.renew().expect_err("an error");
    let snapshot = source.inspect();
    assert!(snapshot.has_token && snapshot.last_error.is_some());
    assert_eq!((snapshot.fetches, snapshot.failures, snapshot.refusals), (2, 1, 0));
    assert!(snapshot.renews_in < snapshot.expires_in);
}

/// What went to the `log` crate, from all tests.
struct Logger(Mutex<Vec<(log::Level, String)>>);

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().expect("a log").push((record.level(), record.args().to_string()));
    }

    fn flush(&self) {}
}

fn logged() -> &'static Logger {
    static LOGGER: OnceLock<&Logger> = OnceLock::new();
    LOGGER.get_or_init(|| {
        let logger = Box::leak(Box::new(Logger(Mutex::default())));
        log::set_max_level(log::LevelFilter::Debug);
        log::set_logger(logger).expect("the only logger");
        logger
    })
}

/// A source whose closure gives a secret, until its vault is sealed. Returns what it tells, too: the
/// kind of each event and its text.
fn with_vault(script: &Script, id: &str, background: bool) -> (TokenSource, Arc<Mutex<bool>>, Log) {
    let (sealed, events) = (Arc::new(Mutex::new(false)), Log::default());
    let (vault, log) = (Arc::clone(&sealed), Arc::clone(&events));
    let credentials = Credentials::with_secret_from(id, move || match *vault.lock().expect("a flag") {
        true => Err("the vault is sealed".into()),
        false => Ok(Secret::from("s3cret")),
    });
    let source = TokenSource::builder(credentials, question())
        .transport(script.clone())
        .clock(clock(script))
        .retries(0)
        .renew_in_background(background)
        .on_event(move |event| {
            if let EventKind::NotSent { error, .. } = event.kind {
                let cause = std::error::Error::source(error).expect("the closure's error").to_string();
                log.lock().expect("a log").push(cause);
            }
        })
        .build()
        .expect("a source");
    (source, sealed, events)
}

#[test]
fn every_error_of_the_closure_is_in_an_event_and_logged_as_a_warning() {
    type Step = fn(&TokenSource, &ManualClock);
    let steps: [(&str, bool, bool, Step); 5] = [
        ("vault-at-first", false, false, |source, _| drop(source.token().expect_err("no secret"))),
        ("vault-at-a-renewal", true, false, |source, clock| {
            clock.advance(seconds(3500));
            assert_eq!(source.token().expect("the usable token").secret(), "T1");
        }),
        ("vault-in-background", true, true, |source, clock| {
            clock.advance(seconds(3500));
            assert_eq!(source.token().expect("the usable token").secret(), "T1");
            while source.inspect().failures == 0 {
                thread::yield_now();
            }
        }),
        ("vault-after-a-401", true, false, |source, _| {
            let (_, api) = api(vec![answer(401, INVALID_TOKEN)]);
            assert_eq!(call(source, get(), api).expect("the 401").status(), 401);
        }),
        ("vault-at-a-forced-renewal", true, false, |source, _| drop(source.renew().expect_err("no secret"))),
    ];
    let logger = logged();
    for (id, has_token, background, step) in steps {
        let script = Script::new();
        script.token("T1", 3600);
        let (source, sealed, events) = with_vault(&script, id, background);
        if has_token {
            source.token().expect("a token");
        }
        *sealed.lock().expect("a flag") = true;
        step(&source, &script.clock());
        while seen(&events).is_empty() {
            assert!(background, "{id}: no event");
            thread::yield_now();
        }
        assert_eq!(seen(&events), ["the vault is sealed"], "{id}");
        assert_eq!(script.requests().len(), usize::from(has_token), "{id}: nothing was sent");
        let warned = |(level, line): &(log::Level, String)| {
            *level == log::Level::Warn
                && line.starts_with(&format!("{id} at auth.example.com: no token requested: "))
                && line.ends_with("; caused by: the vault is sealed")
        };
        let lines = logger.0.lock().expect("a log");
        assert_eq!(lines.iter().filter(|line| warned(line)).count(), 1, "{id}");
    }
}

#[test]
fn a_secret_that_cannot_be_sent_is_in_an_event() {
    let script = Script::new();
    let credentials = Credentials::with_secret_from("id", || Ok(Secret::from("s3cret\n")));
    let (source, events) =
        listen(TokenSource::builder(credentials, question()).transport(script.clone()).clock(clock(&script)));
    assert!(matches!(source.token(), Err(Error::Configuration(_))));
    assert_eq!((seen(&events), script.requests().len()), (vec!["not sent".to_owned()], 0));
}
