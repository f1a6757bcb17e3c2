use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn quota(units: u64, window: Duration) -> Quota {
    Quota::try_new(units, window).unwrap()
}

#[test]
fn an_idle_limiter_passes_one_quota_at_once_and_then_the_steady_rate() {
    for units in [1, 3, 7, 60, 1_000, 99_991] {
        let (start, quota) = (Instant::now(), quota(units, MINUTE));
        let gcra = Gcra::new(start);

        let burst = (0..units + 5).filter(|_| gcra.try_take(&quota, 1, start).is_ok()).count();
        assert_eq!(burst as u64, units);

        let Err(Full::Until(wait)) = gcra.try_take(&quota, 1, start) else { panic!("{units}") };
        assert!(
            gcra.try_take(&quota, 1, start + wait - Duration::from_nanos(2)).is_err(),
            "{units}: {wait:?}"
        );
        assert!(gcra.try_take(&quota, 1, start + wait).is_ok(), "{units}: {wait:?}");
        assert!(gcra.try_take(&quota, 1, start + wait).is_err());
    }
}

#[test]
fn headers_tell_what_is_left_and_when_all_is_back() {
    let (start, quota) = (Instant::now(), quota(600, MINUTE));
    let gcra = Gcra::new(start);
    assert_eq!(gcra.standing(&quota, start), Standing { limit: 600, remaining: 600, reset: Duration::ZERO });

    let _charge = gcra.try_take(&quota, 200, start).unwrap();
    assert_eq!(
        gcra.standing(&quota, start),
        Standing { limit: 600, remaining: 400, reset: Duration::from_secs(20) }
    );
    assert_eq!(gcra.standing(&quota, start + Duration::from_secs(5)).remaining, 450);
    assert_eq!(gcra.standing(&quota, start + MINUTE).remaining, 600);
}

#[test]
fn more_than_a_quota_never_fits() {
    let (now, quota) = (Instant::now(), quota(10, MINUTE));
    assert_eq!(Gcra::new(now).try_take(&quota, 11, now), Err(Full::Never));
}

#[test]
fn an_underestimate_is_collected_from_those_that_come_next() {
    let (now, quota) = (Instant::now(), quota(1_000, MINUTE));
    let gcra = Gcra::new(now);
    let charge = gcra.try_take(&quota, 100, now).unwrap();
    gcra.correct(&quota, charge, 1_500, now);

    assert_eq!(gcra.standing(&quota, now).remaining, 0);
    let Err(Full::Until(wait)) = gcra.try_take(&quota, 1, now) else { panic!("nothing should be left") };
    let exact = Duration::from_millis(501 * 60);
    assert!((exact - Duration::from_nanos(16)..=exact).contains(&wait), "{wait:?}");
    assert!(gcra.try_take(&quota, 1, now + Duration::from_millis(501 * 60)).is_ok());
}

#[test]
fn an_overestimate_is_given_back_only_as_far_as_it_has_not_drained() {
    let (now, quota) = (Instant::now(), quota(1_000, MINUTE));
    let gcra = Gcra::new(now);
    let charge = gcra.try_take(&quota, 1_000, now).unwrap();
    gcra.correct(&quota, charge, 100, now);
    assert_eq!(gcra.standing(&quota, now).remaining, 900);

    let gcra = Gcra::new(now);
    let charge = gcra.try_take(&quota, 1_000, now).unwrap();
    let later = now + MINUTE;
    let _other = gcra.try_take(&quota, 500, later).unwrap();
    gcra.correct(&quota, charge, 0, later);
    assert_eq!(gcra.standing(&quota, later).remaining, 500, "the drained charge gave back another's units");
}

#[test]
fn a_changed_quota_keeps_the_share_that_was_used() {
    let now = Instant::now();
    let gcra = Gcra::new(now);
    let _charge = gcra.try_take(&quota(100, MINUTE), 50, now).unwrap();
    assert_eq!(gcra.standing(&quota(1_000, MINUTE), now).remaining, 500);
}

#[test]
fn a_quota_of_nothing_or_of_an_absurd_window_is_none() {
    assert_eq!(Quota::try_new(0, MINUTE), None);
    assert_eq!(Quota::try_new(1, Duration::ZERO), None);
    assert_eq!(Quota::try_new(1, Quota::MAX_WINDOW + Duration::from_secs(1)), None);
    let all = quota(u64::MAX, Quota::MAX_WINDOW);
    assert_eq!(Gcra::new(Instant::now()).standing(&all, Instant::now()).remaining, u64::MAX);
}

