//! A token request built twice: by the setters of the crate, and as plain data. The plain data says what is on the
//! wire and when two questions are the same question.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use client_credentials::{BasicEncoding, BodyFormat, Credentials, Error, Secret, TokenRequest};
use http::Request;

use crate::reading::fields;

/// What is asked, without the order and the repetitions that mean nothing. Equal values are the same question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub endpoint: String,
    pub grant_type: String,
    pub scopes: BTreeSet<String>,
    pub audience: Option<String>,
    pub resources: BTreeSet<String>,
    pub parameters: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub json: bool,
    pub aliases: BTreeSet<String>,
    pub proof: Proof,
}

/// How the client says who it is, as far as it decides what the server sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The pair as it is before base64: two pairs that are encoded to the same bytes are one for every server.
    Basic(Vec<u8>),
    Body(String, String),
    /// The secret is not known before it is asked for, so the encoding counts as it was chosen.
    ProvidedBasic(usize, u8),
    ProvidedBody(usize),
    Public(usize),
    Nothing(usize),
    /// The credentials cannot be sent at all.
    Impossible,
}

/// Names that `parameter` leaves to other methods.
const RESERVED_PARAMETERS: [&str; 8] = [
    "audience",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "grant_type",
    "resource",
    "scope",
];
const RESERVED_HEADERS: [&str; 7] =
    ["accept", "connection", "content-length", "content-type", "expect", "host", "transfer-encoding"];

/// The request and what it should be.
#[derive(Clone, Debug)]
pub struct Built {
    request: Option<TokenRequest>,
    pub credentials: Credentials,
    pub question: Question,
    /// The endpoint as it was given.
    pub endpoint: String,
    /// Scopes and resources in the order they came.
    pub scopes: Vec<String>,
    pub resources: Vec<String>,
    /// Parameters in the order they came.
    pub parameters: Vec<(String, String)>,
    /// What client authentication writes into the body.
    pub client: Vec<(String, String)>,
    /// Id and secret of HTTP Basic.
    pub basic: Option<(String, String)>,
}

/// Credentials that are compared by instance: two of a kind, the same in everything but that.
struct Instances {
    provided: [Credentials; 2],
    public: [Credentials; 2],
    nothing: [Credentials; 2],
}

thread_local! {
    static INSTANCES: OnceCell<Instances> = const { OnceCell::new() };
    static EMPTY: OnceCell<Built> = const { OnceCell::new() };
}

pub const PROVIDED_SECRET: &str = "p/r v";

fn instance(of: impl FnOnce(&Instances) -> &Credentials) -> Credentials {
    let provided = || Credentials::with_secret_from("cl", || Ok(Secret::from(PROVIDED_SECRET)));
    INSTANCES.with(|cell| {
        of(cell.get_or_init(|| Instances {
            provided: [provided(), provided()],
            public: [Credentials::public("cl"), Credentials::public("cl")],
            nothing: [Credentials::none(), Credentials::none()],
        }))
        .clone()
    })
}

impl Default for Built {
    fn default() -> Self {
        EMPTY.with(|cell| cell.get_or_init(Self::empty).clone())
    }
}

impl Built {
    fn empty() -> Self {
        let endpoint = "https://auth.test/token";
        Self {
            request: Some(TokenRequest::new(endpoint).expect("a good endpoint")),
            credentials: Credentials::new("id", "s"),
            question: Question {
                endpoint: endpoint.to_owned(),
                grant_type: String::from("client_credentials"),
                scopes: BTreeSet::new(),
                audience: None,
                resources: BTreeSet::new(),
                parameters: BTreeMap::new(),
                headers: BTreeMap::new(),
                json: false,
                aliases: BTreeSet::new(),
                proof: Proof::Basic(b"id:s".to_vec()),
            },
            endpoint: endpoint.to_owned(),
            scopes: Vec::new(),
            resources: Vec::new(),
            parameters: Vec::new(),
            client: Vec::new(),
            basic: Some((String::from("id"), String::from("s"))),
        }
    }

