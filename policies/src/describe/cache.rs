//! `[cache]` and `[outcomes]`, in their own words.

use router_core::{OutcomePolicy, Sharing, Snapshot};
use serde_json::{Value, json};

use super::model_name;
use crate::units::show;

/// The cache's settings.
pub(super) fn cache(snapshot: &Snapshot) -> Value {
    let cache = &snapshot.cache;
    json!({
        "enabled": cache.enabled,
        "semantic": cache.semantic,
        "ttl": show::duration(cache.ttl),
        "max_ttl": show::duration(cache.max_ttl),
        "volatility": cache.volatility,
        "stale_while_revalidate": show::duration(cache.stale_while_revalidate),
        "max_bytes": show::size(cache.max_bytes),
        "epoch": cache.epoch,
        "max_false_hit_rate": cache.max_false_hit_rate,
        "matcher": cache.matcher.as_str(),
        "models": cache.models.as_ref().map(|folder| folder.to_string_lossy()),
        "embed_deadline": show::duration(cache.embed_deadline),
        "shadow": cache.shadow,
        "judge": cache.judge.map(|id| model_name(snapshot, id)),
        "tool_calls": cache.tool_calls,
        "share": cache.share.iter().map(|group| members(snapshot, group)).collect::<Vec<_>>(),
    })
}

fn members<'s>(snapshot: &'s Snapshot, group: &Sharing) -> Vec<&'s str> {
    let tenants = group.members.iter().filter_map(|id| snapshot.tenants.tenant(*id));
    tenants.map(|tenant| &*tenant.name).collect()
}

/// What is kept of outcomes.
pub(super) fn outcomes(outcomes: &OutcomePolicy) -> Value {
    json!({
        "log": outcomes.log.as_ref().map(|path| path.to_string_lossy()),
        "max_bytes": show::size(outcomes.max_bytes),
        "files": outcomes.files,
        "keep_prompts": outcomes.keep_prompts,
    })
}
