use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
const NOBODY: Spender = Spender(0);

fn noon() -> SystemTime {
    "2026-11-20T12:00:00Z".parse::<Timestamp>().unwrap().into()
}

fn usd(nanos: u64) -> Usd {
    Usd::from_nanos(nanos)
}

fn terms(limit: u64) -> Arc<Terms> {
    let alerts = Levels::default();
    let limit = usd(limit);
    Arc::new(Terms { name: "tenants.a.day".into(), limit, alerts, zone: TimeZone::UTC, spenders: 0 })
}

fn alerting(limit: u64, levels: &[u64]) -> Arc<Terms> {
    let levels = Levels::try_new(levels.iter().map(|nanos| usd(*nanos)).collect()).unwrap();
    Arc::new(Terms { alerts: levels, ..Terms::clone(&terms(limit)) })
}

fn daily(terms: &Terms) -> Budget {
    Budget::try_new(Period::Day, terms, noon()).unwrap()
}

fn standing(budget: &Budget, terms: &Terms, now: SystemTime) -> (u64, u64) {
    let balance = budget.balance(terms, now);
    (balance.spent.nanos(), balance.reserved.nanos())
}

#[test]
fn what_is_reserved_cannot_be_reserved_again() {
    let terms = terms(100);
    let budget = daily(&terms);
    let first = budget.try_reserve(&terms, usd(70), NOBODY, noon()).unwrap();

    let refusal = budget.try_reserve(&terms, usd(31), NOBODY, noon()).unwrap_err();
    assert_eq!((refusal.free, refusal.first, refusal.culprit), (usd(30), true, None));
    assert_eq!(refusal.until, noon() + DAY / 2);
    assert!(!budget.try_reserve(&terms, usd(31), NOBODY, noon()).unwrap_err().first, "announced once");

    assert!(first.settle(usd(10)).is_empty());
    let _rest = budget.try_reserve(&terms, usd(90), NOBODY, noon()).unwrap();
    assert_eq!(standing(&budget, &terms, noon()), (10, 90));
}

#[test]
fn what_costs_nothing_passes_an_exhausted_budget() {
    let terms = terms(0);
    let budget = daily(&terms);
    assert!(budget.try_reserve(&terms, Usd::ZERO, NOBODY, noon()).is_ok());
    assert!(budget.try_reserve(&terms, usd(1), NOBODY, noon()).is_err());
}

#[test]
fn a_dropped_reservation_is_free_before_sending_and_charged_after() {
    let terms = terms(100);
    let budget = daily(&terms);
    drop(budget.try_reserve(&terms, usd(40), NOBODY, noon()).unwrap());
    assert_eq!(standing(&budget, &terms, noon()), (0, 0));

    let mut sent = budget.try_reserve(&terms, usd(40), NOBODY, noon()).unwrap();
    sent.when_abandoned(Abandoned::Charge);
    drop(sent);
    assert_eq!(standing(&budget, &terms, noon()), (40, 0));

    let mut refused = budget.try_reserve(&terms, usd(40), NOBODY, noon()).unwrap();
    refused.when_abandoned(Abandoned::Charge);
    refused.release();
    assert_eq!(standing(&budget, &terms, noon()), (40, 0));
}

#[test]
fn an_answer_that_grows_extends_its_reservation_until_the_money_is_gone() {
    let terms = terms(100);
    let budget = daily(&terms);
    let mut stream = budget.try_reserve(&terms, usd(40), NOBODY, noon()).unwrap();
    stream.try_extend(usd(40)).unwrap();
    assert_eq!(stream.try_extend(usd(21)).unwrap_err().free, usd(20));
    assert_eq!(stream.amount(), usd(80));
    stream.settle(usd(80));
    assert_eq!(standing(&budget, &terms, noon()), (80, 0));
}

#[test]
fn what_a_provider_charged_counts_even_beyond_the_limit_and_without_wrapping() {
    let terms = terms(100);
    let budget = daily(&terms);
    let other = budget.try_reserve(&terms, usd(10), NOBODY, noon()).unwrap();
    budget.try_reserve(&terms, usd(50), NOBODY, noon()).unwrap().settle(usd(150));
    assert_eq!(standing(&budget, &terms, noon()), (150, 10));

    budget.reserve(&terms, usd(5), NOBODY, noon()).settle(Usd::MAX);
    other.settle(usd(1));
    assert!(budget.try_reserve(&terms, usd(1), NOBODY, noon()).is_err(), "absurd usage emptied the budget");
    assert_eq!(budget.balance(&terms, noon()).spent, Usd::MAX);
}

