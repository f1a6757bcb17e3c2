//! What must not be kept: entries that are too old, and what is held about somebody who is to be forgotten.

use std::fs;
use std::io;
use std::path::Path;

use jiff::civil::Date;
use serde::Deserialize;

use super::partition::tenant_folder;
use super::read::{days, files, folders};
use crate::lines::{self, lock};

/// Who is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A tenant and everybody who asked through it.
    Tenant(Box<str>),
    /// An end user, of one tenant or of any: tenants name their users as they like, so the same name may be
    /// somebody else elsewhere.
    User {
        /// The name that requests gave.
        user: Box<str>,
        /// The tenant that means this user; `None` for all of them.
        tenant: Option<Box<str>>,
    },
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Entries.
    pub entries: u64,
    /// Lines that could not be read. They might have been about them.
    pub unreadable: u64,
}

/// The part of an entry that says whose it is.
#[derive(Deserialize)]
struct Owner {
    #[serde(default)]
    user: Option<Box<str>>,
}

/// Removes the folders of all days before `first` from the ledger under `root`; how many there were.
///
/// # Errors
/// When a folder cannot be read or removed. What was removed stays so; the next call goes on.
pub fn retire(root: &Path, first: Date) -> io::Result<u64> {
    if !root.exists() {
        return Ok(0);
    }
    let _lock = lock(root)?;
    let old = days(root)?.into_iter().filter(|(day, _)| *day < first);
    old.map(|(_, path)| fs::remove_dir_all(path)).try_fold(0, |count, removed| removed.map(|()| count + 1))
}

/// Removes what the ledger under `root` holds about somebody. A running router may go on writing to it. If the
/// process dies half-way, each file is either as it was or done, and a second call finishes the work.
///
/// # Errors
/// When a file cannot be read or written.
pub fn forget(root: &Path, whose: &Whose) -> io::Result<Forgotten> {
    let mut forgotten = Forgotten::default();
    if !root.exists() {
        return Ok(forgotten);
    }
    let _lock = lock(root)?;
    for (_, day) in days(root)? {
        for (folder, path) in folders(&day)? {
            match whose {
                Whose::Tenant(tenant) if tenant_folder(tenant) == folder => {
                    for file in files(&path)? {
                        lines::read(&file, &mut Vec::new(), |_| {
                            forgotten.entries += 1;
                            Ok(())
                        })?;
                    }
                    fs::remove_dir_all(&path)?;
                }
                Whose::Tenant(_) => {}
                Whose::User { user, tenant } => {
                    if tenant.as_deref().is_none_or(|tenant| tenant_folder(tenant) == folder) {
                        for file in files(&path)? {
                            forget_user(&file, user, &mut forgotten)?;
                        }
                    }
                }
            }
        }
    }
    Ok(forgotten)
}

