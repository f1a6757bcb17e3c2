//! A walk over JSON text that stops at keys and skips the rest.
//!
//! A stream brings hundreds of deltas whose only news is a few words of text. [`Keys`] walks such a body
//! once, jumping from quote to quote, and allocates nothing; text inside strings can never be taken for a
//! key, since its quotes are escaped. It does not validate: broken JSON yields the keys before the break.

use memchr::memchr2;

/// The keys of all objects in a JSON text, in order, with where their values begin.
#[derive(Clone, Debug)]
pub(crate) struct Keys<'a> {
    json: &'a [u8],
    at: usize,
    depth: u32,
    opened: bool,
}

/// One key of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    /// Enclosing objects and arrays: 1 for the keys of the outermost object.
    pub(crate) depth: u32,
    /// The key as it is written, escapes included.
    pub(crate) name: &'a [u8],
    /// The text from the value's first byte to the end of the whole text.
    pub(crate) rest: &'a [u8],
}

impl<'a> Keys<'a> {
    pub(crate) const fn new(json: &'a [u8]) -> Self {
        Self { json, at: 0, depth: 0, opened: false }
    }

    /// Whether every bracket that was opened is closed again and at least one was.
    pub(crate) const fn closed(&self) -> bool {
        self.opened && self.depth == 0
    }

    fn skip_space(&mut self) {
        while self.json.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }
}

impl<'a> Iterator for Keys<'a> {
    type Item = Key<'a>;

    fn next(&mut self) -> Option<Key<'a>> {
        while let Some(&byte) = self.json.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => {
                    let start = self.at;
                    let Some(length) = string_length(&self.json[start..]) else {
                        self.at = self.json.len();
                        return None;
                    };
                    self.at = start + length + 1;
                    self.skip_space();
                    if self.json.get(self.at) == Some(&b':') {
                        self.at += 1;
                        self.skip_space();
                        let name = &self.json[start..start + length];
                        return Some(Key { depth: self.depth, name, rest: &self.json[self.at..] });
                    }
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    self.opened = true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        None
    }
}

impl<'a> Key<'a> {
    /// The value where it is a string: its raw text, escapes included.
    pub(crate) fn string(&self) -> Option<&'a [u8]> {
        let (&b'"', text) = self.rest.split_first()? else { return None };
        Some(&text[..string_length(text)?])
    }

    /// Whether the value is an object.
    pub(crate) fn is_object(&self) -> bool {
        self.rest.first() == Some(&b'{')
    }

    /// Whether the value says something: not null, false, `""`, `[]` or `{}`.
    pub(crate) fn is_something(&self) -> bool {
        match self.rest.first() {
            Some(b'"') => self.rest.get(1) != Some(&b'"'),
            Some(b'[' | b'{') => !self.is_empty(),
            Some(b'n' | b'f') | None => false,
            Some(_) => true,
        }
    }

    /// Whether the value is an array or object without members.
    pub(crate) fn is_empty(&self) -> bool {
        let Some(inside) = self.rest.get(1..) else { return false };
        let first = inside.iter().find(|byte| !byte.is_ascii_whitespace());
        matches!((self.rest[0], first), (b'[', Some(b']')) | (b'{', Some(b'}')))
    }
}

/// Bytes before the closing quote of a JSON string whose opening quote has been read.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The UTF-8 length of a raw JSON string: an escape counts as what it stands for, `\uXXXX` as three bytes
/// (its length for most scripts that are worth escaping, at most two too many for the others).
pub(crate) fn unescaped_length(raw: &[u8]) -> u64 {
    let (mut length, mut rest) = (raw.len(), raw);
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let unicode = rest.get(at + 1) == Some(&b'u');
        length = length.saturating_sub(if unicode { 3 } else { 1 });
        rest = rest.get(at + if unicode { 6 } else { 2 }..).unwrap_or_default();
    }
    length as u64
}

#[cfg(test)]
mod tests {
    use super::{Keys, unescaped_length};

    fn keys(json: &str) -> Vec<(u32, String)> {
        Keys::new(json.as_bytes())
            .map(|key| (key.depth, String::from_utf8_lossy(key.name).into_owned()))
            .collect()
    }

    #[test]
    fn keys_come_with_their_depth() {
        let found = keys(r#" {"a":{"b" : [ {"c":1} ]},"d":"e"}"#);
        let expected = [(1, "a"), (2, "b"), (4, "c"), (1, "d")].map(|(depth, name)| (depth, name.to_owned()));
        assert_eq!(found, expected);
    }

    #[test]
    fn text_that_looks_like_keys_is_not_a_key() {
        assert_eq!(
            keys(r#"{"content":"{\"usage\":{\"prompt_tokens\":1}} \\"}"#),
            [(1, "content".to_owned())]
        );
    }

    #[test]
    fn a_cut_text_yields_the_keys_before_the_cut_and_is_not_closed() {
        let whole = r#"{"a":{"b":"x\"y"},"c":[1]}"#;
        for end in 0..whole.len() {
            let mut walk = Keys::new(&whole.as_bytes()[..end]);
            assert!(walk.by_ref().count() <= 3);
            assert!(!walk.closed(), "{}", &whole[..end]);
        }
        let mut walk = Keys::new(whole.as_bytes());
        assert_eq!(walk.by_ref().count(), 3);
        assert!(walk.closed());
    }

    #[test]
    fn values_are_told_apart() {
        let json = br#"{"s":"x","e":"","n":null,"o":{ },"l":[1],"t":true,"f":false}"#;
        let something: Vec<bool> = Keys::new(json).map(|key| key.is_something()).collect();
        assert_eq!(something, [true, false, false, false, true, true, false]);
    }

    #[test]
    fn escapes_count_as_what_they_stand_for() {
        assert_eq!(unescaped_length(br"plain"), 5);
        assert_eq!(unescaped_length(br#"a\n\"b"#), 4);
        assert_eq!(unescaped_length(br"\u4f60\u597d"), 6);
    }
}
