//! The receipt: every candidate with its cost and why it won or lost.

use router_core::{Capability, Placement, Refused, Settled, Usd, Verdict};

use crate::ask::{Ask, ask};
use crate::policy::{Policy, model, policy, then};
use crate::world::World;

/// Each model that was looked at, with its verdict.
fn verdicts(world: &World, ask: &Ask) -> Vec<(String, Verdict)> {
    let receipt = match world.decide(ask) {
        Ok(decision) => decision.receipt,
        Err(rejection) => *rejection.receipt,
    };
    receipt.considered.iter().map(|c| (world.name(c.model).to_owned(), c.verdict)).collect()
}

fn zoo() -> Policy {
    policy()
        .internal("cheap", model().price(0.1, 0.1))
        .internal("dear", model().price(0.2, 0.2))
        .internal("blind", model().lacks(Capability::Vision))
        .internal("narrow", model().context(8))
        .external("claude", model().anthropic())
        .external("outside", model().price(0.1, 0.1))
}

#[test]
fn every_candidate_has_its_verdict() {
    let world = World::of(&zoo());
    let ask =
        ask("0.1 look at this picture of a garden in the morning").image().placement(Placement::Internal);
    let expected = [
        ("cheap", Verdict::Chosen),
        ("dear", Verdict::Standby(2)),
        ("blind", Verdict::Lacks(Capability::Vision)),
        ("narrow", Verdict::Context(8)),
        ("claude", Verdict::Dialect(router_core::Dialect::Anthropic)),
        ("outside", Verdict::Placement(Placement::External)),
    ];
    assert_eq!(verdicts(&world, &ask), expected.map(|(name, verdict)| (name.to_owned(), verdict)));
}

#[test]
fn band_cost_and_health_have_theirs() {
    let world = World::of(&zoo().no_fallback());
    world.break_down("cheap");
    let verdicts = verdicts(&world, &ask("0.1").max_cost(0.000_1));
    let of = |name: &str| verdicts.iter().find(|(n, _)| n == name).map(|(_, verdict)| *verdict);
    assert_eq!(of("outside"), Some(Verdict::Band(router_core::Band::Internal)));
    assert!(matches!(of("cheap"), Some(Verdict::Unhealthy(Refused::Tripped(_)))), "{:?}", of("cheap"));
    assert_eq!(of("dear"), Some(Verdict::Chosen));
    assert_eq!(of("blind"), Some(Verdict::CostLimit));
}

#[test]
fn expected_cost_is_prompt_and_answer_at_their_prices() {
    let world = World::of(&policy().internal("m", model().price(1.0, 10.0).max_output(1_000)));
    let ask = ask("0.1 hello").max_tokens(50);
    let decision = world.decide(&ask).expect("admitted");
    let prompt = ask.digest(&world.state.fingerprint_key).prompt_tokens;
    assert_eq!(decision.receipt.prompt_tokens, prompt);
    assert_eq!(decision.receipt.output_tokens, 50);
    assert_eq!(decision.candidates[0].expected_cost, Some(Usd::from_nanos(prompt * 1_000 + 50 * 10_000)));
}

#[test]
fn expected_answer_length_is_learned_within_the_limits() {
    let world = World::of(&policy().internal("m", model().max_output(400)));
    let output = |ask: &Ask| world.decide(ask).expect("admitted").receipt.output_tokens;
    assert_eq!(output(&ask("0.1")), 256, "the prior");
    let usage = router_core::TokenUsage { output: 90, reasoning: 10, ..Default::default() };
    world.settle("m", Settled::success(Some(usage)), 1);
    assert_eq!(output(&ask("0.1")), 100, "what was seen");
    assert_eq!(output(&ask("0.1").max_tokens(7)), 7, "the caller's limit");
    let long = router_core::TokenUsage { output: 100_000, ..Default::default() };
    world.settle("m", Settled::success(Some(long)), 50);
    assert_eq!(output(&ask("0.1")), 400, "the model's limit");
    assert_eq!(output(&ask("0.1").embeddings()), 0, "nothing is generated");
}

#[test]
fn the_rule_clamps_the_answer() {
    let clamp = then().action(|action| action.max_output_tokens = Some(20));
    let world = World::of(&policy().internal("m", model()).rule("short", vec![], clamp));
    let decision = world.decide(&ask("0.1")).expect("admitted");
    assert_eq!(decision.max_output_tokens, Some(20));
    assert_eq!(decision.receipt.output_tokens, 20);
    let rule = decision.receipt.rule.and_then(|index| world.snapshot.rule(index)).expect("the rule");
    assert_eq!(&*rule.name, "short");
}

#[test]
fn a_refusal_has_a_receipt_and_a_reason_in_words() {
    let world = World::of(&policy().internal("blind", model().lacks(Capability::Vision)));
    let rejection = world.decide(&ask("0.3").image()).expect_err("nobody can see");
    assert_eq!(rejection.reason.code(), "no_candidate");
    assert_eq!(rejection.to_string(), "no model can serve this request: blind: lacks vision");
    assert_eq!(rejection.receipt.considered.len(), 1);
    assert!((rejection.receipt.assessment.complexity() - 0.3).abs() < 1e-6);
    let deny = then().action(|action| action.deny = Some("ask legal first".into()));
    let world = World::of(&policy().internal("m", model()).rule("no", vec![], deny));
    let rejection = world.decide(&ask("0.3")).expect_err("denied");
    assert_eq!(rejection.to_string(), "ask legal first");
    assert_eq!(rejection.receipt.rule.map(router_core::RuleIndex::index), Some(0));
}
