//! `cargo xtask test`: every runner in turn, one sum at the end.

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
const STAGES: [(&str, Stage); 4] = [("lint", lint::run), ("native", native::run), ("wasm", wasm::run), ("e2e", e2e::run)];

/// Runs the named stages, or all; prints `N passed, N failed` last and returns whether everything passed.
pub fn run(names: &[String]) -> Result<bool> {
    if let Some(unknown) = names.iter().find(|name| STAGES.iter().all(|(stage, _)| stage != name)) {
        bail!("there is no stage `{unknown}`; there are {}", STAGES.map(|(name, _)| name).join(", "));
    }
    let mut total = Tally::default();
    let mut lines = Vec::new();
    for (name, stage) in STAGES.iter().filter(|(stage, _)| names.is_empty() || names.iter().any(|name| name == stage)) {
        say(&format!("stage {name}"));
        let begin = Instant::now();
        let (tally, note) = match stage() {
            Ok(tally) => (tally, String::new()),
            // A stage that cannot run is a failure, or a broken machine would look green.
            Err(error) => (Tally { passed: 0, failed: 1 }, format!(": {error:#}")),
        };
        total += tally;
        lines.push(format!("{name:>8}  {:>5} s  {tally}{note}", begin.elapsed().as_secs()));
    }
    println!("\n{}\n\n{total}", lines.join("\n"));
    Ok(total.failed == 0)
}
