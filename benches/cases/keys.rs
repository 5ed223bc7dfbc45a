//! Many token requests in one cache.

use std::cell::Cell;
use std::sync::{Arc, LazyLock};

use client_credentials::{Attempt, Credentials, TokenCache, TokenSource, Transport, TransportError};
use http::{Request, Response};

use super::hot::question;
use super::{answer, token};

pub const TOKEN: usize = 900;

/// A source per key, all of one cache, each with its token.
pub struct Keys {
    pub cache: TokenCache,
    pub sources: Vec<TokenSource>,
    last: Cell<usize>,
}

impl Keys {
    pub fn new(count: usize) -> Self {
        let cache = TokenCache::new(count);
        let sources = (0..count).map(|number| source(&cache, number)).collect();
        Self { cache, sources, last: Cell::new(0) }
    }

    /// Another key each time, never the neighbour, until it was the turn of all.
    pub fn next(&self) -> usize {
        self.last.set((self.last.get() + 61_803) % self.sources.len());
        self.last.get()
    }
}

/// A source for this key, as a program makes it that keeps no sources, with its token.
pub fn source(cache: &TokenCache, number: usize) -> TokenSource {
    let credentials = Credentials::new(format!("tenant-{number:06}"), "s3cret");
    let builder = TokenSource::builder(credentials, question()).transport(Arc::clone(&TRANSPORT));
    let source = builder.cache(cache).build().expect("a source");
    source.token().expect("a token");
    source
}

/// An `Arc`, whose clones are one transport: sources with a closure share no tokens.
static TRANSPORT: LazyLock<Arc<dyn Transport>> = LazyLock::new(|| Arc::new(send));

fn send(_: Request<Vec<u8>>, _: &Attempt) -> Result<Response<Vec<u8>>, TransportError> {
    Ok(Response::new(answer(&token(TOKEN)).into_bytes()))
}
