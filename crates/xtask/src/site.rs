//! The release build of the page, and serving it.

use crate::cmd::{self, command, root, run, say};
use crate::server::Server;
use crate::setup;
use anyhow::{Context, Result, bail};
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

/// Whatever a build of the page reads.
const INPUTS: [&str; 9] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo/config.toml",
    "Trunk.toml",
    "index.html",
    "static",
    "crates",
    "web",
];
/// Folders below the inputs that a build writes or never reads.
const NOT_INPUTS: [&str; 6] = ["web/dist", "web/node_modules", "crates/xtask", "crates/cli", "target", "tests"];
/// The two builds of the program, with the features that make them differ.
const PROGRAMS: [(&str, &str); 2] = [("site", ""), ("site-relaxed", "relaxed-simd")];
const DEFAULT_PORT: u16 = 8080;

/// `cargo xtask serve`: builds if anything has changed, then serves until it is stopped.
pub fn serve_command(args: &[String]) -> Result<()> {
    let port = match cmd::flag(args, "--port")? {
        Some(text) => text.parse().with_context(|| format!("--port {text} is not a port; it is a number up to 65535"))?,
        None => DEFAULT_PORT,
    };
    let listener = Server::listen(port)?;
    let dist = build()?;
    let server = Server::start(&dist, listener)?;
    say(&format!("serving {} on http://127.0.0.1:{}/ (Ctrl-C stops it)", dist.display(), server.port()));
    server.wait();
    Ok(())
}

/// `cargo xtask build`: builds if anything has changed, and says where the page lies.
pub fn build_command() -> Result<()> {
    say(&format!("the page lies in {}", build()?.display()));
    Ok(())
}

/// Makes the release build unless the one in `dist/` was made from the same files; returns the folder.
pub fn build() -> Result<PathBuf> {
    setup::wasm_target()?;
    setup::node()?;
    setup::npm_packages("web")?;
    let dist = root().join("dist");
    // A development build replaces dist/ as a whole, and takes the stamp with it.
    let stamp_file = dist.join(".stamp");
    let stamp = stamp(&root())?;
    if fs::read_to_string(&stamp_file).is_ok_and(|built| built == stamp) && root().join("web/dist/package").exists() {
        say("release build: nothing has changed, dist/ is current");
        return Ok(dist);
    }
    say("release build: some 5 minutes on two cores where nothing was built before");
    // To link as a whole is the work of one core, most of the time; so is it to make a program smaller.
    let [plain, relaxed] = &PROGRAMS;
    thread::scope(|scope| {
        let tool = scope.spawn(setup::wasm_bindgen);
        compile(plain)?;
        let linking = scope.spawn(|| compile(relaxed));
        done(tool)?;
        release("page")?;
        let smaller = scope.spawn(|| release(plain.0));
        done(linking)?;
        release(relaxed.0)?;
        done(smaller)
    })?;
    release("end")?;
    fs::write(&stamp_file, stamp).with_context(|| format!("{} cannot be written", stamp_file.display()))?;
    Ok(dist)
}

fn done(work: ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    work.join().unwrap_or_else(|_| bail!("a step of the build has panicked"))
}

/// A step of `web/release.mjs`.
fn release(step: &str) -> Result<()> {
    run(&mut command("node", &["web/release.mjs", "dist", step]))
}

fn compile((name, features): &(&str, &str)) -> Result<()> {
    let mut cargo = command("cargo", &["build", "--locked", "--release", "--target", "wasm32-unknown-unknown"]);
    run(cargo.args(["--package", "downhill-site", "--bin", name, "--features", features]))
}

/// A hash of the names and contents of all inputs below `root`.
fn stamp(root: &Path) -> Result<String> {
    let mut files = Vec::new();
    for input in INPUTS {
        collect(root, Path::new(input), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in &files {
        hasher.write(file.as_os_str().as_encoded_bytes());
        hasher.write(&fs::read(root.join(file)).with_context(|| format!("{} cannot be read", file.display()))?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect(root: &Path, relative: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let skipped = NOT_INPUTS.iter().any(|skip| relative.ends_with(skip));
    let full = root.join(relative);
    if full.is_file() && !skipped {
        files.push(relative.to_path_buf());
    } else if full.is_dir() && !skipped {
        for entry in fs::read_dir(&full)? {
            collect(root, &relative.join(entry?.file_name()), files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_follows_sources_and_ignores_what_a_build_writes() {
        let root = std::env::temp_dir().join(format!("downhill-stamp-{}", std::process::id()));
        let write = |name: &str, text: &str| {
            let file = root.join(name);
            fs::create_dir_all(file.parent().unwrap_or(&root)).and_then(|()| fs::write(&file, text))
        };
        write("crates/app/src/lib.rs", "one").expect("the temporary folder is writable");
        let first = stamp(&root).expect("the files are readable");
        write("web/dist/charts.js", "made").expect("the temporary folder is writable");
        write("crates/app/tests/web.rs", "a test").expect("the temporary folder is writable");
        assert_eq!(stamp(&root).expect("the files are readable"), first);
        write("crates/app/src/lib.rs", "two").expect("the temporary folder is writable");
        assert_ne!(stamp(&root).expect("the files are readable"), first);
        fs::remove_dir_all(&root).expect("the temporary folder is ours");
    }
}
