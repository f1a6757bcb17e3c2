//! `[records]`: what is written down.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::read;
use crate::source::At;
use crate::table::Table;

/// Words for [`WhenFull`].
const CHOICES: &[(&str, WhenFull)] = &[("drop", WhenFull::Drop), ("stop", WhenFull::Stop)];

/// What to do when the disk is full or too slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Requests go on; what could not be written is counted.
    #[default]
    Drop,
    /// New requests are refused until there is room.
    Stop,
}

/// The section, as typed.
#[derive(Clone, Debug, Default)]
pub struct RecordsSection {
    /// The folder of all records.
    pub folder: Option<At<String>>,
    /// For how long they are kept.
    pub retention: Option<At<Duration>>,
    /// Bytes that a file of the ledger may have.
    pub max_file: Option<At<u64>>,
    /// What to do when the disk is full or too slow.
    pub when_full: Option<At<WhenFull>>,
}

/// Where records go, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// The folder; ledger, audit and spending have one each in it.
    pub folder: PathBuf,
    /// For how long ledger and audit are kept, in whole days; `None`: for ever.
    pub retention: Option<Duration>,
    /// Bytes that a file of the ledger may have.
    pub max_file_bytes: u64,
    /// What to do when the disk is full or too slow.
    pub when_full: WhenFull,
}

impl Records {
    /// Records in `folder`, kept for ever in files of 64 MiB, which most tools still read at once.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            retention: None,
            max_file_bytes: 64 << 20,
            when_full: WhenFull::default(),
        }
    }

    /// The folder of the ledger.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    /// The folder of the audit.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.folder.join("audit")
    }

    /// The folder of what budgets must not forget.
    #[must_use]
    pub fn spending(&self) -> PathBuf {
        self.folder.join("spending")
    }
}

impl RecordsSection {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            folder: table.required("folder", read::text),
            retention: table.optional("retention", read::duration),
            max_file: table.optional("max_file", read::size),
            when_full: table.optional("when_full", read::one_of(CHOICES)),
        }
    }

    /// What the sidecar runs with. A relative folder starts at the folder of the file.
    pub(super) fn settings(&self, beside: &Path) -> Option<Records> {
        let default = Records::new(beside.join(&self.folder.as_ref()?.value));
        Some(Records {
            retention: self.retention.as_ref().map(|at| at.value),
            max_file_bytes: self.max_file.as_ref().map_or(default.max_file_bytes, |at| at.value),
            when_full: self.when_full.as_ref().map_or(default.when_full, |at| at.value),
            ..default
        })
    }
}
