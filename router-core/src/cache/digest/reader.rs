//! Reads items one after the other and keeps what an answer depends on.

use smallvec::SmallVec;

use super::items::Item;
use super::numerals::Numerals;
use super::{Digest, Fitness, Flags, MAX_WORDS, Quantity, Token};
use crate::cache::text::number::Amount;
use crate::cache::text::role::{Ask, Bits, Clause, Mood, Person, Relation, Role};
use crate::cache::text::scan::Kind;
use crate::cache::text::word::Word;

/// The digest so far, and where in its sentence the reader stands.
pub(super) struct Reader {
    digest: Digest,
    tokens: SmallVec<[Token; 24]>,
    quantities: SmallVec<[Quantity; 4]>,
    literals: SmallVec<[Word; 4]>,
    capitals_mean_names: bool,
    numerals: Numerals,
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

impl Reader {
    /// A reader at the start of a text; `capitals_mean_names` tells whether a capital inside a sentence says anything.
    pub(super) fn new(capitals_mean_names: bool) -> Self {
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
            numerals: Numerals::default(),
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

    /// What was read.
    pub(super) fn finish(mut self, wording: Word, fitness: Fitness) -> Digest {
        self.end_number(Word::NONE);
        self.literals.sort_unstable();
        // "When I am bored, what …" asks what.
        if self.digest.asks.len() > 1 && self.digest.asks.has(Ask::When.bit()) {
            self.digest.asks = self.digest.asks.minus(Bits::of(&[Ask::When.bit()]));
            self.digest.subordinate.insert(Ask::When.bit());
        }
        self.quantities.sort_unstable();
        // A few words stand for several ("aka").
        let fitness = if self.tokens.len() > MAX_WORDS { Fitness::Unfit } else { fitness };
        Digest {
            tokens: self.tokens.into_vec().into_boxed_slice(),
            quantities: self.quantities.into_vec().into_boxed_slice(),
            literals: self.literals.into_vec().into_boxed_slice(),
            wording,
            fitness,
            ..self.digest
        }
    }

    /// Reads one item; `next` is the one after it.
    pub(super) fn read(&mut self, item: &Item, next: Option<&Item>) {
        if item.kind == Kind::Word && !matches!(item.facts.role, Role::Filler | Role::Greeting | Role::Thanks)
        {
            self.digest.core = self.digest.core.then(item.facts.word);
        }
        let unit_joined = std::mem::take(&mut self.unit_joined);
        match item.kind {
            Kind::Number(amount) => {
                self.end_number(Word::NONE);
                self.numerals.digits(amount);
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
            Role::LooseUnit(unit) if self.numerals.is_open() => return self.end_number(unit),
            // "two hundred and five"
            Role::And if self.numerals.takes_and() && next.is_some_and(is_cardinal) => return,
            _ => self.end_number(Word::NONE),
        }
        match item.facts.role {
            Role::Greeting if item.marks.initial => {}
            Role::Thanks if !item.marks.initial => {}
            Role::Filler => {}
            Role::Auxiliary(mood) => self.auxiliary(mood, item.marks.initial),
            Role::Pronoun(person) => self.pronoun(person),
            // "Those who …" points nowhere.
            Role::Deixis if next.is_some_and(|next| matches!(next.facts.role, Role::Ask(_))) => {}
            Role::Deixis => self.digest.deictic = true,
            Role::Relation(relation) => self.relation(relation),
            Role::And | Role::Or => self.conjunction(),
            // "Translate that", "that is wrong": not a conjunction.
            Role::Clause(Clause::That) if item.marks.initial || next.is_none_or(ends_phrase) => {
                self.digest.deictic = true;
            }
            Role::Clause(clause) => {
                self.digest.clauses.insert(clause.bit());
                self.boundary();
            }
            Role::Ask(ask) => self.ask(ask, item.marks.initial),
            Role::Not => {
                self.deny();
                self.negated = true;
            }
            _ => self.content(item),
        }
    }

    fn auxiliary(&mut self, mood: Mood, initial: bool) {
        self.digest.moods.insert(mood.bit());
        if initial {
            self.digest.asks.insert(Ask::YesNo.bit());
            self.asked = true;
        }
        self.boundary();
    }

    fn pronoun(&mut self, person: Person) {
        self.digest.persons.insert(person.bit());
        if person != Person::Anyone {
            self.relation = Relation::None;
        }
    }

    /// "Between A and B": B hangs on "between" as well.
    fn conjunction(&mut self) {
        self.part = self.part.saturating_add(1);
        self.relation = self.anchor;
    }

    fn ask(&mut self, ask: Ask, initial: bool) {
        match ask {
            // "What should I do" asks what; "should I" asks whether.
            Ask::Should if !initial => self.digest.moods.insert(Mood::Should.bit()),
            Ask::Can if !initial => self.digest.moods.insert(Mood::Can.bit()),
            _ => {
                let inner = self.asked && !self.joined;
                let asks = if inner { &mut self.digest.subordinate } else { &mut self.digest.asks };
                asks.insert(ask.bit());
                self.asked = true;
            }
        }
        self.boundary();
    }

    fn deny(&mut self) {
        self.digest.negations = self.digest.negations.saturating_add(1);
    }

    fn relation(&mut self, relation: Relation) {
        self.digest.relations.insert(relation.bit());
        if relation == Relation::Without {
            self.deny();
        }
        self.boundary();
        self.relation = relation;
        self.anchor = relation;
    }

    fn content(&mut self, item: &Item) {
        let facts = &item.facts;
        let written_as_name = item.marks.capital && !item.marks.initial && self.capitals_mean_names;
        if facts.negates {
            self.deny();
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
        if let Some(complete) = self.numerals.cardinal(amount) {
            self.quantity(complete, Word::NONE);
        }
    }

    fn scale(&mut self, scale: u64, unit_joined: bool) {
        match self.quantities.last_mut().filter(|_| unit_joined && !self.numerals.is_open()) {
            // "$5 million"
            Some(quantity) => {
                quantity.amount = quantity.amount.scaled(scale);
                if let Some(token) = self.tokens.last_mut() {
                    token.word = quantity.unit.and_number(quantity.amount.bits());
                }
            }
            None => self.numerals.scale(scale),
        }
    }

    /// "Third", and "twenty third".
    fn ordinal(&mut self, amount: Amount) {
        self.cardinal(amount);
        self.end_number(Word::of("th"));
    }

    /// Closes the number that is open, giving it this unit; a unit without a number stands alone.
    fn end_number(&mut self, unit: Word) {
        match self.numerals.close() {
            Some(amount) => self.quantity(amount, unit),
            None if unit.is_none() => {}
            None => self.quantity(Amount::NONE, unit),
        }
    }

    fn quantity(&mut self, amount: Amount, unit: Word) {
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
