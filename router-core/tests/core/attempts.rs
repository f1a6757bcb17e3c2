//! What attempts hold, what they leave behind, and when a breaker opens and closes. Time only moves by hand.

use std::sync::Barrier;
use std::time::Duration;

use router_core::{Outcome, Phase, Refused, Settled, TokenUsage};

use crate::ask::ask;
use crate::policy::{model, policy};
use crate::world::{FAILURE, World, rng};

const SUCCESS: Outcome = Outcome::Success { answer_tokens: 0 };
const RATE_LIMITED: Outcome = Outcome::RateLimited { retry_after: None };
/// The first wait of the breakers that [`policy`] sets.
const RECOVERY: Duration = Duration::from_secs(60);
/// No wait is longer.
const LONGEST_RECOVERY: Duration = Duration::from_secs(300);

fn world() -> World {
    World::of(&policy().internal("small", model()).external("big", model()))
}

fn phase(world: &World) -> Phase {
    world.state.model(world.id("small")).expect("known").health.breaker().phase(world.now)
}

#[track_caller]
fn assert_open(world: &World) {
    assert!(matches!(phase(world), Phase::Open { .. }), "{:?}", phase(world));
}

/// A world in which `small` has just failed often enough.
fn open() -> World {
    let world = world();
    world.break_down("small");
    assert_open(&world);
    world
}

#[test]
fn an_attempt_is_in_flight_until_it_is_settled_or_dropped() {
    let world = world();
    let first = world.begin("small", false).expect("admitted");
    let second = world.begin("small", false).expect("admitted");
    let other = world.begin("big", false).expect("admitted");
    assert_eq!((world.in_flight("small"), world.in_flight("big")), (2, 1));
    assert_eq!(first.model(), world.id("small"));
    first.record(SUCCESS, world.now);
    assert_eq!(world.in_flight("small"), 1);
    drop(second);
    assert_eq!(world.in_flight("small"), 0);
    other.record(FAILURE, world.now);
    assert_eq!(world.in_flight("big"), 0);
}

#[test]
fn failures_in_a_row_open_the_breaker() {
    let mut world = world();
    world.settle("small", FAILURE, 2);
    assert_eq!(phase(&world), Phase::Closed);
    world.wait(Duration::from_secs(1));
    world.settle("small", SUCCESS, 1);
    world.wait(Duration::from_secs(1));
    world.settle("small", FAILURE, 2);
    assert_eq!(phase(&world), Phase::Closed, "a success starts the count again");
    world.settle("small", FAILURE, 1);
    assert_open(&world);
    assert!(matches!(world.begin("small", false), Err(Refused::Tripped(_))));
    assert!(world.begin("small", true).is_ok(), "the last one standing is always tried");
    assert!(world.begin("big", false).is_ok(), "the other model is not touched");
}

#[test]
fn only_the_providers_failures_count() {
    for innocent in [Outcome::CallerFault, RATE_LIMITED, Outcome::Cancelled, Outcome::Outrun] {
        let world = world();
        world.settle("small", FAILURE, 2);
        world.settle("small", innocent, 1_000);
        assert_eq!(phase(&world), Phase::Closed, "{innocent:?}");
        assert_eq!(world.in_flight("small"), 0);
        world.settle("small", FAILURE, 1);
        assert_open(&world);
    }
}

#[test]
fn dropped_attempts_never_count() {
    let world = world();
    for _ in 0..1_000 {
        drop(world.begin("small", false).expect("admitted"));
    }
    assert_eq!(phase(&world), Phase::Closed);
    assert_eq!(world.in_flight("small"), 0);
}

#[test]
fn a_provider_that_asks_to_be_left_alone_is() {
    let mut world = world();
    let minute = Outcome::RateLimited { retry_after: Some(Duration::from_secs(20)) };
    world.settle("small", minute, 1);
    assert!(matches!(world.begin("small", false), Err(Refused::Limited { .. })));
    let decision = world.decide(&ask("0.1")).expect("admitted");
    assert_eq!(world.order(&decision), ["big"]);
    world.wait(Duration::from_secs(21));
    assert!(world.begin("small", false).is_ok());
    assert_eq!(phase(&world), Phase::Closed, "it was never ill");
}

#[test]
fn the_breaker_half_opens_when_its_time_is_up() {
    let mut world = open();
    world.wait(RECOVERY - Duration::from_millis(1));
    assert_open(&world);
    world.wait(Duration::from_millis(1));
    assert_eq!(phase(&world), Phase::HalfOpen);
    let decision = world.decide(&ask("0.1")).expect("admitted");
    assert_eq!(world.order(&decision), ["small", "big"], "the probe may be made");
}

#[test]
fn one_probe_decides() {
    let half_open = |phase| phase == Phase::HalfOpen;
    let cases: [(Outcome, &dyn Fn(Phase) -> bool); 5] = [
        (SUCCESS, &|phase| phase == Phase::Closed),
        (FAILURE, &|phase| matches!(phase, Phase::Open { .. })),
        // Nothing was learned.
        (Outcome::CallerFault, &half_open),
        (RATE_LIMITED, &half_open),
        (Outcome::Cancelled, &half_open),
    ];
    for (outcome, after) in cases {
        let mut world = open();
        world.wait(RECOVERY);
        let probe = world.begin("small", false).expect("the probe");
        assert!(matches!(world.begin("small", false), Err(Refused::Tripped(_))), "one probe at a time");
        let decision = world.decide(&ask("0.1")).expect("admitted");
        assert_eq!(world.order(&decision), ["big"], "while the probe is out, others go elsewhere");
        probe.record(outcome, world.now);
        assert!(after(phase(&world)), "{outcome:?}: {:?}", phase(&world));
    }
}

