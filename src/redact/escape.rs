//! The escapes that a server may apply to what it repeats, and how each of them is undone. Imports
//! nothing from this crate.

use std::sync::LazyLock;

use zeroize::Zeroizing;

/// A text after escapes were undone in it.
pub(super) struct View {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// For each byte the place (from, to) in the text that it came from.
    pub(super) spans: Vec<(u32, u32)>,
}

impl View {
    pub(super) fn new(text: &[u8]) -> Self {
        Self { bytes: Zeroizing::new(text.to_vec()), spans: (0..).zip(1..).take(text.len()).collect() }
    }

    /// Undoes this escape wherever the text has it. Returns `None` if it is nowhere.
    pub(super) fn undo(&self, escape: &Escape) -> Option<Self> {
        // No escape is shorter than what it stands for. A buffer that grew would leave a copy.
        let size = self.bytes.len();
        let mut out = Self { bytes: Zeroizing::new(Vec::with_capacity(size)), spans: Vec::with_capacity(size) };
        match *escape {
            Escape::Text(undo) => self.undo_text(undo, &mut out),
            Escape::Digits { bits, value, skipped } => self.undo_digits(bits, value, skipped, &mut out),
        }
        (out.bytes.len() < size).then_some(out)
    }

    fn undo_text(&self, undo: Undo, out: &mut Self) {
        let mut at = 0;
        while let Some(&byte) = self.bytes.get(at) {
            let used = undo(&self.bytes[at..], &mut out.bytes).unwrap_or_else(|| {
                out.bytes.push(byte);
                1
            });
            out.spans.resize(out.bytes.len(), (self.spans[at].0, self.spans[at + used - 1].1));
            at += used;
        }
    }

    /// White space between digits is left out: a line break (RFC 2045 section 6.8). Any other byte
    /// ends a run of digits.
    fn undo_digits(&self, bits: u32, value: fn(u8) -> Option<u32>, skipped: usize, out: &mut Self) {
        let (mut held, mut held_bits, mut run, mut from) = (0, 0, 0, 0);
        for (&byte, &span) in self.bytes.iter().zip(&self.spans) {
            if let Some(digit) = value(byte) {
                run += 1;
                if run <= skipped {
                    continue;
                }
                from = if held_bits == 0 { span.0 } else { from };
                (held, held_bits) = (held << bits | digit, held_bits + bits);
                if held_bits >= 8 {
                    held_bits -= 8;
                    out.bytes.push((held >> held_bits) as u8);
                    out.spans.push((from, span.1));
                    (held, from) = (held & ((1 << held_bits) - 1), span.0);
                }
            } else if !byte.is_ascii_whitespace() {
                (held, held_bits, run) = (0, 0, 0);
                out.bytes.push(byte);
                out.spans.push(span);
            }
        }
    }
}

pub(super) enum Escape {
    Text(Undo),
    /// Bytes as digits of so many bits. A secret may begin in the middle of a run of digits, so
    /// each number of skipped digits is tried that leads to another division into bytes.
    Digits {
        bits: u32,
        value: fn(u8) -> Option<u32>,
        skipped: usize,
    },
}

/// Undoes the escape at the beginning of a text: appends what it stands for, and returns the number
/// of bytes it took. Returns `None` if the text does not begin with an escape.
pub(super) type Undo = fn(&[u8], &mut Vec<u8>) -> Option<usize>;

pub(super) const ESCAPES: [Escape; 9] = [
    Escape::Text(percent),
    Escape::Text(html),
    Escape::Text(json),
    Escape::Digits { bits: 6, value: base64, skipped: 0 },
    Escape::Digits { bits: 6, value: base64, skipped: 1 },
    Escape::Digits { bits: 6, value: base64, skipped: 2 },
    Escape::Digits { bits: 6, value: base64, skipped: 3 },
    Escape::Digits { bits: 4, value: hex, skipped: 0 },
    Escape::Digits { bits: 4, value: hex, skipped: 1 },
];

/// `%2F` in URLs and forms (RFC 3986 section 2.1).
fn percent(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    out.push(number(text.strip_prefix(b"%")?, 2)? as u8);
    Some(3)
}

/// `&amp;`, `&#38;` and `&#x26;` (HTML section 13.1.4), with the names of ASCII and Latin-1.
fn html(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    const LONGEST: usize = 24;
    let rest = text.strip_prefix(b"&")?;
    let end = rest.iter().take(LONGEST).position(|&byte| byte == b';')?;
    let name = std::str::from_utf8(&rest[..end]).ok()?;
    let meant = match name.strip_prefix('#').map(|code| (code, code.strip_prefix(['x', 'X']))) {
        Some((_, Some(code))) => char::from_u32(u32::from_str_radix(code, 16).ok()?)?,
        Some((code, None)) => char::from_u32(code.parse().ok()?)?,
        None => entity(name).or_else(|| entity(&name.to_ascii_lowercase()))?,
    };
    out.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
    Some(end + 2)
}

fn entity(name: &str) -> Option<char> {
    let found = ENTITIES.binary_search_by_key(&name, |(known, _)| known).ok()?;
    Some(ENTITIES[found].1)
}

/// Each name with its character, in the order of the names.
static ENTITIES: LazyLock<Vec<(&str, char)>> = LazyLock::new(|| {
    NAMES.split(' ').filter_map(|word| word.char_indices().last().map(|(end, meant)| (&word[..end], meant))).collect()
});

