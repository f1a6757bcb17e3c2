//! What is known about words: compiled once from the lists in `words/`.
//!
//! Costs about two milliseconds and 1 MB at the first use in a process.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::number::Amount;
use super::phrase::Phrases;
use super::role::{Ask, Clause, Mood, Person, Relation, Role};
use super::stem::stem;
use super::word::{Word, WordMap};

/// Everything the matcher knows about one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The name shared by the word's inflections, spellings and synonyms.
    pub word: Word,
    /// What it does.
    pub role: Role,
    /// The kind of thing it names; 0 for none. Two members of one kind are two different things.
    pub kind: u16,
    /// Whether it has opposites.
    pub opposed: bool,
    /// Whether it is a name, however it is written.
    pub name: bool,
    /// Whether it asks for a form of answer.
    pub format: bool,
    /// Whether it is generic ("thing", "get").
    pub light: bool,
    /// Whether it denies by itself ("avoid", "nothing").
    pub negates: bool,
    /// Whether it narrows a question down ("only", "former").
    pub limits: bool,
}

impl Facts {
    /// A content word with nothing special about it.
    #[must_use]
    pub const fn content(word: Word) -> Self {
        Self {
            word,
            role: Role::Content,
            kind: 0,
            opposed: false,
            name: false,
            format: false,
            light: false,
            negates: false,
            limits: false,
        }
    }
}

/// The word lists, compiled.
#[derive(Debug)]
pub struct Lexicon {
    facts: WordMap<Facts>,
    opposites: WordMap<Vec<Word>>,
    contractions: WordMap<&'static str>,
    foreign: HashSet<Word>,
    phrases: Phrases,
}

static ENGLISH: LazyLock<Lexicon> = LazyLock::new(Lexicon::compile);

/// The one lexicon of the process.
#[must_use]
pub fn english() -> &'static Lexicon {
    &ENGLISH
}

impl Lexicon {
    /// What is known about a folded word. Unknown words are content under their stem. `scratch` is overwritten.
    #[must_use]
    pub fn facts(&self, word: &str, scratch: &mut String) -> Facts {
        if let Some(facts) = self.facts.get(&Word::of(word)) {
            return *facts;
        }
        stem(word, scratch);
        let name = Word::of(scratch);
        self.facts.get(&name).copied().unwrap_or(Facts::content(name))
    }

    /// Whether two words exclude each other.
    #[must_use]
    pub fn opposed(&self, a: Word, b: Word) -> bool {
        self.opposites.get(&a).is_some_and(|others| others.contains(&b))
    }

    /// What a contraction without its apostrophe stands for.
    #[must_use]
    pub fn contraction(&self, word: &str) -> Option<&'static str> {
        self.contractions.get(&Word::of(word)).copied()
    }

    /// Whether this is a function word of another language.
    #[must_use]
    pub fn is_foreign(&self, word: &str) -> bool {
        self.foreign.contains(&Word::of(word))
    }

    /// The phrases that are rewritten.
    #[must_use]
    pub fn phrases(&self) -> &Phrases {
        &self.phrases
    }

    fn compile() -> Self {
        let mut draft = Draft::new();
        draft.mark(include_str!("words/light.txt"), |facts| facts.light = true);
        draft.mark(include_str!("words/formats.txt"), |facts| facts.format = true);
        draft.mark(include_str!("words/limiting.txt"), |facts| facts.limits = true);
        draft.mark(include_str!("words/negative.txt"), |facts| facts.negates = true);
        draft.kinds(include_str!("words/kinds.txt"));
        draft.names(include_str!("words/names.txt"));
        let opposites = draft.opposites(include_str!("words/antonyms.txt"));
        let mut facts = draft.finish();
        units(include_str!("words/units.txt"), &mut facts);
        numbers(include_str!("words/numbers.txt"), &mut facts);
        functions(include_str!("words/function.txt"), &mut facts);
        let contractions =
            lines(include_str!("words/contractions.txt")).filter_map(|line| line.split_once(' '));
        let foreign = lines(include_str!("words/foreign.txt")).flat_map(str::split_whitespace);
        let mut lexicon = Self {
            facts,
            opposites,
            contractions: contractions.map(|(form, words)| (Word::of(form), words)).collect(),
            foreign: foreign.map(Word::of).collect(),
            phrases: Phrases::default(),
        };
        lexicon.phrases = Phrases::compile(include_str!("words/phrases.txt"), &lexicon);
        lexicon
    }
}

/// Lines that are neither comments nor blank.
pub(super) fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The lists while they are being put together: what a surface form is called, and what is known under that name.
struct Draft {
    /// Irregular forms and spellings to their base form.
    variants: HashMap<&'static str, &'static str>,
    /// Words whose ending is no inflection.
    kept: HashSet<&'static str>,
    /// Base form to the head of its group.
    synonyms: HashMap<String, String>,
    /// Every form that was listed, and its stem, to its name.
    surfaces: WordMap<Word>,
    known: WordMap<Facts>,
}

