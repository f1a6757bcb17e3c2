//! The pass itself.

use super::courtesy::Held;
use super::lexicon::{self, CUES, Cue, Entry};
use super::shape::Shape;
use super::wide::{self, Wide};
use super::word::{Word, WordHash};

/// Bytes read from the start of a text. Of a longer one the start and the end are read: pasted material sits in the
/// middle, what is asked of it does not. 24 KiB are about 4,000 English words.
pub const HEAD_BYTES: usize = 24 * 1024;

/// Bytes read from the end of a text that is longer than both together.
pub const TAIL_BYTES: usize = 4 * 1024;

/// The parts of `text` that are read: all of it, or its start and its end. Blanks around it do not count.
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
///
/// Courtesy is passed over as if it were not there: "please" and "thanks" anywhere, and whole sentences that hold nothing
/// else ("Good morning! Could you help me with this?").
pub fn read(text: &str, each: impl FnMut(Word)) -> Shape {
    let (head, tail) = window(text);
    let mut reader = Reader::new(each);
    reader.part(head.trim_start());
    if !tail.is_empty() {
        reader.part(tail);
    }
    reader.into_shape(text.len())
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

struct Reader<F> {
    each: F,
    shape: Shape,
    cues: [u32; CUES],
    word: WordHash,
    digit_first: bool,
    greek: bool,
    line: LineStart,
    blanks: u32,
    /// Words that will be dropped if the sentence turns out to be nothing but courtesy.
    held: Held,
    /// Whether the line has more than courtesies and the marks around them.
    content: bool,
    /// Whether the last word counted as a variable.
    variable: bool,
    /// Whether the sentence has had any other word than courtesies.
    told: bool,
}

/// What a byte is to the reader: a folded letter or digit, or one of these.
const BLANK: u8 = 1;
const NEWLINE: u8 = 2;
const WIDE: u8 = 3;
const MARK: u8 = 4;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [MARK; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        if byte.is_ascii_alphanumeric() {
            table[i] = byte.to_ascii_lowercase();
        } else if byte == b'\n' {
            table[i] = NEWLINE;
        } else if byte <= b' ' || byte == 0x7f {
            table[i] = BLANK;
        } else if byte >= 0x80 {
            table[i] = WIDE;
        }
        i += 1;
    }
    table
}

const fn is_symbol(byte: u8) -> bool {
    matches!(byte, b'+' | b'-' | b'*' | b'/' | b'=' | b'<' | b'>' | b'^' | b'%' | b'|' | b'$' | b'\\' | b'?')
}

impl<F: FnMut(Word)> Reader<F> {
    fn new(each: F) -> Self {
        Self {
            each,
            shape: Shape::default(),
            cues: [0; CUES],
            word: WordHash::new(),
            digit_first: false,
            greek: false,
            line: LineStart::Blank,
            blanks: 0,
            held: Held::new(),
            content: false,
            variable: false,
            told: false,
        }
    }