/// Rewrites one file without the entries of `user`, if it has any.
fn forget_user(path: &Path, user: &str, forgotten: &mut Forgotten) -> io::Result<()> {
    let mut entries = 0;
    let unreadable = lines::rewrite(path, |line| match serde_json::from_slice::<Owner>(line) {
        Ok(owner) if owner.user.as_deref() == Some(user) => {
            entries += 1;
            lines::Fate::Removed
        }
        Ok(_) => lines::Fate::Kept,
        Err(_) => lines::Fate::Unreadable,
    })?;
    forgotten.entries += entries;
    forgotten.unreadable += unreadable;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;
    use crate::ledger::entry::tests::entry;
    use crate::ledger::{Entry, Partitions, Scope, read};
    use crate::spool::Sink;

    fn of(day: u32, tenant: &str, user: &str) -> Box<Entry> {
        let time = format!("2026-11-{day:02}T12:00:00Z");
        Box::new(Entry { user: (!user.is_empty()).then(|| user.into()), ..entry(&time, tenant) })
    }

    fn ledger() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let mut batch = Vec::new();
        for day in 18..=20 {
            batch.extend([of(day, "a", "u"), of(day, "a", "v"), of(day, "b", "u"), of(day, "b", "")]);
        }
        Partitions::open(root.path(), 1 << 20).unwrap().write(&mut batch).unwrap();
        root
    }

    fn rest(root: &Path) -> Vec<String> {
        let mut seen = Vec::new();
        let damage = read(root, &Scope::default(), |entry| {
            let user = entry.user.as_deref().unwrap_or("-").to_owned();
            seen.push(format!("{} {} {user}", entry.time.strftime("%d"), entry.tenant));
        });
        assert_eq!(damage.unwrap(), []);
        seen
    }

    #[test]
    fn old_days_go_as_a_whole() {
        let root = ledger();
        let first = "2026-11-20".parse().unwrap();
        assert_eq!(retire(root.path(), first).unwrap(), 2);
        assert_eq!(rest(root.path()), ["20 a u", "20 a v", "20 b u", "20 b -"]);
        assert_eq!(retire(root.path(), first).unwrap(), 0);
        assert_eq!(retire(&root.path().join("absent"), first).unwrap(), 0);
    }

    #[test]
    fn a_tenant_is_forgotten_and_nobody_else() {
        let root = ledger();
        let forgotten = forget(root.path(), &Whose::Tenant("a".into())).unwrap();
        assert_eq!(forgotten, Forgotten { entries: 6, unreadable: 0 });
        assert!(rest(root.path()).iter().all(|line| line.contains(" b ")));
        assert_eq!(rest(root.path()).len(), 6);
        let found = grep(root.path(), "\"tenant\":\"a\"");
        assert_eq!(found, 0);
    }

    #[test]
    fn a_user_is_forgotten_in_one_tenant_or_in_all() {
        let root = ledger();
        let whose = |tenant: Option<&str>| Whose::User { user: "u".into(), tenant: tenant.map(Into::into) };
        assert_eq!(forget(root.path(), &whose(Some("a"))).unwrap().entries, 3);
        assert_eq!(grep(root.path(), "\"user\":\"u\""), 3);
        assert_eq!(forget(root.path(), &whose(None)).unwrap().entries, 3);
        assert_eq!(grep(root.path(), "\"user\":\"u\""), 0);
        assert_eq!(rest(root.path()), ["18 a v", "18 b -", "19 a v", "19 b -", "20 a v", "20 b -"]);
    }

    #[test]
    fn what_cannot_be_read_might_be_about_them() {
        let root = ledger();
        let path = root.path().join("date=2026-11-20/tenant=a/000.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{{\"user\":\"u\",\n{}", &text[..40])).unwrap();
        let forgotten = forget(root.path(), &Whose::User { user: "u".into(), tenant: None }).unwrap();
        assert_eq!(forgotten, Forgotten { entries: 6, unreadable: 2 });
        assert_eq!(grep(root.path(), "\"user\":\"u\""), 0);
        assert_eq!(rest(root.path()).len(), 6);
    }

    #[test]
    fn forgetting_beside_a_writer_loses_nothing_else() {
        let (root, rounds) = (ledger(), AtomicU32::new(0));
        let whose = Whose::User { user: "u".into(), tenant: None };
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut partitions = Partitions::open(root.path(), 1 << 20).unwrap();
                let mut written = 0;
                while rounds.load(Relaxed) < 20 {
                    partitions.write(&mut vec![of(20, "a", "v"), of(20, "a", "u")]).unwrap();
                    written += 1;
                }
                written
            });
            for _ in 0..20 {
                forget(root.path(), &whose).unwrap();
                rounds.fetch_add(1, Relaxed);
            }
            writer.join().unwrap()
        });
        forget(root.path(), &whose).unwrap();
        let kept = rest(root.path());
        assert_eq!(kept.iter().filter(|line| *line == "20 a v").count(), written + 1);
        assert!(!kept.iter().any(|line| line.ends_with('u')));
    }

    /// How often `text` stands in any file under `folder`, drafts included.
    fn grep(folder: &Path, text: &str) -> usize {
        let mut count = 0;
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            count += match path.is_dir() {
                true => grep(&path, text),
                false => fs::read_to_string(path).unwrap().matches(text).count(),
            };
        }
        count
    }
}
