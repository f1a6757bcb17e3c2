//! Server-sent events: cut into frames, looked at, passed on untouched.
//!
//! A [`Splitter`] cuts the bytes of a stream at its blank lines; what goes in comes out, byte for byte, one
//! whole event at a time. A [`Tap`] looks at each [`Frame`] and knows at the end what the answer cost and
//! whether it ended as it should. Neither does any I/O.
//!
//! ```
//! use router_proxy::wire::sse::{FrameKind, Splitter, Tap};
//!
//! let mut splitter = Splitter::new(Splitter::DEFAULT_LIMIT);
//! let mut tap = Tap::default();
//! splitter.push("data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: [DO".into());
//! let frame = splitter.frame()?.expect("one whole event");
//! assert_eq!(tap.observe(&frame), FrameKind::Content);
//! assert!(splitter.frame()?.is_none(), "the second one is not complete");
//!
//! splitter.push("NE]\n\n".into());
//! let frame = splitter.frame()?.expect("the rest of it");
//! assert_eq!(frame.bytes(), "data: [DONE]\n\n");
//! assert_eq!(tap.observe(&frame), FrameKind::Terminator);
//! # Ok::<(), router_proxy::wire::sse::SseFault>(())
//! ```

mod frame;
mod splitter;
mod tally;
mod tap;

pub use frame::{Fields, Frame};
pub use splitter::{Leftover, Splitter, SseFault};
pub use tap::{Ending, FrameKind, Tap};
