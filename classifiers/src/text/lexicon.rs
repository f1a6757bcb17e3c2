//! The closed word lists of the structural features, as a table that is built at compile time.
//!
//! A word list alone is a poor judge; here it is four of twenty counts, and none of them can decide by itself.

use super::word::WordHash;

/// What kind of hint a listed word gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Cue {
    /// Binds or limits the answer.
    Constraint = 1,
    /// Names a demanding kind of work.
    Demand,
    /// Belongs to arguments and examinations.
    Argument,
    /// Asks for a small thing for oneself.
    Personal,
}

/// Kinds of [`Cue`], and 0 for words that are not listed.
pub(super) const CUES: usize = 5;

/// What the lists say about a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u8);

const CUE: u8 = 7;
const POLITE: u8 = 8;
const FILLER: u8 = 16;

impl Entry {
    /// Of a word that is not listed.
    pub(super) const NONE: Self = Self(0);

    /// Its [`Cue`] as a number, 0 if it has none.
    pub(super) fn cue(self) -> usize {
        usize::from(self.0 & CUE).min(CUES - 1)
    }

    /// A word of courtesy: passed over wherever it stands.
    pub(super) fn is_polite(self) -> bool {
        self.0 & POLITE != 0
    }

    /// A word that says nothing in a sentence of courtesy, and something elsewhere.
    pub(super) fn is_filler(self) -> bool {
        self.0 & FILLER != 0
    }
}

const CONSTRAINTS: &str = "must should shall without exactly least most only each every unless given such suppose \
    assume assuming whose neither except between within respectively minimum maximum smallest largest total \
    consecutive distinct both all no none per remaining twice half either avoid constraint constraints require \
    requires requirement requirements edge preserve preserving guarantee guarantees than then if same";

/// Words that daily requests use as often (list, plan, code, order, return, balance) are left out.
const DEMANDS: &str = "prove proof derive derivation implement implementing implementation refactor optimize optimise \
    optimal design debug bug bugs analyze analyse analysis algorithm algorithms function functions compute calculate \
    evaluate solve determine simplify integral derivative theorem lemma equation equations matrix polynomial \
    probability expression expressions triangle complexity architecture concurrent concurrency thread threads \
    distributed schema regex sql python rust javascript typescript golang kubernetes array arrays string strings \
    substring integer integers recursive recursion program script compile compiler parser parse query queries database \
    api endpoint async mutex lock deadlock latency throughput benchmark migration dictionary tuple tuples graph tree \
    node nodes vector sequence input output hypothesis infer deduce justify diagnose strategy tradeoff tradeoffs \
    evidence sum product ratio fraction fractions velocity acceleration voltage equilibrium molecule reaction sort \
    sorted element elements prime primes divisor divisors divisible remainder modulo class classes method methods \
    component components react linked select join index runtime crash exception error stack traceback object objects \
    interface variable variables puzzle logic theory numbers sentence clause argument paradox law";

const ARGUMENTS: &str = "following follows follow therefore hence because thus else statement statements premise \
    premises conclusion conclude true false answer options according which best describes likely primarily main correct \
    implies contradiction consistent inconsistent logically valid invalid fallacy plaintiff defendant patient would \
    could suggests reason purpose cause causes effect result example based uses these who whom";

const PERSONAL: &str = "my me you im id ive need want help tell";

const POLITENESS: &str = "please kindly hi hello hey thanks thank thx dear greetings morning afternoon evening help \
    appreciated";

/// Polite words that also stand in requests, where they mean something ("tomorrow morning", "help").
const POLITE_ONLY_IN_COMPANY: &str = "morning afternoon evening help appreciated";

const FILLERS: &str = "you there good day in advance could can would will me with this that a an i im need some have one \
    quick question for your everyone team all so much very any be great if lot again problem following the answer solve \
    task exercise to it id like just out my here is am do wonder wondering hope well doing are how";

/// Slots of the table: a power of two, and more than ten times the words, so that a probe rarely goes on.
const SLOTS: usize = 4096;

/// The word's hash with the entry in its low five bits; 0 is free.
static TABLE: [u32; SLOTS] = build();

const ENTRY_BITS: u32 = 31;

/// Looks up a folded word.
#[inline]
pub(super) fn entry(hash: u32) -> Entry {
    let mut slot = slot(hash);
    loop {
        let found = TABLE[slot % SLOTS];
        if found == 0 {
            return Entry(0);
        }
        if (found ^ hash) <= ENTRY_BITS {
            return Entry((found & ENTRY_BITS) as u8);
        }
        slot += 1;
    }
}

const fn slot(hash: u32) -> usize {
    (hash >> 20) as usize
}

const fn build() -> [u32; SLOTS] {
    let mut table = [0; SLOTS];
    table = insert(table, CONSTRAINTS, Cue::Constraint as u8);
    table = insert(table, DEMANDS, Cue::Demand as u8);
    table = insert(table, ARGUMENTS, Cue::Argument as u8);
    table = insert(table, PERSONAL, Cue::Personal as u8);
    table = insert(table, FILLERS, FILLER);
    table = insert(table, POLITENESS, POLITE);
    insert(table, POLITE_ONLY_IN_COMPANY, FILLER)
}

const fn insert(mut table: [u32; SLOTS], list: &str, entry: u8) -> [u32; SLOTS] {
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
            table = put(table, word.finish(), entry);
        }
        start = end + 1;
    }
    table
}

const fn put(mut table: [u32; SLOTS], hash: u32, entry: u8) -> [u32; SLOTS] {
    let mut slot = slot(hash);
    while table[slot % SLOTS] != 0 && (table[slot % SLOTS] ^ hash) > ENTRY_BITS {
        slot += 1;
    }
    let before = if table[slot % SLOTS] == 0 { 0 } else { (table[slot % SLOTS] & ENTRY_BITS) as u8 };
    // The first list that names a word gives its cue; the marks of courtesy are added.
    let cue = if before & CUE == 0 { entry & CUE } else { before & CUE };
    let entry = cue | (before & !CUE) | (entry & !CUE);
    table[slot % SLOTS] = (hash & !ENTRY_BITS) | entry as u32;
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(word: &str) -> Entry {
        entry(word.bytes().fold(WordHash::new(), WordHash::push).finish())
    }

    #[test]
    fn listed_words_are_found_and_others_are_not() {
        assert_eq!(look_up("must").cue(), Cue::Constraint as usize);
        assert_eq!(look_up("implement").cue(), Cue::Demand as usize);
        assert_eq!(look_up("therefore").cue(), Cue::Argument as usize);
        assert_eq!(look_up("my").cue(), Cue::Personal as usize);
        assert_eq!(look_up("banana"), Entry(0));
        assert_eq!(look_up(""), Entry(0));
    }

    #[test]
    fn marks_of_courtesy_join_a_cue() {
        assert!(look_up("please").is_polite() && !look_up("please").is_filler());
        assert!(look_up("help").is_polite() && look_up("help").is_filler());
        assert_eq!(look_up("help").cue(), Cue::Personal as usize);
        assert!(look_up("solve").is_filler() && look_up("solve").cue() == Cue::Demand as usize);
    }

    #[test]
    fn the_table_keeps_room() {
        let used = TABLE.iter().filter(|slot| **slot != 0).count();
        assert!(used > 200 && used < SLOTS / 8, "{used}");
    }
}
