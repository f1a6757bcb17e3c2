//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Routes AI requests: the cheapest model that is good enough, from the cache where possible.
#[derive(Debug, Parser)]
#[command(name = "xynergy-router", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do; without a command, the demo.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a sample workload through the sidecar over two simulated providers, then keep serving.
    Demo(Demo),
    /// Run the sidecar.
    Serve(Serve),
    /// Validate policy and config files; every error with its place.
    Check(Check),
    /// Decide on the request body on stdin and say why; asks no provider.
    Explain(Explain),
    /// Measure what the router decides by.
    #[command(subcommand)]
    Eval(Eval),
    /// Fit what the router decides by.
    #[command(subcommand)]
    Train(Train),
    /// Fill the cache of a running router.
    #[command(subcommand)]
    Cache(Cache),
    /// Make router keys.
    #[command(subcommand)]
    Key(Key),
    /// Look up the built-in prices.
    Prices(Prices),
    /// Sum up the ledger: spending, baseline and savings by cause.
    Report(Report),
    /// Remove what the records hold about a tenant or a user.
    Forget(Forget),
}

/// Options of `report`.
#[derive(Debug, Args)]
pub struct Report {
    /// What to group by: tenant, key, user, model, provider, day, month, outcome, cache, tag:NAME.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub by: Vec<String>,
    /// From this time on: 2027-01-01, 2027-01-01T12:00:00Z, or how long ago: 7d.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Of this tenant only.
    #[arg(long, value_name = "T")]
    pub tenant: Option<String>,
    /// The proxy file of the router, which says where its records are.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the records.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub records: Option<PathBuf>,
    /// Print comma-separated values.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}

/// Options of `forget`.
#[derive(Debug, Args)]
pub struct Forget {
    /// The tenant; with --user, the tenant that means this user.
    #[arg(long, value_name = "T")]
    pub tenant: Option<String>,
    /// The user, as requests named them: x-router-tags: user=…, or in the body.
    #[arg(long, value_name = "U")]
    pub user: Option<String>,
    /// The admin plane of a running router, which then does it itself, cached answers included.
    #[arg(long, value_name = "ADMIN", conflicts_with_all = ["config", "records"])]
    pub url: Option<String>,
    /// The environment variable that holds its admin token.
    #[arg(long, value_name = "NAME", requires = "url")]
    pub token_env: Option<String>,
    /// The proxy file of the router, which says where its records are.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the records.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pub records: Option<PathBuf>,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}

/// What `cache` does.
#[derive(Debug, Subcommand)]
pub enum Cache {
    /// Store answers that were given elsewhere: {"request": {…}, "response": {…}} a line.
    Warm(Warm),
}

/// Options of `cache warm`.
#[derive(Debug, Args)]
pub struct Warm {
    /// The pairs, one JSON object a line; also "endpoint", "tenant", "placement" and "tags".
    #[arg(value_name = "FILE.jsonl")]
    pub file: PathBuf,
    /// The admin plane of the router.
    #[arg(long, value_name = "ADMIN", default_value = "http://127.0.0.1:8081")]
    pub url: String,
    /// The environment variable that holds the router's admin token.
    #[arg(long, value_name = "NAME")]
    pub token_env: Option<String>,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}

/// What `key` does.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Print a new key once, and the line for the policy.
    New(NewKey),
}

/// Options of `key new`.
#[derive(Debug, Args)]
pub struct NewKey {
    /// Whose key it is.
    #[arg(long, value_name = "T")]
    pub tenant: String,
    /// When it stops working, from now: 90d, 12h.
    #[arg(long, value_name = "TIME")]
    pub expires_in: Option<String>,
}

/// Options of `prices`.
#[derive(Debug, Args)]
pub struct Prices {
    /// A model, as its provider calls it; without one, all are listed.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Who sells it, where several do.
    #[arg(long, value_name = "PROVIDER")]
    pub provider: Option<String>,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}

/// What `eval` measures.
#[derive(Debug, Subcommand)]
pub enum Eval {
    /// Routing quality of the complexity score on labelled prompts.
    Complexity(EvalComplexity),
    /// Cache admission on labelled pairs of questions.
    Cache(EvalCache),
    /// How well short-lived answers are recognised.
    Volatility(EvalVolatility),
    /// The score that requests are served with, gate included: everyday ones against hard ones.
    Served(EvalServed),
}

/// What `train` fits.
#[derive(Debug, Subcommand)]
pub enum Train {
    /// The complexity model, from labelled prompts; the same input gives the same file.
    Complexity(TrainComplexity),
}

/// Options of `eval complexity`.
#[derive(Debug, Args)]
pub struct EvalComplexity {
    /// JSON lines: id, prompt, weak_score, strong_score.
    #[arg(long, value_name = "FILE.jsonl")]
    pub data: PathBuf,
    /// Cross-validate in K parts instead of scoring with the shipped weights.
    #[arg(long, value_name = "K", conflicts_with_all = ["labels", "train"])]
    pub folds: Option<usize>,
    /// Train on N random rows and score the rest, for each seed.
    #[arg(long, value_name = "N", conflicts_with = "train")]
    pub labels: Option<usize>,
    /// How many seeds, from 0.
    #[arg(long, value_name = "S", default_value_t = 8, requires = "labels")]
    pub seeds: u64,
    /// Train on these rows instead of scoring with the shipped weights.
    #[arg(long, value_name = "FILE.jsonl")]
    pub train: Option<PathBuf>,
    /// Draw quality recovered against the share of strong calls.
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<PathBuf>,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}

/// Options of `eval cache`.
#[derive(Debug, Args)]
pub struct EvalCache {
    /// JSON lines: id, a, b, label.
    #[arg(long, value_name = "FILE.jsonl")]
    pub data: PathBuf,
    /// What decides whether two questions mean the same.
    #[arg(long, value_enum, default_value_t = Matcher::Builtin)]
    pub matcher: Matcher,
    /// Folder of the sentence embeddings [default: $XYNERGY_ROUTER_MODELS, else ./models]
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}

/// Options of `eval volatility`.
#[derive(Debug, Args)]
pub struct EvalVolatility {
    /// JSON lines: question, changes.
    #[arg(long, value_name = "FILE.jsonl")]
    pub data: PathBuf,
    /// Train on these rows instead of judging with the shipped weights.
    #[arg(long, value_name = "FILE.jsonl")]
    pub train: Option<PathBuf>,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}

/// Options of `eval served`.
#[derive(Debug, Args)]
pub struct EvalServed {
    /// Everyday requests: JSON lines with a text or prompt; may be repeated.
    #[arg(long, value_name = "FILE.jsonl", required = true)]
    pub everyday: Vec<PathBuf>,
    /// Hard requests: JSON lines with a text or prompt; may be repeated.
    #[arg(long, value_name = "FILE.jsonl", required = true)]
    pub hard: Vec<PathBuf>,
    /// Prompts with a level, 1 to 5.
    #[arg(long, value_name = "FILE.jsonl")]
    pub levels: Option<PathBuf>,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}

/// What decides whether two questions mean the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Matcher {
    /// Words alone; needs no model file.
    Builtin,
    /// Words and sentence embeddings.
    Fastembed,
}

