//! Questions labelled with how soon their answers change, as JSON lines.

use std::io::BufRead;

use serde::Deserialize;
use thiserror::Error;

/// One labelled question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The question, never blank.
    pub question: String,
    /// How soon its answer changes.
    pub changes: Changes,
}

/// How soon an answer changes, from an hour to never (the classes of RecencyQA, arXiv 2603.16544).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Changes {
    #[serde(rename = "An-Hour")]
    AnHour,
    #[serde(rename = "A-Few-Hours")]
    AFewHours,
    #[serde(rename = "A-Day")]
    ADay,
    #[serde(rename = "A-Few-Days")]
    AFewDays,
    #[serde(rename = "A-Week")]
    AWeek,
    #[serde(rename = "A-Few-Weeks")]
    AFewWeeks,
    #[serde(rename = "A-Month")]
    AMonth,
    #[serde(rename = "A-Few-Months")]
    AFewMonths,
    #[serde(rename = "A-Year")]
    AYear,
    #[serde(rename = "A-Few-Years")]
    AFewYears,
    #[serde(rename = "Many-Years")]
    ManyYears,
    Never,
}

/// A line that cannot be used.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// Not `{"question", "changes"}` with a known class.
    #[error("line {line}: {fault}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        fault: serde_json::Error,
    },
    /// Nothing but blanks.
    #[error("line {line}: `question` is empty")]
    Blank {
        /// Counted from 1.
        line: usize,
    },
    /// No line holds a question.
    #[error("the data is empty: no line holds a question")]
    Empty,
    /// The file could not be read to its end.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

#[derive(Deserialize)]
struct Raw {
    question: String,
    changes: Changes,
}

/// Reads `{"question", "changes"}` lines; other keys are ignored, blank lines skipped.
///
/// # Errors
/// At the first line that is not such a question, with its number.
pub fn read_questions(mut reader: impl BufRead) -> Result<Vec<Question>, DatasetError> {
    let mut questions = Vec::new();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        let raw: Raw = serde_json::from_slice(&bytes).map_err(|fault| DatasetError::Line { line, fault })?;
        if raw.question.trim().is_empty() {
            return Err(DatasetError::Blank { line });
        }
        questions.push(Question { question: raw.question, changes: raw.changes });
    }
    if questions.is_empty() { Err(DatasetError::Empty) } else { Ok(questions) }
}
