//! The fitted volatility model, and its file.

use super::HEADS;
use super::features::{BUCKETS, FEATURE_MAP};
use crate::learned::calibrate::Curve;
use crate::learned::features::STRUCTURE;
use crate::learned::gate::Gate;
use crate::weights::codec::Output;
use crate::weights::{ArtifactError, Kind, Provenance};

const KIND: Kind = Kind { magic: *b"XYRV", format: 1, feature_map: FEATURE_MAP };

/// A fitted model, ready to judge.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    pub(super) provenance: Provenance,
    /// The weights of one bucket for all heads lie side by side.
    pub(super) words: Vec<[i8; HEADS]>,
    pub(super) heads: [Head; HEADS],
    /// Raw score of the week head from which a question is taken for short-lived.
    pub(super) flag_from: f32,
    pub(super) gate: Gate,
}

/// What a head has beside its word weights.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    pub(super) bias: f32,
    pub(super) scale: f32,
    pub(super) structure: [f32; STRUCTURE],
    /// Raw score → probability.
    pub(super) probability: Curve,
}

impl Artifact {
    /// Reads a weight file.
    ///
    /// # Errors
    /// With the reason if the bytes are not exactly what [`Artifact::to_bytes`] wrote for this format and feature map.
    pub fn load(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let (_, provenance, mut input) = KIND.open(bytes)?;
        let columns = [input.bytes(BUCKETS)?, input.bytes(BUCKETS)?, input.bytes(BUCKETS)?];
        let mut head = || {
            Ok(Head {
                bias: input.float()?,
                scale: input.float()?,
                structure: input.floats()?,
                probability: input.rising_curve()?,
            })
        };
        let heads = [head()?, head()?, head()?];
        let (flag_from, gate) = (input.float()?, input.gate()?);
        input.finish()?;
        let words = (0..BUCKETS).map(|bucket| std::array::from_fn(|at| columns[at][bucket])).collect();
        Ok(Self { provenance, words, heads, flag_from, gate })
    }

    /// The weight file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Output::default();
        for at in 0..HEADS {
            out.weights(&self.words.iter().map(|weights| weights[at]).collect::<Vec<_>>());
        }
        for head in &self.heads {
            out.floats(&[head.bias, head.scale]);
            out.floats(&head.structure);
            out.curve(&head.probability);
        }
        out.floats(&[self.flag_from]);
        out.gate(&self.gate);
        KIND.seal(&self.provenance, &out)
    }

    /// Where the weights come from.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }
}
