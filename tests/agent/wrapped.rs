//! Agents and middleware inside and around a wrapped agent.

use super::*;

/// Middleware further outside may build a new request and lose ureq's extensions. Nothing depends on
/// them.
#[test]
fn a_request_copied_by_hand_by_an_outer_middleware_is_served_as_any_other() {
    for status_as_error in [true, false] {
        let (script, api, other) = (tokens(&["T1", "T2"]), Server::wants("T2"), Server::replies([reply(404)]));
        let agent = outside(copied_by_hand, agent(&source(&script, &api), status_as_error));
        assert_eq!(text(agent.post(api.url("/")).send("x")), "fine");
        assert_eq!(api.tokens(), ["T1", "T2"]);
        let outcome = get(&agent, &other.url("/"));
        assert_eq!((status(&outcome), outcome.is_err()), (404, status_as_error));
    }
}

/// Middleware that copies the request by hand, and so loses ureq's mark on it.
fn copied_by_hand(request: Request<SendBody>, next: MiddlewareNext) -> Outcome {
    let (parts, body) = request.into_parts();
    let mut copy = Request::new(body);
    *copy.method_mut() = parts.method;
    *copy.uri_mut() = parts.uri;
    *copy.headers_mut() = parts.headers;
    next.handle(copy)
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
    let own: Agent = config().middleware(counting(&inner, true)).build().into();
    let agent = outside(counting(&outer, false), source(&script, &api).wrap(own));
    assert_eq!(text(get(&agent, &api.url("/"))), "fine");
    assert_eq!((outer.load(Ordering::Relaxed), inner.load(Ordering::Relaxed), api.requests().len()), (1, 2, 2));
}

#[test]
fn two_sources_on_one_agent_each_serve_their_own_origin() {
    let (one, two) = (Server::wants("A2"), Server::wants("B2"));
    let (for_one, for_two) = (tokens(&["A1", "A2"]), tokens(&["B1", "B2"]));
    let agent = source(&for_one, &one).wrap(source(&for_two, &two).wrap(config().build().into()));
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
    let agent = source(&script, &api).wrap(config().middleware(refusing).build().into());
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
    let agent = source.wrap(config().middleware(versioned).build().into());
    assert_eq!(text(get(&agent, &api.url("/items"))), "fine");
    assert_eq!((api.tokens(), script.requests().len()), (["T1", "T2"].map(str::to_owned).into(), 2));
}
