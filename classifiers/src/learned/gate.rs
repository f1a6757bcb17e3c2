//! Whether a prompt is like the training data.
//!
//! A model that was trained on one kind of prompt ranks another kind no better than chance, and cannot tell by itself. Five
//! kinds of evidence can, each compared with what the training rows themselves show when they are held out:
//!
//! - *words*: the mean log ratio of how often a word occurs in the training data and in a background of everyday requests,
//!   encyclopedic questions, examinations and competition problems (naive Bayes);
//! - *form*: the same ratio for binned counts of structure, so that a domain in which every prompt has four lettered options
//!   knows that a prompt without them is foreign;
//! - *novelty*: the share of words that the training data never showed;
//! - *distance*: the Mahalanobis distance of the structure from the training mean;
//! - *simplicity*: how much simpler the structural heuristic finds the prompt than the training data.
//!
//! Only the bad side counts: a prompt cannot be too familiar. The limit is set so that [`OWN_SHARE`] of held-out training
//! rows are outside.
//!
//! Training data is often of several kinds (lettered questions, free problems), and something between two kinds belongs to
//! neither. So the rows are first parted by structure, each part has its own evidence and limit, and a prompt is inside if
//! any part takes it.

pub mod background;
mod parting;
mod precision;

use background::Background;
pub(crate) use precision::Precision;

use super::features::{self, BINS, COUNTS, FAMILIAR_BUCKETS, STRUCTURE};
use super::ridge::moments;
use crate::heuristic::StructureScorer;
use crate::shuffle;
use crate::text::Shape;

/// Share of its own held-out rows that the gate turns away: below the 5 % that a domain can afford, with room for drift.
pub const OWN_SHARE: f64 = 0.035;

/// Kinds of evidence.
pub(crate) const KINDS: usize = 5;

/// A log ratio of 1 is 32 steps; ratios beyond ±3.9 count as that.
const STEPS: f32 = 32.0;

/// Marks a word bucket that no training row touched.
const UNSEEN: i8 = i8::MIN;

/// Words are added to both sums and means as if this many average ones had been read: a short prompt proves little.
const DAMPING: f32 = 3.0;

/// Rows of background that stand for a bucket before any training row is counted.
const PRIOR_ROWS: f32 = 3.0;

/// Parts for the held-out evidence that the limit is set on.
const FOLDS: usize = 4;

/// Parts of the training data at most.
pub(crate) const MAX_PARTS: usize = 3;

/// What the gate needs of one training row.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) words: Vec<u16>,
    pub(crate) form: Form,
}

/// What a prompt is made of, as the gate sees it.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) bins: [usize; COUNTS],
    pub(crate) structure: [f32; STRUCTURE],
    /// Sum of the structural heuristic's terms.
    pub(crate) heuristic: f32,
}

impl Form {
    /// Of a text that has been read.
    pub(crate) fn of(shape: &Shape) -> Self {
        Self {
            bins: features::bins(shape),
            structure: features::structure(shape),
            heuristic: StructureScorer::sum(shape),
        }
    }
}

/// Sums over the words of one prompt, for each part.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    words: u32,
    steps: [i32; LANES],
    unseen: [u32; LANES],
}

/// A word's steps for all parts lie side by side, so that a prompt's word costs one load.
const LANES: usize = MAX_PARTS.next_power_of_two();

/// The fitted gate.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    parts: Vec<Part>,
    lanes: Vec<[i8; LANES]>,
}

/// What one kind of training row looks like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) words: Vec<i8>,
    pub(crate) bins: Vec<i8>,
    pub(crate) precision: Precision,
    pub(crate) centre: [f32; KINDS],
    pub(crate) slack: [f32; KINDS],
    pub(crate) limit: f32,
}

impl Gate {
    /// A gate of 1 to [`MAX_PARTS`] parts.
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        let lane = |bucket: usize| {
            std::array::from_fn(|lane| {
                parts.get(lane).and_then(|part| part.words.get(bucket)).copied().unwrap_or(0)
            })
        };
        Self { lanes: (0..FAMILIAR_BUCKETS).map(lane).collect(), parts }
    }

    /// Its parts.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Adds a word, given as its bucket.
    #[inline]
    pub(crate) fn read(&self, reading: &mut Reading, bucket: usize) {
        reading.words += 1;
        for ((&step, steps), unseen) in
            self.lanes[bucket].iter().zip(&mut reading.steps).zip(&mut reading.unseen)
        {
            // A word that was never seen is no evidence but its novelty.
            *steps += if step == UNSEEN { 0 } else { i32::from(step) };
            *unseen += u32::from(step == UNSEEN);
        }
    }

    /// How unlike the training data a prompt is: up to 1 is inside, more is outside.
    pub(crate) fn unfamiliarity(&self, reading: &Reading, form: &Form) -> f32 {
        let of = |(lane, part): (usize, &Part)| {
            part.distance(&part.evidence(reading.words, reading.steps[lane], reading.unseen[lane], form))
                / part.limit
        };
        self.parts.iter().enumerate().map(of).fold(f32::INFINITY, f32::min)
    }

    /// Fits a gate to `rows` of `samples`.
    pub(crate) fn fit(samples: &[Sample], rows: &[usize], background: &Background) -> Self {
        let fit = |part: &Vec<usize>| Part::fit(samples, part, background);
        Self::new(parting::part(samples, rows).iter().map(fit).collect())
    }
}

