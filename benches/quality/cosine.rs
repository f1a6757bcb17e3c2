//! What a cache that goes by cosine alone would serve: the figures to compare with.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use router_classifiers::embed::{Embedder, ModelFiles, SentenceModel};
use router_core::cache::evaluate::Row;
use router_core::cache::semantic::Vector;
use serde_json::{Value, json};

/// Judges the pairs of a file by whether their cosine reaches a threshold, in the terms of `eval cache`.
pub(crate) fn measure(data: &Path, models: &Path, threshold: f32) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(data).with_context(|| data.display().to_string())?;
    let mut model = SentenceModel::load(&ModelFiles::find(models, |name| std::env::var_os(name))?)?;
    let mut vectors: HashMap<String, Option<Vector>> = HashMap::new();
    let (mut n, mut served, mut right) = (0u64, 0u64, 0u64);
    for line in text.lines() {
        let row: Row = serde_json::from_str(line).with_context(|| data.display().to_string())?;
        for text in [&row.a, &row.b] {
            if !vectors.contains_key(text) {
                let vector = model.embed(text).ok().and_then(|vector| Vector::try_new(&vector).ok());
                vectors.insert(text.clone(), vector);
            }
        }
        let vector = |text| vectors.get(text).and_then(Option::as_ref);
        let cosine = vector(&row.a).zip(vector(&row.b)).and_then(|(a, b)| a.cosine(b));
        let hit = cosine.is_some_and(|cosine| cosine >= threshold);
        n += 1;
        served += u64::from(hit);
        right += u64::from(hit && row.label != 0);
    }
    let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
    Ok(json!({
        "n": n,
        "served": served,
        "true_hits": right,
        "false_hits": served - right,
        "hit_rate": share(served, n),
        "precision": share(right, served),
    }))
}
