//! Replays the committed seeds of the fuzz targets `digest`, `scope` and `guards`, so that what fuzzing found stays found.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::path::Path;

#[path = "../../fuzz/checks/digest.rs"]
mod digest;
#[path = "../../fuzz/checks/guards.rs"]
mod guards;
#[path = "../../fuzz/checks/scope.rs"]
mod scope;

/// Checks every seed of a target, whole and cut short anywhere: nothing breaks.
fn replay(target: &str, least: usize, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let entries = std::fs::read_dir(&folder).expect("the folder of seeds");
    let mut seeds: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    seeds.sort();
    assert!(seeds.len() >= least, "only {} seeds in {}", seeds.len(), folder.display());
    for seed in seeds {
        println!("{}", seed.display());
        let body = std::fs::read(&seed).expect("a readable seed");
        check(&body);
        for end in 0..body.len().min(600) {
            check(&body[..end]);
        }
    }
}

#[test]
fn digest_seeds() {
    replay("digest", 20, digest::check);
}

#[test]
fn scope_seeds() {
    replay("scope", 13, scope::check);
}

#[test]
fn guards_seeds() {
    replay("guards", 20, guards::check);
}
