//! `[cache]` and `[outcomes]` → the settings that run.

use std::path::Path;

use router_core::{CachePolicy, IdsExhausted, OutcomePolicy, Sharing, State, TenantId};

use super::{Ids, or};
use crate::compile::names::Names;
use crate::file::{CacheSection, OutcomesSection};
use crate::source::At;

/// The cache's settings; relative paths start at `folder`.
pub(super) fn cache(
    entry: &CacheSection,
    names: &Names<'_>,
    ids: &Ids,
    share: Vec<Sharing>,
    folder: &Path,
) -> CachePolicy {
    let default = CachePolicy::default();
    let ttl = entry.ttl.as_ref().map(|at| at.value);
    let max_ttl = entry.max_ttl.as_ref().map(|at| at.value);
    CachePolicy {
        enabled: or(entry.enabled.as_ref(), default.enabled),
        semantic: or(entry.semantic.as_ref(), default.semantic),
        // Of a time and a limit, the one that is stated bends the other.
        ttl: ttl.unwrap_or(default.ttl.min(max_ttl.unwrap_or(default.ttl))),
        max_ttl: max_ttl.unwrap_or(default.max_ttl.max(ttl.unwrap_or(default.max_ttl))),
        // A stated time is the time, unless both are stated.
        volatility: or(entry.volatility.as_ref(), default.volatility && ttl.is_none()),
        stale_while_revalidate: or(entry.stale_while_revalidate.as_ref(), default.stale_while_revalidate),
        max_bytes: or(entry.max_bytes.as_ref(), default.max_bytes),
        epoch: entry.epoch.as_ref().map_or(default.epoch, |at| u64::from(at.value)),
        max_false_hit_rate: or(entry.max_false_hit_rate.as_ref(), default.max_false_hit_rate),
        matcher: or(entry.matcher.as_ref(), default.matcher),
        models: entry.models.as_ref().map(|at| folder.join(&at.value)),
        embed_deadline: or(entry.embed_deadline.as_ref(), default.embed_deadline),
        shadow: or(entry.shadow.as_ref(), default.shadow),
        judge: entry.judge.as_ref().and_then(|judge| ids.model(&judge.value, names)),
        tool_calls: or(entry.tool_calls.as_ref(), default.tool_calls),
        share,
    }
}

/// The groups of tenants that share entries. Each gets an id by the names of all its members: no tenant's name holds a
/// comma, so that it is nobody else's, and another set of members is another group.
pub(super) fn share(
    entry: &CacheSection,
    names: &Names<'_>,
    tenants: &[TenantId],
    state: &State,
) -> Result<Vec<Sharing>, IdsExhausted> {
    let group = |group: &At<Vec<At<String>>>| {
        let mut members: Vec<&str> = group.value.iter().map(|name| name.value.as_str()).collect();
        members.sort_unstable();
        let ids = group.value.iter().filter_map(|name| tenants.get(names.tenant(&name.value)?).copied());
        Ok(Sharing { scope: state.tenant_id(&members.join(","))?, members: ids.collect() })
    };
    entry.share.iter().map(group).collect()
}

/// What is kept of outcomes; a relative path starts at `folder`.
pub(super) fn outcomes(entry: &OutcomesSection, folder: &Path) -> OutcomePolicy {
    let default = OutcomePolicy::default();
    OutcomePolicy {
        log: entry.log.as_ref().map(|at| folder.join(&at.value)),
        max_bytes: or(entry.max_bytes.as_ref(), default.max_bytes),
        files: or(entry.files.as_ref(), default.files),
        keep_prompts: or(entry.keep_prompts.as_ref(), default.keep_prompts),
    }
}
