use super::*;
use crate::learned::artifact::Artifact;
use crate::volatility;

static SHIPPED: &[u8] = include_bytes!("../../weights/complexity-v1.bin");
static VOLATILITY: &[u8] = include_bytes!("../../weights/volatility-v1.bin");

fn altered(change: impl FnOnce(&mut Vec<u8>)) -> Result<Artifact, ArtifactError> {
    let mut bytes = SHIPPED.to_vec();
    change(&mut bytes);
    Artifact::load(&bytes)
}

/// Writes a checksum that fits whatever was altered.
fn resealed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Artifact, ArtifactError> {
    altered(|bytes| {
        change(bytes);
        let checksum = fnv1a(&bytes[HEADER..]);
        bytes[8..16].copy_from_slice(&checksum.to_le_bytes());
    })
}

#[test]
fn what_is_written_is_read_back() {
    let artifact = Artifact::load(SHIPPED).unwrap();
    assert_eq!(artifact.to_bytes(), SHIPPED);
    let artifact = volatility::artifact::Artifact::load(VOLATILITY).unwrap();
    assert_eq!(artifact.to_bytes(), VOLATILITY);
}

#[test]
fn foreign_files_are_refused() {
    let expected = "XYRC".to_owned();
    for bytes in [&b""[..], b"XYR", b"PK\x03\x04 something else entirely", VOLATILITY] {
        assert_eq!(Artifact::load(bytes), Err(ArtifactError::Foreign { expected: expected.clone() }));
    }
}

#[test]
fn other_versions_are_refused_with_both_numbers() {
    let other = altered(|bytes| bytes[4] = 9).unwrap_err();
    assert_eq!(other.to_string(), "weight file has format 9, this build reads format 1");
    let other = altered(|bytes| bytes[6] = 9).unwrap_err();
    assert!(
        other.to_string().contains("feature map 9") && other.to_string().contains("train them again"),
        "{other}"
    );
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    for at in (HEADER..SHIPPED.len()).step_by(997) {
        let flipped = altered(|bytes| bytes[at] ^= 1 << (at % 8));
        assert!(matches!(flipped, Err(ArtifactError::Damaged { .. })), "byte {at}");
    }
    for len in [HEADER, 100, SHIPPED.len() / 2, SHIPPED.len() - 1] {
        assert!(
            matches!(altered(|bytes| bytes.truncate(len)), Err(ArtifactError::Damaged { .. })),
            "length {len}"
        );
    }
    assert!(matches!(altered(|bytes| bytes.push(0)), Err(ArtifactError::Damaged { .. })));
}

#[test]
fn intact_nonsense_is_refused() {
    let malformed = |result: Result<Artifact, ArtifactError>| match result {
        Err(ArtifactError::Malformed(what)) => what,
        other => panic!("{:?}", other.map(|_| "loaded")),
    };
    assert_eq!(malformed(resealed(|bytes| bytes.truncate(HEADER + 2))), "it ends early");
    assert_eq!(malformed(resealed(|bytes| bytes.truncate(bytes.len() - 1))), "it ends early");
    assert_eq!(malformed(resealed(|bytes| bytes.push(0))), "it goes on after its end");
    assert_eq!(malformed(resealed(|bytes| bytes[HEADER + 3] = 0xff)), "its provenance is too long");
    assert_eq!(malformed(resealed(|bytes| bytes[HEADER + 4] = b'x')), "its provenance cannot be read");
    let limit = SHIPPED.len() - 4;
    let nan = resealed(|bytes| bytes[limit..].copy_from_slice(&f32::NAN.to_le_bytes()));
    assert_eq!(malformed(nan), "a weight is not a number");
    let shut = resealed(|bytes| bytes[limit..].copy_from_slice(&0f32.to_le_bytes()));
    assert_eq!(malformed(shut), "its gate has no width");
}

#[test]
fn a_huge_file_is_refused_unread() {
    let huge = vec![0; MAX_BYTES + 1];
    assert_eq!(Artifact::load(&huge), Err(ArtifactError::TooLarge(MAX_BYTES + 1)));
}
