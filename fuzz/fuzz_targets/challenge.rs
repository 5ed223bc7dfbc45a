//! `WWW-Authenticate`: what is well-formed is read back as it was meant, and what is not yields nothing odd.
//!
//! For any header lines: schemes and parameter names are tokens in lower case; no parameter stands twice; a challenge
//! has a token68 or parameters, or is marked malformed; lines are read one by one, so that reading them together gives
//! what each gives; and nothing is made up: what comes out is no longer than what went in (three times, where U+FFFD
//! stands for one byte).
//!
//! Once, at the start: 256 KiB of what parsers choke on is read in no time to speak of.
//!
//! For a list of challenges chosen by the input, written with every freedom that RFC 9110 gives a sender (quoting,
//! escapes, spaces, empty elements, case, several lines): it is read back whole, and nothing is malformed.
//!
//! Input: header lines between line feeds; the same bytes choose the list.

#![no_main]

use std::collections::HashSet;
use std::time::Duration;

use arbitrary::{Result, Unstructured};
use client_credentials::{Challenge, Clock, SystemClock};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: linear_time(), |data: &[u8]| {
    any_lines(data);
    if let Ok((meant, lines)) = write_list(&mut Unstructured::new(data)) {
        read_back(&meant, &lines);
    }
});

const TCHAR: &[u8] = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TOKEN68: &[u8] = b"-._~+/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn any_lines(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    let challenges = Challenge::parse(&lines);
    let mut size = 0;
    for challenge in &challenges {
        assert!(is_lower_case_token(challenge.scheme()), "scheme {:?}", challenge.scheme());
        size += challenge.scheme().len();
        let mut names = HashSet::new();
        for (name, value) in challenge.params() {
            assert!(is_lower_case_token(name), "name {name:?}");
            assert!(names.insert(name), "{name:?} stands twice");
            assert_eq!(challenge.param(name), Some(value));
            size += name.len() + value.len();
        }
        if let Some(token68) = challenge.token68() {
            let letters = token68.trim_end_matches('=');
            assert!(!token68.is_empty() && letters.bytes().all(|byte| TOKEN68.contains(&byte)), "{token68:?}");
            assert!(names.is_empty() || challenge.is_malformed(), "a token68 and parameters, and not malformed");
            size += token68.len();
        }
    }
    assert!(size <= 3 * data.len(), "{size} bytes out of {}", data.len());
    let one_by_one: Vec<Challenge> = lines.iter().flat_map(|line| Challenge::parse([line])).collect();
    assert_eq!(challenges, one_by_one);
}

fn is_lower_case_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| TCHAR.contains(&byte) && !byte.is_ascii_uppercase())
}

/// Linear reading of the longest header here takes a few hundredths of this, quadratic reading three times this.
const LONGEST: Duration = Duration::from_secs(2);

fn linear_time() {
    let kinds: [fn(usize) -> String; 9] = [
        |at| format!("x{at}=1,"),
        |at| format!("a {at:x}=1,"),
        |_| String::from("a=1,"),
        |_| String::from("a b,"),
        |_| String::from("a "),
        |_| String::from("a=\"\\"),
        |_| String::from("\""),
        |_| String::from("= ,"),
        |_| String::from("a b=c d,"),
    ];
    for kind in kinds {
        for size in [64 * 1024, 256 * 1024] {
            let mut header = String::from("Bearer ");
            for at in 0.. {
                header.push_str(&kind(at));
                if header.len() >= size {
                    break;
                }
            }
            let took = || {
                let start = SystemClock.now();
                Challenge::parse([&header]);
                SystemClock.now().since(&start)
            };
            // Three tries, because this machine may be busy with something else.
            let slow = (0..3).all(|_| took() > LONGEST);
            assert!(!slow, "{size} bytes of {:?} and so on take longer than {LONGEST:?}", kind(0));
        }
    }
}

struct Meant {
    scheme: String,
    params: Vec<(String, String)>,
    token68: Option<String>,
}

