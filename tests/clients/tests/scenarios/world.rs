//! A token source with a scripted token endpoint and a clock set by hand, an API on loopback, and
//! what the source tells.

use std::sync::{Arc, Mutex, PoisonError};

use client_credentials::test_util::{Behaviour, Script, TokenServer};
use client_credentials::{Credentials, EventKind, TokenRequest, TokenSource, TokenSourceBuilder, Verdict};
use http::{Request, Response};

pub const INVALID_TOKEN: &str = r#"Bearer realm="api", error="invalid_token""#;

pub struct World {
    pub script: Script,
    pub api: TokenServer,
    pub source: TokenSource,
    told: Arc<Mutex<Vec<Told>>>,
}

/// The events about answers of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Refused(Verdict),
    Replayed(Option<u16>),
    NotAllowed(String),
}

impl World {
    /// The token endpoint hands out these tokens, an hour each.
    pub fn new(tokens: &[&str]) -> Self {
        Self::with(tokens, |builder| builder)
    }

    pub fn with(tokens: &[&str], settings: impl FnOnce(TokenSourceBuilder) -> TokenSourceBuilder) -> Self {
        let (script, api) = (Script::new(), api());
        for token in tokens {
            script.token(token, 3600);
        }
        let told = Arc::<Mutex<Vec<Told>>>::default();
        let source = settings(builder(&script, &origin(&api), &told)).build().expect("a source");
        Self { script, api, source, told }
    }

    pub fn url(&self) -> String {
        url(&self.api)
    }

    /// The next answers of the API.
    pub fn answers(&self, answers: impl IntoIterator<Item = impl Into<Behaviour>>) {
        answers.into_iter().for_each(|answer| self.api.next(answer));
    }

    /// How often the token endpoint was asked.
    pub fn token_requests(&self) -> usize {
        self.script.requests().len()
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub fn builder(script: &Script, api: &str, told: &Arc<Mutex<Vec<Told>>>) -> TokenSourceBuilder {
    let request = TokenRequest::new("https://auth.example.com/token").expect("a URL").audience(api);
    let told = Arc::clone(told);
    TokenSource::builder(Credentials::new("id", "secret"), request)
        .transport(script.clone())
        .clock(script.clock())
        .on_event(move |event| {
            let heard = match event.kind {
                EventKind::Refused { verdict, .. } => Told::Refused(verdict),
                EventKind::Replayed { status, .. } => Told::Replayed(status),
                EventKind::OriginNotAllowed { origin, .. } => Told::NotAllowed(origin.to_owned()),
                _ => return,
            };
            told.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
        })
}

pub fn api() -> TokenServer {
    let api = TokenServer::start().expect("a port");
    api.always(answer(500, "no answer left"));
    api
}

pub fn origin(api: &TokenServer) -> String {
    format!("http://{}", api.address())
}

pub fn url(api: &TokenServer) -> String {
    format!("{}/items", origin(api))
}

pub fn answer(status: u16, body: &str) -> Response<String> {
    Response::builder().status(status).body(body.to_owned()).expect("an answer")
}

/// A 401 with this challenge.
pub fn challenge(value: &str, body: &str) -> Response<String> {
    let answer = Response::builder().status(401).header("www-authenticate", value);
    answer.body(body.to_owned()).expect("an answer")
}

pub fn invalid_token(body: &str) -> Response<String> {
    challenge(INVALID_TOKEN, body)
}

pub fn redirect(status: u16, to: &str) -> Behaviour {
    Behaviour::redirect(status, to)
}

/// The `Authorization` of each request so far; `-` for none.
pub fn credentials(api: &TokenServer) -> Vec<String> {
    let credentials = |request: &Request<Vec<u8>>| {
        let value = request.headers().get("authorization");
        value.map_or("-", |value| value.to_str().expect("text")).to_owned()
    };
    api.requests().iter().map(credentials).collect()
}

pub fn bodies(api: &TokenServer) -> Vec<String> {
    api.requests().into_iter().map(|request| String::from_utf8(request.into_body()).expect("text")).collect()
}
