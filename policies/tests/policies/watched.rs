//! The ways in which a file changes under us.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use router_policies::{Diagnostic, Live, Reloaded, Watch, WatchFault, watch};

use crate::setup::{open, setup, small_policy};

type Result = std::result::Result<Reloaded, Vec<Diagnostic>>;

/// Only a test that has failed waits so long.
const GIVE_UP: Duration = Duration::from_secs(60);

struct Watched {
    live: Arc<Live>,
    results: Receiver<Result>,
    /// Ends with the test.
    _watch: Watch,
}

impl Watched {
    fn new(path: &Path) -> Self {
        let live = open(path);
        let (sender, results) = mpsc::channel();
        let watch = watch(Arc::clone(&live), move |result| sender.send(result).unwrap()).unwrap();
        Self { live, results, _watch: watch }
    }

    /// Waits until the policy keeps answers for so many seconds. Reloads on the way may fail: a file can be seen
    /// while it is being written.
    fn becomes(&self, seconds: u64) {
        while self.live.snapshot().cache.ttl != Duration::from_secs(seconds) {
            let _ = self.results.recv_timeout(GIVE_UP).expect("the change is not seen");
        }
    }

    fn next(&self) -> Result {
        self.results.recv_timeout(GIVE_UP).expect("the change is not seen")
    }
}

#[test]
fn a_rename_over_the_file_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, small_policy("1s")).unwrap();
    let watched = Watched::new(&path);
    for seconds in 2..5 {
        let new = folder.path().join(".policy.toml.tmp");
        fs::write(&new, small_policy(&format!("{seconds}s"))).unwrap();
        fs::rename(&new, &path).unwrap();
        watched.becomes(seconds);
    }
}

#[test]
fn a_truncate_and_write_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, small_policy("1s")).unwrap();
    let watched = Watched::new(&path);
    for seconds in 2..5 {
        fs::write(&path, small_policy(&format!("{seconds}s"))).unwrap();
        watched.becomes(seconds);
    }
}

/// A volume as Kubernetes mounts a config map: the file links into `..data`, which links to a dated folder, and an
/// update replaces `..data` by a rename and removes the old folder.
#[test]
fn a_swapped_link_to_a_folder_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let publish = |seconds: u64| {
        let dated = format!("..2026_11_20_{seconds}");
        fs::create_dir(root.join(&dated)).unwrap();
        fs::write(root.join(&dated).join("policy.toml"), small_policy(&format!("{seconds}s"))).unwrap();
        symlink(&dated, root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    };
    publish(1);
    symlink("..data/policy.toml", root.join("policy.toml")).unwrap();
    let watched = Watched::new(&root.join("policy.toml"));
    for seconds in 2..5 {
        publish(seconds);
        watched.becomes(seconds);
        fs::remove_dir_all(root.join(format!("..2026_11_20_{}", seconds - 1))).unwrap();
    }
}

/// Releases side by side, and a link in the middle of the path that says which one counts.
#[test]
fn a_swapped_folder_on_the_way_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for seconds in 1..4 {
        let release = root.join(format!("release-{seconds}/etc"));
        fs::create_dir_all(&release).unwrap();
        fs::write(release.join("policy.toml"), small_policy(&format!("{seconds}s"))).unwrap();
    }
    symlink("release-1", root.join("current")).unwrap();
    let watched = Watched::new(&root.join("current/etc/policy.toml"));
    for seconds in 2..4 {
        symlink(format!("release-{seconds}"), root.join("next")).unwrap();
        fs::rename(root.join("next"), root.join("current")).unwrap();
        watched.becomes(seconds);
    }
}

