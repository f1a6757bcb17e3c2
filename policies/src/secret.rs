//! References to secrets, and where their values come from.
//!
//! A file never holds a secret, only `{ env = "NAME" }` or `{ file = "PATH" }`. The value is fetched when the
//! file is loaded, and again at every reload.

use std::fmt;
use std::path::{Path, PathBuf};

use router_core::Secret;
use thiserror::Error;

/// Largest secret, in bytes. The longest in use (signed tokens) are a few KiB.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// Largest PEM file, in bytes: room for the roots that a whole operating system trusts.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// Where a secret stands. Displays as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; a relative path starts at the folder of the file that names it.
    File(PathBuf),
    /// A file of certificates or of a private key.
    Pem(PathBuf),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) | Self::Pem(path) => {
                write!(f, "file {}", path.display().to_string().escape_debug())
            }
        }
    }
}

/// Why a secret could not be had.
#[derive(Debug, Error)]
pub enum SecretFault {
    /// The variable is not set, or set to nothing.
    #[error("is not set")]
    Unset,
    /// The file holds nothing.
    #[error("is empty")]
    Empty,
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// More than 64 KiB.
    #[error("is too long for a secret")]
    TooLong,
    /// Not visible ASCII, so that it cannot stand in a header.
    #[error("holds characters that cannot stand in a header")]
    NotPrintable,
}

/// Fetches the values of secrets. Closures are sources, so tests need no environment.
pub trait SecretSource {
    /// The value behind a reference.
    ///
    /// # Errors
    /// [`SecretFault`] where there is no usable value.
    fn fetch(&self, secret: &SecretRef) -> Result<Secret, SecretFault>;
}

impl<F: Fn(&SecretRef) -> Result<Secret, SecretFault>> SecretSource for F {
    fn fetch(&self, secret: &SecretRef) -> Result<Secret, SecretFault> {
        self(secret)
    }
}

/// The process's environment and the file system.
#[derive(Clone, Debug)]
pub struct ProcessSecrets {
    folder: PathBuf,
}

impl ProcessSecrets {
    /// Relative paths start at the folder of `file`.
    #[must_use]
    pub fn beside(file: &Path) -> Self {
        Self { folder: file.parent().unwrap_or(Path::new("")).to_path_buf() }
    }
}

impl SecretSource for ProcessSecrets {
    fn fetch(&self, secret: &SecretRef) -> Result<Secret, SecretFault> {
        match secret {
            SecretRef::Env(name) => {
                let value = std::env::var_os(name).ok_or(SecretFault::Unset)?;
                printable(value.into_encoded_bytes(), SecretFault::Unset)
            }
            SecretRef::File(path) => {
                let mut text = Vec::new();
                let file = std::fs::File::open(self.folder.join(path))?;
                std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_SECRET_BYTES + 1), &mut text)?;
                printable(text, SecretFault::Empty)
            }
            SecretRef::Pem(path) => {
                let mut text = Vec::new();
                let file = std::fs::File::open(self.folder.join(path))?;
                std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_PEM_BYTES + 1), &mut text)?;
                match text.len() as u64 {
                    0 => Err(SecretFault::Empty),
                    1..=MAX_PEM_BYTES => Ok(Secret::new(text)),
                    _ => Err(SecretFault::TooLong),
                }
            }
        }
    }
}

/// A secret without the white space around it (files end in a line break).
fn printable(mut bytes: Vec<u8>, when_empty: SecretFault) -> Result<Secret, SecretFault> {
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(SecretFault::TooLong);
    }
    bytes.truncate(bytes.trim_ascii_end().len());
    let start = bytes.len() - bytes.trim_ascii_start().len();
    bytes.drain(..start);
    if bytes.is_empty() {
        return Err(when_empty);
    }
    if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(SecretFault::NotPrintable);
    }
    Ok(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<Secret, SecretFault> {
        printable(bytes.to_vec(), SecretFault::Empty)
    }

    #[test]
    fn the_line_break_at_the_end_of_a_file_is_not_part_of_the_secret() {
        assert_eq!(&of(b" sk-1\r\n").unwrap().expose()[..], b"sk-1");
    }

    #[test]
    fn unusable_values_are_refused() {
        assert!(matches!(of(b"\n"), Err(SecretFault::Empty)));
        assert!(matches!(of(b"a\nb"), Err(SecretFault::NotPrintable)));
        assert!(matches!(of(&[b'x'; 65 * 1024]), Err(SecretFault::TooLong)));
    }

    #[test]
    fn files_are_found_beside_the_policy() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "sk-2\n").unwrap();
        let secrets = ProcessSecrets::beside(&folder.path().join("policy.toml"));
        let found = secrets.fetch(&SecretRef::File("key".into())).unwrap();
        assert_eq!(&found.expose()[..], b"sk-2");
        assert!(matches!(secrets.fetch(&SecretRef::File("no".into())), Err(SecretFault::Unreadable(_))));
        let unset = SecretRef::Env("XYNERGY_ROUTER_TEST_UNSET".into());
        assert!(matches!(secrets.fetch(&unset), Err(SecretFault::Unset)));
    }
}
