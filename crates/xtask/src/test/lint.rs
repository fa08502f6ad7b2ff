//! Formatting and clippy: each counts as one test.

use super::tally::Tally;
use crate::cmd::{self, command};
use anyhow::Result;

const CHECKS: [&[&str]; 2] =
    [&["fmt", "--all", "--check"], &["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]];

/// Runs `cargo fmt --check` and clippy over the workspace, with warnings as errors.
pub fn run() -> Result<Tally> {
    let mut tally = Tally::default();
    for check in CHECKS {
        let outcome = cmd::run(&mut command("cargo", check));
        if let Err(error) = &outcome {
            eprintln!("{error:#}");
        }
        tally += Tally::check(outcome.is_ok());
    }
    Ok(tally)
}
