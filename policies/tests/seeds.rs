//! Replays the committed seeds of the fuzz target `policy`, so that what fuzzing found stays found.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::path::Path;

#[path = "../../fuzz/checks/policy.rs"]
mod policy;

#[test]
fn policy_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/policy");
    let entries = std::fs::read_dir(&folder).expect("the folder of seeds");
    let mut seeds: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 10, "only {} seeds in {}", seeds.len(), folder.display());
    for seed in seeds {
        println!("{}", seed.display());
        policy::check(&std::fs::read(&seed).expect("a readable seed"));
    }
}
