//! One number of a usage report.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The largest count that is believed: a hundred times the longest context window in use (about ten million
/// tokens), yet small enough that no sum or product of counts and prices can overflow.
const CREDIBLE: u64 = 1_000_000_000;

/// What makes a token count impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountFault {
    /// Below zero.
    #[error("negative")]
    Negative,
    /// Not a whole number.
    #[error("fractional")]
    Fractional,
    /// Over a billion tokens.
    #[error("more than a billion")]
    Absurd,
    /// Text, a truth value, a list or an object.
    #[error("not a number")]
    NotANumber,
}

/// A count as it was sent; reading one never fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Count {
    /// Absent or null.
    #[default]
    Missing,
    /// A credible number.
    Of(u64),
    /// A number or value that cannot be a count.
    Faulty(CountFault),
}

impl Count {
    /// The number, where it is present and credible.
    pub(crate) const fn value(self) -> Option<u64> {
        match self {
            Self::Of(count) => Some(count),
            Self::Missing | Self::Faulty(_) => None,
        }
    }

    /// Replaces this count by a later report of it, if that says anything.
    pub(crate) const fn overlay(&mut self, later: Self) {
        if !matches!(later, Self::Missing) {
            *self = later;
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token count")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Count, E> {
        Ok(if count > CREDIBLE { Count::Faulty(CountFault::Absurd) } else { Count::Of(count) })
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<Count, E> {
        u64::try_from(count).map_or(Ok(Count::Faulty(CountFault::Negative)), |count| self.visit_u64(count))
    }

    fn visit_f64<E>(self, count: f64) -> Result<Count, E> {
        Ok(match count {
            count if count < 0.0 => Count::Faulty(CountFault::Negative),
            count if count > CREDIBLE as f64 => Count::Faulty(CountFault::Absurd),
            count if count.fract() != 0.0 => Count::Faulty(CountFault::Fractional),
            count => Count::Of(count as u64),
        })
    }

    fn visit_unit<E>(self) -> Result<Count, E> {
        Ok(Count::Missing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Count, E> {
        Ok(Count::Faulty(CountFault::NotANumber))
    }

    fn visit_str<E>(self, _: &str) -> Result<Count, E> {
        Ok(Count::Faulty(CountFault::NotANumber))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Count, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Count::Faulty(CountFault::NotANumber))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Count, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Count::Faulty(CountFault::NotANumber))
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, CountFault};

    #[test]
    fn every_json_value_is_a_count_or_a_named_fault() {
        for (json, expected) in [
            ("0", Count::Of(0)),
            ("12.0", Count::Of(12)),
            ("1000000000", Count::Of(1_000_000_000)),
            ("null", Count::Missing),
            ("1000000001", Count::Faulty(CountFault::Absurd)),
            ("18446744073709551615", Count::Faulty(CountFault::Absurd)),
            ("1e300", Count::Faulty(CountFault::Absurd)),
            ("-1", Count::Faulty(CountFault::Negative)),
            ("-0.5", Count::Faulty(CountFault::Negative)),
            ("1.5", Count::Faulty(CountFault::Fractional)),
            ("\"12\"", Count::Faulty(CountFault::NotANumber)),
            ("true", Count::Faulty(CountFault::NotANumber)),
            ("[1,[2]]", Count::Faulty(CountFault::NotANumber)),
            ("{\"a\":{\"b\":1}}", Count::Faulty(CountFault::NotANumber)),
        ] {
            assert_eq!(serde_json::from_str::<Count>(json).unwrap(), expected, "{json}");
        }
    }
}
