//! `HTTP-date` (RFC 9110 section 5.6.7). Imports nothing from this crate.

use std::time::{Duration, SystemTime};

/// Parses a date in one of the three forms. A leap second, which section 5.6.7 allows as `:60`, counts
/// as the second after `:59`.
pub(super) fn http_date(text: &str) -> Option<SystemTime> {
    match text.split_once(":60 ") {
        Some((before, after)) => Some(any_weekday(&format!("{before}:59 {after}"))? + Duration::from_secs(1)),
        None => any_weekday(text),
    }
}

/// Parses a date. A wrong weekday is ignored.
fn any_weekday(text: &str) -> Option<SystemTime> {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    httpdate::parse_http_date(text).ok().or_else(|| {
        let (_, rest) = text.split_at_checked(3).filter(|(day, _)| day.bytes().all(|b| b.is_ascii_alphabetic()))?;
        DAYS.iter().find_map(|day| httpdate::parse_http_date(&format!("{day}{rest}")).ok())
    })
}
