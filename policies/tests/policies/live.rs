//! Replacing the policy in force.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use router_policies::{Environment, Live, Origin, Setup};

use crate::setup::{open, setup, shown, small_policy};

#[test]
fn a_bad_policy_changes_nothing_and_a_good_one_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, small_policy("1h")).unwrap();
    let live = open(&path);
    assert_eq!(live.snapshot().generation(), 1);

    fs::write(&path, small_policy("1 fortnight")).unwrap();
    let refused = live.reload().unwrap_err();
    assert_eq!(refused.len(), 1, "{}", shown(&refused));
    assert_eq!((refused[0].line, refused[0].column), (7, 7));
    assert_eq!(live.snapshot().generation(), 1);
    assert_eq!(live.snapshot().cache.ttl, Duration::from_secs(3_600));

    fs::write(&path, small_policy("2h")).unwrap();
    let held = live.snapshot();
    let reloaded = live.reload().unwrap();
    assert_eq!(reloaded.generation, 2);
    assert_eq!(reloaded.changed, ["cache.ttl"]);
    assert_eq!(live.snapshot().cache.ttl, Duration::from_secs(7_200));
    assert_eq!(held.cache.ttl, Duration::from_secs(3_600), "a request keeps the policy that it began with");
}

#[test]
fn a_policy_that_cannot_be_read_keeps_the_last_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, small_policy("1h")).unwrap();
    let live = open(&path);
    for (contents, message) in [
        (&b""[..], "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"[cache]\nttl = \"\xff\"", "the file is not UTF-8"),
    ] {
        fs::write(&path, contents).unwrap();
        assert_eq!(live.reload().unwrap_err()[0].message, message);
    }
    let place = live.reload().unwrap_err()[0].clone();
    assert_eq!((place.line, place.column), (2, 8));
    fs::write(&path, "#".repeat(2 << 20)).unwrap();
    assert!(live.reload().unwrap_err()[0].message.contains("larger than 1 MiB"));
    fs::remove_file(&path).unwrap();
    assert!(live.reload().unwrap_err()[0].message.starts_with("cannot be read"));
    assert_eq!(live.snapshot().generation(), 1);
}

#[test]
fn a_first_policy_that_is_bad_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, "modles = {}\n").unwrap();
    let refused = Live::open(Origin::File(path.clone()), setup()).unwrap_err();
    assert!(shown(&refused).ends_with(":1:1: error: unknown key \"modles\" (did you mean \"models\"?)\n"));
}

#[test]
fn a_made_policy_reloads_its_secrets_only() {
    let variables = |name: &str| (name == "OPENAI_API_KEY").then(|| "k".to_owned());
    let file = Environment::read(variables).unwrap().policy(&[]);
    let (live, warnings) = Live::open(Origin::Made(Box::new(file)), setup()).unwrap();
    assert!(warnings.is_empty(), "{}", shown(&warnings));
    assert_eq!(live.path(), None);
    let reloaded = live.reload().unwrap();
    assert_eq!((reloaded.generation, reloaded.changed.len()), (2, 0));
}

/// A policy that names its weights.
fn weighted(name: &str) -> String {
    format!("{}[scorer]\nweights = \"{name}\"\n", small_policy("1h"))
}

#[test]
fn weights_are_read_again_at_every_reload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, weighted("w.bin")).unwrap();
    fs::write(folder.path().join("w.bin"), "weights first").unwrap();
    let live = open(&path);
    assert_eq!(live.snapshot().scorer.name(), "first");
    fs::write(folder.path().join("w.bin"), "weights second").unwrap();
    assert_eq!(live.reload().unwrap().changed, ["scorer"]);
    assert_eq!(live.snapshot().scorer.name(), "second");
    fs::write(&path, small_policy("1h")).unwrap();
    assert_eq!(live.reload().unwrap().changed, ["scorer"]);
    assert_eq!(live.snapshot().scorer.name(), "undecided", "the built-in scorer is back");
}

#[test]
fn bad_weights_are_an_error_at_their_key_and_the_last_good_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    let weights = folder.path().join("w.bin");
    fs::write(&path, weighted("w.bin")).unwrap();
    fs::write(&weights, "weights first").unwrap();
    let live = open(&path);
    let refused = |reason: &str| {
        let found = live.reload().unwrap_err();
        assert_eq!(found.len(), 1, "{}", shown(&found));
        assert_eq!((found[0].line, found[0].column), (9, 11));
        assert!(found[0].message.starts_with(reason), "{}", found[0]);
        assert_eq!((live.snapshot().scorer.name(), live.snapshot().generation()), ("first", 1));
    };
    fs::write(&weights, "damaged").unwrap();
    refused("weights: \"w.bin\" is refused: these are no weights");
    fs::write(&weights, vec![b'w'; (4 << 20) + 1]).unwrap();
    refused("weights: \"w.bin\" is larger than 4 MiB");
    fs::remove_file(&weights).unwrap();
    refused("weights: \"w.bin\" cannot be read: ");
}

#[test]
fn bad_weights_are_told_with_all_else_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, weighted("none.bin").replace("1h", "1 fortnight")).unwrap();
    let found = Live::open(Origin::File(path), setup()).unwrap_err();
    assert_eq!(found.iter().map(|diagnostic| diagnostic.line).collect::<Vec<_>>(), [7, 9]);
}

#[test]
fn without_a_loader_weights_are_refused_rather_than_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, weighted("w.bin")).unwrap();
    fs::write(folder.path().join("w.bin"), "weights first").unwrap();
    let setup = Setup { loader: None, ..setup() };
    let found = Live::open(Origin::File(path), setup).unwrap_err();
    assert!(
        shown(&found)
            .ends_with(":9:11: error: weights: \"w.bin\" cannot be used: this program loads no weights\n")
    );
}

#[test]
fn whoever_looks_during_a_reload_sees_one_whole_policy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    // Two values that always change together.
    let policy = |n: u32| format!("{}max_bytes = \"{n}KiB\"\n", small_policy(&format!("{n}s")));
    fs::write(&path, policy(1)).unwrap();
    let live = open(&path);
    let done = Arc::new(AtomicBool::new(false));
    let reader = {
        let (live, done) = (Arc::clone(&live), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let snapshot = live.snapshot();
                assert_eq!(snapshot.cache.ttl.as_secs() * 1024, snapshot.cache.max_bytes);
                assert!(snapshot.generation() >= last, "the policy went back");
                last = snapshot.generation();
            }
            last
        })
    };
    for n in 2..=50 {
        fs::write(&path, policy(n)).unwrap();
        assert_eq!(live.reload().unwrap().changed, ["cache.max_bytes", "cache.ttl"]);
    }
    done.store(true, Ordering::Relaxed);
    assert!(reader.join().unwrap() <= 50);
    assert_eq!(live.snapshot().generation(), 50);
}
