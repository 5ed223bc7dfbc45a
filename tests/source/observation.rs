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
