//! The pass itself.

use super::lexicon::{self, Cue, SEED, step};
use super::shape::Shape;
use super::wide::{self, Wide};

/// Bytes read from the start of a text. Of a longer one the start and the end are read: pasted material sits in the
/// middle, what is asked of it does not. 24 KiB are about 4,000 English words.
pub const HEAD_BYTES: usize = 24 * 1024;

/// Bytes read from the end of a text that is longer than [`HEAD_BYTES`].
pub const TAIL_BYTES: usize = 4 * 1024;

/// One word, folded to lower case, or one symbol of a formula (`+ - * / = < > ^ % | $ \ ?` and those beyond ASCII), which is
/// shown like a word but not counted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Hash of the folded word; apostrophes are passed over.
    pub hash: u32,
    /// Its hint, if it is a listed word.
    pub cue: Option<Cue>,
    /// Its length in bytes.
    pub len: u32,
    /// Its last three bytes, the last one lowest.
    pub ending: u32,
}

/// The parts of `text` that are read: all of it, or its start and its end.
#[must_use]
pub fn window(text: &str) -> (&str, &str) {
    if text.len() <= HEAD_BYTES + TAIL_BYTES {
        return (text, "");
    }
    let head = text.floor_char_boundary(HEAD_BYTES);
    let tail = text.ceil_char_boundary(text.len() - TAIL_BYTES);
    (&text[..head], &text[tail..])
}

/// Reads one text in time that grows with its length up to a bound, and allocates nothing. Every word is shown to `each`.
pub fn read(text: &str, mut each: impl FnMut(Word)) -> Shape {
    let (head, tail) = window(text);
    let mut reader = Reader::new(&mut each);
    reader.part(head);
    if !tail.is_empty() {
        reader.part(tail);
    }
    Shape { bytes: text.len(), ..reader.shape }
}

/// Where in a line the reader is; only a start can become an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineStart {
    /// Nothing but blanks so far.
    Blank,
    /// One short mark so far (a number or a single letter), which `.`, `)` or `:` would make an item.
    Mark,
    /// Too late.
    Past,
}

struct Reader<'a, F> {
    each: &'a mut F,
    shape: Shape,
    hash: u32,
    /// Bytes of the word being read, 0 between words.
    len: u32,
    digit_first: bool,
    greek: bool,
    /// The last bytes of the word, the last one lowest.
    ending: u32,
    line: LineStart,
    blanks: u32,
    /// Whether the line has more than courtesies and the marks around them.
    content: bool,
    /// Whether the last word counted as a variable.
    variable: bool,
    /// Whether the last word was a courtesy.
    courtesy: bool,
    /// Whether the sentence has had any other word than courtesies.
    told: bool,
}

const YOU: u32 = lexicon::hash_ascii(b"you");
const THERE: u32 = lexicon::hash_ascii(b"there");

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const BLANK: u8 = 3;
const NEWLINE: u8 = 4;
const WIDE: u8 = 5;
const MARK: u8 = 6;
const NONE: u8 = 0;

static CLASS: [u8; 256] = classes();

const fn is_symbol(byte: u8) -> bool {
    matches!(
        byte,
        b'+' | b'-' | b'*' | b'/' | b'=' | b'<' | b'>' | b'^' | b'%' | b'|' | b'$' | b'\\' | b'?'
    )
}

const fn classes() -> [u8; 256] {
    let mut table = [NONE; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = match i as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'0'..=b'9' => DIGIT,
            b'\n' => NEWLINE,
            0..=b' ' | 0x7f => BLANK,
            0x80.. => WIDE,
            _ => MARK,
        };
        i += 1;
    }
    table
}

impl<'a, F: FnMut(Word)> Reader<'a, F> {
    fn new(each: &'a mut F) -> Self {
        Self {
            each,
            shape: Shape::default(),
            hash: SEED,
            len: 0,
            digit_first: false,
            greek: false,
            ending: 0,
            line: LineStart::Blank,
            blanks: 0,
            content: false,
            variable: false,
            courtesy: false,
            told: false,
        }
    }

