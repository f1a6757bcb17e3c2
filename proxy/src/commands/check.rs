//! `check`: every error of policy and config files.

use std::process::ExitCode;

use router_policies::{Diagnostic, check_files};

use crate::args::Check;
use crate::judge::weights_loader;

/// Prints one line an error or warning on stderr; status 1 if there is an error. Files given together are checked together: the
/// policy against the listeners of the proxy file.
///
/// # Errors
/// None: what is wrong with a file is printed.
pub fn check(options: &Check) -> anyhow::Result<ExitCode> {
    let found = check_files(&options.files, Some(&weights_loader()));
    for diagnostic in &found {
        eprintln!("{diagnostic}");
    }
    Ok(if found.iter().any(Diagnostic::is_error) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
