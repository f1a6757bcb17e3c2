//! A small language for tests of the whole sidecar: `world().await`, `client.chat(…)`, `upstream.requests()`.

mod client;
mod dialect;
mod events;
mod gate;
mod policy;
mod program;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use router_policies::Origin;
use router_proxy::sidecar::{Settings, Sidecar};
use router_upstream::{Builder, Fault, Upstream};

pub use client::{Reply, TestClient};
pub use dialect::{DIALECTS, Speech, chat, chat_with, merged, message};
pub use events::{data, events};
pub use gate::Gate;
pub use policy::{Policy, base_policy};
pub use program::{Program, run, run_with};

/// A sidecar between a client and two providers.
pub struct World {
    pub inside: Upstream,
    pub outside: Upstream,
    pub sidecar: Sidecar,
    pub client: TestClient,
    pub policy: Policy,
}

/// How a world differs from the plain one.
pub struct Plan {
    /// Makes the policy from the base policy.
    pub policy: fn(String) -> String,
    /// Sets up both providers.
    pub upstream: fn(Builder) -> Builder,
    pub settings: Settings,
}

impl Default for Plan {
    fn default() -> Self {
        Self { policy: |base| base, upstream: |builder| builder, settings: Settings::default() }
    }
}

impl Plan {
    pub async fn start(self) -> World {
        raise_descriptor_limit();
        let provider = |name, model: &str| (self.upstream)(Upstream::builder().name(name).models([model]));
        let inside = provider("local", "small").start().await.unwrap();
        let outside = provider("cloud", "big").start().await.unwrap();
        let policy = Policy::write(&(self.policy)(base_policy(inside.addr(), outside.addr())));
        let settings = Settings { listen: any_port(), admin: any_port(), ..self.settings };
        let scorer = router_proxy::commands::scorer();
        let sidecar = Sidecar::start(settings, Origin::File(policy.path()), scorer).await.unwrap();
        let client = TestClient::new(sidecar.data(), sidecar.admin());
        World { inside, outside, sidecar, client, policy }
    }
}

/// Callers, sidecar and providers are one process here: a thousand streams have four thousand ends, and many systems begin at 1,024.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where it is not allowed, tests with crowds will say so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// The plain world.
pub async fn world() -> World {
    Plan::default().start().await
}

/// A world whose policy is made from the base policy.
pub async fn world_with(policy: fn(String) -> String) -> World {
    Plan { policy, ..Plan::default() }.start().await
}

impl World {
    /// The base policy over this world's providers.
    pub fn base_policy(&self) -> String {
        base_policy(self.inside.addr(), self.outside.addr())
    }

    /// Puts this address in the place of the internal provider's.
    pub async fn replace_inside(&self, address: SocketAddr) {
        let policy = self.base_policy().replace(&self.inside.addr().to_string(), &address.to_string());
        self.policy.slip(&policy);
        let reply = self.client.admin(http::Method::POST, "/-/reload", "").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Requests that any provider has seen.
    pub fn calls(&self) -> u64 {
        self.inside.stats().calls + self.outside.stats().calls
    }
}

pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub fn fault(name: &str) -> Fault {
    name.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// What a test waits for at most. Only a defect lets it run out: no test measures time by it.
const HANG: Duration = Duration::from_secs(60);

/// The event, or a failed test in place of one that hangs.
pub async fn within<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, event).await.expect("what the test waits for does not happen")
}

/// Looks again and again until it is so.
pub async fn until<F: Future<Output = bool>>(mut so: impl FnMut() -> F) {
    within(async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Looks again and again until the value is as expected.
pub async fn until_eq<T, F>(expected: T, mut look: impl FnMut() -> F)
where
    T: PartialEq,
    F: Future<Output = T>,
{
    let expected = Arc::new(expected);
    until(|| {
        let seen = look();
        let expected = Arc::clone(&expected);
        async move { seen.await == *expected }
    })
    .await;
}

/// What a prompt must look like to be plainly hard.
pub const HARD: &str = "Prove that every bounded sequence in R^n has a convergent subsequence, derive the rate of \
    convergence step by step, then implement it in Rust:\n```rust\nfn f<T: Ord>(x: &[T]) -> Option<usize> { todo!() }\n```\n\
    1. justify each lemma 2. analyse the complexity 3. compare with two alternatives 4. prove optimality. Requirements: \
    must be lock-free, must not allocate, explain every memory ordering, give a loom model, and evaluate \
    \\int_0^1 x^n e^{-x} dx for n = 1..12 with error bounds.";
