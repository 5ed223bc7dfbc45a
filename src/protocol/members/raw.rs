//! Reads JSON that a Rust type cannot hold. Imports `protocol::members`.

use std::borrow::Cow;
use std::fmt;

use serde_core::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::unique::HasUniqueNames;
use super::{Member, Object, REFRESH_TOKEN};

impl<'a> Object<'a> {
    /// Reads JSON that may hold values which no Rust type can: a number beyond `f64`, a string with
    /// a lone surrogate, lists in lists in lists. An unknown member with such a value is ignored
    /// (RFC 6749 section 5.1); a token or its type may not have one. Slower than [`Reader`], so it
    /// comes second.
    pub(super) fn read_around(&mut self, body: &'a [u8]) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_slice(body);
        json.deserialize_map(RawReader(self))?;
        json.end()
    }
}

/// Reads an object without looking into its values, and then what it can of each value.
struct RawReader<'o, 'de>(&'o mut Object<'de>);

impl<'de> Visitor<'de> for RawReader<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<&'de RawValue>()? {
            let (name, value) = (lossy(name.get()).unwrap_or_default(), members.next_value::<&'de RawValue>()?.get());
            if let Some((name, place)) = self.0.place(&name) {
                let member = match serde_json::from_str(value) {
                    Ok(member) => member,
                    Err(error) if matches!(name, "access_token" | "token_type") => return Err(A::Error::custom(error)),
                    Err(_) => lossy(value).map_or_else(|| Member::Other(Box::default()), Member::Text),
                };
                if place.replace(member).is_some() {
                    self.0.repeated = Some(name);
                }
            } else if name != REFRESH_TOKEN {
                let watched = self.0.watched.iter().copied().find(|&known| known == name);
                if watched.is_some() && serde_json::from_str(value).is_ok_and(|HasUniqueNames(unique)| !unique) {
                    self.0.repeated_watched = watched;
                }
                // What the server says about an error is shown as far as it can be.
                let text = || lossy(value).filter(|_| name == "error_description").map(Value::from);
                if let Some(value) = serde_json::from_str(value).ok().or_else(text) {
                    self.0.keep(&name, value);
                }
            }
        }
        Ok(())
    }
}

/// Returns a JSON string with a replacement character for what is not Unicode.
fn lossy(json: &str) -> Option<Cow<'_, str>> {
    struct Lossy;

    impl<'de> Visitor<'de> for Lossy {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON string")
        }

        fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
            Ok(String::from_utf8_lossy(bytes))
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            Ok(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
        }
    }

    serde_json::Deserializer::from_str(json).deserialize_bytes(Lossy).ok()
}
