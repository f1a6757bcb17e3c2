//! The cache: that its times are in order, and that its judge and the tenants who share exist.

use std::collections::HashMap;

use super::names::Names;
use crate::diagnostics::Quoted;
use crate::file::{CacheSection, PolicyFile};
use crate::sink::Sink;
use crate::units::show;

/// Verifies the section.
pub(super) fn verify(file: &PolicyFile, names: &Names<'_>, sink: &mut Sink) {
    let cache = &file.cache;
    if let (Some(ttl), Some(max_ttl)) = (&cache.ttl, &cache.max_ttl)
        && ttl.value > max_ttl.value
    {
        let (ttl_shown, max_shown) = (show::duration(ttl.value), show::duration(max_ttl.value));
        sink.error(ttl.span, format!("ttl {ttl_shown} is above max_ttl {max_shown}"));
    }
    if let Some(judge) = &cache.judge {
        names.require_model(judge, sink);
    }
    verify_share(cache, names, sink);
}

/// Reports tenants that do not exist or share twice, and groups of one.
fn verify_share(cache: &CacheSection, names: &Names<'_>, sink: &mut Sink) {
    let mut groups: HashMap<&str, usize> = HashMap::new();
    for (at, group) in cache.share.iter().enumerate() {
        if group.value.len() == 1 {
            sink.error(group.span, "share: a tenant alone shares with nobody");
        }
        for tenant in &group.value {
            names.require_tenant(tenant, sink);
            match groups.insert(&tenant.value, at) {
                None => {}
                Some(other) if other == at => {
                    sink.error(tenant.span, format!("tenant {} is listed twice", Quoted(&tenant.value)));
                }
                Some(_) => {
                    let message = format!("tenant {} is already in another group", Quoted(&tenant.value));
                    sink.error(tenant.span, message);
                }
            }
        }
    }
}
