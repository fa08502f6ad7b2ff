//! The tests that run as wasm in headless Chromium, in a dedicated worker or on a page.

use super::tally::Tally;
use crate::cmd::{command, say};
use crate::{browser, setup};
use anyhow::Result;

/// A test binary; it says in its own `wasm_bindgen_test_configure!` whether it wants a worker or the page.
struct WasmTest {
    package: &'static str,
    test: &'static str,
    features: &'static str,
}

/// Both builds are shipped, so the kernels are tested with and without relaxed SIMD.
const WASM_TESTS: [WasmTest; 7] = [
    WasmTest { package: "downhill-cpu", test: "conformance_worker", features: "" },
    WasmTest { package: "downhill-cpu", test: "conformance_worker", features: "relaxed-simd" },
    WasmTest { package: "downhill-gpu", test: "conformance_worker", features: "" },
    WasmTest { package: "downhill-train", test: "parity", features: "" },
    WasmTest { package: "downhill-train", test: "backends", features: "" },
    WasmTest { package: "downhill-app", test: "web", features: "" },
    WasmTest { package: "downhill-app", test: "views", features: "" },
];

/// Runs every binary of the list; one that runs no test has failed, for it tests nothing.
pub fn run() -> Result<Tally> {
    setup::wasm_target()?;
    setup::wasm_bindgen()?;
    let browser = browser::find_or_install()?;
    let webdriver = browser::webdriver_json(&browser.chromium)?;
    let mut total = Tally::default();
    for WasmTest { package, test, features } in WASM_TESTS {
        say(&format!("{package}, {test} [{features}], in Chromium"));
        // The profile of the page: its dependencies are compiled once for both.
        let args =
            ["test", "--locked", "--release", "--target", "wasm32-unknown-unknown", "--package", package, "--test", test];
        let mut cargo = command("cargo", &args);
        cargo
            // The page without its chart bundle, which is a file of the built page only.
            .args(["--no-default-features", "--features", features])
            .env("CHROMEDRIVER", &browser.driver)
            .env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", &webdriver);
        let tally = Tally::of_libtest(&mut cargo)?;
        total += if tally == Tally::default() { Tally::check(false) } else { tally };
    }
    Ok(total)
}
