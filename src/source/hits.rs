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