/// Options of `train complexity`.
#[derive(Debug, Args)]
pub struct TrainComplexity {
    /// JSON lines: id, prompt, weak_score, strong_score; may be repeated.
    #[arg(long, value_name = "FILE.jsonl", required_unless_present = "from_outcomes")]
    pub data: Vec<PathBuf>,
    /// Outcome logs of a running router; may be repeated.
    #[arg(long, value_name = "FILE.jsonl")]
    pub from_outcomes: Vec<PathBuf>,
    /// The weights.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Name of the weights, shown in receipts.
    #[arg(long)]
    pub name: Option<String>,
    /// Sources and licences, kept in the file.
    #[arg(long)]
    pub note: Option<String>,
    /// Share of the traffic to serve that is simpler than any training row, 0..1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub simple_share: f32,
}

/// Where the sidecar listens.
#[derive(Clone, Copy, Debug, Args)]
pub struct Listeners {
    /// Address of the data plane; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Address of the admin plane; port 0 picks a free one [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<SocketAddr>,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// How many requests the sample workload has. Default: 400, with --chaos 1,600.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub requests: Option<u32>,
    /// Kill and slow the simulated providers meanwhile, report what callers saw of it, and end.
    #[arg(long)]
    pub chaos: bool,
    /// Where to listen.
    #[command(flatten)]
    pub listeners: Listeners,
    /// End after the report instead of serving on.
    #[arg(long)]
    pub exit: bool,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}

impl Default for Demo {
    fn default() -> Self {
        let listeners = Listeners { listen: None, admin: None };
        Self { requests: None, chaos: false, listeners, exit: false, json: false }
    }
}

impl Demo {
    /// The length of the workload.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests.unwrap_or(if self.chaos { 1_600 } else { 400 })
    }
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The policy; without one, providers come from OPENAI_API_KEY, ANTHROPIC_API_KEY and OLLAMA_HOST.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// What cannot change while running (proxy.toml).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen.
    #[command(flatten)]
    pub listeners: Listeners,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Policy and config files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The policy; without one, providers come from the environment.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// The data-plane path that the request would be sent to.
    #[arg(long, value_name = "PATH", default_value = "/v1/chat/completions")]
    pub endpoint: String,
    /// A header of the request, NAME:VALUE; may be repeated.
    #[arg(long = "header", value_name = "K:V")]
    pub headers: Vec<String>,
    /// Print one JSON object on stdout and nothing else there.
    #[arg(long)]
    pub json: bool,
}