impl Draft {
    fn new() -> Self {
        let mut draft = Self {
            variants: HashMap::new(),
            kept: HashSet::new(),
            synonyms: HashMap::new(),
            surfaces: WordMap::default(),
            known: WordMap::default(),
        };
        for list in [include_str!("words/spelling.txt"), include_str!("words/irregular.txt")] {
            lines(list).for_each(|line| draft.variants_of(line));
        }
        let groups = lines(include_str!("words/synonyms.txt"));
        let aliases = lines(include_str!("words/names.txt")).filter(|line| !line.starts_with('*'));
        for line in groups.chain(aliases) {
            let Some((head, rest)) = line.split_once(' ') else { continue };
            let head = draft.base(head, 0);
            for word in rest.split(' ') {
                let word = draft.base(word, 0);
                draft.synonyms.entry(word).or_insert_with(|| head.clone());
            }
        }
        // Every form of every list is an entry, so that a lookup finds it before it stems.
        for list in [
            include_str!("words/spelling.txt"),
            include_str!("words/irregular.txt"),
            include_str!("words/synonyms.txt"),
        ] {
            draft.mark(list, |_| ());
        }
        draft
    }

    fn variants_of(&mut self, line: &'static str) {
        let mut words = line.split(' ');
        let Some(base) = words.next() else { return };
        let mut rest = words.peekable();
        if rest.peek().is_none() {
            self.kept.insert(base);
        }
        for word in rest {
            self.variants.entry(word).or_insert(base);
        }
    }

    /// The base form of a word, before synonyms. A base that is itself a variant is followed, three steps at most.
    fn base(&self, word: &str, depth: u8) -> String {
        if self.kept.contains(word) || depth > 3 {
            return word.to_owned();
        }
        if let Some(base) = self.variants.get(word) {
            return self.base(base, depth + 1);
        }
        let mut stemmed = String::new();
        stem(word, &mut stemmed);
        match self.variants.get(stemmed.as_str()) {
            Some(base) if stemmed != word => self.base(base, depth + 1),
            _ => stemmed,
        }
    }

    fn name(&self, word: &str) -> Word {
        let base = self.base(word, 0);
        Word::of(self.synonyms.get(&base).unwrap_or(&base))
    }

    fn entry(&mut self, word: &str) -> &mut Facts {
        let name = self.name(word);
        self.surfaces.insert(Word::of(word), name);
        let mut stemmed = String::new();
        stem(word, &mut stemmed);
        self.surfaces.entry(Word::of(&stemmed)).or_insert(name);
        self.known.entry(name).or_insert(Facts::content(name))
    }

    /// Applies `set` to every word of a list.
    fn mark(&mut self, list: &'static str, set: fn(&mut Facts)) {
        for word in lines(list).flat_map(str::split_whitespace) {
            set(self.entry(word));
        }
    }

    fn kinds(&mut self, list: &'static str) {
        for (line, kind) in lines(list).zip(1..) {
            for word in line.split_whitespace() {
                let facts = self.entry(word);
                if facts.kind == 0 {
                    facts.kind = kind;
                }
            }
        }
    }

    fn names(&mut self, list: &'static str) {
        for word in lines(list).flat_map(str::split_whitespace).filter(|word| *word != "*") {
            self.entry(word).name = true;
        }
    }

    fn opposites(&mut self, list: &'static str) -> WordMap<Vec<Word>> {
        let mut opposites: WordMap<Vec<Word>> = WordMap::default();
        for line in lines(list) {
            let words: Vec<Word> = line.split_whitespace().map(|word| self.entry(word).word).collect();
            line.split_whitespace().for_each(|word| self.entry(word).opposed = true);
            for a in &words {
                opposites.entry(*a).or_default().extend(words.iter().filter(|b| *b != a));
            }
        }
        opposites
    }

    fn finish(self) -> WordMap<Facts> {
        let mut facts = self.known.clone();
        facts.extend(self.surfaces.iter().filter_map(|(form, name)| Some((*form, *self.known.get(name)?))));
        facts
    }
}

/// Gives a listed form a role of its own, keeping what else is known of it.
fn set_role(facts: &mut WordMap<Facts>, form: &str, role: Role) {
    let key = Word::of(form);
    facts.entry(key).or_insert(Facts::content(key)).role = role;
}

fn units(list: &'static str, facts: &mut WordMap<Facts>) {
    for line in lines(list) {
        let Some(first) = line.split(' ').next() else { continue };
        let unit = Word::of(first.trim_start_matches('~'));
        for form in line.split(' ') {
            match form.strip_prefix('~') {
                Some(loose) => set_role(facts, loose, Role::LooseUnit(unit)),
                None => set_role(facts, form, Role::Unit(unit)),
            }
        }
    }
}

