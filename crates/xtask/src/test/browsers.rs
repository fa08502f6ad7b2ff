//! Firefox and WebKit: what a person does first, in every run of the tests; the conformance of the kernels, when asked for.

use super::tally::Tally;
use crate::cmd::{command, root, say};
use crate::server::Server;
use crate::{engines, setup, site};
use anyhow::{Context, Result};
use std::process::{Child, Command, Stdio};

/// Test binaries of kernels, by package and feature, and whether they need WebGPU or relaxed SIMD, which Firefox alone has of the two.
const KERNELS: [(&str, &str, bool); 3] =
    [("downhill-cpu", "", false), ("downhill-cpu", "relaxed-simd", true), ("downhill-gpu", "", true)];
const TEST: &str = "conformance_worker";

/// Serves the release build and runs `tests/browsers/smoke.test.mjs` in both.
pub fn smoke() -> Result<Tally> {
    let (engines, left_out) = engines::find_or_install();
    let mut total = Tally { left_out, ..Tally::default() };
    if engines.is_empty() {
        return Ok(total);
    }
    let dist = site::build()?;
    let has_vulkan = setup::vulkan()?;
    if !has_vulkan && engines.iter().any(|engine| engine.name == "firefox") {
        total.left_out.push("WebGPU in Firefox (on Debian: sudo apt-get install mesa-vulkan-drivers)".to_owned());
    }
    let server = Server::start(&dist, Server::listen(0)?)?;
    let mut node = engines::node(&["--test", "--test-reporter=spec", "smoke.test.mjs"])?;
    node.env("DOWNHILL_URL", format!("http://127.0.0.1:{}/", server.port()))
        .env("DOWNHILL_ENGINES", engines.iter().map(|engine| engine.name).collect::<Vec<_>>().join(","))
        .env("DOWNHILL_WEBGPU", if has_vulkan { "firefox" } else { "" });
    engines.iter().for_each(|engine| {
        engine.told_to(&mut node);
    });
    total += Tally::of_node(&mut node)?;
    Ok(total)
}

/// Runs the conformance of the CPU's and the GPU's kernels in both.
pub fn conformance() -> Result<Tally> {
    setup::wasm_target()?;
    setup::wasm_bindgen()?;
    let (engines, left_out) = engines::find_or_install();
    let mut total = Tally { left_out, ..Tally::default() };
    for (package, features, firefox_only) in KERNELS {
        let binary = build(package, features)?;
        for engine in engines.iter().filter(|engine| engine.name == "firefox" || !firefox_only) {
            say(&format!("{package} {TEST} [{features}], in {}", engine.name));
            let page = Page::serve(&binary)?;
            let mut node = engines::node(&["conformance.mjs", engine.name, &page.url])?;
            total += Tally::of_libtest(engine.told_to(&mut node))?;
        }
    }
    Ok(total)
}

/// Builds the binary in the profile of the page, and returns where it is.
fn build(package: &str, features: &str) -> Result<String> {
    say(&format!("{package} {TEST} [{features}]: building"));
    let mut cargo = command("cargo", &["test", "--locked", "--release", "--no-run", "--message-format=json"]);
    cargo.args(["--target", "wasm32-unknown-unknown", "--package", package, "--test", TEST, "--features", features]);
    let output = cargo.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let executable =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["executable"].as_str().map(str::to_owned);
    messages.lines().find_map(executable).with_context(|| format!("{package} {TEST} was not built"))
}

/// A page that runs a test binary when it is opened, for as long as this lives.
struct Page {
    url: String,
    runner: Child,
}

impl Page {
    fn serve(binary: &str) -> Result<Self> {
        // The runner cannot choose a port itself: one that was free a moment ago.
        let address = format!("127.0.0.1:{}", Server::listen(0)?.local_addr()?.port());
        let runner = Command::new("wasm-bindgen-test-runner")
            .arg(binary)
            .current_dir(root())
            .envs([("NO_HEADLESS", "1"), ("WASM_BINDGEN_TEST_ADDRESS", &address)])
            .stdout(Stdio::null())
            .spawn()
            .context("wasm-bindgen-test-runner does not start")?;
        Ok(Self { url: format!("http://{address}/"), runner })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // It serves until it is stopped.
        let _ = self.runner.kill();
        let _ = self.runner.wait();
    }
}
