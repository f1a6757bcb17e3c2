//! The automaton behind the estimate: classes of bytes, runs, and the table of steps between them.
//!
//! All weights are hundredths of a token.

/// What one byte does: where it leads, and what it adds.
#[derive(Clone, Copy)]
struct Step {
    next: u8,
    weight: u8,
}

/// A run of bytes of one kind: where its states begin, and what the byte at each position adds. Positions beyond the
/// last one count as the last.
struct Run {
    first: u8,
    weights: &'static [u8],
}

/// A word behind a blank, in lower case or with a capital first: nearly always one token up to seven letters.
const WORD: Run = Run { first: 0, weights: &[67, 16, 16, 8, 8, 2, 2, 10, 10, 10, 10, 10, 40] };
/// The same behind a mark, a digit or a change of case, with which it often makes one token.
const GLUED: Run = Run { first: WORD.end(), weights: &[43, 0, 0, 8, 8, 0, 0, 8, 8, 8, 8, 8, 50] };
/// Capitals behind a blank.
const CAPITALS: Run = Run { first: GLUED.end(), weights: &[69, 0, 0, 58, 58, 58, 30] };
/// Capitals behind anything else.
const GLUED_CAPITALS: Run = Run { first: CAPITALS.end(), weights: &[66, 5, 5, 0, 0, 0, 10] };
/// Greek or Cyrillic letters.
const CYRILLIC: Run = Run { first: GLUED_CAPITALS.end(), weights: &[107, 18, 18, 20, 20, 0] };
/// Punctuation and symbols behind a blank.
const MARKS: Run = Run { first: CYRILLIC.end(), weights: &[100, 62, 10, 0] };
/// Digits go in threes, by the vocabulary's own rule.
const DIGITS: Run = Run { first: MARKS.end(), weights: &[100, 0, 0] };
/// Blanks between words: one belongs to the word behind it, more are a token.
const BLANKS: Run = Run { first: DIGITS.end(), weights: &[0, 100, 0] };
/// Blanks at the start of a line: the same.
const INDENT: Run = Run { first: BLANKS.end(), weights: &[0, 100, 0] };
/// Line feeds: any number is one token.
const LINE: Run = Run { first: INDENT.end(), weights: &[100, 0] };
/// Everything else.
const OTHER: u8 = LINE.end();

/// The first mark behind a letter or a digit.
const MARK_BEHIND_WORD: u8 = 90;
/// A blank does not join a digit, so it is a token of its own.
const DIGIT_BEHIND_BLANK: u8 = 200;
/// A line feed mostly joins the mark before it.
const LINE_BEHIND_MARK: u8 = 10;
/// An apostrophe cuts a word in two: `don` and `'t`.
const APOSTROPHE: u8 = 79;
/// An accent is the sign of a language that needs more tokens a word than English.
const ACCENT: u8 = 96;

const LOWER: u8 = 0;
const UPPER: u8 = 1;
const DIGIT: u8 = 2;
const SPACE: u8 = 3;
const FEED: u8 = 4;
const QUOTE: u8 = 5;
const MARK: u8 = 6;
/// First byte of an accented Latin letter.
const ACCENTED: u8 = 7;
/// First byte of a Greek or Cyrillic letter.
const SLAVIC: u8 = 8;
/// Second and later bytes of a character.
const CONTINUATION: u8 = 9;
/// The first class of characters that stand for themselves; each adds its weight of [`WIDE`].
const FIRST_WIDE: u8 = 10;

/// Characters that stand for themselves: the range of their first bytes, and what each adds.
const WIDE: [(u8, u8, u8); 10] = [
    (0xCA, 0xCC, 100), // phonetic letters and combining marks
    (0xD4, 0xD5, 100), // Armenian
    (0xD6, 0xDF, 36),  // Hebrew, Arabic
    (0xE0, 0xE0, 80),  // Indic scripts, Thai
    (0xE1, 0xE1, 30),  // Vietnamese letters, Georgian
    (0xE2, 0xE2, 50),  // dashes, quotation marks, mathematics
    (0xE3, 0xE3, 69),  // kana
    (0xE4, 0xE9, 87),  // Chinese characters
    (0xEA, 0xED, 75),  // Hangul
    (0xEE, 0xEF, 43),  // full-width forms
];
/// Emoji and rare characters, first byte 0xF0 and up.
const EMOJI_CLASS: u8 = FIRST_WIDE + WIDE.len() as u8;
const EMOJI: u8 = 170;

/// Every byte value has room in a row, so that looking up a state needs no check.
type Table = [[u8; 256]; EMOJI_CLASS as usize + 1];

