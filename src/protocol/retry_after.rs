//! The `Retry-After` header (RFC 9110 section 10.2.3). Imports `protocol::http_date`.

use std::time::{Duration, SystemTime};

use crate::protocol::http_date::http_date;

/// Parses a `Retry-After` value, which is `delay-seconds` or one of the three forms of `HTTP-date`
/// (section 5.6.7).
///
/// Returns the delay from `now`: zero for a date in the past, and `None` for a malformed value.
pub(crate) fn retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let at = http_date(text)?;
    Some(at.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_retry_after_jsonl() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let lines = include_str!("../../tests/vectors/retry_after.jsonl").lines();
        let mut seen = 0;
        for line in lines {
            let row: serde_json::Value = serde_json::from_str(line).expect("a vector is JSON");
            let value = row["value"].as_str().expect("a value");
            let delay = retry_after(value.as_bytes(), now).map(|delay| delay.as_secs());
            assert_eq!(delay, row["delay_s"].as_u64(), "{line}");
            seen += 1;
        }
        assert_eq!(seen, 18);
    }

    #[test]
    fn a_leap_second_is_the_one_after_59_in_each_form_of_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_483_228_700); // 2016-12-31 23:58:20
        for date in [
            "Sat, 31 Dec 2016 23:59:60 GMT",
            "Saturday, 31-Dec-16 23:59:60 GMT",
            "Sat Dec 31 23:59:60 2016",
            "Mon, 31 Dec 2016 23:59:60 GMT",
        ] {
            assert_eq!(retry_after(date.as_bytes(), now), Some(Duration::from_secs(100)), "{date}");
        }
        for odd in ["Sat, 31 Dec 2016 23:59:61 GMT", "Sat, 31 Dec 2016 23:60:60 GMT", ":60 ", "23:59:60 GMT"] {
            assert_eq!(retry_after(odd.as_bytes(), now), None, "{odd}");
        }
    }

    #[test]
    fn absurd_values_neither_overflow_nor_panic() {
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(retry_after(b"99999999999999999999999", now), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(retry_after(b"Fri, 31 Dec 9999 23:59:59 GMT", now).map(|d| d.as_secs()), Some(253_402_300_799));
        for odd in [
            "\u{1fd}1- Nov 03 08:49:37 1990",
            "12, 14 Nov 2023 22:15:20 GMT",
            "\u{e9}",
            "a",
            "aé",
            "",
            "Mo",
            "\u{1f511}\u{1f511}\u{1f511}",
        ] {
            assert_eq!(retry_after(odd.as_bytes(), now), None);
        }
        assert_eq!(retry_after(&[0xff, 0xfe], now), None);
    }
}