#[test]
fn a_lower_limit_holds_for_those_that_come() {
    let (wide, narrow) = (terms(100), terms(30));
    let budget = daily(&wide);
    let held = budget.try_reserve(&wide, usd(50), NOBODY, noon()).unwrap();
    assert_eq!(budget.try_reserve(&narrow, usd(1), NOBODY, noon()).unwrap_err().free, Usd::ZERO);
    held.settle(usd(20));
    assert!(budget.try_reserve(&narrow, usd(10), NOBODY, noon()).is_ok());
}

#[test]
fn a_reservation_settles_in_the_window_in_which_it_was_made() {
    let terms = terms(100);
    let budget = daily(&terms);
    let evening = budget.try_reserve(&terms, usd(100), NOBODY, noon()).unwrap();
    let tomorrow = noon() + DAY;

    let morning = budget.try_reserve(&terms, usd(100), NOBODY, tomorrow).unwrap();
    evening.settle(usd(90));
    assert_eq!(standing(&budget, &terms, tomorrow), (0, 100));
    morning.settle(usd(60));
    assert_eq!(standing(&budget, &terms, tomorrow), (60, 0));
}

#[test]
fn turning_the_clock_back_and_forth_spends_no_money_twice() {
    let terms = terms(100);
    let budget = daily(&terms);
    budget.try_reserve(&terms, usd(100), NOBODY, noon()).unwrap().settle(usd(100));

    for days in [0.0, -0.6, -1.0, 0.0, -2.0, -40.0, 0.3, -2.0, -40.0, 0.0] {
        let now = noon() - DAY * 50 + DAY.mul_f64(50.0 + days);
        assert!(budget.try_reserve(&terms, usd(1), NOBODY, now).is_err(), "{days}");
    }
}

#[test]
fn a_clock_that_ran_ahead_and_is_set_right_takes_its_spending_along() {
    let terms = terms(100);
    let ahead = noon() + DAY * 400;
    let budget = Budget::try_new(Period::Day, &terms, ahead).unwrap();
    budget.try_reserve(&terms, usd(30), NOBODY, ahead).unwrap().settle(usd(30));
    let held = budget.try_reserve(&terms, usd(20), NOBODY, ahead).unwrap();

    assert_eq!(standing(&budget, &terms, noon()), (50, 0), "what was reserved counts as spent");
    held.settle(usd(1));
    assert_eq!(standing(&budget, &terms, noon()), (50, 0));
    assert_eq!(standing(&budget, &terms, noon() + DAY), (0, 0), "the next day starts anew");
    assert_eq!(standing(&budget, &terms, ahead), (31, 0), "a window that was opened is found again");
}

#[test]
fn each_level_is_announced_once_a_window() {
    let terms = alerting(1_000, &[500, 100, 900]);
    let budget = daily(&terms);
    let spend = |nanos, now| {
        let alerts = budget.reserve(&terms, usd(nanos), NOBODY, now).settle(usd(nanos));
        alerts.iter().map(|alert| alert.level.nanos()).collect::<Vec<_>>()
    };
    assert_eq!(spend(99, noon()), [0_u64; 0]);
    assert_eq!(spend(1, noon()), [100]);
    assert_eq!(spend(10, noon()), [0_u64; 0]);
    assert_eq!(spend(800, noon()), [500, 900]);
    assert_eq!(spend(800, noon()), [0_u64; 0]);
    assert_eq!(spend(100, noon() + DAY), [100]);
}

#[test]
fn an_alert_says_which_budget_and_how_much() {
    let terms = alerting(1_000, &[500]);
    let budget = daily(&terms);
    let alerts = budget.reserve(&terms, usd(1), NOBODY, noon()).settle(usd(600));
    let alert = Alert {
        budget: "tenants.a.day".into(),
        period: Period::Day,
        level: usd(500),
        spent: usd(600),
        limit: usd(1_000),
    };
    assert_eq!(alerts.as_slice(), [alert]);
}

#[test]
fn a_budget_takes_at_most_thirty_one_levels() {
    assert!(Levels::try_new((1..=31).map(usd).collect()).is_some());
    assert!(Levels::try_new((1..=32).map(usd).collect()).is_none());
    let terms = alerting(100, &(1..=31).collect::<Vec<_>>());
    let budget = daily(&terms);
    assert_eq!(budget.reserve(&terms, usd(1), NOBODY, noon()).settle(usd(31)).len(), 31);
    assert!(budget.try_reserve(&terms, usd(70), NOBODY, noon()).unwrap_err().first);
}

