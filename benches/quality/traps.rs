//! Pairs of questions that look alike and must not share an answer.
//!
//! Each trap has two halves with templates and word lists of their own. Guards and weights were tuned with the first
//! half in view: three stocks, each of which was held back until its figures had been looked at. The other half was
//! written when that was over and measured once, so its figures tell what to expect of pairs that nobody thought of.
//! Report both. A generated pair differs in one place: a number, a unit, a name, the order of two arguments, a
//! negation, or a word and its opposite.

mod first;
mod held_back;
mod second;
mod third;

use std::collections::HashSet;

use fastrand::Rng;

/// What a pair of questions differs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Trap {
    /// A number.
    Numbers,
    /// A unit of measure, money or time.
    Units,
    /// A person, place, company or product.
    Entities,
    /// Two arguments changed places.
    Swaps,
    /// One denies what the other says.
    Negations,
    /// A word became its opposite.
    Antonyms,
}

impl Trap {
    /// All traps, in the order of the published table.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] =
        [Self::Numbers, Self::Units, Self::Entities, Self::Swaps, Self::Negations, Self::Antonyms];
}

/// Which templates and words a pair is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Half {
    /// Was in view while guards and weights were tuned.
    Seen,
    /// Never was.
    HeldBack,
}

impl Half {
    fn stocks(self) -> &'static [Stock] {
        match self {
            Self::Seen => &[first::STOCK, second::STOCK, third::STOCK],
            Self::HeldBack => &[held_back::STOCK],
        }
    }
}

/// Two questions that need two answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    /// The cached question.
    pub(crate) a: String,
    /// The incoming one.
    pub(crate) b: String,
}

/// Templates and words of one half. In a template `{}` is the place that changes, `{x}` and `{y}` two arguments,
/// `{noun}`, `{verb}` and `{place}` are filled alike on both sides.
pub(crate) struct Stock {
    pub(crate) number_templates: &'static [&'static str],
    pub(crate) unit_templates: &'static [&'static str],
    pub(crate) units: &'static [&'static [&'static str]],
    /// A template with the kind of entity it takes, an index into `entities`.
    pub(crate) entity_templates: &'static [(&'static str, usize)],
    pub(crate) entities: &'static [&'static [&'static str]],
    /// A template with the kind of argument it takes, an index into `arguments`.
    pub(crate) swap_templates: &'static [(&'static str, usize)],
    pub(crate) arguments: &'static [&'static [&'static str]],
    /// A statement and its denial.
    pub(crate) negations: &'static [(&'static str, &'static str)],
    pub(crate) antonym_templates: &'static [(&'static str, usize)],
    /// Pairs of opposites by part of speech: adjectives, verbs, nouns, adverbs and particles.
    pub(crate) antonyms: &'static [&'static [(&'static str, &'static str)]],
    pub(crate) nouns: &'static [&'static str],
    pub(crate) verbs: &'static [&'static str],
    pub(crate) places: &'static [&'static str],
}

/// `count` pairs of one trap, all different; fewer if a stock cannot make so many. The same seed makes the same pairs;
/// both directions of a pair occur.
#[must_use]
pub(crate) fn generate(trap: Trap, half: Half, count: usize, seed: u64) -> Vec<Pair> {
    let mut rng = Rng::with_seed(seed ^ (trap as u64) << 8 ^ (half as u64) << 16);
    let stocks = half.stocks();
    let mut seen = HashSet::new();
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count * 100 {
        if pairs.len() == count {
            break;
        }
        let (a, b) = one(trap, &stocks[rng.usize(..stocks.len())], &mut rng);
        let pair = if rng.bool() { Pair { a, b } } else { Pair { a: b, b: a } };
        if pair.a != pair.b && seen.insert(pair.clone()) {
            pairs.push(pair);
        }
    }
    pairs
}

