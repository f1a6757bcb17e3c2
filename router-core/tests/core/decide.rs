//! A table of scenarios over `decide`: which models are tried, in which order, or why none is.

use router_core::{Band, Capability, Condition, Objective, Outcome, Placement};
use serde_json::json;

use crate::ask::{Ask, ask};
use crate::policy::{Policy, model, policy, use_};
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

fn bands() -> Vec<Scenario> {
    vec![
        scenario("simple stays inside, the outside stands by", two(), ask("0.1"), Order(&["small", "big"])),
        scenario("the lower threshold belongs to the band below", two(), ask("0.4"), Order(&["small", "big"])),
        scenario("hybrid goes inside first", two(), ask("0.41"), Order(&["small", "big"])),
        scenario("the upper threshold belongs to hybrid", two(), ask("0.8"), Order(&["small", "big"])),
        scenario("hard goes outside first", two(), ask("0.81"), Order(&["big", "small"])),
        scenario("as hard as it gets", two(), ask("1.0"), Order(&["big", "small"])),
        scenario("nothing stated is simple", two(), ask("hello"), Order(&["small", "big"])),
        scenario(
            "without fallback, simple has only the inside",
            two().no_fallback(),
            ask("0.1"),
            Order(&["small"]),
        ),
        scenario(
            "without fallback, hard has only the outside",
            two().no_fallback(),
            ask("0.9"),
            Order(&["big"]),
        ),
        scenario(
            "without fallback, hybrid still has both",
            two().no_fallback(),
            ask("0.5"),
            Order(&["small", "big"]),
        ),
        scenario(
            "without fallback, nothing inside means nothing",
            policy().external("big", model()).no_fallback(),
            ask("0.1"),
            Code("no_candidate"),
        ),
        scenario("the profile's bands count", two().bands(0.1, 0.2), ask("0.3"), Order(&["big", "small"])),
        scenario("equal thresholds leave no hybrid", two().bands(0.5, 0.5), ask("0.5"), Order(&["small", "big"])),
        scenario("bands at 0 send everything out", two().bands(0.0, 0.0), ask("0.01"), Order(&["big", "small"])),
    ]
}

fn objectives() -> Vec<Scenario> {
    let best = || four().objective(Objective::Best);
    vec![
        scenario("cheapest within each placement", four(), ask("0.1"), Order(&["quick", "slow", "fair", "dear"])),
        scenario("cheapest, outside first", four(), ask("0.9"), Order(&["fair", "dear", "quick", "slow"])),
        scenario(
            "best tier first, the cheaper of equals",
            best(),
            ask("0.9"),
            Order(&["fair", "dear", "slow", "quick"]),
        ),
        scenario("best within the inside", best(), ask("0.1"), Order(&["slow", "quick", "fair", "dear"])),
        scenario(
            "equal models keep the policy's order",
            policy().internal("b", model()).internal("a", model()),
            ask("0.1"),
            Order(&["b", "a"]),
        ),
        scenario(
            "unpriced comes last, it is not free",
            policy().internal("unknown", model().unpriced()).internal("known", model().price(90.0, 90.0)),
            ask("0.1"),
            Order(&["known", "unknown"]),
        ),
        scenario(
            "free comes first",
            policy().internal("paid", model().price(0.01, 0.01)).internal("free", model().price(0.0, 0.0)),
            ask("0.1"),
            Order(&["free", "paid"]),
        ),
        scenario(
            "a stated answer limit changes what is cheapest",
            policy().internal("flat", model().price(1.0, 1.0)).internal("steep", model().price(0.1, 9.0)),
            long("0.1", 400).max_tokens(10),
            Order(&["steep", "flat"]),
        ),
        scenario(
            "a long answer expected, too",
            policy().internal("steep", model().price(0.1, 9.0)).internal("flat", model().price(1.0, 1.0)),
            long("0.1", 40),
            Order(&["flat", "steep"]),
        ),
    ]
}

