//! Replays the committed seeds of the fuzz target `sse`, so that what fuzzing found stays found.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::path::Path;

#[path = "../../fuzz/checks/sse.rs"]
mod sse;

#[test]
fn sse_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/sse");
    let entries = std::fs::read_dir(&folder).expect("the folder of seeds");
    let mut seeds: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 10, "only {} seeds in {}", seeds.len(), folder.display());
    for seed in seeds {
        println!("{}", seed.display());
        sse::check(&std::fs::read(&seed).expect("a readable seed"));
    }
}
