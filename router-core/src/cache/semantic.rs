//! The near-hit index of one scope: every entry whose question may be answered for another one.
//!
//! A scope is what must be equal before meaning is looked at (tenant, model, earlier turns, …); scopes share nothing,
//! so an answer cannot leave its own. A lookup finds entries with words in common through postings lists, adds the
//! nearest by embedding where the scope is small enough to look at all of them, judges the most promising, and returns
//! the best with its verdict. It changes nothing and takes no longer in a scope of 50,000 entries than the visits it
//! is allowed; whether to serve is for the caller, who knows the threshold.
//!
//! The index holds no answers' bytes itself: an entry carries a value (a key, an `Arc`) and what it weighs.

mod postings;
mod vectors;

use std::time::Instant;

use smallvec::SmallVec;

pub use vectors::{BadVector, Vector};

use super::bound::Trust;
use super::digest::Digest;
use super::guard::{Guard, Vetoes};
use super::matcher::{Verdict, judge};
use super::text::word::{Word, WordMap};
use postings::{Postings, Slot};

/// Candidates judged by one lookup. Real paraphrases rank first or second by shared words; the rest is room for
/// questions in a narrow domain. At 1-2 µs each this is most of what a lookup takes.
const MOST_JUDGED: usize = 24;

/// Candidates by shared words whose cosine is taken, before the best of them are judged.
const MOST_COMPARED: usize = 192;

/// A candidate that shares a third of the words or less is about something else: that a guard objects, too, is no news.
const LEAST_OVERLAP: f32 = 1.0 / 3.0;

/// Scopes up to this size are searched by embedding whole, so that a paraphrase without a word in common is found.
/// 1,024 dot products take about 60 µs.
const SMALL_SCOPE: usize = 1024;

/// Names one entry of one index, for as long as it lives. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    slot: Slot,
    birth: u32,
}

/// What is stored.
#[derive(Clone, Debug)]
pub struct Entry<V> {
    /// The question.
    pub digest: Digest,
    /// Its embedding, where there is an embedder.
    pub vector: Option<Vector>,
    /// The answer, or where to find it.
    pub value: V,
    /// Bytes that the value keeps in memory.
    pub value_bytes: usize,
    /// From when on the entry is no candidate.
    pub expires_at: Instant,
}

#[derive(Debug)]
struct Stored<V> {
    entry: Entry<V>,
    birth: u32,
    trust: Trust,
    /// Served since the eviction hand last passed.
    used: bool,
}

/// An entry that a lookup found.
#[derive(Debug)]
pub struct Found<'i, V> {
    /// Its name.
    pub id: EntryId,
    /// Its value.
    pub value: &'i V,
    /// How it compares.
    pub verdict: Verdict,
    /// What labels have said about it; ask [`Trust::vetoes`] before serving.
    pub trust: Trust,
}

/// What a lookup came to.
#[derive(Debug)]
pub struct Lookup<'i, V> {
    /// The best candidate that no guard refused: a hit if its score reaches the threshold, else a near miss.
    pub best: Option<Found<'i, V>>,
    /// Of the candidates that a guard refused, the one with most words in common, if they share more than a third.
    pub refused: Option<Verdict>,
    /// Candidates judged.
    pub judged: usize,
}

/// The near-hit index of one scope.
#[derive(Debug)]
pub struct SemanticIndex<V> {
    slots: Vec<Option<Stored<V>>>,
    free: Vec<Slot>,
    postings: Postings,
    wordings: WordMap<Slot>,
    entry_bytes: usize,
    births: u32,
    hand: usize,
}

impl<V> Default for SemanticIndex<V> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            postings: Postings::default(),
            wordings: WordMap::default(),
            entry_bytes: 0,
            births: 0,
            hand: 0,
        }
    }
}