#[test]
fn a_failed_probe_waits_longer() {
    let mut world = open();
    world.wait(RECOVERY);
    world.begin("small", false).expect("the probe").record(FAILURE, world.now);
    world.wait(RECOVERY);
    assert_open(&world);
    world.wait(RECOVERY / 2);
    world
        .begin("small", false)
        .expect("the next probe, after one and a half times")
        .record(SUCCESS, world.now);
    assert_eq!(phase(&world), Phase::Closed);
    world.settle("small", FAILURE, 2);
    assert_eq!(phase(&world), Phase::Closed, "the count begins anew");
}

#[test]
fn a_dropped_probe_can_be_made_again() {
    let mut world = open();
    world.wait(RECOVERY);
    for _ in 0..10 {
        drop(world.begin("small", false).expect("the probe is free again"));
    }
    world.begin("small", false).expect("the probe").record(SUCCESS, world.now);
    assert_eq!(phase(&world), Phase::Closed);
}

#[test]
fn a_probes_first_token_closes_the_breaker() {
    let mut world = open();
    world.wait(RECOVERY);
    let mut probe = world.begin("small", false).expect("the probe");
    assert_eq!(phase(&world), Phase::HalfOpen);
    probe.first_token(world.now);
    assert_eq!(phase(&world), Phase::Closed, "nobody waits for the end of its stream");
    assert!(world.begin("small", false).is_ok());
}

#[test]
fn of_many_threads_one_gets_the_probe() {
    const THREADS: usize = 16;
    let mut world = open();
    for round in 0..50 {
        world.wait(LONGEST_RECOVERY);
        assert_eq!(phase(&world), Phase::HalfOpen);
        let (start, all_tried) = (Barrier::new(THREADS), Barrier::new(THREADS));
        let one_try = || {
            start.wait();
            let attempt = world.begin("small", false);
            // Nobody lets go before all have tried.
            all_tried.wait();
            let claimed = usize::from(attempt.is_ok());
            if let Ok(probe) = attempt {
                probe.record(FAILURE, world.now);
            }
            claimed
        };
        let probes: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..THREADS).map(|_| scope.spawn(one_try)).collect();
            tries.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(probes, 1, "round {round}");
        assert_open(&world);
    }
    assert_eq!(world.in_flight("small"), 0);
}

#[test]
fn stragglers_of_an_outage_neither_close_nor_reopen() {
    let mut world = world();
    let late_success = world.begin("small", false).expect("admitted");
    let late_failures: Vec<_> = (0..5).map(|_| world.begin("small", false).expect("admitted")).collect();
    world.break_down("small");
    late_success.record(SUCCESS, world.now);
    assert_open(&world);
    world.wait(RECOVERY);
    world.begin("small", false).expect("the probe").record(SUCCESS, world.now);
    for straggler in late_failures {
        straggler.record(FAILURE, world.now);
    }
    assert_eq!(phase(&world), Phase::Closed);
}

#[test]
fn breakers_outlive_a_reload() {
    let mut world = open();
    world.reload(&policy().external("other", model()).internal("small", model()));
    assert_open(&world);
    let decision = world.decide(&ask("0.1")).expect("admitted");
    assert_eq!(world.order(&decision), ["other"]);
}

#[test]
fn the_last_one_standing_is_tried_whatever_is_known() {
    let world = open();
    world.break_down("big");
    let decision = world.decide(&ask("0.1")).expect("admitted");
    let [last] = &decision.candidates[..] else { panic!("{:?}", world.order(&decision)) };
    assert!(last.last_standing);
    let attempt = router_core::begin(&world.snapshot, &world.state, last, world.now, &mut rng());
    attempt.expect("always tried").record(SUCCESS, world.now);
    assert_eq!(phase(&world), Phase::Closed, "and closes the breaker if it goes well");
}

#[test]
fn successes_teach_first_token_and_answer_length() {
    let mut world = world();
    let answer = |output| Settled::success(Some(TokenUsage { output, ..TokenUsage::default() }));
    let length = |world: &World| world.state.model(world.id("small")).expect("known").mean_output_tokens(0);
    let first_token = |world: &World| {
        let health = &world.state.model(world.id("small")).expect("known").health;
        health.view(&router_core::HealthSettings::default(), world.now).first_token
    };
    assert_eq!((first_token(&world), length(&world)), (None, None));
    let mut attempt = world.begin("small", false).expect("admitted");
    world.wait(Duration::from_millis(200));
    attempt.first_token(world.now);
    world.wait(Duration::from_secs(10));
    attempt.record(answer(500), world.now);
    let seen = first_token(&world).expect("seen");
    assert!(seen > Duration::from_millis(100) && seen <= Duration::from_millis(200), "{seen:?}");
    assert_eq!(length(&world), Some(500));
    world.settle("small", answer(100), 200);
    let mean = length(&world).expect("seen");
    assert!((100..=105).contains(&mean), "{mean}");
    world.settle("small", FAILURE, 2);
    assert_eq!(length(&world), Some(mean), "failures teach neither");
}

#[test]
fn a_model_of_another_state_is_refused() {
    let (world, other) = (world(), World::of(&policy().internal("only", model())));
    let decision = world.decide(&ask("0.9")).expect("admitted");
    let candidate = &decision.candidates[0];
    let refused = router_core::begin(&other.snapshot, &other.state, candidate, other.now, &mut rng());
    assert_eq!(refused.err(), Some(Refused::Saturated { limit: 0 }));
}
