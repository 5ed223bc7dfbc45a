//! Decodes the response of the token endpoint: a token (RFC 6749 section 5.1) or an error
//! (section 5.2).
//!
//! Imports `clock`, `error`, `redact`, and from `protocol` the modules `dialect`, `encode`,
//! `members`, `request`, `token`.

mod lifetime;
mod refusal;

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use zeroize::Zeroize as _;

use crate::clock::Moment;
use crate::error::{COMPRESSED, Error, ProtocolError, ProtocolErrorKind};
use crate::protocol::decode::lifetime::lifetime;
use crate::protocol::dialect::LifetimeUnit;
use crate::protocol::encode::Prepared;
use crate::protocol::members::{Member, NotAnObject, Object};
use crate::protocol::request::TokenRequest;
use crate::protocol::token::AccessToken;
use crate::redact::{Excerpt, Redactor};

impl TokenRequest {
    /// Reads the response to this request (RFC 6749 sections 5.1 and 5.2).
    ///
    /// `sent_at` is the moment before the request was sent. The age of the token counts from there,
    /// so that time spent on the network never makes it look younger than it is.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] if the status is not 2xx, or the body contains an `error` code.
    /// [`Error::Protocol`] if the body of a 2xx response is not a token response, or its token
    /// cannot be used.
    ///
    /// # Examples
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let sent_at = SystemClock.now();
    /// let body = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bearer"}"#;
    /// let answer = http::Response::new(body);
    /// let token = request.decode(&answer, sent_at)?;
    /// assert_eq!(token.header_value(), "Bearer 2YotnFZFEjr1zCsicMWpAA");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn decode<B: AsRef<[u8]>>(&self, response: &http::Response<B>, sent_at: Moment) -> Result<AccessToken, Error> {
        self.decode_sent(response, sent_at, None)
    }

    /// Works like [`decode`](Self::decode), for a request that was sent with this client
    /// authentication: an error says what was sent, and does not show a secret that the server
    /// repeated.
    pub(crate) fn decode_sent<B: AsRef<[u8]>>(
        &self,
        response: &http::Response<B>,
        sent_at: Moment,
        prepared: Option<&Prepared>,
    ) -> Result<AccessToken, Error> {
        let answer = Answer {
            status: response.status(),
            headers: response.headers(),
            body: response.body().as_ref(),
            sent_at,
            prepared,
        };
        self.read(&answer)
    }

    /// Not generic, so that it is compiled only once.
    fn read(&self, answer: &Answer<'_>) -> Result<AccessToken, Error> {
        let mut object = Object { watched: self.dialect.watched(), ..Object::default() };
        let read = object.read(answer.body, answer.is_form());
        if !answer.status.is_success() {
            let is_unique = object.repeated.is_none() && object.repeated_watched.is_none();
            let object = if is_unique { object } else { Object::default() };
            return Err(self.denied(answer, &object));
        }
        let wrong = |Wrong { kind, detail }| {
            Error::Protocol(Arc::new(ProtocolError {
                endpoint: self.endpoint_host().to_owned(),
                status: answer.status.as_u16(),
                kind,
                detail,
            }))
        };
        read.map_err(|NotAnObject| {
            let detail = answer.is_compressed().then_some(Cow::Borrowed(COMPRESSED));
            wrong(Wrong { kind: ProtocolErrorKind::MalformedResponse, detail })
        })?;
        if let Some(name) = object.repeated {
            return Err(wrong(ProtocolErrorKind::DuplicateMember(name).into()));
        }
        if let Some(name) = object.repeated_watched {
            let detail = Some(Cow::Owned(format!("the response contains {name}, or a member of it, more than once")));
            return Err(wrong(Wrong { kind: ProtocolErrorKind::DuplicateMember("access_token"), detail }));
        }
        if object.code().is_some() {
            return Err(self.denied(answer, &object));
        }
        self.token(&mut object, answer).map_err(wrong)
    }

    fn token(&self, object: &mut Object<'_>, answer: &Answer<'_>) -> Result<AccessToken, Wrong> {
        let name = self.dialect.token.as_ref().map_or("access_token", |path| path.as_str());
        let found = match &self.dialect.token {
            Some(path) if name != "access_token" => path.take(&mut object.more).map(Member::from),
            _ => object.access_token.take(),
        };
        let token = match found {
            None | Some(Member::Null) => return Err(self.missing(name, object, answer)),
            Some(Member::Text(token)) if token.is_empty() => {
                let detail = Some(Cow::Owned(format!("{name} is empty")));
                return Err(Wrong { kind: ProtocolErrorKind::InvalidAccessToken, detail });
            }
            Some(Member::Text(token)) => token,
            Some(_) => return Err(not_a_token(name)),
        };
        match &object.token_type {
            // Real servers leave it out or empty (D4).
            None | Some(Member::Null) => {}
            Some(Member::Text(name)) if name.is_empty() || self.means_bearer(name) => {}
            Some(Member::Text(name)) => {
                let name = answer.redactor(self).and(&token).hide(name);
                return Err(ProtocolErrorKind::UnsupportedTokenType(name).into());
            }
            Some(_) => return Err(ProtocolErrorKind::UnsupportedTokenType(String::from("(not a string)")).into()),
        }
        let lifetime = match &self.dialect.lifetime {
            None => lifetime(object.expires_in.as_ref(), LifetimeUnit::Seconds),
            Some((path, unit)) if path.as_str() == "expires_in" => lifetime(object.expires_in.as_ref(), *unit),
            Some((path, unit)) => lifetime(path.take(&mut object.more).map(Member::from).as_ref(), *unit),
        };
        let scope = match &object.scope {
            Some(Member::Text(text)) => Some(spaced(text)),
            Some(Member::Other(value)) => scope_list(value),
            Some(Member::Number(_)) => None,
            // Bitbucket called it `scopes` until May 2026.
            None | Some(Member::Null) => object.more.get("scopes").and_then(scope_list),
        };
        let members = mem::take(&mut object.more);
        let made = AccessToken::sent_in(&self.dialect.header, &token, lifetime, scope, members, answer.sent_at);
        if let Cow::Owned(mut copy) = token {
            copy.zeroize();
        }
        made.ok_or_else(|| not_a_token(name))
    }

    /// Names the members that are there instead of the token, without their values.
    fn missing(&self, name: &str, object: &Object<'_>, answer: &Answer<'_>) -> Wrong {
        const MOST: usize = 8;
        let (names, redactor) = (object.names(), answer.redactor(self));
        let mut detail = format!("the answer holds no {name}");
        for (at, name) in names.iter().take(MOST).enumerate() {
            let between = if at == 0 { ", only " } else { ", " };
            detail.push_str(&format!("{between}{}", short(&redactor.hide(name))));
        }
        if names.len() > MOST {
            detail.push_str(&format!(" and {} more", names.len() - MOST));
        }
        if !names.is_empty() {
            detail.push_str("; if one of them is the token, name it with TokenRequest::token_member");
        }
        Wrong { kind: ProtocolErrorKind::MissingAccessToken, detail: Some(detail.into()) }
    }

    /// Whether `token_type` means `Bearer`, in upper or lower case (RFC 6749 section 5.1). A token
    /// of an unknown type must not be used (section 7.1).
    fn means_bearer(&self, token_type: &str) -> bool {
        token_type.eq_ignore_ascii_case("bearer")
            || self.token_type_aliases().iter().any(|alias| alias.eq_ignore_ascii_case(token_type))
    }
}

