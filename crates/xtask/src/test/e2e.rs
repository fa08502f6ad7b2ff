//! What a person does in the page: Playwright against the release build.

use super::tally::Tally;
use crate::cmd::{self, command, root};
use crate::server::Server;
use crate::{browser, setup, site};
use anyhow::{Context, Result};
use std::fs;

/// Checks the types of all TypeScript, builds the page, serves it on a free port and runs the specs of `tests/e2e`.
pub fn run() -> Result<Tally> {
    let dist = site::build()?;
    setup::npm_packages("tests/e2e")?;
    let folder = root().join("tests/e2e");
    let types = cmd::run(command("npx", &["--no-install", "tsc"]).current_dir(&folder));
    let browser = browser::find_or_install()?;
    let server = Server::start(&dist, Server::listen(0)?)?;
    let report = folder.join("results/report.json");
    // A report of an earlier run must not be counted if this run writes none.
    let _ = fs::remove_file(&report);
    let mut playwright = command("npx", &["--no-install", "playwright", "test"]);
    playwright
        .current_dir(&folder)
        .env("DOWNHILL_URL", format!("http://127.0.0.1:{}/", server.port()))
        .env("DOWNHILL_CHROMIUM", &browser.chromium);
    let success = cmd::run(&mut playwright);
    let text = fs::read_to_string(&report).context("Playwright has written no report")?;
    let mut tally = Tally::from_playwright(&text)?;
    if tally == Tally::default() || success.is_err() && tally.failed == 0 {
        tally.failed = 1;
    }
    tally += Tally::check(types.is_ok());
    Ok(tally)
}