fn limits_of_cost() -> Vec<Scenario> {
    vec![
        scenario(
            "a cost limit leaves what is below it",
            two(),
            long("0.9", 1000).max_cost(0.001),
            Order(&["small"]),
        ),
        scenario("a cost limit below all", two(), ask("0.9").max_cost(0.000_000_001), Code("cost_limit")),
        scenario("a cost limit above all", two(), ask("0.9").max_cost(1.0), Order(&["big", "small"])),
        scenario(
            "unpriced models fail every cost limit",
            policy().internal("unknown", model().unpriced()),
            ask("0.1").max_cost(1_000.0),
            Code("cost_limit"),
        ),
        scenario(
            "who could not serve it anyway does not hide the limit",
            policy()
                .internal("blind", model().price(0.0, 0.0).lacks(Capability::Vision))
                .external("big", model().price(50.0, 90.0)),
            ask("0.9").image().max_cost(0.000_1),
            Code("cost_limit"),
        ),
        scenario(
            "the rule's limit holds beside the caller's, the lower one counts",
            two().rule("thrifty", vec![], use_().action(|a| a.max_cost = Some(router_core::Usd::ZERO))),
            ask("0.9").max_cost(5.0),
            Code("cost_limit"),
        ),
        scenario(
            "a free model passes a limit of zero",
            policy().internal("free", model().price(0.0, 0.0)).external("big", model()),
            ask("0.9").max_cost(0.0),
            Order(&["free"]),
        ),
    ]
}

fn capabilities() -> Vec<Scenario> {
    let lacking = |capability| {
        policy().internal("small", model().lacks(capability)).external("big", model().price(2.5, 10.0))
    };
    vec![
        scenario("tools need tools", lacking(Capability::Tools), ask("0.1").tools(), Order(&["big"])),
        scenario("images need vision", lacking(Capability::Vision), ask("0.1").image(), Order(&["big"])),
        scenario("schemas need schemas", lacking(Capability::JsonSchema), ask("0.1").schema(), Order(&["big"])),
        scenario("streams need streaming", lacking(Capability::Streaming), ask("0.1").stream(), Order(&["big"])),
        scenario(
            "what is not needed may be lacking",
            lacking(Capability::Vision),
            ask("0.1").tools(),
            Order(&["small", "big"]),
        ),
        scenario(
            "an empty list of tools needs nothing",
            lacking(Capability::Tools),
            ask("0.1").with("tools", json!([])),
            Order(&["small", "big"]),
        ),
        scenario(
            "nobody can",
            policy().internal("small", model().lacks(Capability::Tools)),
            ask("0.1").tools(),
            Code("no_candidate"),
        ),
        scenario(
            "models of the other dialect cannot be asked",
            policy().internal("claude", model().anthropic()).external("gpt", model()),
            ask("0.1"),
            Order(&["gpt"]),
        ),
        scenario(
            "nor those of this one by the other",
            policy().internal("claude", model().anthropic()).external("gpt", model()),
            ask("0.1").messages(),
            Order(&["claude"]),
        ),
        scenario("no model of the dialect", two(), ask("0.1").messages(), Code("no_candidate")),
        scenario("embeddings are chosen, too", two(), ask("0.1").embeddings(), Order(&["small", "big"])),
    ]
}

fn context() -> Vec<Scenario> {
    let narrow = || {
        policy()
            .internal("narrow", model().context(1_000))
            .external("wide", model().price(2.5, 10.0).context(100_000))
    };
    vec![
        scenario("what fits stays", narrow(), long("0.1", 300), Order(&["narrow", "wide"])),
        scenario("what doesn't fit goes where it does", narrow(), long("0.1", 2_000), Order(&["wide"])),
        scenario("what fits nowhere is refused", narrow(), long("0.1", 200_000), Code("no_candidate")),
        scenario(
            "room for the stated answer is wanted, but not refused for",
            narrow(),
            long("0.1", 500).max_tokens(800),
            Order(&["wide", "narrow"]),
        ),
        scenario(
            "an unknown window takes everything",
            policy().internal("any", model()),
            long("0.1", 200_000),
            Order(&["any"]),
        ),
    ]
}

