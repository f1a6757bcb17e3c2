//! Words: deterministic, told apart by model and question, some of them not ASCII.

use fastrand::Rng;

/// The vocabulary. A few words need two or three bytes a character, so that a stream that is cut or split
/// at a byte is likely to meet one.
const WORDS: [&str; 48] = [
    "a", "the", "and", "of", "in", "with", "route", "signal", "river", "window", "paper", "engine", "quiet",
    "narrow", "early", "copper", "garden", "number", "answer", "reason", "simple", "often", "across",
    "under", "carries", "returns", "measures", "follows", "keeps", "opens", "between", "several", "small",
    "steady", "naïve", "café", "Zürich", "façade", "über", "東京", "€5", "costs", "hours", "north", "letter",
    "market", "remains", "begins",
];

/// What every text answer of a model to a user's message begins with, as in `[small:3fa2c1d0]`.
///
/// The hash is of `last_user`, the text parts of the last user message joined by line feeds.
pub fn tag(model: &str, last_user: &str) -> String {
    format!("[{model}:{}]", short(hash(last_user.as_bytes())))
}

/// FNV-1a in 64 bits: stable across platforms and releases, and short enough to repeat in a test of
/// another language.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The last eight hexadecimal digits of a hash.
pub(crate) fn short(hash: u64) -> String {
    format!("{:08x}", hash as u32)
}

/// A text of so many tokens (four bytes each, less what does not fill a character) that begins with `tag`.
pub(crate) fn write(tag: &str, tokens: u32, seed: u64) -> String {
    let mut rng = Rng::with_seed(seed);
    let mut text = tag.to_owned();
    let wanted = 4 * tokens as usize;
    while text.len() < wanted {
        text.push(' ');
        text.push_str(WORDS[rng.usize(..WORDS.len())]);
        if rng.u8(..9) == 0 {
            text.push('.');
        }
    }
    text.truncate(text.floor_char_boundary(wanted));
    text
}

/// Cuts a text into pieces of so many tokens, between characters.
pub(crate) fn cut(mut text: &str, chunk_tokens: u32) -> Vec<String> {
    let size = 4 * chunk_tokens.max(1) as usize;
    let mut pieces = Vec::with_capacity(text.len() / size + 1);
    while !text.is_empty() {
        let (piece, rest) = text.split_at(text.floor_char_boundary(size));
        pieces.push(piece.to_owned());
        text = rest;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // From the test vectors of the FNV specification.
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(tag("small", "Why?"), "[small:5051a8d2]");
    }

    #[test]
    fn pieces_make_up_the_text() {
        let text = write("[small:0]", 500, 7);
        assert!(!text.is_ascii() && (1_997..=2_000).contains(&text.len()));
        for tokens in 1..4 {
            let pieces = cut(&text, tokens);
            assert_eq!(pieces.concat(), text);
            assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 4 * tokens as usize));
        }
    }
}
