//! The names under which a store keeps what belongs to one token request. Imports `store::crypto`.

use std::fmt;

use crate::store::crypto;

/// The name of an entry or of a claim in a [`TokenStore`](crate::TokenStore): 32 bytes, or 64
/// hexadecimal digits as `Display` prints them.
///
/// It is an HMAC-SHA-256 of the token request and of the client, with the
/// [key of the store](crate::TokenStore::name_key). So it tells neither the client id nor the endpoint,
/// and secrets cannot be tried against it without that key.
///
/// # Examples
///
/// ```
/// use client_credentials::StoreKey;
///
/// let key = StoreKey::from([0xab; 32]);
/// assert!(key.to_string().starts_with("abab"));
/// assert_eq!(key.as_bytes().len(), 32);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreKey([u8; 32]);

/// What one token request has a name for.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    /// The token, and the claim of who fetches it.
    Token,
    /// The last failure. It has a name of its own, so that it never takes the place of a token.
    Failure,
    /// The claim of who fetches in place of a holder that does not come back.
    StandIn,
}

impl StoreKey {
    pub(crate) fn new(name_key: &[u8], request: &[u8], of: Of) -> Self {
        let of: &[u8] = match of {
            Of::Token => b"token\0",
            Of::Failure => b"failure\0",
            Of::StandIn => b"stand-in\0",
        };
        Self(crypto::hmac(name_key, &[of, request]))
    }

    /// Returns the bytes of the name.
    ///
    /// ```
    /// # use client_credentials::StoreKey;
    /// assert_eq!(StoreKey::from([7; 32]).as_bytes(), &[7; 32]);
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// For testing a store of your own.
impl From<[u8; 32]> for StoreKey {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({self})")
    }
}
