//! Every kind of condition, where it holds and where it doesn't.

use router_core::{Capability, Comparison, Condition, Dialect, Endpoint, Operator, Placement, TenantId};

use crate::ask::{Ask, ask};
use crate::policy::{model, policy, then};
use crate::world::World;

/// Whether a rule with these conditions matches.
fn matches(conditions: Vec<Condition>, ask: &Ask) -> bool {
    let policy = policy().internal("gpt-4o", model()).internal("claude", model().anthropic()).rule(
        "the-rule",
        conditions,
        then(),
    );
    let world = World::of(&policy);
    world.decide(ask).expect("admitted").receipt.rule.is_some()
}

#[track_caller]
fn check(condition: &Condition, holds: &[Ask], fails: &[Ask]) {
    for (at, ask) in holds.iter().enumerate() {
        assert!(matches(vec![condition.clone()], ask), "{condition:?} fails request {at}");
    }
    for (at, ask) in fails.iter().enumerate() {
        assert!(!matches(vec![condition.clone()], ask), "{condition:?} holds for request {at}");
    }
}

fn words(words: &[&str]) -> Box<[Box<str>]> {
    words.iter().map(|word| (*word).into()).collect()
}

fn compare<T>(operator: Operator, bound: T) -> Comparison<T> {
    Comparison { operator, bound }
}

#[test]
fn dialect_and_endpoint() {
    let chat = || ask("0.1");
    let messages = || ask("0.1").messages();
    check(&Condition::Dialect(Dialect::OpenAi), &[chat(), ask("0.1").embeddings()], &[messages()]);
    check(&Condition::Dialect(Dialect::Anthropic), &[messages()], &[chat()]);
    let endpoints = [Endpoint::ChatCompletions, Endpoint::Messages];
    check(&Condition::Endpoint(endpoints.into()), &[chat(), messages()], &[ask("0.1").embeddings()]);
}

#[test]
fn needs() {
    let asks = [
        (Capability::Tools, ask("0.1").tools()),
        (Capability::Vision, ask("0.1").image()),
        (Capability::JsonSchema, ask("0.1").schema()),
        (Capability::Streaming, ask("0.1").stream()),
    ];
    for (capability, needing) in &asks {
        let others: Vec<Ask> = asks.iter().filter(|(c, _)| c != capability).map(|(_, a)| a.clone()).collect();
        check(&Condition::Needs(*capability, true), std::slice::from_ref(needing), &others);
        check(&Condition::Needs(*capability, false), &others, std::slice::from_ref(needing));
    }
}

#[test]
fn placement_and_tenant() {
    let inside = ask("0.1").placement(Placement::Internal);
    check(&Condition::Placement(Placement::Internal), &[inside], &[ask("0.1")]);
    let (one, two, three) = (TenantId::new(1), TenantId::new(2), TenantId::new(3));
    check(
        &Condition::Tenant([one, two].into()),
        &[ask("0.1").tenant(one), ask("0.1").tenant(two)],
        &[ask("0.1").tenant(three), ask("0.1")],
    );
}

#[test]
fn complexity() {
    let asks = [ask("0.25"), ask("0.5"), ask("0.75")];
    let complexity = |operator| Condition::Complexity(compare(operator, 0.5));
    let (below, at_and_above) = asks.split_at(1);
    let (at_and_below, above) = asks.split_at(2);
    check(&complexity(Operator::Less), below, at_and_above);
    check(&complexity(Operator::AtMost), at_and_below, above);
    check(&complexity(Operator::Greater), above, at_and_below);
    check(&complexity(Operator::AtLeast), at_and_above, below);
}

#[test]
fn prompt_tokens() {
    let short = ask("0.1 a short one");
    let long = ask(&"0.1 a long one ".repeat(1_000));
    check(
        &Condition::PromptTokens(compare(Operator::Greater, 1_000)),
        std::slice::from_ref(&long),
        std::slice::from_ref(&short),
    );
    check(&Condition::PromptTokens(compare(Operator::AtMost, 1_000)), &[short], &[long]);
}

#[test]
fn requested_model() {
    let exact = Condition::Model(words(&["gpt-4o", "auto"]));
    check(&exact, &[ask("0.1").model("gpt-4o"), ask("0.1")], &[ask("0.1").model("claude").messages()]);
    let prefix = Condition::Model(words(&["gpt-*"]));
    check(&prefix, &[ask("0.1").model("gpt-4o")], &[ask("0.1")]);
    check(&Condition::Model(words(&["*"])), &[ask("0.1"), ask("0.1").model("gpt-4o")], &[]);
    // A star elsewhere is a letter like any other.
    check(&Condition::Model(words(&["g*t-4o"])), &[], &[ask("0.1").model("gpt-4o")]);
}

#[test]
fn tags() {
    let condition = Condition::Tag("data".into(), words(&["secret", "eu-*"]));
    check(
        &condition,
        &[
            ask("0.1").tag("data", "secret"),
            ask("0.1").tag("data", "eu-west"),
            // Any of several values of the same tag.
            ask("0.1").tag("data", "open").tag("data", "secret"),
        ],
        &[ask("0.1"), ask("0.1").tag("data", "open"), ask("0.1").tag("other", "secret")],
    );
}

#[test]
fn all_conditions_must_hold_and_none_always_does() {
    assert!(matches(vec![], &ask("0.1")));
    let both = || {
        vec![
            Condition::Tag("team".into(), words(&["a"])),
            Condition::Complexity(compare(Operator::Less, 0.5)),
            Condition::Needs(Capability::Tools, false),
        ]
    };
    assert!(matches(both(), &ask("0.1").tag("team", "a")));
    assert!(!matches(both(), &ask("0.9").tag("team", "a")));
    assert!(!matches(both(), &ask("0.1").tag("team", "b")));
    assert!(!matches(both(), &ask("0.1").tag("team", "a").tools()));
}
