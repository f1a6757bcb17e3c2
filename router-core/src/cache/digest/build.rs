//! From text to digest: scan, look up, rewrite phrases, read.

use smallvec::SmallVec;

use super::{Digest, Fitness, Flags, MAX_BYTES, MAX_WORDS, Quantity, Token};
use crate::cache::text::lexicon::{Facts, Lexicon, english};
use crate::cache::text::number::Amount;
use crate::cache::text::role::{Ask, Bits, Clause, Mood, Person, Relation, Role};
use crate::cache::text::scan::{Kind, Lexeme, Marks, Scan};
use crate::cache::text::word::Word;

/// Digests one text.
pub(super) fn digest(text: &str) -> Digest {
    if text.len() > MAX_BYTES {
        return Reader::new(false).finish(Word::NONE, Fitness::Unfit);
    }
    let scan = Scan::of(text);
    let lexicon = english();
    let mut items = Items::of(&scan, lexicon);
    let fitness = items.fitness(scan.plain);
    if fitness == Fitness::Unfit {
        return Reader::new(false).finish(items.wording, fitness);
    }
    items.rewrite(lexicon);
    let mut reader = Reader::new(items.capitals_mean_names());
    for (at, item) in items.list.iter().enumerate() {
        reader.read(item, items.list.get(at + 1));
    }
    reader.finish(items.wording, fitness)
}

/// A lexeme with what the lexicon knows about it.
#[derive(Clone, Copy, Debug)]
struct Item {
    kind: Kind,
    marks: Marks,
    facts: Facts,
    /// As in [`Token`].
    root: u32,
    form: u16,
}

/// A text between scanning and reading.
struct Items {
    list: Vec<Item>,
    wording: Word,
    words: usize,
    capitals: usize,
    foreign: usize,
    functions: usize,
}

impl Items {
    fn of(scan: &Scan, lexicon: &Lexicon) -> Self {
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
        let form = (Word::of(text).bits() >> 48) as u16;
        self.list.push(Item { kind: Kind::Word, marks, facts, root, form });
    }

    /// Whether this can be matched by meaning. A text of another language shows by its function words; one that only
    /// names things ("capital france") passes for English.
    fn fitness(&self, plain: bool) -> Fitness {
        if self.words == 0 || self.words > MAX_WORDS {
            Fitness::Unfit
        } else if !plain || self.foreign > 0 && self.foreign * 3 >= self.functions * 2 {
            Fitness::Foreign
        } else {
            Fitness::English
        }
    }

    /// Capitals say nothing in Text Like This or IN TEXT LIKE THIS.
    fn capitals_mean_names(&self) -> bool {
        self.capitals * 5 <= self.words * 3 || self.words <= 4
    }

