//! Prompt tokens, estimated in one pass over the bytes.
//!
//! A decision must not wait for a tokenizer (a tenth of a second to load, 30 µs per KB to run), and bytes ÷ 4 is off
//! by half on code and numbers. Counting by character class follows how byte-pair vocabularies are cut: a common
//! word is one token and long words a few, digits go in threes, punctuation mostly stands alone, other scripts take
//! about one token for every one or two characters.

/// Letters that a word's first token covers on average before another one starts.
const LETTERS_PER_TOKEN: u32 = 7;
/// Digits a token covers in current vocabularies (`o200k_base`, `cl100k_base`).
const DIGITS_PER_TOKEN: u32 = 3;

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Letter,
    Digit,
    Space,
    Line,
    Mark,
    Wide,
}

fn class(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        b'\n' | b'\r' => Class::Line,
        b' ' | b'\t' => Class::Space,
        0x80.. => Class::Wide,
        _ => Class::Mark,
    }
}

/// About how many tokens `text` is in a current vocabulary.
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    let mut tokens = 0_u64;
    let mut run = 0_u32;
    let mut previous = Class::Space;
    let mut wide_bytes = 0_u64;
    for byte in text.bytes() {
        let now = class(byte);
        run = if now == previous { run + 1 } else { 1 };
        previous = now;
        tokens += u64::from(match now {
            Class::Letter => run % LETTERS_PER_TOKEN == 1,
            Class::Digit => run % DIGITS_PER_TOKEN == 1,
            // A run of the same punctuation (`====`, `...`) is mostly one token.
            Class::Mark => run % 2 == 1,
            Class::Line => run == 1,
            Class::Space => run == 2,
            Class::Wide => {
                wide_bytes += 1;
                false
            }
        });
    }
    tokens + wide_bytes.div_ceil(3)
}
