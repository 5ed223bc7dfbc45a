//! The source's own agent.

use super::parts::agent_of_parts;
use super::*;

#[test]
fn d18_agents_made_for_each_request_share_one_pool() {
    let api = Server::wants("T2");
    let source = source(&tokens(&["T1", "T2"]), &api);
    for _ in 0..5 {
        assert_eq!(text(source.agent().get(api.url("/")).call()), "fine");
        assert_eq!(text(source.clone().agent().post(api.url("/")).send("x")), "fine");
    }
    assert_eq!((api.requests().len(), api.connections()), (11, 1));
}

/// ureq resolves names in a thread of its own as soon as there is a limit for a whole call.
#[test]
fn agent_has_limits_that_need_no_thread_for_a_call() {
    let api = Server::new(|_| reply(200));
    let agent = source(&tokens(&["T1"]), &api).agent();
    let timeouts = agent.config().timeouts();
    assert_eq!((timeouts.global, timeouts.per_call, timeouts.resolve), (None, None, None));
    assert_eq!(timeouts.connect, Some(Duration::from_secs(10)));
    assert_eq!(timeouts.recv_response, Some(Duration::from_secs(300)));
    let limits = || config().timeout_connect(timeouts.connect).timeout_recv_response(timeouts.recv_response);
    for (settings, in_thread) in [(limits(), false), (limits().timeout_global(timeouts.recv_response), true)] {
        let (own, asked) = agent_of_parts(settings.build(), &["api.test"], &api);
        assert_eq!(status(&get(&own, "http://api.test/")), 200);
        assert_eq!(asked.lookups().iter().map(|lookup| lookup.in_thread).collect::<Vec<_>>(), [in_thread]);
    }
}

#[test]
fn agent_has_the_defaults_of_ureq_otherwise() {
    let agent = source(&tokens(&[]), &Server::replies([])).agent();
    let (ours, theirs) = (agent.config(), Agent::config_builder().build());
    let changed = changed_settings(&theirs, ours);
    // The history of redirects tells the middleware whether there was one.
    assert_eq!(changed, ["connect", "middleware", "recv_response", "save_redirect_history"]);
}
