//! Reading and writing the body.

use super::{Artifact, ArtifactError, Provenance};
use crate::learned::calibrate::{Curve, MAX_KNOTS};
use crate::learned::features::{BINS, BUCKETS, COUNTS, FAMILIAR_BUCKETS, STRUCTURE};
use crate::learned::gate::{Gate, MAX_PARTS, Part, Precision};

/// Provenance is a few lines, not a book.
const MAX_PROVENANCE: usize = 16 * 1024;

/// Bytes still to be read.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], ArtifactError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(ArtifactError::Malformed("it ends early"))?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ArtifactError> {
        self.take(N)?.try_into().map_err(|_| ArtifactError::Malformed("it ends early"))
    }

    pub(super) fn u16(&mut self) -> Result<u16, ArtifactError> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<usize, ArtifactError> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    pub(super) fn u64(&mut self) -> Result<u64, ArtifactError> {
        self.array().map(u64::from_le_bytes)
    }

    fn f32(&mut self) -> Result<f32, ArtifactError> {
        let value = self.array().map(f32::from_le_bytes)?;
        if value.is_finite() { Ok(value) } else { Err(ArtifactError::Malformed("a weight is not a number")) }
    }

    fn floats<const N: usize>(&mut self) -> Result<[f32; N], ArtifactError> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = self.f32()?;
        }
        Ok(values)
    }

    fn bytes(&mut self, n: usize) -> Result<Vec<i8>, ArtifactError> {
        Ok(self.take(n)?.iter().map(|&byte| byte.cast_signed()).collect())
    }

    fn curve(&mut self) -> Result<Curve, ArtifactError> {
        let len = self.u32()?.min(MAX_KNOTS + 1);
        let knots = (0..len).map(|_| Ok((self.f32()?, self.f32()?))).collect::<Result<_, ArtifactError>>()?;
        Curve::try_new(knots).map_err(ArtifactError::Malformed)
    }

    fn rising_curve(&mut self) -> Result<Curve, ArtifactError> {
        let curve = self.curve()?;
        if curve.is_rising() { Ok(curve) } else { Err(ArtifactError::Malformed("a calibration falls")) }
    }
}

pub(super) fn read(body: &[u8], checksum: u64) -> Result<Artifact, ArtifactError> {
    let mut input = Input::new(body);
    let length = input.u32()?;
    if length > MAX_PROVENANCE {
        return Err(ArtifactError::Malformed("its provenance is too long"));
    }
    let provenance: Provenance = serde_json::from_slice(input.take(length)?)
        .map_err(|_| ArtifactError::Malformed("its provenance cannot be read"))?;
    let artifact = Artifact {
        provenance,
        checksum,
        bias: input.f32()?,
        scale: input.f32()?,
        words: input.bytes(BUCKETS)?,
        structure: input.floats()?,
        gain: input.rising_curve()?,
        rank: input.rising_curve()?,
        weak_holds: input.curve()?,
        strong_holds: input.curve()?,
        simple_share: input.f32()?,
        gate: read_gate(&mut input)?,
    };
    if !(0.0..1.0).contains(&artifact.simple_share) {
        return Err(ArtifactError::Malformed("its share of simple traffic is not below 1"));
    }
    if !input.rest.is_empty() {
        return Err(ArtifactError::Malformed("it goes on after its end"));
    }
    Ok(artifact)
}

fn read_gate(input: &mut Input<'_>) -> Result<Gate, ArtifactError> {
    let count = input.u32()?;
    if !(1..=MAX_PARTS).contains(&count) {
        return Err(ArtifactError::Malformed("its gate has too few or too many parts"));
    }
    (0..count).map(|_| read_part(input)).collect::<Result<_, _>>().map(Gate::new)
}

fn read_part(input: &mut Input<'_>) -> Result<Part, ArtifactError> {
    let (words, bins) = (input.bytes(FAMILIAR_BUCKETS)?, input.bytes(COUNTS * BINS)?);
    let (mean, scale) = (input.floats()?, input.floats()?);
    let inverse = input.floats::<{ STRUCTURE * STRUCTURE }>()?.to_vec();
    let (centre, slack, limit) = (input.floats()?, input.floats()?, input.f32()?);
    if limit <= 0.0 || slack.iter().any(|slack| *slack <= 0.0) {
        return Err(ArtifactError::Malformed("its gate has no width"));
    }
    Ok(Part { words, bins, precision: Precision { mean, scale, inverse }, centre, slack, limit })
}

pub(super) fn write(artifact: &Artifact) -> Vec<u8> {
    let mut out = Vec::new();
    let provenance = serde_json::to_vec(&artifact.provenance).unwrap_or_default();
    out.extend((provenance.len() as u32).to_le_bytes());
    out.extend(provenance);
    floats(&mut out, &[artifact.bias, artifact.scale]);
    bytes(&mut out, &artifact.words);
    floats(&mut out, &artifact.structure);
    for curve in [&artifact.gain, &artifact.rank, &artifact.weak_holds, &artifact.strong_holds] {
        out.extend((curve.knots().len() as u32).to_le_bytes());
        curve.knots().iter().for_each(|&(x, y)| floats(&mut out, &[x, y]));
    }
    floats(&mut out, &[artifact.simple_share]);
    out.extend((artifact.gate.parts().len() as u32).to_le_bytes());
    artifact.gate.parts().iter().for_each(|part| write_part(&mut out, part));
    out
}

fn write_part(out: &mut Vec<u8>, part: &Part) {
    bytes(out, &part.words);
    bytes(out, &part.bins);
    floats(out, &part.precision.mean);
    floats(out, &part.precision.scale);
    floats(out, &part.precision.inverse);
    floats(out, &part.centre);
    floats(out, &part.slack);
    floats(out, &[part.limit]);
}

fn floats(out: &mut Vec<u8>, values: &[f32]) {
    values.iter().for_each(|value| out.extend(value.to_le_bytes()));
}

fn bytes(out: &mut Vec<u8>, values: &[i8]) {
    out.extend(values.iter().map(|value| value.cast_unsigned()));
}