    /// Replaces phrases, leftmost first and longest at each place. A phrase never reaches over punctuation.
    fn rewrite(&mut self, lexicon: &Lexicon) {
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
                    form: (facts.word.bits() >> 48) as u16,
                }));
                at += length;
                // What follows a dropped wrapper begins the sentence: "please tell me | is it …".
                if rule.replacement.is_empty()
                    && initial
                    && let Some(next) = self.list.get_mut(at)
                {
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

/// Reads items one after the other and keeps what an answer depends on.
struct Reader {
    digest: Digest,
    tokens: SmallVec<[Token; 24]>,
    quantities: SmallVec<[Quantity; 4]>,
    literals: SmallVec<[Word; 4]>,
    capitals_mean_names: bool,
    number: Option<Number>,
    relation: Relation,
    anchor: Relation,
    phrase: u8,
    part: u8,
    negated: bool,
    /// Whether this sentence has asked for something yet.
    asked: bool,
    /// Whether a conjunction or a pause came right before.
    joined: bool,
    /// Whether the last thing read was a unit that joined the last quantity.
    unit_joined: bool,
}

/// A number while its words come in: "two hundred | thousand | five".
#[derive(Clone, Copy, Debug)]
struct Number {
    total: u64,
    current: Amount,
    spelled: bool,
    scaled: bool,
}

impl Reader {
    fn new(capitals_mean_names: bool) -> Self {
        Self {
            digest: Digest {
                tokens: Box::default(),
                quantities: Box::default(),
                literals: Box::default(),
                wording: Word::NONE,
                core: Word::NONE,
                asks: Bits::default(),
                subordinate: Bits::default(),
                moods: Bits::default(),
                persons: Bits::default(),
                clauses: Bits::default(),
                relations: Bits::default(),
                negations: 0,
                fitness: Fitness::Unfit,
                deictic: false,
            },
            tokens: SmallVec::new(),
            quantities: SmallVec::new(),
            literals: SmallVec::new(),
            capitals_mean_names,
            number: None,
            relation: Relation::None,
            anchor: Relation::None,
            phrase: 0,
            part: 0,
            negated: false,
            asked: false,
            joined: false,
            unit_joined: false,
        }
    }

    fn finish(mut self, wording: Word, fitness: Fitness) -> Digest {
        self.end_number(Word::NONE);
        self.literals.sort_unstable();
        // "When I am bored, what …" asks what.
        if self.digest.asks.len() > 1 && self.digest.asks.has(Ask::When.bit()) {
            self.digest.asks = self.digest.asks.minus(Bits::of(&[Ask::When.bit()]));
            self.digest.subordinate.insert(Ask::When.bit());
        }
        self.quantities.sort_unstable();
        Digest {
            tokens: self.tokens.into_vec().into_boxed_slice(),
            quantities: self.quantities.into_vec().into_boxed_slice(),
            literals: self.literals.into_vec().into_boxed_slice(),
            wording,
            fitness,
            ..self.digest
        }
    }

    fn read(&mut self, item: &Item, next: Option<&Item>) {
        if item.kind == Kind::Word && !matches!(item.facts.role, Role::Filler | Role::Greeting | Role::Thanks)
        {
            self.digest.core = self.digest.core.then(item.facts.word);
        }
        let unit_joined = std::mem::take(&mut self.unit_joined);
        match item.kind {
            Kind::Number(amount) => {
                self.end_number(Word::NONE);
                self.number = Some(Number { total: 0, current: amount, spelled: false, scaled: false });
            }
            Kind::Literal(word) => {
                self.end_number(Word::NONE);
                self.literals.push(word);
                self.token(Token { flags: Flags::LITERAL, ..self.here(word) });
            }
            Kind::Break => {
                self.end_number(Word::NONE);
                self.part = self.part.saturating_add(1);
            }
            Kind::Stop => {
                self.end_number(Word::NONE);
                self.boundary();
                self.asked = false;
            }
            Kind::Word => self.word(item, next, unit_joined),
        }
        self.joined = item.kind == Kind::Break || matches!(item.facts.role, Role::And | Role::Or);
    }

    fn word(&mut self, item: &Item, next: Option<&Item>, unit_joined: bool) {
        match item.facts.role {
            Role::Cardinal(amount) => return self.cardinal(amount),
            Role::Scale(scale) => return self.scale(scale, unit_joined),
            Role::Ordinal(amount) => return self.ordinal(amount),
            Role::Unit(unit) => return self.end_number(unit),
            Role::LooseUnit(unit) if self.number.is_some() => return self.end_number(unit),
            // "two hundred and five"
            Role::And if self.number.is_some_and(|n| n.scaled) && next.is_some_and(is_cardinal) => return,
            _ => self.end_number(Word::NONE),
        }
        let digest = &mut self.digest;
        match item.facts.role {
            Role::Filler => {}
            Role::Greeting if item.marks.initial => {}
            Role::Thanks if !item.marks.initial => {}
            Role::Auxiliary(mood) => {
                digest.moods.insert(mood.bit());
                if item.marks.initial {
                    digest.asks.insert(Ask::YesNo.bit());
                    self.asked = true;
                }
                self.boundary();
            }
            Role::Pronoun(person) => {
                digest.persons.insert(person.bit());
                if person != Person::Anyone {
                    self.relation = Relation::None;
                }
            }
            // "Those who …" points nowhere.
            Role::Deixis if next.is_some_and(|next| matches!(next.facts.role, Role::Ask(_))) => {}
            Role::Deixis => digest.deictic = true,
            Role::Relation(relation) => self.relation(relation),
            // "Between A and B": B hangs on "between" as well.
            Role::And | Role::Or => {
                self.part = self.part.saturating_add(1);
                self.relation = self.anchor;
            }
            // "Translate that", "that is wrong": not a conjunction.
            Role::Clause(Clause::That) if item.marks.initial || next.is_none_or(ends_phrase) => {
                digest.deictic = true
            }
            Role::Clause(clause) => {
                digest.clauses.insert(clause.bit());
                self.boundary();
            }
            // "What should I do" asks what; "should I" asks whether.
            Role::Ask(Ask::Should) if !item.marks.initial => {
                digest.moods.insert(Mood::Should.bit());
                self.boundary();
            }
            Role::Ask(Ask::Can) if !item.marks.initial => {
                digest.moods.insert(Mood::Can.bit());
                self.boundary();
            }
            Role::Ask(ask) => {
                let asks =
                    if self.asked && !self.joined { &mut digest.subordinate } else { &mut digest.asks };
                asks.insert(ask.bit());
                self.asked = true;
                self.boundary();
            }
            Role::Not => {
                digest.negations = digest.negations.saturating_add(1);
                self.negated = true;
            }
            _ => self.content(item),
        }
    }

    fn relation(&mut self, relation: Relation) {
        self.digest.relations.insert(relation.bit());
        if relation == Relation::Without {
            self.digest.negations = self.digest.negations.saturating_add(1);
        }
        self.boundary();
        self.relation = relation;
        self.anchor = relation;
    }

    fn content(&mut self, item: &Item) {
        let facts = &item.facts;
        let written_as_name = item.marks.capital && !item.marks.initial && self.capitals_mean_names;
        if facts.negates {
            self.digest.negations = self.digest.negations.saturating_add(1);
        }
        let flags = Flags::NAME
            .when(facts.name || written_as_name)
            .or(Flags::LABEL.when(item.marks.label))
            .or(Flags::FORMAT.when(facts.format))
            .or(Flags::LIGHT.when(facts.light))
            .or(Flags::OPPOSED.when(facts.opposed))
            .or(Flags::NEGATED.when(self.negated))
            .or(Flags::LIMITING.when(facts.limits));
        self.token(Token {
            root: item.root,
            form: item.form,
            kind: facts.kind,
            flags,
            ..self.here(facts.word)
        });
    }

    fn here(&self, word: Word) -> Token {
        Token {
            word,
            root: 0,
            form: 0,
            kind: 0,
            flags: Flags::default(),
            relation: self.relation,
            anchor: self.anchor,
            phrase: self.phrase,
            part: self.part,
        }
    }

    fn token(&mut self, token: Token) {
        self.tokens.push(token);
        self.relation = Relation::None;
        self.negated = false;
    }

    /// The phrase ends here.
    fn boundary(&mut self) {
        self.phrase = self.phrase.saturating_add(1);
        self.part = 0;
        self.relation = Relation::None;
        self.anchor = Relation::None;
    }

    fn cardinal(&mut self, amount: Amount) {
        if let (Some(number), Some(value)) = (self.number, amount.value())
            && let Some(current) = number.current.value().filter(|_| number.spelled)
        {
            let fits = current == 0
                || (value < 10 && current % 100 >= 20 && current % 10 == 0)
                || (value < 100 && current >= 100 && current % 100 == 0);
            if fits {
                self.number =
                    Some(Number { current: Amount::whole(current + value), scaled: false, ..number });
                return;
            }
        }
        self.end_number(Word::NONE);
        self.number = Some(Number { total: 0, current: amount, spelled: true, scaled: false });
    }

    fn scale(&mut self, scale: u64, unit_joined: bool) {
        let Some(number) = self.number else {
            // "$5 million"
            match self.quantities.last_mut().filter(|_| unit_joined) {
                Some(quantity) => {
                    quantity.amount = quantity.amount.scaled(scale);
                    if let Some(token) = self.tokens.last_mut() {
                        token.word = quantity.unit.and_number(quantity.amount.bits());
                    }
                }
                None => {
                    self.number =
                        Some(Number { total: 0, current: Amount::whole(scale), spelled: true, scaled: true });
                }
            }
            return;
        };
        let scaled = number.current.scaled(scale);
        self.number = Some(match scaled.value() {
            Some(value) if scale >= 1000 => Number {
                total: number.total.saturating_add(value),
                current: Amount::whole(0),
                spelled: true,
                scaled: true,
            },
            _ => Number { current: scaled, spelled: true, scaled: true, ..number },
        });
    }

    fn ordinal(&mut self, amount: Amount) {
        match (self.number, amount.value()) {
            // "twenty first"
            (Some(number), Some(value))
                if number.spelled && value < 10 && number.current.value().is_some_and(|v| v % 10 == 0) =>
            {
                self.cardinal(amount);
            }
            _ => {
                self.end_number(Word::NONE);
                self.number = Some(Number { total: 0, current: amount, spelled: true, scaled: false });
            }
        }
        self.end_number(Word::of("th"));
    }

    /// Closes the number that is open, giving it this unit; a unit without a number stands alone.
    fn end_number(&mut self, unit: Word) {
        let amount = match self.number.take() {
            Some(number) => match number.current.value() {
                Some(current) => Amount::whole(number.total.saturating_add(current)),
                None => number.current,
            },
            None if unit.is_none() => return,
            None => Amount::NONE,
        };
        self.quantities.push(Quantity { amount, unit });
        self.unit_joined = amount != Amount::NONE && !unit.is_none();
        // Numbers have their place among the words, so that exchanged ones show.
        let flags = Flags::NEGATED.when(self.negated);
        self.token(Token { flags, ..self.here(unit.and_number(amount.bits())) });
    }
}

/// Whether nothing hangs on the word before this one.
fn ends_phrase(next: &Item) -> bool {
    next.kind != Kind::Word || matches!(next.facts.role, Role::Relation(_) | Role::And | Role::Or)
}

fn is_cardinal(item: &Item) -> bool {
    matches!(item.facts.role, Role::Cardinal(_))
}

const _: () = assert!(size_of::<Token>() == 24);
const _: () = assert!(Mood::ALL.len() <= 32 && Relation::ALL.len() <= 32 && Ask::ALL.len() <= 32);
