//! Labelled prompts, as JSON lines.

mod line;

use std::collections::HashMap;
use std::io::BufRead;

use thiserror::Error;

/// One labelled prompt: how well a weak and a strong model answered it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Unique within its file.
    pub id: String,
    /// The question, never blank.
    pub prompt: String,
    /// Free to use; not a feature.
    pub category: Option<String>,
    /// 0..=1. Only outcomes ([`read_outcomes`]) may lack it.
    pub weak_score: Option<f32>,
    /// 0..=1. Only outcomes may lack it.
    pub strong_score: Option<f32>,
    /// Whether the scores are an assumption rather than observed (`"assumed": true`): such a row teaches order and domain, and
    /// is left out when probabilities are calibrated.
    pub assumed: bool,
}

impl Row {
    /// Strong minus weak, where both are known.
    #[must_use]
    pub fn gain(&self) -> Option<f32> {
        Some(self.strong_score? - self.weak_score?)
    }
}

/// A file of rows that cannot be used, and the line that says why.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// One line is wrong.
    #[error("line {line}: {fault}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// No line holds a row.
    #[error("the data is empty: no line holds a row")]
    Empty,
    /// The file could not be read to its end.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum LineFault {
    /// Not UTF-8.
    #[error("not valid UTF-8")]
    NotUtf8,
    /// Not a JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(serde_json::Error),
    /// A key is not there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A key has a value of another kind.
    #[error("`{key}` must be {wanted}")]
    Kind {
        /// The key.
        key: &'static str,
        /// What its value must be.
        wanted: &'static str,
    },
    /// A score below 0 or above 1.
    #[error("`{key}` must be from 0 to 1, found {value}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// Its value.
        value: f64,
    },
    /// Nothing but blanks.
    #[error("`{0}` is empty")]
    Blank(&'static str),
    /// An id that an earlier line has.
    #[error("the id \"{id}\" was already used in line {first}")]
    Duplicate {
        /// The id.
        id: String,
        /// Where it was first.
        first: usize,
    },
}

/// Rows from the outcomes of served requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// One row for each request whose text was kept, with whatever is known of the two models.
    pub rows: Vec<Row>,
    /// Lines without a prompt: the policy did not let it be kept, so they cannot teach.
    pub without_prompt: usize,
}

/// Reads complete rows: `{"id", "prompt", "category"?, "weak_score", "strong_score", "assumed"?}`; other keys are ignored,
/// blank lines skipped.
///
/// # Errors
/// At the first line that is not a row, with its number.
pub fn read_rows(reader: impl BufRead) -> Result<Vec<Row>, DatasetError> {
    let mut rows: Vec<Row> = Vec::new();
    let mut first_lines = HashMap::new();
    each_line(reader, |line, text| {
        let row = line::complete(text)?;
        if let Some(first) = first_lines.insert(row.id.clone(), line) {
            return Err(LineFault::Duplicate { id: row.id, first });
        }
        rows.push(row);
        Ok(())
    })?;
    if rows.is_empty() { Err(DatasetError::Empty) } else { Ok(rows) }
}

/// Reads observed outcomes: the same lines, of which any may lack one of the scores. Lines with the same id are one
/// request; a later line adds to an earlier one and corrects it. Lines without a prompt are counted and passed over.
///
/// # Errors
/// At the first line that is not an outcome, with its number.
pub fn read_outcomes(reader: impl BufRead) -> Result<Outcomes, DatasetError> {
    let mut outcomes = Outcomes::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    each_line(reader, |_, text| {
        let Some(row) = line::outcome(text)? else {
            outcomes.without_prompt += 1;
            return Ok(());
        };
        match places.get(&row.id).and_then(|&at| outcomes.rows.get_mut(at)) {
            Some(earlier) => {
                earlier.weak_score = row.weak_score.or(earlier.weak_score);
                earlier.strong_score = row.strong_score.or(earlier.strong_score);
            }
            None => {
                places.insert(row.id.clone(), outcomes.rows.len());
                outcomes.rows.push(row);
            }
        }
        Ok(())
    })?;
    if outcomes.rows.is_empty() && outcomes.without_prompt == 0 {
        Err(DatasetError::Empty)
    } else {
        Ok(outcomes)
    }
}

fn each_line(
    mut reader: impl BufRead,
    mut take: impl FnMut(usize, &str) -> Result<(), LineFault>,
) -> Result<(), DatasetError> {
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let fault = |fault| DatasetError::Line { line, fault };
        let text = std::str::from_utf8(&bytes).map_err(|_| fault(LineFault::NotUtf8))?;
        if !text.trim().is_empty() {
            take(line, text).map_err(fault)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
