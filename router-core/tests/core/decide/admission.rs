//! Which models can serve a request at all: capabilities, context, placement, domain.

use router_core::{Capability, Placement};
use serde_json::json;

use super::Want::{Code, Order};
use super::{Scenario, broken, long, scenario, two};
use crate::ask::ask;
use crate::policy::{model, policy, then};

pub(super) fn capabilities() -> Vec<Scenario> {
    let lacking = |capability| {
        policy().internal("small", model().lacks(capability)).external("big", model().price(2.5, 10.0))
    };
    vec![
        scenario("tools need tools", lacking(Capability::Tools), ask("0.1").tools(), Order(&["big"])),
        scenario("images need vision", lacking(Capability::Vision), ask("0.1").image(), Order(&["big"])),
        scenario(
            "schemas need schemas",
            lacking(Capability::JsonSchema),
            ask("0.1").schema(),
            Order(&["big"]),
        ),
        scenario(
            "streams need streaming",
            lacking(Capability::Streaming),
            ask("0.1").stream(),
            Order(&["big"]),
        ),
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

pub(super) fn context() -> Vec<Scenario> {
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

pub(super) fn placements() -> Vec<Scenario> {
    let inside = then().action(|action| action.placement = Some(Placement::Internal));
    let outside = then().action(|action| action.placement = Some(Placement::External));
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
        scenario(
            "a rule keeps it inside",
            two().rule("stay", vec![], inside),
            ask("0.95"),
            Order(&["small"]),
        ),
        scenario(
            "a rule sends it out",
            two().rule("go", vec![], outside.clone()),
            ask("0.1"),
            Order(&["big"]),
        ),
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

pub(super) fn out_of_domain() -> Vec<Scenario> {
    let gated = || two().out_of_domain("big");
    vec![
        scenario(
            "outside the domain, the policy's model goes first",
            gated(),
            ask("0.1 outside"),
            Order(&["big", "small"]),
        ),
        scenario("inside it, the band decides", gated(), ask("0.1"), Order(&["small", "big"])),
        scenario(
            "without such a model, the score decides",
            two(),
            ask("0.1 outside"),
            Order(&["small", "big"]),
        ),
        scenario(
            "the gate does not need a fallback",
            gated().no_fallback(),
            ask("0.1 outside"),
            Order(&["big", "small"]),
        ),
        scenario(
            "a named model passes the gate",
            gated(),
            ask("0.1 outside").model("small"),
            Order(&["small"]),
        ),
        scenario(
            "a rule's candidates pass the gate",
            gated().rule("r", vec![], then().candidates(&["small"])),
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
            policy()
                .internal("small", model())
                .external("claude", model().anthropic())
                .out_of_domain("claude"),
            ask("0.1 outside"),
            Order(&["small"]),
        ),
        broken("a broken gate model is left out", gated(), &["big"], ask("0.1 outside"), Order(&["small"])),
    ]
}
