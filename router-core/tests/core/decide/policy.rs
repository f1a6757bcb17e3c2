//! What rules and names change.

use router_core::{Capability, Condition, Objective};

use super::Want::{Code, Order};
use super::{Scenario, four, scenario, two};
use crate::ask::ask;
use crate::policy::{model, then};

pub(super) fn rules() -> Vec<Scenario> {
    let to = |name| then().candidates(&[name]);
    let deny = || then().action(|action| action.deny = Some("not here".into()));
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
            four().profile("outside", &["dear", "fair"]).rule("out", vec![], then().profile("outside")),
            ask("0.1"),
            Order(&["fair", "dear"]),
        ),
        scenario(
            "bands of a rule replace the profile's",
            two().rule("early", vec![], then().action(|a| a.bands = Some(bands_of(0.05, 0.06)))),
            ask("0.1"),
            Order(&["big", "small"]),
        ),
        scenario(
            "an objective of a rule replaces the profile's",
            four().rule("best", vec![], then().action(|a| a.objective = Some(Objective::Best))),
            ask("0.1"),
            Order(&["slow", "quick", "fair", "dear"]),
        ),
    ]
}

pub(super) fn names() -> Vec<Scenario> {
    let open = || two().external("any", model().unpriced()).unlisted("gpt-", "any");
    vec![
        scenario(
            "a named model is honoured, however hard",
            two(),
            ask("0.95").model("small"),
            Order(&["small"]),
        ),
        scenario("without fallback, too", two().no_fallback(), ask("0.95").model("small"), Order(&["small"])),
        scenario("an unknown model", two(), ask("0.1").model("tiny"), Code("model_not_found")),
        scenario(
            "an alias stands for its model",
            two().alias("fast", "small"),
            ask("0.9").model("fast"),
            Order(&["small"]),
        ),
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
        scenario(
            "the first profile by name",
            two(),
            ask("0.1").model("auto:default"),
            Order(&["small", "big"]),
        ),
        scenario("an unknown profile", two(), ask("0.1").model("auto:none"), Code("model_not_found")),
        scenario(
            "an unlisted name passes by its prefix",
            open(),
            ask("0.1").model("gpt-99"),
            Order(&["any"]),
        ),
        scenario(
            "another unlisted name does not",
            open(),
            ask("0.1").model("claude-9"),
            Code("model_not_found"),
        ),
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
            two().rule("catch", vec![], then().candidates(&["small"])),
            ask("0.1").model("whatever"),
            Order(&["small"]),
        ),
    ]
}

fn bands_of(hybrid: f32, external: f32) -> router_core::Bands {
    router_core::Bands { hybrid, external }
}
