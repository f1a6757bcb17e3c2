//! What is asked and what was measured.

use std::fmt::Write as _;

use serde::Serialize;

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) scenario: String,
    pub(super) asked: &'static str,
    pub(super) measured: String,
    pub(super) reached: bool,
}

impl Row {
    pub(super) fn new(
        scenario: impl Into<String>,
        asked: &'static str,
        measured: String,
        reached: bool,
    ) -> Self {
        Self { scenario: scenario.into(), asked, measured, reached }
    }
}

/// As Markdown.
pub(super) fn table(rows: &[Row]) -> String {
    let mut table = String::from("| scenario | asked | measured | reached |\n|---|---|---|---|\n");
    for Row { scenario, asked, measured, reached } in rows {
        let reached = if *reached { "yes" } else { "**no**" };
        // Writing to a string does not fail.
        let _ = writeln!(table, "| {scenario} | {asked} | {measured} | {reached} |");
    }
    table
}
