//! `CallSettings`: a time limit and a status mode for a single call.

use ureq::typestate::{WithBody, WithoutBody};

use super::parts::{agent_of_parts, source_for_api_test};
use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(500);

type Order = fn(RequestBuilder<WithBody>) -> RequestBuilder<WithBody>;

/// The ways to give both settings to a call that has settings of ureq's, too.
const ORDERS: [Order; 7] = [
    |request| request.within(LONG).status_as_error(true).config().user_agent("call/1").build(),
    |request| request.status_as_error(true).within(LONG).config().user_agent("call/1").build(),
    |request| request.config().user_agent("call/1").build().within(LONG).status_as_error(true),
    |request| request.config().user_agent("call/1").build().status_as_error(true).within(LONG),
    |request| request.within(LONG).config().user_agent("call/1").build().status_as_error(true),
    |request| request.status_as_error(true).config().user_agent("call/1").build().within(LONG),
    |request| {
        let request = request.status_as_error(false).within(SHORT).config().user_agent("call/1").build();
        request.within(LONG).status_as_error(true)
    },
];

#[test]
fn both_settings_hold_before_and_after_config() {
    for (n, order) in ORDERS.into_iter().enumerate() {
        for agent_mode in [true, false] {
            let case = format!("order {n}, {agent_mode}");
            let refused = invalid_token().body(large(100_000));
            let api = Server::replies([refused, reply(200), challenge(401, r#"Bearer error="insufficient_scope""#)]);
            let settings = config().http_status_as_error(agent_mode).build();
            let (own, asked) = agent_of_parts(settings, &["api.test"], &api);
            let script = tokens(&["T1", "T2"]);
            let agent = source_for_api_test(&script).wrap(own);
            // A POST is sent once more, and a challenge is read, in error mode, too.
            assert_eq!(status(&order(agent.post("http://api.test/")).send("x")), 200, "{case}");
            let outcome = order(agent.post("http://api.test/")).send("x");
            assert!(matches!(outcome, Err(ureq::Error::StatusCode(401))), "{case}: {outcome:?}");
            assert_eq!((api.tokens(), script.requests().len()), (seen(&["T1", "T2", "T2"]), 2), "{case}");
            assert!(api.requests().iter().all(|request| request.header("user-agent") == Some("call/1")), "{case}");
            // Two token requests are a second apart.
            let times: Vec<_> = asked.lookups().iter().map(|lookup| lookup.time).collect();
            assert_eq!(times, [LONG, LONG - Duration::from_secs(1), LONG].map(Some), "{case}");
        }
    }
}

fn seen(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|token| (*token).to_owned()).collect()
}

/// A time limit alone does not tell the status mode that `config()` may have set before.
#[test]
fn after_config_a_time_limit_alone_leaves_the_status_mode_to_ureq() {
    for (mode, sent) in [(true, &["T1"][..]), (false, &["T1", "T2"])] {
        let api = Server::replies([invalid_token(), reply(200)]);
        let agent = agent(&source(&tokens(&["T1", "T2"]), &api), !mode);
        let request = agent.post(api.url("/")).config().http_status_as_error(mode).build().within(LONG);
        let outcome = request.send("x");
        assert_eq!((status(&outcome), outcome.is_err()), (if mode { 401 } else { 200 }, mode));
        assert_eq!(api.tokens(), sent);
    }
}

#[test]
fn within_bounds_a_request_without_a_token() {
    let check = |own_authorization, agent_mode| {
        let (api, other) = (Server::replies([Reply::never()]), Server::replies([Reply::never()]));
        let script = tokens(&[]);
        let agent = agent(&source(&script, &api), agent_mode);
        let request = if own_authorization {
            agent.get(api.url("/")).header("Authorization", "Basic eDp5")
        } else {
            agent.get(other.url("/"))
        };
        let outcome = request.within(SHORT).call();
        assert!(matches!(outcome, Err(ureq::Error::Timeout(ureq::Timeout::Global))), "{outcome:?}");
        assert_eq!((api.requests().len() + other.requests().len(), script.requests().len()), (1, 0));
    };
    thread::scope(|scope| {
        for (own_authorization, agent_mode) in [(false, true), (false, false), (true, true), (true, false)] {
            scope.spawn(move || check(own_authorization, agent_mode));
        }
    });
}

#[test]
fn time_limits_of_the_agent_bound_a_request_without_a_token() {
    for limits in [
        config().timeout_global(Some(SHORT)),
        config().timeout_per_call(Some(SHORT)),
        config().timeout_recv_response(Some(SHORT)),
    ] {
        let (api, other) = (Server::replies([]), Server::replies([Reply::never()]));
        let outcome = get(&source(&tokens(&[]), &api).wrap(limits.build().into()), &other.url("/"));
        assert!(matches!(outcome, Err(ureq::Error::Timeout(_))), "{outcome:?}");
    }
}

#[test]
fn within_bounds_the_body_of_the_answer() {
    let check = |status_as_error| {
        let api = Server::replies([invalid_token(), reply(200).body("fine").stalled()]);
        let script = tokens(&["T1", "T2"]);
        let source = source(&script, &api);
        a_while_after_its_first_token(&source, &script.clock());
        let request = agent(&source, status_as_error).get(api.url("/")).within(Duration::from_secs(1));
        let mut response = request.call().expect("a head");
        let error = response.body_mut().read_to_string().expect_err("half a body");
        assert!(matches!(error, ureq::Error::Timeout(ureq::Timeout::Global)), "{error:?}");
    };
    thread::scope(|scope| {
        for status_as_error in [true, false] {
            scope.spawn(move || check(status_as_error));
        }
    });
}

#[test]
fn status_as_error_holds_for_requests_without_a_token() {
    for code in [200, 401, 404, 500] {
        for (agent_mode, mode) in MODES {
            let (api, other) = (Server::replies([reply(code)]), Server::replies([reply(code), reply(code)]));
            let agent = agent(&source(&tokens(&[]), &api), agent_mode);
            let is_error = code >= 400 && mode.unwrap_or(agent_mode);
            for outcome in [
                with(agent.get(other.url("/")), mode).call(),
                with(agent.put(other.url("/")), mode).send("x"),
                with(agent.get(api.url("/")), mode).header("Authorization", "Basic eDp5").call(),
            ] {
                assert_eq!((status(&outcome), outcome.is_err()), (code, is_error), "{agent_mode} {mode:?}");
            }
            assert_eq!((api.tokens().len(), other.tokens()), (1, seen(&["-", "-"])));
        }
    }
}

#[test]
fn both_settings_hold_for_requests_without_a_token() {
    for (n, order) in ORDERS.into_iter().enumerate() {
        for agent_mode in [true, false] {
            let other = Server::replies([invalid_token()]);
            let (own, asked) =
                agent_of_parts(config().http_status_as_error(agent_mode).build(), &["other.test"], &other);
            let agent = source_for_api_test(&tokens(&[])).wrap(own);
            let outcome = order(agent.post("http://other.test/")).send("x");
            assert!(outcome.is_err() && status(&outcome) == 401, "{n} {agent_mode}: {outcome:?}");
            assert_eq!(other.requests()[0].header("user-agent"), Some("call/1"));
            assert_eq!(asked.lookups()[0].time, Some(LONG), "{n} {agent_mode}");
        }
    }
}

#[test]
fn within_replaces_the_limit_of_the_agent() {
    let of_agent = Duration::from_nanos(1);
    let (api, other) = (Server::new(|_| reply(200)), Server::new(|_| reply(200)));
    let (script, allowed) = (Script::new(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&allowed);
    script.answer(move |_, attempt| {
        lock(&log).push(attempt.timeout);
        Ok(Response::new(br#"{"access_token":"T1","expires_in":3600}"#.to_vec()))
    });
    let agent = source(&script, &api).wrap(config().timeout_global(Some(of_agent)).build().into());
    for server in [&api, &other] {
        assert_eq!(status(&agent.get(server.url("/")).within(LONG).call()), 200);
    }
    assert_eq!(*lock(&allowed), [LONG]);
}

#[test]
fn what_is_left_of_within_bounds_the_second_attempt() {
    let (script, clock) = (tokens(&["T1", "T2"]), ManualClock::new());
    let time = clock.clone();
    let api = Server::new(move |request| {
        time.advance(Duration::from_secs(3));
        if request.token() == Some("T2") { reply(200) } else { invalid_token().body(large(100_000)) }
    });
    let (own, asked) = agent_of_parts(config().build(), &["api.test"], &api);
    let request = TokenRequest::new("https://auth.example.com/token")
        .and_then(|request| request.dangerously_allow_plain_http_origin("http://api.test"))
        .expect("a request");
    let source = TokenSource::builder(Credentials::new("id", SECRET), request).transport(script).clock(clock);
    let agent = source.build().expect("a source").wrap(own);
    assert_eq!(status(&agent.get("http://api.test/").within(LONG).call()), 200);
    let times: Vec<_> = asked.lookups().iter().map(|lookup| lookup.time).collect();
    assert_eq!(times, [Some(LONG), Some(LONG - Duration::from_secs(3))]);
}

#[test]
fn the_longest_time_there_is_does_no_harm() {
    let (api, other) = (Server::replies([invalid_token(), reply(200)]), Server::replies([reply(200)]));
    let agent = agent(&source(&tokens(&["T1", "T2"]), &api), true);
    for server in [&api, &other] {
        assert_eq!(status(&agent.get(server.url("/")).within(Duration::MAX).call()), 200);
    }
}

#[test]
fn a_request_that_cannot_be_built_gives_ureqs_error_and_no_panic() {
    type Get = RequestBuilder<WithoutBody>;
    let requests: [fn(&Agent) -> Get; 10] = [
        |agent| agent.get("http://[bad"),
        |agent| agent.get("http://127.0.0.1:99999/"),
        |agent| agent.get("http://127.0.0.1:1/a b"),
        |agent| agent.get("").query("a", "b"),
        |agent| agent.get("/path"),
        |agent| agent.get("/path").query("a", "b"),
        |agent| agent.get("127.0.0.1:1"),
        |agent| agent.get("ftp://127.0.0.1:1/"),
        |agent| agent.get("http://127.0.0.1:1/").header("no name", "x"),
        |agent| agent.get("http://127.0.0.1:1/").header("x", "two\nlines"),
    ];
    let settings: [fn(Get) -> Get; 6] = [
        |request| request,
        |request| request.within(LONG),
        |request| request.status_as_error(false),
        |request| request.status_as_error(true).within(LONG),
        |request| request.config().user_agent("call/1").build().within(LONG),
        |request| request.status_as_error(false).config().user_agent("call/1").build(),
    ];
    let (script, api) = (tokens(&["T1"]), Server::replies([]));
    let (plain, agent): (Agent, Agent) = (config().build().into(), agent(&source(&script, &api), true));
    for (n, request) in requests.into_iter().enumerate() {
        let expected = format!("{:?}", request(&plain).call().expect_err("no such request"));
        for (m, settings) in settings.into_iter().enumerate() {
            let error = settings(request(&agent)).call().expect_err("no such request");
            assert_eq!(format!("{error:?}"), expected, "request {n}, settings {m}");
        }
    }
    assert_eq!(script.requests().len(), 0);
}
