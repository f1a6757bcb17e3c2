//! `train`: fits what the router decides by.

use std::process::ExitCode;

use anyhow::Context;
use router_classifiers::dataset::read_outcomes;
use router_classifiers::learned::train::{Options, fit};

use super::eval::{lines, rows};
use crate::args::TrainComplexity;

/// `train complexity`: the same input gives the same bytes.
///
/// # Errors
/// Data that cannot be read or learned from, a file that cannot be written.
pub fn complexity(options: &TrainComplexity) -> anyhow::Result<ExitCode> {
    let mut data = Vec::new();
    for path in &options.data {
        data.extend(rows(path)?);
    }
    for path in &options.from_outcomes {
        let outcomes = read_outcomes(lines(path)?).with_context(|| path.display().to_string())?;
        if outcomes.without_prompt > 0 {
            eprintln!(
                "{}: {} outcomes without a prompt are passed over",
                path.display(),
                outcomes.without_prompt
            );
        }
        data.extend(outcomes.rows);
    }
    let defaults = Options::default();
    let fitted = fit(
        &data,
        &Options {
            name: options.name.clone().unwrap_or(defaults.name),
            note: options.note.clone().unwrap_or(defaults.note),
            simple_share: options.simple_share,
            seed: defaults.seed,
        },
    )?;
    let bytes = fitted.to_bytes();
    std::fs::write(&options.out, &bytes)
        .with_context(|| format!("{} cannot be written", options.out.display()))?;
    eprintln!(
        "{}: {} bytes, {} rows, checksum {:016x}",
        options.out.display(),
        bytes.len(),
        data.len(),
        fitted.checksum()
    );
    Ok(ExitCode::SUCCESS)
}
