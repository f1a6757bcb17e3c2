use std::sync::Barrier;
use std::time::Duration;

use super::*;
use crate::breaker::Tripped;
use crate::health::{Outcome, Refused};

const SECOND: Duration = Duration::from_secs(1);
const SUCCESS: Outcome = Outcome::Success { answer_tokens: 0 };
const FAILURE: Outcome = Outcome::Failure { retry_after: None };

/// Some providers with their clock.
struct Bench {
    healths: Vec<Arc<Health>>,
    settings: HealthSettings,
    groups: Vec<u8>,
    weights: Vec<f32>,
    now: Instant,
    rng: fastrand::Rng,
}

/// As many providers as there are groups given, none of which is known.
fn bench(groups: &[u8]) -> Bench {
    let now = Instant::now();
    Bench {
        healths: groups.iter().map(|_| Arc::new(Health::new(now))).collect(),
        settings: HealthSettings::default(),
        groups: groups.to_vec(),
        weights: vec![1.0; groups.len()],
        now,
        rng: fastrand::Rng::with_seed(11),
    }
}

impl Bench {
    fn candidates(&self) -> Vec<Candidate<'_>> {
        let candidate = |(index, health)| Candidate {
            health,
            settings: &self.settings,
            weight: self.weights[index],
            group: self.groups[index],
        };
        self.healths.iter().enumerate().map(candidate).collect()
    }

    fn choose(&mut self, ask: &Ask<'_>) -> Option<Choice> {
        let mut rng = self.rng.fork();
        choose(&self.candidates(), ask, self.now, &mut rng)
    }

    /// How often each is chosen in 10,000 draws, in per cent.
    fn shares(&mut self, ask: &Ask<'_>) -> Vec<f64> {
        let mut counts = vec![0.0; self.healths.len()];
        for _ in 0..10_000 {
            counts[self.choose(ask).expect("somebody").index] += 0.01;
        }
        counts
    }

    fn see(&mut self, index: usize, outcome: Outcome, times: usize) -> &mut Self {
        for _ in 0..times {
            let admission = self.healths[index].admit(Size::default(), &self.settings, self.now);
            admission.expect("admitted").record(outcome, &self.settings, self.now, &mut self.rng);
        }
        self
    }

    /// Lets first tokens take that long everywhere they are given for.
    fn know(&mut self, millis: &[u64]) -> &mut Self {
        for (health, &millis) in self.healths.iter().zip(millis) {
            let mut admission = health.admit(Size::default(), &self.settings, self.now).expect("admitted");
            let then = self.now + Duration::from_millis(millis);
            admission.first_token(&self.settings, then);
            admission.record(SUCCESS, &self.settings, then, &mut self.rng);
        }
        self.now += 10 * SECOND;
        self
    }

    /// Begins attempts that wait for their first token.
    fn occupy(&self, index: usize, times: usize) -> Vec<Admission> {
        let admit = || self.healths[index].admit(Size::default(), &self.settings, self.now);
        (0..times).map(|_| admit().expect("admitted")).collect()
    }

    fn open(&mut self, index: usize) -> &mut Self {
        self.see(index, FAILURE, 5)
    }
}

#[test]
fn alike_candidates_share_alike() {
    let shares = bench(&[0, 0, 0, 0]).know(&[300, 310, 320, 330]).shares(&Ask::default());
    assert!(shares.iter().all(|share| (23.0..27.0).contains(share)), "{shares:?}");
}

#[test]
fn weights_divide_among_the_alike() {
    let mut bench = bench(&[0, 0]);
    bench.weights = vec![3.0, 1.0];
    let shares = bench.know(&[300, 300]).shares(&Ask::default());
    assert!((73.0..77.0).contains(&shares[0]), "{shares:?}");
    // With attempts in flight by weight, it stays so.
    let held = (bench.occupy(0, 30), bench.occupy(1, 10));
    let shares = bench.shares(&Ask::default());
    assert!((73.0..77.0).contains(&shares[0]), "{shares:?}");
    drop(held);
}

#[test]
fn who_is_slower_is_only_scouted() {
    let mut bench = bench(&[0, 0, 0, 0]);
    let shares = bench.know(&[300, 300, 300, 3_000]).shares(&Ask::default());
    assert!(shares[3] > 0.02 && shares[3] < 0.4, "{shares:?}");
    let scout = bench.occupy(3, 1);
    let shares = bench.shares(&Ask::default());
    assert_eq!(shares[3], 0.0, "one scout at a time: {shares:?}");
    drop(scout);
}

