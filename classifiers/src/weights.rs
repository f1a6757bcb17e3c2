//! Weights as files: small, versioned, checked before anything in them is believed.
//!
//! ```text
//! magic, 4 bytes · format u16 · feature map u16 · checksum u64 (FNV-1a of all that follows) · length u32, provenance as JSON
//! · the weights themselves
//! ```
//! Little-endian throughout.

pub(crate) mod codec;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use codec::{Input, Output};

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
    #[serde(default)]
    pub assumed: usize,
    /// FNV-1a of the training rows (ids, prompts and scores, in order), in hexadecimal.
    pub data: String,
    /// Free text: sources and licences.
    pub note: String,
}

/// A kind of weight file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// First bytes of every such file.
    pub(crate) magic: [u8; 4],
    /// Version of the layout.
    pub(crate) format: u16,
    /// Version of the features that the weights belong to.
    pub(crate) feature_map: u16,
}

/// Why a file is not accepted as weights.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ArtifactError {
    /// Does not begin like such a file.
    #[error("not a weight file of this kind: it does not start with \"{expected}\"")]
    Foreign {
        /// How it should start.
        expected: String,
    },
    /// Of a layout this build does not read.
    #[error("weight file has format {found}, this build reads format {expected}")]
    Format {
        /// The file's format.
        found: u16,
        /// The format this build reads.
        expected: u16,
    },
    /// Fitted on other features than this build computes.
    #[error(
        "weights were fitted on feature map {found}, this build computes feature map {expected}: train them again"
    )]
    FeatureMap {
        /// The file's feature map.
        found: u16,
        /// The feature map of this build.
        expected: u16,
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

impl Kind {
    /// Checks the header and returns the checksum, the provenance and the rest.
    pub(crate) fn open(self, bytes: &[u8]) -> Result<(u64, Provenance, Input<'_>), ArtifactError> {
        if bytes.len() > MAX_BYTES {
            return Err(ArtifactError::TooLarge(bytes.len()));
        }
        let foreign =
            || ArtifactError::Foreign { expected: String::from_utf8_lossy(&self.magic).into_owned() };
        let (header, body) = bytes.split_at_checked(HEADER).ok_or_else(foreign)?;
        let mut header = Input::new(header);
        if header.array::<4>()? != self.magic {
            return Err(foreign());
        }
        let (format, feature_map, expected) = (header.u16()?, header.u16()?, header.u64()?);
        if format != self.format {
            return Err(ArtifactError::Format { found: format, expected: self.format });
        }
        let found = fnv1a(body);
        if found != expected {
            return Err(ArtifactError::Damaged { found, expected });
        }
        if feature_map != self.feature_map {
            return Err(ArtifactError::FeatureMap { found: feature_map, expected: self.feature_map });
        }
        let mut input = Input::new(body);
        let provenance = input.provenance()?;
        Ok((expected, provenance, input))
    }

    /// A file with this provenance and these weights.
    pub(crate) fn seal(self, provenance: &Provenance, weights: &Output) -> Vec<u8> {
        let body = body(provenance, weights);
        let mut bytes = self.magic.to_vec();
        bytes.extend(self.format.to_le_bytes());
        bytes.extend(self.feature_map.to_le_bytes());
        bytes.extend(fnv1a(&body).to_le_bytes());
        bytes.extend(body);
        bytes
    }
}

/// Checksum that a file with this content will have.
pub(crate) fn checksum(provenance: &Provenance, weights: &Output) -> u64 {
    fnv1a(&body(provenance, weights))
}

fn body(provenance: &Provenance, weights: &Output) -> Vec<u8> {
    let json = serde_json::to_vec(provenance).unwrap_or_default();
    let mut body = (json.len() as u32).to_le_bytes().to_vec();
    body.extend(json);
    body.extend(weights.bytes());
    body
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
