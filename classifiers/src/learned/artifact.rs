//! The fitted complexity model, and its file.
//!
//! The file (see [`crate::weights`] for what stands before) holds the head: bias, scale, one byte per bucket, the weights of
//! structure; the curves `gain`, `rank`, `weak_holds`, `strong_holds`; the share of simple traffic; and the gate. Quantising
//! word weights to a byte moves APGR on MMLU by less than 0.001.

use super::calibrate::Curve;
use super::features::{BUCKETS, FEATURE_MAP, STRUCTURE};
use super::gate::Gate;
use crate::weights::codec::Output;
use crate::weights::{self, ArtifactError, Kind, Provenance};

const KIND: Kind = Kind { magic: *b"XYRC", format: 1, feature_map: FEATURE_MAP };

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

impl Artifact {
    /// Reads a weight file.
    ///
    /// # Errors
    /// With the reason if the bytes are not exactly what [`Artifact::to_bytes`] wrote for this format and feature map.
    pub fn load(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let (checksum, provenance, mut input) = KIND.open(bytes)?;
        let artifact = Self {
            provenance,
            checksum,
            bias: input.float()?,
            scale: input.float()?,
            words: input.bytes(BUCKETS)?,
            structure: input.floats()?,
            gain: input.rising_curve()?,
            rank: input.rising_curve()?,
            weak_holds: input.curve()?,
            strong_holds: input.curve()?,
            simple_share: input.float()?,
            gate: input.gate()?,
        };
        if !(0.0..1.0).contains(&artifact.simple_share) {
            return Err(ArtifactError::Malformed("its share of simple traffic is not below 1"));
        }
        input.finish()?;
        Ok(artifact)
    }

    /// The weight file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        KIND.seal(&self.provenance, &self.output())
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
        self.checksum = weights::checksum(&self.provenance, &self.output());
        self
    }

    fn output(&self) -> Output {
        let mut out = Output::default();
        out.floats(&[self.bias, self.scale]);
        out.weights(&self.words);
        out.floats(&self.structure);
        for curve in [&self.gain, &self.rank, &self.weak_holds, &self.strong_holds] {
            out.curve(curve);
        }
        out.floats(&[self.simple_share]);
        out.gate(&self.gate);
        out
    }
}
