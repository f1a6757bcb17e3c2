//! What is wrong with a file, where, and how to mend it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted, but probably does not do what its author meant.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One finding about one place in one file.
///
/// Displays as a single line, `path:line:column: error: message (did you mean "x"?)`; control characters
/// that came from the file are escaped. Never contains the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as its reader named it.
    pub path: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Whether the file is refused because of this.
    pub severity: Severity,
    /// What is wrong, without a full stop.
    pub message: String,
    /// What to write instead, where that can be guessed.
    pub suggestion: Option<String>,
}

impl Diagnostic {
    /// An error about a file as a whole, placed at its first character.
    #[must_use]
    pub fn of_file(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            line: 1,
            column: 1,
            severity: Severity::Error,
            message: message.into(),
            suggestion: None,
        }
    }

    /// Whether the file is refused because of this.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, severity, message, .. } = self;
        write!(f, "{path}:{line}:{column}: {severity}: {message}")?;
        match &self.suggestion {
            Some(mend) => write!(f, " (did you mean {}?)", Quoted(mend)),
            None => Ok(()),
        }
    }
}

/// `{"file","line","column","message","suggestion"}`, the shape that the admin plane answers a bad reload with.
impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("Diagnostic", 5)?;
        body.serialize_field("file", &*self.path)?;
        body.serialize_field("line", &self.line)?;
        body.serialize_field("column", &self.column)?;
        body.serialize_field("message", &self.message)?;
        body.serialize_field("suggestion", &self.suggestion)?;
        body.end()
    }
}

/// Longest piece of a file that a message repeats, in characters: a line of a terminal.
const QUOTED_CHARS: usize = 80;

/// Text from a file, safe inside a one-line message: quoted, control characters escaped, cut when long.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for (index, character) in self.0.chars().enumerate() {
            if index == QUOTED_CHARS {
                return f.write_str("…\"");
            }
            match character {
                '\\' | '"' | '\'' => write!(f, "{character}")?,
                other => write!(f, "{}", other.escape_debug())?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(suggestion: Option<&str>) -> Diagnostic {
        Diagnostic {
            path: "policy.toml".into(),
            line: 3,
            column: 7,
            severity: Severity::Error,
            message: "unknown key \"pric\"".to_owned(),
            suggestion: suggestion.map(str::to_owned),
        }
    }

    #[test]
    fn display_is_one_line_with_the_suggestion_last() {
        assert_eq!(
            diagnostic(Some("price")).to_string(),
            "policy.toml:3:7: error: unknown key \"pric\" (did you mean \"price\"?)"
        );
        assert_eq!(diagnostic(None).to_string(), "policy.toml:3:7: error: unknown key \"pric\"");
    }

    #[test]
    fn json_has_the_keys_of_a_refused_reload() {
        let json = serde_json::to_string(&diagnostic(None)).unwrap();
        assert_eq!(
            json,
            r#"{"file":"policy.toml","line":3,"column":7,"message":"unknown key \"pric\"","suggestion":null}"#
        );
    }

    #[test]
    fn quoted_text_stays_on_one_line_and_is_cut() {
        assert_eq!(Quoted("a\nb\u{1b}[0m").to_string(), r#""a\nb\u{1b}[0m""#);
        assert_eq!(Quoted(&"x".repeat(500)).to_string().chars().count(), QUOTED_CHARS + 3);
    }
}
