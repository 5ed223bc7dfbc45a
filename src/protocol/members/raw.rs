//! Reads JSON that a Rust type cannot hold. Imports `protocol::members`.

use serde_core::de::MapAccess;
use serde_json::Value;
use serde_json::value::RawValue;

use super::unique::HasUniqueNames;
use super::{Member, Object, REFRESH_TOKEN};

impl<'de> Object<'de> {
    /// Reads members that may hold values which no Rust type can: a number beyond `f64`, a string
    /// with a lone surrogate, lists in lists in lists. An unknown member with such a value is
    /// ignored (RFC 6749 section 5.1); a token with one is none. Slower than reading values at
    /// once, so it comes second.
    pub(super) fn read_around<A: MapAccess<'de>>(&mut self, mut members: A) -> Result<Member<'de>, A::Error> {
        while let Some(name) = members.next_key::<&'de RawValue>()? {
            let raw = members.next_value::<&'de RawValue>()?.get();
            // Read as bytes, like the body, so that the program contains only one parser.
            let (name, value) = (name.get().as_bytes(), raw.as_bytes());
            let Ok(Member::Text(name)) = serde_json::from_slice(name) else { continue };
            if let Some((name, place)) = self.place(&name) {
                let unreadable = || match text(raw) {
                    Some(text) if name != "access_token" => Member::Text(text.into()),
                    _ => Member::Other(Box::default()),
                };
                if place.replace(serde_json::from_slice(value).unwrap_or_else(|_| unreadable())).is_some() {
                    self.repeated = Some(name);
                }
            } else if name != REFRESH_TOKEN {
                let watched = self.watched.iter().copied().find(|&known| known == name);
                if watched.is_some() && serde_json::from_slice(value).is_ok_and(|HasUniqueNames(unique)| !unique) {
                    self.repeated_watched = watched;
                }
                // What the server says about an error is shown as far as it can be.
                let unreadable = || text(raw).filter(|_| name == "error_description").map(Value::from);
                if let Some(value) = serde_json::from_slice(value).ok().or_else(unreadable) {
                    self.keep(&name, value);
                }
            }
        }
        Ok(Member::Null)
    }
}

/// Returns a JSON string with its escapes, one of which means no character.
fn text(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}
