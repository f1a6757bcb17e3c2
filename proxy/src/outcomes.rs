//! How good answers were: remembered for a while, written down, learned from later.
//!
//! An outcome is one JSON line: what was asked (only where the policy lets prompts be kept), how it was judged, who answered, and how
//! that went. `train complexity --from-outcomes` reads the same lines.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use router_core::cache::matcher::Kind;
use router_core::slots::Slots;
use router_core::{CacheKey, Placement, Snapshot, TenantId};
use serde::{Deserialize, Serialize};

use crate::lines::{self, Fate};
use crate::spool::{Settings, Sink, Spool};

/// Answers that feedback can still refer to. With prompts kept, at most 8 KiB each, about 100 MB; without, a few.
const REMEMBERED: usize = 1 << 14;

/// A prompt is kept up to so many bytes: longer than what a scorer looks at.
const MAX_PROMPT_BYTES: usize = 8 << 10;

/// What is remembered of an answer.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// Who asked.
    pub tenant: TenantId,
    /// Name of the tenant.
    pub tenant_name: Box<str>,
    /// Name of the model that answered.
    pub model: Box<str>,
    /// Where it runs.
    pub placement: Placement,
    /// The served complexity.
    pub complexity: f32,
    /// What was asked, where the policy lets it be kept.
    pub prompt: Option<Box<str>>,
    /// The cache entry that it came from.
    pub cached: Option<Cached>,
}

/// Where a cached answer came from.
#[derive(Clone, Copy, Debug)]
pub struct Cached {
    /// The entry.
    pub key: CacheKey,
    /// For an answer to another question: which matcher found it, and its score.
    pub near: Option<(Kind, f32)>,
}

/// The question, as far as it is kept; `None` where the policy does not allow it.
#[must_use]
pub fn kept_prompt(snapshot: &Snapshot, tenant: TenantId, question: &str) -> Option<Box<str>> {
    if !snapshot.keeps_prompts(tenant) {
        return None;
    }
    let end = (0..=question.len().min(MAX_PROMPT_BYTES)).rev().find(|at| question.is_char_boundary(*at))?;
    Some(question[..end].into())
}

/// Where a judgement comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A person or program said so.
    Feedback,
    /// The answer failed a check and another model was asked.
    Escalation,
    /// The answer was to follow a JSON schema and was no JSON.
    InvalidJson,
}

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    id: String,
    unix_seconds: u64,
    source: Source,
    tenant: Box<str>,
    model: Box<str>,
    placement: &'static str,
    complexity: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weak_score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strong_score: Option<f32>,
}

impl Outcome {
    /// How the answer to request `id` went, 0 bad … 1 good. Internal models count as weak, external ones as strong.
    #[must_use]
    pub fn new(id: &str, remembered: &Remembered, source: Source, score: f32) -> Self {
        let internal = remembered.placement == Placement::Internal;
        Self {
            id: id.to_owned(),
            unix_seconds: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()),
            source,
            tenant: remembered.tenant_name.clone(),
            model: remembered.model.clone(),
            placement: remembered.placement.as_str(),
            complexity: remembered.complexity,
            prompt: remembered.prompt.clone(),
            weak_score: internal.then_some(score),
            strong_score: (!internal).then_some(score),
        }
    }
}

/// Remembers answers and writes outcomes down.
pub struct Outcomes {
    recent: Slots<(Box<str>, Arc<Remembered>)>,
    names: RandomState,
    log: ArcSwapOption<Log>,
}

struct Log {
    place: Place,
    spool: Spool<Outcome>,
}

/// Where the log is and how large it may grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file that is written to; older ones are `FILE.1`, `FILE.2`, …
    pub path: PathBuf,
    /// Bytes a file may have.
    pub max_bytes: u64,
    /// Files kept, the open one included.
    pub files: u32,
}

impl Default for Outcomes {
    fn default() -> Self {
        Self { recent: Slots::new(REMEMBERED), names: RandomState::new(), log: ArcSwapOption::empty() }
    }
}

impl Outcomes {
    /// Logs to `place` from now on, or nowhere.
    ///
    /// # Errors
    /// Where the file cannot be opened; the log in use stays.
    pub fn log_to(&self, place: Option<Place>) -> io::Result<()> {
        if self.log.load().as_ref().map(|log| &log.place) == place.as_ref() {
            return Ok(());
        }
        let log = place.map(|place| Log::open(place).map(Arc::new)).transpose()?;
        self.log.store(log);
        Ok(())
    }

    /// Remembers an answer under its request's id.
    pub fn remember(&self, id: &str, answer: Remembered) {
        self.recent.remember(self.names.hash_one(id).into(), (id.into(), Arc::new(answer)));
    }

    /// The answer to a request, while it is remembered.
    #[must_use]
    pub fn recall(&self, id: &str) -> Option<Arc<Remembered>> {
        let (held, answer) = self.recent.recall(self.names.hash_one(id).into())?;
        (*held == *id).then_some(answer)
    }

