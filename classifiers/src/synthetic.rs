//! Made-up traffic for tests: prompts about topics, some of which only the strong model masters.

use crate::dataset::Row;
use crate::shuffle::Dice;

/// Topics of one era; half of them are hard.
const TOPICS: usize = 24;

/// Rows of an era. Another era has other topics, so what was learned in one says nothing about the next.
pub(crate) fn rows(n: usize, era: u64, seed: u64) -> Vec<Row> {
    let mut dice = Dice::new(seed << 8 ^ era);
    (0..n).map(|at| row(at, era, &mut dice)).collect()
}

fn row(at: usize, era: u64, dice: &mut Dice) -> Row {
    let topic = dice.below(TOPICS);
    let hard = topic.is_multiple_of(2);
    let filler = |dice: &mut Dice| word(&[b"ka", b"lo", b"mi", b"re", b"su"], 3, dice.below(80) as u64);
    let mut words: Vec<String> = (0..8 + dice.below(24)).map(|_| filler(dice)).collect();
    for _ in 0..3 {
        let place = dice.below(words.len());
        let name = era * 1000 + (topic * 5 + dice.below(5)) as u64;
        words.insert(place, word(&[b"zor", b"wim", b"tex", b"qua", b"pol", b"nib", b"gan"], 4, name));
    }
    // One answer in ten is a matter of luck, whoever gives it.
    let lucky =
        |dice: &mut Dice, able: bool| f32::from(u8::from(if dice.below(10) == 0 { !able } else { able }));
    Row {
        id: format!("{era}-{at}"),
        prompt: words.join(" "),
        category: None,
        weak_score: Some(lucky(dice, !hard)),
        strong_score: Some(lucky(dice, true)),
        assumed: false,
    }
}

/// A word that belongs to a number.
fn word(syllables: &[&[u8]], length: usize, mut number: u64) -> String {
    let base = syllables.len() as u64;
    let mut word = String::new();
    for _ in 0..length {
        word += std::str::from_utf8(syllables[(number % base) as usize]).unwrap();
        number /= base;
    }
    word
}
