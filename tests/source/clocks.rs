//! Clocks that jump, stop and run backwards (D25).

use super::*;

fn after(change: impl FnOnce(&client_credentials::test_util::ManualClock)) -> String {
    let script = Script::new();
    script.token("T1", 3600);
    script.token("T2", 3600);
    let source = source(&script);
    source.token().expect("a token");
    change(&script.clock());
    source.token().expect("a token").secret().to_owned()
}

fn wall(clock: &client_credentials::test_util::ManualClock) -> SystemTime {
    client_credentials::Clock::now(clock).wall()
}

#[test]
fn a_wall_clock_set_back_leaves_the_token_good() {
    assert_eq!(after(|clock| clock.set_wall(wall(clock) - seconds(3600))), "T1");
    assert_eq!(after(|clock| clock.set_wall(SystemTime::UNIX_EPOCH - seconds(86_400))), "T1");
}

#[test]
fn a_wall_clock_set_forward_costs_one_renewal() {
    assert_eq!(after(|clock| clock.set_wall(wall(clock) + seconds(3600))), "T2");
}

#[test]
fn a_suspend_of_two_hours_is_noticed_although_the_monotonic_clock_stood_still() {
    assert_eq!(after(|clock| clock.suspend(seconds(7200))), "T2");
}

#[test]
fn the_monotonic_clock_alone_expires_a_token() {
    assert_eq!(after(|clock| clock.advance_monotonic(seconds(3600))), "T2");
}

#[test]
fn clocks_that_stand_still_leave_everything_as_it_is() {
    assert_eq!(after(|_| {}), "T1");
}

#[test]
fn a_wall_clock_set_back_while_a_failure_is_remembered_does_not_prolong_it() {
    let script = Script::new();
    script.json(400, r#"{"error":"invalid_scope"}"#);
    script.token("T1", 3600);
    let source = source(&script);
    source.token().expect_err("an error");
    script.clock().set_wall(wall(&script.clock()) - seconds(1_000_000));
    source.token().expect_err("remembered");
    script.clock().advance_monotonic(seconds(10));
    assert_eq!(source.token().expect("a token").secret(), "T1");
}
