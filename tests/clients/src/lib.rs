//! Adapters for other blocking HTTP clients, written on the public API of `client-credentials`
//! alone. Each module stands for itself, so that it can be copied.
//!
//! All of them do what the agent of the feature `ureq` does: they put a token on a request, send
//! it, and send it once more after a 401 that another token may help. If the second attempt gets
//! no answer, a safe method returns the 401.

pub mod attohttpc;
pub mod minreq;
pub mod reqwest;
