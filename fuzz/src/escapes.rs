//! The escapes that servers apply to what they repeat: applied, and undone in every way that a reader could.

use std::fmt::Write as _;

use crate::reading::percent_decoded;

/// The number of escapes that [`escape`] knows.
pub const ESCAPES: u8 = 16;

/// Applies one of the escapes to a whole text.
#[must_use]
pub fn escape(which: u8, text: &str) -> String {
    let bytes = |write: fn(&mut String, u8)| {
        text.bytes().fold(String::new(), |mut out, byte| {
            write(&mut out, byte);
            out
        })
    };
    let chars = |write: fn(&mut String, char)| {
        text.chars().fold(String::new(), |mut out, c| {
            write(&mut out, c);
            out
        })
    };
    match which % ESCAPES {
        0 => text.to_owned(),
        1 => bytes(|out, byte| write!(out, "%{byte:02X}").unwrap()),
        2 => bytes(|out, byte| write!(out, "%{byte:02x}").unwrap()),
        3 => form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        4 => chars(|out, c| write!(out, "&#{};", u32::from(c)).unwrap()),
        5 => chars(|out, c| write!(out, "&#X{:04X};", u32::from(c)).unwrap()),
        6 => chars(|out, c| match NAMES.iter().find(|(_, meant)| *meant == c) {
            Some((name, _)) => write!(out, "&{name};").unwrap(),
            None => out.push(c),
        }),
        7 => {
            serde_json::to_string(text).unwrap().trim_matches('"').to_owned()
                + if text.ends_with('"') { "\"" } else { "" }
        }
        8 => text.encode_utf16().fold(String::new(), |out, unit| out + &format!("\\u{unit:04x}")),
        9 => text.encode_utf16().fold(String::new(), |out, unit| out + &format!("\\u{unit:04X}")),
        10 => base64(text.as_bytes(), b"+/", "=="),
        11 => base64(text.as_bytes(), b"+/", ""),
        12 => base64(text.as_bytes(), b"-_", ""),
        13 => base64(text.as_bytes(), b"-_", "")
            .as_bytes()
            .chunks(7)
            .fold(String::new(), |out, line| out + &String::from_utf8_lossy(line) + "\r\n"),
        14 => bytes(|out, byte| write!(out, "{byte:02x}").unwrap()),
        _ => bytes(|out, byte| write!(out, "{byte:02X}").unwrap()),
    }
}

/// Base64 with these two last digits, and with as much of this padding as belongs there.
#[must_use]
pub fn base64(bytes: &[u8], last: &[u8; 2], padding: &str) -> String {
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for at in 0..=group.len() {
            let digit = (bits >> (18 - 6 * at) & 63) as u8;
            out.push(char::from(match digit {
                0..=25 => b'A' + digit,
                26..=51 => b'a' + digit - 26,
                52..=61 => b'0' + digit - 52,
                _ => last[usize::from(digit - 62)],
            }));
        }
        out.push_str(&padding[..padding.len().min(3 - group.len())]);
    }
    out
}

const NAMES: [(&str, char); 10] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("sol", '/'),
    ("percnt", '%'),
    ("equals", '='),
    ("eacute", '\u{e9}'),
    ("szlig", '\u{df}'),
];

/// Whether the text has an entity that this file does not know by its name.
#[must_use]
pub fn has_other_names(text: &[u8]) -> bool {
    text.windows(3).any(|window| window[0] == b'&' && window[1].is_ascii_alphabetic()) && {
        let text = String::from_utf8_lossy(text);
        let names = text.split('&').skip(1).filter_map(|rest| rest.split_once(';')).map(|(name, _)| name);
        let mut names = names.filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()));
        !names.all(|name| NAMES.iter().any(|(known, _)| *known == name))
    }
}

/// Each way to undo one escape of characters: percent, entities, backslashes.
#[must_use]
pub fn characters_undone(text: &[u8]) -> [Vec<u8>; 3] {
    [percent_decoded(text, false), replaced(text, entity), replaced(text, backslash)]
}

/// Each way to undo one escape, with the runs of digits divided into bytes in each way.
#[must_use]
pub fn undone(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::from(characters_undone(text));
    all.extend((0..4).map(|skipped| digits(text, 6, skipped)));
    all.extend((0..2).map(|skipped| digits(text, 4, skipped)));
    all
}

/// Whether the text holds this, after up to `chain` escapes were undone.
#[must_use]
pub fn holds(text: &[u8], chain: u32, is_it: &dyn Fn(&[u8]) -> bool) -> bool {
    let next = |undone: &Vec<u8>| undone.len() < text.len() && holds(undone, chain - 1, is_it);
    is_it(text) || (chain > 0 && undone(text).iter().any(next))
}

