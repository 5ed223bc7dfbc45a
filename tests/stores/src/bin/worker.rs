//! A program that needs a token, as many machines run it: `worker DATABASE TOKEN_ENDPOINT` prints the
//! token, and "the store failed" if it did.

use client_credentials::{Credentials, Event, EventKind, TokenRequest, TokenSource};
use client_credentials_stores::postgres::sealed;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, url] = &arguments[..] else {
        return Err("worker DATABASE TOKEN_ENDPOINT".into());
    };
    let store = sealed(database, &[1; 32]).map_err(|error| error.to_string())?;
    let request = TokenRequest::new(url)?.audience("https://api.example.com");
    let source = TokenSource::builder(Credentials::new("my-client", "s3cret"), request)
        .store(store)
        .on_event(|event: &Event<'_>| {
            if let EventKind::StoreFailed { error, .. } = &event.kind {
                println!("the store failed: {error:?}");
            }
        })
        .build()?;
    println!("{}", source.token()?.secret());
    Ok(())
}
