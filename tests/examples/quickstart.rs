//! The example that everybody runs first.

use crate::run::example;

#[test]
fn every_line_is_what_the_servers_counted_and_the_error_reads_without_a_prefix() {
    // The proxy is not asked for this machine (D31).
    let run = example("quickstart").env("HTTP_PROXY", "http://127.0.0.1:9").run();
    let shown = run.success();
    assert!(shown.contains("lines are what the servers counted."), "{shown}");
    assert!(shown.contains("The call's error: token request to 127.0.0.1:"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 84), "{shown}");
}
