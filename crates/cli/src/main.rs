//! The `downhill` command: experiments of the page, trained natively by the same engine.

mod backend;
mod bench;
mod check;
mod document;
mod export;
mod folder;
mod generate;
mod link;
mod pictures;
mod presets;
mod train;
mod trouble;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use downhill_protocol::{About, Generate};

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
        /// Take up those of the weights that fit, and say which do not, instead of refusing the file.
        #[arg(long, requires = "init")]
        partial: bool,
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
        /// Train it, or all of them, and say whether it comes to what is stated of it.
        #[arg(long)]
        train: bool,
    },
    /// Write an experiment as a link, or a link as an experiment.
    Link {
        /// An experiment, a JSON file, or a link in quotes; `-` reads either from standard input.
        what: String,
        /// The address of the page that the link is to open; without it, only what stands from its `#` on.
        #[arg(long, value_name = "URL", default_value = "")]
        lab: String,
        /// Weights, or a run, that go into the link in a few bits each; where a link is read, the file that its weights are written to.
        #[arg(long, value_name = "WEIGHTS.safetensors")]
        weights: Option<PathBuf>,
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
    /// Continue a text, token by token, and print it.
    Generate {
        /// The experiment, a JSON file; `-` reads standard input.
        experiment: PathBuf,
        /// Weights to write with, or a run; without them it is trained first.
        #[arg(long, value_name = "WEIGHTS.safetensors")]
        weights: Option<PathBuf>,
        /// What the text begins with; without it, the beginning of a sample that is held out.
        #[arg(long, default_value = "")]
        prompt: String,
        /// Which held-out sample it is about, where the network reads a sequence or a picture before it writes.
        #[arg(long, default_value_t = 0)]
        sample: u32,
        /// What it is about, where that is a sequence of tokens; instead of a sample.
        #[arg(long, value_name = "TEXT", conflicts_with = "sample")]
        about: Option<String>,
        /// Tokens to add, at most.
        #[arg(long, default_value_t = 100)]
        tokens: u32,
        /// Above 1 the unlikely becomes likelier, below 1 rarer; 0 always takes the likeliest.
        #[arg(long, default_value_t = 0.8)]
        temperature: f32,
        /// Pick from so many of the likeliest only; 0 for all.
        #[arg(long, default_value_t = 0)]
        top_k: u32,
        /// Pick from the likeliest only that together have this probability.
        #[arg(long, default_value_t = 0.95)]
        top_p: f32,
        /// Pick only from what is at least so likely, measured by the likeliest; 0 for all.
        #[arg(long, default_value_t = 0.0)]
        min_p: f32,
        /// Above 1, what the text has already is less likely to come again.
        #[arg(long, default_value_t = 1.0)]
        repetition_penalty: f32,
        /// A word before which the text ends; may be given several times.
        #[arg(long, value_name = "WORD")]
        stop: Vec<String>,
        /// The same seed picks the same tokens.
        #[arg(long, default_value_t = 1)]
        seed: u32,
        /// What trains, where it is trained first.
        #[arg(long, value_enum, default_value_t = Backend::Auto)]
        backend: Backend,
        /// Work out every token from the whole text, and keep nothing from one to the next; the tokens are the same.
        #[arg(long)]
        no_cache: bool,
        /// Print an object with the text, its tokens, how likely each was held, and how fast it was written.
        #[arg(long)]
        json: bool,
    },
    /// Write an experiment as a PyTorch program with its data and initial weights, its weights alone, or the tokenizer of its text.
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
        /// Where to: a folder for pytorch, a file for the others.
        #[arg(short, long)]
        output: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Train { experiment, steps, backend, init, partial, save, metrics } => {
            train::run(&train::Order { experiment, steps, backend, init, partial, save, metrics })
        }
        Command::Check { experiment } => check::run(&experiment),
        Command::Link { what, lab, weights } => link::run(&link::Order { what, lab, weights }),
        Command::Presets { name, train } => presets::run(name.as_deref(), train),
        Command::Bench { workloads, seconds, backend, profile } => {
            bench::run(&bench::Order { workloads, seconds, backend, profile })
        }
        Command::Generate {
            experiment,
            weights,
            prompt,
            sample,
            about,
            tokens,
            temperature,
            top_k,
            top_p,
            min_p,
            repetition_penalty,
            stop,
            seed,
            backend,
            no_cache,
            json,
        } => {
            let cache = !no_cache;
            let about = about.map_or(About::Sample(sample), About::Typed);
            let ask =
                Generate { prompt, about, tokens, temperature, top_k, top_p, min_p, repetition_penalty, stop, seed, cache };
            generate::run(&generate::Order { experiment, weights, backend, ask, json })
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
