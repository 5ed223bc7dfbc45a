//! Time: when to fetch, use, renew, wait and give up. Values in, decisions out; the moment is an
//! argument. Imports from `protocol` and the ground floor.

pub(crate) mod backoff;
pub(crate) mod schedule;
pub(crate) mod settings;
pub(crate) mod slot;
