//! A table of scenarios over `decide`: which models are tried, in which order, or why none is.

mod admission;
mod choice;
#[path = "decide/policy.rs"]
mod policies;

use router_core::Band;

use crate::ask::{Ask, ask};
use crate::policy::{Policy, model, policy};
use crate::world::World;

struct Scenario {
    name: &'static str,
    policy: Policy,
    /// Models whose breaker is open.
    broken: &'static [&'static str],
    ask: Ask,
    want: Want,
}

enum Want {
    /// These models, in this order.
    Order(&'static [&'static str]),
    /// This refusal.
    Code(&'static str),
}

use Want::{Code, Order};

fn scenario(name: &'static str, policy: Policy, ask: Ask, want: Want) -> Scenario {
    Scenario { name, policy, broken: &[], ask, want }
}

fn broken(
    name: &'static str,
    policy: Policy,
    broken: &'static [&'static str],
    ask: Ask,
    want: Want,
) -> Scenario {
    Scenario { name, policy, broken, ask, want }
}

/// A cheap internal model and a dear, better external one.
fn two() -> Policy {
    policy()
        .internal("small", model().price(0.05, 0.08).tier(1))
        .external("big", model().price(2.5, 10.0).tier(3))
}

/// Two of each placement.
fn four() -> Policy {
    policy()
        .external("dear", model().price(5.0, 20.0).tier(3))
        .external("fair", model().price(2.0, 8.0).tier(3))
        .internal("slow", model().price(0.2, 0.4).tier(2))
        .internal("quick", model().price(0.1, 0.2).tier(1))
}

/// A question of about so many tokens.
fn long(complexity: &str, tokens: usize) -> Ask {
    ask(&format!("{complexity}{}", " word".repeat(tokens)))
}

#[test]
fn every_scenario() {
    let groups = [
        choice::bands(),
        choice::objectives(),
        choice::limits_of_cost(),
        choice::health(),
        admission::capabilities(),
        admission::context(),
        admission::placements(),
        admission::out_of_domain(),
        policies::rules(),
        policies::names(),
    ];
    let scenarios: Vec<Scenario> = groups.into_iter().flatten().collect();
    assert!(scenarios.len() >= 80, "{} scenarios", scenarios.len());
    let failures: Vec<String> = scenarios.iter().filter_map(failure).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What went otherwise than wanted.
fn failure(scenario: &Scenario) -> Option<String> {
    let world = World::of(&scenario.policy);
    for model in scenario.broken {
        world.break_down(model);
    }
    let decided = world.decide(&scenario.ask);
    let got = match &decided {
        Ok(decision) => format!("{:?}", world.order(decision)),
        Err(rejection) => rejection.reason.code().to_owned(),
    };
    let want = match scenario.want {
        Order(order) => format!("{order:?}"),
        Code(code) => code.to_owned(),
    };
    (got != want).then(|| format!("{}: wanted {want}, got {got}", scenario.name))
}

#[test]
fn the_band_stands_in_the_receipt() {
    let world = World::of(&two());
    for (complexity, band) in [
        ("0.0", Band::Internal),
        ("0.4", Band::Internal),
        ("0.400001", Band::Hybrid),
        ("0.8", Band::Hybrid),
        ("0.800001", Band::External),
        ("1.0", Band::External),
    ] {
        let receipt = world.decide(&ask(complexity)).expect("admitted").receipt;
        assert_eq!(receipt.band, band, "{complexity}");
    }
}

#[test]
fn a_decision_changes_nothing() {
    let world = World::of(&two());
    let first = world.decide(&ask("0.5")).expect("admitted");
    for _ in 0..100 {
        let again = world.decide(&ask("0.5")).expect("admitted");
        assert_eq!(world.order(&again), world.order(&first));
        assert_eq!(format!("{:?}", again.receipt), format!("{:?}", first.receipt));
    }
    assert_eq!((world.in_flight("small"), world.in_flight("big")), (0, 0));
}

#[test]
fn chance_shares_the_load_among_equals() {
    let policy =
        policy().internal("a", model()).internal("b", model()).internal("dear", model().price(9.0, 9.0));
    let world = World::of(&policy);
    let ask = ask("0.1");
    let digest = ask.digest(&world.state.fingerprint_key);
    let first = |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let decided =
            router_core::decide(&world.snapshot, &world.state, &ask.route(&digest), world.now, &mut rng);
        let decision = decided.expect("admitted");
        assert_eq!(world.order(&decision)[2], "dear");
        world.order(&decision)[0] == "a"
    };
    let share = (0..1_000).filter(|seed| first(*seed)).count();
    assert!((400..=600).contains(&share), "{share} of 1,000");
}
