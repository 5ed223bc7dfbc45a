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
    store: Option<Box<Open>>,
    name: Option<String>,
}

/// Makes what asks the store, of the bytes that tell this token request from others. It is a closure, so
/// that a program without a store does not contain it.
type Open = dyn FnOnce(&[u8]) -> Box<dyn Obtain> + Send + Sync;

impl StoreSettings {
    pub(super) fn set_store(&mut self, store: impl TokenStore) {
        let open = move |request: &[u8]| Box::new(Shared::new(Arc::new(store), request)) as Box<dyn Obtain>;
        self.store = Some(Box::new(open));
    }

    pub(super) fn set_name(&mut self, name: String) {
        self.name = Some(name);
    }

    /// Returns what asks the store; `None` if there is a name alone.
    pub(super) fn open(
        self,
        request: &TokenRequest,
        credentials: &Credentials,
        is_default_transport: bool,
        is_self_signed: bool,
    ) -> Result<Option<Box<dyn Obtain>>, Error> {
        let Some(open) = self.store else { return Ok(None) };
        if is_self_signed {
            return Err(Error::configuration(
                "TokenSourceBuilder::store: a self-signed source makes its tokens itself; leave the store out",
            ));
        }
        let key = CacheKey::new(request, credentials)?;
        let (request, is_whole) = key.outside();
        if self.name.is_none() && !(is_whole && is_default_transport) {
            return Err(Error::configuration(
                "TokenSourceBuilder::store: a closure, a transport or a proof outside the request decides about this \
                 token, and cannot be compared between processes; give the client a name (TokenSourceBuilder::store_as)",
            ));
        }
        // Told apart from every request without a name.
        let name = self.name.map(|name| format!("\0name {name}"));
        let all = Zeroizing::new([request, name.as_deref().unwrap_or_default().as_bytes()].concat());
        Ok(Some(open(&all)))
    }
}
