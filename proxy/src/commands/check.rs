//! `check`: every error of policy and config files.

use std::process::ExitCode;

use router_policies::{Severity, check as diagnose, read_text};

use crate::args::Check;

/// Prints one line an error or warning on stderr; status 1 if there is an error.
///
/// # Errors
/// None: what is wrong with a file is printed.
pub fn check(options: &Check) -> anyhow::Result<ExitCode> {
    let mut errors = 0;
    for path in &options.files {
        let diagnostics = match read_text(path) {
            Ok(text) => diagnose(&path.to_string_lossy(), &text),
            Err(unreadable) => vec![unreadable],
        };
        for diagnostic in &diagnostics {
            eprintln!("{diagnostic}");
        }
        errors += diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
