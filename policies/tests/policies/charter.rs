//! Keys, prices, quotas and budgets: what a policy makes of them.

use std::time::{Duration, SystemTime};

use router_core::budget::{Period, Spender};
use router_core::charter::{Party, Scope, WhenExhausted};
use router_core::keyring::Found;
use router_core::limit::Quota;
use router_core::{Capability, KeyHash, PriceSource, Pricing, RuleIndex, Snapshot, TokenUsage, Usd};
use router_policies::{check, describe};

use crate::setup::{shown, snapshot_in, snapshot_of, state};

const FIRST: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
const SECOND: &str = "sha256:baa5a0964d3320fbc0c6a922140453c8513ea24ab8fd0577034804a967248096";

fn policy(more: &str) -> String {
    format!(
        r#"
[providers.near]
dialect = "openai"
base_url = "http://127.0.0.1:9000/v1"
placement = "internal"
[providers.openai]
dialect = "openai"
base_url = "https://api.openai.com/v1"
[providers.gateway]
dialect = "openai"
base_url = "https://gateway.example/v1"
[models.inside]
provider = "near"
upstream_model = "gpt-4o"
[models.known]
provider = "openai"
upstream_model = "gpt-4o"
[models.stated]
provider = "openai"
upstream_model = "gpt-4o"
price = {{ input = "$1/M", output = "$2/M" }}
context = "1k"
capabilities = []
[models.odd]
provider = "gateway"
upstream_model = "nobody-has-ever-heard-of-it"
[models.elsewhere]
provider = "gateway"
upstream_model = "gpt-4o"
[profiles.default]
candidates = ["inside", "known"]
[profiles.cheap]
candidates = ["inside"]
[[rules]]
name = "night"
when = {{ tags = {{ job = "night" }} }}
use = {{ profile = "cheap" }}
[tenants.a]
keys = ["{FIRST}", {{ hash = "{SECOND}", not_before = "2026-01-01", expires = 2027-01-01T00:00:00Z }}]
tags = {{ team = "x" }}
tier = 3
models = ["inside"]
profiles = ["cheap"]
placement = "internal"
[tenants.b]
keys = []
{more}"#
    )
    .replace(
        "keys = []\n",
        "keys = [\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]\n",
    )
}

fn refused(more: &str) -> String {
    shown(&check("policy.toml", &policy(more)))
}

fn source(snapshot: &Snapshot, name: &str) -> PriceSource {
    snapshot.models().find(|model| &*model.name == name).unwrap().price_source
}

#[test]
fn the_catalogue_fills_what_the_policy_leaves_open() {
    let snapshot = snapshot_of(&policy(""));
    let model = |name: &str| snapshot.models().find(|model| &*model.name == name).unwrap();
    let (known, stated) = (model("known"), model("stated"));
    assert_eq!(known.price_source, PriceSource::Catalogue);
    assert!(known.context_tokens.unwrap() >= 128_000 && known.max_output_tokens.is_some());
    assert!(known.capabilities.contains(Capability::Tools));
    assert_eq!((stated.price_source, stated.context_tokens), (PriceSource::Policy, Some(1_000)));
    assert!(!stated.capabilities.contains(Capability::Tools));
    // A gateway sells by any price, but the model of that exact name is the best that is known of it.
    assert_eq!(source(&snapshot, "elsewhere"), PriceSource::Catalogue);
    // What runs inside costs what it costs there.
    assert_eq!(source(&snapshot, "inside"), PriceSource::Nobody);
    assert_eq!(source(&snapshot, "odd"), PriceSource::Nobody);
    assert_eq!(describe(&snapshot)["models"]["known"]["price_source"], "catalogue");
}

#[test]
fn models_without_a_price_are_what_the_policy_says() {
    let usage = TokenUsage { input: 1_000_000, output: 1_000_000, ..TokenUsage::default() };
    let ceiling = snapshot_of(&format!("unpriced = {{ ceiling = \"$20/M\" }}\n{}", policy("")));
    let odd = ceiling.models().find(|model| &*model.name == "odd").unwrap();
    assert_eq!(odd.price_source, PriceSource::Ceiling);
    assert_eq!(odd.pricing.cost(&usage), Some(Usd::from_dollars(40.0)));
    assert_eq!(describe(&ceiling)["unpriced"]["ceiling"], "$20/M");
    assert_eq!(source(&ceiling, "known"), PriceSource::Catalogue);

    let refuse = snapshot_of(&format!("unpriced = \"refuse\"\n{}", policy("")));
    assert!(refuse.charter.refuse_unpriced && describe(&refuse)["unpriced"] == "refuse");
    let allow = snapshot_of(&policy(""));
    assert!(!allow.charter.refuse_unpriced && describe(&allow)["unpriced"] == "allow");
}

