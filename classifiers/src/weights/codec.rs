//! Reading and writing numbers, curves and gates.

use super::{ArtifactError, Provenance};
use crate::learned::calibrate::{Curve, MAX_KNOTS};
use crate::learned::features::{BINS, COUNTS, FAMILIAR_BUCKETS, STRUCTURE};
use crate::learned::gate::{Gate, MAX_PARTS, Part, Precision};

/// Provenance is a few lines, not a book.
const MAX_PROVENANCE: usize = 16 * 1024;

/// Bytes still to be read.
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

const SHORT: ArtifactError = ArtifactError::Malformed("it ends early");

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], ArtifactError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(SHORT)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ArtifactError> {
        self.take(N)?.try_into().map_err(|_| SHORT)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ArtifactError> {
        self.array().map(u16::from_le_bytes)
    }

    fn length(&mut self) -> Result<usize, ArtifactError> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    pub(super) fn u64(&mut self) -> Result<u64, ArtifactError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn provenance(&mut self) -> Result<Provenance, ArtifactError> {
        let length = self.length()?;
        if length > MAX_PROVENANCE {
            return Err(ArtifactError::Malformed("its provenance is too long"));
        }
        serde_json::from_slice(self.take(length)?)
            .map_err(|_| ArtifactError::Malformed("its provenance cannot be read"))
    }

    /// A finite number.
    pub(crate) fn float(&mut self) -> Result<f32, ArtifactError> {
        let value = self.array().map(f32::from_le_bytes)?;
        if value.is_finite() { Ok(value) } else { Err(ArtifactError::Malformed("a weight is not a number")) }
    }

    /// Finite numbers.
    pub(crate) fn floats<const N: usize>(&mut self) -> Result<[f32; N], ArtifactError> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = self.float()?;
        }
        Ok(values)
    }

    /// One-byte weights.
    pub(crate) fn bytes(&mut self, n: usize) -> Result<Vec<i8>, ArtifactError> {
        Ok(self.take(n)?.iter().map(|&byte| byte.cast_signed()).collect())
    }

    /// A curve.
    pub(crate) fn curve(&mut self) -> Result<Curve, ArtifactError> {
        let len = self.length()?.min(MAX_KNOTS + 1);
        let knots =
            (0..len).map(|_| Ok((self.float()?, self.float()?))).collect::<Result<_, ArtifactError>>()?;
        Curve::try_new(knots).map_err(ArtifactError::Malformed)
    }

    /// A curve that never falls.
    pub(crate) fn rising_curve(&mut self) -> Result<Curve, ArtifactError> {
        let curve = self.curve()?;
        if curve.is_rising() { Ok(curve) } else { Err(ArtifactError::Malformed("a calibration falls")) }
    }

    /// A gate.
    pub(crate) fn gate(&mut self) -> Result<Gate, ArtifactError> {
        let count = self.length()?;
        if !(1..=MAX_PARTS).contains(&count) {
            return Err(ArtifactError::Malformed("its gate has too few or too many parts"));
        }
        (0..count).map(|_| self.part()).collect::<Result<_, _>>().map(Gate::new)
    }

    fn part(&mut self) -> Result<Part, ArtifactError> {
        let (words, bins) = (self.bytes(FAMILIAR_BUCKETS)?, self.bytes(COUNTS * BINS)?);
        let (mean, scale) = (self.floats()?, self.floats()?);
        let inverse = self.floats::<{ STRUCTURE * STRUCTURE }>()?.to_vec();
        let (centre, slack, limit) = (self.floats()?, self.floats()?, self.float()?);
        if limit <= 0.0 || slack.iter().any(|slack| *slack <= 0.0) {
            return Err(ArtifactError::Malformed("its gate has no width"));
        }
        Ok(Part { words, bins, precision: Precision { mean, scale, inverse }, centre, slack, limit })
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Result<(), ArtifactError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ArtifactError::Malformed("it goes on after its end")) }
    }
}

/// Bytes written so far.
#[derive(Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
}

impl Output {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn length(&mut self, length: usize) {
        self.bytes.extend((length as u32).to_le_bytes());
    }

    pub(crate) fn floats(&mut self, values: &[f32]) {
        values.iter().for_each(|value| self.bytes.extend(value.to_le_bytes()));
    }

    pub(crate) fn weights(&mut self, values: &[i8]) {
        self.bytes.extend(values.iter().map(|value| value.cast_unsigned()));
    }

    pub(crate) fn curve(&mut self, curve: &Curve) {
        self.length(curve.knots().len());
        curve.knots().iter().for_each(|&(x, y)| self.floats(&[x, y]));
    }

    pub(crate) fn gate(&mut self, gate: &Gate) {
        self.length(gate.parts().len());
        for part in gate.parts() {
            self.weights(&part.words);
            self.weights(&part.bins);
            for numbers in [&part.precision.mean[..], &part.precision.scale, &part.precision.inverse] {
                self.floats(numbers);
            }
            self.floats(&part.centre);
            self.floats(&part.slack);
            self.floats(&[part.limit]);
        }
    }
}