fn not_a_token(name: &str) -> Wrong {
    let detail = (name != "access_token").then(|| format!("{name} is not a string of visible ASCII characters").into());
    Wrong { kind: ProtocolErrorKind::InvalidAccessToken, detail }
}

/// Escapes a name, and cuts it.
fn short(name: &str) -> String {
    const LONGEST: usize = 40;
    let end = (0..=LONGEST.min(name.len())).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
    let dots = if end < name.len() { "..." } else { "" };
    format!("{}{dots}", Excerpt(&name.as_bytes()[..end]))
}

/// What is wrong with a 2xx response, in more words than its kind has, if need be.
struct Wrong {
    kind: ProtocolErrorKind,
    detail: Option<Cow<'static, str>>,
}

impl From<ProtocolErrorKind> for Wrong {
    fn from(kind: ProtocolErrorKind) -> Self {
        Self { kind, detail: None }
    }
}

/// A response of the token endpoint, with what is known about its request.
struct Answer<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
    body: &'a [u8],
    sent_at: Moment,
    /// `None` if somebody else sent the request.
    prepared: Option<&'a Prepared>,
}

impl Answer<'_> {
    fn redactor(&self, request: &TokenRequest) -> Redactor {
        request.redactor(self.prepared)
    }

    fn is_form(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|value| {
            let name = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
            name.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        })
    }

    /// Whether the body is still compressed, as gzip (RFC 1952 section 2.3.1), as Zstandard
    /// (RFC 8878 section 3.1.1), or as its headers say (RFC 9110 section 8.4).
    fn is_compressed(&self) -> bool {
        let coding = self.headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii());
        let is_coded = coding.is_some_and(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"));
        self.body.starts_with(b"\x1f\x8b")
            || self.body.starts_with(b"\x28\xb5\x2f\xfd")
            || (is_coded && std::str::from_utf8(self.body).is_err())
    }
}

/// Reads a list of scopes (RFC 6749 section 3.3). Some servers send an array. A comma does not
/// separate, because a scope may contain one.
fn scope_list(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(spaced(text)),
        Value::Array(values) => {
            let mut list = String::new();
            for value in values.iter().filter_map(Value::as_str) {
                list.extend([value, " "]);
            }
            Some(spaced(&list))
        }
        _ => None,
    }
}

/// Returns `text` with a single space between two values, and none around them.
fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for part in text.split_inclusive(' ').filter(|part| *part != " ") {
        spaced.push_str(part);
    }
    spaced.truncate(spaced.trim_end_matches(' ').len());
    spaced
}
