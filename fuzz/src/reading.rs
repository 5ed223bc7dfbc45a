//! Decoders, each a few lines, so that a mistake in the crate's dependencies cannot cancel itself out.

/// The records of an input: text between bytes that UTF-8 never holds, so that every text can be written.
pub fn records(data: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    data.split(|&byte| byte == 0xff)
}

/// The fields of a record.
pub fn fields(record: &[u8]) -> impl Iterator<Item = String> {
    record.split(|&byte| byte == 0xfe).map(|field| String::from_utf8_lossy(field).into_owned())
}

/// `%XX` undone; what is no such triple stays.
#[must_use]
pub fn percent_decoded(text: &[u8], plus_is_space: bool) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) if plus_is_space => out.push(b' '),
            (byte, ..) => out.push(byte),
        }
        at += 1;
    }
    out
}

/// Base64 with the standard alphabet and padding, strictly read.
#[must_use]
pub fn base64_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let sextet = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for &byte in &text[..text.len() - padding] {
        bits = (bits << 6 | u32::from(sextet(byte)?)) & 0x3fff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    (bits & ((1 << held) - 1) == 0).then_some(out)
}

/// Base64 with the alphabet for URLs and without padding, strictly read.
#[must_use]
pub fn base64url_decoded(text: &str) -> Option<Vec<u8>> {
    if text.contains(['+', '/', '=']) {
        return None;
    }
    let padding = "=".repeat(text.len().next_multiple_of(4) - text.len());
    base64_decoded((text.replace('-', "+").replace('_', "/") + &padding).as_bytes())
}

/// `application/x-www-form-urlencoded`, with the names and values of invalid UTF-8 made legible.
#[must_use]
pub fn form_pairs(body: &[u8]) -> Vec<(String, String)> {
    let text = |part: &[u8]| String::from_utf8_lossy(&percent_decoded(part, true)).into_owned();
    body.split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let end = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            (text(&pair[..end]), text(pair.get(end + 1..).unwrap_or_default()))
        })
        .collect()
}

/// The names of the members of a JSON object, as often and in the order that they stand there. Only for text that a
/// JSON parser has found to be an object.
#[must_use]
pub fn json_names(object: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut name_comes = false;
    let mut at = 0;
    while at < object.len() {
        match object[at] {
            b'{' | b'[' => {
                depth += 1;
                name_comes = depth == 1;
            }
            b'}' | b']' => depth -= 1,
            b',' => name_comes = depth == 1,
            b'"' => {
                let start = at;
                at += 1;
                while object[at] != b'"' {
                    at += if object[at] == b'\\' { 2 } else { 1 };
                }
                if name_comes {
                    names.push(serde_json::from_slice(&object[start..=at]).expect("a JSON string"));
                    name_comes = false;
                }
            }
            _ => {}
        }
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648_section_10() {
        for (text, plain) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")] {
            assert_eq!(base64_decoded(text.as_bytes()).as_deref(), Some(plain.as_bytes()));
        }
        for bad in ["Zg", "Zg=", "Zh==", "Z===", "Zm9v!a==", "Zm9\n"] {
            assert_eq!(base64_decoded(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(base64url_decoded("-_8").as_deref(), Some(&[0xfb, 0xff][..]));
        for bad in ["+/8", "-_8=", "-_9", "-"] {
            assert_eq!(base64url_decoded(bad), None, "{bad}");
        }
    }

    #[test]
    fn percent_and_plus() {
        assert_eq!(percent_decoded(b"a%2Bb+c%zz%4", true), b"a+b c%zz%4");
        assert_eq!(percent_decoded(b"%C3%A9+", false), "\u{e9}+".as_bytes());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(form_pairs(b"&a=b=c&&d&=e"), [pair("a", "b=c"), pair("d", ""), pair("", "e")]);
    }

    #[test]
    fn names_of_an_object() {
        let text = br#" {"a":{"b":["c",{"d":1}]},"\u0061":"\"}{,","e\\":[]} "#;
        assert_eq!(json_names(text), ["a", "a", "e\\"]);
        assert!(json_names(b"{}").is_empty());
    }
}
