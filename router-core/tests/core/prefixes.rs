//! Where a prompt goes of which somebody has read the beginning: there, among equals, unless that one is overloaded.

use std::time::Duration;

use router_core::{Decision, Outcome, TenantId, decide};
use serde_json::json;

use crate::ask::{Ask, ask};
use crate::policy::{Policy, model, policy};
use crate::world::World;

const SUCCESS: Outcome = Outcome::Success { answer_tokens: 50 };

fn twins() -> Policy {
    policy().internal("one", model()).internal("two", model())
}

fn hosted_twins() -> Policy {
    policy().external("one", model()).external("two", model())
}

/// A question behind a system prompt of so many bytes.
fn behind(name: &str, bytes: usize, question: &str) -> Ask {
    let system: String =
        format!("You are {name}. ").chars().chain("Be brief. ".chars().cycle()).take(bytes).collect();
    ask("").with(
        "messages",
        json!([{"role": "system", "content": system}, {"role": "user", "content": question}]),
    )
}

fn decided(world: &World, ask: &Ask, seed: u64) -> Decision {
    let digest = ask.digest(&world.state.fingerprint_key);
    let mut rng = fastrand::Rng::with_seed(seed);
    decide(&world.snapshot, &world.state, &ask.route(&digest), world.now, &mut rng).expect("admitted")
}

/// Asks and answers; who has answered.
fn answered(world: &World, ask: &Ask, seed: u64) -> String {
    let decision = decided(world, ask, seed);
    let first = world.order(&decision)[0].to_owned();
    let attempt = world.begin(&first, false).expect("admitted").reading(decision.prefix);
    attempt.record(SUCCESS, world.now);
    first
}

/// Who answers fifty questions, one of them first.
fn who_answers(world: &World, make: impl Fn(u64) -> Ask) -> Vec<String> {
    let mut names: Vec<String> = (0..50).map(|number| answered(world, &make(number), number)).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn what_begins_alike_goes_where_it_was_read() {
    let world = World::of(&twins());
    let names = who_answers(&world, |number| behind("a clerk", 2_000, &format!("question {number}")));
    assert_eq!(names.len(), 1, "{names:?}");
    let names = who_answers(&world, |number| behind(&format!("number {number}"), 2_000, "a question"));
    assert_eq!(names.len(), 2, "others are drawn");
    let names = who_answers(&world, |number| behind("a guide", 200, &format!("question {number}")));
    assert_eq!(names.len(), 2, "a short beginning is read again in no time");
}

#[test]
fn hosted_providers_keep_only_long_prefixes() {
    let world = World::of(&hosted_twins());
    let shared = |bytes| move |number| behind("a clerk", bytes, &format!("question {number}"));
    assert_eq!(who_answers(&world, shared(2_000)).len(), 2);
    assert_eq!(who_answers(&world, shared(6_000)).len(), 1);
}

#[test]
fn tenants_have_prefixes_of_their_own() {
    let world = World::of(&twins());
    let names = who_answers(&world, |number| {
        behind("a clerk", 2_000, "question").tenant(TenantId::new(u16::try_from(number).unwrap()))
    });
    assert_eq!(names.len(), 2);
}

#[test]
fn an_overloaded_home_is_left_and_the_next_one_becomes_home() {
    let world = World::of(&twins());
    let question = |number: u64| behind("a clerk", 2_000, &format!("question {number}"));
    let home = answered(&world, &question(0), 0);
    let other = if home == "one" { "two" } else { "one" };
    let waiting: Vec<_> = (0..8).map(|_| world.begin(&home, false).expect("admitted")).collect();
    assert_eq!(answered(&world, &question(1), 1), other);
    drop(waiting);
    assert!(
        (2..30).all(|number| answered(&world, &question(number), number) == other),
        "it was read there last"
    );
}

#[test]
fn a_prefix_is_forgotten_when_providers_forget_it() {
    let mut world = World::of(&twins());
    let question = |number: u64| behind("a clerk", 2_000, &format!("question {number}"));
    let mut homes = std::collections::BTreeSet::new();
    for number in 0..50 {
        homes.insert(answered(&world, &question(number), number));
        world.wait(Duration::from_secs(302));
    }
    assert_eq!(homes.len(), 2);
}

#[test]
fn a_broken_home_is_no_home() {
    let world = World::of(&twins());
    let question = |number: u64| behind("a clerk", 2_000, &format!("question {number}"));
    let home = answered(&world, &question(0), 0);
    world.break_down(&home);
    assert!((1..20).all(|number| answered(&world, &question(number), number) != home));
}

/// Where price decides, the prompt's beginning is not even looked at.
#[test]
fn a_cheaper_model_goes_before_a_home() {
    let world = World::of(&policy().internal("dear", model().price(5.0, 5.0)).internal("cheap", model()));
    let decision = decided(&world, &behind("a clerk", 2_000, "question"), 0);
    assert_eq!(world.order(&decision), ["cheap", "dear"]);
    assert_eq!(decision.prefix.blocks().count(), 0);
}