#[test]
fn who_has_more_waiting_is_left_to_catch_up() {
    let mut bench = bench(&[0, 0]);
    bench.know(&[300, 300]);
    let held = bench.occupy(0, 3);
    assert_eq!(bench.shares(&Ask::default())[0], 0.0, "all to the idle one");
    drop(held);
}

#[test]
fn an_unknown_provider_is_tried_a_little_at_first() {
    let mut bench = bench(&[0, 0]);
    bench.know(&[300]);
    let share = bench.shares(&Ask::default())[1];
    assert!((45.0..55.0).contains(&share), "{share}");
    let held = (bench.occupy(0, 50), bench.occupy(1, 2));
    assert_eq!(bench.shares(&Ask::default())[1], 0.0);
    drop(held);
}

#[test]
fn failures_and_rate_limits_weigh() {
    let mut bench = bench(&[0, 0]);
    bench.know(&[300, 300]).see(1, FAILURE, 3);
    assert!(bench.shares(&Ask::default())[1] < 1.0);
    bench.now += 120 * SECOND;
    assert!(bench.shares(&Ask::default())[1] > 45.0, "forgiven");
    bench.see(1, Outcome::RateLimited { retry_after: Some(SECOND) }, 1);
    assert_eq!(bench.shares(&Ask::default())[1], 0.0, "limited");
    bench.now += 2 * SECOND;
    assert!(bench.shares(&Ask::default())[1] < 1.0, "handicapped");
}

#[test]
fn the_preferred_group_is_used_while_anybody_in_it_stands() {
    let mut bench = bench(&[1, 0, 0]);
    bench.know(&[100, 900, 900]).open(1);
    assert_eq!(bench.choose(&Ask::default()), Some(Choice { index: 2, why: Why::Only }));
    bench.open(2);
    assert_eq!(bench.choose(&Ask::default()), Some(Choice { index: 0, why: Why::Only }));
}

#[test]
fn an_unreachable_group_is_left_within_the_request() {
    let mut bench = bench(&[0, 0, 1]);
    let ask = Ask { tried: &[0], unreachable: &[0], ..Ask::default() };
    assert_eq!(bench.choose(&ask).expect("somebody").index, 2);
    let elsewhere = Ask { tried: &[0], ..Ask::default() };
    assert_eq!(bench.choose(&elsewhere).expect("somebody").index, 1, "an error is not a region's");
    bench.open(2);
    assert_eq!(bench.choose(&ask).expect("somebody").index, 1, "better than nobody");
}

#[test]
fn a_retry_goes_elsewhere_then_anywhere_but_never_to_an_open_breaker() {
    let mut bench = bench(&[0, 0]);
    for _ in 0..100 {
        assert_eq!(bench.choose(&Ask { tried: &[0], ..Ask::default() }).expect("somebody").index, 1);
    }
    assert!(bench.choose(&Ask { tried: &[0, 1], ..Ask::default() }).is_some());
    bench.open(0).open(1);
    assert_eq!(bench.choose(&Ask { tried: &[0], ..Ask::default() }), None);
    assert_eq!(bench.choose(&Ask::default()).expect("somebody").why, Why::LastStanding);
}

#[test]
fn the_last_standing_is_the_one_in_the_least_trouble() {
    let mut bench = bench(&[0, 0, 0]);
    assert_eq!(eject(&[], Size::default(), bench.now).last, None);
    bench.open(0).open(1).see(2, Outcome::RateLimited { retry_after: Some(20 * SECOND) }, 1);
    let standing = eject(&bench.candidates(), Size::default(), bench.now);
    assert!(standing.admitted.is_empty() && standing.ejected.len() == 3);
    assert_eq!(standing.last, Some(2), "rate-limited before failing");

    bench.now += 30 * SECOND;
    bench.open(2);
    // Each failure makes the next one the last standing: all are tried in turn.
    let turns: Vec<_> = (0..12)
        .map(|_| {
            let (choice, admission) =
                place(&bench.candidates(), &Ask::default(), bench.now, &mut fastrand::Rng::with_seed(1))
                    .expect("the last standing");
            assert_eq!(choice.why, Why::LastStanding);
            admission.record(FAILURE, &bench.settings, bench.now, &mut bench.rng);
            choice.index
        })
        .collect();
    assert!((0..3).all(|index| turns.contains(&index)), "{turns:?}");
}

