//! Keeps secrets out of every text that the crate shows: a type that never shows its text, excerpts
//! of what a server wrote, and a search for secrets in them. All of it is in this module, so that
//! it can be audited in one sitting. Imports nothing from this crate.
//!
//! - A secret in a program is a [`Secret`]: `Debug` shows nothing of it.
//! - A text from a server is shown as an [`Excerpt`]: escaped and cut.
//! - A server may repeat what was sent to it, so [`Redactor`] first removes the secrets of the
//!   request from the text, even if the server has escaped them.

mod escape;

use std::fmt;

use escape::{ESCAPES, Escape, View};
use zeroize::Zeroizing;

/// A string that is never shown by accident: a client secret, a token, an assertion.
///
/// `Debug` prints `[redacted]`, and there is no `Display`, `Serialize` or `Deref`. Only
/// [`secret`](Self::secret) returns the string, so a search for that word finds every use. The
/// memory is overwritten when the value is dropped. Source: RFC 6749 sections 10.3 and 10.8.
///
/// # Examples
///
/// ```
/// use client_credentials::Secret;
///
/// let secret = Secret::from("7Fjfp0ZBr1KtDRbnfVdmIw");
/// assert_eq!(format!("{secret:?}"), "[redacted]");
/// assert_eq!(secret.secret(), "7Fjfp0ZBr1KtDRbnfVdmIw");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a string without copying it, so that no copy of it stays in memory.
    ///
    /// ```
    /// # use client_credentials::Secret;
    /// # fn read_from_vault() -> String { String::from("s3cret") }
    /// let secret = Secret::new(read_from_vault());
    /// assert_eq!(secret.secret(), "s3cret");
    /// ```
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns the string. Do not log it.
    ///
    /// ```
    /// # use client_credentials::Secret;
    /// let secret = Secret::from("s3cret");
    /// assert_eq!(secret.secret().len(), 6);
    /// ```
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Displays text from a server: its first 256 bytes, with everything but printable ASCII escaped.
pub(crate) struct Excerpt<'a>(pub(crate) &'a [u8]);

impl Excerpt<'_> {
    const LONGEST: usize = 256;
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(Self::LONGEST)];
        for &byte in shown {
            // It ends nothing in a text between double quotes.
            if byte == b'\'' { f.write_str("'")? } else { write!(f, "{}", byte.escape_ascii())? }
        }
        if self.0.len() > Self::LONGEST { f.write_str("...") } else { Ok(()) }
    }
}

/// Removes the secrets of one token request from what the server wrote.
///
/// There is no list of the forms that a secret may take. The text is searched as it is, and again
/// after each of the [`ESCAPES`] was undone in it, and after each chain of two. A search looks for
/// the secrets as the program gave them. Whatever it finds is hidden in the text itself, because
/// every undone byte knows [where it came from](View::spans).
///
/// Why this is right:
///
/// - A text is returned only if a search of exactly that text has found nothing. So it does not
///   matter what stands around a secret, or what hiding one brings together.
/// - Only what became a whole secret is hidden, so other words stay.
/// - A text is searched at most [`ROUNDS`] times, in at most 91 views, none of them longer than the
///   text, and each in one pass. So the time grows with the length of the text and the number of
///   secrets, whatever the server wrote.
pub(crate) struct Redactor(Vec<Needle>);

/// A string with fewer characters than this could be an ordinary word, so it is not hidden.
const WORD: usize = 8;
const REDACTED: &str = "[redacted]";
/// The number of escapes that a server may have applied one after the other.
const CHAIN: usize = 2;
/// One search finds every secret, and another one confirms it. More are needed only if hiding one
/// secret made another one appear. A text in which that happens again and again is hidden entirely.
const ROUNDS: usize = 4;
/// A longer text is hidden entirely. The body of a token response has at most 256 KiB.
const LONGEST_TEXT: usize = 1 << 20;

