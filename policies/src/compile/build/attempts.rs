//! `[attempts]`, compiled.

use router_core::{AttemptPolicy, HedgeSettings, HoldBack, RetrySettings};

use crate::file::{AttemptsSection, HedgeEntry, RetryEntry};
use crate::source::At;

fn or<T: Clone>(stated: Option<&At<T>>, otherwise: T) -> T {
    stated.map_or(otherwise, |at| at.value.clone())
}

pub(super) fn attempts(section: &AttemptsSection) -> AttemptPolicy {
    let default = AttemptPolicy::default();
    let hold_back = &section.hold_back;
    AttemptPolicy {
        retry: retry(&section.retry),
        hedge: section.hedge.as_ref().map(hedge),
        first_token: section.first_token.as_ref().map(|at| at.value),
        hold_back: HoldBack {
            bytes: hold_back.bytes.as_ref().map_or(0, |at| usize::try_from(at.value).unwrap_or(usize::MAX)),
            time: or(hold_back.time.as_ref(), std::time::Duration::ZERO),
        },
        escalate: or(section.escalate.as_ref(), default.escalate),
        keep_alive: or(section.keep_alive.as_ref(), default.keep_alive),
        coalesce: or(section.coalesce.as_ref(), default.coalesce),
    }
}

fn retry(entry: &RetryEntry) -> RetrySettings {
    let default = RetrySettings::default();
    RetrySettings {
        share: entry.share.as_ref().map_or(default.share, |at| at.value as f32),
        floor: or(entry.floor.as_ref(), default.floor),
        most: or(entry.most.as_ref(), default.most),
        base: or(entry.base.as_ref(), default.base),
        ..default
    }
}

fn hedge(entry: &HedgeEntry) -> HedgeSettings {
    let default = HedgeSettings::default();
    HedgeSettings {
        share: entry.share.as_ref().map_or(default.share, |at| at.value as f32),
        dearest: or(entry.max_cost.as_ref(), default.dearest),
        tenant_hourly: or(entry.tenant_hourly.as_ref(), default.tenant_hourly),
    }
}
