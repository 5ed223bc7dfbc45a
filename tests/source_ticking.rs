//! All tests of the token source once more, with a clock that moves by a nanosecond at each look.

#[path = "source/main.rs"]
mod source;
