//! The tests that need no browser.

use super::tally::Tally;
use crate::cmd::command;
use crate::setup;
use anyhow::Result;

/// Runs `cargo test` over the workspace.
pub fn run() -> Result<Tally> {
    let has_software_gpu = setup::vulkan()?;
    let mut cargo = command("cargo", &["test", "--locked", "--workspace", "--no-fail-fast"]);
    if has_software_gpu {
        cargo.env("DOWNHILL_REQUIRE_GPU", "1");
    }
    // A snapshot that differs is a failure and leaves no file behind.
    Tally::of_libtest(cargo.env("INSTA_UPDATE", "no"))
}
