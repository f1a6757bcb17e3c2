//! `[scorer]`

use crate::read;
use crate::source::At;
use crate::table::Table;

/// The judge of prompts, as typed.
#[derive(Clone, Debug, Default)]
pub struct ScorerSection {
    /// A trained artefact; a relative path starts at the folder of the policy. Absent: the built-in scorer.
    pub weights: Option<At<String>>,
}

impl ScorerSection {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self { weights: table.optional("weights", read::text) }
    }
}
