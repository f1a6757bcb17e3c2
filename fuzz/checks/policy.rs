//! What must hold for every text that is checked as a file of ours. Shared by the fuzz target and the test that replays
//! its seeds.

use router_policies::{Diagnostic, check as check_file};

/// Checks `file` as both kinds of files and panics where an invariant does not hold.
pub(crate) fn check(file: &[u8]) {
    let Ok(text) = std::str::from_utf8(file) else { return };
    for path in ["policy.toml", "proxy.toml", "other.toml"] {
        let found = check_file(path, text);
        assert_eq!(check_file(path, text), found, "the same file gets the same answer");
        for diagnostic in &found {
            check_diagnostic(diagnostic, path, text);
        }
    }
}

/// Names the file, stands at a place in it, and says something in one line.
fn check_diagnostic(diagnostic: &Diagnostic, path: &str, text: &str) {
    assert_eq!(&*diagnostic.path, path);
    assert!(!diagnostic.message.is_empty());
    let shown = diagnostic.to_string();
    assert!(!shown.contains(char::is_control), "{shown:?}");
    assert!(diagnostic.line >= 1 && diagnostic.column >= 1, "{shown}");
    let lines = text.split('\n').count();
    assert!(diagnostic.line as usize <= lines, "line {} of {lines}", diagnostic.line);
    let columns = text.split('\n').nth(diagnostic.line as usize - 1).map_or(0, |line| line.chars().count());
    assert!(diagnostic.column as usize <= columns + 1, "column {} of {columns}", diagnostic.column);
}
