//! The age of a token by three clocks.

use super::*;

fn back(clock: &ManualClock, seconds: u64) {
    clock.set_wall(clock.now().wall() - Duration::from_secs(seconds));
}

#[test]
fn a_wall_clock_that_was_set_back_does_not_make_an_old_token_young() {
    let world = World::new();
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    token(&world.process());
    world.advance(7200);
    back(&world.clock, 7200);
    assert_eq!(token(&world.process()), "two", "the clock of the machine says that it is dead");
}

#[test]
fn after_a_start_of_the_machine_the_wall_clock_tells_the_age() {
    let world = World::new();
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    token(&world.process());
    world.advance(600);
    world.clock.reboot();
    let process = world.process();
    assert_eq!(token(&process), "one");
    assert_eq!(process.inspect().expires_in.map(|left| left.as_secs().div_ceil(10)), Some(300));
    world.advance(3000);
    assert_eq!(token(&process), "two");
}

#[test]
fn a_token_that_was_saved_while_the_clock_was_a_day_ahead_is_replaced_once() {
    let world = World::new();
    (1..=3).for_each(|number| world.script.token(&format!("t{number}"), 3600));
    world.clock.set_wall(world.clock.now().wall() + Duration::from_secs(86_400));
    token(&world.process());
    back(&world.clock, 86_400);
    assert_eq!(token(&world.process()), "t2");
    assert_eq!(token(&world.process()), "t2");
    world.advance(100);
    assert_eq!(token(&world.process()), "t2");
    assert_eq!(world.requests(), 2);
}

#[test]
fn a_machine_that_was_suspended_notices_that_the_token_is_dead() {
    let world = World::new();
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    token(&world.process());
    world.clock.suspend(Duration::from_secs(7200));
    assert_eq!(token(&world.process()), "two");
}

#[test]
fn with_a_store_that_has_a_clock_the_wall_clocks_of_the_machines_do_not_matter() {
    let world = World::remote();
    (1..=3).for_each(|number| world.script.token(&format!("t{number}"), 3600));
    let (fast, slow) = (ManualClock::new(), ManualClock::new());
    fast.set_wall(fast.now().wall() + Duration::from_secs(86_400));
    back(&slow, 86_400);
    for clock in [fast, slow, world.clock.clone()] {
        let process = world.process_at(clock);
        assert_eq!(token(&process), "t1");
        assert!(process.inspect().expires_in.expect("a lifetime") > Duration::from_secs(3500));
    }
    assert_eq!(world.requests(), 1);
}

#[test]
fn the_age_of_a_loaded_token_goes_on_when_the_wall_clock_jumps() {
    let world = World::new();
    world.script.token("one", 3600);
    world.script.token("two", 3600);
    token(&world.process());
    world.advance(3000);
    let process = world.process();
    token(&process);
    back(&world.clock, 86_400);
    world.advance(600);
    assert_eq!(token(&process), "two");
}
