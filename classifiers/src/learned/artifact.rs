//! Weights as a file: small, versioned, checked before anything in it is believed.
//!
//! ```text
//! magic "XYRC" · format u16 · feature map u16 · checksum u64 (FNV-1a of all that follows) · length u32, provenance as JSON
//! · head: bias, scale f32, one i8 per bucket, structure f32 · curves: gain, rank, weak_holds, strong_holds
//! · simple_share f32 · gate
//! ```
//! Little-endian throughout. Word weights are quantised to one byte: APGR on MMLU moves by less than 0.0005.

mod codec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::calibrate::Curve;
use super::features::{FEATURE_MAP, STRUCTURE};
use super::gate::Gate;

/// Version of the layout.
pub const FORMAT: u16 = 1;

/// First bytes of every artefact.
const MAGIC: [u8; 4] = *b"XYRC";

/// Bytes before the checksummed part.
const HEADER: usize = 16;

/// Larger files are refused unread.
pub const MAX_BYTES: usize = 4 << 20;

/// Where weights come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Name of the weights, shown in receipts.
    pub name: String,
    /// Training rows.
    pub rows: usize,
    /// Rows whose scores are assumptions (see [`crate::dataset::Row::assumed`]).
    pub assumed: usize,
    /// FNV-1a of the training rows (ids, prompts and scores, in order), in hexadecimal.
    pub data: String,
    /// Free text: sources and licences.
    pub note: String,
}

/// A fitted model, ready to score.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    pub(crate) provenance: Provenance,
    pub(crate) checksum: u64,
    pub(crate) bias: f32,
    pub(crate) scale: f32,
    pub(crate) words: Vec<i8>,
    pub(crate) structure: [f32; STRUCTURE],
    /// Raw score → expected gain.
    pub(crate) gain: Curve,
    /// Raw score → rank.
    pub(crate) rank: Curve,
    /// Raw score → share of rows on which the weak model was at least as good.
    pub(crate) weak_holds: Curve,
    /// Raw score → share of rows on which the strong model was at least as good.
    pub(crate) strong_holds: Curve,
    /// Complexity of the simplest training row: the share of all traffic that is simpler than anything in training.
    pub(crate) simple_share: f32,
    pub(crate) gate: Gate,
}

/// Why a file is not accepted as weights.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ArtifactError {
    /// Does not begin like one of our weight files.
    #[error("not a complexity weight file (it does not start with \"XYRC\")")]
    Foreign,
    /// Of a layout this build does not read.
    #[error("weight file has format {found}, this build reads format {FORMAT}")]
    Format {
        /// The file's format.
        found: u16,
    },
    /// Fitted on other features than this build computes.
    #[error(
        "weights were fitted on feature map {found}, this build computes feature map {FEATURE_MAP}: train them again"
    )]
    FeatureMap {
        /// The file's feature map.
        found: u16,
    },
    /// Cut short, extended or altered.
    #[error("weight file is damaged: checksum {found:016x}, expected {expected:016x}")]
    Damaged {
        /// Of the bytes that are there.
        found: u64,
        /// That the header states.
        expected: u64,
    },
    /// Intact, but its content makes no sense.
    #[error("weight file is malformed: {0}")]
    Malformed(&'static str),
    /// Larger than any of ours.
    #[error("weight file has {0} bytes, more than {MAX_BYTES}")]
    TooLarge(usize),
}

impl Artifact {
    /// Reads a weight file.
    ///
    /// # Errors
    /// With the reason if the bytes are not exactly what [`Artifact::to_bytes`] wrote for this format and feature map.
    pub fn load(bytes: &[u8]) -> Result<Self, ArtifactError> {
        if bytes.len() > MAX_BYTES {
            return Err(ArtifactError::TooLarge(bytes.len()));
        }
        let (header, body) = bytes.split_at_checked(HEADER).ok_or(ArtifactError::Foreign)?;
        let mut header = codec::Input::new(header);
        if header.array::<4>()? != MAGIC {
            return Err(ArtifactError::Foreign);
        }
        let (format, feature_map, expected) = (header.u16()?, header.u16()?, header.u64()?);
        if format != FORMAT {
            return Err(ArtifactError::Format { found: format });
        }
        let found = fnv1a(body);
        if found != expected {
            return Err(ArtifactError::Damaged { found, expected });
        }
        if feature_map != FEATURE_MAP {
            return Err(ArtifactError::FeatureMap { found: feature_map });
        }
        codec::read(body, expected)
    }

    /// The weight file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = codec::write(self);
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(FEATURE_MAP.to_le_bytes());
        bytes.extend(fnv1a(&body).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    /// Where the weights come from.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Of the weight file's content.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Fills in the checksum of a freshly fitted model.
    pub(crate) fn sealed(mut self) -> Self {
        self.checksum = fnv1a(&codec::write(&self));
        self
    }
}

/// FNV-1a, 64 bits: against accidents, not against forgery.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    fnv1a_from(0xcbf2_9ce4_8422_2325, bytes)
}

/// Goes on from an earlier hash.
pub(crate) fn fnv1a_from(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests;
