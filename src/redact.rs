//! Keeps secrets out of every text that the crate shows: a type that never shows its text, excerpts
//! of what a server wrote, and a search for secrets in them. All of it is in this module, so that
//! it can be audited in one sitting. Imports nothing from this crate.
//!
//! - A secret in a program is a [`Secret`]: `Debug` shows nothing of it.
//! - A text from a server is shown as an [`Excerpt`]: escaped and cut.
//! - A server may repeat what was sent to it, so [`Redactor`] first removes the secrets of the
//!   request from the text.

use std::fmt;

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
        write!(f, "{}", shown.escape_ascii())?;
        if self.0.len() > Self::LONGEST { f.write_str("...") } else { Ok(()) }
    }
}

/// Removes the secrets of one token request from what the server wrote.
pub(crate) struct Redactor(Vec<Zeroizing<String>>);

/// A string with fewer bytes than this could be an ordinary word, so it is not hidden.
const WORD: usize = 8;
const REDACTED: &str = "[redacted]";

impl Redactor {
    /// Makes a redactor that hides these strings, as they are and as they appear in a form, a URL
    /// and JSON.
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hidden = Vec::new();
        for text in secrets {
            let form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let json = serde_json::to_string(text).expect("a string always serializes to JSON");
            let json = json[1..json.len() - 1].to_owned();
            let forms = [text.to_owned(), form.replace('+', "%20"), form, json];
            hidden.extend(forms.into_iter().map(Zeroizing::new).filter(|form| form.len() >= WORD));
        }
        Self(hidden)
    }

    /// Returns `text` with every secret replaced, whatever the case of its escapes.
    pub(crate) fn hide(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in &self.0 {
            let folded = Zeroizing::new(shown.to_ascii_lowercase());
            let (mut without, mut from) = (String::new(), 0);
            for (at, found) in folded.match_indices(&*Zeroizing::new(secret.to_ascii_lowercase())) {
                without.extend([&shown[from..at], REDACTED]);
                from = at + found.len();
            }
            without.push_str(&shown[from..]);
            shown = without;
        }
        shown
    }

    /// Returns the beginning of a body, with its secrets hidden and escaped for printing. Returns
    /// `None` if the body is empty or may contain a token.
    pub(crate) fn excerpt(&self, body: &[u8]) -> Option<String> {
        let longest = self.0.iter().map(|secret| secret.len()).max().unwrap_or_default();
        let (read, more) = body.split_at(body.len().min(Excerpt::LONGEST + 1 + longest));
        if body.is_empty() || read.windows(6).any(|word| word == b"_token") {
            return None;
        }
        let mut shown = self.hide(&String::from_utf8_lossy(read)).into_bytes();
        // The cut may have split a secret, and its beginning alone is not recognized: so as many
        // bytes as the longest secret has are dropped.
        shown.truncate(if more.is_empty() { shown.len() } else { shown.len().saturating_sub(longest) });
        Some(Excerpt(&shown).to_string())
    }
}
