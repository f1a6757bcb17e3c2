//! The closed word list of the structural features, as a table that is built at compile time.
//!
//! A word list alone is a poor judge; here it is four of twenty counts, and none of them can decide by itself.

/// What kind of hint a listed word gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cue {
    /// Binds or limits the answer.
    Constraint,
    /// Names a demanding kind of work.
    Demand,
    /// Belongs to arguments and examinations.
    Argument,
    /// Asks for a small thing for oneself.
    Personal,
    /// Polite, and nothing else.
    Courtesy,
}

/// Words that bind or limit the answer.
const CONSTRAINTS: &str = "must should shall without exactly least most only each every unless given such suppose \
    assume assuming whose neither except between within respectively minimum maximum smallest largest total \
    consecutive distinct both all no none per remaining twice half either avoid constraint constraints require \
    requires requirement requirements edge preserve preserving guarantee guarantees than then if same";

/// Words that name a demanding kind of work or its objects. Words that daily requests use as often (list, plan, code,
/// order, return, balance) are left out.
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

/// Words of argument and of examinations.
const ARGUMENTS: &str = "following follows follow therefore hence because thus else statement statements premise \
    premises conclusion conclude true false answer options according which best describes likely primarily main correct \
    implies contradiction consistent inconsistent logically valid invalid fallacy plaintiff defendant patient would \
    could suggests reason purpose cause causes effect result example based uses these who whom";

/// Words of somebody who wants a small thing done.
const PERSONAL: &str = "my me you im id ive need want help tell";

/// Words of courtesy. They say nothing about the task, so the reader passes over them altogether.
const COURTESIES: &str = "please kindly hi hello hey thanks thank thx dear";

/// Slots of the table: a power of two, and four times the words, so that a probe rarely goes on.
const SLOTS: usize = 1024;

static TABLE: [(u32, u8); SLOTS] = build();

/// Hash of a word that is written in lower-case ASCII. An apostrophe is passed over, as the reader does.
pub(super) const fn hash_ascii(word: &[u8]) -> u32 {
    let mut hash = SEED;
    let mut i = 0;
    while i < word.len() {
        if word[i] != b'\'' {
            hash = step(hash, word[i]);
        }
        i += 1;
    }
    hash
}

/// FNV-1a, 32 bits: one multiplication a byte and good enough before [`finish`].
pub(super) const SEED: u32 = 0x811c_9dc5;

pub(super) const fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ byte as u32).wrapping_mul(0x0100_0193)
}

/// The word's cue, if it is listed. `hash` comes from [`step`] over the folded word.
pub(super) fn cue(hash: u32) -> Option<Cue> {
    let mut slot = hash as usize % SLOTS;
    loop {
        match TABLE[slot] {
            (_, 0) => return None,
            (found, kind) if found == hash => return cue_of(kind),
            _ => slot = (slot + 1) % SLOTS,
        }
    }
}

const fn cue_of(kind: u8) -> Option<Cue> {
    match kind {
        1 => Some(Cue::Constraint),
        2 => Some(Cue::Demand),
        3 => Some(Cue::Argument),
        4 => Some(Cue::Personal),
        5 => Some(Cue::Courtesy),
        _ => None,
    }
}

const fn build() -> [(u32, u8); SLOTS] {
    let mut table = [(0, 0); SLOTS];
    table = insert(table, CONSTRAINTS.as_bytes(), 1);
    table = insert(table, DEMANDS.as_bytes(), 2);
    table = insert(table, ARGUMENTS.as_bytes(), 3);
    table = insert(table, PERSONAL.as_bytes(), 4);
    insert(table, COURTESIES.as_bytes(), 5)
}

const fn insert(mut table: [(u32, u8); SLOTS], words: &[u8], kind: u8) -> [(u32, u8); SLOTS] {
    let mut start = 0;
    while start < words.len() {
        let mut end = start;
        while end < words.len() && words[end] != b' ' {
            end += 1;
        }
        if end > start {
            let (_, word) = words.split_at(start);
            let (word, _) = word.split_at(end - start);
            table = put(table, hash_ascii(word), kind);
        }
        start = end + 1;
    }
    table
}

const fn put(mut table: [(u32, u8); SLOTS], hash: u32, kind: u8) -> [(u32, u8); SLOTS] {
    let mut slot = hash as usize % SLOTS;
    while table[slot].1 != 0 && table[slot].0 != hash {
        slot = (slot + 1) % SLOTS;
    }
    if table[slot].1 == 0 {
        table[slot] = (hash, kind);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_words_are_found_and_others_are_not() {
        assert_eq!(cue(hash_ascii(b"must")), Some(Cue::Constraint));
        assert_eq!(cue(hash_ascii(b"implement")), Some(Cue::Demand));
        assert_eq!(cue(hash_ascii(b"therefore")), Some(Cue::Argument));
        assert_eq!(cue(hash_ascii(b"i'm")), Some(Cue::Personal));
        assert_eq!(cue(hash_ascii(b"im")), Some(Cue::Personal), "apostrophes are passed over");
        assert_eq!(cue(hash_ascii(b"banana")), None);
        assert_eq!(cue(SEED), None, "the empty word");
    }

    #[test]
    fn the_table_keeps_room() {
        let used = TABLE.iter().filter(|slot| slot.1 != 0).count();
        assert!(used > 200 && used < SLOTS / 2, "{used}");
    }
}
