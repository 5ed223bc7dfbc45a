//! The settings of a source that are about its store. Imports `credentials`, `error`, `key`,
//! `obtain`, `request`, `source`, `store`.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::protocol::credentials::Credentials;
use crate::protocol::key::CacheKey;
use crate::protocol::request::TokenRequest;
use crate::source::Obtain;
use crate::source::obtain::Shared;
use crate::store::TokenStore;

/// What `TokenSourceBuilder::store` and `TokenSourceBuilder::store_as` set.
#[derive(Default)]
pub(super) struct StoreSettings {
    open: Option<Box<Open>>,
    name: Option<String>,
}

/// Makes what asks the store. It is a closure, so that a program without a store contains neither that nor
/// the keys.
type Open = dyn FnOnce(&Client<'_>, Option<String>) -> Result<Box<dyn Obtain>, Error> + Send + Sync;

/// What decides about the name of a token.
pub(super) struct Client<'a> {
    pub(super) request: &'a TokenRequest,
    pub(super) credentials: &'a Credentials,
    /// Whether the transport is that of every source that sets none.
    pub(super) has_default_transport: bool,
    pub(super) is_self_signed: bool,
}

impl Client<'_> {
    /// Returns the bytes that tell its token from others.
    fn identity(&self, name: Option<String>) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.is_self_signed {
            return Err(Error::configuration(
                "TokenSourceBuilder::store: a self-signed source makes its tokens itself; leave the store out",
            ));
        }
        let key = CacheKey::new(self.request, self.credentials)?;
        let (request, is_whole) = key.outside();
        if name.is_none() && !(is_whole && self.has_default_transport) {
            return Err(Error::configuration(
                "TokenSourceBuilder::store: a closure, a transport or a proof outside the request decides about this \
                 token, and cannot be compared between processes; give the client a name (TokenSourceBuilder::store_as)",
            ));
        }
        // Told apart from every request without a name.
        let name = name.map(|name| format!("\0name {name}"));
        Ok(Zeroizing::new([request, name.as_deref().unwrap_or_default().as_bytes()].concat()))
    }
}

impl StoreSettings {
    pub(super) fn set_store(&mut self, store: impl TokenStore) {
        self.open = Some(Box::new(|client, name| Ok(Box::new(Shared::new(Arc::new(store), &client.identity(name)?)))));
    }

    pub(super) fn set_name(&mut self, name: String) {
        self.name = Some(name);
    }

    /// Returns what asks the store; `None` if there is a name alone.
    pub(super) fn open(self, client: &Client<'_>) -> Result<Option<Box<dyn Obtain>>, Error> {
        self.open.map(|open| open(client, self.name)).transpose()
    }
}
