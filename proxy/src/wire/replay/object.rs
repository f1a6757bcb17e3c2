//! JSON objects whose values keep their text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

/// An object in the order and spelling it was read in. Has no duplicate keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Raw<'a>)>);

/// A value as text.
pub(super) type Raw<'a> = Cow<'a, RawValue>;

/// Many times the members of any object that is taken apart here (a chat chunk has about ten), so that
/// looking for a key one by one stays cheap.
const MEMBER_LIMIT: usize = 256;

impl<'a> Object<'a> {
    /// Reads `json`; `None` if it is not an object, or one with a duplicate key.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Raw<'a>> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value where it says something: present and not null.
    pub(super) fn some(&self, name: &str) -> Option<&Raw<'a>> {
        self.get(name).filter(|value| value.get() != "null")
    }

    /// The value where it is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        decode(self.get(name)?)
    }

    /// Takes a member out.
    pub(super) fn take(&mut self, name: &str) -> Option<Raw<'a>> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// Sets a member: in its place, or at the end.
    pub(super) fn set(&mut self, name: impl Into<Cow<'a, str>>, value: Raw<'a>) {
        let name = name.into();
        match self.0.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// Sets a member to what is serialized; `None` if it can't be.
    pub(super) fn put(&mut self, name: &'static str, value: &impl Serialize) -> Option<()> {
        self.set(name, Cow::Owned(to_raw_value(value).ok()?));
        Some(())
    }

    /// Sets a member unless the value is null and the member is there.
    pub(super) fn merge(&mut self, name: Cow<'a, str>, value: Raw<'a>) {
        if value.get() != "null" || self.get(&name).is_none() {
            self.set(name, value);
        }
    }

    /// The members in their order.
    pub(super) fn members(&self) -> impl Iterator<Item = (&Cow<'a, str>, &Raw<'a>)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

/// The string that `raw` is.
pub(super) fn decode(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// Whether `raw` says nothing: null, or an empty string, list or object.
pub(super) fn is_nothing(raw: &RawValue) -> bool {
    matches!(raw.get(), "null" | "\"\"" | "[]" | "{}")
}

impl<'a> IntoIterator for Object<'a> {
    type Item = (Cow<'a, str>, Raw<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, &**value)?;
        }
        map.end()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut object = Object::default();
        while let Some((key, value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
            if object.0.len() == MEMBER_LIMIT || object.get(&key.0).is_some() {
                return Err(A::Error::custom("too many members, or one twice"));
            }
            object.0.push((key.0, Cow::Borrowed(value)));
        }
        Ok(object)
    }
}

/// A key, borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::Object;

    #[test]
    fn members_keep_their_order_and_spelling() {
        let json = r#"{"b":1.0,"a":{"z":1e2, "y":"\u00e9"},"c\n":null}"#;
        let object = Object::read(json).unwrap();
        assert_eq!(serde_json::to_string(&object).unwrap(), json);
        assert!(object.get("c\n").is_some() && object.some("c\n").is_none());
    }

    #[test]
    fn a_key_that_is_there_twice_makes_it_unreadable() {
        assert!(Object::read(r#"{"a":1,"a":2}"#).is_none());
        assert!(Object::read("[]").is_none());
    }

    #[test]
    fn members_change_in_place() {
        let mut object = Object::read(r#"{"a":1,"b":2,"c":3}"#).unwrap();
        object.put("b", &"x").unwrap();
        object.put("d", &4).unwrap();
        assert_eq!(object.take("a").unwrap().get(), "1");
        assert_eq!(serde_json::to_string(&object).unwrap(), r#"{"b":"x","c":3,"d":4}"#);
    }
}
