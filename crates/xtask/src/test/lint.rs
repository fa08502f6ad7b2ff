//! Formatting and clippy: each run counts as one test.

use super::tally::Tally;
use crate::cmd::{self, command};
use anyhow::Result;

/// What exists only for wasm is seen only by a check for wasm.
const CHECKS: [&[&str]; 3] = [
    &["fmt", "--all", "--check"],
    &["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"],
    &[
        "clippy",
        "--locked",
        "--target",
        "wasm32-unknown-unknown",
        "-p",
        "downhill-app",
        "-p",
        "downhill-train",
        "--",
        "--deny",
        "warnings",
    ],
];

/// Runs `cargo fmt --check` and clippy, native and for wasm, with warnings as errors.
pub fn run() -> Result<Tally> {
    let mut tally = Tally::default();
    for check in CHECKS {
        let outcome = cmd::run(&mut command("cargo", check));
        if let Err(error) = &outcome {
            eprintln!("{error:#}");
        }
        tally += Tally::check(&check.join(" "), outcome.is_ok());
    }
    Ok(tally)
}
