//! A second attempt for the few requests whose first token is late.
//!
//! Hedging pays for the tail (The Tail at Scale): where a first token is later than all but the last 2 %, a
//! fresh draw is usually sooner. The question is only when to send it. Too soon costs money, too late gains
//! nothing, and the right moment differs by model, by prompt size and by the hour. So it is learned, per
//! model and prompt-size bucket, as the quantile that spends the cap (stochastic approximation; see
//! `hedge/trigger.rs`).
//!
//! Two caps hold whatever is learned: extra calls stay below [`HedgeSettings::share`] of the eligible
//! requests at every moment, by an allowance that starts empty; and a tenant's hedges stay within a
//! [`Spending`] cap in money.
//!
//! The course of a request: [`Hedge::watch`] when the first attempt is sent; where its first token has not
//! come after [`Watch::after`], [`Hedge::fire`]; and [`Hedge::settle`] once it is known how long the first
//! attempt took or how long it was given. The loser is cancelled; its tokens are charged and shown.
//!
//! When not to use it: for requests with tools or state on the provider's side (the loser may have acted),
//! for dear ones, and towards a single overloaded provider, where extra load is what makes tokens late.

mod allowance;
mod spending;
#[cfg(test)]
mod tests;
mod trigger;

pub use spending::Spending;

use std::time::{Duration, Instant};

use crate::money::Usd;
use allowance::Allowance;
use trigger::Trigger;

/// When a second attempt is worth it.
#[derive(Clone, Debug, PartialEq)]
pub struct HedgeSettings {
    /// Extra calls per eligible request, 0..=1; 0 turns hedging off. Default 0.02, so the trigger settles near
    /// the 98th percentile.
    pub share: f32,
    /// A request expected to cost more is not hedged. Default $0.05: at a cap of 2 %, a million requests
    /// then cost at most $1,000 in hedges.
    pub dearest: Usd,
    /// What one tenant's hedges may be expected to cost in an hour. Default $1: at a share of 2 %, that is
    /// reached with traffic of $50 an hour.
    pub tenant_hourly: Usd,
}

impl Default for HedgeSettings {
    fn default() -> Self {
        Self {
            share: 0.02,
            dearest: Usd::from_nanos(50_000_000),
            tenant_hourly: Usd::from_nanos(1_000_000_000),
        }
    }
}

/// What has to be known of a request to hedge it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occasion {
    /// Prompt tokens.
    pub prompt_tokens: u32,
    /// Whether the model may call tools.
    pub tools: bool,
    /// Whether the request reads or leaves state at the provider.
    pub stateful: bool,
    /// What one attempt is expected to cost; nothing, where it has no price.
    pub cost: Option<Usd>,
}

/// Why there is no second attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// The request has tools.
    #[error("tools")]
    Tools,
    /// The request is stateful.
    #[error("stateful")]
    Stateful,
    /// The request is too dear, or has no price.
    #[error("too dear to ask twice")]
    Dear,
    /// Too few first tokens have been seen for this model and prompt size.
    #[error("still learning")]
    Learning,
    /// The cap on extra calls is reached.
    #[error("the share of extra calls is spent")]
    Share,
    /// The tenant's cap on the cost of hedges is reached.
    #[error("the tenant's spending on second attempts is at its cap")]
    Spending,
}

/// Upper bounds of the prompt-size buckets in tokens; the last bucket is open. A factor of four each: within
/// one, reading time differs by less than first-token times do anyway.
const BUCKET_TOKENS: [u32; 5] = [256, 1_024, 4_096, 16_384, 65_536];

/// Learns when to hedge, for one model; see the [module](self). All methods are lock-free.
#[derive(Debug, Default)]
pub struct Hedge {
    triggers: [Trigger; BUCKET_TOKENS.len() + 1],
    allowance: Allowance,
}

/// A first attempt under observation.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a watch that is never settled teaches nothing"]
pub struct Watch {
    bucket: usize,
    /// The trigger in force, if it has been learned.
    trigger: Option<Duration>,
    /// What a second attempt is expected to cost, if there may be one.
    eligible: Result<Usd, Withheld>,
}

impl Watch {
    /// How long to wait for the first token before a second attempt, or why there will be none.
    pub fn after(&self) -> Result<Duration, Withheld> {
        self.eligible?;
        self.trigger.ok_or(Withheld::Learning)
    }
}

impl Hedge {
    /// Knows nothing; hedges nothing until each bucket has seen `1 / share` first tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to watch a first attempt.
    pub fn watch(&self, occasion: &Occasion, settings: &HedgeSettings) -> Watch {
        let bucket = BUCKET_TOKENS.partition_point(|&bound| bound < occasion.prompt_tokens);
        let eligible = eligible(occasion, settings);
        if eligible.is_ok() {
            self.allowance.deposit(settings.share);
        }
        let trigger = self.triggers.get(bucket).and_then(|trigger| trigger.after(settings.share));
        Watch { bucket, trigger, eligible }
    }

    /// Asks for the second attempt, when the time of [`Watch::after`] is over. Pays for it, in calls and
    /// with the tenant's `spending`.
    pub fn fire(
        &self,
        watch: &Watch,
        spending: &Spending,
        settings: &HedgeSettings,
        now: Instant,
    ) -> Result<(), Withheld> {
        watch.after()?;
        let cost = watch.eligible?;
        if !self.allowance.withdraw() {
            return Err(Withheld::Share);
        }
        if !spending.spend(cost, settings.tenant_hourly, now) {
            self.allowance.put_back();
            return Err(Withheld::Spending);
        }
        Ok(())
    }

    /// Gives back what [`fire`](Self::fire) took at that `now`, where the second attempt was not sent.
    pub fn unfire(&self, watch: &Watch, spending: &Spending, now: Instant) {
        if let Ok(cost) = watch.eligible {
            self.allowance.put_back();
            spending.unspend(cost, now);
        }
    }

    /// Learns from a first attempt: `waited` is the time to its first token, or the time that it was given
    /// until another attempt won. Not for attempts that failed or were cancelled before that.
    pub fn settle(&self, watch: Watch, waited: Duration, settings: &HedgeSettings) {
        if let Some(trigger) = self.triggers.get(watch.bucket) {
            trigger.observe(waited, watch.trigger, settings.share);
        }
    }
}

/// The cost of one attempt, where a second one is allowed at all.
fn eligible(occasion: &Occasion, settings: &HedgeSettings) -> Result<Usd, Withheld> {
    if occasion.tools {
        return Err(Withheld::Tools);
    }
    if occasion.stateful {
        return Err(Withheld::Stateful);
    }
    occasion.cost.filter(|&cost| cost <= settings.dearest).ok_or(Withheld::Dear)
}
