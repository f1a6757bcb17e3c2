//! `[attempts]` and breakers, as data.

use router_core::{AttemptPolicy, BreakerSettings};
use serde_json::{Value, json};

use super::fraction;
use crate::units::show;

pub(super) fn attempts(policy: &AttemptPolicy) -> Value {
    let AttemptPolicy { retry, hedge, hold_back, .. } = policy;
    json!({
        "retry": {
            "share": fraction(retry.share),
            "floor": retry.floor,
            "most": retry.most,
            "base": show::duration(retry.base),
        },
        "hedge": hedge.as_ref().map(|hedge| json!({
            "share": fraction(hedge.share),
            "max_cost": format!("${}", hedge.dearest),
            "tenant_hourly": format!("${}", hedge.tenant_hourly),
        })),
        "first_token": policy.first_token.map(show::duration),
        "hold_back": {
            "bytes": (hold_back.bytes > 0).then(|| show::size(hold_back.bytes as u64)),
            "time": (!hold_back.time.is_zero()).then(|| show::duration(hold_back.time)),
        },
        "escalate": policy.escalate,
        "keep_alive": show::duration(policy.keep_alive),
        "coalesce": policy.coalesce,
    })
}

pub(super) fn breaker(breaker: &BreakerSettings) -> Value {
    json!({
        "failures": breaker.failures,
        "recovery": show::duration(breaker.recovery),
        "success_rate": fraction(breaker.success_rate),
        "least_answers": breaker.least_answers,
        "window": show::duration(breaker.window),
        "slow_first_token": breaker.slow_first_token.map(show::duration),
        "slow_start": show::duration(breaker.slow_start),
    })
}
