//! Folders of files that must pass and of files that must not, with the exact diagnostics.
//!
//! `UPDATE=1 cargo test -p router-policies --test files` writes what is found as what is expected; look at the
//! difference before you keep it.

use std::fs;
use std::path::{Path, PathBuf};

use router_policies::{SecretFault, SecretRef, Severity, Surroundings, check_with};

/// No secret is ever set: what a file says about them does not depend on the machine.
fn unset(_: &SecretRef) -> Result<router_core::Secret, SecretFault> {
    Err(SecretFault::Unset)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

/// The diagnostics of a file, one a line; secrets are looked at only where the file's name says so.
fn found(path: &Path) -> (String, bool) {
    let text = fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let secrets = name.contains("secret").then_some(&unset as _);
    let diagnostics = check_with(&name, &text, &Surroundings { secrets, ..Surroundings::default() });
    let refused = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    (diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect(), refused)
}

/// Compares with the `.stderr` beside the file; no such file means: nothing is found.
fn compare(path: &Path, found: &str, differing: &mut Vec<String>) {
    let expected_path = path.with_extension("stderr");
    if std::env::var_os("UPDATE").is_some() {
        if found.is_empty() {
            let _ = fs::remove_file(&expected_path);
        } else {
            fs::write(&expected_path, found).unwrap();
        }
        return;
    }
    let expected = fs::read_to_string(&expected_path).unwrap_or_default();
    if found != expected {
        differing.push(format!("{}:\nexpected:\n{expected}found:\n{found}", path.display()));
    }
}

#[test]
fn accepted_files_have_no_error() {
    let files = files("accept");
    assert!(files.len() >= 8, "only {} files", files.len());
    let mut differing = Vec::new();
    for path in files {
        let (found, refused) = found(&path);
        assert!(!refused, "{} is refused:\n{found}", path.display());
        compare(&path, &found, &mut differing);
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn refused_files_say_why_and_where() {
    let files = files("refuse");
    assert!(files.len() >= 25, "only {} files", files.len());
    let mut differing = Vec::new();
    for path in files {
        let (found, refused) = found(&path);
        assert!(refused, "{} is accepted:\n{found}", path.display());
        // The secret that these files hold by mistake.
        assert!(!found.contains("hunter2"), "{} repeats a secret:\n{found}", path.display());
        compare(&path, &found, &mut differing);
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