fn numbers(list: &'static str, facts: &mut WordMap<Facts>) {
    let mut section = "";
    for line in lines(list) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            continue;
        }
        let Some((form, digits)) = line.split_once(' ') else { continue };
        let role = match section {
            "scale" => Role::Scale(digits.parse().unwrap_or(1)),
            "ordinal" => Role::Ordinal(Amount::of_digits(digits)),
            _ => Role::Cardinal(Amount::of_digits(digits)),
        };
        set_role(facts, form, role);
    }
}

fn functions(list: &'static str, facts: &mut WordMap<Facts>) {
    let mut role = Role::Filler;
    for line in lines(list) {
        if let Some(name) = line.strip_prefix('[') {
            role = role_named(name.trim_end_matches(']'));
            continue;
        }
        for form in line.split_whitespace() {
            // A function word goes by its own form: "do" and "did" are two words here.
            let key = Word::of(form);
            facts.insert(key, Facts { role, ..Facts::content(key) });
        }
    }
}

/// The role that a section of `words/function.txt` is named after.
fn role_named(name: &str) -> Role {
    match name {
        "not" => Role::Not,
        "and" => Role::And,
        "or" => Role::Or,
        "deixis" => Role::Deixis,
        "greeting" => Role::Greeting,
        "thanks" => Role::Thanks,
        _ => Mood::named(name)
            .map(Role::Auxiliary)
            .or_else(|| Person::named(name).map(Role::Pronoun))
            .or_else(|| Relation::named(name).map(Role::Relation))
            .or_else(|| Clause::named(name).map(Role::Clause))
            .or_else(|| Ask::named(name).map(Role::Ask))
            .unwrap_or(Role::Filler),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(word: &str) -> Facts {
        english().facts(word, &mut String::new())
    }

    #[test]
    fn forms_of_one_word_share_a_name() {
        for family in [
            "colour color colours colored",
            "child children kid kids",
            "buy bought buying purchase purchases purchased",
            "organise organize organising organized",
            "analyse analyze analysed",
            "write wrote written writing",
            "photo photograph picture pictures pic",
            "leukaemia leukemia",
            "usa america",
            "cancelled canceled cancel",
            "battery batteries",
        ] {
            let names: Vec<Word> = family.split(' ').map(|word| facts(word).word).collect();
            assert!(names.iter().all(|name| *name == names[0]), "{family}");
        }
    }

    #[test]
    fn opposites_go_both_ways_and_through_synonyms() {
        for (a, b) in [
            ("buy", "sell"),
            ("purchase", "sold"),
            ("min", "max"),
            ("raising", "lower"),
            ("enable", "deactivate"),
        ] {
            let (a, b) = (facts(a), facts(b));
            assert!(a.opposed && b.opposed);
            assert!(english().opposed(a.word, b.word) && english().opposed(b.word, a.word));
        }
        assert!(!english().opposed(facts("buy").word, facts("buy").word));
    }

    #[test]
    fn no_word_is_its_own_synonym_and_opposite() {
        for line in lines(include_str!("words/antonyms.txt")) {
            let names: Vec<Word> = line.split(' ').map(|word| facts(word).word).collect();
            let distinct: HashSet<Word> = names.iter().copied().collect();
            assert!(distinct.len() > 1, "{line}");
        }
    }

    #[test]
    fn closed_classes_have_their_roles() {
        assert_eq!(facts("without").role, Role::Relation(Relation::Without));
        assert_eq!(facts("should").role, Role::Auxiliary(Mood::Should));
        assert_eq!(facts("her").role, Role::Pronoun(Person::She));
        assert_eq!(facts("never").role, Role::Not);
        assert_eq!(facts("why").role, Role::Ask(Ask::Why));
        assert_eq!(facts("although").role, Role::Clause(Clause::But));
        assert_eq!(facts("twelve").role, Role::Cardinal(Amount::whole(12)));
        assert_eq!(facts("kilometres").role, Role::Unit(Word::of("kilometer")));
        assert_eq!(facts("zebra").role, Role::Content);
    }

    #[test]
    fn no_list_has_a_stray_mark() {
        for list in [
            include_str!("words/antonyms.txt"),
            include_str!("words/synonyms.txt"),
            include_str!("words/irregular.txt"),
            include_str!("words/spelling.txt"),
            include_str!("words/kinds.txt"),
            include_str!("words/light.txt"),
        ] {
            for line in lines(list) {
                assert!(!line.contains("  ") && !line.contains(','), "{line}");
                assert_eq!(line, line.to_lowercase());
            }
        }
    }
}
