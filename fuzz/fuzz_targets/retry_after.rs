//! `Retry-After`, seen through the reading of a 503.
//!
//! - digits alone, with spaces and tabs around them, are that number of seconds, however large;
//! - any other value that is understood is one of the three forms of `HTTP-date` (RFC 9110 section 5.6.7): writing the
//!   date that was understood gives the value back, but for the day-name, which is not believed, and two liberties of
//!   the date parser: `06` for ` 6` in the form of `asctime`, and any character before the time in that of RFC 850;
//! - a date counts from now: the past is zero;
//! - a date that this file writes is understood.
//!
//! Input: the wall clock in seconds since 1970, line feed, the header; the same bytes choose a date.

#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use arbitrary::{Result, Unstructured};
use client_credentials::{Clock, Moment, SystemClock, TokenRequest};
use client_credentials_fuzz::calendar::{Date, END};
use http::{HeaderValue, Response};
use libfuzzer_sys::fuzz_target;

static REQUEST: LazyLock<TokenRequest> =
    LazyLock::new(|| TokenRequest::new("https://auth.test/token").expect("a good endpoint"));
static STARTED: LazyLock<Moment> = LazyLock::new(|| SystemClock.now());

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let now = std::str::from_utf8(&data[..end]).ok().and_then(|text| text.parse().ok()).unwrap_or(1_700_000_000);
    any_value(now, data.get(end + 1..).unwrap_or_default());
    let _ = written(&mut Unstructured::new(data));
});

/// What the crate reads, `now` seconds after 1970 (or before).
fn read(now: i64, value: &[u8]) -> Option<Duration> {
    let distance = Duration::from_secs(now.unsigned_abs() % (2 * END));
    let epoch = SystemTime::UNIX_EPOCH;
    let wall = if now < 0 { epoch - distance } else { epoch + distance };
    let mut response = Response::new(b"");
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert("retry-after", HeaderValue::from_bytes(value).expect("a header"));
    let sent_at = Moment::new(STARTED.monotonic(), wall);
    REQUEST.decode(&response, sent_at).expect_err("a 503").retry_after()
}

fn any_value(now: i64, value: &[u8]) {
    if HeaderValue::from_bytes(value).is_err() {
        return;
    }
    let got = read(now, value);
    let start = value.iter().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    let end = value.iter().rev().take_while(|&&byte| matches!(byte, b' ' | b'\t')).count();
    let trimmed = &value[start..start.max(value.len() - end)];
    if !trimmed.is_empty() && trimmed.iter().all(u8::is_ascii_digit) {
        let number =
            trimmed.iter().fold(0_u64, |sum, &digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        assert_eq!(got, Some(Duration::from_secs(number)));
        return;
    }
    let Some(date) = read(0, value) else {
        assert_eq!(got, None, "understood at one time, not at another");
        return;
    };
    let at = date.as_secs();
    let text = std::str::from_utf8(trimmed).expect("a date is ASCII");
    // A leap second is the one after :59.
    let is_leap = text.contains(":60 ");
    assert!(at - u64::from(is_leap) < END && date.subsec_nanos() == 0, "no such date: {at}");
    assert_eq!(got, Some(until(now, at)));
    let date = Date::at(at - u64::from(is_leap));
    let mut rfc850 = date.rfc850();
    // `httpdate` takes any character between the date and the time of this form. Nothing can be read differently for it.
    if let (Some(space), Some(odd)) = (rfc850.rfind(' ').and_then(|gmt| gmt.checked_sub(9)), text.len().checked_sub(13))
    {
        rfc850.replace_range(space..=space, text.get(odd..=odd).unwrap_or(" "));
    }
    let forms = [date.imf_fixdate(), rfc850, date.asctime(), date.asctime().replacen("  ", " 0", 1)];
    let forms = forms.map(|form| if is_leap { form.replacen(":59 ", ":60 ", 1) } else { form });
    assert!(forms.iter().any(|form| is_but_for_the_day_name(text, form)), "{text:?} is {date:?}");
    assert!(text.len() != date.rfc850().len() || !text.contains('-') || (1970..2070).contains(&date.year));
}

/// Any letters may stand where a form has its day-name: three, or as many as there are before a comma.
fn is_but_for_the_day_name(text: &str, form: &str) -> bool {
    let end = form.find(',').unwrap_or(3);
    let name = text.strip_suffix(&form[end..]);
    name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphabetic()) && (name.len() == 3 || end > 3))
}

fn until(now: i64, at: u64) -> Duration {
    let now = i128::from(now.signum()) * i128::from(now.unsigned_abs() % (2 * END));
    Duration::from_secs(u64::try_from(i128::from(at) - now).unwrap_or(0))
}

fn written(u: &mut Unstructured<'_>) -> Result<()> {
    let at = u.arbitrary::<u64>()? % END;
    let now = u.arbitrary::<i64>()?;
    let date = Date::at(at);
    let mut forms = vec![date.imf_fixdate(), date.asctime()];
    // Two digits of a year mean one of these hundred.
    if (1970..2070).contains(&date.year) {
        forms.push(date.rfc850());
    }
    let form = u.choose(&forms)?;
    let around = *u.choose(&["", " ", "\t", " \t "])?;
    let got = read(now, format!("{around}{form}{around}").as_bytes());
    assert_eq!(got, Some(until(now, at)), "{form}");
    any_value(now, form.as_bytes());
    if u.ratio(1, 4)? {
        // Every other day-name of three letters is read as if it were the right one.
        let date = date.imf_fixdate();
        let wrong = u.choose(&["Mon", "Sun", "Xxx", "mon"])?;
        assert_eq!(read(now, format!("{wrong}{}", &date[3..]).as_bytes()), Some(until(now, at)), "{wrong} {date}");
    }
    Ok(())
}
