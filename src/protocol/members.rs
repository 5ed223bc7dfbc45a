//! Parses the members of a response, from JSON or a form, and copies only where it must. Imports
//! nothing from this crate.

mod raw;
mod unique;

use std::borrow::Cow;
use std::fmt;

use serde_core::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde_core::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

pub(super) struct NotAnObject;

/// The most values that a body may contain. No token response has as many.
const MOST_VALUES: usize = 8192;

/// A member that is never kept, because this grant must not return it (RFC 6749 section 4.4.3).
const REFRESH_TOKEN: &str = "refresh_token";

/// The members of a response.
///
/// A member that decides about the token may occur only once: if two parsers can read a response in
/// two ways, an attacker can use the difference.
#[derive(Default)]
pub(super) struct Object<'a> {
    pub(super) access_token: Option<Member<'a>>,
    pub(super) token_type: Option<Member<'a>>,
    pub(super) expires_in: Option<Member<'a>>,
    pub(super) scope: Option<Member<'a>>,
    pub(super) error: Option<Member<'a>>,
    pub(super) more: Map<String, Value>,
    /// A deciding member that occurred more than once.
    pub(super) repeated: Option<&'static str>,
    /// Other members that decide, because a setting says so, and one that occurred more than once.
    pub(super) watched: Vec<&'a str>,
    pub(super) repeated_watched: Option<&'a str>,
    pub(super) is_form: bool,
}

/// The value of a deciding member. Also the name of any member, which is always `Text`. Text
/// borrows from the body, unless it contains escapes.
pub(super) enum Member<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(f64),
    Other(Box<Value>),
}

impl From<Value> for Member<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::String(text) => Self::Text(Cow::Owned(text)),
            Value::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            other => Self::Other(Box::new(other)),
        }
    }
}

