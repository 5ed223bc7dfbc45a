//! What each thread remembers of the tokens it used last. Imports `flight`, `token`.
//!
//! A hit reads one clock and one number that changes only when the token does, and clones a copy of the token that
//! belongs to the thread alone: threads do not wait for each other, nor pass a reference count back and forth.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::source::flight::{Flight, Found};
use crate::token::AccessToken;

/// How many questions a thread remembers; those whose flights share a place push each other out.
const PLACES: usize = 16;

/// The wall clock is looked at this often at least: by then a machine that slept is noticed.
const LONGEST: Duration = Duration::from_secs(1);

struct Hit {
    flight: usize,
    edition: u64,
    until: Instant,
    /// Copied for the thread at the second use: a question that is asked once in a while is not worth it.
    token: Option<AccessToken>,
}

type Places = RefCell<[Option<Hit>; PLACES]>;

#[cfg(not(loom))]
thread_local! {
    static HITS: Places = const { RefCell::new([const { None }; PLACES]) };
}

// The model checker's macro takes no const block.
#[cfg(loom)]
loom::thread_local! {
    static HITS: Places = RefCell::default();
}

/// The token that this thread remembers for `flight`, if nothing has happened since, and it is not too long ago.
pub(crate) fn recall(flight: &Flight, now: Instant) -> Option<AccessToken> {
    let look = |hits: &Places| {
        let hits = hits.borrow();
        let hit = hits[place(flight)].as_ref()?;
        let holds = hit.flight == flight.id() && now < hit.until && hit.edition == flight.edition();
        if holds { hit.token.clone() } else { None }
    };
    // A thread that is about to end may have forgotten already.
    HITS.try_with(look).ok().flatten()
}

/// Takes note of what was found at the slot, and returns it, from the second time on as a copy for this thread.
pub(crate) fn remember(flight: &Flight, found: Found, now: Instant) -> AccessToken {
    let Found { token, holds, edition } = found;
    let note = |hits: &Places| {
        let place = &mut hits.borrow_mut()[place(flight)];
        let known = place.take().filter(|hit| hit.flight == flight.id() && hit.edition == edition);
        let copy = known.map(|hit| hit.token.unwrap_or_else(|| token.detached()));
        let until = now.checked_add(holds.min(LONGEST)).unwrap_or(now);
        *place = Some(Hit { flight: flight.id(), edition, until, token: copy.clone() });
        copy
    };
    HITS.try_with(note).ok().flatten().unwrap_or(token)
}

fn place(flight: &Flight) -> usize {
    flight.id() % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::TokenRequest;
    use crate::schedule::Jitter;
    use crate::source::clock::{Clock as _, SystemClock};

    const HOUR: Duration = Duration::from_secs(3600);

    fn token(name: &str) -> AccessToken {
        let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
        let answer = http::Response::new(format!(r#"{{"access_token":"{name}"}}"#));
        request.decode(&answer, SystemClock.now()).expect("a token")
    }

    /// The slot of `flight` says that this is the token.
    fn found(flight: &Flight, name: &str, holds: Duration, now: Instant) -> String {
        let found = Found { token: token(name), holds, edition: flight.edition() };
        remember(flight, found, now).secret().to_owned()
    }

    fn recalled(flight: &Flight, now: Instant) -> Option<String> {
        recall(flight, now).map(|token| token.secret().to_owned())
    }

    fn at_place(wanted: usize) -> Flight {
        let mut flights = (0..10_000).map(|_| Flight::new(Jitter::default()));
        flights.find(|flight| flight.id() % PLACES == wanted).expect("numbers go round")
    }

    #[test]
    fn a_token_used_twice_is_remembered_for_as_long_as_the_slot_said() {
        let (flight, now, holds) =
            (Flight::new(Jitter::default()), SystemClock.now().monotonic, Duration::from_millis(300));
        assert_eq!(recalled(&flight, now), None);
        assert_eq!(found(&flight, "T1", holds, now), "T1");
        assert_eq!(recalled(&flight, now), None, "once is not worth a copy");
        assert_eq!(found(&flight, "T1", holds, now), "T1");
        assert_eq!(recalled(&flight, now), Some("T1".to_owned()));
        assert_eq!(recalled(&flight, now + Duration::from_millis(299)), Some("T1".to_owned()));
        assert_eq!(recalled(&flight, now + holds), None);
    }

    #[test]
    fn the_slot_is_asked_again_after_a_second_at_most() {
        let (flight, now) = (Flight::new(Jitter::default()), SystemClock.now().monotonic);
        found(&flight, "T1", HOUR, now);
        found(&flight, "T1", HOUR, now);
        assert_eq!(recalled(&flight, now + Duration::from_millis(999)), Some("T1".to_owned()));
        assert_eq!(recalled(&flight, now + LONGEST), None);
    }

    #[test]
    fn the_copy_of_a_refused_token_is_not_used_again() {
        let (flight, now) = (Flight::new(Jitter::default()), SystemClock.now());
        found(&flight, "T1", HOUR, now.monotonic);
        found(&flight, "T1", HOUR, now.monotonic);
        flight.refuse(&token("T1"), now);
        assert_eq!(recalled(&flight, now.monotonic), None);
        assert_eq!(found(&flight, "T2", HOUR, now.monotonic), "T2");
        assert_eq!(recalled(&flight, now.monotonic), None, "another token, used for the first time");
    }

    #[test]
    fn questions_that_share_a_place_push_each_other_out_and_never_mix() {
        let (one, two, now) = (at_place(3), at_place(3), SystemClock.now().monotonic);
        found(&one, "one", HOUR, now);
        found(&one, "one", HOUR, now);
        assert_eq!(recalled(&two, now), None);
        assert_eq!(found(&two, "two", HOUR, now), "two");
        assert_eq!((recalled(&one, now), recalled(&two, now)), (None, None));
        assert_eq!(found(&two, "two", HOUR, now), "two");
        assert_eq!((recalled(&one, now), recalled(&two, now)), (None, Some("two".to_owned())));
    }

    #[test]
    fn as_many_questions_as_there_are_places_are_remembered_at_once() {
        let now = SystemClock.now().monotonic;
        let flights: Vec<Flight> = (0..PLACES).map(at_place).collect();
        for _ in 0..2 {
            for flight in &flights {
                found(flight, &format!("T{}", flight.id()), HOUR, now);
            }
        }
        for flight in &flights {
            assert_eq!(recalled(flight, now), Some(format!("T{}", flight.id())));
        }
    }
}