    /// A step is a letter and the fields that it needs. A setter that refuses leaves both sides as they were, and must
    /// refuse exactly what the plain data says it must.
    ///
    /// # Panics
    ///
    /// If a setter accepts or refuses against the plain data.
    pub fn step(&mut self, step: &[u8]) {
        let Some((&letter, rest)) = step.split_first() else { return };
        let mut fields = fields(rest);
        let first = fields.next().unwrap_or_default();
        let second = fields.next().unwrap_or_default();
        match letter {
            b'e' => self.endpoint(&first),
            b'c' => self.client(&first, &second, fields.next().unwrap_or_default()),
            b'g' => {
                let legal = !first.is_empty() && first.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
                if self.set(Some(legal && first != "password"), |request| request.grant_type(&first)) {
                    self.question.grant_type = first;
                }
            }
            b's' => {
                let legal = |b: u8| matches!(b, 0x21..=0x7e) && b != b'"' && b != b'\\';
                let good = first.split(' ').all(|token| !token.is_empty() && token.bytes().all(legal));
                if self.set(Some(good), |request| request.scope(&first)) {
                    for token in first.split(' ') {
                        if self.question.scopes.insert(token.to_owned()) {
                            self.scopes.push(token.to_owned());
                        }
                    }
                }
            }
            b'a' => {
                self.set(Some(true), |request| Ok(request.audience(first.as_str())));
                self.question.audience = Some(first).filter(|name| !name.is_empty());
            }
            b'r' if self.set(None, |request| request.resource(&first)) => {
                assert!(first.contains(':') && !first.contains(['#', ' ']) && first.is_ascii(), "{first:?}");
                if self.question.resources.insert(first.clone()) {
                    self.resources.push(first);
                }
            }
            b'o' => {
                let good = self.takes_parameter("organization", &first);
                if self.set(Some(good), |request| request.organization(&first)) {
                    self.parameter(String::from("organization"), first);
                }
            }
            b'p' => {
                let good = self.takes_parameter(&first, &second);
                if self.set(Some(good), |request| request.parameter(&first, second.as_str())) {
                    self.parameter(first, second);
                }
            }
            b'h' => {
                let name = first.to_ascii_lowercase();
                let tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
                let good = !name.is_empty()
                    && name.bytes().all(tchar)
                    && second.bytes().all(|b| matches!(b, b'\t' | 0x20..=0x7e | 0x80..))
                    && !RESERVED_HEADERS.contains(&name.as_str())
                    && !self.question.headers.contains_key(&name);
                if self.set(Some(good), |request| request.header(&first, &second)) {
                    self.question.headers.insert(name, second);
                }
            }
            b'j' | b'f' => {
                self.question.json = letter == b'j';
                let format = if letter == b'j' { BodyFormat::Json } else { BodyFormat::Form };
                self.set(Some(true), |request| Ok(request.body_format(format)));
            }
            b't' => {
                self.question.aliases.insert(first.to_ascii_lowercase());
                self.set(Some(true), |request| Ok(request.token_type_alias(first)));
            }
            // Where the token may go is no part of the question.
            b'1' => drop(self.set(None, |request| request.allow_origin(&first))),
            b'2' => drop(self.set(None, |request| request.dangerously_allow_plain_http_origin(&first))),
            b'3' => drop(self.set(Some(true), |request| Ok(request.dangerously_allow_any_origin()))),
            _ => {}
        }
    }

    /// Whether the setter took it; `good`, where that is foreseen.
    fn set(&mut self, good: Option<bool>, setter: impl FnOnce(TokenRequest) -> Result<TokenRequest, Error>) -> bool {
        let request = self.request.take().expect("put back below");
        // A setter does not give back what it refuses.
        let spare = (good != Some(true)).then(|| request.clone());
        let built = setter(request);
        let taken = built.is_ok();
        assert_eq!(taken, good.unwrap_or(taken), "{:?} for {:?}", built.err(), self.question);
        self.request = built.ok().or(spare);
        taken
    }

    fn takes_parameter(&self, name: &str, value: &str) -> bool {
        !name.is_empty()
            && !value.is_empty()
            && !RESERVED_PARAMETERS.contains(&name)
            && !self.question.parameters.contains_key(name)
    }

    fn parameter(&mut self, name: String, value: String) {
        self.parameters.push((name.clone(), value.clone()));
        self.question.parameters.insert(name, value);
    }

    /// The request that the setters built.
    #[must_use]
    pub fn request(&self) -> &TokenRequest {
        self.request.as_ref().expect("put back by every step")
    }

    /// A new endpoint starts over, with the credentials kept.
    fn endpoint(&mut self, url: &str) {
        let Ok(request) = TokenRequest::new(url).or_else(|_| TokenRequest::dangerously_over_plain_http(url)) else {
            return;
        };
        let credentials = self.credentials.clone();
        let (proof, client, basic) = (self.question.proof.clone(), self.client.clone(), self.basic.clone());
        *self =
            Self { request: Some(request), credentials, client, basic, endpoint: url.to_owned(), ..Self::default() };
        self.question.proof = proof;
        self.question.endpoint = normal(url);
    }