impl<'a> Object<'a> {
    /// Reads a body: JSON, whatever the content type is, or a form if the content type says so. Any
    /// other body is an error, and the object stays empty. A byte order mark is ignored, as
    /// RFC 8259 section 8.1 allows.
    pub(super) fn read(&mut self, body: &'a [u8], is_form: bool) -> Result<(), NotAnObject> {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        // Each value but the first follows one of these bytes. As a tree in memory, a value takes
        // up to a kilobyte.
        let values =
            || body.iter().filter(|&&byte| matches!(byte, b'{' | b'[' | b',') || (is_form && byte == b'&')).count();
        if body.len() > MOST_VALUES && values() > MOST_VALUES {
            return Err(NotAnObject);
        }
        // A body that begins with a brace is an object or not JSON at all.
        if body.trim_ascii_start().starts_with(b"{") {
            if self.watched.is_empty() && read_json(body, Reader::Members(self)).is_ok() {
                return Ok(());
            }
            self.reset();
            if read_json(body, Reader::MembersAround(self)).is_ok() {
                return Ok(());
            }
            self.reset();
        }
        if !is_form || body.is_empty() {
            return Err(NotAnObject);
        }
        self.is_form = true;
        for (name, value) in form_urlencoded::parse(body) {
            if let Some((name, place)) = self.place(&name) {
                if place.replace(Member::Text(value)).is_some() {
                    self.repeated = Some(name);
                }
            } else if name != REFRESH_TOKEN {
                self.keep(&name, value.into());
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        *self = Self { watched: std::mem::take(&mut self.watched), ..Self::default() };
    }

    fn keep(&mut self, name: &str, value: Value) {
        if self.more.insert(name.to_owned(), value).is_some() {
            self.repeated_watched = self.watched.iter().copied().find(|&known| known == name).or(self.repeated_watched);
        }
    }

    /// Returns the name and the field of a deciding member, `None` for any other member.
    fn place(&mut self, name: &str) -> Option<(&'static str, &mut Option<Member<'a>>)> {
        Some(match name {
            "access_token" => ("access_token", &mut self.access_token),
            "token_type" => ("token_type", &mut self.token_type),
            "expires_in" => ("expires_in", &mut self.expires_in),
            "scope" => ("scope", &mut self.scope),
            "error" => ("error", &mut self.error),
            _ => return None,
        })
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.more.get(name).and_then(Value::as_str)
    }

    /// Returns the error code: `error`, if it is a string that is not empty (`error = 1*NQSCHAR`).
    /// At Bitbucket it is an object. Without an `error`, some servers write the code into
    /// `errorCode`, which elsewhere holds codes that have nothing to do with OAuth.
    pub(super) fn code(&self) -> Option<&str> {
        match &self.error {
            Some(Member::Text(code)) if !code.is_empty() => Some(code),
            None | Some(Member::Null) if self.access_token.is_none() => {
                self.text("errorCode").filter(|code| OAUTH_CODES.contains(code))
            }
            _ => None,
        }
    }

    /// Returns what the server says about its [`code`](Self::code).
    pub(super) fn description(&self) -> Option<&str> {
        let is_other = matches!(self.error, None | Some(Member::Null)) && self.code().is_some();
        self.text("error_description").or_else(|| self.text("errorSummary").filter(|_| is_other))
    }

    /// Returns the names of the members, and of those one level below, but no values. The names of
    /// a form are left out where the whole body may be a token.
    pub(super) fn names(&self) -> Vec<String> {
        let known = [
            ("access_token", &self.access_token),
            ("token_type", &self.token_type),
            ("expires_in", &self.expires_in),
            ("scope", &self.scope),
            ("error", &self.error),
        ];
        let mut names: Vec<String> =
            known.iter().filter(|(_, member)| member.is_some()).map(|(name, _)| (*name).to_owned()).collect();
        for (name, value) in &self.more {
            match value {
                Value::Null => {}
                Value::Object(inner) if !inner.is_empty() => {
                    names.extend(inner.keys().map(|below| format!("{name}.{below}")));
                }
                Value::String(text) if self.is_form && text.trim_matches('=').is_empty() => {}
                _ => names.push(name.clone()),
            }
        }
        names
    }
}

/// The error codes of OAuth: RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750 section 3.1, RFC 8628
/// section 3.5, RFC 8707 section 2, RFC 9449 sections 5 and 8.
const OAUTH_CODES: [&str; 17] = [
    "access_denied",
    "authorization_pending",
    "expired_token",
    "insufficient_scope",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "use_dpop_nonce",
];

/// Reads any value.
enum Reader<'o, 'de> {
    Value,
    /// Reads an object, whose members go into this one.
    Members(&'o mut Object<'de>),
    /// The same, for members that may hold what no Rust type can.
    MembersAround(&'o mut Object<'de>),
}

fn read_json<'de>(body: &'de [u8], reader: Reader<'_, 'de>) -> Result<(), serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    json.deserialize_any(reader)?;
    json.end()
}

impl<'de> Visitor<'de> for Reader<'_, 'de> {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Member<'de>, E> {
        Ok(Member::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Member<'de>, E> {
        Ok(Member::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Member<'de>, E> {
        Ok(Member::Number(number))
    }

    fn visit_unit<E>(self) -> Result<Member<'de>, E> {
        Ok(Member::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Member<'de>, E> {
        Ok(Member::Other(Box::new(value.into())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<Member<'de>, A::Error> {
        Ok(Member::Other(Box::deserialize(SeqAccessDeserializer::new(values))?))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Member<'de>, A::Error> {
        let object = match self {
            Self::Members(object) => object,
            Self::MembersAround(object) => return object.read_around(members),
            Self::Value => return Ok(Member::Other(Box::deserialize(MapAccessDeserializer::new(members))?)),
        };
        while let Some(Member::Text(name)) = members.next_key()? {
            if let Some((name, place)) = object.place(&name) {
                if place.replace(members.next_value()?).is_some() {
                    object.repeated = Some(name);
                }
            } else if name == REFRESH_TOKEN {
                // Parsed nevertheless, because serde_json does not check that a value it skips is
                // UTF-8.
                members.next_value::<Value>()?;
            } else {
                object.more.insert(name.into_owned(), members.next_value()?);
            }
        }
        Ok(Member::Null)
    }
}

impl<'de> Deserialize<'de> for Member<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader::Value)
    }
}
