//! How far this machine's clock is from that of a server, by the `Date` of its answer (RFC 9110
//! section 6.6.1). Imports `protocol::http_date`.

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

/// Returns how many seconds to add to our clock for the time in an assertion, in place of those that
/// are `known`. `None` if the difference has not changed, or is more than a day: such a clock is not
/// followed.
pub(crate) fn correction(server_ahead: i64, known: i32) -> Option<i32> {
    const LEAST: u32 = 3;
    const MOST: u32 = 24 * 60 * 60;
    let ahead = i32::try_from(server_ahead).ok().filter(|ahead| ahead.unsigned_abs() <= MOST)?;
    let offset = if ahead.unsigned_abs() < LEAST { 0 } else { ahead };
    (offset.abs_diff(known) >= LEAST).then_some(offset)
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
            let corrected = server_ahead(date, local).and_then(|ahead| correction(ahead, 0)).map(i64::from);
            assert_eq!(corrected, row["offset"].as_i64(), "{line}");
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
            assert_eq!(correction(ahead, 0), corrected);
        }
        for extreme in [0, i64::MIN, i64::MAX] {
            assert_eq!(correction(extreme, 0), None);
        }
        assert_eq!(server_ahead(b"\xff", UNIX_EPOCH), None);
    }

    #[test]
    fn a_correction_is_made_again_only_if_the_difference_has_changed() {
        for (ahead, known, corrected) in [
            (300, 300, None),
            (302, 300, None),
            (303, 300, Some(303)),
            (0, 300, Some(0)),
            (2, 300, Some(0)),
            (-300, 300, Some(-300)),
        ] {
            assert_eq!(correction(ahead, known), corrected, "{ahead} {known}");
        }
    }
}
