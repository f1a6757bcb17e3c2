//! Where entries are kept: a file per day and tenant, and the next one when it is full.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use smol_str::SmolStr;

use crate::ledger::Entry;
use crate::lines::{Appender, ends_whole, lock, push_json};
use crate::spool::Sink;

/// The files of a ledger, `date=YYYY-MM-DD/tenant=NAME/NNN.jsonl` under one folder. Days are UTC.
#[derive(Debug)]
pub struct Partitions {
    root: PathBuf,
    max_bytes: u64,
    /// The number of the file being filled, by partition, for the partitions of the last batches.
    filling: HashMap<PathBuf, u32>,
}

/// Partitions to remember. More tenants than this a day cost a look into their folder for every batch.
const MAX_FILLING: usize = 4_096;

impl Partitions {
    /// A ledger under `root`, created if need be, whose files have up to `max_bytes`.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn open(root: impl Into<PathBuf>, max_bytes: u64) -> io::Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)?;
        Ok(Self { root, max_bytes, filling: HashMap::new() })
    }

    /// Appends `lines` to the partition's newest file, or to a new one when it is full or was left unfinished.
    fn append(&mut self, partition: &Path, lines: &[u8]) -> io::Result<()> {
        let folder = self.root.join(partition);
        fs::create_dir_all(&folder)?;
        let mut number = match self.filling.get(partition) {
            Some(number) => *number,
            None => newest(&folder)?,
        };
        let mut file = Appender::open(&file_in(&folder, number))?;
        let full = file.len() > 0 && file.len().saturating_add(lines.len() as u64) > self.max_bytes;
        if full {
            number += 1;
            file = Appender::open(&file_in(&folder, number))?;
        }
        // A failed write may leave half a line behind: forget the number, so that the file's end is looked at.
        self.filling.remove(partition);
        file.append(lines)?;
        if self.filling.len() >= MAX_FILLING {
            self.filling.clear();
        }
        self.filling.insert(partition.to_owned(), number);
        Ok(())
    }
}

/// Entries are written partition by partition, each in order, so that an error leaves those behind that were not
/// written, and none twice.
impl Sink<Box<Entry>> for Partitions {
    fn write(&mut self, batch: &mut Vec<Box<Entry>>) -> io::Result<()> {
        let _lock = lock(&self.root)?;
        let mut parts = BTreeMap::<(Date, SmolStr), Vec<Box<Entry>>>::new();
        for entry in batch.drain(..) {
            let day = entry.time.to_zoned(TimeZone::UTC).date();
            parts.entry((day, entry.tenant.clone())).or_default().push(entry);
        }
        let mut result = Ok(());
        for ((day, tenant), entries) in parts {
            let partition = partition(day, &tenant);
            if result.is_ok() {
                let mut lines = Vec::with_capacity(entries.len() * 512);
                result = entries
                    .iter()
                    .try_for_each(|entry| push_json(&mut lines, entry))
                    .and_then(|()| self.append(&partition, &lines));
            }
            if result.is_err() {
                batch.extend(entries);
            }
        }
        result
    }
}

fn partition(day: Date, tenant: &str) -> PathBuf {
    Path::new(&format!("date={day}")).join(tenant_folder(tenant))
}

/// `tenant=NAME`, where all but letters, digits, `-`, `.` and `_` is percent-encoded. No name at all is `_`,
/// and the name `_` is encoded.
pub(super) fn tenant_folder(tenant: &str) -> String {
    let mut folder = "tenant=".to_owned();
    match tenant {
        "" => folder.push('_'),
        "_" => folder.push_str("%5F"),
        _ => {
            for byte in tenant.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
                    folder.push(char::from(byte));
                } else {
                    folder.push_str(&format!("%{byte:02X}"));
                }
            }
        }
    }
    folder
}

fn file_in(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:03}.jsonl"))
}

/// The number of the last file in `folder` if it was written to its end, else of the one after it; 0 in an empty
/// folder.
fn newest(folder: &Path) -> io::Result<u32> {
    let mut last = None;
    for file in fs::read_dir(folder)? {
        last = last.max(number_of(&file?.path()));
    }
    let Some(last) = last else { return Ok(0) };
    Ok(if ends_whole(&file_in(folder, last))? { last } else { last + 1 })
}

