//! The program `xynergy-router`.

use std::process::ExitCode;

use clap::Parser;
use router_proxy::args::{Cache, Cli, Command, Demo, Eval, Key, Train};
use router_proxy::commands;

/// A request makes a hundred small allocations that often end on another thread than they began on. Against the system's allocator a
/// stream costs 1.16 × instead of 1.37 × the CPU of a bare proxy, for some 20 MiB more memory (`benches/load`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command.unwrap_or_else(|| Command::Demo(Demo::default())) {
        Command::Demo(options) => commands::demo(&options),
        Command::Serve(options) => commands::serve(&options),
        Command::Check(options) => commands::check(&options),
        Command::Explain(options) => commands::explain(&options),
        Command::Eval(Eval::Complexity(options)) => commands::eval::complexity(&options),
        Command::Eval(Eval::Cache(options)) => commands::eval::cache(&options),
        Command::Eval(Eval::Volatility(options)) => commands::eval::volatility(&options),
        Command::Eval(Eval::Served(options)) => commands::eval::served(&options),
        Command::Cache(Cache::Warm(options)) => commands::cache::warm(&options),
        Command::Key(Key::New(options)) => commands::key::new(&options),
        Command::Prices(options) => commands::prices(&options),
        Command::Report(options) => commands::report(&options),
        Command::Forget(options) => commands::forget(&options),
        Command::Train(Train::Complexity(options)) => commands::train::complexity(&options),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xynergy-router: {error:#}");
            ExitCode::FAILURE
        }
    }
}
