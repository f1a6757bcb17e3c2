//! Words with what the lexicon knows about them, contractions taken apart and phrases rewritten.

use super::{Fitness, MAX_WORDS};
use crate::cache::text::lexicon::{Facts, Lexicon};
use crate::cache::text::role::Role;
use crate::cache::text::scan::{Kind, Lexeme, Marks, Scan};
use crate::cache::text::word::Word;

/// A lexeme with what the lexicon knows about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) marks: Marks,
    pub(super) facts: Facts,
    /// As in [`Token`](super::Token).
    pub(super) root: u32,
    /// As in [`Token`](super::Token).
    pub(super) form: u16,
}

/// A text between scanning and reading.
pub(super) struct Items {
    pub(super) list: Vec<Item>,
    pub(super) wording: Word,
    words: usize,
    capitals: usize,
    foreign: usize,
    functions: usize,
}

impl Items {
    pub(super) fn of(scan: &Scan, lexicon: &Lexicon) -> Self {
        let mut items = Self {
            list: Vec::with_capacity(scan.lexemes.len() + 4),
            wording: Word::NONE,
            words: 0,
            capitals: 0,
            foreign: 0,
            functions: 0,
        };
        let mut scratch = String::new();
        for lexeme in &scan.lexemes {
            match lexeme.kind {
                Kind::Word => items.word(scan.text(lexeme), lexeme, lexicon, &mut scratch),
                Kind::Number(amount) => items.plain(lexeme, Word::NONE.and_number(amount.bits())),
                Kind::Literal(word) => items.plain(lexeme, word),
                Kind::Break | Kind::Stop => items.list.push(bare(lexeme)),
            }
        }
        items
    }

    fn plain(&mut self, lexeme: &Lexeme, name: Word) {
        self.wording = self.wording.then(name);
        self.words += 1;
        self.list.push(bare(lexeme));
    }

    fn word(&mut self, text: &str, lexeme: &Lexeme, lexicon: &Lexicon, scratch: &mut String) {
        self.wording = self.wording.then(Word::of(text));
        self.words += 1;
        self.capitals += usize::from(lexeme.marks.capital);
        self.foreign += usize::from(lexicon.is_foreign(text));
        if let Some(words) = lexicon.contraction(text) {
            let mut marks = lexeme.marks;
            for part in words.split(' ') {
                self.push(part, marks, lexicon, scratch);
                marks.initial = false;
            }
        } else if let Some((head, tail)) = split_contraction(text) {
            self.push(head, lexeme.marks, lexicon, scratch);
            self.push(tail, Marks::default(), lexicon, scratch);
        } else {
            self.push(text, lexeme.marks, lexicon, scratch);
        }
    }

    fn push(&mut self, text: &str, marks: Marks, lexicon: &Lexicon, scratch: &mut String) {
        let mut facts = lexicon.facts(text, scratch);
        // Initialisms that look like pronouns: "US", "IT", "WHO".
        if marks.upper && matches!(text, "us" | "it" | "who") {
            facts = lexicon.facts(if text == "us" { "usa" } else { "initialism" }, scratch);
        }
        self.functions += usize::from(facts.role != Role::Content);
        let root = if facts.role == Role::Content { root(text, lexicon, scratch) } else { 0 };
        let form = Word::of(text).initial();
        self.list.push(Item { kind: Kind::Word, marks, facts, root, form });
    }

    /// Whether this can be matched by meaning. A text of another language shows by its function words; one that only
    /// names things ("capital france") passes for English.
    pub(super) fn fitness(&self, plain: bool) -> Fitness {
        if self.words == 0 || self.words > MAX_WORDS {
            Fitness::Unfit
        } else if !plain || (self.foreign > 1 && self.foreign * 3 >= self.functions * 2) {
            Fitness::Foreign
        } else {
            Fitness::English
        }
    }

    /// Capitals say nothing in Text Like This or IN TEXT LIKE THIS.
    pub(super) fn capitals_mean_names(&self) -> bool {
        self.capitals * 5 <= self.words * 3 || self.words <= 4
    }

    /// Replaces phrases, leftmost first and longest at each place. A phrase never reaches over punctuation.
    pub(super) fn rewrite(&mut self, lexicon: &Lexicon) {
        let names: Vec<Word> = self
            .list
            .iter()
            .map(|item| if item.kind == Kind::Word { item.facts.word } else { Word::NONE })
            .collect();
        let mut rewritten = Vec::with_capacity(self.list.len());
        let mut at = 0;
        while at < self.list.len() {
            if let Some((rule, length)) = lexicon.phrases().longest(&names[at..]) {
                let initial = self.list[at].marks.initial;
                rewritten.extend(rule.replacement.iter().enumerate().map(|(nth, &facts)| Item {
                    kind: Kind::Word,
                    marks: Marks { initial: initial && nth == 0, ..Marks::default() },
                    facts,
                    root: 0,
                    form: facts.word.initial(),
                }));
                at += length;
                // What follows a dropped wrapper begins the sentence: "please tell me | is it …".
                if let Some(next) = self.list.get_mut(at).filter(|_| rule.replacement.is_empty() && initial) {
                    next.marks.initial = true;
                }
            } else {
                rewritten.push(self.list[at]);
                at += 1;
            }
        }
        self.list = rewritten;
    }
}

fn bare(lexeme: &Lexeme) -> Item {
    Item { kind: lexeme.kind, marks: lexeme.marks, facts: Facts::content(Word::NONE), root: 0, form: 0 }
}

/// Splits "don't" into "do" and "not", "you're" into "you" and "are". What follows an apostrophe otherwise belongs to
/// a name ("o'neill") and stays.
fn split_contraction(text: &str) -> Option<(&str, &'static str)> {
    let (head, tail) = text.rsplit_once('\'')?;
    let tail = match tail {
        "t" => {
            let head = match text {
                "can't" => "can",
                "won't" => "will",
                "shan't" => "shall",
                "ain't" => "is",
                _ => head.strip_suffix('n')?,
            };
            return Some((head, "not"));
        }
        "s" => "is",
        "re" => "are",
        "ve" => "have",
        "ll" => "will",
        "d" => "would",
        "m" => "am",
        _ => return None,
    };
    // "let's" is a wrapper, not "let is".
    Some(if head == "let" { ("let", "us") } else { (head, tail) })
}

/// What is left of a word without "un-", "dis-", "-less" and the like. Whether that is a word at all shows only beside
/// another text that holds it.
fn root(text: &str, lexicon: &Lexicon, scratch: &mut String) -> u32 {
    const PREFIXES: [&str; 18] = [
        "under", "un", "dis", "non", "in", "im", "ir", "il", "mis", "de", "anti", "counter", "over", "pre",
        "post", "hyper", "hypo", "a",
    ];
    const SUFFIXES: [&str; 4] = ["less", "ful", "lessly", "fully"];
    let kept = SUFFIXES
        .iter()
        .find_map(|suffix| text.strip_suffix(suffix))
        .or_else(|| PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)));
    match kept {
        Some(rest) if rest.len() >= 3 && rest.is_ascii() => lexicon.facts(rest, scratch).word.short(),
        _ => 0,
    }
}
