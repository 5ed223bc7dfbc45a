//! The answer of the token endpoint: a token (RFC 6749 section 5.1) or an error (section 5.2).
//! Imports `error`, `moment`, `request`, `retry`, `token`.

use std::fmt;
use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::error::{Denied, Error, Excerpt, ProtocolError, ProtocolErrorKind, hidden};
use crate::moment::Moment;
use crate::request::TokenRequest;
use crate::retry::retry_after;
use crate::token::AccessToken;

/// Members that decide about the token: two different readings of them are an attack surface.
const ONCE: [&str; 5] = ["access_token", "token_type", "expires_in", "scope", "error"];

impl TokenRequest {
    /// Reads the answer to this request. `sent_at` is the moment before the request was sent: the token's age counts
    /// from there, so that time spent on the way never makes it look younger than it is.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] if the status is not 2xx, or the body says `error`; [`Error::Protocol`] if the body of a 2xx
    /// answer is not a token response, or its token cannot be used.
    ///
    /// ```
    /// # use client_credentials::{Clock, SystemClock, TokenRequest};
    /// let request = TokenRequest::new("https://auth.example.com/token")?;
    /// let sent_at = SystemClock.now();
    /// let answer = http::Response::new(r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bearer"}"#);
    /// let token = request.decode(&answer, sent_at)?;
    /// assert_eq!(token.header_value(), "Bearer 2YotnFZFEjr1zCsicMWpAA");
    /// # Ok::<_, client_credentials::Error>(())
    /// ```
    pub fn decode<B: AsRef<[u8]>>(&self, response: &http::Response<B>, sent_at: Moment) -> Result<AccessToken, Error> {
        self.decode_hiding(response, sent_at, &[])
    }

    /// The same; no error shows any of `secrets`, should the server have repeated them.
    pub(crate) fn decode_hiding<B: AsRef<[u8]>>(
        &self,
        response: &http::Response<B>,
        sent_at: Moment,
        secrets: &[Zeroizing<String>],
    ) -> Result<AccessToken, Error> {
        let body = response.body().as_ref();
        let object = Object::read(body, is_form(response));
        if !response.status().is_success() {
            let object = object.ok().filter(|object| object.repeated.is_none()).unwrap_or_default();
            return Err(self.denied(response, object, excerpt(body, secrets), sent_at, secrets));
        }
        let wrong = |kind| {
            Error::Protocol(ProtocolError {
                endpoint: self.endpoint_host().to_owned(),
                status: response.status().as_u16(),
                kind,
            })
        };
        let object = object.map_err(|NotAnObject| wrong(ProtocolErrorKind::MalformedResponse))?;
        if let Some(name) = object.repeated {
            return Err(wrong(ProtocolErrorKind::DuplicateMember(name)));
        }
        if object.code().is_some() {
            return Err(self.denied(response, object, None, sent_at, secrets));
        }
        self.token(object, sent_at, secrets).map_err(wrong)
    }

    fn token(
        &self,
        mut object: Object,
        sent_at: Moment,
        secrets: &[Zeroizing<String>],
    ) -> Result<AccessToken, ProtocolErrorKind> {
        let token = match object.take("access_token") {
            None => return Err(ProtocolErrorKind::MissingAccessToken),
            Some(Value::String(token)) => token,
            Some(_) => return Err(ProtocolErrorKind::InvalidAccessToken),
        };
        match object.take("token_type") {
            None => {}
            Some(Value::String(name)) if self.means_bearer(&name) => {}
            Some(Value::String(name)) => {
                let name = hidden(&hidden(&name, secrets), &[&token]);
                return Err(ProtocolErrorKind::UnsupportedTokenType(name));
            }
            Some(_) => return Err(ProtocolErrorKind::UnsupportedTokenType(String::from("(not a string)"))),
        }
        let expires_in = object.take("expires_in").map(|value| seconds(&value)).transpose()?;
        // Bitbucket said `scopes` until May 2026.
        let scopes = object.take("scopes");
        let scope = object.take("scope").or(scopes).and_then(|value| scope_list(&value));
        object.take("refresh_token");
        AccessToken::new(&token, expires_in, scope, object.members, sent_at)
            .ok_or(ProtocolErrorKind::InvalidAccessToken)
    }

    /// RFC 6749 section 7.1: a type that is not understood must not be used. Compared without case (section 5.1).
    fn means_bearer(&self, token_type: &str) -> bool {
        token_type.eq_ignore_ascii_case("bearer")
            || self.token_type_aliases().iter().any(|alias| alias.eq_ignore_ascii_case(token_type))
    }

