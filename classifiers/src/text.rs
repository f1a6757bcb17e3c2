//! One pass over the bytes of a prompt: what it is made of, and the words in it.

mod courtesy;
mod lexicon;
mod reader;
mod shape;
mod wide;
mod word;

pub use reader::{HEAD_BYTES, TAIL_BYTES, read, window};
pub use shape::Shape;
pub use word::Word;
pub(crate) use word::WordHash;
