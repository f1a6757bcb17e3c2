//! JSON whose keys keep the order they were written in, as the providers' do.
//!
//! `serde_json` sorts the keys of its `Map` unless a feature is on that would then be on for every package
//! of the workspace. Clients should not depend on the order, but a proxy that peeks at bytes might, and it
//! is to be tested with the real one.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// An object with its members in the given order.
macro_rules! object {
    ($($key:literal: $value:expr),* $(,)?) => {
        $crate::json::Json::Object(vec![$(($key, $crate::json::Json::from($value))),*])
    };
}
pub(crate) use object;

/// A JSON value for writing.
#[derive(Clone, Debug)]
pub(crate) enum Json {
    Value(Value),
    List(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    pub(crate) const NULL: Self = Self::Value(Value::Null);

    /// The text without white space.
    pub(crate) fn text(&self) -> String {
        // Nothing here can fail to be written: keys are strings and there is no I/O.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The object with its `type` in front.
    pub(crate) fn typed(kind: &str, members: Json) -> Self {
        object! {"type": kind}.join(members)
    }

    /// The object with the members of another at its end.
    pub(crate) fn join(mut self, other: Json) -> Self {
        if let (Self::Object(members), Self::Object(others)) = (&mut self, other) {
            members.extend(others);
        }
        self
    }

    /// The object with one more member at its end.
    pub(crate) fn with(mut self, key: &'static str, value: impl Into<Json>) -> Self {
        if let Self::Object(members) = &mut self {
            members.push((key, value.into()));
        }
        self
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::NULL, Into::into)
    }
}

macro_rules! from_plain {
    ($($plain:ty),*) => {
        $(impl From<$plain> for Json {
            fn from(value: $plain) -> Self {
                Self::Value(Value::from(value))
            }
        })*
    };
}
from_plain!(&str, String, bool, i64, u64, u32, usize, f64, Value);

impl From<&String> for Json {
    fn from(value: &String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<f32> for Json {
    /// The shortest decimal that reads back as the same `f32`.
    fn from(value: f32) -> Self {
        Self::Value(value.to_string().parse::<f64>().map_or(Value::Null, Value::from))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn members_stay_in_order() {
        let json = object! {"type": "ping", "id": 1_u32, "a": vec!["x"], "none": None::<u32>}.with("z", 0.5);
        assert_eq!(json.text(), r#"{"type":"ping","id":1,"a":["x"],"none":null,"z":0.5}"#);
    }
}
