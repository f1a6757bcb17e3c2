use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A budget with its clock.
struct Bench {
    budget: RetryBudget,
    settings: RetrySettings,
    now: Instant,
    rng: fastrand::Rng,
}

fn bench() -> Bench {
    let now = Instant::now();
    let settings = RetrySettings::default();
    Bench { budget: RetryBudget::new(now), settings, now, rng: fastrand::Rng::with_seed(5) }
}

impl Bench {
    fn plan(&mut self, failed: Failed) -> Result<Duration, GiveUp> {
        self.plan_within(failed, 60 * SECOND)
    }

    fn plan_within(&mut self, failed: Failed, left: Duration) -> Result<Duration, GiveUp> {
        self.budget.plan(&failed, &self.settings, self.now + left, self.now, &mut self.rng)
    }
}

const ELSEWHERE: Failed = Failed { retries: 0, elsewhere: true, unsent: false, retry_after: None };
const AGAIN: Failed = Failed { elsewhere: false, ..ELSEWHERE };

#[test]
fn callers_who_come_one_after_another_share_the_floor() {
    let mut bench = bench();
    let mut retries = 0;
    for _ in 0..100 {
        bench.budget.request(bench.now);
        retries += usize::from(bench.plan(ELSEWHERE).is_ok());
        bench.now += SECOND / 20;
    }
    // 5 s: 20 % of the 50 requests before the floor is reached, then of all there have been.
    assert_eq!(retries, 20);
}

#[test]
fn quiet_times_have_the_floor_and_no_more() {
    let mut bench = bench();
    let granted = (0..100).filter(|_| bench.plan(ELSEWHERE).is_ok()).count();
    assert_eq!(granted, 10);
    assert_eq!(bench.plan(ELSEWHERE), Err(GiveUp::Budget));
    bench.now += 10 * SECOND;
    assert_eq!(bench.budget.left(&bench.settings, bench.now), 10);
}

#[test]
fn a_total_failure_costs_a_fifth_more_attempts_at_any_rate() {
    for per_second in [1_u32, 10, 100, 1_000] {
        let mut bench = bench();
        let (mut requests, mut retries) = (0_u32, 0_u32);
        for _ in 0..per_second * 60 {
            bench.now += SECOND / per_second;
            bench.budget.request(bench.now);
            requests += 1;
            let mut failed = ELSEWHERE;
            while bench.plan(failed).is_ok() {
                failed.retries += 1;
                retries += 1;
            }
        }
        let floor = 10 * 6 + 10;
        assert!(
            f64::from(retries) <= f64::max(0.2 * f64::from(requests) + 10.0, f64::from(floor)),
            "{retries}"
        );
        assert!(retries >= floor - 20);
    }
}

#[test]
fn a_doomed_retry_spends_nothing() {
    let mut bench = bench();
    assert_eq!(bench.plan_within(ELSEWHERE, SECOND / 5), Err(GiveUp::Deadline));
    let asked = Failed { retry_after: Some(30 * SECOND), ..AGAIN };
    assert_eq!(bench.plan_within(asked, 30 * SECOND), Err(GiveUp::Deadline));
    let often = Failed { retries: 3, ..ELSEWHERE };
    assert_eq!(bench.plan(often), Err(GiveUp::Exhausted { retries: 3 }));
    assert_eq!(bench.budget.left(&bench.settings, bench.now), 10);
}

#[test]
fn a_deadline_in_the_past_is_no_time() {
    let mut bench = bench();
    let past = bench.now;
    bench.now += SECOND;
    let plan = bench.budget.plan(&ELSEWHERE, &bench.settings, past, bench.now, &mut bench.rng);
    assert_eq!(plan, Err(GiveUp::Deadline));
}

#[test]
fn the_first_attempt_elsewhere_is_at_once_and_waits_grow_from_there() {
    let mut bench = bench();
    assert_eq!(bench.plan(ELSEWHERE), Ok(Duration::ZERO));
    for (retries, millis) in [(0, 100.0), (1, 150.0), (2, 225.0)] {
        for elsewhere in [false, true] {
            if elsewhere && retries == 0 {
                continue;
            }
            let wait = bench.plan(Failed { retries, elsewhere, ..ELSEWHERE }).expect("planned");
            let share = wait.as_secs_f64() * 1_000.0 / millis;
            assert!((0.9..=1.1).contains(&share), "{wait:?} after {retries}");
        }
    }
}

#[test]
fn retry_after_binds_whoever_asked_for_it() {
    let mut bench = bench();
    let retry_after = Some(3 * SECOND);
    assert_eq!(bench.plan(Failed { retry_after, ..AGAIN }), Ok(3 * SECOND));
    assert_eq!(bench.plan(Failed { retry_after, ..ELSEWHERE }), Ok(Duration::ZERO));
}

#[test]
fn what_was_never_sent_may_go_elsewhere_at_no_charge() {
    let mut bench = bench();
    let unsent = Failed { unsent: true, ..ELSEWHERE };
    assert!((0..100).all(|_| bench.plan(unsent).is_ok()));
    assert_eq!(bench.budget.left(&bench.settings, bench.now), 10);
    let again = Failed { unsent: true, ..AGAIN };
    assert_eq!((0..100).filter(|_| bench.plan(again).is_ok()).count(), 10);
}

#[test]
fn concurrent_callers_never_exceed_the_budget_together() {
    let bench = bench();
    (0..200).for_each(|_| bench.budget.request(bench.now));
    let ask = || {
        let mut rng = fastrand::Rng::with_seed(1);
        let deadline = bench.now + 60 * SECOND;
        let mut plan = || bench.budget.plan(&ELSEWHERE, &bench.settings, deadline, bench.now, &mut rng);
        (0..1_000).filter(|_| plan().is_ok()).count()
    };
    let granted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(granted, 40);
}
