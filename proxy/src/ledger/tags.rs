//! The tags of a request, sorted by key.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;
use smol_str::SmolStr;

/// A small map that is held in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    sorted: SmallVec<[(SmolStr, SmolStr); 2]>,
}

impl Tags {
    /// Sets a tag; the last word counts.
    pub fn insert(&mut self, key: SmolStr, value: SmolStr) {
        match self.sorted.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(at) => self.sorted[at].1 = value,
            Err(at) => self.sorted.insert(at, (key, value)),
        }
    }

    /// The value of a tag.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&SmolStr> {
        let at = self.sorted.binary_search_by(|(known, _)| known.as_str().cmp(key)).ok()?;
        Some(&self.sorted[at].1)
    }

    /// Every tag, by key.
    pub fn iter(&self) -> impl Iterator<Item = &(SmolStr, SmolStr)> {
        self.sorted.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.sorted.iter().map(|(key, value)| (key, value)))
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let sorted = BTreeMap::<SmolStr, SmolStr>::deserialize(from)?;
        Ok(Self { sorted: sorted.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::Tags;

    #[test]
    fn the_last_word_counts_and_keys_are_in_order() {
        let mut tags = Tags::default();
        for (key, value) in [("b", "1"), ("a", "2"), ("c", "3"), ("a", "4")] {
            tags.insert(key.into(), value.into());
        }
        let json = serde_json::to_string(&tags).unwrap();
        assert_eq!(json, r#"{"a":"4","b":"1","c":"3"}"#);
        assert_eq!(serde_json::from_str::<Tags>(&json).unwrap(), tags);
        assert_eq!(tags.get("b").map(|value| value.as_str()), Some("1"));
        assert_eq!(tags.get("d"), None);
    }
}
