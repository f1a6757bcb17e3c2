//! Reads a ledger back.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::partition::{number_of, tenant_folder};
use crate::ledger::Entry;
use crate::lines::{self, Damage};

/// Which entries to read. All `None`: every one.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Of this tenant.
    pub tenant: Option<Box<str>>,
}

impl Scope {
    fn has_day(&self, day: Date) -> bool {
        let day_of = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        self.since.is_none_or(|since| day_of(since) <= day)
            && self.until.is_none_or(|until| day <= day_of(until))
    }

    fn has(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| since <= entry.time)
            && self.until.is_none_or(|until| entry.time < until)
    }
}

/// Gives every entry in `scope` of the ledger under `root` to `each`, day by day and tenant by tenant. Folders
/// outside the scope are not opened.
///
/// Returns the places that could not be read. An entry that lies in another tenant's folder is one of them:
/// somebody put it there.
///
/// # Errors
/// When a file or folder cannot be read at all. A ledger that does not exist has no entries.
pub fn read(root: &Path, scope: &Scope, mut each: impl FnMut(Entry)) -> io::Result<Vec<Damage>> {
    let mut damage = Vec::new();
    let wanted = scope.tenant.as_deref().map(tenant_folder);
    for (day, path) in days(root)? {
        if !scope.has_day(day) {
            continue;
        }
        for (folder, path) in folders(&path)? {
            if wanted.as_ref().is_some_and(|wanted| *wanted != folder) {
                continue;
            }
            for file in files(&path)? {
                lines::read(&file, &mut damage, |line| {
                    let entry: Entry = serde_json::from_slice(line).map_err(|error| error.to_string())?;
                    if tenant_folder(&entry.tenant) != folder {
                        return Err("of another tenant".into());
                    }
                    if scope.has(&entry) {
                        each(entry);
                    }
                    Ok(())
                })?;
            }
        }
    }
    Ok(damage)
}

/// The days of a ledger with their folders, ascending.
pub(super) fn days(root: &Path) -> io::Result<Vec<(Date, PathBuf)>> {
    let day_of = |name: &str| name.strip_prefix("date=")?.parse().ok();
    Ok(folders(root)?.into_iter().filter_map(|(name, path)| Some((day_of(&name)?, path))).collect())
}

/// The folders in `parent` by name, ascending; none if it does not exist.
pub(super) fn folders(parent: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for file in lines::children(parent)? {
        if let (Some(name), true) = (file.file_name().and_then(|name| name.to_str()), file.is_dir()) {
            found.push((name.to_owned(), file));
        }
    }
    found.sort();
    Ok(found)
}

/// A partition's files in the order in which they were written.
pub(super) fn files(partition: &Path) -> io::Result<Vec<PathBuf>> {
    let numbered = lines::children(partition)?.into_iter().filter_map(|path| Some((number_of(&path)?, path)));
    let mut found: Vec<_> = numbered.collect();
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ledger::Partitions;
    use crate::ledger::entry::tests::entry;
    use crate::spool::Sink;

    fn ledger(entries: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let mut batch = entries.iter().map(|(time, tenant)| Box::new(entry(time, tenant))).collect();
        Partitions::open(root.path(), 1 << 20).unwrap().write(&mut batch).unwrap();
        root
    }

    fn times(root: &Path, scope: &Scope) -> Vec<String> {
        let mut seen = Vec::new();
        let damage =
            read(root, scope, |entry| seen.push(format!("{} {}", entry.tenant, entry.time))).unwrap();
        assert_eq!(damage, []);
        seen
    }

    #[test]
    fn a_scope_is_exact_to_the_moment() {
        let root = ledger(&[
            ("2026-11-19T23:00:00Z", "a"),
            ("2026-11-20T01:00:00Z", "a"),
            ("2026-11-20T02:00:00Z", "b"),
            ("2026-11-21T00:00:00Z", "a"),
        ]);
        let at = |text: &str| Some(text.parse().unwrap());
        assert_eq!(times(root.path(), &Scope::default()).len(), 4);

        let scope =
            Scope { since: at("2026-11-20T01:00:00Z"), until: at("2026-11-21T00:00:00Z"), tenant: None };
        assert_eq!(times(root.path(), &scope), ["a 2026-11-20T01:00:00Z", "b 2026-11-20T02:00:00Z"]);
        let scope = Scope { tenant: Some("b".into()), ..Scope::default() };
        assert_eq!(times(root.path(), &scope), ["b 2026-11-20T02:00:00Z"]);
        assert_eq!(times(&root.path().join("absent"), &Scope::default()), Vec::<String>::new());
    }

    #[test]
    fn damage_is_reported_with_its_place_and_the_rest_is_read() {
        let root = ledger(&[
            ("2026-11-20T01:00:00Z", "a"),
            ("2026-11-20T02:00:00Z", "a"),
            ("2026-11-20T03:00:00Z", "a"),
        ]);
        let path = root.path().join("date=2026-11-20/tenant=a/000.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        let foreign = lines[0].replace("\"tenant\":\"a\"", "\"tenant\":\"b\"");
        lines[1] = "{\"time\":";
        lines.push(&foreign);
        fs::write(&path, lines.join("\n")).unwrap();

        let mut count = 0;
        let damage = read(root.path(), &Scope::default(), |_| count += 1).unwrap();
        assert_eq!(count, 2);
        let places: Vec<_> = damage.iter().map(|damage| (damage.path == path, damage.line)).collect();
        assert_eq!(places, [(true, 2), (true, 4)]);
        assert!(damage[0].to_string().contains("000.jsonl:2: EOF"), "{}", damage[0]);
    }

    #[test]
    fn a_ledger_cut_off_anywhere_gives_whole_entries_or_damage_and_never_a_wrong_one() {
        let root = ledger(&[("2026-11-20T01:00:00Z", "a"), ("2026-11-20T02:00:00Z", "a")]);
        let path = root.path().join("date=2026-11-20/tenant=a/000.jsonl");
        let whole = fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for cut in (0..=whole.len()).rev() {
            fs::File::options().write(true).open(&path).unwrap().set_len(cut as u64).unwrap();
            let mut count = 0;
            let damage = read(root.path(), &Scope::default(), |_| count += 1).unwrap();
            assert_eq!(count, usize::from(cut >= first) + usize::from(cut >= whole.len()), "{cut}");
            assert_eq!(damage.len(), usize::from(![0, first, whole.len()].contains(&cut)), "{cut}");
        }
    }
}
