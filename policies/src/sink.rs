//! Where findings are collected.

use crate::diagnostics::{Diagnostic, Severity};
use crate::source::{Source, Span};

/// Most findings kept for one file; the rest are counted. Bounds what a hostile file can make us hold.
pub(crate) const MAX_DIAGNOSTICS: usize = 1_000;

/// Known names that are looked at for suggestions about one file, before no more are made. Each costs about a
/// microsecond; a policy with a hundred models and as many mistakes needs a tenth of it.
const MAX_COMPARED: usize = 100_000;

/// Collects the findings about one file.
pub(crate) struct Sink {
    source: Source,
    found: Vec<Diagnostic>,
    dropped: usize,
    /// Lines about which nothing more can be said; empty when the syntax is good.
    unreliable: Vec<bool>,
    has_syntax_errors: bool,
    /// Known names looked at for suggestions.
    compared: usize,
}

impl Sink {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            found: Vec::new(),
            dropped: 0,
            unreliable: Vec::new(),
            has_syntax_errors: false,
            compared: 0,
        }
    }

    /// The file that the findings are about.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Takes over the syntax errors, and the lines on which follow-up findings would mislead.
    pub(crate) fn doubt(&mut self, unreliable: Vec<bool>, syntax: Vec<Diagnostic>) {
        self.has_syntax_errors = !syntax.is_empty();
        self.unreliable = unreliable;
        for diagnostic in syntax {
            self.push(diagnostic);
        }
    }

    /// Whether the file is not TOML, so that something seemingly missing may only be unreadable.
    pub(crate) fn has_syntax_errors(&self) -> bool {
        self.has_syntax_errors
    }

    /// Whether the file must be refused.
    pub(crate) fn has_errors(&self) -> bool {
        self.dropped > 0 || self.found.iter().any(Diagnostic::is_error)
    }

    /// Whether another search for what was meant is still worth its time.
    pub(crate) fn may_compare(&self) -> bool {
        self.compared < MAX_COMPARED
    }

    /// Says that a search looked at so many known names.
    pub(crate) fn count_compared(&mut self, names: usize) {
        self.compared = self.compared.saturating_add(names);
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.report(span, Severity::Error, message.into(), None);
    }

    pub(crate) fn error_with(
        &mut self,
        span: Span,
        message: impl Into<String>,
        mend: Option<impl Into<String>>,
    ) {
        self.report(span, Severity::Error, message.into(), mend.map(Into::into));
    }

    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>) {
        self.report(span, Severity::Warning, message.into(), None);
    }

    pub(crate) fn warn_with(
        &mut self,
        span: Span,
        message: impl Into<String>,
        mend: Option<impl Into<String>>,
    ) {
        self.report(span, Severity::Warning, message.into(), mend.map(Into::into));
    }

    /// An error about something that is not there.
    pub(crate) fn missing(&mut self, span: Span, message: impl Into<String>) {
        if !self.has_syntax_errors {
            self.error(span, message);
        }
    }

    fn report(&mut self, span: Span, severity: Severity, message: String, suggestion: Option<String>) {
        let line = self.source.line_index(span.start);
        if self.unreliable.get(line).copied().unwrap_or(false) {
            return;
        }
        if self.found.len() == MAX_DIAGNOSTICS {
            self.dropped += 1;
            return;
        }
        let mut diagnostic = self.source.diagnostic(span, severity, message);
        diagnostic.suggestion = suggestion;
        self.push(diagnostic);
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < MAX_DIAGNOSTICS {
            self.found.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// How much was found so far.
    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    /// What was found after the first `known`.
    pub(crate) fn into_new(mut self, known: usize) -> Vec<Diagnostic> {
        self.found.split_off(known.min(self.found.len()))
    }

    /// All findings, in the order of the file.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
        if self.dropped > 0 {
            let end = u32::try_from(self.source.text().len()).unwrap_or(u32::MAX);
            let message = format!("{} more findings are not shown", self.dropped);
            self.found.push(self.source.diagnostic(Span { start: end, end }, Severity::Error, message));
        }
        self.found
    }
}