    fn denied<B>(
        &self,
        response: &http::Response<B>,
        mut object: Object,
        excerpt: Option<String>,
        sent_at: Moment,
        secrets: &[Zeroizing<String>],
    ) -> Error {
        let status = response.status();
        let code = object.code();
        let retryable = matches!(status.as_u16(), 408 | 429 | 500..=599)
            || matches!(code.as_deref(), Some("server_error" | "temporarily_unavailable"));
        let show = |text: String| hidden(&text, secrets);
        Error::Denied(Box::new(Denied {
            endpoint: self.endpoint_host().to_owned(),
            status: status.as_u16(),
            excerpt: excerpt.filter(|_| code.is_none()),
            code: code.map(show),
            description: object.take_text("error_description").map(show),
            uri: object.take_text("error_uri").map(show),
            retry_after: response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.as_bytes(), sent_at.wall)),
            retryable,
            encoded: false,
        }))
    }
}

/// The beginning of a body, fit to be printed; none of an empty one, and none that may hold a token.
fn excerpt(body: &[u8], secrets: &[Zeroizing<String>]) -> Option<String> {
    let longest = secrets.iter().map(|secret| secret.len()).max().unwrap_or_default();
    let (read, more) = body.split_at(body.len().min(Excerpt::LONGEST + 1 + longest));
    let beginning = String::from_utf8_lossy(read);
    if body.is_empty() || beginning.contains("_token") {
        return None;
    }
    let mut shown = hidden(&beginning, secrets).into_bytes();
    // What was cut may have been a secret that is no longer known by its beginning.
    shown.truncate(if more.is_empty() { shown.len() } else { shown.len().saturating_sub(longest) });
    Some(Excerpt(&shown).to_string())
}

fn is_form<B>(response: &http::Response<B>) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|value| {
        let name = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    })
}

/// RFC 6749 section A.14, and what real servers make of it: a string, a fraction, a negative number.
fn seconds(value: &Value) -> Result<Duration, ProtocolErrorKind> {
    let stated = match value {
        Value::Number(number) => number.as_f64(),
        // Not all that `f64` reads: `inf` and `NaN` are no numbers of seconds.
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte)) => {
            text.parse().ok()
        }
        _ => None,
    };
    // `as` saturates: no lifetime overflows, and the longest honoured one is a day.
    stated.map(|stated: f64| Duration::from_secs(stated as u64)).ok_or(ProtocolErrorKind::InvalidExpiresIn)
}

/// Split at spaces only: a comma is a legal character of a scope.
fn scope_list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(text.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect()),
        Value::Array(values) => Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}

struct NotAnObject;

/// More values than this are no token response.
const MOST_VALUES: usize = 8192;

/// The members of an answer, null ones left out.
#[derive(Default)]
struct Object {
    members: Map<String, Value>,
    repeated: Option<&'static str>,
}

impl Object {
    /// JSON whatever the content type says (RFC 8259 section 8.1 lets a reader ignore a byte order mark); a form only
    /// if it says so.
    fn read(body: &[u8], is_form: bool) -> Result<Self, NotAnObject> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        // Each value but the first follows one of these, and takes up to a kilobyte as a tree in memory.
        let values = || body.iter().filter(|byte| matches!(byte, b'{' | b'[' | b',')).count();
        if body.len() > MOST_VALUES && values() > MOST_VALUES {
            return Err(NotAnObject);
        }
        match serde_json::from_slice(body) {
            Ok(object) => Ok(object),
            Err(_) if is_form && !body.is_empty() => {
                let mut object = Self::default();
                for (name, value) in form_urlencoded::parse(body) {
                    object.insert(name.into_owned(), Value::String(value.into_owned()));
                }
                Ok(object)
            }
            Err(_) => Err(NotAnObject),
        }
    }

    fn insert(&mut self, name: String, value: Value) {
        if let Some(known) = ONCE.into_iter().find(|known| *known == name) {
            if self.members.contains_key(known) {
                self.repeated = Some(known);
            }
        }
        self.members.insert(name, value);
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.members.remove(name).filter(|value| !value.is_null())
    }

    fn take_text(&mut self, name: &str) -> Option<String> {
        match self.take(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// `error`, if it is one: at Bitbucket it is an object, and `error = 1*NQSCHAR`.
    fn code(&self) -> Option<String> {
        match self.members.get("error") {
            Some(Value::String(code)) if !code.is_empty() => Some(code.clone()),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Object::default();
                while let Some((name, value)) = map.next_entry()? {
                    object.insert(name, value);
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(Members)
    }
}