#[test]
fn nobody_is_left_where_all_are_at_their_ceiling() {
    let mut bench = bench(&[0, 0]);
    bench.settings.concurrency.ceiling = 3;
    let held = (bench.occupy(0, 3), bench.occupy(1, 3));
    assert_eq!(bench.choose(&Ask::default()), None);
    drop(held);
    assert!(bench.choose(&Ask::default()).is_some());
}

#[test]
fn a_half_open_breaker_gets_one_probe_among_a_thousand_callers() {
    const THREADS: usize = 8;
    let mut bench = bench(&[0, 0]);
    bench.open(0).now += 70 * SECOND;
    let barrier = Barrier::new(THREADS);
    let (shared, ask) = (&bench, Ask::default());
    let call = |seed| {
        let (candidates, mut rng) = (shared.candidates(), fastrand::Rng::with_seed(seed));
        barrier.wait();
        let place = || place(&candidates, &ask, shared.now, &mut rng).expect("somebody");
        std::iter::repeat_with(place).take(125).collect::<Vec<_>>()
    };
    let call = &call;
    let placed: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|seed| scope.spawn(move || call(seed as u64))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(placed.len(), 1_000);
    assert_eq!(placed.iter().filter(|(choice, _)| choice.why == Why::Probe).count(), 1);
    assert_eq!((shared.healths[0].in_flight(), shared.healths[1].in_flight()), (1, 999));
    let refused = shared.healths[0].check(Size::default(), &shared.settings, shared.now);
    assert_eq!(refused, Err(Refused::Tripped(Tripped::Probing)));
}

#[test]
fn a_retry_is_not_used_as_a_probe() {
    let mut bench = bench(&[0, 0, 0]);
    bench.open(0).now += 70 * SECOND;
    assert_eq!(bench.choose(&Ask::default()), Some(Choice { index: 0, why: Why::Probe }));
    let retries: Vec<_> =
        (0..100).filter_map(|_| bench.choose(&Ask { tried: &[1], ..Ask::default() })).collect();
    assert!(retries.iter().all(|choice| choice.why != Why::Probe));
    assert!(retries.iter().filter(|choice| choice.index == 2).count() > 80);
}

#[test]
fn traffic_returns_slowly() {
    let mut bench = bench(&[0, 0]);
    bench.know(&[300, 300]).open(0).now += 70 * SECOND;
    bench.healths[0].check(Size::default(), &bench.settings, bench.now).expect("half-open");
    bench.know(&[300]).now -= 10 * SECOND;
    let shares: Vec<_> = (0..=3)
        .map(|_| {
            let share = bench.shares(&Ask::default())[0];
            bench.now += 10 * SECOND;
            share
        })
        .collect();
    for (share, expected) in shares.iter().zip([5.0, 16.7, 33.3, 50.0]) {
        assert!((share - expected).abs() < 3.0, "{shares:?}");
    }
}

#[test]
fn a_prefix_stays_at_home_unless_home_is_overloaded() {
    let mut bench = bench(&[0, 0, 1]);
    bench.know(&[400, 300, 300]);
    let at = |index| Ask { home: Some(Home { index, share: 1.0 }), ..Ask::default() };
    for home in 0..3 {
        assert_eq!(bench.choose(&at(home)), Some(Choice { index: home, why: Why::Home }));
    }
    let held = bench.occupy(0, 2);
    let half = Ask { home: Some(Home { index: 0, share: 0.5 }), ..Ask::default() };
    assert_eq!(
        bench.choose(&half).expect("somebody").index,
        1,
        "half of the prompt is not worth three times the load"
    );
    assert_eq!(bench.choose(&at(0)).expect("somebody").why, Why::Home, "three times the load");
    let more = bench.occupy(0, 3);
    assert_eq!(bench.choose(&at(0)).expect("somebody").index, 1, "more than five times");
    drop((held, more));
    bench.open(0);
    assert_eq!(bench.choose(&at(0)).expect("somebody").index, 1, "home is ejected");
    assert!(bench.choose(&at(99)).is_some(), "a home that is no candidate is ignored");
}

#[test]
fn weights_that_make_no_sense_are_survived() {
    let mut bench = bench(&[0, 0, 0, 0]);
    bench.weights = vec![f32::NAN, f32::INFINITY, -1.0, 0.0];
    bench.know(&[300, 300, 300, 300]);
    assert!((0..1_000).all(|_| bench.choose(&Ask::default()).is_some()));
}