impl Redactor {
    /// Makes a redactor that hides these strings. Those that are shorter than a [`WORD`] are not
    /// hidden.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        secrets.into_iter().fold(Self(Vec::new()), Self::and)
    }

    /// Hides this string, too.
    pub(crate) fn and(mut self, secret: &str) -> Self {
        let plain = View::new(secret.as_bytes());
        // A server may undo an escape that it has only imagined in the secret. One that escapes
        // `<` may leave `&lt;` alone. Either way, what is left to find is the secret after an undo.
        let imagined = ESCAPES.iter().filter(|escape| matches!(escape, Escape::Text(_)));
        let imagined: Vec<View> = imagined.filter_map(|escape| plain.undo(escape)).collect();
        for View { bytes, .. } in [plain].iter().chain(&imagined) {
            if String::from_utf8_lossy(bytes).chars().count() >= WORD {
                self.0.push(Needle::new(bytes));
            }
        }
        self
    }

    /// Returns `text` with every secret replaced by `[redacted]`.
    pub(crate) fn hide(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.hide_bytes(text.as_bytes())).into_owned()
    }

    /// Returns the beginning of a body, with its secrets hidden and escaped for printing. Returns
    /// `None` if the body is empty or may contain a token.
    pub(crate) fn excerpt(&self, body: &[u8]) -> Option<String> {
        const TOKEN: &[u8] = b"_token";
        // Hidden first and cut then: the beginning of a secret would not be recognized.
        let shown = self.hide_bytes(body);
        let seen = &shown[..shown.len().min(Excerpt::LONGEST + TOKEN.len())];
        let may_be_shown = !body.is_empty() && !seen.windows(TOKEN.len()).any(|word| word == TOKEN);
        may_be_shown.then(|| Excerpt(&shown).to_string())
    }

    fn hide_bytes(&self, text: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(text.to_vec());
        if self.0.is_empty() {
            return text;
        }
        for _ in 0..ROUNDS {
            if text.len() > LONGEST_TEXT {
                break;
            }
            let mut found = Found(vec![0; text.len() + 1]);
            self.search(&View::new(&text), CHAIN, &mut found);
            match found.replaced_in(&text) {
                Some(replaced) => text = replaced,
                None => return text,
            }
        }
        Zeroizing::new(REDACTED.into())
    }

    /// Finds the secrets in this view, and in what it becomes when up to `chain` escapes are
    /// undone.
    fn search(&self, view: &View, chain: usize, found: &mut Found) {
        for needle in &self.0 {
            needle.find(view, found);
        }
        if chain > 0 {
            for inner in ESCAPES.iter().filter_map(|escape| view.undo(escape)) {
                self.search(&inner, chain - 1, found);
            }
        }
    }
}

/// Where secrets begin (+1) and end (-1) in a text: constant work for each, however long it is and
/// however many overlap.
struct Found(Vec<i32>);

impl Found {
    /// Returns the text with what was found replaced, or `None` if nothing was found.
    fn replaced_in(&self, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.iter().find(|&&change| change != 0)?;
        // A secret has at least 8 bytes, and so many bytes grow to 10.
        let mut out = Zeroizing::new(Vec::with_capacity(text.len() * 2));
        let mut depth = 0;
        for (&byte, &change) in text.iter().zip(&self.0) {
            if depth == 0 && change > 0 {
                out.extend_from_slice(REDACTED.as_bytes());
            }
            depth += change;
            if depth == 0 {
                out.push(byte);
            }
        }
        Some(out)
    }
}

/// A secret, prepared for the algorithm of Knuth, Morris and Pratt: one pass over the text, however
/// often the text begins like the secret.
struct Needle {
    bytes: Zeroizing<Vec<u8>>,
    /// For each prefix the length of the longest shorter prefix that it ends with.
    fallback: Vec<usize>,
}

