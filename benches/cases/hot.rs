//! Cases without a network: the cache hit, the check of the audience, the decoder.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use client_credentials::test_util::{ManualClock, MemoryStore};
use client_credentials::{Attempt, Credentials, Moment, SigningKey, TokenRequest, TokenSource, TokenSourceBuilder};
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, USER_AGENT};
use http::{Request, Response, Uri};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use super::{Answer, answer, token};

const API: &str = "https://api.example.com";
/// As long as [`API`], so that its characters must be looked at.
const FOREIGN: &str = "https://api.example.net";

pub fn question() -> TokenRequest {
    TokenRequest::new("https://auth.example.com/oauth/token").expect("a URL").audience(API)
}

pub fn credentials() -> Credentials {
    Credentials::new("my-client", "s3cret")
}

/// A source that holds a token of this length.
pub fn source(length: usize) -> TokenSource {
    with_token(builder(length))
}

/// The same, which shares its token with other processes.
pub fn source_with_store(length: usize) -> TokenSource {
    with_token(builder(length).store(MemoryStore::new()).store_as("bench"))
}

fn builder(length: usize) -> TokenSourceBuilder {
    let answer = answer(&token(length));
    let transport = move |_: Request<Vec<u8>>, _: &Attempt| Ok(Response::new(answer.clone().into_bytes()));
    TokenSource::builder(credentials(), question()).transport(transport)
}

fn with_token(builder: TokenSourceBuilder) -> TokenSource {
    let source = builder.build().expect("a source");
    source.token().expect("a token");
    source
}

/// A request in use: its map has the header already.
pub fn request() -> Request<()> {
    Request::get(format!("{API}/v1/items"))
        .header(USER_AGENT, "bench/1.0")
        .header(ACCEPT, "application/json")
        .header(AUTHORIZATION, HeaderValue::from_static("Bearer before"))
        .body(())
        .expect("a request")
}

pub fn hit(source: &TokenSource, request: &mut Request<()>) {
    black_box(source.authorize(black_box(request)).expect("a token"));
}

/// A header value that nobody counts references of.
pub fn fixed_value(length: usize) -> HeaderValue {
    HeaderValue::from_static(format!("Bearer {}", token(length)).leak())
}

/// One of its own, as a token that came over the network must have.
pub fn counted_value(length: usize) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {}", token(length))).expect("visible ASCII")
}

pub fn hit_limit(value: &HeaderValue, request: &mut Request<()>) {
    black_box(black_box(request).headers_mut().insert(AUTHORIZATION, value.clone()));
    black_box(clock());
}

#[allow(clippy::disallowed_methods, reason = "the limit reads the clock as well")]
fn clock() -> Instant {
    Instant::now()
}

/// A source by a clock set by hand, and a thread that can get stuck renewing its token.
pub struct Renewal {
    pub source: TokenSource,
    clock: ManualClock,
    stuck: Arc<AtomicBool>,
    release: Option<Sender<()>>,
    renewing: Option<JoinHandle<()>>,
}

impl Renewal {
    pub fn new(length: usize) -> Self {
        let (release, released) = channel();
        let released = Mutex::new(released);
        let (stuck, ours) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
        let (answer, flag) = (answer(&token(length)), Arc::clone(&stuck));
        let transport = move |_: Request<Vec<u8>>, _: &Attempt| {
            // The first answer comes at once, the second when the sender is dropped.
            if ours.swap(true, Ordering::SeqCst) {
                flag.store(true, Ordering::SeqCst);
                let _ = released.lock().unwrap_or_else(PoisonError::into_inner).recv();
                flag.store(false, Ordering::SeqCst);
            }
            Ok(Response::new(answer.clone().into_bytes()))
        };
        let clock = ManualClock::new();
        let source = TokenSource::builder(credentials(), question()).transport(transport).clock(clock.clone()).build();
        let source = source.expect("a source");
        source.token().expect("a token");
        Self { source, clock, stuck, release: Some(release), renewing: None }
    }

    /// The token of an hour is 55 minutes old, and another thread is stuck in its renewal from here on.
    pub fn start(mut self) -> Self {
        self.clock.advance(Duration::from_secs(55 * 60));
        let source = self.source.clone();
        self.renewing = Some(thread::spawn(move || drop(source.token().expect("a token"))));
        while !self.is_stuck() {
            thread::yield_now();
        }
        self
    }

    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::SeqCst)
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.release.take();
        self.renewing.take().map(JoinHandle::join);
    }
}

pub fn foreign() -> Uri {
    Uri::from_static(FOREIGN)
}

pub fn says_no(source: &TokenSource, uri: &Uri) {
    assert!(!black_box(source.allows(black_box(uri))));
}

pub fn says_no_limit() {
    let (scheme, host) = (black_box("https"), black_box("api.example.net"));
    assert!(!black_box(scheme == black_box("https") && host == black_box("api.example.com")));
}

pub fn decode(request: &TokenRequest, response: &Response<Vec<u8>>, sent_at: Moment) {
    black_box(request.decode(black_box(response), sent_at).expect("a token"));
}

pub fn decode_limit(body: &[u8]) {
    let answer: Answer<'_> = serde_json::from_slice(black_box(body)).expect("an answer");
    black_box((answer.access_token, answer.token_type, answer.expires_in, answer.scope));
}

/// A P-256 key, for ring and for this crate.
pub struct Signing {
    ring: EcdsaKeyPair,
    random: SystemRandom,
    request: TokenRequest,
    credentials: Credentials,
}

impl Signing {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let der = der.as_ref();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
        let key = SigningKey::from_pem(pem).expect("a key");
        Self {
            ring: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).expect("a key"),
            random,
            request: question(),
            credentials: Credentials::with_key("my-client", key),
        }
    }

    /// A bare signature of a text as long as that of an assertion.
    pub fn limit(&self) {
        black_box(self.ring.sign(&self.random, black_box(&[b'x'; 300])).expect("a signature"));
    }

    /// A whole token request with a new client assertion.
    pub fn encode(&self, attempt: &Attempt) {
        black_box(self.request.encode(&self.credentials, attempt).expect("a request"));
    }
}
