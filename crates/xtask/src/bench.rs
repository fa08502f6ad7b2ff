//! `cargo xtask bench`: training in the browser beside its peers, in three browsers side by side, or natively beside PyTorch; and what widgets
//! cost their page.

use crate::cmd::{command, root, run as run_command, say};
use crate::server::Server;
use crate::{browser, engines, parity, setup, site};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Builds the page, the yardstick and the peers' pages, and runs them; all arguments but `--rust-peers` go to `tests/bench/run.mjs`.
pub fn run(args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--engines") {
        return side_by_side(args);
    }
    if args.iter().any(|arg| arg == "--native") {
        return natively(args);
    }
    site::build()?;
    setup::npm_packages("tests/bench")?;
    let browser = browser::find_or_install()?;
    if args.iter().any(|arg| arg == "--widgets") {
        say("widgets: measuring; keep the machine quiet");
        let mut measure = command("node", &["tests/bench/widgets.mjs"]);
        measure.args(args.iter().filter(|arg| *arg != "--widgets"));
        return run_command(measure.env("DOWNHILL_CHROMIUM", &browser.chromium));
    }
    let folder = root().join("tests/bench");
    let pages = folder.join("dist");
    fs::create_dir_all(&pages)?;
    build_limits(&pages, "plain", &[])?;
    let relaxed = "target.wasm32-unknown-unknown.rustflags=['-C', 'target-feature=+relaxed-simd']";
    build_limits(&pages, "relaxed", &["--features", "relaxed", "--config", relaxed])?;
    if args.iter().any(|arg| arg == "--rust-peers") {
        build_peer(&pages, "candle", "candle")?;
        build_peer(&pages, "burn", "burn_peer")?;
    }
    say("pages: bundling");
    run_command(&mut command("node", &["tests/bench/build.mjs"]))?;
    say("pages: measuring; keep the machine quiet");
    let mut measure = command("node", &["tests/bench/run.mjs"]);
    measure.args(args.iter().filter(|arg| *arg != "--rust-peers"));
    run_command(measure.env("DOWNHILL_CHROMIUM", &browser.chromium))
}

/// Measures the release build in Chromium, Firefox and WebKit; all arguments but `--engines` go to `tests/browsers/bench.mjs`.
fn side_by_side(args: &[String]) -> Result<()> {
    let dist = site::build()?;
    let chromium = browser::find_or_install()?.chromium;
    let (others, _) = engines::find_or_install();
    let names: Vec<_> = std::iter::once("chromium").chain(others.iter().map(|engine| engine.name)).collect();
    let server = Server::start(&dist, Server::listen(0)?)?;
    let mut node = engines::node(&["bench.mjs"])?;
    node.args(args.iter().filter(|arg| *arg != "--engines"))
        .env("DOWNHILL_URL", format!("http://127.0.0.1:{}/", server.port()))
        .env("DOWNHILL_ENGINES", names.join(","))
        .env("DOWNHILL_CHROMIUM", chromium);
    others.iter().for_each(|engine| {
        engine.told_to(&mut node);
    });
    say("measuring; keep the machine quiet");
    run_command(&mut node)
}

/// Measures the command beside PyTorch; all arguments but `--native` go to `tests/bench/native.mjs`.
fn natively(args: &[String]) -> Result<()> {
    run_command(&mut command("cargo", &["build", "--locked", "--release", "--package", "downhill-cli"]))?;
    let python = parity::python()?;
    say("measuring; keep the machine quiet");
    let mut node = command("node", &["tests/bench/native.mjs"]);
    run_command(node.args(args.iter().filter(|arg| *arg != "--native")).env("DOWNHILL_PYTHON", python))
}

/// The crates of the benchmark stand outside the workspace, for they are built with flags and dependencies of their own.
fn build_wasm(name: &str, target_dir: &str, more: &[&str]) -> Result<()> {
    let manifest = format!("tests/bench/{name}/Cargo.toml");
    let mut cargo = command("cargo", &["build", "--release", "--target", "wasm32-unknown-unknown"]);
    run_command(cargo.args(["--manifest-path", &manifest, "--target-dir", target_dir]).args(more))
}

fn build_limits(pages: &Path, build: &str, more: &[&str]) -> Result<()> {
    say(&format!("limits: building ({build})"));
    let target_dir = format!("target/bench-limits-{build}");
    build_wasm("limits", &target_dir, more)?;
    let made = root().join(&target_dir).join("wasm32-unknown-unknown/release/limits.wasm");
    fs::copy(&made, pages.join(format!("limits-{build}.wasm"))).with_context(|| format!("{} is missing", made.display()))?;
    Ok(())
}

/// Builds the crate in `tests/bench/FOLDER` and lays its library and bindings beside the pages.
fn build_peer(pages: &Path, folder: &str, library: &str) -> Result<()> {
    say(&format!("{folder}: building (some minutes)"));
    let target_dir = format!("target/bench-{folder}");
    build_wasm(folder, &target_dir, &[])?;
    let wasm = format!("{target_dir}/wasm32-unknown-unknown/release/{library}.wasm");
    let out = pages.join("peers");
    run_command(command("wasm-bindgen", &["--target", "web", "--no-typescript", &wasm, "--out-dir"]).arg(out))
}
