//! The key under which a token is cached, which decides whether two token requests ask for the same
//! token. Imports `error`, `instance`, `protocol::credentials`, `protocol::request`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::instance::Instance;
use crate::protocol::credentials::Credentials;
use crate::protocol::request::TokenRequest;

/// The key of a cached token: the token request and the client that sends it.
///
/// Two keys are equal if and only if the token requests ask for the same token. A key is made from
/// the encoded token request with its headers and its client authentication, so no field can be
/// forgotten. The order of scopes, resources, parameters and headers does not matter.
///
/// A proof that is not part of the request is compared by instance. This applies to a secret from a
/// closure and to a client certificate: then only clones of the same [`Credentials`] are equal.
///
/// The memory of a key is overwritten when its last clone is dropped.
///
/// # Examples
///
/// ```
/// use client_credentials::{CacheKey, Credentials, TokenRequest};
///
/// let credentials = Credentials::new("id", "secret");
/// let key = |scope| {
///     let request = TokenRequest::new("https://auth.example.com/token")?.scope(scope)?;
///     CacheKey::new(&request, &credentials)
/// };
/// assert_eq!(key("read write")?, key("write read")?);
/// assert_ne!(key("read write")?, key("read")?);
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CacheKey {
    request: Arc<Zeroizing<Box<[u8]>>>,
    instances: Vec<Instance>,
}

impl CacheKey {
    /// Makes the key of this token request, sent by this client. Does not call the closure that
    /// provides a secret.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] in the same cases as [`TokenRequest::encode`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{CacheKey, Credentials, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let blue = CacheKey::new(&request, &Credentials::new("blue", "s3cret"))?;
    /// let green = CacheKey::new(&request, &Credentials::new("green", "s3cret"))?;
    /// assert_ne!(blue, green);
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn new(request: &TokenRequest, credentials: &Credentials) -> Result<Self, Error> {
        let request = request.canonical();
        let (prepared, instances) = request.identity(credentials)?;
        let http = request.encode_with(&prepared)?;
        let mut headers: Vec<(&str, &[u8])> =
            http.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        headers.sort_unstable();

        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        let mut put = |part: &[u8]| {
            // With its length before each part, no two lists of parts give the same bytes.
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part);
        };
        put(http.uri().to_string().as_bytes());
        put(http.body());
        put(&(headers.len() as u64).to_le_bytes());
        for (name, value) in headers {
            put(name.as_bytes());
            put(value);
        }
        put(format!("{:?}", request.dialect()).as_bytes());
        for alias in request.token_type_aliases() {
            put(alias.as_bytes());
        }
        drop(Zeroizing::new(http.into_body()));
        // Copied to its exact length, because shrinking the vector would leave its old memory
        // behind, unwiped.
        let request = Arc::new(Zeroizing::new(bytes.as_slice().into()));
        Ok(Self { request, instances })
    }

    /// Returns what is the same in every process, and whether that is all of the key.
    #[cfg(feature = "store")]
    pub(crate) fn outside(&self) -> (&[u8], bool) {
        (&self.request, self.instances.is_empty())
    }
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Equal keys have equal requests. Keys that differ only in instances share a hash.
        self.request.hash(state);
    }
}

#[cfg(test)]
impl CacheKey {
    /// Makes a key that differs from others only by its scope.
    pub(crate) fn of_scope(scope: &str) -> Self {
        let request = TokenRequest::new("https://auth.example.com/token").and_then(|request| request.scope(scope));
        Self::new(&request.expect("a request"), &Credentials::new("id", "s")).expect("a key")
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn equal_keys_have_equal_hashes_and_different_keys_most_likely_not() {
        let hash = RandomState::new();
        assert_eq!(hash.hash_one(CacheKey::of_scope("a b")), hash.hash_one(CacheKey::of_scope("b a")));
        assert_ne!(hash.hash_one(CacheKey::of_scope("a")), hash.hash_one(CacheKey::of_scope("b")));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", CacheKey::of_scope("a")), "CacheKey([redacted])");
    }
}
