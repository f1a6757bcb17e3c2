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
    /// The table `bands` of `table`; absent too where a threshold is unreadable, so that nothing is said about
    /// the order of two when one was never understood.
    pub(super) fn read(table: &mut Table<'_, '_>) -> Option<At<Self>> {
        let bands = table.section("bands", |table| {
            let hybrid = table.optional("hybrid", read::fraction);
            let external = table.optional("external", read::fraction);
            let is_readable = table.contains("hybrid") == hybrid.is_some()
                && table.contains("external") == external.is_some();
            is_readable.then_some(Self { hybrid, external })
        })?;
        bands.value.map(|value| At { value, span: bands.span })
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
            bands: BandsEntry::read(table),
            fallback: table.optional("fallback", read::boolean),
            span: table.span(),
        }
    }
}
