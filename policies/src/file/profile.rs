//! `[profiles.NAME]`

use router_core::Objective;

use crate::read;
use crate::source::{At, Span};
use crate::table::Table;

/// Words for [`Objective`].
pub(super) const OBJECTIVES: &[(&str, Objective)] =
    &[("cheapest", Objective::Cheapest), ("best", Objective::Best)];

/// `bands = { … }`
#[derive(Clone, Copy, Debug, Default)]
pub struct BandsEntry {
    /// Above this complexity: hybrid.
    pub hybrid: Option<At<f32>>,
    /// Above this complexity: external.
    pub external: Option<At<f32>>,
}

impl BandsEntry {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        Self {
            hybrid: table.optional("hybrid", read::fraction),
            external: table.optional("external", read::fraction),
        }
    }
}

/// One profile, as typed.
#[derive(Clone, Debug, Default)]
pub struct ProfileEntry {
    /// Models or aliases to choose from.
    pub candidates: Option<At<Vec<At<String>>>>,
    /// How to choose.
    pub objective: Option<At<Objective>>,
    /// Where complexity changes the placement.
    pub bands: Option<At<BandsEntry>>,
    /// Whether models of the other placement stand by.
    pub fallback: Option<At<bool>>,
    /// Where the entry begins.
    pub span: Span,
}

impl ProfileEntry {
    pub(super) fn read(table: &mut Table<'_, '_>) -> Self {
        table.require("candidates");
        Self {
            candidates: table.list("candidates", read::text),
            objective: table.optional("objective", read::one_of(OBJECTIVES)),
            bands: table.section("bands", BandsEntry::read),
            fallback: table.optional("fallback", read::boolean),
            span: table.span(),
        }
    }
}
