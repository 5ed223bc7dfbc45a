//! A string that never shows. Imports nothing from this crate.

use std::fmt;

use zeroize::Zeroizing;

/// A secret: a client secret, a token, an assertion.
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
    /// Takes ownership of the text.
    ///
    /// ```
    /// let secret = client_credentials::Secret::new(String::from("s3cret"));
    /// ```
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Do not log it.
    ///
    /// ```
    /// assert_eq!(client_credentials::Secret::from("s3cret").secret(), "s3cret");
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
