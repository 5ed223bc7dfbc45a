//! A string that never shows. Imports nothing from this crate.

use std::fmt;

use zeroize::Zeroizing;

/// A text that never shows by accident: a client secret, a token, an assertion.
///
/// `Debug` prints `[redacted]`; there is no `Display`, `Serialize` or `Deref`. The one way to the text is
/// [`secret`](Self::secret), so a search for that word finds every place where it is used. The memory is
/// overwritten when the value is dropped. Source: RFC 6749 sections 10.3 and 10.8.
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
    /// Takes ownership of the text, so that no copy of it stays behind.
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

    /// The text itself. Do not log it.
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
