//! The tests that run as wasm in headless Chromium, in a dedicated worker or on a page.

use super::tally::Tally;
use crate::cmd::{command, say};
use crate::{browser, setup};
use anyhow::Result;
use std::collections::BTreeSet;

/// Test binaries that are built together, two at a time, and run one after the other. Each says in its own
/// `wasm_bindgen_test_configure!` whether it wants a worker or the page.
struct WasmTests {
    features: &'static str,
    /// Package and test.
    binaries: &'static [(&'static str, &'static str)],
}

/// Both builds are shipped, so the kernels are tested with and without relaxed SIMD.
const WASM_TESTS: [WasmTests; 2] = [
    WasmTests {
        features: "",
        binaries: &[
            ("downhill-cpu", "conformance_worker"),
            ("downhill-gpu", "conformance_worker"),
            ("downhill-train", "parity"),
            ("downhill-train", "backends"),
            ("downhill-app", "web"),
            ("downhill-app", "views"),
        ],
    },
    WasmTests { features: "relaxed-simd", binaries: &[("downhill-cpu", "conformance_worker")] },
];

/// Runs every binary of the list; one that runs no test has failed, for it tests nothing.
pub fn run() -> Result<Tally> {
    setup::wasm_target()?;
    setup::wasm_bindgen()?;
    let browser = browser::find_or_install()?;
    let webdriver = browser::webdriver_json(&browser.chromium)?;
    let mut total = Tally::default();
    for WasmTests { features, binaries } in WASM_TESTS {
        say(&format!("{} test binaries [{features}], in Chromium", binaries.len()));
        let mut cargo = command("cargo", &["test", "--locked", "--profile", "wasm-test", "--no-fail-fast"]);
        cargo.args(["--target", "wasm32-unknown-unknown"]);
        let packages: BTreeSet<&str> = binaries.iter().map(|(package, _)| *package).collect();
        let tests: BTreeSet<&str> = binaries.iter().map(|(_, test)| *test).collect();
        cargo
            .args(packages.iter().flat_map(|package| ["--package", package]))
            .args(tests.iter().flat_map(|test| ["--test", test]))
            // The page without its scripts, which are files of the built page only.
            .args(["--no-default-features", "--features", features])
            .env("CHROMEDRIVER", &browser.driver)
            .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", &webdriver);
        let (tally, ran) = Tally::of_binaries(&mut cargo)?;
        if ran < binaries.len() && tally.failed == 0 {
            say(&format!("{ran} of {} test binaries ran a test", binaries.len()));
            total += Tally::check("a test binary that ran no test", false);
        }
        total += tally;
    }
    Ok(total)
}
