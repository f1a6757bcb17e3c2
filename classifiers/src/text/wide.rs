//! Characters beyond ASCII.

/// What a character beyond ASCII means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wide {
    /// Part of a word, already folded to lower case where that is cheap to know.
    Letter,
    /// A word by itself: an ideograph, kana or a syllable block.
    Ideograph,
    /// A Greek letter: part of a word in Greek, a variable where it stands alone.
    Greek,
    /// An apostrophe, curly or not: passed over inside a word.
    Apostrophe,
    /// A mathematical symbol or a superscript.
    Operator,
    /// A bullet.
    Bullet,
    /// A question mark of another script.
    Question,
    /// The end of a sentence in another script.
    Stop,
    /// Anything that separates words.
    Other,
}

/// Classifies one character that is not ASCII.
pub(super) fn classify(c: char) -> Wide {
    match c as u32 {
        0xb0..=0xb3 | 0xb7 | 0xb9 | 0xbc..=0xbe | 0xd7 | 0xf7 | 0xac => Wide::Operator,
        0x2022 | 0x25cf | 0x25e6 | 0x25aa => Wide::Bullet,
        0x2018 | 0x2019 | 0x2bc => Wide::Apostrophe,
        0xbf | 0x37e | 0x61f | 0xff1f => Wide::Question,
        0x3002 | 0xff01 | 0x964 => Wide::Stop,
        0x80..=0xa9 | 0xab | 0xae | 0xaf | 0xb4 | 0xb6 | 0xb8 | 0xbb => Wide::Other,
        0x370..=0x3ff => Wide::Greek,
        0x2044 | 0x2070..=0x209f | 0x2190..=0x22ff | 0x27c0..=0x27ef | 0x2980..=0x2aff => Wide::Operator,
        0x2000..=0x206f | 0x3000..=0x3004 | 0x3008..=0x3020 | 0xff02..=0xff0f => Wide::Other,
        0x3040..=0x30ff | 0x3400..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0x20000.. => Wide::Ideograph,
        _ => Wide::Letter,
    }
}

/// Lower case for Latin-1, Greek and Cyrillic capitals, everything else as it is: enough for a hash.
pub(super) fn fold(c: char) -> u32 {
    match c as u32 {
        code @ (0xc0..=0xd6 | 0xd8..=0xde | 0x391..=0x3a9 | 0x410..=0x42f) => code + 0x20,
        code => code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_symbols() {
        assert_eq!(classify('é'), Wide::Letter);
        assert_eq!(classify('я'), Wide::Letter);
        assert_eq!(classify('漢'), Wide::Ideograph);
        assert_eq!(classify('한'), Wide::Ideograph);
        assert_eq!(classify('θ'), Wide::Greek);
        assert_eq!(classify('≤'), Wide::Operator);
        assert_eq!(classify('²'), Wide::Operator);
        assert_eq!(classify('’'), Wide::Apostrophe);
        assert_eq!(classify('—'), Wide::Other);
        assert_eq!(classify('\u{a0}'), Wide::Other);
        assert_eq!(classify('？'), Wide::Question);
    }

    #[test]
    fn capitals_fold() {
        assert_eq!(fold('É'), 'é' as u32);
        assert_eq!(fold('Я'), 'я' as u32);
        assert_eq!(fold('ß'), 'ß' as u32);
    }
}
