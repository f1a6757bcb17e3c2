//! From characters to words, and what is known about words.
//!
//! [`scan`] cuts a text, [`lexicon`] knows the words (lists in `words/`, ours), [`stem`] reduces what it does not know,
//! [`phrase`] rewrites templates and set phrases. English only; see [`super::guard::language`] for everything else.

pub mod lexicon;
pub mod number;
pub mod phrase;
pub mod role;
pub mod scan;
pub mod stem;
pub mod word;
