//! Reloads the policy when its file, or that of the weights it names, changes.
//!
//! Folders are watched, not the file: editors write a new file and rename it over the old one, and Kubernetes
//! swaps a symbolic link to a folder (`policy.toml → ..data/policy.toml`, `..data → ..2026_11_20`). Either way
//! the file that was watched would be gone. Any event in those folders only means "look again": after a short
//! quiet text and weights are compared with what was tried last, so a half-written file is mostly never seen, and
//! a touch without a change does nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use thiserror::Error;

use crate::diagnostics::Diagnostic;
use crate::live::{Live, Reloaded};

/// How long the folder must be quiet before the file is read: an editor's truncate and write are a few
/// milliseconds apart, a person does not notice a tenth of a second.
const QUIET: Duration = Duration::from_millis(100);

/// The longest that a folder that is never quiet can put off a look.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a policy cannot be watched.
#[derive(Debug, Error)]
pub enum WatchFault {
    /// The policy has no file.
    #[error("the policy comes from no file")]
    NoFile,
    /// The system refused.
    #[error("the policy's folder cannot be watched: {0}")]
    Refused(#[from] notify::Error),
    /// No thread could be started.
    #[error("no thread to watch from: {0}")]
    NoThread(#[from] std::io::Error),
}

/// Keeps a policy watched. Dropping it ends the watch and waits for a reload in progress.
#[derive(Debug)]
pub struct Watch {
    /// Dropped first: without it the thread's channel closes.
    stop: Option<mpsc::Sender<Signal>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What wakes the thread.
enum Signal {
    Changed,
    Stop,
}

/// Watches the files of `live` from a thread of its own and reloads it on change. `report` gets the result of
/// every reload that the watch began.
///
/// # Errors
/// [`WatchFault`] where there is nothing to watch or no means to.
pub fn watch(
    live: Arc<Live>,
    report: impl Fn(Result<Reloaded, Vec<Diagnostic>>) + Send + 'static,
) -> Result<Watch, WatchFault> {
    live.path().ok_or(WatchFault::NoFile)?;
    let (sender, signals) = mpsc::channel();
    let events = sender.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if event.is_err() || event.is_ok_and(|event| is_change(&event.kind)) {
            // The receiver is gone only when the watch is being dropped.
            let _ = events.send(Signal::Changed);
        }
    })?;
    let mut folders = Folders { watcher, watched: BTreeSet::new() };
    folders.follow(&live.files())?;
    let run = move || {
        while wait(&signals) {
            look(&live, &mut folders, &report);
        }
    };
    let thread = thread::Builder::new().name("policy-watch".to_owned()).spawn(run)?;
    Ok(Watch { stop: Some(sender), thread: Some(thread) })
}

/// Reloads what has changed. Where the new policy names other files, looks again once these are watched: a change
/// in between would be missed.
fn look(live: &Live, folders: &mut Folders, report: &impl Fn(Result<Reloaded, Vec<Diagnostic>>)) {
    loop {
        let files = live.files();
        // A folder that vanished is watched again when its parent says that it is back.
        let _ = folders.follow(&files);
        if let Some(result) = live.reload_if_changed() {
            report(result);
        }
        if live.files() == files {
            return;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(Signal::Stop);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether an event can mean new contents. Reading the file is an event too, and must not be one of them.
fn is_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

/// Waits for a change and then for quiet. `false` when the watch ends.
fn wait(signals: &Receiver<Signal>) -> bool {
    let Ok(Signal::Changed) = signals.recv() else { return false };
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        match signals.recv_timeout(QUIET) {
            Ok(Signal::Changed) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

/// The folders on the way to the files.
struct Folders {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

impl Folders {
    /// Watches every folder that holds one of the files or a link on the way to it, and no other.
    fn follow(&mut self, files: &[PathBuf]) -> Result<(), notify::Error> {
        let wanted: BTreeSet<PathBuf> = files.iter().flat_map(|file| folders_to(file)).collect();
        for gone in self.watched.difference(&wanted) {
            // A folder that was removed is no longer watched anyway.
            let _ = self.watcher.unwatch(gone);
        }
        // Watching again is harmless, and necessary where a folder was replaced by one of the same name.
        for folder in &wanted {
            self.watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        self.watched = wanted;
        Ok(())
    }
}

/// Most links that are followed; Linux itself gives up after 40 in one path.
const MAX_LINKS: usize = 40;

/// The folder of the file, and of every link that the path leads through, a linked folder on the way included.
fn folders_to(path: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::from([parent_of(path)]);
    let mut ways = vec![path.to_path_buf()];
    let mut links = 0;
    while let Some(way) = ways.pop() {
        for part in way.ancestors().filter(|part| part.file_name().is_some()) {
            let Ok(target) = std::fs::read_link(part) else { continue };
            links += 1;
            if links > MAX_LINKS {
                break;
            }
            let folder = parent_of(part);
            let target = folder.join(target);
            ways.push(match way.strip_prefix(part) {
                Ok(rest) if !rest.as_os_str().is_empty() => target.join(rest),
                _ => target,
            });
            folders.insert(folder);
        }
    }
    folders.extend(std::fs::canonicalize(path).ok().map(|file| parent_of(&file)));
    folders.retain(|folder| folder.is_dir());
    folders
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