impl<V> SemanticIndex<V> {
    /// Entries, expired ones included until [`sweep`](Self::sweep) or eviction takes them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is no entry: then a question need not even be embedded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes the index and the values take, for bounding the whole cache.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Option<Stored<V>>>()
            + self.entry_bytes
            + self.postings.bytes()
            + self.wordings.capacity() * (size_of::<(Word, Slot)>() + 1)
    }

    /// Stores an entry. One of the same wording is replaced. A question that cannot be matched by meaning
    /// ([`Digest::is_fit`]) is not stored, and neither is one beyond 2³² entries.
    pub fn insert(&mut self, entry: Entry<V>) -> Option<EntryId> {
        if !entry.digest.is_fit() {
            return None;
        }
        if let Some(&slot) = self.wordings.get(&entry.digest.wording) {
            self.take(slot);
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = Slot::try_from(self.slots.len()).ok()?;
                self.slots.push(None);
                slot
            }
        };
        self.births = self.births.wrapping_add(1);
        self.entry_bytes += weight(&entry);
        self.postings.insert(slot, &words(&entry.digest));
        self.wordings.insert(entry.digest.wording, slot);
        let stored = Stored { entry, birth: self.births, trust: Trust::default(), used: false };
        self.slots[slot as usize] = Some(stored);
        Some(EntryId { slot, birth: self.births })
    }

    /// The best entry for a question, and what stood in the way of a better one. With a vector the embedded matcher
    /// judges, and entries without one of the same dimensions are passed over.
    #[must_use]
    pub fn lookup(&self, question: &Digest, vector: Option<&Vector>, now: Instant) -> Lookup<'_, V> {
        let mut lookup = Lookup { best: None, refused: None, judged: 0 };
        if self.is_empty() || !question.is_fit() {
            return lookup;
        }
        for (slot, cosine) in self.candidates(question, vector) {
            let Some(stored) = self.slots.get(slot as usize).and_then(Option::as_ref) else { continue };
            if stored.entry.expires_at <= now {
                continue;
            }
            let verdict = judge(&stored.entry.digest, question, cosine);
            lookup.judged += 1;
            if verdict.vetoes.is_empty() {
                if lookup.best.as_ref().is_none_or(|best| verdict.score > best.verdict.score) {
                    let id = EntryId { slot, birth: stored.birth };
                    lookup.best =
                        Some(Found { id, value: &stored.entry.value, verdict, trust: stored.trust });
                }
            } else if verdict.overlap > lookup.refused.map_or(LEAST_OVERLAP, |refused| refused.overlap) {
                lookup.refused = Some(verdict);
            }
        }
        lookup
    }

    /// The entries worth judging, with their cosines.
    fn candidates(
        &self,
        question: &Digest,
        vector: Option<&Vector>,
    ) -> SmallVec<[(Slot, Option<f32>); MOST_JUDGED]> {
        // The same wording needs no second opinion.
        if let Some(&slot) = self.wordings.get(&question.wording) {
            return SmallVec::from_slice(&[(slot, None)]);
        }
        let words = words(question);
        let Some(vector) = vector else {
            let found = self.postings.search(&words, self.slots.len(), MOST_JUDGED);
            return found.into_iter().map(|slot| (slot, None)).collect();
        };
        let near = if self.slots.len() <= SMALL_SCOPE {
            (0..self.slots.len() as Slot).collect()
        } else {
            self.postings.search(&words, self.slots.len(), MOST_COMPARED)
        };
        let cosine = |slot: Slot| {
            let stored = self.slots.get(slot as usize)?.as_ref()?;
            Some((slot, Some(stored.entry.vector.as_ref()?.cosine(vector)?)))
        };
        let mut compared: Vec<(Slot, Option<f32>)> = near.into_iter().filter_map(cosine).collect();
        let nearest = |x: &(Slot, Option<f32>), y: &(Slot, Option<f32>)| {
            y.1.unwrap_or(-1.0).total_cmp(&x.1.unwrap_or(-1.0)).then(x.0.cmp(&y.0))
        };
        if compared.len() > MOST_JUDGED {
            compared.select_nth_unstable_by(MOST_JUDGED - 1, nearest);
            compared.truncate(MOST_JUDGED);
        }
        SmallVec::from_vec(compared)
    }

    /// Notes that an entry was served, which keeps it from being evicted for a while.
    pub fn touch(&mut self, id: EntryId) {
        if let Some(stored) = self.stored_mut(id) {
            stored.used = true;
        }
    }

    /// Notes what a label said about an entry.
    pub fn observe(&mut self, id: EntryId, wrong: bool) {
        if let Some(stored) = self.stored_mut(id) {
            stored.trust.observe(wrong);
        }
    }

    /// Removes an entry.
    pub fn remove(&mut self, id: EntryId) -> Option<Entry<V>> {
        self.stored_mut(id)?;
        self.take(id.slot)
    }

    /// Evicts one entry, of those not served lately the one next in turn (second chance). `None` if there is none.
    pub fn evict(&mut self) -> Option<Entry<V>> {
        // After one round every entry has lost its second chance.
        for _ in 0..self.slots.len().checked_mul(2)? {
            let slot = self.hand % self.slots.len();
            self.hand = slot + 1;
            match self.slots[slot].as_mut() {
                Some(stored) if stored.used => stored.used = false,
                Some(_) => return self.take(slot as Slot),
                None => {}
            }
        }
        None
    }

    /// Removes up to `most` entries that have expired; how many it removed. Looks at every entry: not for a request's
    /// path.
    pub fn sweep(&mut self, now: Instant, most: usize) -> usize {
        self.retain(most, |entry| entry.expires_at > now)
    }

    /// Removes up to `most` entries for which `keep` is false, as for a purge; how many it removed.
    pub fn retain(&mut self, most: usize, mut keep: impl FnMut(&Entry<V>) -> bool) -> usize {
        let doomed: Vec<Slot> = (0..self.slots.len() as Slot)
            .filter(|&slot| self.slots[slot as usize].as_ref().is_some_and(|stored| !keep(&stored.entry)))
            .take(most)
            .collect();
        doomed.into_iter().filter_map(|slot| self.take(slot)).count()
    }

    fn stored_mut(&mut self, id: EntryId) -> Option<&mut Stored<V>> {
        self.slots.get_mut(id.slot as usize)?.as_mut().filter(|stored| stored.birth == id.birth)
    }

    fn take(&mut self, slot: Slot) -> Option<Entry<V>> {
        let stored = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        self.entry_bytes -= weight(&stored.entry);
        self.postings.remove(slot, &words(&stored.entry.digest));
        if self.wordings.get(&stored.entry.digest.wording) == Some(&slot) {
            self.wordings.remove(&stored.entry.digest.wording);
        }
        Some(stored.entry)
    }
}

impl<V> Lookup<'_, V> {
    /// The guards that kept the best refused candidate from being a hit, for metrics and receipts.
    pub fn guards(&self) -> impl Iterator<Item = Guard> {
        self.refused.map_or(Vetoes::NONE, |refused| refused.vetoes).iter()
    }
}

/// What a question is filed under: its words, and units without their numbers, so that "5 miles" meets "6 miles" and is
/// refused rather than overlooked.
fn words(digest: &Digest) -> SmallVec<[Word; 32]> {
    let units = digest.quantities.iter().map(|quantity| quantity.unit).filter(|unit| !unit.is_none());
    digest.tokens.iter().map(|token| token.word).chain(units).collect()
}

/// Bytes on the heap for one entry.
fn weight<V>(entry: &Entry<V>) -> usize {
    // Three boxed slices and a vector: 16 bytes of allocator overhead each.
    entry.digest.bytes() - size_of::<Digest>()
        + entry.vector.as_ref().map_or(0, Vector::bytes)
        + entry.value_bytes
        + 64
}

#[cfg(test)]
mod tests;