    /// Forgets the answers to a tenant's requests, and what was written down about how good they were; how many lines that was.
    /// Waits for files: not for a request's path. Outcomes that come meanwhile are lost.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn forget(&self, tenant: &str) -> io::Result<u64> {
        self.recent.forget(|(_, answer)| *answer.tenant_name == *tenant);
        let Some(log) = self.log.swap(None) else { return Ok(0) };
        let place = log.place.clone();
        close(log);
        let forgotten = place.forget(tenant);
        self.log_to(Some(place))?;
        forgotten
    }

    /// Writes an outcome down, where there is a log.
    pub fn record(&self, outcome: Outcome) {
        if let Some(log) = &*self.log.load() {
            log.spool.push(outcome);
        }
    }
}

/// Writes what waits. Whoever is just handing an outcome over is done in a moment.
fn close(mut log: Arc<Log>) {
    loop {
        match Arc::try_unwrap(log) {
            Ok(log) => {
                log.spool.close();
                return;
            }
            Err(shared) => log = shared,
        }
        std::thread::yield_now();
    }
}

impl Place {
    /// Removes the lines about a tenant, and those that nobody can read.
    fn forget(&self, tenant: &str) -> io::Result<u64> {
        #[derive(Deserialize)]
        struct Owner {
            tenant: Box<str>,
        }
        let mut removed = 0;
        for path in
            std::iter::once(self.path.clone()).chain((1..self.files).map(|number| self.numbered(number)))
        {
            if !path.exists() {
                continue;
            }
            removed += lines::rewrite(&path, |line| match serde_json::from_slice::<Owner>(line) {
                Ok(owner) if *owner.tenant == *tenant => {
                    removed += 1;
                    Fate::Removed
                }
                Ok(_) => Fate::Kept,
                Err(_) => Fate::Unreadable,
            })?;
        }
        Ok(removed)
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Log {
    fn open(place: Place) -> io::Result<Self> {
        let sink = Rotated::open(place.clone())?;
        Ok(Self { place, spool: Spool::open("outcomes", sink, Settings::default())? })
    }
}

/// A file that makes way for a new one when it is full.
struct Rotated {
    place: Place,
    file: File,
    bytes: u64,
}

impl Rotated {
    fn open(place: Place) -> io::Result<Self> {
        let file = append(&place.path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { place, file, bytes })
    }

    /// `FILE` becomes `FILE.1`, that `FILE.2`, and the last one goes.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.place.files.saturating_sub(1)).rev() {
            let (from, to) = (self.place.numbered(number), self.place.numbered(number + 1));
            if from.exists() {
                std::fs::rename(from, to)?;
            }
        }
        if self.place.files > 1 {
            std::fs::rename(&self.place.path, self.place.numbered(1))?;
        } else {
            std::fs::remove_file(&self.place.path)?;
        }
        self.file = append(&self.place.path)?;
        self.bytes = 0;
        Ok(())
    }
}

impl Sink<Outcome> for Rotated {
    fn write(&mut self, batch: &mut Vec<Outcome>) -> io::Result<()> {
        let mut waiting: VecDeque<Outcome> = batch.drain(..).collect();
        while let Some(outcome) = waiting.pop_front() {
            if let Err(error) = self.write_line(&outcome) {
                batch.push(outcome);
                batch.extend(waiting);
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Rotated {
    fn write_line(&mut self, outcome: &Outcome) -> io::Result<()> {
        let mut line = serde_json::to_vec(outcome)?;
        line.push(b'\n');
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.place.max_bytes {
            self.rotate()?;
        }
        self.file.write_all(&line)?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

/// Readable by the owner alone: the lines may hold prompts.
fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(id: &str) -> Outcome {
        let remembered = Remembered {
            tenant: TenantId::ANONYMOUS,
            tenant_name: "t".into(),
            model: "small".into(),
            placement: Placement::Internal,
            complexity: 0.25,
            prompt: Some("why is the sky blue".into()),
            cached: None,
        };
        Outcome::new(id, &remembered, Source::Feedback, 0.5)
    }

    #[test]
    fn a_line_is_what_training_reads() {
        let line = serde_json::to_string(&outcome("r1")).unwrap();
        let rows = router_classifiers::dataset::read_outcomes(line.as_bytes()).unwrap().rows;
        assert_eq!((rows[0].weak_score, rows[0].strong_score), (Some(0.5), None));
        assert_eq!((&*rows[0].id, &*rows[0].prompt), ("r1", "why is the sky blue"));
    }

    #[test]
    fn files_rotate_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outcomes.jsonl");
        let mut log = Rotated::open(Place { path: path.clone(), max_bytes: 400, files: 3 }).unwrap();
        for number in 0..12 {
            log.write(&mut vec![outcome(&format!("r{number}"))]).unwrap();
        }
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["outcomes.jsonl", "outcomes.jsonl.1", "outcomes.jsonl.2"]);
        assert!(std::fs::metadata(&path).unwrap().len() <= 400);
        assert!(
            std::fs::read_to_string(&path).unwrap().contains("\"r11\""),
            "the newest is in the open file"
        );
    }

    #[test]
    fn a_closed_log_has_everything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o.jsonl");
        let outcomes = Outcomes::default();
        outcomes.log_to(Some(Place { path: path.clone(), max_bytes: 1 << 20, files: 2 })).unwrap();
        outcomes.record(outcome("a"));
        outcomes.record(outcome("b"));
        let log = outcomes.log.swap(None).unwrap();
        let counts = Arc::into_inner(log).unwrap().spool.close();
        assert_eq!((counts.written, counts.dropped), (2, 0));
        assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 2);
    }
}
