use std::sync::Barrier;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A breaker with its clock.
struct Bench {
    breaker: Breaker,
    settings: BreakerSettings,
    now: Instant,
    rng: fastrand::Rng,
}

fn bench() -> Bench {
    let now = Instant::now();
    let settings = BreakerSettings { jitter: 0.0, ..BreakerSettings::default() };
    Bench { breaker: Breaker::new(now), settings, now, rng: fastrand::Rng::with_seed(7) }
}

impl Bench {
    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    fn record(&mut self, pass: Pass, verdict: Verdict) {
        self.breaker.record(pass, verdict, &self.settings, self.now, &mut self.rng);
    }

    fn see(&mut self, verdict: Verdict, times: usize) -> &mut Self {
        for _ in 0..times {
            let pass = self.breaker.admit(self.now).expect("admitted");
            self.record(pass, verdict);
        }
        self
    }

    fn phase(&self) -> Phase {
        self.breaker.phase(self.now)
    }

    /// The rest of the wait.
    fn open_for(&self) -> Duration {
        match self.phase() {
            Phase::Open { until } => until - self.now,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn opens_on_failures_in_a_row() {
    let mut bench = bench();
    bench.see(Verdict::Bad, 4).see(Verdict::Good, 1).see(Verdict::Bad, 4).see(Verdict::Neutral, 100);
    assert_eq!((bench.phase(), bench.breaker.failures_in_row()), (Phase::Closed, 4));
    bench.see(Verdict::Bad, 1);
    assert_eq!(bench.open_for(), 60 * SECOND);
    assert!(matches!(bench.breaker.admit(bench.now), Err(Tripped::Open { .. })));
}

#[test]
fn opens_on_a_low_success_rate_once_there_is_enough_to_judge_by() {
    let mut bench = bench();
    let pattern = [Verdict::Bad, Verdict::Bad, Verdict::Good];
    for verdict in pattern.into_iter().cycle().take(19) {
        bench.see(verdict, 1);
        assert_eq!(bench.phase(), Phase::Closed);
    }
    bench.see(Verdict::Bad, 1);
    assert_eq!(bench.open_for(), 60 * SECOND);
}

#[test]
fn the_success_rate_looks_no_further_back_than_the_window() {
    let mut bench = bench();
    for verdict in [Verdict::Bad, Verdict::Good].into_iter().cycle().take(19) {
        bench.see(verdict, 1);
    }
    bench.wait(31 * SECOND).see(Verdict::Good, 1).see(Verdict::Bad, 4);
    assert_eq!(bench.phase(), Phase::Closed);
}

#[test]
fn ten_thousand_neutral_answers_count_for_nothing() {
    let mut bench = bench();
    bench.see(Verdict::Neutral, 10_000);
    assert_eq!((bench.phase(), bench.breaker.failures_in_row()), (Phase::Closed, 0));
}

#[test]
fn waits_grow_by_half_up_to_the_longest() {
    let mut bench = bench();
    bench.see(Verdict::Bad, 5);
    for seconds in [60.0, 90.0, 135.0, 202.5, 300.0, 300.0] {
        let wait = bench.open_for();
        assert_eq!(wait, Duration::from_secs_f64(seconds));
        bench.wait(wait);
        assert_eq!(bench.phase(), Phase::HalfOpen);
        bench.see(Verdict::Bad, 1);
    }
}

#[test]
fn jitter_stays_within_a_tenth_and_below_the_longest_wait() {
    let settings = BreakerSettings::default();
    let mut rng = fastrand::Rng::with_seed(1);
    let draws = |earlier, rng: &mut fastrand::Rng| -> Vec<f64> {
        (0..1_000).map(|_| settings.wait(earlier, rng).as_secs_f64()).collect()
    };
    let first = draws(0, &mut rng);
    assert!(first.iter().all(|wait| (54.0..=66.0).contains(wait)));
    assert!(first.iter().any(|&wait| wait < 55.0) && first.iter().any(|&wait| wait > 65.0));
    assert!(draws(40, &mut rng).iter().all(|&wait| wait <= 300.0 && wait > 240.0));
}

#[test]
fn a_lasting_recovery_starts_the_waits_over() {
    let mut bench = bench();
    bench.see(Verdict::Bad, 5).wait(60 * SECOND).see(Verdict::Good, 1);
    assert_eq!(bench.phase(), Phase::Closed);
    bench.wait(59 * SECOND).see(Verdict::Bad, 5);
    assert_eq!(bench.open_for(), 90 * SECOND, "it had not lasted");
    bench.wait(90 * SECOND).see(Verdict::Good, 1).wait(90 * SECOND).see(Verdict::Bad, 5);
    assert_eq!(bench.open_for(), 60 * SECOND, "it had");
}

#[test]
fn half_open_admits_one_probe_and_returns_it_when_cancelled() {
    let mut bench = bench();
    bench.see(Verdict::Bad, 5).wait(60 * SECOND);
    let probe = bench.breaker.admit(bench.now).expect("the probe");
    assert_eq!(bench.breaker.admit(bench.now).unwrap_err(), Tripped::Probing);
    bench.breaker.release(probe);
    let probe = bench.breaker.admit(bench.now).expect("the probe again");
    bench.record(probe, Verdict::Neutral);
    bench.see(Verdict::Good, 1);
    assert_eq!(bench.phase(), Phase::Closed);
}

#[test]
fn of_a_thousand_concurrent_callers_one_gets_the_probe() {
    const THREADS: usize = 8;
    const CALLERS: usize = 1_000;
    for _ in 0..20 {
        let mut bench = bench();
        bench.see(Verdict::Bad, 5).wait(60 * SECOND);
        let barrier = Barrier::new(THREADS);
        let ask = || {
            barrier.wait();
            let passes = (0..CALLERS / THREADS).map(|_| bench.breaker.admit(bench.now));
            passes.filter(Result::is_ok).count()
        };
        let probes: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(probes, 1);
    }
}

#[test]
fn a_probes_first_token_closes_and_its_failure_soon_after_opens_again_for_longer() {
    let mut bench = bench();
    bench.see(Verdict::Bad, 5).wait(60 * SECOND);
    let mut probe = bench.breaker.admit(bench.now).expect("the probe");
    bench.breaker.first_token(&mut probe, bench.now);
    assert_eq!(bench.phase(), Phase::Closed);
    bench.wait(SECOND).see(Verdict::Good, 3);
    bench.record(probe, Verdict::Bad);
    assert_eq!(bench.open_for(), 90 * SECOND);
}

#[test]
fn a_probes_stream_that_fails_much_later_is_one_failure_among_others() {
    let mut bench = bench();
    bench.see(Verdict::Bad, 5).wait(60 * SECOND);
    let mut probe = bench.breaker.admit(bench.now).expect("the probe");
    bench.breaker.first_token(&mut probe, bench.now);
    bench.wait(300 * SECOND).record(probe, Verdict::Bad);
    assert_eq!((bench.phase(), bench.breaker.failures_in_row()), (Phase::Closed, 1));
}

#[test]
fn stragglers_neither_close_nor_open() {
    let mut bench = bench();
    let straggle = |bench: &Bench| bench.breaker.admit(bench.now).expect("admitted");
    let stragglers: Vec<_> = (0..20).map(|_| straggle(&bench)).collect();
    bench.see(Verdict::Bad, 5);
    let mut stragglers = stragglers.into_iter();
    bench.record(stragglers.next().expect("one"), Verdict::Good);
    assert_eq!(bench.open_for(), 60 * SECOND);
    bench.wait(60 * SECOND).see(Verdict::Good, 1);
    stragglers.for_each(|straggler| bench.record(straggler, Verdict::Bad));
    assert_eq!((bench.phase(), bench.breaker.failures_in_row()), (Phase::Closed, 0));
}

#[test]
fn a_long_stream_does_not_break_a_row_that_began_after_it() {
    let mut bench = bench();
    let stream = bench.breaker.admit(bench.now).expect("admitted");
    bench.wait(SECOND).see(Verdict::Bad, 4);
    bench.record(stream, Verdict::Good);
    assert_eq!(bench.breaker.failures_in_row(), 4);
    bench.see(Verdict::Bad, 1);
    assert_eq!(bench.open_for(), 60 * SECOND);
}

#[test]
fn the_last_standing_passes_an_open_breaker_and_its_success_closes_it() {
    let mut bench = bench();
    bench.see(Verdict::Bad, 5).wait(SECOND);
    for _ in 0..100 {
        let pass = bench.breaker.admit_last_standing(bench.now);
        bench.record(pass, Verdict::Bad);
    }
    assert_eq!(bench.open_for(), 59 * SECOND, "failures were expected and prolong nothing");
    let pass = bench.breaker.admit_last_standing(bench.now);
    bench.record(pass, Verdict::Good);
    assert_eq!(bench.phase(), Phase::Closed);
}

#[test]
fn traffic_returns_along_a_line() {
    let mut bench = bench();
    let share = |bench: &Bench| bench.breaker.share(&bench.settings, bench.now);
    assert_eq!(share(&bench), 1.0);
    bench.see(Verdict::Bad, 5);
    assert_eq!(share(&bench), 0.0);
    bench.wait(60 * SECOND).see(Verdict::Good, 1);
    assert_eq!(share(&bench), 0.1);
    bench.wait(15 * SECOND);
    assert_eq!(share(&bench), 0.5);
    bench.settings.aggression = 2.0;
    assert!((share(&bench) - 0.5_f32.sqrt()).abs() < 1e-6);
    bench.wait(15 * SECOND);
    assert_eq!(share(&bench), 1.0);
}

#[test]
fn settings_that_make_no_sense_are_survived() {
    let mut bench = bench();
    bench.settings = BreakerSettings {
        success_rate: f32::NAN,
        least_answers: 0,
        window: Duration::MAX,
        recovery: Duration::MAX,
        backoff: f32::INFINITY,
        jitter: f32::NAN,
        longest_recovery: Duration::MAX,
        slow_start: Duration::MAX,
        aggression: 0.0,
        least_share: f32::NAN,
        ..bench.settings
    };
    bench.see(Verdict::Bad, 5);
    assert!(bench.open_for() > 300 * 86_400 * SECOND);
    let pass = bench.breaker.admit_last_standing(bench.now);
    bench.record(pass, Verdict::Good);
    let share = bench.breaker.share(&bench.settings, bench.now);
    assert!((0.0..=1.0).contains(&share), "{share}");
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Admit,
    AdmitLastStanding,
    FirstToken(usize),
    Record(usize, Verdict),
    Release(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0_u64..40_000).prop_map(Step::Wait),
        6 => Just(Step::Admit),
        1 => Just(Step::AdmitLastStanding),
        2 => any::<usize>().prop_map(Step::FirstToken),
        6 => (any::<usize>(), prop_oneof![
            3 => Just(Verdict::Bad), 1 => Just(Verdict::Good), 1 => Just(Verdict::Neutral)
        ]).prop_map(|(which, verdict)| Step::Record(which, verdict)),
        1 => any::<usize>().prop_map(Step::Release),
    ]
}

proptest! {
    /// Whatever happens in whatever order: never two probes at a time, never anybody through an open
    /// breaker before its time, no wait beyond the longest, and a half-open breaker whose probe is gone
    /// can be probed.
    #[test]
    fn any_history_keeps_the_promises(steps in prop::collection::vec(step(), 1..300)) {
        let mut bench = bench();
        let mut under_way: Vec<Pass> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(millis) => { bench.wait(Duration::from_millis(millis)); }
                Step::Admit => {
                    let phase = bench.phase();
                    if let Ok(pass) = bench.breaker.admit(bench.now) {
                        let open = matches!(phase, Phase::Open { .. });
                        prop_assert!(!open);
                        under_way.push(pass);
                    }
                }
                Step::AdmitLastStanding => under_way.push(bench.breaker.admit_last_standing(bench.now)),
                Step::FirstToken(which) if !under_way.is_empty() => {
                    let which = which % under_way.len();
                    bench.breaker.first_token(&mut under_way[which], bench.now);
                }
                Step::Record(which, verdict) if !under_way.is_empty() => {
                    let pass = under_way.swap_remove(which % under_way.len());
                    bench.record(pass, verdict);
                }
                Step::Release(which) if !under_way.is_empty() => {
                    bench.breaker.release(under_way.swap_remove(which % under_way.len()));
                }
                _ => {}
            }
            if let Gate::Probing(until) = bench.breaker.gate() {
                let probes = under_way.iter().filter(|pass| pass.kind == Kind::Probe(until)).count();
                prop_assert_eq!(probes, 1);
            }
            if let Phase::Open { until } = bench.phase() {
                prop_assert!(until - bench.now <= bench.settings.longest_recovery);
            }
        }
    }
}
