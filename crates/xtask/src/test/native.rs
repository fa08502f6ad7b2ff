//! The tests that need no browser.

use super::tally::Tally;
use crate::cmd::command;
use anyhow::Result;

/// Runs `cargo test` over the workspace.
pub fn run() -> Result<Tally> {
    Tally::of_libtest(&mut command("cargo", &["test", "--workspace", "--no-fail-fast"]))
}