#[test]
fn a_bad_file_is_reported_and_the_next_good_one_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    let replace = |text: &str| {
        let new = folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &path).unwrap();
    };
    fs::write(&path, small_policy("1s")).unwrap();
    let watched = Watched::new(&path);
    replace("[cache]\nttl = 1\n");
    let refused = watched.next().unwrap_err();
    assert_eq!(refused[0].suggestion.as_deref(), Some("1s"));
    assert_eq!(watched.live.snapshot().generation(), 1);
    replace(&small_policy("2s"));
    let reloaded = watched.next().unwrap();
    assert_eq!(reloaded.changed, ["cache.ttl"]);
}

#[test]
fn the_same_text_again_is_no_reload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    fs::write(&path, small_policy("1s")).unwrap();
    let watched = Watched::new(&path);
    let replace = |text: &str| {
        let new = folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &path).unwrap();
    };
    // The file is replaced by itself, then by another: the first report is about the second.
    replace(&small_policy("1s"));
    replace(&small_policy("2s"));
    assert_eq!(watched.next().unwrap().generation, 2);
}

#[test]
fn a_file_that_comes_back_counts_as_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.toml");
    let away = folder.path().join("away");
    fs::write(&path, small_policy("1s")).unwrap();
    let watched = Watched::new(&path);
    fs::rename(&path, &away).unwrap();
    assert!(watched.next().is_err());
    fs::rename(&away, &path).unwrap();
    // Whatever was seen on the way, the last word is that all is well.
    while watched.next().is_err() {}
    assert_eq!(watched.live.snapshot().cache.ttl, Duration::from_secs(1));
}

/// A policy beside which its weights are, under this name.
fn weighted(name: &str) -> String {
    format!("{}[scorer]\nweights = \"{name}\"\n", small_policy("1s"))
}

#[test]
fn changed_weights_are_seen_wherever_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for place in ["policy", "one", "two"] {
        fs::create_dir(at(place)).unwrap();
    }
    fs::write(at("one/w.bin"), "weights first").unwrap();
    fs::write(at("two/w.bin"), "weights third").unwrap();
    fs::write(at("policy/policy.toml"), weighted("../one/w.bin")).unwrap();
    let watched = Watched::new(&at("policy/policy.toml"));
    let is = |name: &str| assert_eq!(watched.live.snapshot().scorer.name(), name);
    fs::write(at("one/new"), "weights second").unwrap();
    fs::rename(at("one/new"), at("one/w.bin")).unwrap();
    assert_eq!(watched.next().unwrap().changed, ["scorer"]);
    is("second");
    // Other weights, in a folder that nobody has watched so far.
    fs::write(at("new"), weighted("../two/w.bin")).unwrap();
    fs::rename(at("new"), at("policy/policy.toml")).unwrap();
    watched.next().unwrap();
    is("third");
    fs::write(at("two/new"), "weights fourth").unwrap();
    fs::rename(at("two/new"), at("two/w.bin")).unwrap();
    watched.next().unwrap();
    is("fourth");
}

#[test]
fn weights_that_were_bad_are_seen_to_be_mended() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let replace = |text: &str| {
        fs::write(at("new"), text).unwrap();
        fs::rename(at("new"), at("w.bin")).unwrap();
    };
    fs::write(at("policy.toml"), weighted("w.bin")).unwrap();
    replace("weights first");
    let watched = Watched::new(&at("policy.toml"));
    replace("damaged");
    assert!(watched.next().unwrap_err()[0].message.contains("is refused"));
    assert_eq!(watched.live.snapshot().scorer.name(), "first");
    replace("weights second");
    assert_eq!(watched.next().unwrap().generation, 2);
    assert_eq!(watched.live.snapshot().scorer.name(), "second");
}

#[test]
fn a_made_policy_has_nothing_to_watch() {
    let source = router_policies::Source::new("made", "");
    let file = router_policies::PolicyFile::empty(source);
    let (live, _) = Live::open(router_policies::Origin::Made(Box::new(file)), setup()).unwrap();
    assert!(matches!(watch(Arc::new(live), |_| {}), Err(WatchFault::NoFile)));
}