#[test]
fn the_spike_guard_names_who_caused_it() {
    let terms = Arc::new(Terms { spenders: 8, ..Terms::clone(&terms(1_000)) });
    let budget = daily(&terms);
    for (spender, nanos) in [(1, 100), (5, 600), (2, 250)] {
        budget.try_reserve(&terms, usd(nanos), Spender(spender), noon()).unwrap().settle(usd(nanos));
    }
    let refusal = budget.try_reserve(&terms, usd(51), Spender(1), noon()).unwrap_err();
    assert_eq!(refusal.culprit, Some(Culprit { spender: Some(Spender(5)), committed: usd(600) }));
    let text = refusal.to_string();
    assert_eq!(text, "budget tenants.a.day has $0.00000005 left this day");
}

#[test]
fn money_is_set_aside_in_all_budgets_or_in_none() {
    let (wide, narrow) = (terms(1_000), terms(100));
    let (key, tenant) = (daily(&wide), daily(&narrow));
    let both = [(&key, &wide), (&tenant, &narrow)];

    assert!(Hold::try_new(both, usd(101), NOBODY, noon()).is_err());
    assert_eq!(standing(&key, &wide, noon()), (0, 0));

    let mut hold = Hold::try_new(both, usd(60), NOBODY, noon()).unwrap();
    assert!(hold.try_extend(usd(41)).is_err());
    assert_eq!((hold.amount(), standing(&key, &wide, noon())), (usd(60), (0, 60)));
    hold.try_extend(usd(40)).unwrap();
    hold.settle(usd(90));
    assert_eq!(standing(&key, &wide, noon()), (90, 0));
    assert_eq!(standing(&tenant, &narrow, noon()), (90, 0));
    assert!(Hold::try_new(both, usd(11), NOBODY, noon()).is_err());
    Hold::new(both, usd(11), NOBODY, noon()).settle(usd(11));
    assert_eq!(standing(&tenant, &narrow, noon()), (101, 0));
}

#[test]
fn a_restarted_process_counts_what_belongs_to_the_open_window() {
    let terms = terms(100);
    let budget = daily(&terms);
    assert!(budget.restore(usd(70), NOBODY, noon() - DAY / 2));
    assert!(!budget.restore(usd(70), NOBODY, noon() - DAY));
    assert_eq!(standing(&budget, &terms, noon()), (70, 0));
}

/// A small generator: tests must not depend on a clock or the system's randomness.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One request of the storm: reserved, perhaps extended, then settled, released or dropped. What it spent.
fn request(budget: &Budget, terms: &Arc<Terms>, now: SystemTime, rng: &mut Rng) -> Option<(SystemTime, u64)> {
    let amount = 1 + rng.below(1_000);
    let mut held = budget.try_reserve(terms, usd(amount), NOBODY, now).ok()?;
    let window = held.window.span.start();
    assert!(held.window.account.committed() <= terms.limit.nanos(), "overspent");
    if rng.below(4) == 0 {
        let _ = held.try_extend(usd(rng.below(500)));
    }
    let held_nanos = held.amount().nanos();
    let spent = match rng.below(8) {
        0 => {
            held.release();
            0
        }
        1 => {
            held.when_abandoned(Abandoned::Charge);
            drop(held);
            held_nanos
        }
        2 => {
            drop(held);
            0
        }
        _ => {
            let actual = rng.below(held_nanos + 1).min(rng.below(60));
            held.settle(usd(actual));
            actual
        }
    };
    Some((window, spent))
}

#[test]
fn sixty_four_threads_overspend_nothing_and_every_sum_is_exact() {
    let requests: u64 = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    // About a quarter of what the storm would spend, so that the end is fought over.
    let terms = terms(requests * 64 * 10);
    let budget = daily(&terms);
    let (spent, denied) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let (budget, terms, spent, denied) = (&budget, &terms, &spent, &denied);
            scope.spawn(move || {
                let mut rng = Rng(0x9e37_79b9_7f4a_7c15 ^ (thread + 1));
                for _ in 0..requests {
                    match request(budget, terms, noon(), &mut rng) {
                        Some((_, nanos)) => spent.fetch_add(nanos, Ordering::Relaxed),
                        None => denied.fetch_add(1, Ordering::Relaxed),
                    };
                }
            });
        }
    });
    let spent = spent.into_inner();
    assert_eq!(standing(&budget, &terms, noon()), (spent, 0));
    assert!(spent <= terms.limit.nanos());
    assert!(denied.into_inner() > 0, "the limit was never reached: the test shows nothing");
}

