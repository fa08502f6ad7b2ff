//! `cargo xtask parity` and `cargo xtask fixtures`: Downhill beside PyTorch itself.

use crate::cmd::{command, root, run, say};
use anyhow::{Result, bail};
use std::fs;
use std::path::PathBuf;

const REQUIREMENTS: &str = "tests/parity/requirements.txt";

/// Trains the experiments of `tests/parity` with both, through the programs that Downhill exports, and compares the loss curves.
pub fn compare(args: &[String]) -> Result<()> {
    with_pytorch(args, &[])
}

/// Writes `tests/parity/fixtures` anew.
pub fn write_fixtures(args: &[String]) -> Result<()> {
    with_pytorch(args, &["--write"])
}

fn with_pytorch(args: &[String], more: &[&str]) -> Result<()> {
    if let Some(unknown) = args.first() {
        bail!("`{unknown}` is not understood; this command takes no arguments");
    }
    say("downhill: building the command");
    // As the tests build it: the engine is optimised there too.
    run(&mut command("cargo", &["build", "--package", "downhill-cli"]))?;
    let python = python()?;
    say("PyTorch: running tests/parity/run.py");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let downhill = target.join("debug/downhill").display().to_string();
    run(command(&python.to_string_lossy(), &["tests/parity/run.py", &downhill]).args(more))
}

/// A Python with PyTorch: the one `DOWNHILL_PYTHON` names, or that of a virtual environment, made if it is missing.
pub fn python() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("DOWNHILL_PYTHON") {
        return Ok(PathBuf::from(named));
    }
    let folder = root().join("target/parity-venv");
    let python = folder.join("bin/python");
    let mark = folder.join(".installed");
    let wanted = fs::read(root().join(REQUIREMENTS))?;
    if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        say("PyTorch: there");
        return Ok(python);
    }
    say("PyTorch: installing into target/parity-venv (some gigabytes, once)");
    run(command("python3", &["-m", "venv"]).arg(&folder))?;
    run(&mut command(&python.to_string_lossy(), &["-m", "pip", "install", "--requirement", REQUIREMENTS]))?;
    fs::write(mark, wanted)?;
    Ok(python)
}
