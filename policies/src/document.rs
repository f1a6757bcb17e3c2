//! TOML with places: the parser's tree, its errors, and which lines can still be believed.
//!
//! The parser goes on after an error. What stands between a broken `[header]` and the next good one would
//! land in the wrong table, so those lines say nothing more; everything else is still examined, and one
//! run shows syntax errors together with unknown keys and wrong values.

use std::borrow::Cow;
use std::collections::HashSet;

use toml::Spanned;
use toml::de::DeTable;

use crate::diagnostics::{Diagnostic, Severity};
use crate::sink::{MAX_DIAGNOSTICS, Sink};
use crate::source::{Source, Span};

/// How often the text is read again without a line that the parser could not get past. Each such line
/// costs one pass over the file.
const MAX_PASSES: usize = 16;

/// One parsed file. `'t` is the text, kept by [`Prepared`].
pub(crate) struct Document<'t> {
    /// The top level.
    pub(crate) root: Spanned<DeTable<'t>>,
}

/// A text made readable: lines that stop the parser are blanked, errors collected.
pub(crate) struct Prepared<'s> {
    text: Cow<'s, str>,
    errors: Vec<(Span, String)>,
}

impl<'s> Prepared<'s> {
    /// Finds all syntax errors of `source`.
    pub(crate) fn new(source: &'s Source) -> Self {
        let mut prepared = Self { text: Cow::Borrowed(source.text()), errors: Vec::new() };
        let mut known = HashSet::new();
        for _ in 0..MAX_PASSES {
            let (_, errors) = DeTable::parse_recoverable(&prepared.text);
            let mut stopped_at = None;
            for error in errors {
                let span = Span::from(error.span().unwrap_or_default());
                let message = in_words(error.message(), span, source.text());
                // The parser gives up on the rest of the file when a key has no `=`.
                if error.message().starts_with("key with no value") {
                    stopped_at = Some(source.line_range(source.line_index(span.start)));
                }
                if known.insert((span, message.clone())) {
                    prepared.errors.push((span, message));
                }
            }
            let Some(line) = stopped_at.filter(|line| !line.is_empty()) else { break };
            if prepared.errors.len() > MAX_DIAGNOSTICS {
                break;
            }
            let blank = " ".repeat(line.len());
            prepared.text.to_mut().replace_range(line, &blank);
        }
        prepared
    }

    /// The tree, and a sink that already holds the syntax errors.
    pub(crate) fn parse(&self, source: &Source) -> (Document<'_>, Sink) {
        let (root, _) = DeTable::parse_recoverable(&self.text);
        let mut sink = Sink::new(source.clone());
        sink.doubt(unreliable_lines(source, &self.errors), syntax_diagnostics(source, &self.errors));
        (Document { root }, sink)
    }
}

/// The parser's message, with the name of a repeated key.
fn in_words(message: &str, span: Span, text: &str) -> String {
    let named = text.get(span.start as usize..span.end as usize).filter(|name| !name.is_empty());
    match (message, named) {
        ("duplicate key", Some(name)) => {
            let name = name.trim_matches(['"', '\'']);
            format!("duplicate key {}", crate::diagnostics::Quoted(name))
        }
        _ => message.to_owned(),
    }
}

fn syntax_diagnostics(source: &Source, errors: &[(Span, String)]) -> Vec<Diagnostic> {
    let in_place =
        |(span, message): &(Span, String)| source.diagnostic(*span, Severity::Error, message.clone());
    errors.iter().map(in_place).collect()
}

/// For every line whether it belongs to a broken header, or holds a syntax error itself.
fn unreliable_lines(source: &Source, errors: &[(Span, String)]) -> Vec<bool> {
    if errors.is_empty() {
        return Vec::new();
    }
    let mut broken = vec![false; source.line_count()];
    for (span, _) in errors {
        if let Some(line) = broken.get_mut(source.line_index(span.start)) {
            *line = true;
        }
    }
    let mut inside_broken_table = false;
    for (index, line) in broken.iter_mut().enumerate() {
        if source.line_text(index).trim_start().starts_with('[') {
            inside_broken_table = *line;
        }
        *line |= inside_broken_table;
    }
    broken
}
