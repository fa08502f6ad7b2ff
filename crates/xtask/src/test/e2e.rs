//! What a person does in the page: Playwright against the release build.

use super::tally::Tally;
use crate::cmd::{self, command, root};
use crate::server::Server;
use crate::{browser, setup, site};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Checks the types of all TypeScript, builds the page, installs the npm package into its example, serves the page on a free port and runs the
/// specs of `tests/e2e`.
pub fn run() -> Result<Tally> {
    let dist = site::build()?;
    setup::npm_packages("tests/e2e")?;
    setup::npm_packages("tests/package")?;
    let package = cmd::run(command("node", &["build.mjs"]).current_dir(root().join("tests/package")));
    let types = cmd::run(command("npx", &["--no-install", "tsc"]).current_dir(root().join("tests/e2e")));
    // Two at a time, then those that measure what the page is held up by.
    let mut tally = specs(&dist, &[("--grep-invert", "@alone|@long", "2"), ("--grep", "@alone", "1")])?;
    tally += Tally::check("types of the specs", types.is_ok());
    tally += Tally::check("build of the package's example", package.is_ok());
    Ok(tally)
}

/// Runs the specs that are marked `@long`: whether a GPU's memory stays as it was, over minutes of steps and edits.
pub fn endurance() -> Result<Tally> {
    let dist = site::build()?;
    setup::npm_packages("tests/e2e")?;
    specs(&dist, &[("--grep", "@long", "1")])
}

/// Serves the page, and runs the specs that each pattern takes or leaves, so many at a time.
fn specs(dist: &Path, parts: &[(&str, &str, &str)]) -> Result<Tally> {
    let folder = root().join("tests/e2e");
    let browser = browser::find_or_install()?;
    let server = Server::start(dist, Server::listen(0)?)?;
    let report = folder.join("results/report.json");
    let mut tally = Tally::default();
    for (which, pattern, workers) in parts {
        // A report of an earlier run must not be counted if this run writes none.
        let _ = fs::remove_file(&report);
        let mut playwright = command("npx", &["--no-install", "playwright", "test", which, pattern, "--workers", workers]);
        playwright
            .current_dir(&folder)
            .env("DOWNHILL_URL", format!("http://127.0.0.1:{}/", server.port()))
            .env("DOWNHILL_CHROMIUM", &browser.chromium);
        let success = cmd::run(&mut playwright);
        let text = fs::read_to_string(&report).context("Playwright has written no report")?;
        let mut part = Tally::from_playwright(&text)?;
        if part == Tally::default() || success.is_err() && part.failed == 0 {
            part.failed = 1;
        }
        tally += part;
    }
    Ok(tally)
}
