//! Cuts a byte stream into events.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr2;

use super::frame::Frame;

/// Cuts a stream of chunks into [`Frame`]s.
///
/// Line ends may be LF, CRLF or CR, mixed, and chunks may end anywhere: the frames are the same wherever the
/// stream was split, and put together they are the input. A frame that lies within one chunk is a slice of
/// it; only one that spans chunks is copied, once.
///
/// A blank line that ends in CR could still be half of a CRLF, so its frame waits for the next byte or the
/// end. Streams with bare CRs as line ends are exempt: there a frame ends with its CR.
#[derive(Debug)]
pub struct Splitter {
    limit: usize,
    /// The beginning of the open frame, from earlier chunks.
    carry: BytesMut,
    /// What has not been handed out of the latest chunk.
    chunk: Bytes,
    /// How many bytes of `chunk` belong to the open frame as far as is known.
    seen: usize,
    line: Line,
    /// A CR that was not followed by LF has ended a line of the open frame.
    bare_cr: bool,
    /// No frame has been handed out.
    opening: bool,
    failed: Option<SseFault>,
}

/// Where in a line the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Start,
    Inside,
    /// Behind a CR, which has ended a blank line or another.
    AfterCr {
        blank: bool,
    },
}

/// Why a stream can't be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseFault {
    /// One event is larger than the limit.
    #[error("an event is larger than {limit} bytes")]
    FrameTooLarge {
        /// The limit.
        limit: usize,
    },
    /// One event is not UTF-8.
    #[error("an event is not valid UTF-8")]
    InvalidUtf8,
}

/// What stood behind the last frame when the stream ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// Nothing: the stream ended between two events.
    Nothing,
    /// A whole event that had been waiting for its LF.
    Frame(Frame),
    /// An event without its blank line. Clients drop it, so it is not to be passed on and the stream was cut
    /// short; unless it is the terminator ([`super::Tap::observe_tail`]).
    Partial(Frame),
}

impl Splitter {
    /// Eight megabytes. The largest events in use carry a generated image as base64, about six megabytes;
    /// text events stay below 100 kB.
    pub const DEFAULT_LIMIT: usize = 8 << 20;

    /// A splitter that refuses events of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            carry: BytesMut::new(),
            chunk: Bytes::new(),
            seen: 0,
            line: Line::Start,
            bare_cr: false,
            opening: true,
            failed: None,
        }
    }

    /// Takes in the next chunk. Call [`Self::frame`] until it has no more before the next one: bytes that
    /// were left are copied.
    pub fn push(&mut self, chunk: Bytes) {
        self.carry.extend_from_slice(&self.chunk[..self.seen]);
        self.chunk.advance(self.seen);
        self.seen = 0;
        self.chunk = if self.chunk.is_empty() {
            chunk
        } else {
            let mut both = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            both.extend_from_slice(&self.chunk);
            both.extend_from_slice(&chunk);
            both.freeze()
        };
    }

    /// The next whole frame, or `None` until more bytes come.
    ///
    /// # Errors
    /// If the frame is too large or is not UTF-8, and from then on always.
    pub fn frame(&mut self) -> Result<Option<Frame>, SseFault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        let whole = self.scan();
        let result = self.take(whole);
        self.failed = result.as_ref().err().copied();
        result
    }

    /// Ends the stream, once [`Self::frame`] has no more.
    ///
    /// # Errors
    /// As [`Self::frame`].
    pub fn finish(mut self) -> Result<Leftover, SseFault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        let complete = matches!(self.line, Line::AfterCr { blank: true });
        if self.carry.is_empty() && self.chunk.is_empty() {
            return Ok(Leftover::Nothing);
        }
        self.seen = self.chunk.len();
        Ok(match self.take(true)? {
            Some(frame) if complete => Leftover::Frame(frame),
            Some(frame) => Leftover::Partial(frame),
            None => Leftover::Nothing,
        })
    }

    /// Reads on to the end of the open frame or of the chunk; true if the frame is whole.
    fn scan(&mut self) -> bool {
        while let Some(&byte) = self.chunk.get(self.seen) {
            match (self.line, byte) {
                (Line::AfterCr { blank }, _) => {
                    if byte == b'\n' {
                        self.seen += 1;
                    } else {
                        self.bare_cr = true;
                    }
                    self.line = Line::Start;
                    if blank {
                        return true;
                    }
                }
                (Line::Start, b'\n') => {
                    self.seen += 1;
                    return true;
                }
                (Line::Start, b'\r') => {
                    self.seen += 1;
                    if self.bare_cr {
                        return true;
                    }
                    self.line = Line::AfterCr { blank: true };
                }
                (Line::Start | Line::Inside, _) => self.scan_line(),
            }
        }
        false
    }

    /// Reads on to behind the end of the line or to the end of the chunk.
    fn scan_line(&mut self) {
        let rest = &self.chunk[self.seen..];
        let end = memchr2(b'\n', b'\r', rest);
        self.line = match end.map(|end| rest[end]) {
            Some(b'\n') => Line::Start,
            Some(_) => Line::AfterCr { blank: false },
            None => Line::Inside,
        };
        self.seen += end.map_or(rest.len(), |end| end + 1);
    }

    /// Hands out the open frame if it is `whole`, otherwise puts it aside; checks it either way.
    fn take(&mut self, whole: bool) -> Result<Option<Frame>, SseFault> {
        if self.carry.len() + self.seen > self.limit {
            return Err(SseFault::FrameTooLarge { limit: self.limit });
        }
        let tail = self.chunk.split_to(self.seen);
        self.seen = 0;
        if !whole {
            self.carry.extend_from_slice(&tail);
            return Ok(None);
        }
        let bytes = if self.carry.is_empty() {
            tail
        } else {
            self.carry.extend_from_slice(&tail);
            self.carry.split().freeze()
        };
        if std::str::from_utf8(&bytes).is_err() {
            return Err(SseFault::InvalidUtf8);
        }
        self.line = Line::Start;
        self.bare_cr = false;
        Ok(Some(Frame::new(bytes, std::mem::take(&mut self.opening))))
    }
}

#[cfg(test)]
mod tests;
