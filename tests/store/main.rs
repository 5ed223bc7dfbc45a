//! One token for many processes, with a store in memory: each source stands for a process.

mod clocks;
mod failures;
mod faults;
mod refused;
mod renewal;
mod sealed;
mod settings;
mod waiting;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use client_credentials::test_util::{ManualClock, MemoryStore, Script};
use client_credentials::{Clock, Credentials, TokenRequest, TokenSource, TokenSourceBuilder};

const API: &str = "https://api.example.com";

/// A token endpoint, a store, and the processes that use both.
struct World {
    script: Script,
    store: MemoryStore,
    clock: ManualClock,
}

impl World {
    /// With a store like one in files.
    fn new() -> Self {
        Self { script: Script::new(), store: MemoryStore::new(), clock: clock() }
    }

    /// With a store like one on a network, whose clock shows the true time.
    fn remote() -> Self {
        let clock = clock();
        Self { script: Script::new(), store: MemoryStore::remote(clock.clone()), clock }
    }

    fn process(&self) -> TokenSource {
        self.builder(Credentials::new("my-client", "s3cret-of-my-client"), self.clock.clone())
            .build()
            .expect("a source")
    }

    /// On a machine with a clock of its own.
    fn process_at(&self, clock: impl Clock) -> TokenSource {
        self.client_at(clock).build().expect("a source")
    }

    /// The client of most tests, with settings to come.
    fn client(&self) -> TokenSourceBuilder {
        self.client_at(self.clock.clone())
    }

    fn client_at(&self, clock: impl Clock) -> TokenSourceBuilder {
        self.builder(Credentials::new("my-client", "s3cret-of-my-client"), clock)
    }

    fn builder(&self, credentials: Credentials, clock: impl Clock) -> TokenSourceBuilder {
        let request = TokenRequest::new("https://auth.example.com/token").expect("a request").audience(API);
        TokenSource::builder(credentials, request)
            .transport(self.script.clone())
            .clock(clock)
            .retries(0)
            .store(self.store.clone())
            .store_as("my-client")
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn requests(&self) -> usize {
        self.script.requests().len()
    }
}

/// A clock that moves by a nanosecond at each look, as every real one does.
fn clock() -> ManualClock {
    let clock = ManualClock::new();
    clock.tick(Duration::from_nanos(1));
    clock
}

fn token(source: &TokenSource) -> String {
    source.token().expect("a token").secret().to_owned()
}

/// The words of the events of one source.
#[derive(Clone, Default)]
struct Words(Arc<Mutex<Vec<String>>>);

impl Words {
    fn on(&self, builder: TokenSourceBuilder) -> TokenSourceBuilder {
        let words = Arc::clone(&self.0);
        builder.on_event(move |event| words.lock().expect("no panic").push(event.to_string()))
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }

    /// How many of them say this.
    fn count(&self, text: &str) -> usize {
        self.0.lock().expect("no panic").iter().filter(|event| event.contains(text)).count()
    }
}
