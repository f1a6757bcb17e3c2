use super::*;
use crate::learned::LearnedScorer;
use crate::synthetic;
use router_core::score::Prompt;

#[test]
fn the_same_rows_give_the_same_bytes() {
    let rows = synthetic::rows(300, 1, 0);
    let bytes = fit(&rows, &Options::default()).unwrap().to_bytes();
    assert_eq!(bytes, fit(&rows, &Options::default()).unwrap().to_bytes());
    let loaded = Artifact::load(&bytes).unwrap();
    assert_eq!(loaded, fit(&rows, &Options::default()).unwrap(), "checksum included");
    let mut other = rows;
    other[7].prompt += " more";
    let changed = fit(&other, &Options::default()).unwrap();
    assert_ne!(changed.provenance().data, loaded.provenance().data);
}

#[test]
fn complexity_is_a_rank_above_the_simple_share() {
    let rows = synthetic::rows(800, 1, 0);
    let scorer = |simple_share| {
        LearnedScorer::new(fit(&rows, &Options { simple_share, ..Options::default() }).unwrap())
    };
    let fresh = synthetic::rows(400, 1, 1);
    let mean = |scorer: &LearnedScorer| {
        let of = |row: &Row| scorer.predict(&Prompt::of_question(&row.prompt)).complexity;
        fresh.iter().map(of).sum::<f32>() / fresh.len() as f32
    };
    assert!((mean(&scorer(0.0)) - 0.5).abs() < 0.05);
    let shifted = scorer(0.4);
    assert!((mean(&shifted) - 0.7).abs() < 0.05);
    assert!(fresh.iter().all(|row| shifted.predict(&Prompt::of_question(&row.prompt)).complexity >= 0.4));
}

#[test]
fn confidence_is_the_share_of_choices_that_hold() {
    let rows = synthetic::rows(3000, 1, 0);
    let scorer = LearnedScorer::new(fit(&rows, &Options::default()).unwrap());
    let fresh = synthetic::rows(2000, 1, 1);
    let (mut claimed, mut held) = (0.0, 0.0);
    for row in &fresh {
        let said = scorer.predict(&Prompt::of_question(&row.prompt));
        let gain = row.gain().unwrap();
        claimed += f64::from(said.confidence);
        held += f64::from(u8::from(if said.complexity > 0.4 { gain >= 0.0 } else { gain <= 0.0 }));
    }
    let n = fresh.len() as f64;
    assert!((claimed / n - held / n).abs() < 0.03, "claimed {} held {}", claimed / n, held / n);
}

#[test]
fn assumed_rows_teach_order_and_stay_out_of_the_probabilities() {
    let mut rows = synthetic::rows(600, 1, 0);
    let assumed = |row: Row| Row {
        strong_score: Some(1.0),
        weak_score: Some(0.0),
        assumed: true,
        id: format!("x{}", row.id),
        ..row
    };
    rows.extend(synthetic::rows(200, 3, 0).into_iter().map(assumed));
    let artifact = fit(&rows, &Options::default()).unwrap();
    assert_eq!((artifact.provenance().rows, artifact.provenance().assumed), (800, 200));
    let highest = artifact.gain.knots().last().unwrap().1;
    assert!(highest < 0.9, "no observed row gains 1: {highest}");
    let scorer = LearnedScorer::new(artifact);
    let of = |row: &Row| scorer.predict(&Prompt::of_question(&row.prompt)).complexity;
    let mean = |rows: &[Row]| rows.iter().map(of).sum::<f32>() / rows.len() as f32;
    assert!(mean(&synthetic::rows(200, 3, 5)) > mean(&synthetic::rows(200, 1, 5)) + 0.2);
}

#[test]
fn one_sided_outcomes_of_one_model_are_refused() {
    let mut rows = synthetic::rows(50, 1, 0);
    rows.iter_mut().for_each(|row| row.strong_score = None);
    assert_eq!(fit(&rows, &Options::default()), Err(TrainError::OneSided("strong")));
    assert_eq!(fit(&rows[..3], &Options::default()), Err(TrainError::TooFew { rows: 3 }));
}

#[test]
fn rows_without_spread_can_be_fitted() {
    let mut rows = synthetic::rows(40, 1, 0);
    rows.iter_mut().for_each(|row| (row.weak_score, row.strong_score) = (Some(1.0), Some(1.0)));
    let scorer = LearnedScorer::new(fit(&rows, &Options::default()).unwrap());
    let said = scorer.predict(&Prompt::of_question(&rows[0].prompt));
    assert_eq!(said.gain, 0.0);
    assert!((said.complexity - 0.5).abs() < 1e-3);
}
