//! A decision, told in JSON.

use router_core::{Decision, Receipt, Rejection, Snapshot, Usd, Verdict};
use serde::Serialize;

/// What `explain` answers.
#[derive(Debug, Serialize)]
pub struct Explanation {
    score: f64,
    band: &'static str,
    rule: Option<String>,
    model: Option<String>,
    provider: Option<String>,
    placement: Option<&'static str>,
    profile: Option<String>,
    /// The model that holds the conversation.
    holder: Option<String>,
    objective: &'static str,
    confidence: f64,
    domain: &'static str,
    prompt_tokens: u64,
    terms: Vec<Term>,
    candidates: Vec<Candidate>,
    cache: Option<Cache>,
    error: Option<Problem>,
    generation: u64,
}

#[derive(Debug, Serialize)]
struct Term {
    name: &'static str,
    value: f64,
}

#[derive(Debug, Serialize)]
struct Candidate {
    model: String,
    provider: Option<String>,
    expected_cost_usd: Option<f64>,
    /// Who knows its price.
    price_source: Option<&'static str>,
    chosen: bool,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Cache {
    read: bool,
    write: bool,
    ttl_seconds: u64,
}

#[derive(Debug, Serialize)]
struct Problem {
    code: &'static str,
    message: String,
}

/// A number as a person would write it: `f32` noise behind the sixth digit is cut.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1e6).round() / 1e6
}

impl Explanation {
    /// Tells a decision or a refusal.
    #[must_use]
    pub fn new(snapshot: &Snapshot, result: &Result<Decision, Rejection>) -> Self {
        let receipt = match result {
            Ok(decision) => &decision.receipt,
            Err(rejection) => &rejection.receipt,
        };
        let chosen = result.as_ref().ok().and_then(|decision| decision.candidates.first());
        let target = chosen.and_then(|candidate| snapshot.target(candidate.model));
        Self {
            score: (f64::from(receipt.assessment.complexity()) * 1e3).round() / 1e3,
            band: receipt.band.as_str(),
            rule: receipt.rule.and_then(|rule| snapshot.rule(rule)).map(|rule| rule.name.to_string()),
            model: target.map(|(model, _)| model.name.to_string()),
            provider: target.map(|(_, provider)| provider.name.to_string()),
            placement: target.map(|(_, provider)| provider.placement.as_str()),
            profile: receipt
                .profile
                .and_then(|profile| snapshot.profile(profile))
                .map(|p| p.name.to_string()),
            holder: receipt
                .holder
                .and_then(|model| snapshot.model(model))
                .map(|model| model.name.to_string()),
            objective: receipt.objective.as_str(),
            confidence: rounded(receipt.assessment.confidence),
            domain: domain(receipt),
            prompt_tokens: receipt.prompt_tokens,
            terms: terms(receipt),
            candidates: receipt.considered.iter().map(|considered| candidate(snapshot, considered)).collect(),
            cache: result.as_ref().ok().map(|decision| Cache {
                read: decision.cache.read,
                write: decision.cache.write,
                ttl_seconds: decision.cache.ttl.as_secs(),
            }),
            error: result.as_ref().err().map(|rejection| Problem {
                code: rejection.reason.code(),
                message: rejection.reason.to_string(),
            }),
            generation: snapshot.generation(),
        }
    }
}

fn domain(receipt: &Receipt) -> &'static str {
    match receipt.assessment.domain {
        router_core::Domain::Unbounded => "unbounded",
        router_core::Domain::Inside => "inside",
        router_core::Domain::Outside => "outside",
    }
}

fn terms(receipt: &Receipt) -> Vec<Term> {
    let terms = receipt.assessment.terms().iter();
    terms.map(|term| Term { name: term.name, value: rounded(term.value) }).collect()
}

fn candidate(snapshot: &Snapshot, considered: &router_core::Considered) -> Candidate {
    let target = snapshot.target(considered.model);
    Candidate {
        model: target.map_or_else(String::new, |(model, _)| model.name.to_string()),
        provider: target.map(|(_, provider)| provider.name.to_string()),
        expected_cost_usd: considered.expected_cost.map(Usd::dollars),
        price_source: target.map(|(model, _)| model.price_source.as_str()),
        chosen: considered.verdict == Verdict::Chosen,
        reason: considered.verdict.to_string(),
    }
}

/// For a person: the same as text, a line a fact.
impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "complexity  {:.3}  → band {}", self.score, self.band)?;
        for term in &self.terms {
            writeln!(f, "              {:<24} {:+.3}", term.name, term.value)?;
        }
        if let Some(rule) = &self.rule {
            writeln!(f, "rule        {rule}")?;
        }
        match (&self.model, &self.provider, self.placement) {
            (Some(model), Some(provider), Some(placement)) => {
                writeln!(f, "goes to     {model} at {provider} ({placement})")?;
            }
            _ => writeln!(f, "goes to     nothing")?,
        }
        for candidate in &self.candidates {
            let cost =
                candidate.expected_cost_usd.map_or("unpriced".to_owned(), |cost| format!("${cost:.6}"));
            writeln!(f, "              {:<24} {:>12}  {}", candidate.model, cost, candidate.reason)?;
        }
        match &self.error {
            Some(problem) => writeln!(f, "refused     {}: {}", problem.code, problem.message),
            None => Ok(()),
        }
    }
}
