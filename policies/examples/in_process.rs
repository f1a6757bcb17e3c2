//! Decides and records inside this process: no runtime, no socket.
//!
//! `cargo run -p router-policies --example in_process`

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use router_classifiers::StructureScorer;
use router_core::{Digest, Endpoint, RouteRequest, Settled, State, TenantId, begin, decide};
use router_policies::{Live, Origin, Setup};

fn main() -> Result<(), Box<dyn Error>> {
    // Once: the state outlives every policy; the live policy can be reloaded or watched.
    let state = Arc::new(State::new(Instant::now(), (fastrand::u64(..), fastrand::u64(..))));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policy.toml");
    let setup = Setup::new(Arc::clone(&state), Arc::new(StructureScorer), Vec::new());
    let (policy, _warnings) =
        Live::open(Origin::File(path.into()), setup).map_err(|errors| format!("{}", errors[0]))?;

    let mut rng = fastrand::Rng::new();

    // For each request: read its body, decide, claim an attempt, settle it.
    let body =
        br#"{"model": "auto", "messages": [{"role": "user", "content": "Thank the team for the cake."}]}"#;
    let snapshot = policy.snapshot();
    let digest = Digest::read(Endpoint::ChatCompletions, body, &state.fingerprint_key)?;
    let request = RouteRequest::new(&digest, TenantId::ANONYMOUS);
    let decision = decide(&snapshot, &state, &request, Instant::now(), &mut rng)?;
    let first = &decision.candidates[0];
    let (model, provider) = snapshot.target(first.model).ok_or("a candidate is always in its snapshot")?;
    println!(
        "complexity {:.3}, band {}: {} at {}, expected ${}",
        decision.receipt.assessment.complexity(),
        decision.receipt.band,
        model.name,
        provider.base_url,
        first.expected_cost.unwrap_or_default(),
    );

    let attempt = begin(&snapshot, &state, first, Instant::now(), &mut rng)?;
    // … ask the provider in your own way …
    attempt.record(Settled::success(None), Instant::now());
    Ok(())
}
