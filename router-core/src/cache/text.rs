//! Words.
pub mod lexicon;
pub mod number;
pub mod phrase;
pub mod role;
pub mod scan;
pub mod stem;
pub mod word;