#[test]
fn a_price_may_depend_on_the_prompts_length() {
    let tiers = "price = [{ input = \"$1/M\", output = \"$2/M\" }, { above = \"200k\", input = \"$3/M\", output = \"$4/M\" }]";
    let text = policy("").replace("price = { input = \"$1/M\", output = \"$2/M\" }", tiers);
    let snapshot = snapshot_of(&text);
    let stated = snapshot.models().find(|model| &*model.name == "stated").unwrap();
    let Pricing::Priced(tariff) = &stated.pricing else { panic!() };
    assert_eq!([200_000, 200_001].map(|tokens| tariff.at(tokens).input.picos()), [1_000_000, 3_000_000]);
    assert_eq!(describe(&snapshot)["models"]["stated"]["price"][1]["above"], 200_000);

    let found = shown(&check("policy.toml", &text.replace("above = \"200k\", ", "")));
    assert!(found.contains("missing key \"above\" in models.stated.price[1]"), "{found}");
}

#[test]
fn a_key_is_taken_from_its_first_moment_to_its_last() {
    let snapshot = snapshot_of(&policy(""));
    let at = |text: &str| SystemTime::from(text.parse::<jiff::Timestamp>().unwrap());
    let hash = KeyHash::parse(SECOND).unwrap();
    for (now, valid) in [
        ("2025-12-31T23:59:59Z", false),
        ("2026-01-01T00:00:00Z", true),
        ("2026-12-31T23:59:59Z", true),
        ("2027-01-01T00:00:00Z", false),
    ] {
        let found = snapshot.tenants.authenticate(&hash, at(now));
        assert_eq!(matches!(found, Found::Valid(_)), valid, "{now}: {found:?}");
        assert!(matches!(
            snapshot.tenants.authenticate(&KeyHash::parse(FIRST).unwrap(), at(now)),
            Found::Valid(_)
        ));
    }
    let shown = describe(&snapshot)["tenants"]["a"].to_string();
    assert!(shown.contains("2027-01-01T00:00:00Z") && shown.contains("sha256:baa5a0964d33…"), "{shown}");
    assert!(!shown.contains(&SECOND[20..]), "{shown}");
    let tenant = snapshot.tenants.iter().next().unwrap();
    assert_eq!((tenant.tier, tenant.models.as_ref().map(|m| m.len())), (3, Some(1)));
}

#[test]
fn quotas_count_each_apart_or_all_together() {
    let state = state();
    let quotas = r#"
[[quotas]]
name = "each"
for = { tenant = "*" }
requests = "600/m"
[[quotas]]
name = "all"
concurrency = 2
tokens = "1M/d"
[[quotas]]
name = "one"
for = { key = "2bb80d537b1d" }
requests = "5/10s"
[[quotas]]
name = "team"
for = { tags = { team = "x" } }
requests = "1/s"
[[quotas]]
name = "route"
for = { rule = "night" }
requests = "1/s"
[[quotas]]
name = "model"
for = { model = "inside" }
requests = "1/s"
"#;
    let snapshot = snapshot_in(&state, &policy(quotas));
    let names: Vec<&str> = snapshot.charter.limits().iter().map(|limit| &*limit.name).collect();
    assert_eq!(names, ["each (tenant a)", "each (tenant b)", "all", "one", "team", "route", "model"]);
    let key = state.spender(&KeyHash::parse(FIRST).unwrap()).unwrap();
    let party = Party {
        tenant: snapshot.tenants.iter().next().unwrap().id,
        spender: key,
        rule: Some(RuleIndex::new(0)),
        tags: &[("team", "x")],
    };
    let found: Vec<_> =
        snapshot.charter.limits_of(&party).iter().map(|limit| limit.name.to_string()).collect();
    assert_eq!(found, ["one", "each (tenant a)", "route", "team", "all"]);
    assert_eq!(snapshot.charter.limits()[3].limit.requests, Quota::try_new(5, Duration::from_secs(10)));

    // What was used outlives a reload that changes the limit.
    let later = snapshot_in(&state, &policy(&quotas.replace("600/m", "300/m")));
    let limiter = |snapshot: &Snapshot| std::sync::Arc::as_ptr(&snapshot.charter.limits()[0].limiter);
    assert_eq!(limiter(&snapshot), limiter(&later));
}

