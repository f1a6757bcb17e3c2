//! What attempts hold, what they leave behind, and when a breaker opens and closes. Time only moves by hand.

use std::sync::Barrier;
use std::time::Duration;

use router_core::{BreakerState, Outcome, Refused, TokenUsage};

use crate::ask::ask;
use crate::policy::{model, policy};
use crate::world::World;

const SUCCESS: Outcome = Outcome::Success { first_token: Duration::from_millis(100), usage: None };
/// What [`policy`] sets.
const RECOVERY: Duration = Duration::from_secs(60);

fn world() -> World {
    World::of(&policy().internal("small", model()).external("big", model()))
}

fn breaker(world: &World) -> BreakerState {
    world.state.model(world.id("small")).expect("known").breaker.state(world.now)
}

/// A world in which `small` has just failed often enough.
fn open() -> World {
    let world = world();
    world.settle("small", Outcome::Failure, 3);
    assert_eq!(breaker(&world), BreakerState::Open);
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
    other.record(Outcome::Failure, world.now);
    assert_eq!(world.in_flight("big"), 0);
}

#[test]
fn failures_in_a_row_open_the_breaker() {
    let world = world();
    world.settle("small", Outcome::Failure, 2);
    assert_eq!(breaker(&world), BreakerState::Closed);
    world.settle("small", SUCCESS, 1);
    world.settle("small", Outcome::Failure, 2);
    assert_eq!(breaker(&world), BreakerState::Closed, "a success starts the count again");
    world.settle("small", Outcome::Failure, 1);
    assert_eq!(breaker(&world), BreakerState::Open);
    assert_eq!(world.begin("small", false).err(), Some(Refused::BreakerOpen));
    assert!(world.begin("small", true).is_ok(), "the last one standing is always tried");
    assert!(world.begin("big", false).is_ok(), "the other model is not touched");
}

#[test]
fn only_the_providers_failures_count() {
    for innocent in [Outcome::CallerFault, Outcome::RateLimited, Outcome::Cancelled] {
        let world = world();
        world.settle("small", Outcome::Failure, 2);
        world.settle("small", innocent, 1_000);
        assert_eq!(breaker(&world), BreakerState::Closed, "{innocent:?}");
        assert_eq!(world.in_flight("small"), 0);
        world.settle("small", Outcome::Failure, 1);
        assert_eq!(breaker(&world), BreakerState::Open, "{innocent:?} is no success, either");
    }
}

#[test]
fn dropped_attempts_never_count() {
    let world = world();
    for _ in 0..1_000 {
        drop(world.begin("small", false).expect("admitted"));
    }
    assert_eq!(breaker(&world), BreakerState::Closed);
}

#[test]
fn the_breaker_half_opens_when_its_time_is_up() {
    let mut world = open();
    world.wait(RECOVERY - Duration::from_nanos(1));
    assert_eq!(breaker(&world), BreakerState::Open);
    world.wait(Duration::from_nanos(1));
    assert_eq!(breaker(&world), BreakerState::HalfOpen);
    let decision = world.decide(&ask("0.1")).expect("admitted");
    assert_eq!(world.order(&decision), ["small", "big"], "the probe may be made");
}

#[test]
fn one_probe_decides() {
    for (outcome, after) in [
        (SUCCESS, BreakerState::Closed),
        (Outcome::Failure, BreakerState::Open),
        // The provider was there and answered.
        (Outcome::CallerFault, BreakerState::Closed),
        (Outcome::RateLimited, BreakerState::Closed),
        // Nothing was learned.
        (Outcome::Cancelled, BreakerState::HalfOpen),
    ] {
        let mut world = open();
        world.wait(RECOVERY);
        let probe = world.begin("small", false).expect("the probe");
        assert_eq!(world.begin("small", false).err(), Some(Refused::BreakerOpen), "one probe at a time");
        let decision = world.decide(&ask("0.1")).expect("admitted");
        assert_eq!(world.order(&decision), ["big"], "while the probe is out, others go elsewhere");
        probe.record(outcome, world.now);
        assert_eq!(breaker(&world), after, "{outcome:?}");
    }
}

