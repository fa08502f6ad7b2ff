//! The tests that need no browser.

use super::tally::Tally;
use crate::cmd::command;
use crate::setup;
use anyhow::Result;

/// Runs `cargo test` over the workspace.
pub fn run() -> Result<Tally> {
    setup::vulkan()?;
    let mut cargo = command("cargo", &["test", "--locked", "--workspace", "--no-fail-fast"]);
    // A snapshot that differs is a failure and leaves no file behind.
    Tally::of_libtest(cargo.env("INSTA_UPDATE", "no"))
}
