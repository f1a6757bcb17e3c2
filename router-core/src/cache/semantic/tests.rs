use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::cache::matcher::Tier;

fn entry(question: &str, value: u32, expires_at: Instant) -> Entry<u32> {
    Entry { digest: Digest::of(question), vector: None, value, value_bytes: 1000, expires_at }
}

fn hit(index: &SemanticIndex<u32>, question: &str, now: Instant) -> Option<u32> {
    index
        .lookup(&Digest::of(question), None, now)
        .best
        .filter(|found| found.verdict.serves(0.5))
        .map(|found| *found.value)
}

fn later(now: Instant) -> Instant {
    now + Duration::from_secs(60)
}

#[test]
fn finds_a_paraphrase_and_says_why_not() {
    let now = Instant::now();
    let mut index = SemanticIndex::default();
    index.insert(entry("How do I reset my password?", 1, later(now)));
    index.insert(entry("How long is 5 miles?", 2, later(now)));
    assert_eq!(hit(&index, "what is the best way to reset a password", now), Some(1));
    let digest = Digest::of("How long is 6 miles?");
    let lookup = index.lookup(&digest, None, now);
    assert!(lookup.best.is_none_or(|best| !best.verdict.serves(0.5)));
    assert!(index.lookup(&digest, None, now).guards().any(|guard| guard == Guard::Numbers));
}

#[test]
fn expired_entries_are_passed_over_and_swept() {
    let now = Instant::now();
    let mut index = SemanticIndex::default();
    index.insert(entry("How do I reset my password?", 1, later(now)));
    assert_eq!(hit(&index, "how to reset my password", later(now)), None);
    assert_eq!(index.sweep(now, 10), 0);
    assert_eq!(index.sweep(later(now), 10), 1);
    assert!(index.is_empty());
    assert_eq!(index.entry_bytes, 0);
}

#[test]
fn the_same_wording_replaces() {
    let now = Instant::now();
    let mut index = SemanticIndex::default();
    let first = index.insert(entry("Why is the sky blue?", 1, later(now))).unwrap();
    index.insert(entry("why is the sky BLUE", 2, later(now)));
    assert_eq!((index.len(), hit(&index, "Why is the sky blue", now)), (1, Some(2)));
    // The slot is used again, the name is not.
    assert!(index.remove(first).is_none());
    assert_eq!(index.len(), 1);
}

#[test]
fn unfit_questions_are_neither_stored_nor_found() {
    let now = Instant::now();
    let mut index = SemanticIndex::default();
    assert!(index.insert(entry(&" ".repeat(1 << 20), 1, later(now))).is_none());
    index.insert(entry("hello world", 1, later(now)));
    assert_eq!(index.lookup(&Digest::of(&"x ".repeat(1 << 19)), None, now).judged, 0);
}

#[test]
fn eviction_gives_served_entries_a_second_chance() {
    let now = Instant::now();
    let mut index = SemanticIndex::default();
    let ids: Vec<EntryId> = (0..4)
        .map(|n| index.insert(entry(&format!("question number {n}"), n, later(now))).unwrap())
        .collect();
    index.touch(ids[0]);
    assert_eq!(index.evict().unwrap().value, 1);
    assert_eq!(index.evict().unwrap().value, 2);
    assert_eq!(index.evict().unwrap().value, 3);
    assert_eq!(index.evict().unwrap().value, 0);
    assert!(index.evict().is_none());
    assert_eq!((index.len(), index.entry_bytes), (0, 0));
}

#[test]
fn labels_stay_with_their_entry() {
    let now = Instant::now();
    let mut index = SemanticIndex::default();
    let id = index.insert(entry("Why is the sky blue?", 1, later(now))).unwrap();
    index.observe(id, true);
    let question = Digest::of("why's the sky blue");
    assert!(index.lookup(&question, None, now).best.unwrap().trust.vetoes(0.02));
}

#[test]
fn vectors_of_another_model_are_passed_over() {
    let now = Instant::now();
    let mut index = SemanticIndex::default();
    let vector = |x: &[f32]| Vector::try_new(x).unwrap();
    let with = |question: &str, value, x: &[f32]| Entry {
        vector: Some(vector(x)),
        ..entry(question, value, later(now))
    };
    index.insert(with("Can coffee raise my blood pressure?", 1, &[1.0, 0.1, 0.0]));
    index.insert(with("Can tea raise my blood pressure?", 2, &[1.0, 0.1]));
    index.insert(entry("Can cocoa raise my blood pressure?", 3, later(now)));
    let question = Digest::of("Does drinking coffee increase blood pressure?");
    let lookup = index.lookup(&question, Some(&vector(&[1.0, 0.12, 0.0])), now);
    assert_eq!(lookup.judged, 1);
    let best = lookup.best.unwrap();
    assert_eq!((*best.value, best.verdict.tier), (1, Tier::Meaning));
    assert!(best.verdict.serves(0.5));
}

#[test]
fn a_needle_is_found_in_a_large_scope() {
    let now = Instant::now();
    let mut index = SemanticIndex::default();
    for n in 0..20_000 {
        index.insert(entry(
            &format!("Why was my card payment number {n} declined by the bank?"),
            n,
            later(now),
        ));
    }
    index.insert(entry("How do I freeze my credit card?", 77_777, later(now)));
    assert_eq!(hit(&index, "how can I freeze a credit card", now), Some(77_777));
    assert_eq!(hit(&index, "Why did the bank decline my card payment number 4321?", now), None);
}

proptest! {
    /// Whatever is inserted and removed, the books balance and nothing is found that is not there.
    #[test]
    fn books_balance(steps in proptest::collection::vec((0u8..4, 0u8..6), 0..60)) {
        let now = Instant::now();
        let mut index = SemanticIndex::default();
        let mut alive = std::collections::BTreeMap::new();
        for (step, which) in steps {
            let question = format!("how does machine {} work", ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"][which as usize]);
            match step {
                0 | 1 => {
                    let id = index.insert(entry(&question, u32::from(which), later(now))).unwrap();
                    alive.insert(which, id);
                }
                2 => {
                    if let Some(id) = alive.remove(&which) {
                        prop_assert!(index.remove(id).is_some());
                    }
                }
                _ => {
                    let gone = index.evict();
                    prop_assert_eq!(gone.is_some(), !alive.is_empty());
                    if let Some(gone) = gone {
                        alive.remove(&(gone.value as u8));
                    }
                }
            }
            prop_assert_eq!(index.len(), alive.len());
            prop_assert_eq!(hit(&index, &question, now).is_some(), alive.contains_key(&which));
        }
        while index.evict().is_some() {}
        prop_assert_eq!(index.entry_bytes, 0);
    }
}
