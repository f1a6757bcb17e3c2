//! One pass over the bytes of a prompt: what it is made of, and the words in it.

mod lexicon;
mod reader;
mod shape;
mod wide;

pub use lexicon::Cue;
pub use reader::{HEAD_BYTES, TAIL_BYTES, Word, read, window};
pub use shape::Shape;
