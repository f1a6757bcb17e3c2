use super::*;
use crate::learned::artifact::Artifact;
use crate::learned::train;
use crate::synthetic;

fn silent() -> impl FnMut(usize, usize) {
    |_, _| {}
}

fn evaluated(data: &[Row], train: Option<&[Row]>, split: Split) -> Report {
    run(data, train, split, &mut silent()).unwrap().0
}

#[test]
fn folds_find_what_can_be_learned() {
    let data = synthetic::rows(1500, 1, 0);
    let mut steps = Vec::new();
    let (report, curves) =
        run(&data, None, Split::Folds(5), &mut |done, total| steps.push((done, total))).unwrap();
    assert_eq!(report.n, 1500);
    assert!(report.apgr.unwrap() > 0.72, "{report:?}");
    assert!(report.oracle_apgr.unwrap() > report.apgr.unwrap());
    assert!((report.length_apgr.unwrap() - 0.5).abs() < 0.05, "length says nothing here");
    assert!(report.calibration_error.unwrap() < 0.08);
    assert!(report.gated_share.unwrap() < 0.08);
    assert!(report.cpt50.unwrap() < report.cpt80.unwrap());
    assert_eq!(curves.scorer.unwrap().recovered().len(), 101);
    assert_eq!((steps.first(), steps.last()), (Some(&(0, 5)), Some(&(5, 5))));
}

#[test]
fn few_labels_report_a_spread() {
    let data = synthetic::rows(900, 1, 0);
    let report = evaluated(&data, None, Split::Labels { labels: 300, seeds: 3 });
    assert!(report.apgr.unwrap() > 0.6 && report.apgr_sd.unwrap() > 0.0);
    assert_eq!(report, evaluated(&data, None, Split::Labels { labels: 300, seeds: 3 }), "deterministic");
}

#[test]
fn the_gate_closes_on_another_era() {
    let (data, train) = (synthetic::rows(600, 2, 0), synthetic::rows(1200, 1, 0));
    let report = evaluated(&data, Some(&train), Split::Whole);
    assert!((report.apgr.unwrap() - 0.5).abs() < 0.06, "nothing transfers: {report:?}");
    assert!(report.gated_share.unwrap() > 0.9, "{report:?}");
    assert!(report.gated_accuracy.unwrap() > 0.98 * report.strong_accuracy);
}

#[test]
fn shipped_weights_score_without_training() {
    let report = evaluated(&synthetic::rows(100, 1, 0), None, Split::Whole);
    assert_eq!(report.n, 100);
    assert!(report.gated_share.unwrap() > 0.9, "made-up words are foreign to them");
}

#[test]
fn equal_models_leave_the_curves_undefined() {
    let mut data = synthetic::rows(60, 1, 0);
    data.iter_mut().for_each(|row| row.strong_score = row.weak_score);
    let report = evaluated(&data, None, Split::Folds(3));
    assert_eq!((report.apgr, report.cpt50, report.oracle_apgr, report.length_apgr), (None, None, None, None));
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["apgr"].is_null() && json.get("apgr_sd").is_none());
}

#[test]
fn the_report_has_the_published_names() {
    let report = evaluated(&synthetic::rows(200, 1, 0), None, Split::Labels { labels: 100, seeds: 2 });
    let json = serde_json::to_value(&report).unwrap();
    let mut names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "apgr",
            "apgr_sd",
            "calibration_error",
            "cpt50",
            "cpt80",
            "gated_accuracy",
            "gated_share",
            "length_apgr",
            "n",
            "oracle_apgr",
            "strong_accuracy",
            "weak_accuracy"
        ]
    );
}

#[test]
fn impossible_splits_are_refused() {
    let data = synthetic::rows(10, 1, 0);
    let refused = |split| run(&data, None, split, &mut silent()).unwrap_err().to_string();
    assert_eq!(refused(Split::Folds(11)), "10 rows cannot be split into 11 folds: 2 to 10 are possible");
    assert!(refused(Split::Folds(1)).contains("2 to 10"));
    assert!(refused(Split::Labels { labels: 10, seeds: 1 }).contains("fewer labels than rows"));
    assert!(refused(Split::Labels { labels: 5, seeds: 0 }).contains("at least 1 seed"));
    let few = run(&data, Some(&data[..2]), Split::Whole, &mut silent()).unwrap_err();
    assert_eq!(few.to_string(), "2 rows are too few to train on: at least 4 are needed");
}

/// A year of service in one test: traffic drifts to new topics, the old weights are at a loss and know it, outcomes are
/// collected (mostly of the model that was asked), new weights are trained and loaded from their file.
#[test]
fn outcomes_then_training_then_reload_recover_a_drifting_workload() {
    let before =
        LearnedScorer::new(train::fit(&synthetic::rows(1000, 1, 0), &TrainOptions::default()).unwrap());
    let traffic = synthetic::rows(1600, 2, 7);
    let mut log = String::new();
    for (at, row) in traffic.iter().enumerate() {
        // A tenth of the requests is escalated and so knows both answers; the others know one.
        let line = match at % 10 {
            0 => {
                serde_json::json!({"id": row.id, "prompt": row.prompt, "weak_score": row.weak_score, "strong_score": row.strong_score})
            }
            odd if odd % 2 == 1 => {
                serde_json::json!({"id": row.id, "prompt": row.prompt, "weak_score": row.weak_score})
            }
            _ => serde_json::json!({"id": row.id, "prompt": row.prompt, "strong_score": row.strong_score}),
        };
        log += &format!("{line}\n");
    }
    let outcomes = crate::dataset::read_outcomes(log.as_bytes()).unwrap().rows;
    let file = train::fit(&outcomes, &TrainOptions::default()).unwrap().to_bytes();
    let after = LearnedScorer::new(Artifact::load(&file).unwrap());

    let later = synthetic::rows(800, 2, 8);
    let ((old, _), (new, _)) = (score_all(&before, &later), score_all(&after, &later));
    assert!(old.apgr.unwrap() < 0.56 && old.gated_share.unwrap() > 0.9, "{old:?}");
    assert!(new.apgr.unwrap() > old.apgr.unwrap() + 0.1, "{:?} {:?}", new.apgr, old.apgr);
    assert!(new.gated_share.unwrap() < 0.1, "{new:?}");
}
