//! Whether a JSON value names a member twice. Imports nothing from this crate.

use std::fmt;

use serde_core::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Whether no object within a value has two members of the same name.
pub(super) struct HasUniqueNames(pub(super) bool);

impl<'de> Deserialize<'de> for HasUniqueNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = HasUniqueNames;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(HasUniqueNames(true))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(HasUniqueNames(true))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(HasUniqueNames(true))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(HasUniqueNames(true))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(HasUniqueNames(true))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(HasUniqueNames(true))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut all = true;
        while let Some(HasUniqueNames(one)) = values.next_element()? {
            all &= one;
        }
        Ok(HasUniqueNames(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut all, mut names) = (true, Map::new());
        while let Some((name, HasUniqueNames(one))) = members.next_entry::<String, _>()? {
            all &= one && names.insert(name, Value::Null).is_none();
        }
        Ok(HasUniqueNames(all))
    }
}
