//! Files of lines that are only ever appended to, and what to make of one that was damaged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// The longest line that is read. An entry has a few hundred bytes; what is longer is not one.
const MAX_LINE: u64 = 1 << 20;

/// A place in a file that could not be read. It was passed over, and what it held is not counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}: {reason}", .path.display())]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: Box<str>,
}

/// A file to append whole lines to.
#[derive(Debug)]
pub(crate) struct Appender {
    file: File,
    len: u64,
    /// A failed write left something behind that could not be removed.
    ragged: bool,
}

impl Appender {
    /// Opens or creates `path`.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, len, ragged: false })
    }

    /// Bytes in the file.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Appends `lines`, all or nothing as far as the file system lets us: what a full disk cut off is removed, and
    /// where even that fails it is kept apart from what follows.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.ragged {
            self.file.write_all(b"\n")?;
            self.len = self.file.metadata()?.len();
            self.ragged = false;
        }
        let result = self.file.write_all(lines);
        match result {
            Ok(()) => self.len += lines.len() as u64,
            Err(_) => self.ragged = self.file.set_len(self.len).is_err(),
        }
        result
    }
}

/// Whether the last line of `path` was written to its end. An absent or empty file has no unfinished line.
pub(crate) fn ends_whole(path: &Path) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Adds `record` to `lines` as one line of JSON.
pub(crate) fn push_json(lines: &mut Vec<u8>, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *lines, record)?;
    lines.push(b'\n');
    Ok(())
}

/// Reads `path` line by line, without line ends. `each` gets every whole line of acceptable length and says what
/// is wrong with it, if anything; what is wrong with it or with the file is added to `damage`.
///
/// # Errors
/// When the file cannot be opened or read. A damaged line is no error.
pub(crate) fn read(
    path: &Path,
    damage: &mut Vec<Damage>,
    mut each: impl FnMut(&[u8]) -> Result<(), Box<str>>,
) -> io::Result<()> {
    let mut file = BufReader::new(File::open(path)?);
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        (&mut file).take(MAX_LINE).read_until(b'\n', &mut text)?;
        if text.is_empty() {
            break;
        }
        let result = match text.split_last() {
            Some((b'\n', whole)) => each(whole),
            _ if text.len() as u64 == MAX_LINE => {
                file.skip_until(b'\n')?;
                Err("longer than any record".into())
            }
            _ => Err("not written to its end".into()),
        };
        if let Err(reason) = result {
            damage.push(Damage { path: path.to_owned(), line, reason });
        }
    }
    Ok(())
}

/// The first line of `path` without its end; empty in an empty file.
pub(crate) fn first(path: &Path) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        line.pop();
    }
    Ok(line)
}

/// What is in `folder`; nothing if it does not exist.
pub(crate) fn children(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(files) => files.map(|file| file.map(|file| file.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// What becomes of a line when its file is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It stays, byte for byte.
    Kept,
    /// It goes.
    Removed,
    /// It goes, because nobody can tell what it says.
    Unreadable,
}

/// Rewrites `path` without the lines that `judge` does not keep; how many of them were unreadable, damaged ones
/// included. The file is replaced in one step, removed when nothing is left, and not touched when all stays.
/// Nobody else may write to it meanwhile.
///
/// # Errors
/// When a file cannot be read or written; the old one is still there then.
pub(crate) fn rewrite(path: &Path, mut judge: impl FnMut(&[u8]) -> Fate) -> io::Result<u64> {
    let (mut kept, mut removed, mut unreadable, mut damage) = (Vec::new(), 0_u64, 0_u64, Vec::new());
    read(path, &mut damage, |line| {
        match judge(line) {
            Fate::Kept => {
                kept.extend_from_slice(line);
                kept.push(b'\n');
            }
            Fate::Removed => removed += 1,
            Fate::Unreadable => unreadable += 1,
        }
        Ok(())
    })?;
    unreadable += damage.len() as u64;
    if removed + unreadable == 0 {
        return Ok(0);
    }
    if kept.is_empty() {
        fs::remove_file(path)?;
    } else {
        replace(path, &kept)?;
    }
    Ok(unreadable)
}

/// Puts a file with `content` at `path`, complete and on the disk, or leaves what was there.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(content)?;
    if let Ok(before) = fs::metadata(path) {
        fs::set_permissions(&draft, before.permissions())?;
    }
    file.sync_all()?;
    fs::rename(&draft, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The file whose lock a writer of a folder holds while it writes, and whoever changes what is written meanwhile.
const LOCK: &str = ".lock";

/// Keeps others from changing the files under `folder` until it is dropped.
pub(crate) fn lock(folder: &Path) -> io::Result<File> {
    let file = File::options().create(true).append(true).open(folder.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(content: &[u8]) -> (Vec<String>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, content).unwrap();
        let (mut seen, mut damage) = (Vec::new(), Vec::new());
        read(&path, &mut damage, |line| {
            seen.push(String::from_utf8_lossy(line).into_owned());
            if line == b"bad" { Err("bad".into()) } else { Ok(()) }
        })
        .unwrap();
        (seen, damage.into_iter().map(|damage| format!("{} {}", damage.line, damage.reason)).collect())
    }

    #[test]
    fn damage_is_named_by_line_and_passed_over() {
        let long = vec![b'x'; MAX_LINE as usize + 10];
        let content = [b"one\nbad\n".as_slice(), &long, b"\nfour\nfi"].concat();
        let (seen, damage) = lines_of(&content);
        assert_eq!(seen, ["one", "bad", "four"]);
        assert_eq!(damage, ["2 bad", "3 longer than any record", "5 not written to its end"]);
        assert_eq!(lines_of(b""), (vec![], vec![]));
    }

    #[test]
    fn an_unfinished_last_line_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert!(ends_whole(&path).unwrap());
        for (content, whole) in [("", true), ("a\n", true), ("a\nb", false)] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(ends_whole(&path).unwrap(), whole, "{content:?}");
        }
    }

    #[test]
    fn a_full_device_fails_and_leaves_whole_lines() {
        let mut full = Appender::open(Path::new("/dev/full")).unwrap();
        assert_eq!(full.append(b"x\n").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(full.len(), 0);
    }

    #[test]
    fn what_could_not_be_removed_is_kept_apart_from_what_follows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "half").unwrap();
        // A handle that can neither write nor cut off, as after a failure of the disk.
        let mut appender = Appender { file: File::open(&path).unwrap(), len: 0, ragged: false };
        assert!(appender.append(b"lost\n").is_err());
        appender.file = Appender::open(&path).unwrap().file;
        appender.append(b"next\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "half\nnext\n");
        assert_eq!(appender.len(), 10);
    }
}
