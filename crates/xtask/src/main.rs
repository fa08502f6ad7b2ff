//! `cargo xtask`: sets up what a fresh machine lacks, then does the job.
//!
//! It knows tools, files and processes and nothing of the engine; no crate of the workspace may depend on it.
#![allow(clippy::print_stdout, reason = "a command talks on stdout")]

mod bench;
mod browser;
mod cmd;
mod engines;
mod parity;
mod presets;
mod schema;
mod server;
mod setup;
mod site;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  serve [--port N]        install what is missing, make a release build, serve it on 127.0.0.1:8080
  build                   the same without serving it: the page is what lies in dist/
  test [STAGE…]           run everything, or only: lint native wasm e2e browsers; by name alone: engines drivers endurance
  bench [WORKLOAD…] [--seconds N] [--pages a,b] [--rust-peers] [--page-only]
                          measure training in the browser beside its peers; with --rust-peers alone, writes tests/bench/RESULTS.md
  bench --engines [WORKLOAD…] [--seconds N]
                          measure the CPU's workloads in Chromium, Firefox and WebKit side by side
  bench --native [WORKLOAD…] [--seconds N]
                          measure the command beside PyTorch, both on one thread, writes tests/bench/NATIVE.md
  bench --widgets [--no-lighthouse]
                          measure what widgets cost the page that they stand in, writes tests/bench/WIDGETS.md
  presets [NAME…]         train the examples to their end, and see whether they come to what is stated of them
  parity                  compare with PyTorch itself (installs it, large)
  fixtures                write tests/parity/fixtures anew with PyTorch
  schema                  write the committed JSON Schema, the types of scripts and the hashes of the data sources anew
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = args.split_first().map_or(("help", &[][..]), |(first, rest)| (first.as_str(), rest));
    let outcome = match command {
        "serve" => site::serve_command(rest).map(|()| true),
        "build" => site::build_command().map(|()| true),
        "test" => test::run(rest),
        "bench" => bench::run(rest).map(|()| true),
        "presets" => presets::train(rest).map(|()| true),
        "parity" => parity::compare(rest).map(|()| true),
        "schema" => schema::run(rest).map(|()| true),
        "fixtures" => parity::write_fixtures(rest).map(|()| true),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(true)
        }
        other => Err(anyhow::anyhow!("there is no command `{other}`\n\n{USAGE}")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
