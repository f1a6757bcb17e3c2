//! In which order the admissible models are tried: bands, objectives, cost, health.

use router_core::{Capability, Objective};

use super::Want::{Code, Order};
use super::{Scenario, broken, four, long, scenario, two};
use crate::ask::ask;
use crate::policy::{model, policy, then};

pub(super) fn bands() -> Vec<Scenario> {
    vec![
        scenario("simple stays inside, the outside stands by", two(), ask("0.1"), Order(&["small", "big"])),
        scenario(
            "the lower threshold belongs to the band below",
            two(),
            ask("0.4"),
            Order(&["small", "big"]),
        ),
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
        scenario(
            "equal thresholds leave no hybrid",
            two().bands(0.5, 0.5),
            ask("0.5"),
            Order(&["small", "big"]),
        ),
        scenario(
            "bands at 0 send everything out",
            two().bands(0.0, 0.0),
            ask("0.01"),
            Order(&["big", "small"]),
        ),
    ]
}

pub(super) fn objectives() -> Vec<Scenario> {
    let best = || four().objective(Objective::Best);
    vec![
        scenario(
            "cheapest within each placement",
            four(),
            ask("0.1"),
            Order(&["quick", "slow", "fair", "dear"]),
        ),
        scenario("cheapest, outside first", four(), ask("0.9"), Order(&["fair", "dear", "quick", "slow"])),
        scenario(
            "best tier first, the cheaper of equals",
            best(),
            ask("0.9"),
            Order(&["fair", "dear", "slow", "quick"]),
        ),
        scenario("best within the inside", best(), ask("0.1"), Order(&["slow", "quick", "fair", "dear"])),
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

pub(super) fn limits_of_cost() -> Vec<Scenario> {
    vec![
        scenario(
            "a cost limit leaves what is below it",
            two(),
            long("0.9", 1000).max_cost(0.001),
            Order(&["small"]),
        ),
        scenario(
            "an answer as long as the request allows must stay below it",
            two(),
            ask("0.9").max_tokens(1_000_000).max_cost(0.5),
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
            two().rule("thrifty", vec![], then().action(|a| a.max_cost = Some(router_core::Usd::ZERO))),
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

pub(super) fn health() -> Vec<Scenario> {
    vec![
        broken("the unhealthy is left out", two(), &["small"], ask("0.1"), Order(&["big"])),
        broken("hybrid goes out where the inside is broken", two(), &["small"], ask("0.5"), Order(&["big"])),
        broken("hard comes in where the outside is broken", two(), &["big"], ask("0.9"), Order(&["small"])),
        broken(
            "all unhealthy: one is tried nevertheless",
            two(),
            &["small", "big"],
            ask("0.1"),
            Order(&["small"]),
        ),
        broken(
            "a named model is tried whatever its health",
            two(),
            &["big"],
            ask("0.1").model("big"),
            Order(&["big"]),
        ),
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