const NAMES: &str = "\
    AEligÆ AacuteÁ AcircÂ AgraveÀ AringÅ AtildeÃ AumlÄ CcedilÇ ETHÐ EacuteÉ EcircÊ EgraveÈ EumlË \
    IacuteÍ IcircÎ IgraveÌ IumlÏ NtildeÑ OacuteÓ OcircÔ OgraveÒ OslashØ OtildeÕ OumlÖ THORNÞ \
    UacuteÚ UcircÛ UgraveÙ UumlÜ YacuteÝ aacuteá acircâ acute´ aeligæ agraveà amp& apos' aringå \
    ast* atildeã aumlä brvbar¦ bsol\\ ccedilç cedil¸ cent¢ colon: comma, commat@ copy© curren¤ \
    deg° diacriticalgrave` divide÷ dollar$ eacuteé ecircê egraveè equals= ethð eumlë excl! \
    frac12½ frac14¼ frac34¾ grave` gt> hat^ iacuteí icircî iexcl¡ igraveì iquest¿ iumlï laquo« \
    lbrace{ lbrack[ lcub{ lowbar_ lpar( lsqb[ lt< macr¯ micro\u{b5} midast* middot· nbsp\u{a0} \
    newline\n not¬ ntildeñ num# oacuteó ocircô ograveò ordfª ordmº oslashø otildeõ oumlö para¶ \
    percnt% period. plus+ plusmn± pound£ quest? quot\" raquo» rbrace} rbrack] rcub} reg® rpar) \
    rsqb] sect§ semi; shy\u{ad} sol/ sup1¹ sup2² sup3³ szligß tab\t thornþ times× uacuteú ucircû \
    ugraveù uml¨ underbar_ uumlü verbar| vert| verticalline| yacuteý yen¥ yumlÿ";

/// `\n`, `\/` and `\u002F` in JSON (RFC 8259 section 7), and `\'` and `\x2F` in other languages.
fn json(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let (&kind, rest) = text.strip_prefix(b"\\")?.split_first()?;
    match kind {
        b'"' | b'\\' | b'/' | b'\'' => out.push(kind),
        b'b' => out.push(8),
        b'f' => out.push(12),
        b'n' => out.push(b'\n'),
        b'r' => out.push(b'\r'),
        b't' => out.push(b'\t'),
        b'x' => {
            out.push(number(rest, 2)? as u8);
            return Some(4);
        }
        b'u' => {
            let unit = number(rest, 4)? as u16;
            // The second half of a pair, if there is one.
            let second = rest.get(4..).and_then(|rest| number(rest.strip_prefix(b"\\u")?, 4));
            let units = [unit, second.unwrap_or_default() as u16];
            let meant = char::decode_utf16(units).next()?.ok()?;
            out.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(6 * meant.len_utf16());
        }
        _ => return None,
    }
    Some(2)
}

/// Reads a number of so many hexadecimal digits.
fn number(text: &[u8], digits: usize) -> Option<u32> {
    text.get(..digits)?.iter().try_fold(0, |number, &digit| Some(number << 4 | hex(digit)?))
}

fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

/// Both alphabets (RFC 4648 sections 4 and 5).
fn base64(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(undo: Undo, text: &str) -> String {
        let view = View::new(text.as_bytes());
        let out = view.undo(&Escape::Text(undo)).unwrap_or(view);
        String::from_utf8_lossy(&out.bytes).into_owned()
    }

    #[test]
    fn the_punctuation_marks_of_ascii_and_all_of_latin_1_have_names() {
        let names = |meant| ENTITIES.iter().filter(|(_, known)| *known == meant).count();
        for c in ('!'..='~').filter(char::is_ascii_punctuation).filter(|c| !"-~".contains(*c)) {
            assert!(names(c) >= 1, "{c}");
        }
        for c in '\u{a0}'..='\u{ff}' {
            assert_eq!(names(c), 1, "{c}");
        }
        assert_eq!(undone(html, "&amp;&AMP;&Amp;&NewLine;&Eacute;&eacute;"), "&&&\nÉé");
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["%", "%4", "%4g", "%%", "%u0041", "100 % of"] {
            assert_eq!(undone(percent, text), text);
        }
        for text in ["&", "&;", "&#;", "&#x;", "&#xd800;", "&#1114112;", "&amp", "&no;", "&amp amp;", "&#99999999999;"]
        {
            assert_eq!(undone(html, text), text);
        }
        for text in ["\\", "\\q", "\\u004", "\\ud83d", "\\udd11", "\\x4"] {
            assert_eq!(undone(json, text), text);
        }
    }

    #[test]
    fn an_escape_beside_what_is_none_is_undone() {
        assert_eq!(undone(percent, "%%41%4%2f"), "%A%4/");
        assert_eq!(undone(html, "&&#65;&#x41;&#0065;&#X0041;amp;"), "&AAAAamp;");
        assert_eq!(undone(json, r#"\\u0041\u0041\ud83d\udd11\x41\"\/"#), "\\u0041A\u{1f511}A\"/");
    }

    #[test]
    fn an_undone_byte_knows_where_it_came_from() {
        let spans = |escape: &Escape, text: &str| View::new(text.as_bytes()).undo(escape).expect("an escape").spans;
        assert_eq!(spans(&Escape::Text(percent), "a%41b"), [(0, 1), (1, 4), (4, 5)]);
        assert_eq!(spans(&Escape::Text(html), "&eacute;"), [(0, 8), (0, 8)]);
        assert_eq!(undone(json, r#"\\u0041\u0041\ud83d\udd11\x41\"\/"#), "\\u0041A\u{1f511}A\"/");
        let base64 = &ESCAPES[3];
        assert_eq!(spans(base64, "Zm9v\nYmFy"), [(0, 2), (1, 3), (2, 4), (5, 7), (6, 8), (7, 9)]);
        assert_eq!(spans(&ESCAPES[8], "f4142!"), [(1, 3), (3, 5), (5, 6)]);
    }
}