impl Needle {
    fn new(secret: &[u8]) -> Self {
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(secret.iter().map(folded).collect());
        let mut needle = Self { fallback: vec![0], bytes };
        for at in 1..needle.bytes.len() {
            let next = needle.next(needle.fallback[at - 1], needle.bytes[at]);
            needle.fallback.push(next);
        }
        needle
    }

    /// Returns how much of the secret matches after this byte, if `matched` bytes did before.
    fn next(&self, mut matched: usize, byte: u8) -> usize {
        while matched > 0 && self.bytes.get(matched) != Some(&byte) {
            matched = self.fallback[matched - 1];
        }
        matched + usize::from(self.bytes[matched] == byte)
    }

    fn find(&self, view: &View, found: &mut Found) {
        let mut matched = 0;
        for (at, byte) in view.bytes.iter().enumerate() {
            matched = self.next(matched, folded(byte));
            if matched == self.bytes.len() {
                let (from, to) = (view.spans[at + 1 - matched].0, view.spans[at].1);
                found.0[from as usize] += 1;
                found.0[to as usize] -= 1;
            }
        }
    }
}

/// Makes bytes equal that a search does not distinguish: upper and lower case, and `+` and a space,
/// because a form (RFC 6749 Appendix B) has the one for the other.
fn folded(byte: &u8) -> u8 {
    if *byte == b'+' { b' ' } else { byte.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    /// Numbers that look random and are the same in each run (xorshift).
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % limit as u64) as usize
        }

        fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
            all[self.below(all.len())]
        }

        /// A secret of 8 to 40 characters, with what looks like an escape among them.
        fn secret(&mut self) -> String {
            let length = 8 + self.below(33);
            let mut secret = String::new();
            while secret.chars().count() < length {
                match self.below(8) {
                    0 => secret.push_str(self.one_of(&[
                        "%41",
                        "%2B",
                        "%%",
                        "+",
                        " ",
                        "&amp;",
                        "&#38;",
                        "&",
                        "\\u0041",
                        "\\\\",
                        "\\n",
                        "\"",
                        "QUJD",
                        "==",
                        "4142",
                        "é",
                        "ß",
                        "\u{1f511}",
                        "<",
                        "'",
                        "/",
                        "~",
                    ])),
                    _ => secret.push(char::from(b' ' + self.below(95) as u8)),
                }
            }
            secret
        }
    }

    /// Escapes each character that `escapes` picks.
    fn escaped(text: &str, escapes: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> String {
        text.chars().map(|c| if escapes(c) { escape(c) } else { c.to_string() }).collect()
    }

    fn bytes(text: &str, escape: impl Fn(u8) -> String) -> String {
        text.bytes().map(escape).collect()
    }

    fn lines(text: &str, width: usize) -> String {
        let lines: Vec<_> = text.as_bytes().chunks(width).map(String::from_utf8_lossy).collect();
        lines.join("\r\n")
    }

    type Server = fn(&str) -> String;

    /// What servers do to a text that they repeat. An entity has a name here only if it has one in
    /// every version of HTML.
    const SERVERS: [(&str, Server); 21] = [
        ("nothing", |text| text.to_owned()),
        ("%XX", |text| bytes(text, |byte| format!("%{byte:02X}"))),
        ("%xx", |text| bytes(text, |byte| format!("%{byte:02x}"))),
        ("form", |text| form_urlencoded::byte_serialize(text.as_bytes()).collect()),
        ("URL", |text| {
            let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            form.replace('+', "%20")
        }),
        ("BasicEncoding::Minimal", |text| {
            bytes(text, |byte| match byte {
                b'%' | b'+' | b'&' | b' ' | 0x7f.. => format!("%{byte:02X}"),
                _ => char::from(byte).to_string(),
            })
        }),
        ("&amp;", html_escaped),
        ("&AMP;", |text| html_escaped(text).replace("&amp;", "&AMP;").replace("&lt;", "&LT;")),
        ("&#38;", |text| escaped(text, |c| !c.is_ascii_alphanumeric(), |c| format!("&#{};", u32::from(c)))),
        ("&#x26;", |text| escaped(text, |_| true, |c| format!("&#x{:x};", u32::from(c)))),
        ("&#X0026;", |text| escaped(text, |_| true, |c| format!("&#X{:04X};", u32::from(c)))),
        ("JSON", json_escaped),
        (r"\/", |text| json_escaped(text).replace('/', r"\/")),
        (r"\u002f", |text| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()),
        (r"\u002F", |text| text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect()),
        ("Base64", |text| STANDARD.encode(text)),
        ("Base64 without padding", |text| STANDARD_NO_PAD.encode(text)),
        ("Base64 for URLs", |text| URL_SAFE.encode(text)),
        ("Base64 in lines", |text| lines(&URL_SAFE_NO_PAD.encode(text), 10)),
        ("hex", |text| bytes(text, |byte| format!("{byte:02x}"))),
        ("HEX", |text| bytes(text, |byte| format!("{byte:02X}"))),
    ];

    fn html_escaped(text: &str) -> String {
        let name = |c| match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&apos;",
            'é' => "&eacute;",
            _ => "&szlig;",
        };
        escaped(text, |c| "&<>\"'éß".contains(c), |c| name(c).to_owned())
    }

    fn json_escaped(text: &str) -> String {
        let quoted = serde_json::to_string(text).expect("a string always serializes to JSON");
        quoted[1..quoted.len() - 1].to_owned()
    }

    #[test]
    fn no_secret_shows_and_no_other_word_is_eaten_after_any_two_escapes() {
        let mut dice = Dice(0x2545_f491_4f6c_dd1d);
        for _ in 0..5 {
            for (first, inner) in SERVERS {
                for (second, outer) in SERVERS {
                    let secret = dice.secret();
                    let sent = outer(&inner(&secret));
                    let before =
                        dice.one_of(&["", "wrong secret: ", "{\"it's\":\"", "<p class='a'>100 %, ", "caf\u{e9} ("]);
                    let after = dice.one_of(&["", " was wrong", "\"}", "</p>", ") \u{2013} sorry", ", \\, & so on"]);
                    let shown = Redactor::new([&*secret]).hide(&format!("{before}{sent}{after}"));
                    // The padding of Base64 is not part of the secret.
                    let padding = shown
                        .strip_prefix(before)
                        .and_then(|rest| rest.strip_prefix(REDACTED)?.strip_suffix(after))
                        .unwrap_or_else(|| panic!("{secret:?}, {first}, {second}: {shown}"));
                    let longest = if [first, second].iter().any(|name| name.starts_with("Base64")) { 4 } else { 0 };
                    let longest = outer(&"=".repeat(longest)).len();
                    assert!(padding.len() <= longest, "{secret:?}, {first}, {second}: {shown}");
                }
            }
        }
    }

    #[test]
    fn a_secret_inside_a_longer_escaped_text_does_not_show() {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for _ in 0..2 {
            for (first, inner) in SERVERS {
                for (second, outer) in SERVERS {
                    let secret = dice.secret();
                    // Each of the three divisions of Base64 into bytes.
                    let (before, after) = (&"id:"[..dice.below(4)], &"\"},"[..dice.below(4)]);
                    let sent = outer(&inner(&format!("{before}{secret}{after}")));
                    let shown = Redactor::new([&*secret]).hide(&sent);
                    assert!(shown.contains(REDACTED), "{secret:?}, {first}, {second}: {sent} {shown}");
                    // What is left is at most what was around it, padding, and bits that share a digit.
                    let around = outer(&inner("id:\"},======")).len();
                    assert!(shown.len() <= REDACTED.len() + around, "{secret:?}, {first}, {second}: {shown}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_secret_is_not_eaten() {
        let redactor = Redactor::new(["items:read", "S3cret/of+the&client", "1234567", "short", ""]);
        for text in [
            "",
            "invalid_client: the client S3cret/of+the has no secret 1234567 or short",
            "100 %, 5 + 5, %zz, %4, &, &amp, &nosuchname;, &#xd800;, &#99999999;, \\, \\q, \\u12, \\ud83d, \\xg0",
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo= 4142434445464748494a",
            "items:rea",
            "items%3Aread".trim_end_matches('d'),
        ] {
            assert_eq!(redactor.hide(text), text);
        }
    }

    #[test]
    fn a_string_of_seven_characters_is_no_secret_however_many_bytes_it_has() {
        assert_eq!(Redactor::new(["ééééééé"]).hide("ééééééé"), "ééééééé");
        assert_eq!(Redactor::new(["éééééééé"]).hide("éééééééé"), REDACTED);
    }

    #[test]
    fn a_secret_that_looks_escaped_is_hidden_even_if_the_server_takes_it_for_escaped() {
        for (secret, repeated) in [
            // Undone, though nobody had escaped it.
            ("one%20two%41", "one twoA"),
            ("one+two%41", "one twoA"),
            ("fish&amp;chips", "fish&chips"),
            // Left alone, while the rest was escaped.
            ("a%41bc/def~", "a%41bc%2Fdef~"),
            ("<b>&lt;</b>", "&lt;b&gt;&lt;&lt;/b&gt;"),
        ] {
            assert_eq!(Redactor::new([secret]).hide(repeated), REDACTED, "{secret}");
        }
    }

    #[test]
    fn a_secret_that_our_own_words_complete_does_not_show() {
        assert_eq!(Redactor::new(["redacted"]).hide("it was redacted"), REDACTED);
        let shown = Redactor::new(["abcdefg[", "12345678"]).hide("an abcdefg12345678");
        assert_eq!(shown, "an [redacted]redacted]");
    }

    #[test]
    fn an_excerpt_is_searched_before_it_is_cut() {
        // Base64 of Base64 of it needs no padding.
        let secret = "S3cret/of+the&client, twice as long!";
        let redactor = Redactor::new([secret]);
        for (_, server) in SERVERS {
            for filler in (200..=256).step_by(8) {
                let body = format!("{} {}", ".".repeat(filler), server(&server(secret)));
                let shown = redactor.excerpt(body.as_bytes()).expect("no token");
                let left = shown.trim_start_matches('.').trim_end_matches("...");
                assert!(format!(" {REDACTED}").starts_with(left), "{shown}");
            }
        }
    }

    #[test]
    fn a_body_that_is_not_utf_8_is_searched_too() {
        let redactor = Redactor::new(["S3cret/of+the&client"]);
        let shown = redactor.excerpt(b"\xff\xfe S3cret%2Fof%2bthe%26client \xe9\0");
        assert_eq!(shown.as_deref(), Some(r"\xff\xfe [redacted] \xe9\x00"));
    }

    #[test]
    fn the_work_is_in_proportion_to_the_length_of_the_text() {
        fn total(view: &View, chain: usize) -> usize {
            let undone = ESCAPES.iter().filter_map(|escape| view.undo(escape).filter(|_| chain > 0));
            view.bytes.len() + undone.map(|inner| total(&inner, chain - 1)).sum::<usize>()
        }
        for unit in
            ["a", "%", "&", "%2", "%25", "%61", "&a;", "&amp;", r"\\", r"\u", "QQ", "616", "a\n", "&#97;", "2561"]
        {
            let text = unit.repeat(4096);
            let total = total(&View::new(text.as_bytes()), CHAIN);
            assert!(total <= 91 * text.len(), "{unit:?}: {total} bytes were searched");
        }
        // Each byte begins like the secret, and nothing is one.
        let text = "a".repeat(256 << 10);
        assert_eq!(Redactor::new([&*format!("{}b", "a".repeat(4000))]).hide(&text), text);
        // More than that is not searched, and so not shown.
        assert_eq!(Redactor::new(["S3cret/of+the&client"]).hide(&"a".repeat(LONGEST_TEXT + 1)), REDACTED);
    }
}