#[test]
fn the_documented_budgets_are_the_roadmaps() {
    let snapshot = snapshot_of(&policy(
        r#"
[[budgets]]
name = "daily"
per = "day"
zone = "Europe/Berlin"
alerts = ["$500"]
limit = "$1000"
guard = true
[[budgets]]
name = "monthly"
per = "month"
alerts = ["$10000"]
[[budgets]]
name = "team-a"
for = { tenant = "a" }
per = "day"
limit = "$50"
alerts = ["50%", "80%"]
then = "internal"
[[budgets]]
name = "keys"
for = { key = "*" }
per = "month"
limit = "$5"
then = { profile = "cheap" }
"#,
    ));
    let budgets = snapshot.charter.budgets();
    let names: Vec<&str> = budgets.iter().map(|budget| &*budget.terms.name).collect();
    assert_eq!(names[..3], ["daily", "monthly", "team-a"]);
    assert_eq!(budgets.len(), 6, "{names:?}");
    let [daily, monthly, team, key, ..] = budgets else { panic!() };
    assert_eq!((daily.scope.clone(), daily.terms.limit), (Scope::Router, Usd::from_dollars(1_000.0)));
    assert!(daily.terms.spenders >= 4, "every key has a number: {}", daily.terms.spenders);
    assert_eq!((monthly.terms.limit, monthly.budget.period()), (Usd::MAX, Period::Month));
    let levels: Vec<_> = team.terms.alerts.iter().collect();
    assert_eq!(levels, [Usd::from_dollars(25.0), Usd::from_dollars(40.0)]);
    assert_eq!(team.when_exhausted, WhenExhausted::Internal);
    assert!(matches!(key.when_exhausted, WhenExhausted::Profile(_)));
    assert!(matches!(key.scope, Scope::Key(Spender(number)) if number > 0));
    let shown = describe(&snapshot)["budgets"].to_string();
    assert!(shown.contains("Europe/Berlin") && shown.contains("$10000"), "{shown}");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (more, expected) in [
        ("[[quotas]]\nname = \"q\"\n", "the quota limits nothing"),
        ("[[quotas]]\nname = \"q\"\nrequests = \"600\"\n", "did you mean \"600/m\""),
        ("[[quotas]]\nname = \"q\"\nrequests = 600\n", "did you mean \"600/m\""),
        ("[[quotas]]\nname = \"q\"\nfor = { tenant = \"c\" }\nrequests = \"1/s\"\n", "unknown tenant \"c\""),
        (
            "[[quotas]]\nname = \"q\"\nfor = { model = \"knwon\" }\nrequests = \"1/s\"\n",
            "did you mean \"known\"",
        ),
        ("[[quotas]]\nname = \"q\"\nfor = { rule = \"day\" }\nrequests = \"1/s\"\n", "unknown rule \"day\""),
        (
            "[[quotas]]\nname = \"q\"\nfor = { key = \"0123456789ab\" }\nrequests = \"1/s\"\n",
            "no tenant has the key",
        ),
        (
            "[[quotas]]\nname = \"q\"\nfor = { tenant = \"a\", model = \"known\" }\nrequests = \"1/s\"\n",
            "not several",
        ),
        (
            "[[quotas]]\nname = \"q\"\nrequests = \"1/s\"\n[[quotas]]\nname = \"q\"\nrequests = \"1/s\"\n",
            "is taken",
        ),
        ("[[budgets]]\nname = \"b\"\nper = \"day\"\n", "the budget does nothing"),
        ("[[budgets]]\nname = \"b\"\nper = \"week\"\nlimit = \"$1\"\n", "not one of day, month"),
        ("[[budgets]]\nname = \"b\"\nper = \"day\"\nalerts = [\"50%\"]\n", "has no limit"),
        ("[[budgets]]\nname = \"b\"\nper = \"day\"\nlimit = \"$1\"\nalerts = [\"$2\"]\n", "never reached"),
        (
            "[[budgets]]\nname = \"b\"\nper = \"day\"\nlimit = \"$1\"\nalerts = [\"120%\"]\n",
            "outside 1%..100%",
        ),
        ("[[budgets]]\nname = \"b\"\nper = \"day\"\nlimit = \"$1\"\nzone = \"Berlin\"\n", "no time zone"),
        (
            "[[budgets]]\nname = \"b\"\nper = \"day\"\nlimit = \"$1\"\nthen = { profile = \"chaep\" }\n",
            "did you mean \"cheap\"",
        ),
        (
            "[[budgets]]\nname = \"b\"\nfor = { model = \"known\" }\nper = \"day\"\nlimit = \"$1\"\n",
            "not a model",
        ),
        ("[cors]\norigins = [\"*\"]\n", "is no origin"),
        (
            "[tenants.c]\nkeys = [{ hash = \"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\", expires = \"soon\" }]\n",
            "is no date",
        ),
        (
            "[tenants.c]\nkeys = [\"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"]\nmodels = [\"x\"]\n",
            "unknown model \"x\"",
        ),
    ] {
        let found = refused(more);
        assert!(found.contains(expected), "{more}\n{found}");
    }
    let text = format!("unpriced = \"maybe\"\n{}", policy(""));
    assert!(shown(&check("policy.toml", &text)).contains("not one of allow, refuse"));
    // A budget that models without a price would pass by says so.
    let found = refused("[[budgets]]\nname = \"b\"\nper = \"day\"\nlimit = \"$1\"\n");
    assert!(found.contains("warning") && found.contains("unpriced"), "{found}");
}
