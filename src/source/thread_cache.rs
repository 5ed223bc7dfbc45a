//! Each thread's own cache in front of the shared slots: copies of the tokens that it used last.
//! Imports `shared_slot`, `token`.
//!
//! A hit reads the monotonic clock and the slot's generation, and clones a copy of the token that
//! no other thread has: threads neither wait for each other nor contend for a reference count.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::protocol::token::AccessToken;
use crate::source::shared_slot::SharedSlot;

/// How many sources a thread remembers. Sources whose ids are equal modulo this number evict each
/// other.
const PLACES: usize = 16;

/// The longest use of a copy before the slot is polled again. The slot compares the wall clock as
/// well, and so notices that the machine was suspended.
const LONGEST: Duration = Duration::from_secs(1);

struct Entry {
    source: usize,
    generation: usize,
    until: Instant,
    /// Filled on the second use in a row: a token used only now and then isn't worth copying.
    token: Option<AccessToken>,
}

type Places = RefCell<[Option<Entry>; PLACES]>;

#[cfg(not(all(test, loom)))]
thread_local! {
    static CACHE: Places = const { RefCell::new([const { None }; PLACES]) };
}

// The model checker's macro takes no const block.
#[cfg(all(test, loom))]
loom::thread_local! {
    static CACHE: Places = RefCell::default();
}

/// Returns the id of a new source. Not the slot's: sources that share a slot may use a token for
/// different times.
pub(crate) fn new_id() -> usize {
    static IDS: AtomicUsize = AtomicUsize::new(0);
    IDS.fetch_add(1, Ordering::Relaxed)
}

/// Returns this thread's token for a source with this slot, unless the slot must be polled again.
pub(crate) fn recall(source: usize, slot: &SharedSlot, now: Instant) -> Option<AccessToken> {
    let look_up = |places: &Places| {
        let places = places.borrow();
        let entry = places[source % PLACES].as_ref()?;
        let is_valid = entry.source == source && now < entry.until && entry.generation == slot.generation();
        if is_valid { entry.token.clone() } else { None }
    };
    // The cache of a thread that is about to end may be gone.
    CACHE.try_with(look_up).ok().flatten()
}

/// Stores what a poll of the slot returned: `token` may be used for as long as it `holds`,
/// counted from `now`. The `generation` must have been read before the poll. Returns the token;
/// from the second use in a row on, this is the thread's own copy.
pub(crate) fn remember(
    source: usize,
    generation: usize,
    token: AccessToken,
    holds: Duration,
    now: Instant,
) -> AccessToken {
    let store = |places: &Places| {
        let place = &mut places.borrow_mut()[source % PLACES];
        let known = place.take().filter(|entry| entry.source == source && entry.generation == generation);
        let copy = known.map(|entry| entry.token.unwrap_or_else(|| token.detached()));
        let until = now.checked_add(holds.min(LONGEST)).unwrap_or(now);
        *place = Some(Entry { source, generation, until, token: copy.clone() });
        copy
    };
    CACHE.try_with(store).ok().flatten().unwrap_or(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};
    use crate::protocol::request::TokenRequest;
    use crate::renewal::schedule::Jitter;
    use crate::renewal::settings::Settings;

    const HOUR: Duration = Duration::from_secs(3600);

    fn token(name: &str) -> AccessToken {
        let request = TokenRequest::new("https://auth.example.com/token").expect("a request");
        let answer = http::Response::new(format!(r#"{{"access_token":"{name}"}}"#));
        request.decode(&answer, SystemClock.now()).expect("a token")
    }

    struct Source {
        id: usize,
        slot: SharedSlot,
    }

    fn source() -> Source {
        Source { id: new_id(), slot: SharedSlot::new(Jitter::default()) }
    }

    /// Stores this token as the answer of the slot.
    fn stored(source: &Source, name: &str, holds: Duration, now: Instant) -> String {
        remember(source.id, source.slot.generation(), token(name), holds, now).secret().to_owned()
    }

    fn recalled(source: &Source, now: Instant) -> Option<String> {
        recall(source.id, &source.slot, now).map(|token| token.secret().to_owned())
    }

    fn at_place(wanted: usize) -> Source {
        let mut sources = (0..10_000).map(|_| source());
        sources.find(|source| source.id % PLACES == wanted).expect("ids are consecutive")
    }

    #[test]
    fn a_token_used_twice_is_remembered_for_as_long_as_the_slot_said() {
        let (source, now, holds) = (source(), SystemClock.now().monotonic(), Duration::from_millis(300));
        assert_eq!(recalled(&source, now), None);
        assert_eq!(stored(&source, "T1", holds, now), "T1");
        assert_eq!(recalled(&source, now), None, "used only once, so not copied");
        assert_eq!(stored(&source, "T1", holds, now), "T1");
        assert_eq!(recalled(&source, now), Some("T1".to_owned()));
        assert_eq!(recalled(&source, now + Duration::from_millis(299)), Some("T1".to_owned()));
        assert_eq!(recalled(&source, now + holds), None);
    }

    #[test]
    fn the_slot_is_asked_again_after_a_second_at_most() {
        let (source, now) = (source(), SystemClock.now().monotonic());
        stored(&source, "T1", HOUR, now);
        stored(&source, "T1", HOUR, now);
        assert_eq!(recalled(&source, now + Duration::from_millis(999)), Some("T1".to_owned()));
        assert_eq!(recalled(&source, now + LONGEST), None);
    }

    #[test]
    fn the_copy_of_a_refused_token_is_not_used_again() {
        let (source, now) = (source(), SystemClock.now());
        stored(&source, "T1", HOUR, now.monotonic());
        stored(&source, "T1", HOUR, now.monotonic());
        source.slot.refuse(&token("T1"), now, &Settings::default());
        assert_eq!(recalled(&source, now.monotonic()), None);
        assert_eq!(stored(&source, "T2", HOUR, now.monotonic()), "T2");
        assert_eq!(recalled(&source, now.monotonic()), None, "another token, used for the first time");
    }

    #[test]
    fn sources_that_share_a_place_evict_each_other_and_never_mix() {
        let (one, two, now) = (at_place(3), at_place(3), SystemClock.now().monotonic());
        stored(&one, "one", HOUR, now);
        stored(&one, "one", HOUR, now);
        assert_eq!(recalled(&two, now), None);
        assert_eq!(stored(&two, "two", HOUR, now), "two");
        assert_eq!((recalled(&one, now), recalled(&two, now)), (None, None));
        assert_eq!(stored(&two, "two", HOUR, now), "two");
        assert_eq!((recalled(&one, now), recalled(&two, now)), (None, Some("two".to_owned())));
    }

    #[test]
    fn as_many_sources_as_there_are_places_are_remembered_at_once() {
        let now = SystemClock.now().monotonic();
        let sources: Vec<Source> = (0..PLACES).map(at_place).collect();
        for _ in 0..2 {
            for source in &sources {
                stored(source, &format!("T{}", source.id), HOUR, now);
            }
        }
        for source in &sources {
            assert_eq!(recalled(source, now), Some(format!("T{}", source.id)));
        }
    }
}
