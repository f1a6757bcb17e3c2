//! `router-upstream`: a scripted AI provider as a process of its own.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use router_upstream::{Builder, Delay, Fault, Jitter, Upstream};

/// A scripted AI provider that speaks like OpenAI and Anthropic, and misbehaves by name.
///
/// Prints {"event":"listening","addr":"IP:PORT"} once it listens. POST /__script, GET /__stats and
/// GET /__requests control and observe it while it runs.
#[derive(Parser)]
#[command(version, after_help = format!("Faults: {}", Fault::NAMES.join(", ")))]
struct Args {
    /// Address to listen on; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What it calls itself.
    #[arg(long, default_value = "upstream")]
    name: String,
    /// Models to list.
    #[arg(long, value_delimiter = ',', default_value = "small,big")]
    models: Vec<String>,
    /// Milliseconds to the first token.
    #[arg(long, default_value_t = 0)]
    ttft_ms: u64,
    /// Microseconds to the first token for every token of the prompt.
    #[arg(long, default_value_t = 0)]
    prompt_token_us: u64,
    /// Tokens a second after the first; 0 for all at once.
    #[arg(long, default_value_t = 0)]
    tokens_per_second: u32,
    /// Sigma of a lognormal time to the first token.
    #[arg(long, default_value_t = 0.0)]
    ttft_sigma: f64,
    /// Seed of what varies.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Length of an answer.
    #[arg(long, default_value_t = 48)]
    answer_tokens: u32,
    /// Tokens in one event of a stream.
    #[arg(long, default_value_t = 2)]
    chunk_tokens: u32,
    /// A fault that hits every request, as NAME or NAME=ARG; may be repeated.
    #[arg(long)]
    fault: Vec<Fault>,
    /// Answer 401 to requests without this key.
    #[arg(long)]
    api_key: Option<String>,
    /// Refuse models that are not listed, and Anthropic requests without a version.
    #[arg(long)]
    strict: bool,
    /// Let events that are due together leave together, and keep no requests: for load runs.
    #[arg(long)]
    fast: bool,
    /// Threads to serve with.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

impl Args {
    fn delay(&self) -> Delay {
        let per_output_token = match self.tokens_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_secs(1) / rate,
        };
        Delay {
            first_token: Duration::from_millis(self.ttft_ms),
            per_prompt_token: Duration::from_micros(self.prompt_token_us),
            per_output_token,
            jitter: if self.ttft_sigma > 0.0 { Jitter::Lognormal(self.ttft_sigma) } else { Jitter::None },
            seed: self.seed,
        }
    }

    fn builder(self) -> Builder {
        let delay = self.delay();
        let mut builder = Upstream::builder()
            .listen(self.listen)
            .name(self.name)
            .models(self.models)
            .delay(delay)
            .answer_tokens(self.answer_tokens)
            .chunk_tokens(self.chunk_tokens)
            .strict(self.strict);
        if let Some(key) = self.api_key {
            builder = builder.api_key(key);
        }
        if self.fast {
            builder = builder.flush_each_event(false).record_limit(0);
        }
        self.fault.into_iter().fold(builder, Builder::script)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut runtime = match args.threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(args.threads.max(1)).enable_all().build()?;
    runtime.block_on(async {
        let upstream = args.builder().start().await?;
        println!("{}", serde_json::json!({"event": "listening", "addr": upstream.addr()}));
        upstream.join().await?;
        Ok(())
    })
}
