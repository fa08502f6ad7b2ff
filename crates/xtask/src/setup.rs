//! What a fresh machine lacks: each function checks one thing and installs it if it is missing.

use crate::cmd::{self, command, root, run, say};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// esbuild and Playwright need it.
const OLDEST_NODE: u32 = 18;

/// The standard library for wasm.
pub fn wasm_target() -> Result<()> {
    let sysroot =
        cmd::output("rustc", &["--print", "sysroot"]).context("rustc does not answer; install Rust from https://rustup.rs")?;
    if Path::new(&sysroot).join("lib/rustlib").join(WASM_TARGET).exists() {
        say(&format!("Rust target {WASM_TARGET}: there"));
        return Ok(());
    }
    say(&format!("Rust target {WASM_TARGET}: installing with rustup"));
    run(&mut command("rustup", &["target", "add", WASM_TARGET]))
}

/// The wasm-bindgen command line, at exactly the version of the library in `Cargo.lock`: the two speak a private format.
pub fn wasm_bindgen() -> Result<()> {
    let lock = fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    let version = locked_version(&lock, "wasm-bindgen").context("Cargo.lock has no wasm-bindgen")?;
    let found = cmd::output("wasm-bindgen", &["--version"]);
    if found.as_deref().and_then(|text| text.split_whitespace().nth(1)) == Some(version) {
        say(&format!("wasm-bindgen-cli {version}: there"));
        return Ok(());
    }
    let before = found.map_or_else(String::new, |text| format!(" in place of {text}"));
    let what = format!("wasm-bindgen-cli {version}: installing{before}");
    if cmd::output("cargo", &["binstall", "-V"]).is_some() {
        say(&format!("{what}, as a binary"));
        let package = format!("wasm-bindgen-cli@{version}");
        let mut install =
            command("cargo", &["binstall", "--no-confirm", "--force", "--disable-strategies", "compile", &package]);
        if run(&mut install).is_ok() {
            return Ok(());
        }
    }
    say(&format!("{what} (1 to 3 minutes on two cores, once)"));
    // Without what it talks to other hosts with, which nobody needs here, and without optimisation but for what reads and writes the wasm, so that
    // it is as fast as a release build.
    let mut install = cmd::patient(
        "cargo",
        &["install", "wasm-bindgen-cli", "--version", version, "--locked", "--force", "--quiet", "--debug"],
    );
    install.args(["--no-default-features", "--config", "profile.dev.debug=false"]);
    let level = |name: &str| ["--config".to_string(), format!("profile.dev.package.{name}.opt-level=1")];
    run(install.args(["walrus", "wasmparser", "wasm-encoder", "gimli"].into_iter().flat_map(level)))
}

/// Node, which nobody but the user can install well.
pub fn node() -> Result<()> {
    let version = cmd::output("node", &["--version"]);
    let major = version.as_deref().and_then(|v| v.trim_start_matches('v').split('.').next()?.parse::<u32>().ok());
    match (version, major) {
        (Some(version), Some(major)) if major >= OLDEST_NODE => {
            say(&format!("Node {version}: there"));
            Ok(())
        }
        (found, _) => {
            let found = found.unwrap_or_else(|| "none".to_owned());
            bail!(
                "Node {OLDEST_NODE} or newer with npm is needed, found {found}; install it from https://nodejs.org or your package manager"
            )
        }
    }
}

/// The npm packages of `folder`, as its lock file says; skipped when they were installed from the same lock file.
pub fn npm_packages(folder: &str) -> Result<()> {
    let folder_path = root().join(folder);
    let lock = fs::read(folder_path.join("package-lock.json"))
        .with_context(|| format!("{folder}/package-lock.json cannot be read"))?;
    // Inside node_modules, so that deleting the folder forgets it too.
    let mark = folder_path.join("node_modules/.installed-from-lock");
    if fs::read(&mark).is_ok_and(|installed| installed == lock) {
        say(&format!("npm packages of {folder}: there"));
        return Ok(());
    }
    say(&format!("npm packages of {folder}: installing from the lock file"));
    run(command("npm", &["ci", "--no-audit", "--no-fund"]).current_dir(&folder_path))?;
    fs::write(&mark, lock).with_context(|| format!("{} cannot be written", mark.display()))
}

/// Installs Debian packages; false where that cannot be done: without apt, or not as root.
pub fn apt_install(packages: &[&str]) -> Result<bool> {
    let is_root = cmd::output("id", &["-u"]).as_deref() == Some("0");
    if !is_root || cmd::output("apt-get", &["--version"]).is_none() {
        return Ok(false);
    }
    say(&format!("apt: installing {}", packages.join(", ")));
    run(&mut command("apt-get", &["update"]))?;
    let mut install = command("apt-get", &["install", "--yes", "--no-install-recommends"]);
    run(install.args(packages).env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(true)
}

/// A Vulkan driver for the native GPU tests: Mesa's software one where nothing is there. Says whether that one is there, which works on every
/// machine; where only others are, or none, the tests skip what they find no adapter for.
pub fn vulkan() -> Result<bool> {
    let drivers = vulkan_drivers();
    if !drivers.is_empty() {
        say(&format!("Vulkan driver: {}", drivers.join(", ")));
    } else if !cfg!(target_os = "linux") || !apt_install(&["libvulkan1", "mesa-vulkan-drivers"])? {
        say("Vulkan driver: none known; on Debian or Ubuntu: sudo apt-get install libvulkan1 mesa-vulkan-drivers");
    }
    Ok(vulkan_drivers().iter().any(|name| name.starts_with("lvp_icd")))
}

fn vulkan_drivers() -> Vec<String> {
    let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    files.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}

/// The version of `package` in the text of a `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_package_of_that_very_name() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.79\"\n\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.129\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.129"));
        assert_eq!(locked_version(lock, "bindgen"), None);
    }
}
