//! Firefox and WebKit: what a person does first, in every run of the tests; the conformance of the kernels, when asked for.

use super::tally::Tally;
use crate::cmd::{command, root, say};
use crate::server::Server;
use crate::{engines, setup, site};
use anyhow::{Context, Result};
use std::process::{Child, Command, Stdio};

/// Packages with the conformance of kernels, by the feature that they are built with together. WebKit has neither relaxed SIMD nor WebGPU.
const KERNELS: [(&str, &[&str]); 2] = [("", &["downhill-cpu", "downhill-gpu"]), ("relaxed-simd", &["downhill-cpu"])];
const IN_WEBKIT: (&str, &str) = ("", "downhill-cpu");
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
    for (features, packages) in KERNELS {
        for (package, binary) in build(features, packages)? {
            for engine in engines.iter().filter(|engine| engine.name == "firefox" || (features, package) == IN_WEBKIT) {
                say(&format!("{package} {TEST} [{features}], in {}", engine.name));
                let page = Page::serve(&binary)?;
                let mut node = engines::node(&["conformance.mjs", engine.name, &page.url])?;
                total += Tally::of_libtest(engine.told_to(&mut node))?;
            }
        }
    }
    Ok(total)
}

/// Builds the binaries in the profile of the page, and returns where each package's is.
fn build(features: &str, packages: &[&'static str]) -> Result<Vec<(&'static str, String)>> {
    say(&format!("{TEST} [{features}] of {}: building", packages.join(", ")));
    let mut cargo = command("cargo", &["test", "--locked", "--release", "--no-run", "--message-format=json"]);
    cargo.args(["--target", "wasm32-unknown-unknown", "--no-default-features", "--features", features, "--test", TEST]);
    cargo.args(packages.iter().flat_map(|package| ["--package", package]));
    let output = cargo.stderr(Stdio::inherit()).output().context("cargo does not start")?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<serde_json::Value> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let binary = |package: &&'static str| {
        let id = format!("#{package}@");
        let of_package = |message: &&serde_json::Value| message["package_id"].as_str().is_some_and(|text| text.contains(&id));
        let found = messages.iter().filter(of_package).find_map(|message| message["executable"].as_str());
        Ok((*package, found.with_context(|| format!("{package} {TEST} was not built"))?.to_owned()))
    };
    packages.iter().map(binary).collect()
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
