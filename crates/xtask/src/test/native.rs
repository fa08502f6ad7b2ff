//! The tests that run outside a browser.

use super::tally::Tally;
use crate::cmd::{command, say};
use crate::{browser, setup};
use anyhow::{Context, Result};

/// Runs `cargo test` over the workspace.
pub fn run() -> Result<Tally> {
    let mut cargo = command("cargo", &["test", "--locked", "--workspace", "--no-fail-fast"]);
    if setup::vulkan()? {
        cargo.env("DOWNHILL_REQUIRE_GPU", "1");
    }
    // A snapshot that differs is a failure and leaves no file behind.
    Tally::of_libtest(cargo.env("INSTA_UPDATE", "no"))
}

/// Runs the conformance of the GPU backend with the driver that Chromium brings. In every run of the tests it is under the page's WebGPU, too.
pub fn drivers() -> Result<Tally> {
    setup::vulkan()?;
    let driver = browser::vulkan_driver(&browser::find_or_install()?).context("the browser brings no driver")?;
    say(&format!("downhill-gpu, conformance, on {}", driver.display()));
    // With the whole workspace named, it is the binary that `native` has built; alone its libraries would have other features.
    let mut cargo = command("cargo", &["test", "--locked", "--workspace", "--test", "conformance"]);
    Tally::of_libtest(cargo.env("VK_DRIVER_FILES", driver).env("DOWNHILL_REQUIRE_GPU", "1"))
}