#[test]
fn a_clock_that_stands_before_the_epoch_is_at_the_epoch() {
    let epoch = Instant::now() + MINUTE;
    let (gcra, quota) = (Gcra::new(epoch), quota(2, MINUTE));
    let early = epoch - MINUTE;
    assert_eq!([1; 3].map(|n| gcra.try_take(&quota, n, early).is_ok()), [true, true, false]);
}

/// Runs `takes` attempts from each of 64 threads while the clock moves; returns units admitted and time passed.
fn storm(quota: Quota, takes: usize, units: u64) -> (u64, Duration) {
    let start = Instant::now();
    let (gcra, clock, open) = (Gcra::new(start), AtomicU64::new(0), AtomicBool::new(false));
    let admitted = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64)
            .map(|_| {
                scope.spawn(|| {
                    while !open.load(Ordering::Acquire) {
                        std::thread::yield_now();
                    }
                    (0..takes)
                        .filter(|_| {
                            let now = start + Duration::from_nanos(clock.fetch_add(7, Ordering::Relaxed));
                            gcra.try_take(&quota, units, now).is_ok()
                        })
                        .count() as u64
                })
            })
            .collect();
        open.store(true, Ordering::Release);
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    (admitted * units, Duration::from_nanos(clock.into_inner()))
}

#[test]
fn sixty_four_threads_pass_at_most_one_request_over() {
    let takes = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    for (units, window, size) in [
        (1_000, MINUTE, 1),
        (100_003, Duration::from_millis(50), 1),
        (1_000_000, Duration::from_secs(1), 1_000),
    ] {
        let (admitted, passed) = storm(quota(units, window), takes, size);
        let allowed = units as f64 * (1.0 + passed.as_secs_f64() / window.as_secs_f64());
        assert!(admitted as f64 <= allowed + size as f64, "{admitted} of {allowed}");
        assert!(admitted >= units - units % size, "{admitted} of {allowed}");
    }
}

proptest! {
    /// Against an exact model in integers: no interval between two admissions holds more than it may.
    #[test]
    fn no_interval_passes_more_than_its_share(
        units in 1_u64..5_000,
        window_ms in 1_u64..120_000,
        steps in prop::collection::vec((0_u64..3_000_000_000, 1_u64..400), 1..200),
    ) {
        let (start, quota) = (Instant::now(), quota(units, Duration::from_millis(window_ms)));
        let (gcra, mut now, mut taken) = (Gcra::new(start), 0_u64, VecDeque::new());
        for (wait, cost) in steps {
            now += wait;
            if gcra.try_take(&quota, cost, start + Duration::from_nanos(now)).is_ok() {
                taken.push_back((now, cost));
            }
        }
        for first in 0..taken.len() {
            let mut sum = 0_u128;
            for &(at, cost) in taken.iter().skip(first) {
                sum += u128::from(cost);
                let window = u128::from(window_ms) * 1_000_000;
                let share = u128::from(units) * (window + u128::from(at - taken[first].0));
                prop_assert!((sum - 1) * window <= share, "{sum} within {} ns", at - taken[first].0);
            }
        }
    }

    /// Corrections and refunds in any order never make room that an exact account would not have.
    #[test]
    fn corrections_never_create_units(
        steps in prop::collection::vec((0_u64..20_000, 1_u64..400, 0_u64..600, any::<bool>()), 1..100),
    ) {
        let (start, quota) = (Instant::now(), quota(1_000, MINUTE));
        let (gcra, mut now, mut admitted) = (Gcra::new(start), 0_u64, 0_u64);
        let mut open = VecDeque::new();
        for (wait, cost, actual, settle) in steps {
            now += wait;
            let at = start + Duration::from_millis(now);
            if let Ok(charge) = gcra.try_take(&quota, cost, at) {
                open.push_back((charge, actual));
            }
            if settle && let Some((charge, actual)) = open.pop_front() {
                gcra.correct(&quota, charge, actual.min(charge.units()), at);
                admitted += actual.min(charge.units());
            }
        }
        let outstanding: u64 = open.iter().map(|(charge, _)| charge.units()).sum();
        prop_assert!((admitted + outstanding) * 60_000 <= 1_000 * (60_000 + now) + 60_000);
    }
}