fn read_back(meant: &[Meant], lines: &[String]) {
    let read = Challenge::parse(lines);
    assert_eq!(read.len(), meant.len(), "{lines:?} gives {read:?}");
    for (read, meant) in read.iter().zip(meant) {
        assert_eq!(read.scheme(), meant.scheme, "{lines:?}");
        assert_eq!(read.token68(), meant.token68.as_deref(), "{lines:?}");
        assert!(!read.is_malformed(), "{lines:?}");
        let wanted = meant.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert!(read.params().eq(wanted), "{lines:?} gives {read:?}");
    }
}

fn write_list(u: &mut Unstructured<'_>) -> Result<(Vec<Meant>, Vec<String>)> {
    let mut meant = Vec::new();
    let mut lines = vec![String::new()];
    while !u.is_empty() && meant.len() < 5 {
        let line = match u.int_in_range(0..=3)? {
            0 => {
                lines.push(String::new());
                lines.last_mut().expect("just pushed")
            }
            _ => lines.last_mut().expect("never empty"),
        };
        comma(u, line)?;
        meant.push(write_challenge(u, line)?);
    }
    Ok((meant, lines))
}

fn write_challenge(u: &mut Unstructured<'_>, line: &mut String) -> Result<Meant> {
    let scheme = token(u, TCHAR)?;
    line.push_str(&scheme);
    let mut meant = Meant { scheme: scheme.to_ascii_lowercase(), params: Vec::new(), token68: None };
    let kind = u.arbitrary::<u8>()?;
    if kind < 24 {
        return Ok(meant);
    }
    line.push_str(if kind & 1 == 0 { " " } else { "   " });
    if kind < 64 {
        let text = token(u, TOKEN68)? + &"=".repeat(usize::from(kind & 3));
        line.push_str(&text);
        meant.token68 = Some(text);
        return Ok(meant);
    }
    for at in 0..kind % 5 + 1 {
        let name = token(u, TCHAR)?;
        let lower = name.to_ascii_lowercase();
        if meant.params.iter().any(|(known, _)| *known == lower) {
            continue;
        }
        if at > 0 {
            comma(u, line)?;
        }
        line.push_str(&name);
        space(u, line)?;
        line.push('=');
        space(u, line)?;
        let value = write_value(u, line)?;
        meant.params.push((lower, value));
    }
    Ok(meant)
}

fn write_value(u: &mut Unstructured<'_>, line: &mut String) -> Result<String> {
    let style = u.arbitrary::<u8>()?;
    if style < 80 {
        let value = token(u, TCHAR)?;
        line.push_str(&value);
        return Ok(value);
    }
    let length = u.int_in_range(0..=12)?.min(u.len());
    let text = String::from_utf8_lossy(u.bytes(length)?);
    let value: String = text.chars().filter(|char| !char.is_ascii_control() || *char == '\t').collect();
    line.push('"');
    for char in value.chars() {
        if matches!(char, '"' | '\\') || (style > 200 && (char.is_ascii_graphic() || char == ' ')) {
            line.push('\\');
        }
        line.push(char);
    }
    line.push('"');
    Ok(value)
}

/// A separator, where one is needed, with the empty elements and spaces that a reader must take (RFC 9110 section
/// 5.6.1.2).
fn comma(u: &mut Unstructured<'_>, line: &mut String) -> Result<()> {
    let separators = [",", ", ", " ,", "\t,\t", ", ,", ",,  ,"];
    let separator = *u.choose(&separators)?;
    if !line.is_empty() || separator.len() > 3 {
        line.push_str(separator);
    }
    Ok(())
}

fn space(u: &mut Unstructured<'_>, line: &mut String) -> Result<()> {
    line.push_str(u.choose(&["", "", "", " ", "\t", "  "])?);
    Ok(())
}

/// Word by word often one that counts.
fn token(u: &mut Unstructured<'_>, alphabet: &[u8]) -> Result<String> {
    let words = ["Bearer", "Basic", "realm", "error", "scope", "a", "A", "b"];
    if u.arbitrary::<u8>()? < 128 {
        return Ok((*u.choose(&words)?).to_owned());
    }
    let length = u.int_in_range(1..=6)?;
    (0..length).map(|_| Ok(char::from(*u.choose(alphabet)?))).collect()
}