fn placements() -> Vec<Scenario> {
    let inside = use_().action(|action| action.placement = Some(Placement::Internal));
    let outside = use_().action(|action| action.placement = Some(Placement::External));
    vec![
        scenario(
            "a request that must not leave stays, however hard",
            two(),
            ask("0.95").placement(Placement::Internal),
            Order(&["small"]),
        ),
        scenario(
            "with nothing inside it fails closed",
            policy().external("big", model()),
            ask("0.1").placement(Placement::Internal),
            Code("placement_unavailable"),
        ),
        scenario(
            "with nothing able inside it fails closed",
            policy().internal("small", model().lacks(Capability::Tools)).external("big", model()),
            ask("0.1").tools().placement(Placement::Internal),
            Code("placement_unavailable"),
        ),
        scenario(
            "a named model outside fails closed",
            two(),
            ask("0.1").model("big").placement(Placement::Internal),
            Code("placement_unavailable"),
        ),
        scenario("a rule keeps it inside", two().rule("stay", vec![], inside), ask("0.95"), Order(&["small"])),
        scenario("a rule sends it out", two().rule("go", vec![], outside.clone()), ask("0.1"), Order(&["big"])),
        scenario(
            "the caller's inside beats the rule's outside",
            two().rule("go", vec![], outside),
            ask("0.1").placement(Placement::Internal),
            Order(&["small"]),
        ),
        broken(
            "broken inside is still tried rather than leave",
            two(),
            &["small"],
            ask("0.1").placement(Placement::Internal),
            Order(&["small"]),
        ),
    ]
}

fn rules() -> Vec<Scenario> {
    let to = |name| use_().candidates(&[name]);
    let deny = || use_().action(|action| action.deny = Some("not here".into()));
    let external = || Condition::Needs(Capability::Streaming, true);
    vec![
        scenario(
            "the first match wins",
            two().rule("a", vec![], to("big")).rule("b", vec![], to("small")),
            ask("0.1"),
            Order(&["big"]),
        ),
        scenario(
            "what doesn't match is passed over",
            two().rule("streams", vec![external()], to("small")).rule("rest", vec![], to("big")),
            ask("0.1"),
            Order(&["big"]),
        ),
        scenario("a rule may deny", two().rule("no", vec![], deny()), ask("0.1"), Code("policy_denied")),
        scenario(
            "a denial that doesn't match denies nothing",
            two().rule("no", vec![external()], deny()),
            ask("0.1"),
            Order(&["small", "big"]),
        ),
        scenario(
            "candidates of a rule replace a named model",
            two().rule("force", vec![], to("small")),
            ask("0.1").model("big"),
            Order(&["small"]),
        ),
        scenario(
            "a profile of a rule replaces the asked one",
            four().profile("outside", &["dear", "fair"]).rule("out", vec![], use_().profile("outside")),
            ask("0.1"),
            Order(&["fair", "dear"]),
        ),
        scenario(
            "bands of a rule replace the profile's",
            two().rule("early", vec![], use_().action(|a| a.bands = Some(bands_of(0.05, 0.06)))),
            ask("0.1"),
            Order(&["big", "small"]),
        ),
        scenario(
            "an objective of a rule replaces the profile's",
            four().rule("best", vec![], use_().action(|a| a.objective = Some(Objective::Best))),
            ask("0.1"),
            Order(&["slow", "quick", "fair", "dear"]),
        ),
    ]
}

fn bands_of(hybrid: f32, external: f32) -> router_core::Bands {
    router_core::Bands { hybrid, external }
}

