//! Running other programs, and saying so.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder that holds the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_path_buf()
}

/// Prints what happens next.
pub fn say(what: &str) {
    println!("▸ {what}");
}

/// A command that runs in `root()`, without the variables that would change how this workspace compiles.
pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    // RUSTFLAGS replaces the flags of .cargo/config.toml, and with them SIMD.
    command.args(args).current_dir(root()).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // Added to the flags of the file: the wasm names where its sources lie, for panics, and the folders of this machine are nobody's business.
    if let Some(home) = cargo_home() {
        let flag = format!("--remap-path-prefix={}=", home.join("registry").join("src").display());
        // The variable is cut at blanks, so a folder with a blank in its name stays as it is.
        if !flag.contains(char::is_whitespace) {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flag);
        }
    }
    command
}

/// The same for what can wait: it takes what the processor has to spare, where the system knows `nice`.
pub fn patient(program: &str, args: &[&str]) -> Command {
    if output("nice", &["-n", "19", "true"]).is_none() {
        return command(program, args);
    }
    command("nice", &[&["-n", "19", program], args].concat())
}

/// Where cargo keeps the sources of libraries.
fn cargo_home() -> Option<PathBuf> {
    let of = |name| std::env::var_os(name).map(PathBuf::from);
    of("CARGO_HOME").or_else(|| Some(of("HOME").or_else(|| of("USERPROFILE"))?.join(".cargo")))
}

/// Runs a command to its end with its output shown; an error unless it succeeds.
pub fn run(command: &mut Command) -> Result<()> {
    let line = display(command);
    println!("  $ {line}");
    let status = command.status().with_context(|| format!("`{line}` could not start"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs a command with its output shown line by line to `on_line` too; true if it succeeded.
pub fn run_watched(command: &mut Command, mut on_line: impl FnMut(&str)) -> Result<bool> {
    let line = display(command);
    println!("  $ {line}");
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("`{line}` could not start"))?;
    let stdout = child.stdout.take().context("a piped child has a stdout")?;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        on_line(&line);
    }
    Ok(child.wait()?.success())
}

/// What a command prints on stdout, trimmed; `None` if it is missing or fails.
pub fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = command(program, args).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn display(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}

/// The value after `--name`, if the flag is there.
pub fn flag<'a>(args: &'a [String], name: &str) -> Result<Option<&'a str>> {
    let Some(at) = args.iter().position(|arg| arg == name) else { return Ok(None) };
    args.get(at + 1).map(|value| Some(value.as_str())).with_context(|| format!("{name} needs a value"))
}
