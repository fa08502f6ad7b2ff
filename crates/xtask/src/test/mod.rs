//! `cargo xtask test`: every runner in turn, one sum at the end.

mod browsers;
mod e2e;
mod lint;
mod native;
mod tally;
mod wasm;

use crate::cmd::say;
use anyhow::{Result, bail};
use std::time::Instant;
use tally::Tally;

type Stage = fn() -> Result<Tally>;

/// The stages in the order in which they run: what fails fast comes first.
const STAGES: [(&str, Stage); 5] =
    [("lint", lint::run), ("native", native::run), ("wasm", wasm::run), ("e2e", e2e::run), ("browsers", browsers::smoke)];
/// Stages that run only when they are named, for they take long.
const NAMED: [(&str, Stage); 3] =
    [("engines", browsers::conformance), ("drivers", native::drivers), ("endurance", e2e::endurance)];

/// Runs the named stages, or all; prints `N passed, N failed` last and returns whether everything passed.
pub fn run(names: &[String]) -> Result<bool> {
    let all = || STAGES.iter().chain(&NAMED);
    if let Some(unknown) = names.iter().find(|name| all().all(|(stage, _)| stage != name)) {
        bail!("there is no stage `{unknown}`; there are {}", all().map(|(name, _)| *name).collect::<Vec<_>>().join(", "));
    }
    let chosen: Vec<_> = if names.is_empty() {
        STAGES.iter().collect()
    } else {
        all().filter(|(stage, _)| names.iter().any(|name| name == stage)).collect()
    };
    let mut total = Tally::default();
    let mut lines = Vec::new();
    for (name, stage) in chosen {
        say(&format!("stage {name}"));
        let begin = Instant::now();
        let (tally, note) = match stage() {
            Ok(tally) => {
                let note = tally.left_out.iter().map(|what| format!("; left out: {what}")).collect();
                (tally, note)
            }
            // A stage that cannot run is a failure, or a broken machine would look green.
            Err(error) => (Tally::check(name, false), format!(": {error:#}")),
        };
        lines.push(format!("{name:>8}  {:>5} s  {tally}{note}", begin.elapsed().as_secs()));
        total += tally;
    }
    // What failed stands at the end, where a log that was cut still has it.
    total.failures.iter().for_each(|failure| println!("failed: {failure}"));
    println!("\n{}\n\n{total}", lines.join("\n"));
    Ok(total.failed == 0)
}
