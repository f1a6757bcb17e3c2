//! Words that hint at how soon an answer changes, in classes: a class is seen often enough to be learned from few questions
//! and holds for questions of other kinds.

use crate::text::{Word, WordHash};

const NOW: &str = "now currently current today tonight tomorrow yesterday latest recent recently live upcoming ongoing yet \
    still trending moment presently nowadays lately breaking newest";

const SPAN: &str = "week weeks weekend month months hour hours minute minutes day days daily weekly hourly morning \
    evening night season quarter";

const MOVING: &str = "weather temperature forecast stock stocks price prices traffic score scores rate rates exchange \
    flight flights delay delays status wait availability available sales odds standings poll polls ranking rankings \
    market bitcoin crypto open closed queue inventory outage outages casualties cases viewers followers trading";

const PAST: &str = "did was were won had founded born died invented released original originally first wrote happened \
    ended began built signed discovered";

const SETTLED: &str =
    "capital author meaning mean means definition formula name come located song character plays played";

/// Which classes a question touched.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cues(u8);

impl Cues {
    /// Notes a class; false if it was noted before.
    pub(super) fn note(&mut self, class: usize) -> bool {
        let fresh = self.0 & 1 << class == 0;
        self.0 |= 1 << class;
        fresh
    }

    /// Whether a word says that the question is about now.
    pub(crate) fn is_now(self) -> bool {
        self.0 & 1 != 0
    }
}

const YEAR: usize = 5;

const SLOTS: usize = 2048;

static TABLE: [(u32, u8); SLOTS] = build();

/// The class of a word, if it has one.
pub(super) fn class(word: Word) -> Option<usize> {
    if is_year(word) {
        return Some(YEAR);
    }
    let mut slot = slot(word.hash);
    loop {
        match TABLE[slot % SLOTS] {
            (_, 0) => return None,
            (hash, class) if hash == word.hash => return Some(usize::from(class) - 1),
            _ => slot += 1,
        }
    }
}

/// Four digits, the first one 1 or 2: 1066, 1999, 2031.
fn is_year(word: Word) -> bool {
    let digits = word.ending.to_be_bytes();
    word.len == 4 && matches!(digits[0], b'1' | b'2') && digits.iter().all(u8::is_ascii_digit)
}

const fn slot(hash: u32) -> usize {
    (hash >> 21) as usize
}

const fn build() -> [(u32, u8); SLOTS] {
    let mut table = [(0, 0); SLOTS];
    table = insert(table, NOW, 1);
    table = insert(table, SPAN, 2);
    table = insert(table, MOVING, 3);
    table = insert(table, PAST, 4);
    insert(table, SETTLED, 5)
}

const fn insert(mut table: [(u32, u8); SLOTS], list: &str, class: u8) -> [(u32, u8); SLOTS] {
    let words = list.as_bytes();
    let mut start = 0;
    while start < words.len() {
        let mut word = WordHash::new();
        let mut end = start;
        while end < words.len() && words[end] != b' ' {
            word = word.push(words[end]);
            end += 1;
        }
        if end > start {
            let hash = word.finish();
            let mut at = slot(hash);
            while table[at % SLOTS].1 != 0 && table[at % SLOTS].0 != hash {
                at += 1;
            }
            table[at % SLOTS] = (hash, class);
        }
        start = end + 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text;

    fn classes(question: &str) -> Vec<usize> {
        let mut classes = Vec::new();
        text::read(question, |word| classes.extend(class(word)));
        classes
    }

    #[test]
    fn words_have_their_class() {
        assert_eq!(classes("what is the current stock price this week"), [0, 2, 2, 1]);
        assert_eq!(classes("who won in 1998"), [3, YEAR]);
        assert_eq!(classes("capital of France"), [4]);
        assert!(classes("call 5550 or 20311 about apples").is_empty());
    }
}
