//! One event of a stream.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memchr2;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event with its closing blank line, exactly as it was sent. May also hold nothing but comments or
/// blank lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    opening: bool,
}

/// What a frame says, by the rules of the event-stream format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The last `event:` line.
    pub event: Option<&'a [u8]>,
    /// All `data:` lines, joined by line feeds; `None` if there are none.
    pub data: Option<Cow<'a, [u8]>>,
}

impl Frame {
    /// A frame of `bytes`; `opening` says that they begin the stream, where a byte order mark is not text.
    #[must_use]
    pub const fn new(bytes: Bytes, opening: bool) -> Self {
        Self { bytes, opening }
    }

    /// The bytes to pass on.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes to pass on.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Reads the lines. Borrows, except where data stands in several lines.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        let mut fields = Fields::default();
        let mark = if self.opening && self.bytes.starts_with(BOM) { BOM.len() } else { 0 };
        let mut rest = &self.bytes[mark..];
        while !rest.is_empty() {
            let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            fields.add(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        fields
    }
}

impl<'a> Fields<'a> {
    /// Takes in one line. A CRLF is met as a line and an empty one, which says nothing here.
    fn add(&mut self, line: &'a [u8]) {
        if let Some(value) = field_value(line, b"data") {
            self.data = Some(match self.data.take() {
                None => Cow::Borrowed(value),
                Some(before) => Cow::Owned([&before, b"\n".as_slice(), value].concat()),
            });
        } else if let Some(value) = field_value(line, b"event") {
            self.event = Some(value);
        }
    }
}

/// The value of `line` if its field is `name`: what follows the colon and at most one space, or nothing.
fn field_value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, Frame};

    fn frame(text: &str) -> Frame {
        Frame::new(text.to_owned().into(), true)
    }

    fn fields<'a>(event: Option<&'a str>, data: Option<&'a str>) -> Fields<'a> {
        Fields { event: event.map(str::as_bytes), data: data.map(|data| data.as_bytes().into()) }
    }

    #[test]
    fn lines_are_read_by_the_rules_of_the_format() {
        for (text, event, data) in [
            ("data: x\n\n", None, Some("x")),
            ("data:x\r\n\r\n", None, Some("x")),
            ("data:  x\r\r", None, Some(" x")),
            ("event: e\ndata: {}\n\n", Some("e"), Some("{}")),
            ("data: a\nid: 7\ndata: b\n\n", None, Some("a\nb")),
            ("data\ndata\n\n", None, Some("\n")),
            (": keep-alive\n\n", None, None),
            ("datum: x\nevents: y\n\n", None, None),
            ("\u{feff}data: x\n\n", None, Some("x")),
            ("\n", None, None),
            ("data: cut", None, Some("cut")),
        ] {
            assert_eq!(frame(text).fields(), fields(event, data), "{text:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_counts_only_at_the_start_of_the_stream() {
        let later = Frame::new("\u{feff}data: x\n\n".into(), false);
        assert_eq!(later.fields(), fields(None, None));
    }
}
