//! What a text is made of.

/// Counts over one text. They describe the part that was read (see [`super::window`]); only `bytes` is the full length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Length of the whole text in bytes, read or not.
    pub bytes: usize,
    /// Words, numbers included; an ideograph or a syllable block of an East Asian script is one word.
    pub words: u32,
    /// Bytes of those words.
    pub word_bytes: u32,
    /// Words of nine bytes or more.
    pub long_words: u32,
    /// Words that start with a digit.
    pub numbers: u32,
    /// Single letters that stand alone, `a` and `i` excepted: the variables of a formula.
    pub variables: u32,
    /// `+ * / = < > ^ % | ~` and the mathematical symbols beyond ASCII; a hyphen counts between blanks or digits.
    pub operators: u32,
    /// Backslash commands, as in LaTeX.
    pub commands: u32,
    /// Dollar signs that do not stand before a digit.
    pub formula_marks: u32,
    /// Opening brackets of any of the three kinds.
    pub brackets: u32,
    /// Traces of code: fences, `_` in a word, `;` or `{` at the end of a line, `()`, `::`, `->`, `==`.
    pub code: u32,
    /// Lines that start with two blanks or a tab.
    pub indented: u32,
    /// Lines that are not blank.
    pub lines: u32,
    /// Lines that start like an item: `-`, `*`, `•`, or a number or one letter followed by `.`, `)` or `:`.
    pub items: u32,
    /// Question marks.
    pub questions: u32,
    /// Ends of sentences: `.`, `!` or `?` before a blank or the end.
    pub sentences: u32,
    /// Words that bind or limit: `must`, `exactly`, `each`, `if`, `suppose`, …
    pub constraints: u32,
    /// Words that name a demanding kind of work: `prove`, `implement`, `algorithm`, `derive`, …
    pub demands: u32,
    /// Words of argument and of examinations: `following`, `therefore`, `statement`, `true`, …
    pub arguments: u32,
    /// Words about the two who talk: `my`, `me`, `you`, `please`, …
    pub personal: u32,
}

impl Shape {
    /// The share of `count` among the words, 0 for an empty text.
    #[must_use]
    pub fn per_word(&self, count: u32) -> f32 {
        if self.words == 0 { 0.0 } else { count as f32 / self.words as f32 }
    }
}
