//! `cargo xtask schema`: writes what is generated and committed anew (schema, hashes, links, types), as often as it takes.

use crate::cmd::{self, command, say};
use anyhow::{Context, Result, bail};

/// The schema stands in the program that generates it, with the defaults of choices inside choices, so it may take a second build until
/// what is generated is what was built in.
const MOST: usize = 4;

/// Writes what is generated until it is current; the program says what it did.
pub fn run(args: &[String]) -> Result<()> {
    if let Some(unknown) = args.first() {
        bail!("`{unknown}` is not understood; this command takes no arguments");
    }
    for _ in 0..MOST {
        let mut cargo = command("cargo", &["run", "--quiet", "--package", "downhill-model", "--example", "committed"]);
        let status = cargo.status().context("cargo could not start")?;
        match status.code() {
            Some(0) => return run_types(),
            Some(1) => say("again, with what was written built in"),
            _ => bail!("the example `committed` of downhill-model ended with {status}"),
        }
    }
    bail!("the schema changes with every build: a default depends on the schema itself")
}

/// The types of scripts follow from the schema.
fn run_types() -> Result<()> {
    cmd::run(&mut command("cargo", &["run", "--quiet", "--package", "downhill-protocol", "--example", "types"]))
}
