//! Decides when to fetch, use, renew, wait and give up. Time and random numbers are arguments.
//! Imports `protocol` and the common ground below it.

pub(crate) mod backoff;
pub(crate) mod caller;
pub(crate) mod failure;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod settings;
pub(crate) mod slot;
