//! How far this machine's clock is from that of a server, by the `Date` of its answer (RFC 9110
//! section 6.6.1). Imports `protocol::http_date`.
#![allow(dead_code, reason = "used by the token request, once it sends assertions")]

use std::time::{SystemTime, UNIX_EPOCH};

use crate::protocol::http_date::http_date;

/// Returns by how many seconds the clock of the server is ahead of ours. Negative if it is behind,
/// `None` if the date cannot be read.
pub(crate) fn server_ahead(date: &[u8], now: SystemTime) -> Option<i64> {
    let date = http_date(std::str::from_utf8(date).ok()?.trim_matches([' ', '\t']))?;
    // A date is in whole seconds.
    let seconds = |time: SystemTime| i64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()).ok();
    seconds(date)?.checked_sub(seconds(now)?)
}

/// Returns what to add to our clock when an assertion says when it was made, or `None` if the
/// difference explains no refusal, or is beyond a day: then the clock of the server is not set.
pub(crate) fn correction(server_ahead: i64) -> Option<i64> {
    const LEAST: u64 = 3;
    const MOST: u64 = 24 * 60 * 60;
    (LEAST..=MOST).contains(&server_ahead.unsigned_abs()).then_some(server_ahead)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_clock_offset_line_of_keys_jsonl() {
        let mut seen = 0;
        for line in include_str!("../../tests/vectors/keys.jsonl").lines() {
            let row: serde_json::Value = serde_json::from_str(line).expect("a vector is JSON");
            if row["kind"] != "clock_offset" {
                continue;
            }
            let local = UNIX_EPOCH + Duration::from_secs(row["local"].as_u64().expect("a time"));
            let date = row["date"].as_str().expect("a date").as_bytes();
            assert_eq!(server_ahead(date, local).and_then(correction), row["offset"].as_i64(), "{line}");
            seen += 1;
        }
        assert_eq!(seen, 5);
    }

    #[test]
    fn a_correction_is_between_three_seconds_and_a_day_either_way() {
        let date = b"Tue, 14 Nov 2023 22:13:20 GMT";
        for (local, ahead, corrected) in [
            (1_699_999_700, 300, Some(300)),
            (1_699_999_998, 2, None),
            (1_699_999_997, 3, Some(3)),
            (1_700_000_003, -3, Some(-3)),
            (1_700_000_000 - 86_400, 86_400, Some(86_400)),
            (1_700_000_000 - 86_401, 86_401, None),
            (1_700_000_000 + 86_401, -86_401, None),
        ] {
            let local = UNIX_EPOCH + Duration::from_secs(local);
            assert_eq!(server_ahead(date, local), Some(ahead));
            assert_eq!(server_ahead(date, local + Duration::from_millis(999)), Some(ahead));
            assert_eq!(correction(ahead), corrected);
        }
        for extreme in [0, i64::MIN, i64::MAX] {
            assert_eq!(correction(extreme), None);
        }
        assert_eq!(server_ahead(b"\xff", UNIX_EPOCH), None);
    }
}