    fn client(&mut self, how: &str, id: &str, secret: String) {
        let kind = how.chars().next().unwrap_or('b');
        let slot = usize::from(how.ends_with('2'));
        let control = [id, &secret].iter().any(|text| text.chars().any(char::is_control));
        self.client.clear();
        self.basic = None;
        let value = || Credentials::new(id, secret.as_str());
        let pair = |encoding| encoded_pair(id, &secret, encoding).map_or(Proof::Impossible, Proof::Basic);
        let (credentials, proof) = match kind {
            'c' => (value().basic_encoding(BasicEncoding::Rfc6749), pair(BasicEncoding::Rfc6749)),
            'r' => (value().in_body().basic_encoding(BasicEncoding::Raw), pair(BasicEncoding::Raw)),
            'i' => {
                self.client = pairs(&[("client_id", id), ("client_secret", &secret)]);
                (value().in_body(), Proof::Body(id.to_owned(), secret.clone()))
            }
            'P' | 'M' => (instance(|all| &all.provided[slot]), Proof::ProvidedBasic(slot, 0)),
            'C' => (
                instance(|all| &all.provided[slot]).basic_encoding(BasicEncoding::Rfc6749),
                Proof::ProvidedBasic(slot, 1),
            ),
            'R' => {
                (instance(|all| &all.provided[slot]).basic_encoding(BasicEncoding::Raw), Proof::ProvidedBasic(slot, 2))
            }
            'I' => {
                self.client = pairs(&[("client_id", "cl"), ("client_secret", PROVIDED_SECRET)]);
                (instance(|all| &all.provided[slot]).in_body(), Proof::ProvidedBody(slot))
            }
            'u' => {
                self.client = pairs(&[("client_id", "cl")]);
                (instance(|all| &all.public[slot]).in_body(), Proof::Public(slot))
            }
            'n' => (instance(|all| &all.nothing[slot]).basic_encoding(BasicEncoding::Raw), Proof::Nothing(slot)),
            _ => (value(), pair(BasicEncoding::Minimal)),
        };
        match proof {
            Proof::Basic(_) => self.basic = Some((id.to_owned(), secret)),
            Proof::ProvidedBasic(..) => self.basic = Some((String::from("cl"), PROVIDED_SECRET.to_owned())),
            _ => {}
        }
        let by_value = matches!(proof, Proof::Basic(_) | Proof::Body(..));
        self.question.proof = if by_value && (control || id.is_empty()) { Proof::Impossible } else { proof };
        self.credentials = credentials;
    }

    /// Whether there is exactly one proof, as far as the grant asks for one (RFC 6749 sections 2.3 and 4.4).
    #[must_use]
    pub fn can_be_sent(&self) -> bool {
        let own = self.question.headers.contains_key("authorization");
        match self.question.proof {
            Proof::Basic(_) | Proof::Body(..) | Proof::ProvidedBasic(..) | Proof::ProvidedBody(_) => !own,
            Proof::Public(_) => true,
            Proof::Nothing(_) => own || self.question.grant_type != "client_credentials",
            Proof::Impossible => false,
        }
    }

    /// All names and values that the body must hold, in the order of the form.
    #[must_use]
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut all = pairs(&[("grant_type", &self.question.grant_type)]);
        if !self.scopes.is_empty() {
            all.extend(pairs(&[("scope", &self.scopes.join(" "))]));
        }
        all.extend(self.question.audience.iter().map(|value| (String::from("audience"), value.clone())));
        all.extend(self.resources.iter().map(|value| (String::from("resource"), value.clone())));
        all.extend(self.parameters.iter().cloned());
        all.extend(self.client.iter().cloned());
        all
    }

    /// The headers that were asked for stand in this request, once and as they were given.
    ///
    /// # Panics
    ///
    /// If they do not.
    pub fn check_headers<B>(&self, http: &Request<B>) {
        for (name, value) in &self.question.headers {
            let found: Vec<_> = http.headers().get_all(name).iter().collect();
            assert_eq!(found, [value.as_str()], "header {name}");
            assert!(found[0].is_sensitive(), "header {name} would be printed");
        }
        let own = if self.basic.is_some() { 3 } else { 2 };
        assert_eq!(http.headers().len(), self.question.headers.len() + own);
    }
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The scheme in lower case, the empty path as it goes over the wire.
fn normal(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("an endpoint has a scheme");
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let slash = if rest[end..].starts_with('/') { "" } else { "/" };
    format!("{}://{}{slash}{}", scheme.to_ascii_lowercase(), &rest[..end], &rest[end..])
}

/// Id and secret as the variants of [`BasicEncoding`] say in their documentation; `None` if they cannot say it.
#[must_use]
pub fn encoded_pair(id: &str, secret: &str, encoding: BasicEncoding) -> Option<Vec<u8>> {
    if encoding == BasicEncoding::Raw && id.contains(':') {
        return None;
    }
    let mut out = Vec::new();
    for (part, text) in [id, secret].into_iter().enumerate() {
        if part == 1 {
            out.push(b':');
        }
        for byte in text.bytes() {
            let bare = match encoding {
                BasicEncoding::Raw => true,
                BasicEncoding::Minimal => !b"%+&".contains(&byte) && !(part == 0 && byte == b':'),
                _ => byte.is_ascii_alphanumeric() || b"*-._".contains(&byte),
            };
            match byte {
                _ if bare => out.push(byte),
                b' ' if encoding == BasicEncoding::Rfc6749 => out.push(b'+'),
                _ => out.extend(format!("%{byte:02X}").bytes()),
            }
        }
    }
    Some(out)
}
