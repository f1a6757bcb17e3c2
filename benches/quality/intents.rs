//! Near-identical intents: who would get somebody else's answer?
//!
//! Every text is compared with every text of another intent. It counts if the one that scores best would be served,
//! which is the same as any being served. Some pairs are one question under two labels; they count like the others.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Context;
use router_classifiers::embed::{Embedder, ModelFiles, SentenceModel};
use router_core::cache::digest::Digest;
use router_core::cache::matcher::{Kind, judge};
use router_core::cache::semantic::Vector;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Row {
    text: String,
    intent: String,
}

struct Texts {
    rows: Vec<Row>,
    digests: Vec<Digest>,
    /// One a text, or none at all.
    vectors: Vec<Option<Vector>>,
}

/// The share of texts in a file that would get another intent's answer.
pub(crate) fn measure(data: &Path, models: Option<&Path>, list: bool) -> anyhow::Result<Value> {
    let texts = Texts::read(data, models)?;
    let served: Vec<AtomicBool> = texts.rows.iter().map(|_| AtomicBool::new(false)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let one = next.fetch_add(1, Ordering::Relaxed);
                    if one >= served.len() {
                        return;
                    }
                    texts.compare(one, &served, list);
                }
            });
        }
    });
    let count = served.iter().filter(|served| served.load(Ordering::Relaxed)).count();
    Ok(json!({"n": served.len(), "served": count, "share": count as f64 / served.len() as f64}))
}

impl Texts {
    fn read(data: &Path, models: Option<&Path>) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(data).with_context(|| data.display().to_string())?;
        let rows: Vec<Row> = text
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .with_context(|| data.display().to_string())?;
        let digests = rows.iter().map(|row| Digest::of(&row.text)).collect();
        let vectors = match models {
            None => Vec::new(),
            Some(folder) => {
                let mut model =
                    SentenceModel::load(&ModelFiles::find(folder, |name| std::env::var_os(name))?)?;
                let mut vector = |row: &Row| Vector::try_new(&model.embed(&row.text).ok()?).ok();
                rows.iter().map(&mut vector).collect()
            }
        };
        Ok(Self { rows, digests, vectors })
    }

    /// Compares one text with all before it, and marks both of each pair that would be served.
    fn compare(&self, one: usize, served: &[AtomicBool], list: bool) {
        for other in 0..one {
            if self.rows[one].intent != self.rows[other].intent && self.would_serve(one, other) {
                served[one].store(true, Ordering::Relaxed);
                served[other].store(true, Ordering::Relaxed);
                if list {
                    eprintln!("{}", json!([self.rows[one].text, self.rows[other].text]));
                }
            }
        }
    }

    fn would_serve(&self, one: usize, other: usize) -> bool {
        let judged = |cosine| judge(&self.digests[one], &self.digests[other], cosine);
        if self.vectors.is_empty() {
            return judged(None).serves(Kind::BuiltIn.shipped_threshold());
        }
        let (Some(a), Some(b)) = (&self.vectors[one], &self.vectors[other]) else { return false };
        // Far apart, no verdict comes near the threshold, and most pairs are.
        let cosine = a.cosine(b).filter(|&cosine| cosine > 0.7);
        cosine.is_some() && judged(cosine).serves(Kind::Embedded.shipped_threshold())
    }
}
