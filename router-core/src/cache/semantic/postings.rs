//! Which entries hold which word: finds the entries worth judging.
//!
//! Words are visited from the rarest to the most frequent, each adding its weight (the logarithm of how rare it is) to
//! the entries that hold it, until the visits are used up. An entry with the same content as the question holds its
//! rarest word, so it is found however frequent the other words are.

use smallvec::SmallVec;

use crate::cache::text::word::{Word, WordMap};

/// Entries visited by one lookup at most, over all words. At a nanosecond or two each this bounds a lookup to some 30 µs
/// whatever the scope holds.
const MOST_VISITS: usize = 16_384;

/// Place of an entry in its scope.
pub(super) type Slot = u32;

/// Lists of entries by word.
#[derive(Debug, Default)]
pub(super) struct Postings {
    lists: WordMap<SmallVec<[Slot; 4]>>,
    /// Places in all lists.
    places: usize,
}

impl Postings {
    /// Adds an entry under its words; a word that repeats counts once.
    pub(super) fn insert(&mut self, slot: Slot, words: &[Word]) {
        for word in distinct(words) {
            self.lists.entry(word).or_default().push(slot);
            self.places += 1;
        }
    }

    /// Removes an entry from the lists of its words.
    pub(super) fn remove(&mut self, slot: Slot, words: &[Word]) {
        for word in distinct(words) {
            let Some(list) = self.lists.get_mut(&word) else { continue };
            if let Some(at) = list.iter().position(|&s| s == slot) {
                list.swap_remove(at);
                self.places -= 1;
            }
            if list.is_empty() {
                self.lists.remove(&word);
            }
        }
    }

    /// The `most` entries that share most with these words, the best first. `slots` is how many places the scope has.
    pub(super) fn search(&self, words: &[Word], slots: usize, most: usize) -> Vec<Slot> {
        let mut lists: SmallVec<[&[Slot]; 32]> =
            distinct(words).filter_map(|word| self.lists.get(&word)).map(|list| &list[..]).collect();
        lists.sort_unstable_by_key(|list| list.len());
        let mut weights = vec![0u16; slots];
        let mut touched: Vec<Slot> = Vec::with_capacity(256);
        let mut visits = MOST_VISITS;
        for list in lists {
            if visits == 0 {
                break;
            }
            let weight = rarity(list.len(), slots);
            for &slot in &list[..list.len().min(visits)] {
                let Some(sum) = weights.get_mut(slot as usize) else { continue };
                if *sum == 0 {
                    touched.push(slot);
                }
                *sum = sum.saturating_add(weight);
            }
            visits = visits.saturating_sub(list.len());
        }
        best(touched, &weights, most)
    }

    /// About how many bytes the lists take.
    pub(super) fn bytes(&self) -> usize {
        // A list of up to four lives in its map entry; the map keeps about a third of its room free.
        self.lists.len() * (size_of::<(Word, SmallVec<[Slot; 4]>)>() + 1) * 3 / 2
            + self.places * size_of::<Slot>() * 3 / 2
    }
}

/// The `most` heaviest, in falling order of weight; equals in order of their slots.
fn best(mut touched: Vec<Slot>, weights: &[u16], most: usize) -> Vec<Slot> {
    let key = |slot: &Slot| (std::cmp::Reverse(weights[*slot as usize]), *slot);
    if touched.len() > most && most > 0 {
        touched.select_nth_unstable_by_key(most - 1, key);
        touched.truncate(most);
    }
    touched.sort_unstable_by_key(key);
    touched.truncate(most);
    touched
}

/// Weight of a word that so many of so many entries hold: 16 for every power of two, at least 1.
fn rarity(holders: usize, entries: usize) -> u16 {
    let ratio = (entries + 1) as f32 / holders.max(1) as f32;
    (16.0 * ratio.log2()).clamp(1.0, 400.0) as u16
}

/// The words without repetitions, in order of first occurrence.
fn distinct(words: &[Word]) -> impl Iterator<Item = Word> + '_ {
    words.iter().enumerate().filter(|(at, word)| !words[..*at].contains(word)).map(|(_, word)| *word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        text.split(' ').map(Word::of).collect()
    }

    #[test]
    fn entries_that_share_rarer_words_come_first() {
        let mut postings = Postings::default();
        postings.insert(0, &words("card payment declined"));
        postings.insert(1, &words("card payment pending"));
        postings.insert(2, &words("card lost"));
        postings.insert(3, &words("weather"));
        assert_eq!(postings.search(&words("declined card card"), 4, 3), [0, 1, 2]);
        assert_eq!(postings.search(&words("payment"), 4, 8), [0, 1]);
        assert!(postings.search(&words("nothing"), 4, 8).is_empty());
    }

    #[test]
    fn removal_leaves_nothing_behind() {
        let mut postings = Postings::default();
        postings.insert(7, &words("a b a"));
        postings.remove(7, &words("a b a"));
        assert_eq!((postings.places, postings.lists.len()), (0, 0));
        postings.remove(7, &words("a b"));
    }

    #[test]
    fn the_rarest_word_is_found_among_very_frequent_ones() {
        let mut postings = Postings::default();
        for slot in 0..50_000 {
            postings.insert(slot, &words("the same frequent words"));
        }
        postings.insert(50_000, &words("the same frequent words zebra"));
        assert_eq!(postings.search(&words("zebra the same frequent words"), 50_001, 4)[0], 50_000);
    }
}
