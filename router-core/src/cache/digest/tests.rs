use proptest::prelude::*;

use super::*;
use crate::cache::text::number::Amount;
use crate::cache::text::role::Ask;

fn content(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Digest::of(text).tokens.iter().map(|token| token.word).collect();
    words.sort();
    words
}

#[test]
fn spelling_inflection_and_templates_do_not_matter() {
    for (a, b) in [
        ("How do I organise my photos?", "what's the best way to organize a photo"),
        ("colours of autumn leaves", "the color of autumn leaves"),
        ("He wrote three books", "he writes 3 books"),
        ("My children's teeth", "the kid's tooth"),
        ("What are the steps to install Rust?", "how to install rust"),
        ("Can you please tell me who painted it", "who painted it"),
        ("I don't know how to swim", "how do I swim"),
        ("get rid of mould", "remove mold"),
    ] {
        assert_eq!(content(a), content(b), "{a} | {b}");
    }
}

#[test]
fn numbers_are_read_in_words_and_digits() {
    let quantities = |text: &str| Digest::of(text).quantities.to_vec();
    let whole = |n, unit: &str| Quantity {
        amount: Amount::whole(n),
        unit: if unit.is_empty() { Word::NONE } else { Word::of(unit) },
    };
    assert_eq!(quantities("two hundred and five"), [whole(205, "")]);
    assert_eq!(quantities("$5 million"), [whole(5_000_000, "dollar")]);
    assert_eq!(quantities("1,500 km"), [whole(1500, "kilometer")]);
    assert_eq!(quantities("the twenty-first"), [whole(21, "th")]);
    assert_eq!(quantities("how many miles"), [Quantity { amount: Amount::NONE, unit: Word::of("mile") }]);
    assert_eq!(quantities("a stone wall").len(), 0, "a loose unit needs a number");
    assert_eq!(quantities("7 8 nine").len(), 3);
}

#[test]
fn asks_are_told_apart_and_templates_joined() {
    let asks = |text: &str| Digest::of(text).asks;
    let only = |ask: Ask| Bits::of(&[ask.bit()]);
    for (text, ask) in [
        ("How do I cook rice?", Ask::HowTo),
        ("what is the easiest way to cook rice", Ask::HowTo),
        ("How does rice cook?", Ask::How),
        ("How much does rice cost?", Ask::HowMany),
        ("What makes rice sticky?", Ask::Why),
        ("Is rice healthy?", Ask::YesNo),
        ("Should I eat rice?", Ask::Should),
        ("What should I eat?", Ask::What),
        ("what's the meaning of rice", Ask::Define),
    ] {
        assert_eq!(asks(text), only(ask), "{text}");
    }
}

#[test]
fn names_are_capitals_inside_a_sentence_or_known_ones() {
    let names =
        |text: &str| Digest::of(text).tokens.iter().filter(|token| token.flags.any(Flags::NAME)).count();
    assert_eq!(names("Was Frida born in Mexico?"), 2);
    assert_eq!(names("was frida born in mexico?"), 1);
    assert_eq!(names("How To Cook Rice Quickly"), 0);
    assert_eq!(names("HOW DO I COOK RICE IN SPAIN"), 1);
    assert_eq!(names("Rice burns. Why?"), 0);
}

#[test]
fn other_languages_and_hidden_characters_are_foreign() {
    for text in [
        "Wie viel kostet ein Ticket nach Berlin?",
        "¿Cuál es la capital de España?",
        "Où est la gare et comment y aller ?",
        "сколько стоит билет",
        "最寄りの駅はどこですか",
        "zero\u{200b}width",
        "right\u{202e}left",
        "e\u{301}",
        "ｆｕｌｌ",
        "bell\u{7}",
    ] {
        assert_eq!(Digest::of(text).fitness, Fitness::Foreign, "{text}");
    }
    for text in ["How much is a ticket to Zürich?", "capital france", "“quoted” — naïve café…", "5 € or 3 £?"]
    {
        assert_eq!(Digest::of(text).fitness, Fitness::English, "{text}");
    }
}

#[test]
fn what_cannot_be_matched_is_unfit() {
    for text in
        ["", " \n\t", "?!…", &" ".repeat(1 << 20), &"a".repeat(MAX_BYTES + 1), &"why not ".repeat(MAX_WORDS)]
    {
        assert!(!Digest::of(text).is_fit(), "{text:.20}");
    }
}

#[test]
fn a_question_of_twenty_words_is_small() {
    let text = "Please tell me, what's the best way to organise 25 family photos from 2019 on my old laptop without losing them?";
    assert!(Digest::of(text).bytes() < 500, "{}", Digest::of(text).bytes());
}

/// Texts made to be slow or large: all come to an end, and to something small.
#[test]
fn adversarial_texts_come_to_an_end() {
    for seed in [
        "\"",
        "`",
        "```",
        "“«„",
        "' ",
        "a'",
        "…",
        "1,",
        "1.",
        "-",
        "--",
        "a.",
        "A.b",
        "\u{200b}",
        "é",
        "𝐬",
        "é\u{301}",
        "how do i ",
        "what is the ",
        "best way to ",
        "two hundred ",
        "million ",
        "not ",
        "\u{202e}",
        "https://",
        "a@b.c ",
        "(((",
        "***",
        "١",
        "한",
        "漢",
        "🏳️‍🌈",
        "don't ",
    ] {
        for length in [MAX_BYTES - 8, 1 << 20] {
            let text = seed.repeat(length / seed.len());
            let digest = Digest::of(&text);
            assert!(digest.tokens.len() <= 2 * MAX_WORDS);
            assert!(digest.bytes() < 32 * 1024);
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_digested_the_same_twice(text in "\\PC{0,200}") {
        let digest = Digest::of(&text);
        prop_assert_eq!(&digest, &Digest::of(&text));
        prop_assert!(digest.tokens.len() <= 2 * MAX_WORDS);
    }

    /// Zero-width and look-alike characters never make a text equal to the plain one.
    #[test]
    fn tricks_never_match_the_plain_text(
        text in "[a-z]{3,8}( [a-z]{3,8}){2,6}",
        at in 1usize..3,
        trick in proptest::sample::select(&["\u{200b}", "\u{200d}", "\u{feff}", "\u{ad}", "\u{301}", "а", "ｅ", "𝐚", "\u{202e}"][..]),
    ) {
        let mut tricky = text.clone();
        tricky.insert_str(at, trick);
        let verdict = crate::cache::matcher::judge(&Digest::of(&text), &Digest::of(&tricky), Some(1.0));
        prop_assert!(!verdict.serves(0.0));
    }
}
