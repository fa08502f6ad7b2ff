//! The tests that run as wasm in headless Chromium, in a dedicated worker or on a page.

use super::tally::Tally;
use crate::cmd::{command, say};
use crate::{browser, setup};
use anyhow::Result;

/// Package and test binary; each binary says in its `wasm_bindgen_test_configure!` whether it wants a worker or the page.
const WASM_TESTS: [(&str, &str); 2] = [("downhill-cpu", "conformance_worker"), ("downhill-app", "web")];

/// Runs every binary of the list; one that runs no test has failed, for it tests nothing.
pub fn run() -> Result<Tally> {
    setup::wasm_target()?;
    setup::wasm_bindgen()?;
    let browser = browser::find_or_install()?;
    let webdriver = browser::webdriver_json(&browser.chromium)?;
    let mut total = Tally::default();
    for (package, test) in WASM_TESTS {
        say(&format!("{package}, {test}, in Chromium"));
        // The profile of the page: its dependencies are compiled once for both.
        let args =
            ["test", "--locked", "--release", "--target", "wasm32-unknown-unknown", "--package", package, "--test", test];
        let mut cargo = command("cargo", &args);
        cargo.env("CHROMEDRIVER", &browser.driver).env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", &webdriver);
        let tally = Tally::of_libtest(&mut cargo)?;
        total += if tally == Tally::default() { Tally::check(false) } else { tally };
    }
    Ok(total)
}
