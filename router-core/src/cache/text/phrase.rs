//! Phrases that are rewritten before anything else looks at the words.
//!
//! A rule is a row of groups, a group a choice between word sequences. Matching walks the groups and keeps the longest
//! way through; rules are found by their first word, so that a text pays only for phrases it might begin. Rules are
//! not applied to their own output.

use smallvec::SmallVec;

use super::lexicon::{Facts, Lexicon, lines};
use super::role::{Ask, Role};
use super::word::{Word, WordMap};

/// One alternative of a group.
type Sequence = SmallVec<[Word; 4]>;

/// A rewriting rule.
#[derive(Debug)]
pub struct Rule {
    groups: Vec<Vec<Sequence>>,
    /// What stands in the phrase's place.
    pub replacement: SmallVec<[Facts; 3]>,
}

/// The rules, by the words they may begin with.
#[derive(Debug, Default)]
pub struct Phrases {
    rules: Vec<Rule>,
    by_first: WordMap<SmallVec<[u16; 4]>>,
}

impl Phrases {
    /// The rule with the longest match at the front of `words`, and how many words it takes.
    #[must_use]
    pub fn longest(&self, words: &[Word]) -> Option<(&Rule, usize)> {
        let candidates = self.by_first.get(words.first()?)?;
        candidates
            .iter()
            .filter_map(|&at| {
                let rule = self.rules.get(usize::from(at))?;
                longest(&rule.groups, words).filter(|length| *length > 0).map(|length| (rule, length))
            })
            // The earlier rule wins a tie.
            .reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    /// Compiles lines of `pattern => replacement`.
    pub(super) fn compile(list: &'static str, lexicon: &Lexicon) -> Self {
        let mut phrases = Self::default();
        for line in lines(list) {
            let Some((pattern, replacement)) = line.split_once("=>") else { continue };
            let groups = groups(pattern, lexicon);
            let replacement = replacement.split_whitespace().map(|word| resolve(word, lexicon)).collect();
            let at = u16::try_from(phrases.rules.len()).unwrap_or(u16::MAX);
            for first in firsts(&groups) {
                let rules = phrases.by_first.entry(first).or_default();
                if rules.last() != Some(&at) {
                    rules.push(at);
                }
            }
            phrases.rules.push(Rule { groups, replacement });
        }
        phrases
    }
}

/// The longest way through the groups, in words.
fn longest(groups: &[Vec<Sequence>], words: &[Word]) -> Option<usize> {
    let Some((group, rest)) = groups.split_first() else { return Some(0) };
    group
        .iter()
        .filter(|choice| words.starts_with(choice))
        .filter_map(|choice| longest(rest, &words[choice.len()..]).map(|length| length + choice.len()))
        .max()
}

/// Every word a match can begin with.
fn firsts(groups: &[Vec<Sequence>]) -> Vec<Word> {
    let mut found = Vec::new();
    for group in groups {
        found.extend(group.iter().filter_map(|choice| choice.first().copied()));
        if group.iter().all(|choice| !choice.is_empty()) {
            break;
        }
    }
    found
}

fn groups(pattern: &str, lexicon: &Lexicon) -> Vec<Vec<Sequence>> {
    let mut groups = Vec::new();
    let mut rest = pattern.trim();
    while !rest.is_empty() {
        let (choices, after) = match rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            Some(split) => split,
            None => rest.split_at(rest.find([' ', '(']).unwrap_or(rest.len())),
        };
        groups.push(choices.split('|').map(|choice| sequence(choice, lexicon)).collect());
        rest = after.trim_start();
    }
    groups
}

fn sequence(words: &str, lexicon: &Lexicon) -> Sequence {
    words.split_whitespace().map(|word| lexicon.facts(word, &mut String::new()).word).collect()
}

fn resolve(word: &str, lexicon: &Lexicon) -> Facts {
    match word.strip_prefix('@').and_then(Ask::named) {
        Some(ask) => Facts { role: Role::Ask(ask), ..Facts::content(Word::of(word)) },
        None => lexicon.facts(word, &mut String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::text::lexicon::english;

    fn longest_of(text: &str) -> Option<usize> {
        let words: Vec<Word> =
            text.split(' ').map(|word| english().facts(word, &mut String::new()).word).collect();
        english().phrases().longest(&words).map(|(_, length)| length)
    }

    #[test]
    fn the_longest_phrase_wins() {
        assert_eq!(longest_of("how do i cook rice"), Some(3));
        assert_eq!(longest_of("what is the best way to cook rice"), Some(6));
        assert_eq!(longest_of("what is rice"), None);
        assert_eq!(longest_of("new york city hall"), Some(3));
        assert_eq!(longest_of("getting rid of mold"), Some(3));
        assert_eq!(longest_of(""), None);
    }

    #[test]
    fn every_rule_can_match_and_names_known_asks() {
        for line in lines(include_str!("words/phrases.txt")) {
            let (pattern, replacement) = line.split_once("=>").unwrap();
            assert_eq!(pattern.matches('(').count(), pattern.matches(')').count(), "{line}");
            for ask in replacement.split_whitespace().filter_map(|word| word.strip_prefix('@')) {
                assert!(Ask::named(ask).is_some(), "{line}");
            }
            let groups = groups(pattern, english());
            assert!(
                groups.iter().any(|group| group.iter().all(|choice| !choice.is_empty())),
                "matches nothing: {line}"
            );
        }
    }
}
