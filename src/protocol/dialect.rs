//! How a server differs from RFC 6749, apart from its parameters. Imports `error`,
//! `protocol::token`.

use serde_json::{Map, Value};

use crate::error::Error;
use crate::protocol::token::TokenHeader;

/// How this server differs from RFC 6749, apart from its parameters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialect {
    /// Where the token is in the response, instead of `access_token`.
    pub(crate) token: Option<MemberPath>,
    /// Where the lifetime is, instead of `expires_in`, and its unit.
    pub(crate) lifetime: Option<(MemberPath, LifetimeUnit)>,
    pub(crate) header: TokenHeader,
}

impl Dialect {
    /// Returns the names of the members that decide about the token, apart from those of RFC 6749.
    pub(crate) fn watched(&self) -> Vec<&str> {
        self.token.iter().chain(self.lifetime.iter().map(|(path, _)| path)).flat_map(MemberPath::roots).collect()
    }
}

/// The unit of a lifetime in a token response.
///
/// # Examples
///
/// ```
/// use client_credentials::{Clock, LifetimeUnit, SystemClock, TokenRequest};
///
/// let answer = http::Response::new(r#"{"access_token":"t","valid_for":30}"#);
/// let request = TokenRequest::new("https://auth.example.com/token")?
///     .lifetime_member("valid_for", LifetimeUnit::Minutes)?;
/// let token = request.decode(&answer, SystemClock.now())?;
/// assert_eq!(token.expires_in().map(|lifetime| lifetime.as_secs()), Some(1800));
/// # Ok::<_, client_credentials::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LifetimeUnit {
    /// Seconds, as in RFC 6749 section 5.1. This is the default.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Minutes.
    Minutes,
}

/// The name of a member, or the names on the way to it, separated by dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemberPath(String);

impl MemberPath {
    pub(crate) fn new(setting: &str, path: &str) -> Result<Self, Error> {
        if path.split('.').any(str::is_empty) {
            return Err(Error::configuration(format!(
                "{setting}: {path:?} is not the name of a member, or names separated by dots"
            )));
        }
        Ok(Self(path.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the outermost names that may hold the member.
    fn roots(&self) -> impl Iterator<Item = &str> {
        [Some(self.as_str()), self.0.split('.').next()].into_iter().flatten()
    }

    /// Returns the value among these members.
    pub(crate) fn find<'v>(&self, members: &'v Map<String, Value>) -> Option<&'v Value> {
        let mut names = self.0.split('.');
        let inner = |value: &'v Value, name: &str| match value {
            Value::Array(values) => values.get(name.parse::<usize>().ok()?),
            value => value.get(name),
        };
        members.get(self.as_str()).or_else(|| names.clone().skip(1).try_fold(members.get(names.next()?)?, inner))
    }

    /// Takes the value out of these members, and leaves null in its place.
    pub(crate) fn take(&self, members: &mut Map<String, Value>) -> Option<Value> {
        if let Some(value) = members.get_mut(self.as_str()) {
            return Some(value.take());
        }
        let mut names = self.0.split('.');
        let mut value = members.get_mut(names.next()?)?;
        for name in names {
            value = match value {
                Value::Object(inner) => inner.get_mut(name)?,
                Value::Array(inner) => inner.get_mut(name.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value.take())
    }
}
