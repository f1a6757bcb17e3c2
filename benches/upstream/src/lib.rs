//! A scripted AI provider: a real HTTP/1.1 and h2c server on loopback that answers like the OpenAI and
//! the Anthropic API, and misbehaves by name.
//!
//! ```
//! use router_upstream::{Fault, Rule, Upstream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let upstream = Upstream::builder().name("cloud").models(["small", "big"]).start().await?;
//! println!("OPENAI_BASE_URL={}", upstream.base_url_openai());
//!
//! // The next two requests are refused, everything after them is answered.
//! upstream.script(Rule::next(Fault::Status { code: 503, retry_after_seconds: None }, 2));
//! assert_eq!(upstream.stats().calls, 0);
//! upstream.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # How an answer is made
//!
//! A body is a pure function of the settings and the request: the same request gets the same bytes, ids
//! and token counts included, so that a wrong answer is detectable. Every text begins with [`tag`] of the
//! model and the last user message. What differs from one request to the next (a request id, the wait,
//! the fault) travels in headers and time.
//!
//! A request is read into a dialect-free prompt, an answer is composed for it, the dialect renders the
//! answer into chunks, and faults damage whichever of these they are about. Request bodies that were seen
//! before skip all of that, which is what makes the server cheap enough for load runs.
//!
//! # Costs admitted
//!
//! Token counts are bytes divided by four. The provider's prompt cache is a fixed share, not a simulation.
//! `n`, `logprobs` and `stop` are ignored. TLS is left to others.

mod answer;
mod anthropic;
mod body;
mod builder;
mod control;
mod delay;
mod fault;
mod handler;
mod json;
mod memo;
mod openai;
mod prompt;
mod provider;
mod record;
mod reply;
mod route;
mod script;
mod server;
mod upstream;

pub use answer::text::tag;
pub use builder::Builder;
pub use delay::{Delay, Jitter};
pub use fault::{Fault, Offset, ParseFaultError};
pub use record::{RecordedRequest, Stats};
pub use script::{Rule, When};
pub use upstream::Upstream;