/// Whether the text holds the secret, or what is left of it if it is taken for escaped itself.
#[must_use]
pub fn is_in(secret: &str, text: &[u8]) -> bool {
    let folded = |text: &[u8]| -> Vec<u8> {
        text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte.to_ascii_lowercase() }).collect()
    };
    let text = folded(text);
    let mut all = characters_undone(secret.as_bytes()).to_vec();
    all.push(secret.as_bytes().to_vec());
    let mut all = all.iter().filter(|secret| secret.len() >= 8).map(|secret| folded(secret));
    all.any(|secret| text.windows(secret.len()).any(|window| window == secret))
}

fn replaced(text: &[u8], read: fn(&[u8]) -> Option<(char, usize)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, ..] = rest {
        let used = match read(rest) {
            // `\x80` is a byte.
            Some((c, 4)) if rest.starts_with(b"\\x") => {
                out.push(u32::from(c) as u8);
                4
            }
            Some((c, used)) => {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                used
            }
            None => {
                out.push(*first);
                1
            }
        };
        rest = &rest[used..];
    }
    out
}

fn entity(text: &[u8]) -> Option<(char, usize)> {
    text.first().filter(|&&byte| byte == b'&')?;
    let end = text.iter().take(25).position(|&byte| byte == b';')?;
    let name = std::str::from_utf8(text[..end].strip_prefix(b"&")?).ok()?;
    let c = if let Some(hex) = name.strip_prefix("#x").or(name.strip_prefix("#X")) {
        char::from_u32(u32::from_str_radix(hex, 16).ok()?)?
    } else if let Some(decimal) = name.strip_prefix('#') {
        char::from_u32(decimal.parse().ok()?)?
    } else {
        NAMES.iter().find(|(known, _)| *known == name)?.1
    };
    Some((c, end + 1))
}

fn backslash(text: &[u8]) -> Option<(char, usize)> {
    let code = |text: &[u8], from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let digits = digits.iter().all(u8::is_ascii_hexdigit).then(|| std::str::from_utf8(digits).unwrap())?;
        u32::from_str_radix(digits, 16).ok()
    };
    let [b'\\', kind, ..] = *text else { return None };
    match kind {
        b'u' => {
            let unit = code(text, 2, 6)?;
            if !(0xd800..0xdc00).contains(&unit) {
                return char::from_u32(unit).map(|c| (c, 6));
            }
            let low = text[6..].starts_with(b"\\u").then(|| code(text, 8, 12))??;
            let pair = (0xdc00..0xe000).contains(&low).then(|| 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?;
            char::from_u32(pair).map(|c| (c, 12))
        }
        b'x' => char::from_u32(code(text, 2, 4)?).map(|c| (c, 4)),
        _ => {
            let at = br#""\/'bfnrt"#.iter().position(|&known| known == kind)?;
            Some((char::from(b"\"\\/'\x08\x0c\n\r\t"[at]), 2))
        }
    }
}

/// Runs of digits as bytes; white space is in no run's way, and all else stays.
fn digits(text: &[u8], width: u32, skipped: usize) -> Vec<u8> {
    let value = |byte: u8| match (width, byte) {
        (4, _) => char::from(byte).to_digit(16),
        (_, b'A'..=b'Z') => Some(u32::from(byte) - 65),
        (_, b'a'..=b'z') => Some(u32::from(byte) - 71),
        (_, b'0'..=b'9') => Some(u32::from(byte) + 4),
        (_, b'+' | b'-') => Some(62),
        (_, b'/' | b'_') => Some(63),
        _ => None,
    };
    let solid: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut out = Vec::with_capacity(text.len());
    // Four digits of 6 bits and two of 4 are whole bytes.
    let (group, size) = if width == 6 { (4, 3) } else { (2, 1) };
    for run in solid.chunk_by(|&one, &next| value(one).is_some() == value(next).is_some()) {
        if value(run[0]).is_none() {
            out.extend_from_slice(run);
            continue;
        }
        for digits in run.get(skipped..).unwrap_or_default().chunks(group) {
            let bits = digits.iter().fold(0, |bits, &digit| bits << width | value(digit).unwrap_or_default());
            let bits = bits << (width as usize * (group - digits.len()));
            let whole = digits.len() * width as usize / 8;
            out.extend_from_slice(&bits.to_be_bytes()[4 - size..][..whole]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_escape_can_be_undone() {
        for text in ["a%41 &amp; b+c/d~\\u0041\"", "\u{e9}\u{df}\u{1f511}<'=>", "QUJDREVG=="] {
            for which in 0..ESCAPES {
                let escaped = escape(which, text);
                let plain = |text_: &[u8]| {
                    let spaces = |text: &[u8]| String::from_utf8_lossy(text).replace('+', " ");
                    spaces(text_).contains(&spaces(text.as_bytes()))
                };
                assert!(holds(escaped.as_bytes(), 1, &plain), "{which}: {escaped}");
            }
        }
        assert_eq!(escape(10, "foob"), "Zm9vYg==");
    }
}