fn names() -> Vec<Scenario> {
    let open = || two().external("any", model().unpriced()).unlisted("gpt-", "any");
    vec![
        scenario("a named model is honoured, however hard", two(), ask("0.95").model("small"), Order(&["small"])),
        scenario("without fallback, too", two().no_fallback(), ask("0.95").model("small"), Order(&["small"])),
        scenario("an unknown model", two(), ask("0.1").model("tiny"), Code("model_not_found")),
        scenario("an alias stands for its model", two().alias("fast", "small"), ask("0.9").model("fast"), Order(&["small"])),
        scenario(
            "an alias stands for a profile",
            two().profile("out", &["big"]).alias("clever", "auto:out"),
            ask("0.1").model("clever"),
            Order(&["big"]),
        ),
        scenario(
            "a profile by name",
            four().profile("in", &["slow", "quick"]),
            ask("0.1").model("auto:in"),
            Order(&["quick", "slow"]),
        ),
        scenario("the first profile by name", two(), ask("0.1").model("auto:default"), Order(&["small", "big"])),
        scenario("an unknown profile", two(), ask("0.1").model("auto:none"), Code("model_not_found")),
        scenario("an unlisted name passes by its prefix", open(), ask("0.1").model("gpt-99"), Order(&["any"])),
        scenario("another unlisted name does not", open(), ask("0.1").model("claude-9"), Code("model_not_found")),
        scenario(
            "a profile's name is never an unlisted model",
            two().external("any", model()).unlisted("", "any"),
            ask("0.1").model("auto:none"),
            Code("model_not_found"),
        ),
        scenario(
            "nor is auto where nothing is to choose",
            two().external("any", model()).unlisted("", "any").no_profiles(),
            ask("0.1"),
            Code("model_not_found"),
        ),
        scenario(
            "the longest prefix wins",
            open().external("new", model()).unlisted("gpt-5", "new"),
            ask("0.1").model("gpt-5-mini"),
            Order(&["new"]),
        ),
        scenario(
            "a listed name is not unlisted",
            open().external("gpt-4o", model()),
            ask("0.1").model("gpt-4o"),
            Order(&["gpt-4o"]),
        ),
        scenario(
            "a rule's candidates serve an unknown name",
            two().rule("catch", vec![], use_().candidates(&["small"])),
            ask("0.1").model("whatever"),
            Order(&["small"]),
        ),
    ]
}

fn health() -> Vec<Scenario> {
    vec![
        broken("the unhealthy is left out", two(), &["small"], ask("0.1"), Order(&["big"])),
        broken("hybrid goes out where the inside is broken", two(), &["small"], ask("0.5"), Order(&["big"])),
        broken("hard comes in where the outside is broken", two(), &["big"], ask("0.9"), Order(&["small"])),
        broken("all unhealthy: all are tried, in order", two(), &["small", "big"], ask("0.1"), Order(&["small", "big"])),
        broken("a named model is tried whatever its health", two(), &["big"], ask("0.1").model("big"), Order(&["big"])),
        broken(
            "without fallback the broken band is still tried",
            two().no_fallback(),
            &["small"],
            ask("0.1"),
            Order(&["small"]),
        ),
        broken(
            "one of two inside is broken",
            four(),
            &["quick"],
            ask("0.1"),
            Order(&["slow", "fair", "dear"]),
        ),
    ]
}

fn out_of_domain() -> Vec<Scenario> {
    let gated = || two().out_of_domain("big");
    vec![
        scenario("outside the domain, the policy's model goes first", gated(), ask("0.1 outside"), Order(&["big", "small"])),
        scenario("inside it, the band decides", gated(), ask("0.1"), Order(&["small", "big"])),
        scenario("without such a model, the score decides", two(), ask("0.1 outside"), Order(&["small", "big"])),
        scenario("the gate does not need a fallback", gated().no_fallback(), ask("0.1 outside"), Order(&["big", "small"])),
        scenario("a named model passes the gate", gated(), ask("0.1 outside").model("small"), Order(&["small"])),
        scenario(
            "a rule's candidates pass the gate",
            gated().rule("r", vec![], use_().candidates(&["small"])),
            ask("0.1 outside"),
            Order(&["small"]),
        ),
        scenario(
            "a placement holds against the gate",
            gated(),
            ask("0.1 outside").placement(Placement::Internal),
            Order(&["small"]),
        ),
        scenario(
            "a gate model that cannot serve is passed over",
            policy().internal("small", model()).external("claude", model().anthropic()).out_of_domain("claude"),
            ask("0.1 outside"),
            Order(&["small"]),
        ),
        broken("a broken gate model is left out", gated(), &["big"], ask("0.1 outside"), Order(&["small"])),
    ]
}

#[test]
fn every_scenario() {
    let groups = [
        bands(),
        objectives(),
        limits_of_cost(),
        capabilities(),
        context(),
        placements(),
        rules(),
        names(),
        health(),
        out_of_domain(),
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
        world.settle(model, Outcome::Failure, 3);
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
