//! What the log and the reload's answer say has changed.

use std::sync::Arc;

use router_core::{Secret, Snapshot};
use router_policies::{Context, PolicyFile, SecretFault, SecretRef, compile, diff};

use crate::setup::{context, snapshot_in, state};

const BASE: &str = include_str!("../accept/contract.toml");

#[track_caller]
fn changes(edits: &[(&str, &str)], expected: &[&str]) {
    let mut text = BASE.to_owned();
    for (old, new) in edits {
        assert!(text.contains(old), "{old} is not in the policy");
        text = text.replace(old, new);
    }
    let state = state();
    assert_eq!(diff(&snapshot_in(&state, BASE), &snapshot_in(&state, &text)), expected);
}

#[test]
fn an_equal_policy_has_no_changes() {
    changes(&[], &[]);
    changes(&[("[cache]", "# a comment\n[cache]"), ("\"600s\"", "\"10m\""), ("tier = 1", "tier = 0x1")], &[]);
}

#[test]
fn a_stated_default_is_no_change() {
    changes(&[("enabled = true\n", "")], &[]);
    changes(&[("ttl = \"1h\"", "ttl = \"1h\"\nmatcher = \"auto\"\nshadow = 0.02\nshare = []")], &[]);
    changes(&[("[cache]", "[outcomes]\nfiles = 4\nkeep_prompts = false\n[cache]")], &[]);
}

#[test]
fn settings_are_named_by_their_place() {
    changes(&[("$0.05/M", "$0.06/M")], &["models.small.price"]);
    changes(&[("ttl = \"1h\"", "ttl = \"2h\"")], &["cache.ttl"]);
    changes(
        &[("semantic = true", "semantic = true\nmax_false_hit_rate = 0.01\njudge = \"big\"")],
        &["cache.judge (added)", "cache.max_false_hit_rate"],
    );
    changes(
        &[
            ("[aliases]", "[outcomes]\nlog = \"o.jsonl\"\n[aliases]"),
            ("25b\"]", "25b\"]\nkeep_prompts = true"),
        ],
        &["outcomes.log (added)", "tenants.team-a.keep_prompts"],
    );
    changes(&[("baseline = \"big\"", "baseline = \"small\"")], &["baseline"]);
    changes(&[("baseline = \"big\"", "")], &["baseline"]);
    changes(&[("fast = \"small\"", "fast = \"big\"")], &["aliases.fast"]);
    changes(&[("hybrid = 0.4", "hybrid = 0.3")], &["profiles.default.bands"]);
    changes(&[("connect = \"5s\"", "connect = \"6s\"")], &["providers.cloud.timeouts"]);
    changes(
        &[("25b\"]", "25c\"]"), ("failures = 5", "failures = 4")],
        &["providers.cloud.breaker", "tenants.team-a.keys"],
    );
}

#[test]
fn additions_and_removals_are_said_to_be_such() {
    changes(
        &[("[aliases]\nfast = \"small\"", "[models.new]\nprovider = \"local\"\n[aliases]\nslow = \"big\"")],
        &["aliases.fast (removed)", "aliases.slow (added)", "models.new (added)"],
    );
}

#[test]
fn rules_are_named_and_their_order_counts() {
    changes(&[("\"> 0.8\"", "\"> 0.9\"")], &["rules.hard-goes-out"]);
    changes(&[("hard-goes-out", "very-hard")], &["rules.hard-goes-out (removed)", "rules.very-hard (added)"]);
    changes(
        &[
            ("contracts-stay-inside", "x"),
            ("hard-goes-out", "contracts-stay-inside"),
            ("\"x\"", "\"hard-goes-out\""),
        ],
        &["rules (order)", "rules.contracts-stay-inside", "rules.hard-goes-out"],
    );
}

#[test]
fn a_rotated_secret_is_named_and_not_shown() {
    let state = state();
    let with_key = |key: &'static str| -> Arc<Snapshot> {
        let secrets = move |_: &SecretRef| -> Result<Secret, SecretFault> { Ok(Secret::new(key)) };
        let context = Context { secrets: &secrets, ..context(&state) };
        Arc::new(compile(&PolicyFile::parse("policy.toml", BASE).unwrap(), &context).unwrap().snapshot)
    };
    assert_eq!(diff(&with_key("old"), &with_key("new")), ["providers.cloud.api_key"]);
    assert!(diff(&with_key("same"), &with_key("same")).is_empty());
}
