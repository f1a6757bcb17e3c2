use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const SIZE: Size = Size::of_prompt(0);

/// One provider with its clock.
struct Bench {
    health: Arc<Health>,
    settings: HealthSettings,
    now: Instant,
    rng: fastrand::Rng,
}

fn bench() -> Bench {
    let now = Instant::now();
    let health = Arc::new(Health::new(now));
    Bench { health, settings: HealthSettings::default(), now, rng: fastrand::Rng::with_seed(3) }
}

impl Bench {
    fn wait(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    fn admit(&self) -> Admission {
        self.health.admit(SIZE, &self.settings, self.now).expect("admitted")
    }

    fn refusal(&self) -> Refused {
        self.health.admit(SIZE, &self.settings, self.now).expect_err("refused")
    }

    fn record(&mut self, admission: Admission, outcome: Outcome) {
        admission.record(outcome, &self.settings, self.now, &mut self.rng);
    }

    fn see(&mut self, outcome: Outcome, times: usize) -> &mut Self {
        for _ in 0..times {
            let admission = self.admit();
            self.record(admission, outcome);
        }
        self
    }

    /// An attempt with a first token after that time, and its end.
    fn answer(&mut self, first_token: Duration) -> &mut Self {
        let mut admission = self.admit();
        self.wait(first_token);
        admission.first_token(&self.settings, self.now);
        self.record(admission, SUCCESS);
        self
    }

    fn latency(&self) -> f32 {
        self.health.latency_seconds().expect("known")
    }
}

const SUCCESS: Outcome = Outcome::Success { answer_tokens: 0 };
const FAILURE: Outcome = Outcome::Failure { retry_after: None };

fn limited(seconds: u64) -> Outcome {
    Outcome::RateLimited { retry_after: Some(Duration::from_secs(seconds)) }
}

#[test]
fn an_admission_that_is_dropped_gives_everything_back() {
    let mut bench = bench();
    drop(bench.admit());
    assert_eq!((bench.health.in_flight(), bench.health.waiting()), (0, 0));

    bench.see(FAILURE, 5).wait(70 * SECOND);
    let probe = bench.admit();
    assert_eq!(bench.refusal(), Refused::Tripped(Tripped::Probing));
    assert_eq!((bench.health.in_flight(), bench.health.waiting()), (1, 1));
    drop(probe);
    bench.see(SUCCESS, 1);
    assert_eq!(bench.health.breaker().phase(bench.now), Phase::Closed);
    assert_eq!((bench.health.in_flight(), bench.health.waiting()), (0, 0));
}

#[test]
fn ten_thousand_caller_faults_and_cancellations_change_nothing() {
    let mut bench = bench();
    bench.answer(SECOND);
    let before = bench.health.view(&bench.settings, bench.now);
    bench.see(Outcome::CallerFault, 10_000).see(Outcome::Cancelled, 10_000);
    let dropped: Vec<_> = (0..500).map(|_| bench.admit()).collect();
    bench.wait(30 * SECOND);
    drop(dropped);
    assert_eq!(bench.health.view(&bench.settings, bench.now), before);
    assert_eq!((before.score, before.failures_in_row), (1.0, 0));
}

#[test]
fn the_score_follows_failures_and_forgives_with_time() {
    let mut bench = bench();
    bench.see(FAILURE, 3);
    let low = bench.health.score(&bench.settings, bench.now);
    assert!((low - 0.729).abs() < 1e-3, "{low}");
    bench.wait(30 * SECOND);
    let later = bench.health.score(&bench.settings, bench.now);
    assert!((later - (1.0 - 0.271 / std::f32::consts::E)).abs() < 1e-3, "{later}");
    bench.see(FAILURE, 2);
    assert_eq!(bench.health.score(&bench.settings, bench.now), 0.0, "the breaker is open");
}

#[test]
fn first_tokens_are_normalised_by_prompt_size() {
    let bench = bench();
    let mut long = bench.health.admit(Size::of_prompt(18_000), &bench.settings, bench.now).expect("admitted");
    long.first_token(&bench.settings, bench.now + 5 * SECOND);
    assert!((bench.latency() - 0.5).abs() < 1e-3, "{}", bench.latency());
}

#[test]
fn answers_in_one_piece_are_normalised_by_their_length() {
    let mut bench = bench();
    let admission = bench.admit();
    bench.wait(Duration::from_millis(4_400));
    bench.record(admission, Outcome::Success { answer_tokens: 200 });
    assert!((bench.latency() - 0.4).abs() < 1e-3, "{}", bench.latency());
}

#[test]
fn latency_rises_within_seconds_and_falls_slowly() {
    let mut bench = bench();
    for _ in 0..100 {
        bench.answer(Duration::from_millis(300));
    }
    bench.answer(Duration::from_secs(3));
    let after_one = bench.latency();
    assert!((1.8..3.0).contains(&after_one), "one slow answer after a silence of 3 s: {after_one}");
    for _ in 0..10 {
        bench.answer(Duration::from_millis(300));
    }
    assert!(bench.latency() > 1.0, "three seconds later it is not forgotten: {}", bench.latency());
    for _ in 0..100 {
        bench.answer(Duration::from_millis(300));
    }
    assert!(bench.latency() < 0.5, "half a minute later it is: {}", bench.latency());
}

#[test]
fn an_attempt_that_is_outrun_or_fails_tells_what_it_would_have_taken_at_least() {
    for outcome in [Outcome::Outrun, FAILURE] {
        let mut bench = bench();
        bench.answer(SECOND);
        let quick = bench.admit();
        bench.record(quick, outcome);
        assert_eq!(bench.latency(), 1.0, "less than expected says nothing");
        let slow = bench.admit();
        bench.wait(20 * SECOND);
        bench.record(slow, outcome);
        assert!(bench.latency() > 15.0, "{}", bench.latency());
    }
}

#[test]
fn a_rate_limit_is_waited_out_and_is_no_failure() {
    let mut bench = bench();
    bench.see(limited(20), 1);
    let until = bench.now + 20 * SECOND;
    assert_eq!(bench.refusal(), Refused::Limited { until });
    assert_eq!(bench.health.score(&bench.settings, bench.now), 1.0);
    assert_eq!(bench.health.breaker().failures_in_row(), 0);
    bench.wait(20 * SECOND);
    assert_eq!(bench.health.penalty(bench.now), 2.0);
    drop(bench.admit());
    bench.wait(30 * SECOND);
    assert!(bench.health.penalty(bench.now) < 1.06, "it fades");
}

#[test]
fn a_burst_of_rate_limits_is_one_event_and_retry_after_is_capped() {
    let mut bench = bench();
    let burst: Vec<_> = (0..50).map(|_| bench.admit()).collect();
    for (second, admission) in burst.into_iter().enumerate() {
        bench.record(admission, limited(second as u64 * 100));
    }
    assert_eq!(bench.refusal(), Refused::Limited { until: bench.now + 120 * SECOND });
    bench.wait(120 * SECOND);
    assert_eq!(bench.health.penalty(bench.now), 2.0);
}

#[test]
fn rate_limits_without_retry_after_are_waited_out_for_longer_each_time() {
    let mut bench = bench();
    let mut holds = Vec::new();
    for _ in 0..4 {
        bench.see(Outcome::RateLimited { retry_after: None }, 1);
        let Refused::Limited { until } = bench.refusal() else { panic!("not limited") };
        holds.push((until - bench.now).as_secs());
        bench.now = until;
    }
    assert_eq!(holds, [1, 2, 3, 4]);
}

#[test]
fn the_providers_own_headers_are_a_ceiling() {
    let mut bench = bench();
    let mut first = bench.admit();
    first.first_token(&bench.settings, bench.now);
    let allowance = Allowance { limit: Some(60), remaining: 2, resets_in: 58 * SECOND };
    first.observe_quota(Some(allowance), None, bench.now);
    let two: Vec<_> = (0..2).map(|_| bench.admit()).collect();
    assert_eq!(bench.refusal(), Refused::Quota);
    bench.wait(SECOND / 2);
    assert_eq!(bench.refusal(), Refused::Quota);
    bench.wait(SECOND / 2);
    drop((bench.admit(), two));
    assert_eq!(bench.refusal(), Refused::Quota, "cancelled attempts were sent");
    bench.wait(58 * SECOND);
    drop((bench.admit(), bench.admit()));
}

#[test]
fn token_headers_stop_what_is_too_long_and_are_not_believed_for_ever() {
    let mut bench = bench();
    let first = bench.admit();
    let allowance = Allowance { limit: Some(1_000_000), remaining: 1_500, resets_in: 86_400 * SECOND };
    first.observe_quota(None, Some(allowance), bench.now);
    let long = Size { prompt_tokens: 1_000, answer_tokens: 1_000 };
    let check = |bench: &Bench, size| bench.health.check(size, &bench.settings, bench.now);
    assert_eq!(check(&bench, long), Err(Refused::Quota));
    assert_eq!(check(&bench, Size::of_prompt(1_000)), Ok(()));
    let zero = Allowance { limit: None, remaining: 0, resets_in: 86_400 * SECOND };
    first.observe_quota(Some(zero), None, bench.now);
    bench.wait(119 * SECOND);
    assert_eq!(bench.refusal(), Refused::Quota);
    bench.wait(SECOND);
    assert_eq!(check(&bench, long), Ok(()));
}

#[test]
fn the_ceiling_on_attempts_holds_even_for_the_last_standing() {
    let mut bench = bench();
    bench.settings.concurrency.ceiling = 2;
    let both = (bench.admit(), bench.admit());
    assert_eq!(bench.refusal(), Refused::Saturated { limit: 2 });
    let last = bench.health.admit_last_standing(SIZE, &bench.settings, bench.now);
    assert_eq!(last.expect_err("refused"), Refused::Saturated { limit: 2 });
    drop(both);
    drop(bench.admit());
}

#[test]
fn slow_first_tokens_open_the_breaker_where_configured() {
    for (slow, phase) in [(None, false), (Some(2 * SECOND), true)] {
        let mut bench = bench();
        bench.settings.breaker.slow_first_token = slow;
        for _ in 0..5 {
            bench.answer(3 * SECOND);
        }
        assert_eq!(matches!(bench.health.breaker().phase(bench.now), Phase::Open { .. }), phase);
    }
}

#[test]
fn a_slow_probe_does_not_close_the_breaker() {
    let mut bench = bench();
    bench.settings.breaker.slow_first_token = Some(2 * SECOND);
    bench.see(FAILURE, 5).wait(70 * SECOND).answer(3 * SECOND);
    assert!(matches!(bench.health.breaker().phase(bench.now), Phase::Open { .. }));
}

proptest! {
    /// Counters return to zero however attempts end, and the score stays a score.
    #[test]
    fn nothing_leaks(ends in prop::collection::vec((0_u8..8, 0_u64..5_000, any::<bool>()), 1..200)) {
        let mut bench = bench();
        let mut under_way = Vec::new();
        for (end, millis, begins) in ends {
            bench.wait(Duration::from_millis(millis));
            if begins || under_way.is_empty() {
                let size = Size::of_prompt(millis as u32);
                let admission = bench.health.admit(size, &bench.settings, bench.now);
                let last = || bench.health.admit_last_standing(size, &bench.settings, bench.now);
                under_way.push(admission.or_else(|_| last()).expect("far below the ceiling"));
                continue;
            }
            let mut admission = under_way.swap_remove(millis as usize % under_way.len());
            match end {
                0 => {
                    admission.first_token(&bench.settings, bench.now);
                    under_way.push(admission);
                }
                1 => drop(admission),
                2 => bench.record(admission, FAILURE),
                3 => bench.record(admission, limited(millis)),
                4 => bench.record(admission, Outcome::Outrun),
                5 => bench.record(admission, Outcome::CallerFault),
                _ => bench.record(admission, Outcome::Success { answer_tokens: millis as u32 }),
            }
            let score = bench.health.score(&bench.settings, bench.now);
            prop_assert!((0.0..=1.0).contains(&score));
            prop_assert_eq!(bench.health.in_flight() as usize, under_way.len());
        }
        under_way.clear();
        prop_assert_eq!((bench.health.in_flight(), bench.health.waiting()), (0, 0));
    }
}