impl Part {
    fn evidence(&self, words: u32, steps: i32, unseen: u32, form: &Form) -> [f32; KINDS] {
        let words = words as f32 + DAMPING;
        let bins: i32 = form.bins.iter().map(|&bin| i32::from(self.bins[bin])).sum();
        [
            steps as f32 / STEPS / words,
            bins as f32 / STEPS / COUNTS as f32,
            -(unseen as f32) / words,
            -self.precision.distance(&form.structure),
            form.heuristic,
        ]
    }

    fn distance(&self, evidence: &[f32; KINDS]) -> f32 {
        (0..KINDS)
            .map(|kind| ((evidence[kind] - self.centre[kind]) / self.slack[kind]).min(0.0).powi(2))
            .sum()
    }

    fn evidence_of(&self, sample: &Sample) -> [f32; KINDS] {
        let known = |&bucket: &u16| Some(self.words[usize::from(bucket)]).filter(|&step| step != UNSEEN);
        let steps = sample.words.iter().filter_map(known).map(i32::from).sum();
        let unseen = sample.words.len() - sample.words.iter().filter_map(known).count();
        self.evidence(sample.words.len() as u32, steps, unseen as u32, &sample.form)
    }

    /// `rows` come in random order; each fold of them is judged by a part that has not seen it.
    fn fit(samples: &[Sample], rows: &[usize], background: &Background) -> Self {
        let folds = shuffle::folds(rows, FOLDS);
        let mut held_out = Vec::with_capacity(rows.len());
        for (at, fold) in folds.iter().enumerate() {
            let rest: Vec<usize> = shuffle::all_but(&folds, at);
            let part = Self::raw(samples, &rest, background);
            held_out.extend(fold.iter().map(|&row| part.evidence_of(&samples[row])));
        }
        Self::raw(samples, rows, background).calibrated(&held_out)
    }

    /// A part whose limit is not set yet.
    fn raw(samples: &[Sample], rows: &[usize], background: &Background) -> Self {
        let structure: Vec<[f32; STRUCTURE]> = rows.iter().map(|&row| samples[row].form.structure).collect();
        let (mean, deviation) = moments(structure.iter());
        Self {
            words: word_ratios(samples, rows, background),
            bins: form_ratios(samples, rows, background),
            precision: Precision::fit(&structure, mean, deviation),
            centre: [0.0; KINDS],
            slack: [1.0; KINDS],
            limit: 1.0,
        }
    }

    fn calibrated(mut self, held_out: &[[f32; KINDS]]) -> Self {
        for kind in 0..KINDS {
            let mut values: Vec<f32> = held_out.iter().map(|evidence| evidence[kind]).collect();
            values.sort_by(f32::total_cmp);
            let centre = values.get(values.len() / 2).copied().unwrap_or(0.0);
            let below: f32 = values.iter().map(|value| (value - centre).min(0.0).powi(2)).sum();
            self.centre[kind] = centre;
            self.slack[kind] = (2.0 * below / values.len().max(1) as f32).sqrt() + 1e-3;
        }
        let mut distances: Vec<f32> = held_out.iter().map(|evidence| self.distance(evidence)).collect();
        distances.sort_by(f32::total_cmp);
        let at = (distances.len() as f64 * (1.0 - OWN_SHARE)) as usize;
        self.limit = distances.get(at).or(distances.last()).copied().unwrap_or(1.0).max(1e-3);
        self
    }
}

fn word_ratios(samples: &[Sample], rows: &[usize], background: &Background) -> Vec<i8> {
    let mut seen_by = vec![usize::MAX; FAMILIAR_BUCKETS];
    let mut counts = vec![0u32; FAMILIAR_BUCKETS];
    for &row in rows {
        for &word in &samples[row].words {
            let word = usize::from(word);
            if seen_by[word] != row {
                seen_by[word] = row;
                counts[word] += 1;
            }
        }
    }
    let ratio = |(bucket, &count): (usize, &u32)| {
        if count == 0 { UNSEEN } else { log_ratio(count, rows.len(), background.word(bucket)) }
    };
    counts.iter().enumerate().map(ratio).collect()
}

fn form_ratios(samples: &[Sample], rows: &[usize], background: &Background) -> Vec<i8> {
    let mut counts = vec![0u32; COUNTS * BINS];
    for &row in rows {
        samples[row].form.bins.iter().for_each(|&bin| counts[bin] += 1);
    }
    counts.iter().enumerate().map(|(bin, &count)| log_ratio(count, rows.len(), background.bin(bin))).collect()
}

/// ln(share in training / share in the background), in steps; the training share starts from [`PRIOR_ROWS`] of background.
fn log_ratio(count: u32, rows: usize, background: f32) -> i8 {
    let share = (count as f32 + PRIOR_ROWS * background) / (rows as f32 + PRIOR_ROWS);
    ((share / background).ln() * STEPS).round().clamp(-125.0, 125.0) as i8
}

#[cfg(test)]
mod tests;
