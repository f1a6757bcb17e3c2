//! `[outcomes]`

use crate::read;
use crate::source::At;
use crate::table::Table;

/// Most files of outcomes: with the default size, 64 GB.
const MAX_FILES: u32 = 1_000;

/// What is kept of how good answers were, as typed.
#[derive(Clone, Debug, Default)]
pub struct OutcomesSection {
    /// The file outcomes are appended to; a relative path starts at the folder of the policy. Absent: none.
    pub log: Option<At<String>>,
    /// Bytes a file may have before it makes way for a new one.
    pub max_bytes: Option<At<u64>>,
    /// Files kept, the open one included.
    pub files: Option<At<u32>>,
    /// Whether prompts may be kept.
    pub keep_prompts: Option<At<bool>>,
}

impl OutcomesSection {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            log: table.optional("log", read::text),
            max_bytes: table.optional("max_bytes", read::size),
            files: table.optional("files", read::integer(1..=MAX_FILES)),
            keep_prompts: table.optional("keep_prompts", read::boolean),
        }
    }
}