#[test]
fn a_failed_probe_waits_the_whole_time_again() {
    let mut world = open();
    world.wait(RECOVERY);
    world.begin("small", false).expect("the probe").record(Outcome::Failure, world.now);
    world.wait(RECOVERY - Duration::from_nanos(1));
    assert_eq!(breaker(&world), BreakerState::Open);
    world.wait(Duration::from_nanos(1));
    world.begin("small", false).expect("the next probe").record(SUCCESS, world.now);
    assert_eq!(breaker(&world), BreakerState::Closed);
    world.settle("small", Outcome::Failure, 2);
    assert_eq!(breaker(&world), BreakerState::Closed, "the count begins anew");
}

#[test]
fn a_dropped_probe_can_be_made_again() {
    let mut world = open();
    world.wait(RECOVERY);
    for _ in 0..10 {
        drop(world.begin("small", false).expect("the probe is free again"));
    }
    world.begin("small", false).expect("the probe").record(SUCCESS, world.now);
    assert_eq!(breaker(&world), BreakerState::Closed);
}

#[test]
fn of_many_threads_one_gets_the_probe() {
    const THREADS: usize = 16;
    let mut world = open();
    for round in 0..50 {
        world.wait(RECOVERY);
        let (start, all_tried) = (Barrier::new(THREADS), Barrier::new(THREADS));
        let probes: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let attempt = world.begin("small", false);
                        // Nobody lets go before all have tried.
                        all_tried.wait();
                        let claimed = usize::from(attempt.is_ok());
                        if let Ok(probe) = attempt {
                            probe.record(Outcome::Failure, world.now);
                        }
                        claimed
                    })
                })
                .collect();
            tries.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(probes, 1, "round {round}");
        assert_eq!(breaker(&world), BreakerState::Open);
    }
    assert_eq!(world.in_flight("small"), 0);
}

#[test]
fn a_late_success_closes_an_open_breaker() {
    let world = world();
    let slow = world.begin("small", false).expect("admitted");
    world.settle("small", Outcome::Failure, 3);
    assert_eq!(breaker(&world), BreakerState::Open);
    slow.record(SUCCESS, world.now);
    assert_eq!(breaker(&world), BreakerState::Closed);
}

#[test]
fn breakers_outlive_a_reload() {
    let mut world = open();
    world.reload(&policy().external("other", model()).internal("small", model()));
    assert_eq!(breaker(&world), BreakerState::Open);
    let decision = world.decide(&ask("0.1")).expect("admitted");
    assert_eq!(world.order(&decision), ["other"]);
}

#[test]
fn successes_teach_first_token_and_answer_length() {
    let world = world();
    let seen = || world.state.model(world.id("small")).expect("known");
    assert_eq!((seen().first_token(), seen().mean_output_tokens(1_000)), (None, None));
    let answer = |millis, output| Outcome::Success {
        first_token: Duration::from_millis(millis),
        usage: Some(TokenUsage { output, ..TokenUsage::default() }),
    };
    world.settle("small", answer(200, 500), 1);
    assert_eq!(seen().first_token(), Some(Duration::from_millis(200)));
    assert_eq!(seen().mean_output_tokens(1_000), Some(500));
    world.settle("small", answer(1_000, 100), 200);
    let first_token = seen().first_token().expect("seen").as_millis();
    assert!((950..=1_000).contains(&first_token), "{first_token}");
    let output = seen().mean_output_tokens(1_000).expect("seen");
    assert!((100..=105).contains(&output), "{output}");
    world.settle("small", Outcome::Failure, 5);
    assert_eq!(seen().mean_output_tokens(1_000), Some(output), "failures teach neither");
}

#[test]
fn a_model_of_another_state_is_refused() {
    let (world, other) = (world(), World::of(&policy().internal("only", model())));
    let decision = world.decide(&ask("0.9")).expect("admitted");
    let refused = router_core::begin(&other.snapshot, &other.state, &decision.candidates[0], true, other.now);
    assert_eq!(refused.err(), Some(Refused::UnknownModel));
}
