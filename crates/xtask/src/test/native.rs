//! The tests that run outside a browser.

use super::tally::Tally;
use crate::cmd::{command, say};
use crate::{browser, setup};
use anyhow::Result;

/// Runs `cargo test` over the workspace, and the conformance of the GPU backend once more with the driver that Chromium brings.
pub fn run() -> Result<Tally> {
    let has_software_gpu = setup::vulkan()?;
    let mut cargo = command("cargo", &["test", "--locked", "--workspace", "--no-fail-fast"]);
    if has_software_gpu {
        cargo.env("DOWNHILL_REQUIRE_GPU", "1");
    }
    // A snapshot that differs is a failure and leaves no file behind.
    let mut tally = Tally::of_libtest(cargo.env("INSTA_UPDATE", "no"))?;
    // Where Mesa's driver is, the loader of drivers is too.
    let browser = if has_software_gpu { browser::find_or_install().ok() } else { None };
    if let Some(driver) = browser.as_ref().and_then(browser::vulkan_driver) {
        say(&format!("downhill-gpu, conformance, on {}", driver.display()));
        // With the whole workspace named, it is the binary that was built before; alone its libraries would have other features.
        let mut cargo = command("cargo", &["test", "--locked", "--workspace", "--test", "conformance"]);
        tally += Tally::of_libtest(cargo.env("VK_DRIVER_FILES", driver).env("DOWNHILL_REQUIRE_GPU", "1"))?;
    }
    Ok(tally)
}