/// The number of a partition's file; `None` for any other file.
pub(super) fn number_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_suffix(".jsonl")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::entry::tests::entry;

    fn write(partitions: &mut Partitions, entries: Vec<Entry>) -> (io::Result<()>, usize) {
        let mut batch = entries.into_iter().map(Box::new).collect();
        let result = partitions.write(&mut batch);
        (result, batch.len())
    }

    fn files(root: &Path) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        for date in fs::read_dir(root).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_dir())
        {
            for tenant in fs::read_dir(date).unwrap() {
                for file in fs::read_dir(tenant.unwrap().path()).unwrap() {
                    let path = file.unwrap().path();
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    found.push((name, fs::read_to_string(path).unwrap().lines().count()));
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn a_file_for_each_day_and_tenant() {
        let root = tempfile::tempdir().unwrap();
        let mut partitions = Partitions::open(root.path(), 1 << 20).unwrap();
        let batch = vec![
            entry("2026-11-20T23:59:59.999Z", "team-a"),
            entry("2026-11-21T00:00:00Z", "team-a"),
            entry("2026-11-20T12:00:00Z", "../é /x"),
            entry("2026-11-20T12:00:00Z", ""),
            entry("2026-11-20T12:00:00Z", "_"),
            entry("2026-11-20T12:00:00Z", "team-a"),
        ];
        assert!(matches!(write(&mut partitions, batch), (Ok(()), 0)));
        assert_eq!(
            files(root.path()),
            [
                ("date=2026-11-20/tenant=%5F/000.jsonl".to_owned(), 1),
                ("date=2026-11-20/tenant=..%2F%C3%A9%20%2Fx/000.jsonl".to_owned(), 1),
                ("date=2026-11-20/tenant=_/000.jsonl".to_owned(), 1),
                ("date=2026-11-20/tenant=team-a/000.jsonl".to_owned(), 2),
                ("date=2026-11-21/tenant=team-a/000.jsonl".to_owned(), 1),
            ]
        );
    }

    #[test]
    fn a_full_file_is_followed_by_the_next() {
        let root = tempfile::tempdir().unwrap();
        let line = serde_json::to_string(&entry("2026-11-20T12:00:00Z", "a")).unwrap().len() as u64 + 1;
        let mut partitions = Partitions::open(root.path(), 2 * line).unwrap();
        for _ in 0..5 {
            write(&mut partitions, vec![entry("2026-11-20T12:00:00Z", "a")]).0.unwrap();
        }
        let counts = |root| files(root).into_iter().map(|(_, lines)| lines).collect::<Vec<_>>();
        assert_eq!(counts(root.path()), [2, 2, 1]);

        let mut restarted = Partitions::open(root.path(), 2 * line).unwrap();
        write(&mut restarted, vec![entry("2026-11-20T12:00:00Z", "a")]).0.unwrap();
        assert_eq!(counts(root.path()), [2, 2, 2], "a restart goes on where it was");
    }

    #[test]
    fn a_file_that_was_left_unfinished_is_not_written_to_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("date=2026-11-20/tenant=a");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("007.jsonl"), "{\"half\":").unwrap();
        let mut partitions = Partitions::open(root.path(), 1 << 20).unwrap();
        write(&mut partitions, vec![entry("2026-11-20T12:00:00Z", "a")]).0.unwrap();
        assert_eq!(fs::read_to_string(folder.join("007.jsonl")).unwrap(), "{\"half\":");
        assert_eq!(fs::read_to_string(folder.join("008.jsonl")).unwrap().lines().count(), 1);
    }

    #[test]
    fn what_could_not_be_written_is_still_in_the_batch() {
        let root = tempfile::tempdir().unwrap();
        let mut partitions = Partitions::open(root.path(), 1 << 20).unwrap();
        // A file where tenant b's folder should be.
        fs::create_dir_all(root.path().join("date=2026-11-20")).unwrap();
        fs::write(root.path().join("date=2026-11-20/tenant=b"), "").unwrap();
        let line = |tenant| Box::new(entry("2026-11-20T12:00:00Z", tenant));
        let batch: Vec<Box<Entry>> = ["b", "a", "c", "a", "b"].map(line).into();
        let mut left = batch.clone();
        assert!(partitions.write(&mut left).is_err());
        assert_eq!(left.iter().map(|entry| &*entry.tenant).collect::<Vec<_>>(), ["b", "b", "c"]);

        fs::remove_file(root.path().join("date=2026-11-20/tenant=b")).unwrap();
        partitions.write(&mut left).unwrap();
        assert_eq!(
            files(root.path()).iter().map(|(_, lines)| lines).sum::<usize>(),
            batch.len(),
            "none twice"
        );
    }
}