/// A text begins like a line.
pub(super) const START: u8 = LINE.first + 1;
pub(super) static CLASSES: [u8; 256] = classes();
/// Class and state → the next state. Apart from the weights: each byte waits for the state behind the one before it,
/// and this keeps that wait to one load.
pub(super) static NEXT: Table = table(false);
/// Class and state → what the byte adds.
pub(super) static WEIGHTS: Table = table(true);

impl Run {
    const fn end(&self) -> u8 {
        self.first + self.weights.len() as u8
    }

    const fn holds(&self, state: u8) -> bool {
        self.first <= state && state < self.end()
    }

    /// The step to this position.
    const fn at(&self, position: u8) -> Step {
        let last = self.weights.len() as u8 - 1;
        let position = if position > last { last } else { position };
        Step { next: self.first + position, weight: self.weights[position as usize] }
    }

    /// The step to this position, with another weight.
    const fn weighing(&self, position: u8, weight: u8) -> Step {
        Step { weight, ..self.at(position) }
    }

    /// The step to the position behind `state`, or to the first.
    const fn beyond(&self, state: u8) -> Step {
        self.at(if self.holds(state) { state - self.first + 1 } else { 0 })
    }
}

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = class(byte as u8);
        byte += 1;
    }
    table
}

const fn class(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => LOWER,
        b'A'..=b'Z' => UPPER,
        b'0'..=b'9' => DIGIT,
        b' ' | b'\t' => SPACE,
        b'\n' | b'\r' => FEED,
        b'\'' => QUOTE,
        0x80..=0xBF => CONTINUATION,
        0xC0..=0xC9 => ACCENTED,
        0xCD..=0xD3 => SLAVIC,
        0xF0.. => EMOJI_CLASS,
        0xCA.. => {
            let mut wide = 0;
            while byte > WIDE[wide].1 {
                wide += 1;
            }
            FIRST_WIDE + wide as u8
        }
        _ => MARK,
    }
}

const fn table(of_weights: bool) -> Table {
    let mut table = [[0; 256]; EMOJI_CLASS as usize + 1];
    let mut state = 0;
    while state <= OTHER {
        let mut class = 0;
        while class <= EMOJI_CLASS {
            let step = step(state, class);
            table[class as usize][state as usize] = if of_weights { step.weight } else { step.next };
            class += 1;
        }
        state += 1;
    }
    table
}

/// What a byte of this class does in this state.
const fn step(state: u8, class: u8) -> Step {
    match class {
        LOWER => letter(state),
        UPPER => capital(state),
        DIGIT => digit(state),
        SPACE if LINE.holds(state) || INDENT.holds(state) => INDENT.beyond(state),
        SPACE => BLANKS.beyond(state),
        FEED if MARKS.holds(state) => LINE.weighing(0, LINE_BEHIND_MARK),
        FEED => LINE.beyond(state),
        QUOTE if in_word(state) => Step { next: state, weight: APOSTROPHE },
        QUOTE | MARK => mark(state),
        ACCENTED => {
            let letter = letter(state);
            Step { weight: letter.weight + ACCENT, ..letter }
        }
        SLAVIC => CYRILLIC.beyond(state),
        CONTINUATION => Step { next: state, weight: 0 },
        EMOJI_CLASS => Step { next: OTHER, weight: EMOJI },
        wide => Step { next: OTHER, weight: WIDE[(wide - FIRST_WIDE) as usize].2 },
    }
}

const fn in_word(state: u8) -> bool {
    state < CYRILLIC.first
}

const fn behind_blank(state: u8) -> bool {
    BLANKS.holds(state) || INDENT.holds(state) || LINE.holds(state)
}

/// A small letter goes on with the word, after capitals, too.
const fn letter(state: u8) -> Step {
    if WORD.holds(state) || behind_blank(state) {
        WORD.beyond(state)
    } else if CAPITALS.holds(state) {
        WORD.at(state - CAPITALS.first + 1)
    } else if GLUED_CAPITALS.holds(state) {
        GLUED.at(state - GLUED_CAPITALS.first + 1)
    } else {
        GLUED.beyond(state)
    }
}

/// A capital behind a small letter starts a new word: `camelCase`.
const fn capital(state: u8) -> Step {
    if CAPITALS.holds(state) || behind_blank(state) {
        CAPITALS.beyond(state)
    } else {
        GLUED_CAPITALS.beyond(state)
    }
}

const fn digit(state: u8) -> Step {
    if DIGITS.holds(state) {
        DIGITS.at((state - DIGITS.first + 1) % 3)
    } else if BLANKS.holds(state) || INDENT.holds(state) {
        DIGITS.weighing(0, DIGIT_BEHIND_BLANK)
    } else {
        DIGITS.at(0)
    }
}

const fn mark(state: u8) -> Step {
    if MARKS.holds(state) || behind_blank(state) {
        MARKS.beyond(state)
    } else {
        MARKS.weighing(0, MARK_BEHIND_WORD)
    }
}
