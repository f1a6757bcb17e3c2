use super::*;

/// Feeds labels whose scores spread over 0..1 and that are wrong below `clean_above`, every `nth` of them.
fn feed(bound: &mut Bound, labels: usize, clean_above: f32, nth: usize) -> Vec<Standing> {
    (0..labels)
        .filter_map(|i| {
            let score = (i * 7919 % 1000) as f32 / 1000.0;
            bound.observe(Label { score, wrong: score < clean_above && i % nth == 0 })
        })
        .collect()
}

#[test]
fn promises_nothing_until_labels_suffice() {
    let mut bound = Bound::new(0.02, 0.5);
    assert_eq!((bound.standing(), bound.threshold()), (Standing::Prior, Some(0.5)));
    feed(&mut bound, 150, 0.0, 1);
    assert_eq!(bound.standing(), Standing::Prior);
}

#[test]
fn clean_labels_loosen_to_the_loosest_clean_threshold() {
    let mut bound = Bound::new(0.02, 0.9);
    feed(&mut bound, 6000, 0.4, 2);
    assert_eq!(bound.standing(), Standing::Measured);
    let threshold = bound.threshold().unwrap();
    assert!((0.3..0.55).contains(&threshold), "{threshold}");
    assert!(bound.wrong_share().unwrap() <= 0.02);
}

#[test]
fn errors_tighten_and_then_turn_off() {
    let mut bound = Bound::new(0.02, 0.2);
    let changes = feed(&mut bound, 400, 0.6, 2);
    assert!(changes.contains(&Standing::Tightened), "{changes:?}");
    assert!(bound.threshold().unwrap() >= 0.5, "{bound:?}");

    let mut bound = Bound::new(0.02, 0.2);
    feed(&mut bound, 400, 1.1, 2);
    assert_eq!((bound.standing(), bound.threshold()), (Standing::Off, None));
    assert_eq!(bound.label_share(), 1.0);
}

#[test]
fn recovers_by_evidence() {
    let mut bound = Bound::new(0.05, 0.2);
    feed(&mut bound, 300, 1.1, 2);
    assert_eq!(bound.standing(), Standing::Off);
    feed(&mut bound, 9000, 0.0, 2);
    assert_eq!(bound.standing(), Standing::Measured);
    assert!(bound.threshold().is_some());
}

#[test]
fn a_measured_threshold_falls_when_the_world_changes() {
    let mut bound = Bound::new(0.05, 0.5);
    feed(&mut bound, 4000, 0.0, 1);
    assert_eq!(bound.standing(), Standing::Measured);
    let changes = feed(&mut bound, 4000, 0.95, 2);
    assert!(changes.iter().any(|s| matches!(s, Standing::Tightened | Standing::Off)), "{changes:?}");
}

#[test]
fn tests_only_when_labels_have_doubled() {
    let mut bound = Bound::new(0.1, 0.5);
    for _ in 0..5000 {
        bound.observe(Label { score: 0.7, wrong: false });
    }
    // First at 69 labels, then at 138, 276, …
    assert_eq!(bound.tests, 7);
}

/// The worst case for a bound: every threshold errs a little more than allowed.
#[test]
fn a_bound_that_does_not_hold_is_rarely_claimed() {
    const RUNS: u64 = 300;
    let claims = |seed: u64| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut bound = Bound::new(0.05, 0.5);
        (0..3000).any(|_| {
            bound.observe(Label { score: 0.2 + 0.8 * rng.f32(), wrong: rng.f64() < 0.055 });
            bound.standing() == Standing::Measured
        })
    };
    let claimed = (0..RUNS).filter(|&seed| claims(seed)).count();
    assert!(claimed <= 15, "{claimed} of {RUNS}");
}

#[test]
fn odd_input_is_harmless() {
    let mut bound = Bound::new(f64::NAN, 0.5);
    assert_eq!(bound.observe(Label { score: f32::NAN, wrong: true }), None);
    assert_eq!(bound.labels(), 0);
    for _ in 0..20_000 {
        bound.observe(Label { score: 0.5, wrong: true });
    }
    assert!(bound.labels() <= MOST_LABELS);
    assert_eq!(bound.standing(), Standing::Off);
}

#[test]
fn thresholds_are_chosen_by_scores_alone_and_never_split_equal_ones() {
    let scores = [0.9, 0.9, 0.8, 0.7, 0.7, 0.7, 0.6];
    let ends = |wrong: bool| -> Vec<(f32, u64)> {
        let labels: Vec<Label> = scores.iter().map(|&score| Label { score, wrong }).collect();
        prefixes(&labels, 1.0, 1.2).map(|p| (p.score, p.all)).collect()
    };
    assert_eq!(ends(false), ends(true));
    assert_eq!(ends(false), [(0.9, 2), (0.8, 3), (0.7, 6), (0.6, 7)]);
}
