//! The callers that wait for a fetch: who of them leads next if a fetch is handed over.
//! Imports nothing from this crate.

use std::time::{Duration, Instant};

#[derive(Default)]
pub(crate) struct Queue {
    waiting: Vec<Waiter>,
    entered: u64,
}

/// The number of a caller in the queue of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(u64);

struct Waiter {
    id: WaiterId,
    budget: Duration,
    until: Instant,
}

impl Queue {
    /// Adds a caller that came with this budget and waits until then.
    pub(crate) fn enter(&mut self, budget: Duration, until: Instant) -> WaiterId {
        self.entered += 1;
        let id = WaiterId(self.entered);
        self.waiting.push(Waiter { id, budget, until });
        id
    }

    pub(crate) fn leave(&mut self, id: WaiterId) {
        self.waiting.retain(|waiter| waiter.id != id);
    }

    /// Returns the caller with the most time left, of those whose budget is larger than `given`.
    pub(crate) fn most_patient(&self, given: Duration) -> Option<WaiterId> {
        let patient = self.waiting.iter().filter(|waiter| waiter.budget > given);
        patient.max_by_key(|waiter| waiter.until).map(|waiter| waiter.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, SystemClock};

    #[test]
    fn the_caller_with_the_most_time_leads_next_unless_it_had_no_more_than_was_given() {
        let (mut queue, now) = (Queue::default(), SystemClock.monotonic());
        let seconds = Duration::from_secs;
        assert_eq!(queue.most_patient(seconds(1)), None);
        let short = queue.enter(seconds(2), now + seconds(2));
        let long = queue.enter(seconds(9), now + seconds(4));
        assert_eq!(queue.most_patient(seconds(1)), Some(long));
        assert_eq!(queue.most_patient(seconds(9)), None);
        queue.leave(long);
        assert_eq!(queue.most_patient(seconds(1)), Some(short));
        assert_eq!(queue.most_patient(seconds(2)), None);
    }
}
