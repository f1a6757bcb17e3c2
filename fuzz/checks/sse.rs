//! What must hold for every stream, however it is split. Shared by the fuzz target and the test that replays its seeds.

use bytes::Bytes;
use router_proxy::wire::sse::{Leftover, Splitter, Tap};

/// Small, so that inputs of a fuzzer reach it.
const LIMIT_BYTES: usize = 4096;

/// Longer streams are split at every so manieth boundary only: the work grows with the square.
const EVERY_BOUNDARY_BYTES: usize = 2048;

/// All that a reader of a stream can see.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    frames: Vec<Bytes>,
    /// The rest, or what was wrong.
    end: String,
    /// What the tap made of it.
    reading: String,
}

/// Splits `stream` at every boundary and panics where something else comes out than went in.
pub(crate) fn check(stream: &[u8]) {
    let whole = read(&[stream]);
    let handed_out: Vec<u8> = whole.frames.iter().flatten().copied().collect();
    assert!(stream.starts_with(&handed_out), "frames put together are the input");
    assert_eq!(read(&stream.chunks(1).collect::<Vec<_>>()), whole, "byte by byte");
    let step = stream.len().div_ceil(EVERY_BOUNDARY_BYTES).max(1);
    for at in (0..=stream.len()).step_by(step) {
        let (head, tail) = stream.split_at(at);
        assert_eq!(read(&[head, tail]), whole, "split at {at}");
    }
}

fn read(chunks: &[&[u8]]) -> Seen {
    let (mut splitter, mut tap) = (Splitter::new(LIMIT_BYTES), Tap::default());
    let mut frames = Vec::new();
    let mut fault = None;
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        loop {
            match splitter.frame() {
                Ok(Some(frame)) => {
                    tap.observe(&frame);
                    frames.push(frame.into_bytes());
                }
                Ok(None) => break,
                Err(found) => {
                    fault = Some(found);
                    break;
                }
            }
        }
    }
    let end = match (fault, splitter.finish()) {
        (Some(fault), _) | (None, Err(fault)) => fault.to_string(),
        (None, Ok(Leftover::Frame(frame))) => {
            tap.observe(&frame);
            frames.push(frame.into_bytes());
            String::new()
        }
        (None, Ok(Leftover::Partial(frame))) => {
            tap.observe_tail(&frame);
            format!("{:?}", frame.bytes())
        }
        (None, Ok(Leftover::Nothing)) => String::new(),
    };
    Seen { frames, end, reading: format!("{:?}", tap.reading()) }
}
