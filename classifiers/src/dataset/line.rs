//! One line.

use serde::Deserialize;
use serde_json::Value;

use super::{LineFault, Row};

/// The keys that matter, of whatever kind: each is judged by itself so that the message names it.
#[derive(Deserialize)]
struct Raw {
    id: Option<Value>,
    prompt: Option<Value>,
    category: Option<Value>,
    weak_score: Option<Value>,
    strong_score: Option<Value>,
    assumed: Option<Value>,
}

pub(super) fn complete(line: &str) -> Result<Row, LineFault> {
    let row = row(parse(line)?)?;
    match (row.weak_score, row.strong_score) {
        (None, _) => Err(LineFault::Missing("weak_score")),
        (_, None) => Err(LineFault::Missing("strong_score")),
        _ => Ok(row),
    }
}

/// None if the line has no prompt.
pub(super) fn outcome(line: &str) -> Result<Option<Row>, LineFault> {
    let raw = parse(line)?;
    if raw.prompt.as_ref().is_none_or(Value::is_null) { Ok(None) } else { row(raw).map(Some) }
}

fn parse(line: &str) -> Result<Raw, LineFault> {
    serde_json::from_str(line).map_err(LineFault::NotJson)
}

fn row(raw: Raw) -> Result<Row, LineFault> {
    let row = Row {
        id: text(raw.id, "id")?,
        prompt: text(raw.prompt, "prompt")?,
        category: raw.category.and_then(|value| value.as_str().map(str::to_owned)),
        weak_score: score(raw.weak_score, "weak_score")?,
        strong_score: score(raw.strong_score, "strong_score")?,
        assumed: raw.assumed.and_then(|value| value.as_bool()).unwrap_or(false),
    };
    if row.weak_score.is_none() && row.strong_score.is_none() {
        return Err(LineFault::Missing("weak_score"));
    }
    Ok(row)
}

fn text(value: Option<Value>, key: &'static str) -> Result<String, LineFault> {
    match value {
        None => Err(LineFault::Missing(key)),
        Some(Value::String(text)) if text.trim().is_empty() => Err(LineFault::Blank(key)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(LineFault::Kind { key, wanted: "a string" }),
    }
}

fn score(value: Option<Value>, key: &'static str) -> Result<Option<f32>, LineFault> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(None) };
    let value = value.as_f64().ok_or(LineFault::Kind { key, wanted: "a number" })?;
    if (0.0..=1.0).contains(&value) {
        Ok(Some(value as f32))
    } else {
        Err(LineFault::OutOfRange { key, value })
    }
}