fn one(trap: Trap, stock: &Stock, rng: &mut Rng) -> (String, String) {
    let (template, x, y) = match trap {
        Trap::Numbers => {
            let (x, y) = numbers(rng);
            (pick(stock.number_templates, rng), x, y)
        }
        Trap::Units => {
            let (x, y) = two(pick(stock.units, rng), rng);
            (pick(stock.unit_templates, rng), x.to_owned(), y.to_owned())
        }
        Trap::Entities => {
            let &(template, kind) = &stock.entity_templates[rng.usize(..stock.entity_templates.len())];
            let (x, y) = two(stock.entities[kind], rng);
            (template, x.to_owned(), y.to_owned())
        }
        Trap::Swaps => return swap(stock, rng),
        Trap::Negations => {
            let &(plain, denied) = &stock.negations[rng.usize(..stock.negations.len())];
            return fill_both(plain, denied, stock, rng);
        }
        Trap::Antonyms => {
            let &(template, class) = &stock.antonym_templates[rng.usize(..stock.antonym_templates.len())];
            let list = stock.antonyms[class];
            let (x, y) = list[rng.usize(..list.len())];
            (template, x.to_owned(), y.to_owned())
        }
    };
    let (a, b) = fill_both(&template.replace("{}", &x), &template.replace("{}", &y), stock, rng);
    // One in three is typed without capitals, as questions often are.
    if trap == Trap::Entities && rng.u8(..3) == 0 { (a.to_lowercase(), b.to_lowercase()) } else { (a, b) }
}

fn swap(stock: &Stock, rng: &mut Rng) -> (String, String) {
    let &(template, kind) = &stock.swap_templates[rng.usize(..stock.swap_templates.len())];
    let (x, y) = two(stock.arguments[kind], rng);
    let with = |x: &str, y: &str| template.replace("{x}", x).replace("{y}", y);
    fill_both(&with(x, y), &with(y, x), stock, rng)
}

/// Fills the slots that are alike on both sides, and the number and the case of both.
fn fill_both(a: &str, b: &str, stock: &Stock, rng: &mut Rng) -> (String, String) {
    let (noun, verb, place) = (pick(stock.nouns, rng), pick(stock.verbs, rng), pick(stock.places, rng));
    let number = rng.u32(2..90).to_string();
    let fill = |text: &str| {
        text.replace("{noun}", noun).replace("{verb}", verb).replace("{place}", place).replace("{n}", &number)
    };
    (fill(a), fill(b))
}

/// Number words, the largest a thousand.
const NUMBER_WORDS: [&str; 20] = [
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "fifteen",
    "twenty",
    "twenty-five",
    "thirty",
    "forty",
    "fifty",
    "a hundred",
    "two hundred",
    "a thousand",
];

/// Two different numbers, most often written the same way.
fn numbers(rng: &mut Rng) -> (String, String) {
    let x = rng.u32(2..60);
    let y = neighbour(x, rng);
    match rng.u8(..7) {
        0 => {
            let (x, y) = two(&NUMBER_WORDS, rng);
            (x.to_owned(), y.to_owned())
        }
        1 => (format!("{x}.5"), format!("{y}.5")),
        2 => (format!("{x}.{}", 1 + x % 9), format!("{x}{}", 1 + x % 9)),
        3 => (format!("{x},000"), format!("{y},000")),
        4 => (pick(&NUMBER_WORDS, rng).to_owned(), (1000 + y).to_string()),
        _ => (x.to_string(), y.to_string()),
    }
}

/// Another number: a near one, ten times as much, or any.
fn neighbour(x: u32, rng: &mut Rng) -> u32 {
    match rng.u8(..3) {
        0 => x + rng.u32(1..3),
        1 => x * 10,
        _ => x + rng.u32(1..400),
    }
}

fn pick<T: Copy>(list: &[T], rng: &mut Rng) -> T {
    list[rng.usize(..list.len())]
}

/// Two different entries of a list.
fn two<'s>(list: &[&'s str], rng: &mut Rng) -> (&'s str, &'s str) {
    let first = rng.usize(..list.len());
    let second = (first + rng.usize(1..list.len())) % list.len();
    (list[first], list[second])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trap_makes_distinct_pairs_and_repeats_by_seed() {
        for trap in Trap::ALL {
            for half in [Half::Seen, Half::HeldBack] {
                let pairs = generate(trap, half, 300, 7);
                assert!(
                    pairs
                        .iter()
                        .all(|pair| pair.a != pair.b && !pair.a.contains('{') && !pair.b.contains('{'))
                );
                let mut distinct: Vec<_> = pairs.iter().map(|pair| (&pair.a, &pair.b)).collect();
                distinct.sort();
                distinct.dedup();
                assert!(distinct.len() > 100, "{trap:?} {half:?}: {}", distinct.len());
                assert_eq!(pairs, generate(trap, half, 300, 7));
            }
        }
    }
}
