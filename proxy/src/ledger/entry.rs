//! One line of the ledger.

use jiff::Timestamp;
use router_core::{TokenUsage, Usd};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::tags::Tags;

/// One finished request, whatever became of it.
///
/// Its names are held in place: the thread that writes an entry is another than the one that made it, and memory that one thread takes and another
/// gives back is what the allocator is slowest at (a tenth of a request's time, by `benches/load --scenario paid`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it arrived.
    pub time: Timestamp,
    /// Names the decision's receipt.
    pub receipt: SmolStr,
    /// The caller's organisation; empty where none are configured.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub tenant: SmolStr,
    /// The name of the caller's key; empty where none are needed.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub key: SmolStr,
    /// The end user that the caller named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<SmolStr>,
    /// The rule that matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<SmolStr>,
    /// Tags of the request and of its tenant.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The model that answered, or that was chosen; empty when none was.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub model: SmolStr,
    /// Who serves it.
    #[serde(default, skip_serializing_if = "SmolStr::is_empty")]
    pub provider: SmolStr,
    /// How it ended: `ok`, `denied`, `upstream_error`, … as in the metrics.
    pub outcome: SmolStr,
    /// What the cache had.
    pub cache: CacheResult,
    /// Guards that refused the nearest stored answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vetoes: Vec<SmolStr>,
    /// Tokens of all attempts.
    #[serde(default)]
    pub tokens: Tokens,
    /// What all attempts cost together.
    #[serde(rename = "cost_usd", with = "usd")]
    pub cost: Usd,
    /// How the cost is known.
    pub cost_state: CostState,
    /// What the baseline model would have cost.
    #[serde(rename = "baseline_usd", default, with = "usd_or_null")]
    pub baseline: Option<Usd>,
    /// How the baseline is known.
    pub baseline_method: BaselineMethod,
    /// What was sent to providers, in order. Empty when nothing was.
    #[serde(default, skip_serializing_if = "SmallVec::is_empty")]
    pub attempts: SmallVec<[Attempt; 1]>,
    /// From the first byte in to the last byte out, in milliseconds.
    pub duration_ms: u64,
}

impl Entry {
    /// The line of a request of which nothing is known yet but who asks.
    #[must_use]
    pub fn begin(time: Timestamp, receipt: &str, tenant: &str, key: &str) -> Self {
        Self {
            time,
            receipt: receipt.into(),
            tenant: tenant.into(),
            key: key.into(),
            user: None,
            rule: None,
            tags: Tags::default(),
            model: SmolStr::default(),
            provider: SmolStr::default(),
            outcome: SmolStr::default(),
            cache: CacheResult::Bypass,
            vetoes: Vec::new(),
            tokens: Tokens::default(),
            cost: Usd::ZERO,
            cost_state: CostState::Priced,
            baseline: None,
            baseline_method: BaselineMethod::None,
            attempts: SmallVec::new(),
            duration_ms: 0,
        }
    }

    /// Adds what an attempt used and cost.
    pub fn charge(&mut self, usage: TokenUsage, cost: Usd, state: CostState) {
        let Tokens { input, cached_input, cache_write, output, reasoning } = &mut self.tokens;
        for (sum, more) in [
            (input, usage.input),
            (cached_input, usage.cached_input),
            (cache_write, usage.cache_write),
            (output, usage.output),
            (reasoning, usage.reasoning),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.cost += cost;
        // The least certain of all attempts is how certain the sum is.
        if self.attempts.len() <= 1 || state != CostState::Priced {
            self.cost_state = state;
        }
    }
}

/// One request to a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Who was asked.
    pub provider: SmolStr,
    /// For which model.
    pub model: SmolStr,
    /// What it was for.
    pub part: Part,
    /// How it ended, as in the metrics.
    pub outcome: SmolStr,
    /// What it cost.
    #[serde(rename = "cost_usd", with = "usd")]
    pub cost: Usd,
}

/// What an attempt contributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The answer.
    Served,
    /// Nothing: another attempt followed it.
    Retried,
    /// Nothing: another attempt beside it was faster.
    Hedged,
}

/// What the cache had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheResult {
    /// This very request.
    Hit,
    /// One that means the same.
    Near,
    /// The same request, under way for somebody else.
    Shared,
    /// Nothing.
    Miss,
    /// It was not asked.
    Bypass,
    /// A near hit had been served: asked again on the side, to compare the answers.
    Shadow,
    /// A stale answer had been served: asked again on the side.
    Refresh,
    /// A model compared two answers, on the side.
    Judge,
}

impl CacheResult {
    /// Whether no caller waited for it: the line is about money only.
    #[must_use]
    pub const fn is_errand(self) -> bool {
        matches!(self, Self::Shadow | Self::Refresh | Self::Judge)
    }
}

