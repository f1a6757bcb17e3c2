//! What a caller sees: the served complexity, gate included, on prompts of known kinds.

use router_core::score::{Prompt, Scorer};

use super::ranks;

/// Upper ends of the default bands internal and hybrid.
const BANDS: [f32; 2] = [0.4, 0.8];

/// The served complexity of each prompt.
#[must_use]
pub fn complexities(scorer: &dyn Scorer, prompts: &[String]) -> Vec<f32> {
    prompts.iter().map(|prompt| scorer.score(&Prompt::of_question(prompt)).complexity()).collect()
}

/// Share of scores in the internal band. None without scores.
#[must_use]
pub fn internal_share(complexities: &[f32]) -> Option<f64> {
    let internal = complexities.iter().filter(|&&complexity| band(complexity) == 0).count();
    if complexities.is_empty() { None } else { Some(internal as f64 / complexities.len() as f64) }
}

/// Probability that a hard prompt scores above an everyday one.
#[must_use]
pub fn separation(everyday: &[f32], hard: &[f32]) -> Option<f64> {
    let rows =
        |scores: &[f32], hard: bool| scores.iter().map(move |&score| (score, hard)).collect::<Vec<_>>();
    ranks::auc(&[rows(everyday, false), rows(hard, true)].concat())
}

/// A name, and what is done to the prompt.
pub type Edit = (&'static str, fn(&str) -> String);

/// Edits that do not change the task.
pub const EDITS: [Edit; 8] = [
    ("upper case", |prompt| prompt.to_uppercase()),
    ("lower case", |prompt| prompt.to_lowercase()),
    ("\"Hello!\" before", |prompt| format!("Hello! {prompt}")),
    ("\"Good morning,\" before", |prompt| format!("Good morning,\n\n{prompt}")),
    ("\"please\" before", |prompt| format!("please {prompt}")),
    ("\"please\" after", |prompt| format!("{prompt} please")),
    ("\"Thanks in advance!\" after", |prompt| format!("{prompt} Thanks in advance!")),
    ("trailing spaces", |prompt| format!("{prompt}   ")),
];

/// Share of prompts whose band an edit changes. None without prompts.
#[must_use]
pub fn changed_share(scorer: &dyn Scorer, prompts: &[String], edit: fn(&str) -> String) -> Option<f64> {
    let edited: Vec<String> = prompts.iter().map(|prompt| edit(prompt)).collect();
    let pairs = complexities(scorer, prompts).into_iter().zip(complexities(scorer, &edited));
    let changed = pairs.filter(|(before, after)| band(*before) != band(*after)).count();
    if prompts.is_empty() { None } else { Some(changed as f64 / prompts.len() as f64) }
}

fn band(complexity: f32) -> usize {
    BANDS.iter().filter(|&&end| complexity > end).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heuristic::StructureScorer;

    #[test]
    fn shares_and_separation_of_plain_cases() {
        let strings =
            |prompts: &[&str]| prompts.iter().map(|prompt| (*prompt).to_owned()).collect::<Vec<_>>();
        let everyday = strings(&["what time is it in Lima", "play something quiet"]);
        let hard = strings(&[
            "Prove that $\\sqrt{2}$ is irrational.",
            "Implement a lock-free queue in Rust without unsafe.",
        ]);
        let scorer = StructureScorer;
        let (low, high) = (complexities(&scorer, &everyday), complexities(&scorer, &hard));
        assert_eq!((internal_share(&low), internal_share(&high)), (Some(1.0), Some(0.0)));
        assert_eq!(separation(&low, &high), Some(1.0));
        assert_eq!(internal_share(&[]), None);
        for (name, edit) in EDITS {
            assert_eq!(
                changed_share(&scorer, &[everyday.clone(), hard.clone()].concat(), edit),
                Some(0.0),
                "{name}"
            );
        }
        assert_eq!(changed_share(&scorer, &everyday, |_| "Prove it by induction on $n$.".into()), Some(1.0));
    }
}
