//! A stored answer in the framing that the next caller asks for.
//!
//! | stored | asked | |
//! |---|---|---|
//! | plain | plain | as it is |
//! | stream | stream | as it is; OpenAI's usage chunk is dropped for callers who did not ask for it |
//! | stream | plain | put together: chat, messages, responses |
//! | plain | stream | unrolled: chat, messages |
//!
//! What cannot be converted without loss (several choices, log probabilities, fields whose meaning in the
//! other framing is unknown) is `None`, and the caller's request goes to a provider. Values are carried over
//! as text, so numbers and tool inputs keep their spelling.

mod anthropic;
mod object;
mod openai;

use bytes::Bytes;
use router_core::{Endpoint, Framing};
use serde::Serialize;

use crate::wire::sse::{Ending, Frame, FrameKind, Leftover, Splitter, Tap};

/// How a caller wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// One body or a stream.
    pub framing: Framing,
    /// `stream_options.include_usage` of an OpenAI request.
    pub include_usage: bool,
}

/// The answer `body`, stored as `framing`, as it is `wanted`; `None` if it can't be converted faithfully.
///
/// The body must be a complete answer ([`crate::wire::completeness`]) of one choice.
#[must_use]
pub fn replay(endpoint: Endpoint, framing: Framing, body: &Bytes, wanted: Wanted) -> Option<Bytes> {
    match (framing, wanted.framing) {
        (Framing::Plain, Framing::Plain) => Some(body.clone()),
        (Framing::Stream, Framing::Stream) => restream(endpoint, body, wanted.include_usage),
        (Framing::Stream, Framing::Plain) => assemble(endpoint, body),
        (Framing::Plain, Framing::Stream) => unroll(endpoint, body, wanted.include_usage),
    }
}

/// A complete stream as one plain body.
fn assemble(endpoint: Endpoint, stream: &Bytes) -> Option<Bytes> {
    let (frames, ending) = frames(stream)?;
    if ending != Ending::Complete {
        return None;
    }
    match endpoint {
        Endpoint::ChatCompletions => openai::assemble_chat(&frames),
        Endpoint::Responses => openai::assemble_response(&frames),
        Endpoint::Messages => anthropic::assemble(&frames),
        Endpoint::Completions | Endpoint::Embeddings | Endpoint::CountTokens => None,
    }
}

/// A plain body as a stream.
fn unroll(endpoint: Endpoint, body: &[u8], include_usage: bool) -> Option<Bytes> {
    match endpoint {
        Endpoint::ChatCompletions => openai::unroll_chat(body, include_usage),
        Endpoint::Messages => anthropic::unroll(body),
        Endpoint::Responses | Endpoint::Completions | Endpoint::Embeddings | Endpoint::CountTokens => None,
    }
}

/// A stored stream for a caller who did or did not ask for usage. `None` where it was asked for and the
/// stream has none.
fn restream(endpoint: Endpoint, stream: &Bytes, include_usage: bool) -> Option<Bytes> {
    if !matches!(endpoint, Endpoint::ChatCompletions | Endpoint::Completions) {
        return Some(stream.clone());
    }
    let mut tap = Tap::default();
    let (frames, _) = frames(stream)?;
    let kinds: Vec<FrameKind> = frames.iter().map(|frame| tap.observe(frame)).collect();
    if include_usage {
        return tap.reading().usage.map(|_| stream.clone());
    }
    if !kinds.contains(&FrameKind::UsageOnly) {
        return Some(stream.clone());
    }
    let kept = frames.iter().zip(kinds).filter(|(_, kind)| *kind != FrameKind::UsageOnly);
    Some(kept.flat_map(|(frame, _)| frame.bytes().iter().copied()).collect())
}

/// All frames of a stored stream, the last one too if only its blank line is missing.
fn frames(stream: &Bytes) -> Option<(Vec<Frame>, Ending)> {
    let mut splitter = Splitter::new(stream.len());
    let (mut frames, mut tap) = (Vec::new(), Tap::default());
    splitter.push(stream.clone());
    while let Some(frame) = splitter.frame().ok()? {
        tap.observe(&frame);
        frames.push(frame);
    }
    match splitter.finish().ok()? {
        Leftover::Nothing => {}
        Leftover::Frame(frame) | Leftover::Partial(frame) => {
            tap.observe_tail(&frame).then_some(())?;
            frames.push(frame);
        }
    }
    Some((frames, tap.ending()))
}

/// Writes one event. A payload may hold text of a body that was printed over several lines; between its
/// tokens, the only place where JSON has line ends, spaces do as well.
fn write_event(stream: &mut Vec<u8>, name: Option<&str>, payload: &impl Serialize) -> Option<()> {
    if let Some(name) = name {
        stream.extend_from_slice(b"event: ");
        stream.extend_from_slice(name.as_bytes());
        stream.push(b'\n');
    }
    stream.extend_from_slice(b"data: ");
    let start = stream.len();
    serde_json::to_writer(&mut *stream, payload).ok()?;
    stream[start..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    stream.extend_from_slice(b"\n\n");
    Some(())
}

#[cfg(test)]
mod tests;
