//! Replays the committed seeds of the fuzz target `digest`, so that what fuzzing found stays found.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::path::Path;

#[path = "../../fuzz/checks/digest.rs"]
mod digest;

#[test]
fn digest_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/digest");
    let entries = std::fs::read_dir(&folder).expect("the folder of seeds");
    let mut seeds: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 20, "only {} seeds in {}", seeds.len(), folder.display());
    for seed in seeds {
        println!("{}", seed.display());
        let body = std::fs::read(&seed).expect("a readable seed");
        digest::check(&body);
        // Cut short anywhere, it is refused or read, but nothing breaks.
        for end in 0..body.len().min(600) {
            digest::check(&body[..end]);
        }
    }
}
