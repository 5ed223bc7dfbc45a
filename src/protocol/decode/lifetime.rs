//! The lifetime that a token response states (RFC 6749 sections 5.1 and A.14). Imports
//! `protocol::dialect`, `protocol::members`, `protocol::token`.

use std::time::Duration;

use crate::protocol::dialect::LifetimeUnit;
use crate::protocol::members::Member;
use crate::protocol::token::Lifetime;

const ZERO: &str = "0";
const NEGATIVE: &str = "a negative number";
const EMPTY: &str = "an empty string";
const UNREADABLE: &str = "not a number";

/// Reads a lifetime. Real servers also send a string or a fraction. What is no lifetime
/// counts as missing, and is said: 0 means "never" at several servers, and a date is no reason to
/// throw a good token away.
pub(super) fn lifetime(member: Option<&Member<'_>>, unit: LifetimeUnit) -> Lifetime {
    let number = match member {
        None | Some(Member::Null) => return Lifetime::default(),
        Some(Member::Number(number)) => whole(*number),
        Some(Member::Text(text)) => whole_number(text),
        // serde_json reads numbers this way with its feature `arbitrary_precision`, which another
        // crate may have enabled.
        Some(Member::Other(value)) => value.as_f64().map_or(Err(UNREADABLE), whole),
    };
    match number {
        Ok(0) => Lifetime { stated: None, ignored: Some(ZERO) },
        Ok(number) => Some(match unit {
            LifetimeUnit::Seconds => Duration::from_secs(number),
            LifetimeUnit::Milliseconds => Duration::from_millis(number),
            LifetimeUnit::Minutes => Duration::from_secs(number.saturating_mul(60)),
        })
        .into(),
        Err(found) => Lifetime { stated: None, ignored: Some(found) },
    }
}

/// Drops the fraction. `as` saturates, so no number overflows; no lifetime beyond a day is honoured
/// anyway.
fn whole(number: f64) -> Result<u64, &'static str> {
    if number < 0.0 { Err(NEGATIVE) } else { Ok(number as u64) }
}

/// Parses digits with an optional minus sign and fraction, and drops the fraction. Accepts fewer
/// spellings than the parser of `f64`, and does not link its tables.
fn whole_number(text: &str) -> Result<u64, &'static str> {
    let number = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() {
        Err(EMPTY)
    } else if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        Err(UNREADABLE)
    } else if text.starts_with('-') {
        Err(NEGATIVE)
    } else {
        // Parsing can fail only because the number is too large.
        Ok(if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_in_a_string_allows_only_a_minus_sign_and_a_fraction() {
        for (text, seconds) in [("0", 0), ("3600", 3600), ("3599.9", 3599), ("5.", 5), (".5", 0)] {
            assert_eq!(whole_number(text), Ok(seconds), "{text}");
        }
        assert_eq!(whole_number("99999999999999999999999"), Ok(u64::MAX));
        for text in ["-5", "-0.5", "-.5"] {
            assert_eq!(whole_number(text), Err(NEGATIVE), "{text}");
        }
        for text in ["-", ".", "-.", "+5", "--5", "5-", "1.2.3", " 5", "5 ", "5s", "1e3", "inf", "NaN", "0x10"] {
            assert_eq!(whole_number(text), Err(UNREADABLE), "{text}");
        }
    }
}