    fn part(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match CLASS[usize::from(byte)] {
                LETTER => self.letter(byte | 0x20),
                DIGIT => self.digit(byte),
                BLANK => self.blank(byte),
                NEWLINE => self.newline(),
                WIDE => {
                    at += self.wide(text, at);
                    continue;
                }
                _ => self.mark(bytes, at),
            }
            at += 1;
        }
        self.newline();
    }

    fn letter(&mut self, folded: u8) {
        self.hash = step(self.hash, folded);
        self.len += 1;
        self.ending = self.ending << 8 | u32::from(folded);
    }

    fn digit(&mut self, byte: u8) {
        self.digit_first |= self.len == 0;
        self.letter(byte);
    }

    fn blank(&mut self, byte: u8) {
        self.end_word();
        if self.line == LineStart::Blank {
            self.blanks += if byte == b'\t' { 4 } else { 1 };
        }
    }

    fn newline(&mut self) {
        self.end_word();
        self.shape.lines += u32::from(self.content);
        self.content = false;
        self.line = LineStart::Blank;
        self.blanks = 0;
    }

    /// Something visible that is not part of a word begins or goes on.
    fn visible(&mut self) {
        if self.line == LineStart::Blank && self.blanks >= 2 {
            self.shape.indented += 1;
        }
        self.line = LineStart::Past;
    }

    fn end_word(&mut self) {
        if self.len == 0 {
            return;
        }
        let cue = lexicon::cue(self.hash);
        if self.is_courtesy(cue) {
            self.forget_word();
            return;
        }
        let shape = &mut self.shape;
        shape.words += 1;
        shape.word_bytes += self.len;
        shape.long_words += u32::from(self.len >= 9);
        shape.numbers += u32::from(self.digit_first);
        let single = self.len == 1 && !self.digit_first;
        self.variable = (single && !matches!(self.ending as u8, b'a' | b'i')) || (self.greek && self.len == 2);
        shape.variables += u32::from(self.variable);
        self.told = true;
        match cue {
            Some(Cue::Constraint) => shape.constraints += 1,
            Some(Cue::Demand) => shape.demands += 1,
            Some(Cue::Argument) => shape.arguments += 1,
            Some(Cue::Personal) => shape.personal += 1,
            Some(Cue::Courtesy) | None => {}
        }
        (self.each)(Word { hash: self.hash, cue, len: self.len, ending: self.ending & 0xff_ffff });
        self.content = true;
        let short = self.len == 1 || (self.digit_first && self.len <= 2);
        let begins = self.line == LineStart::Blank;
        if begins {
            self.visible();
        }
        self.line = if begins && short { LineStart::Mark } else { LineStart::Past };
        self.forget_word();
    }

    fn forget_word(&mut self) {
        (self.hash, self.len, self.ending, self.digit_first, self.greek) = (SEED, 0, 0, false, false);
    }

    /// Whether the word just read belongs to a greeting or a "please", or to "thank you" and "hi there" as a whole.
    fn is_courtesy(&mut self, cue: Option<Cue>) -> bool {
        let goes_on = self.courtesy && (self.hash == YOU || self.hash == THERE);
        self.courtesy = cue == Some(Cue::Courtesy);
        self.courtesy || goes_on
    }

    fn mark(&mut self, bytes: &[u8], at: usize) {
        let byte = bytes[at];
        let next = bytes.get(at + 1).copied().unwrap_or(b' ');
        if byte == b'\'' && self.len > 0 {
            return;
        }
        if byte == b'_' {
            self.shape.code += u32::from(self.len > 0);
            self.letter(byte);
            return;
        }
        // A decimal point or a thousands mark stays inside its number.
        if matches!(byte, b'.' | b',') && self.digit_first && next.is_ascii_digit() {
            self.letter(byte);
            return;
        }
        let after_word = self.len > 0;
        self.end_word();
        let before = self.line;
        self.visible();
        self.content |= !matches!(byte, b',' | b'.' | b'!');
        if is_symbol(byte) {
            self.symbol(step(SEED, byte));
        }
        self.count_mark(byte, next, before, after_word, at.checked_sub(1).map_or(b' ', |i| bytes[i]));
    }

    fn symbol(&mut self, hash: u32) {
        (self.each)(Word { hash, cue: None, len: 1, ending: 0 });
    }

    fn count_mark(&mut self, byte: u8, next: u8, before: LineStart, after_word: bool, previous: u8) {
        let ends = next <= b' ';
        let shape = &mut self.shape;
        match byte {
            b'.' | b')' | b':' if before == LineStart::Mark && after_word && ends => {
                shape.items += 1;
                shape.variables -= u32::from(self.variable);
            }
            b'?' | b'.' | b'!' => {
                shape.questions += u32::from(byte == b'?');
                shape.sentences += u32::from(ends && self.told);
                self.told &= !ends;
            }
            b'-' | b'*' if before == LineStart::Blank && ends => shape.items += 1,
            b'-' if next == b'>' => shape.code += 1,
            b'-' => shape.operators += u32::from((ends && previous <= b' ') || next.is_ascii_digit()),
            b'=' if next == b'=' => shape.code += 1,
            b'+' | b'*' | b'/' | b'=' | b'<' | b'>' | b'^' | b'%' | b'|' | b'~' => shape.operators += 1,
            b'\\' => shape.commands += 1,
            b'$' => shape.formula_marks += u32::from(!next.is_ascii_digit()),
            b'(' | b'[' | b'{' => {
                shape.brackets += 1;
                shape.code += u32::from((byte == b'(' && next == b')') || (byte == b'{' && next == b'\n'));
            }
            b';' => shape.code += u32::from(next == b'\n'),
            b':' => shape.code += u32::from(next == b':'),
            b'`' => shape.code += u32::from(next == b'`' && previous != b'`'),
            _ => {}
        }
    }

    /// Reads one character beyond ASCII and returns its length in bytes.
    fn wide(&mut self, text: &str, at: usize) -> usize {
        let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) else { return 1 };
        match wide::classify(c) {
            Wide::Letter => self.wide_letter(c),
            Wide::Greek => {
                self.greek |= self.len == 0;
                self.wide_letter(c);
            }
            Wide::Ideograph => {
                self.end_word();
                self.wide_letter(c);
                self.end_word();
            }
            Wide::Apostrophe if self.len > 0 => {}
            kind => self.wide_mark(c, kind),
        }
        c.len_utf8()
    }

    fn wide_letter(&mut self, c: char) {
        let folded = wide::fold(c);
        for byte in folded.to_le_bytes() {
            self.hash = step(self.hash, byte);
        }
        self.len += c.len_utf8() as u32;
        self.ending = self.ending << 8 | (folded & 0xff);
    }

    fn wide_mark(&mut self, c: char, kind: Wide) {
        self.end_word();
        let begins = self.line == LineStart::Blank;
        if kind != Wide::Other {
            self.visible();
            self.content = true;
        }
        match kind {
            Wide::Operator => {
                self.shape.operators += 1;
                self.symbol(step(SEED, c as u8) ^ c as u32);
            }
            Wide::Bullet => self.shape.items += u32::from(begins),
            Wide::Question => {
                self.shape.questions += 1;
                self.shape.sentences += 1;
            }
            Wide::Stop => self.shape.sentences += 1,
            _ => {}
        }
    }
}
