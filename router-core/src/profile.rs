//! What `auto` means: candidates, bands, objective.

use std::fmt;

use crate::ids::ModelId;

/// Where a request of this complexity goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Band {
    /// Simple: internal models; external ones only where no internal one is left.
    Internal,
    /// In between: internal first, external when that fails.
    Hybrid,
    /// Hard: external models; internal ones only where no external one is left.
    External,
}

impl Band {
    /// The name used in headers and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Hybrid => "hybrid",
            Self::External => "external",
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The complexities at which a request changes its band. `0 ≤ hybrid ≤ external ≤ 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bands {
    /// Above this: hybrid.
    pub hybrid: f32,
    /// Above this: external.
    pub external: f32,
}

impl Default for Bands {
    /// 0.4 and 0.8, the platform's thresholds.
    fn default() -> Self {
        Self { hybrid: 0.4, external: 0.8 }
    }
}

impl Bands {
    /// The band of a complexity. A threshold belongs to the band below it.
    #[must_use]
    pub fn band(&self, complexity: f32) -> Band {
        if complexity > self.external {
            Band::External
        } else if complexity > self.hybrid {
            Band::Hybrid
        } else {
            Band::Internal
        }
    }

    /// Whether a complexity lies so near a threshold that a conversation does not change its model for it.
    #[must_use]
    pub fn is_near_threshold(&self, complexity: f32) -> bool {
        [self.hybrid, self.external]
            .into_iter()
            .any(|threshold| (complexity - threshold).abs() < THRESHOLD_MARGIN)
    }
}

/// How far beyond a threshold a turn must lie before a conversation changes its placement for it. A tenth of the scale is about
/// the standard error of a score on one prompt.
const THRESHOLD_MARGIN: f32 = 0.1;

/// What makes one admissible model better than another of the same placement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Objective {
    /// The lowest expected cost; unpriced models last.
    #[default]
    Cheapest,
    /// The highest tier, then the lowest expected cost.
    Best,
}

impl Objective {
    /// The name used in policies and receipts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cheapest => "cheapest",
            Self::Best => "best",
        }
    }

    /// The objective with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Cheapest, Self::Best].into_iter().find(|objective| objective.as_str() == name)
    }
}

/// One meaning of `auto`.
#[derive(Clone, Debug)]
pub struct Profile {
    /// `default` for `auto`, else the NAME of `auto:NAME`.
    pub name: Box<str>,
    /// The models to choose from.
    pub candidates: Box<[ModelId]>,
    /// How to choose.
    pub objective: Objective,
    /// Where complexity changes the placement.
    pub bands: Bands,
    /// Whether models of the other placement stand by as the last resort in bands internal and external.
    pub fallback: bool,
}
