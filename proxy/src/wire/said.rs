//! The text of an answer, kept until it is known whether somebody has counted it.

use std::fmt;

/// Text, reasoning and tool arguments as they were written in JSON, escapes included. `Debug` tells how much, never what.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Said {
    raw: Vec<u8>,
}

/// So much is kept. Longer answers (some 60,000 tokens) are counted by their beginning.
const MAX_KEPT_BYTES: usize = 256 << 10;

impl Said {
    /// What several strings say.
    pub(crate) fn of(texts: &[&[u8]]) -> Self {
        let mut said = Self::default();
        texts.iter().for_each(|text| said.push(text));
        said
    }

    /// Adds what another string says, as far as there is room for all of it.
    pub(crate) fn push(&mut self, raw: &[u8]) {
        if self.raw.len() + raw.len() <= MAX_KEPT_BYTES {
            self.raw.extend_from_slice(raw);
        }
    }

    /// Bytes held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The text with its escapes resolved; as it was written where they cannot be.
    #[must_use]
    pub fn text(&self) -> String {
        let quoted = [b"\"".as_slice(), &self.raw, b"\""].concat();
        serde_json::from_slice(&quoted).unwrap_or_else(|_| String::from_utf8_lossy(&self.raw).into_owned())
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Said({} bytes)", self.raw.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_KEPT_BYTES, Said};

    #[test]
    fn escapes_are_resolved_across_pieces() {
        let said = Said::of(&[br#"a \"b\""#, br"\n", br"\u4f60"]);
        assert_eq!(said.text(), "a \"b\"\n\u{4f60}");
        assert_eq!(Said::of(&[br"broken \x"]).text(), r"broken \x");
        assert!(!format!("{said:?}").contains('b') || format!("{said:?}") == "Said(15 bytes)", "{said:?}");
    }

    #[test]
    fn no_more_than_so_much_is_kept() {
        let mut said = Said::default();
        for _ in 0..2 * MAX_KEPT_BYTES / 1_000 {
            said.push(&[b'x'; 1_000]);
        }
        assert!(said.len() <= MAX_KEPT_BYTES && said.len() > MAX_KEPT_BYTES - 1_000);
    }
}
