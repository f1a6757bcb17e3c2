//! The text of a file, and where in it a byte stands.

use std::fmt;
use std::sync::Arc;

use crate::diagnostics::{Diagnostic, Severity};

/// Largest file that is read, in bytes. A policy with a thousand models and rules is about 200 KiB.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// A range of bytes in a [`Source`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl From<std::ops::Range<usize>> for Span {
    fn from(range: std::ops::Range<usize>) -> Self {
        let clamp = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: clamp(range.start), end: clamp(range.end) }
    }
}

/// A value together with the place where it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> At<T> {
    /// A value that was not written in any file (the policy made from the environment).
    pub fn nowhere(value: T) -> Self {
        Self { value, span: Span::default() }
    }
}

/// The path and text of one file. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    path: Arc<str>,
    text: Arc<str>,
    /// Byte at which each line starts; never empty.
    lines: Arc<[u32]>,
}

impl Source {
    /// Takes `text` as the contents of `path`. The path is only used in messages.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = after_breaks.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX));
        Self { path: path.into(), text: text.into(), lines: std::iter::once(0).chain(starts).collect() }
    }

    /// The path, as given.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The line, from 0, that holds this byte.
    pub(crate) fn line_index(&self, offset: u32) -> usize {
        self.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// The text of a line, from 0, without its line break.
    pub(crate) fn line_text(&self, index: usize) -> &str {
        let start = self.lines.get(index).map_or(self.text.len(), |start| *start as usize);
        let rest = self.text.get(start..).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }

    /// Number of lines, at least 1.
    pub(crate) fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// Byte range of a line, from 0, without its line break.
    pub(crate) fn line_range(&self, index: usize) -> std::ops::Range<usize> {
        let start = self.lines.get(index).map_or(self.text.len(), |start| *start as usize);
        start..start + self.line_text(index).len()
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    #[must_use]
    pub fn position(&self, offset: u32) -> (u32, u32) {
        let line = self.line_index(offset);
        let start = self.lines.get(line).copied().unwrap_or(0);
        let text = self.line_text(line);
        let before =
            text.as_bytes().get(..(offset.saturating_sub(start)) as usize).unwrap_or(text.as_bytes());
        // A character has one byte that does not continue another.
        let characters = before.iter().filter(|byte| !matches!(byte, 0x80..=0xbf)).count();
        let byte_order_mark = usize::from(line == 0 && text.starts_with('\u{feff}') && !before.is_empty());
        let column = characters - byte_order_mark + 1;
        (u32::try_from(line + 1).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// A finding about the place where `span` starts.
    #[must_use]
    pub fn diagnostic(&self, span: Span, severity: Severity, message: String) -> Diagnostic {
        let (line, column) = self.position(span.start);
        Diagnostic { path: Arc::clone(&self.path), line, column, severity, message, suggestion: None }
    }
}

/// Names the file, not its text.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let source = Source::new("p", "a = 1\né = \"x\"\n\nlast");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position(4), (1, 5));
        assert_eq!(source.position(6), (2, 1));
        assert_eq!(source.position(8), (2, 2));
        assert_eq!(source.position(15), (3, 1));
        assert_eq!(source.position(u32::MAX), (4, 5));
    }

    #[test]
    fn a_byte_order_mark_is_no_column() {
        assert_eq!(Source::new("p", "\u{feff}abc").position(3), (1, 1));
        assert_eq!(Source::new("p", "\u{feff}abc").position(4), (1, 2));
    }

    #[test]
    fn an_empty_file_has_a_first_place() {
        assert_eq!(Source::new("p", "").position(0), (1, 1));
    }
}
