//! `check`: every error of policy and config files.

use std::process::ExitCode;

use router_policies::{Severity, check_files};

use crate::args::Check;

/// Prints one line an error or warning on stderr; status 1 if there is an error.
///
/// # Errors
/// None: what is wrong with a file is printed.
pub fn check(options: &Check) -> anyhow::Result<ExitCode> {
    let diagnostics = check_files(&options.files);
    for diagnostic in &diagnostics {
        eprintln!("{diagnostic}");
    }
    let refused = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