#[test]
fn midnight_under_load_moves_no_money() {
    let requests: u64 = if cfg!(debug_assertions) { 5_000 } else { 100_000 };
    let terms = terms(requests * 60);
    let budget = daily(&terms);
    let clock = AtomicU64::new(0);
    let spent = Mutex::new(BTreeMap::<SystemTime, u64>::new());
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let (budget, terms, clock, spent) = (&budget, &terms, &clock, &spent);
            scope.spawn(move || {
                let mut rng = Rng(0xd1b5_4a32_d192_ed03 ^ (thread + 1));
                let mut own = BTreeMap::new();
                for _ in 0..requests {
                    // The whole storm lasts four days.
                    let tick = clock.fetch_add(1, Ordering::Relaxed);
                    let now = noon() + DAY.mul_f64(4.0 * tick as f64 / (64 * requests) as f64);
                    if let Some((window, nanos)) = request(budget, terms, now, &mut rng) {
                        *own.entry(window).or_default() += nanos;
                    }
                }
                let mut spent = spent.lock().unwrap();
                own.into_iter()
                    .for_each(|(window, nanos): (_, u64)| *spent.entry(window).or_default() += nanos);
            });
        }
    });
    let spent = spent.into_inner().unwrap();
    assert_eq!(spent.len(), 5);
    assert!(spent.values().all(|nanos| *nanos <= terms.limit.nanos()));
    let last = budget.balance(&terms, noon() + DAY * 4 - Duration::from_secs(1));
    assert_eq!((last.spent.nanos(), last.reserved), (spent[&last.span.start()], Usd::ZERO));
}

#[test]
fn every_alert_comes_exactly_once_from_sixty_four_threads() {
    let levels: Vec<u64> = (1..=20).map(|level| level * 3_000).collect();
    let terms = alerting(64 * 1_000, &levels);
    let budget = daily(&terms);
    let mut seen: Vec<u64> = std::thread::scope(|scope| {
        let spend = || {
            let alerts =
                (0..1_000).flat_map(|_| budget.reserve(&terms, usd(1), NOBODY, noon()).settle(usd(1)));
            alerts.map(|alert| alert.level.nanos()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(spend)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    seen.sort_unstable();
    assert_eq!(seen, levels);
}

proptest! {
    /// Against plain sums: any order of reservations, extensions and ends, over several windows.
    #[test]
    fn the_balance_is_what_a_plain_sum_says(
        steps in prop::collection::vec((0_u64..30_000, 0_usize..5, 0_usize..8, 0_u64..500), 1..200),
    ) {
        let terms = terms(2_000);
        let budget = daily(&terms);
        let (mut now, mut open, mut spent) = (noon(), Vec::new(), BTreeMap::<SystemTime, u64>::new());
        for (seconds, step, which, nanos) in steps {
            now += Duration::from_secs(seconds);
            let window = budget.balance(&terms, now).span.start();
            let held = |open: &Vec<(Reservation, SystemTime)>, window| -> u64 {
                open.iter().filter(|(_, of)| *of == window).map(|(held, _)| held.amount().nanos()).sum()
            };
            let which = which % open.len().max(1);
            match step {
                0 | 1 => {
                    let room = 2_000 - held(&open, window) - spent.get(&window).copied().unwrap_or(0);
                    let made = budget.try_reserve(&terms, usd(nanos), NOBODY, now);
                    prop_assert_eq!(made.is_ok(), nanos <= room);
                    open.extend(made.into_iter().map(|held| (held, window)));
                }
                2 if !open.is_empty() => {
                    let of = open[which].1;
                    let room = 2_000 - held(&open, of) - spent.get(&of).copied().unwrap_or(0);
                    prop_assert_eq!(open[which].0.try_extend(usd(nanos)).is_ok(), nanos <= room);
                }
                3 if !open.is_empty() => {
                    let (held, of) = open.swap_remove(which);
                    let actual = nanos.min(held.amount().nanos());
                    held.settle(usd(actual));
                    *spent.entry(of).or_default() += actual;
                }
                4 if !open.is_empty() => drop(open.swap_remove(which)),
                _ => {}
            }
            let expected = (spent.get(&window).copied().unwrap_or(0), held(&open, window));
            prop_assert_eq!(standing(&budget, &terms, now), expected);
        }
    }
}
