//! The `downhill` command: experiments of the page, trained natively by the same engine.

mod backend;
mod bench;
mod check;
mod document;
mod export;
mod pictures;
mod presets;
mod train;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::backend::Backend;
use crate::export::Format;

/// Trains, checks, exports and measures the experiments of Downhill, a deep learning playground.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train an experiment and print its last metrics as a JSON line.
    Train {
        /// The experiment, a JSON file; `-` reads standard input.
        experiment: PathBuf,
        /// Steps to take, whatever the experiment says.
        #[arg(long)]
        steps: Option<u64>,
        /// What computes.
        #[arg(long, value_enum, default_value_t = Backend::Auto)]
        backend: Backend,
        /// Begin with these weights instead of random ones.
        #[arg(long, value_name = "WEIGHTS.safetensors")]
        init: Option<PathBuf>,
        /// Write the run when it is done: weights, optimizer, place in the data.
        #[arg(long, value_name = "RUN.safetensors")]
        save: Option<PathBuf>,
        /// Write one line per step: {"step": …, "loss": …}, the loss before that step's update.
        #[arg(long, value_name = "METRICS.jsonl")]
        metrics: Option<PathBuf>,
    },
    /// Show shapes per layer, parameters, operations per step and memory; fail where the experiment is not valid.
    Check {
        /// The experiment, a JSON file; `-` reads standard input.
        experiment: PathBuf,
    },
    /// List the presets, or print one.
    Presets {
        /// Which one.
        name: Option<String>,
    },
    /// Measure workloads; one JSON line each.
    Bench {
        /// Which ones; all but `compile` if none is named. `compile` times the compiler on networks of several sizes.
        workloads: Vec<String>,
        /// Seconds to measure each.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// What computes.
        #[arg(long, value_enum, default_value_t = Backend::Auto)]
        backend: Backend,
        /// Show what every kernel of a training step takes, instead.
        #[arg(long)]
        profile: bool,
    },
    /// Write an experiment as a PyTorch program with its data and initial weights, or its weights alone.
    Export {
        /// The experiment, a JSON file; `-` reads standard input.
        experiment: PathBuf,
        /// What to write.
        #[arg(long, value_enum)]
        format: Format,
        /// Weights to export instead of the initial ones.
        #[arg(long, value_name = "WEIGHTS.safetensors")]
        weights: Option<PathBuf>,
        /// Steps whose order of samples is written; those of the experiment, or 1000, if not given.
        #[arg(long)]
        steps: Option<u64>,
        /// Where to: a folder for pytorch, a file for safetensors.
        #[arg(short, long)]
        output: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Train { experiment, steps, backend, init, save, metrics } => {
            train::run(&train::Order { experiment, steps, backend, init, save, metrics })
        }
        Command::Check { experiment } => check::run(&experiment),
        Command::Presets { name } => presets::run(name.as_deref()),
        Command::Bench { workloads, seconds, backend, profile } => {
            bench::run(&bench::Order { workloads, seconds, backend, profile })
        }
        Command::Export { experiment, format, weights, steps, output } => {
            export::run(&export::Order { experiment, format, weights, steps, output })
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
