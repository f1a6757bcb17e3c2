//! Profiles: that their candidates exist and their bands are in order.

use std::collections::HashSet;

use router_core::Bands;

use super::names::Names;
use crate::diagnostics::Quoted;
use crate::file::{BandsEntry, PolicyFile};
use crate::sink::Sink;
use crate::source::{At, Span};

/// Verifies every profile.
pub(super) fn verify(file: &PolicyFile, names: &Names<'_>, sink: &mut Sink) {
    for profile in &file.profiles {
        if let Some(candidates) = &profile.value.candidates {
            verify_candidates(&candidates.value, names, sink);
        }
        if let Some(bands) = &profile.value.bands {
            verify_bands(bands, Bands::default(), sink);
        }
    }
}

/// Reports candidates that do not exist, or that are the same model twice.
pub(super) fn verify_candidates(candidates: &[At<String>], names: &Names<'_>, sink: &mut Sink) {
    let mut seen = HashSet::new();
    for candidate in candidates {
        names.require_model(candidate, sink);
        let Some((position, model)) = names.model(&candidate.value) else { continue };
        if !seen.insert(position) {
            sink.error(candidate.span, format!("candidate {} is listed twice", Quoted(&model.name.value)));
        }
    }
}

/// Reports thresholds in the wrong order. `otherwise` stands in for the one that is not stated.
pub(super) fn verify_bands(bands: &At<BandsEntry>, otherwise: Bands, sink: &mut Sink) {
    let BandsEntry { hybrid, external } = bands.value;
    let low = hybrid.map_or(otherwise.hybrid, |at| at.value);
    let high = external.map_or(otherwise.external, |at| at.value);
    if low > high {
        let span: Span = hybrid.or(external).map_or(bands.span, |at| at.span);
        sink.error(span, format!("impossible bands: hybrid {low} is above external {high}"));
    }
}

/// The thresholds, with `otherwise` for what is not stated.
pub(super) fn bands(bands: Option<&At<BandsEntry>>, otherwise: Bands) -> Bands {
    bands.map_or(otherwise, |bands| Bands {
        hybrid: bands.value.hybrid.map_or(otherwise.hybrid, |at| at.value),
        external: bands.value.external.map_or(otherwise.external, |at| at.value),
    })
}
