//! What is told.

use super::*;

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