    fn part(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match CLASS[usize::from(byte)] {
                BLANK => self.blank(byte),
                NEWLINE => self.newline(),
                WIDE => {
                    at += self.wide(text, at);
                    continue;
                }
                MARK => self.mark(bytes, at),
                _ => {
                    at = self.letters(bytes, at);
                    continue;
                }
            }
            at += 1;
        }
        self.newline();
    }

    /// Reads letters and digits from `from` on and returns where they end.
    #[inline(always)]
    fn letters(&mut self, bytes: &[u8], from: usize) -> usize {
        let run = bytes[from..].iter().position(|&byte| CLASS[usize::from(byte)] <= MARK);
        let to = run.map_or(bytes.len(), |length| from + length);
        if self.word.len() == 0 {
            self.digit_first = bytes[from].is_ascii_digit();
            if let Some(word) = WordHash::of_run(bytes, from, to) {
                self.word = word;
                return to;
            }
        }
        self.word = bytes[from..to].iter().fold(self.word, |word, &byte| word.push(CLASS[usize::from(byte)]));
        to
    }

    #[inline]
    fn blank(&mut self, byte: u8) {
        if self.word.len() > 0 {
            self.end_word();
        }
        if self.line == LineStart::Blank {
            self.blanks += if byte == b'\t' { 4 } else { 1 };
        }
    }

    fn newline(&mut self) {
        self.end_word();
        self.end_phrase();
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

    #[inline]
    fn end_word(&mut self) {
        let len = self.word.len();
        if len == 0 {
            return;
        }
        let word = Word { hash: self.word.finish(), len, ending: self.word.ending() };
        let (digit_first, greek) = (self.digit_first, self.greek);
        (self.word, self.digit_first, self.greek) = (WordHash::new(), false, false);
        let entry = lexicon::entry(word.hash);
        self.variable =
            (len == 1 && !digit_first && !matches!(word.ending as u8, b'a' | b'i')) || (greek && len == 2);
        let begins = self.line == LineStart::Blank;
        if begins {
            self.visible();
            let short = len == 1 || (digit_first && len <= 2);
            self.line = if short { LineStart::Mark } else { LineStart::Past };
        } else {
            self.line = LineStart::Past;
        }
        self.shape.numbers += u32::from(digit_first);
        self.shape.variables += u32::from(self.variable);
        self.weigh(word, entry);
    }

    /// Counts a word, unless it is courtesy or may still turn out to be.
    #[inline]
    fn weigh(&mut self, word: Word, entry: Entry) {
        if entry.is_filler() && (!self.told || self.held.polite) {
            self.held.polite |= entry.is_polite();
            if !self.held.push(word, entry) {
                self.release();
                self.count(word, entry);
            }
        } else if entry.is_polite() && !entry.is_filler() {
            self.held.polite = true;
        } else {
            self.release();
            self.count(word, entry);
        }
    }

    #[inline]
    fn count(&mut self, word: Word, entry: Entry) {
        self.told = true;
        self.content = true;
        self.shape.words += 1;
        self.shape.word_bytes += word.len;
        self.shape.long_words += u32::from(word.len >= 9);
        self.cues[entry.cue()] += 1;
        (self.each)(word);
    }

    /// The held words belong to the task after all.
    #[inline]
    fn release(&mut self) {
        for at in 0..self.held.len() {
            let (word, entry) = self.held.at(at);
            self.count(word, entry);
        }
        self.held.clear();
    }

    /// A sentence, a greeting or a line is over. Returns whether it was nothing but courtesy; then it leaves no trace.
    fn end_phrase(&mut self) -> bool {
        let courtesy = self.held.polite && !self.told;
        if self.held.polite {
            self.held.clear();
        }
        self.release();
        self.told = false;
        courtesy
    }

    fn mark(&mut self, bytes: &[u8], at: usize) {
        let byte = bytes[at];
        let next = bytes.get(at + 1).copied().unwrap_or(b' ');
        let after_word = self.word.len() > 0;
        if byte == b'\'' && after_word {
            return;
        }
        // A decimal point or a thousands mark stays inside its number.
        if byte == b'_' || (matches!(byte, b'.' | b',') && self.digit_first && next.is_ascii_digit()) {
            self.shape.code += u32::from(byte == b'_' && after_word);
            self.word = self.word.push(byte);
            return;
        }
        self.end_word();
        let before = self.line;
        self.visible();
        let (told, ends) = (self.told || !self.held.is_empty(), next <= b' ');
        let closes = ends && matches!(byte, b'.' | b'!' | b'?' | b':');
        if (closes || (byte == b',' && self.held.polite && !self.told)) && self.end_phrase() {
            return;
        }
        self.content |= !matches!(byte, b',' | b'.' | b'!');
        if is_symbol(byte) {
            self.symbol(u32::from(byte));
        }
        self.shape.sentences += u32::from(ends && told && matches!(byte, b'.' | b'!' | b'?'));
        let begins = before == LineStart::Blank;
        self.shape.items += u32::from(begins && ends && matches!(byte, b'-' | b'*'));
        if after_word && ends && before == LineStart::Mark && matches!(byte, b'.' | b')' | b':') {
            self.shape.items += 1;
            self.shape.variables -= u32::from(self.variable);
        }
        let previous = at.checked_sub(1).map_or(b' ', |before| bytes[before]);
        self.count_mark(byte, next, if begins { b'\n' } else { previous });
    }

    fn symbol(&mut self, code: u32) {
        self.release();
        (self.each)(Word { hash: code.wrapping_mul(0x9e37_79b1), len: 1, ending: 0 });
    }

    /// `previous` is a line feed for the first mark of a line.
    fn count_mark(&mut self, byte: u8, next: u8, previous: u8) {
        let shape = &mut self.shape;
        match byte {
            b'?' => shape.questions += 1,
            b'-' | b'*' if previous == b'\n' && next <= b' ' => {}
            b'-' if next == b'>' => shape.code += 1,
            b'-' => shape.operators += u32::from((next <= b' ' && previous <= b' ') || next.is_ascii_digit()),
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
                self.greek |= self.word.len() == 0;
                self.wide_letter(c);
            }
            Wide::Ideograph => {
                self.end_word();
                self.wide_letter(c);
                self.end_word();
            }
            Wide::Apostrophe if self.word.len() > 0 => {}
            kind => self.wide_mark(c, kind),
        }
        c.len_utf8()
    }

    fn wide_letter(&mut self, c: char) {
        let folded = wide::fold(c).to_be_bytes();
        for &byte in &folded[4 - c.len_utf8().min(3)..] {
            self.word = self.word.push(byte);
        }
    }

    fn wide_mark(&mut self, c: char, kind: Wide) {
        self.end_word();
        let begins = self.line == LineStart::Blank;
        if kind == Wide::Other {
            return;
        }
        self.visible();
        self.content = true;
        match kind {
            Wide::Operator => {
                self.shape.operators += 1;
                self.symbol(c as u32);
            }
            Wide::Bullet => self.shape.items += u32::from(begins),
            Wide::Question | Wide::Stop => {
                self.end_phrase();
                self.shape.questions += u32::from(kind == Wide::Question);
                self.shape.sentences += 1;
            }
            _ => {}
        }
    }

    fn into_shape(self, bytes: usize) -> Shape {
        let of = |cue: Cue| self.cues[cue as usize];
        Shape {
            bytes,
            constraints: of(Cue::Constraint),
            demands: of(Cue::Demand),
            arguments: of(Cue::Argument),
            personal: of(Cue::Personal),
            ..self.shape
        }
    }
}

#[cfg(test)]
mod tests;