/// How a cost is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostState {
    /// From the usage that the provider reported and a known price.
    Priced,
    /// From a known price and tokens that were counted here, because the provider reported none.
    Estimated,
    /// From the ceiling that the policy sets for models without a price.
    Ceiling,
    /// Not known: the model has no price. The cost is written as 0 and must not be taken for one.
    Unpriced,
}

/// How a baseline is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineMethod {
    /// The baseline model's price for the tokens of this request.
    SameTokens,
    /// The baseline model's price for the tokens of the stored or shared answer.
    StoredTokens,
    /// There is none: no baseline model, no price for it, or no answer.
    None,
}

/// Tokens by price class; those that are zero are not written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// Prompt, neither read from nor written to the provider's cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub input: u64,
    /// Prompt, read from the provider's cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached_input: u64,
    /// Prompt, written to the provider's cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write: u64,
    /// Answer.
    #[serde(skip_serializing_if = "is_zero")]
    pub output: u64,
    /// Hidden reasoning.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning: u64,
}

impl From<TokenUsage> for Tokens {
    fn from(usage: TokenUsage) -> Self {
        let TokenUsage { input, cached_input, cache_write, output, reasoning } = usage;
        Self { input, cached_input, cache_write, output, reasoning }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(tokens: &u64) -> bool {
    *tokens == 0
}

/// Amounts as dollars. Exact to the nano-dollar up to nine million dollars, what a double can hold.
mod usd {
    use super::{Deserialize, Usd};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(amount: &Usd, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(amount.dollars())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Usd, D::Error> {
        f64::deserialize(from).map(Usd::from_dollars)
    }
}

/// As [`usd`], where there may be none.
mod usd_or_null {
    use super::{Deserialize, Usd};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(amount: &Option<Usd>, to: S) -> Result<S::Ok, S::Error> {
        match amount {
            Some(amount) => super::usd::serialize(amount, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Usd>, D::Error> {
        Ok(Option::<f64>::deserialize(from)?.map(Usd::from_dollars))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A request of a millisecond that cost a cent and would have cost three.
    pub(in crate::ledger) fn entry(time: &str, tenant: &str) -> Entry {
        Entry {
            time: time.parse().unwrap(),
            receipt: "r1".into(),
            tenant: tenant.into(),
            key: "0123456789ab".into(),
            user: None,
            rule: None,
            tags: Tags::default(),
            model: "small".into(),
            provider: "local".into(),
            outcome: "ok".into(),
            cache: CacheResult::Miss,
            vetoes: Vec::new(),
            tokens: Tokens { input: 100, output: 20, ..Tokens::default() },
            cost: Usd::from_dollars(0.01),
            cost_state: CostState::Priced,
            baseline: Some(Usd::from_dollars(0.03)),
            baseline_method: BaselineMethod::SameTokens,
            attempts: smallvec::smallvec![Attempt {
                provider: "local".into(),
                model: "small".into(),
                part: Part::Served,
                outcome: "ok".into(),
                cost: Usd::from_dollars(0.01),
            }],
            duration_ms: 1,
        }
    }

    #[test]
    fn a_line_is_what_its_readers_expect() {
        let mut entry = entry("2026-11-20T05:00:00.25Z", "team-a");
        entry.tags.insert("data".into(), "public".into());
        let line = serde_json::to_string(&entry).unwrap();
        assert_eq!(
            line,
            concat!(
                r#"{"time":"2026-11-20T05:00:00.25Z","receipt":"r1","tenant":"team-a","key":"0123456789ab","#,
                r#""tags":{"data":"public"},"model":"small","provider":"local","outcome":"ok","cache":"miss","#,
                r#""tokens":{"input":100,"output":20},"cost_usd":0.01,"cost_state":"priced","#,
                r#""baseline_usd":0.03,"baseline_method":"same_tokens","#,
                r#""attempts":[{"provider":"local","model":"small","part":"served","outcome":"ok","cost_usd":0.01}],"#,
                r#""duration_ms":1}"#
            )
        );
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry);
    }

    #[test]
    fn every_nano_dollar_survives_the_way_to_disk_and_back() {
        for nanos in [0, 1, 2, 3, 310, 999_999_999, 1_000_000_001, 123_456_789_012_345, (1 << 53) - 1] {
            let cost = Usd::from_nanos(nanos);
            let entry = Entry { cost, baseline: Some(cost), ..entry("2026-11-20T05:00:00Z", "") };
            let line = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry, "{line}");
        }
        let none = Entry { baseline: None, ..entry("2026-11-20T05:00:00Z", "") };
        let line = serde_json::to_string(&none).unwrap();
        assert!(line.contains(r#""baseline_usd":null"#), "{line}");
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), none);
    }
}
