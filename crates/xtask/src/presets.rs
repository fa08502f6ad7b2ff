//! `cargo xtask presets`: whether every example comes to what is stated of it.

use crate::cmd::{command, run, say};
use anyhow::Result;

/// Trains the examples that are named, or all of them, natively and to their end.
pub fn train(names: &[String]) -> Result<()> {
    say("downhill: building the command");
    // As the tests build it: the engine is optimised there too.
    let downhill = ["run", "--quiet", "--package", "downhill-cli", "--", "presets", "--train"];
    if names.is_empty() {
        return run(&mut command("cargo", &downhill));
    }
    names.iter().try_for_each(|name| run(command("cargo", &downhill).arg(name)))
}
