//! Every interleaving of a budget's arithmetic, by the `loom` model checker.
//!
//! The file under test is compiled a second time here, against loom's atomics; the scenarios are small because
//! the number of interleavings grows with every step.
#![allow(dead_code, missing_docs, unreachable_pub)]

use loom::sync::{Arc, atomic};
use loom::thread;

#[path = "../src/budget/account.rs"]
mod account;
use account::Account;

/// Loom explores schedules that differ in at most this many forced switches; three find every bug that two
/// threads of a handful of steps can have (Musuvathi and Qadeer, "Iterative context bounding", PLDI 2007).
const SWITCHES: usize = 3;

fn explore(scenario: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(SWITCHES);
    model.check(scenario);
}

#[test]
fn two_reservations_that_do_not_fit_together_are_never_both_made() {
    explore(|| {
        let account = Arc::new(Account::default());
        let reserve = |amount| {
            let account = Arc::clone(&account);
            thread::spawn(move || account.try_reserve(amount, 10).is_ok())
        };
        let (six, five) = (reserve(6), reserve(5));
        let made = (six.join().unwrap(), five.join().unwrap());
        assert!(made.0 ^ made.1, "exactly one fits: {made:?}");
        assert_eq!(account.committed(), if made.0 { 6 } else { 5 });
    });
}

#[test]
fn settling_and_releasing_beside_reservations_loses_nothing() {
    explore(|| {
        let account = Arc::new(Account::default());
        account.try_reserve(4, 10).unwrap();
        let settling = {
            let account = Arc::clone(&account);
            thread::spawn(move || account.settle(4, 3))
        };
        let asking = {
            let account = Arc::clone(&account);
            thread::spawn(move || {
                let made = account.try_reserve(7, 10).is_ok();
                assert!(account.committed() <= 10);
                if made {
                    account.release(7);
                }
            })
        };
        settling.join().unwrap();
        asking.join().unwrap();
        assert_eq!((account.committed(), account.spent()), (3, 3));
    });
}

#[test]
fn three_requests_from_start_to_end_stay_within_the_limit() {
    explore(|| {
        let account = Arc::new(Account::default());
        let request = |amount, actual| {
            let account = Arc::clone(&account);
            thread::spawn(move || {
                if account.try_reserve(amount, 10).is_err() {
                    return 0;
                }
                assert!(account.committed() <= 10);
                account.settle(amount, actual);
                actual
            })
        };
        let threads = [request(6, 2), request(7, 7)];
        let mut spent = 0;
        if account.try_reserve(3, 10).is_ok() {
            assert!(account.committed() <= 10);
            account.release(3);
        }
        for thread in threads {
            spent += thread.join().unwrap();
        }
        assert_eq!((account.committed(), account.spent()), (spent, spent));
    });
}

#[test]
fn an_absurd_charge_never_empties_the_account() {
    explore(|| {
        let account = Arc::new(Account::default());
        account.try_reserve(2, 10).unwrap();
        let absurd = {
            let account = Arc::clone(&account);
            thread::spawn(move || account.settle(0, u64::MAX))
        };
        account.settle(2, 1);
        absurd.join().unwrap();
        assert!(account.try_reserve(1, 10).is_err());
        assert_eq!(account.spent(), u64::MAX);
    });
}

#[test]
fn a_level_is_announced_by_exactly_one_thread() {
    explore(|| {
        let account = Arc::new(Account::default());
        let spend = |marks| {
            let account = Arc::clone(&account);
            thread::spawn(move || account.mark(marks))
        };
        let (one, two) = (spend(0b01), spend(0b11));
        let (one, two) = (one.join().unwrap(), two.join().unwrap());
        assert_eq!((one & two, one | two), (0, 0b11));
    });
}
