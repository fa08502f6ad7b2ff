//! Writes what is generated and committed: the JSON Schema of the document, the hash of what each data source gives, and a link to each
//! preset. It says of each file whether it was current, and ends with 1 if it wrote one. `cargo xtask schema` runs it until nothing is left
//! to write.

#![allow(clippy::print_stdout, reason = "a command talks on stdout")]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use downhill_model::data::{Bundled, Source};
use downhill_model::{Experiment, generate_schema, presets, share};

const SCHEMA: &str = "static/schema/experiment.v1.json";
const HASHES: &str = "crates/data/tests/fixtures/hashes.v1.txt";
const LINKS: &str = "crates/model/tests/fixtures/links.v1.txt";

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schema = format!("{}\n", serde_json::to_string_pretty(&generate_schema())?);
    let wrote_schema = put(&root, SCHEMA, &schema)?;
    // Known hashes are kept as they are: a source that gives something else now breaks links, and a test says so.
    let mut hashes = fs::read_to_string(root.join(HASHES))?;
    for name in Source::NAMES.iter().filter(|name| !Source::is_own(name)) {
        if !hashes.lines().any(|line| line.split(' ').next() == Some(*name)) {
            let built = Source::from_json(name, &serde_json::Value::Null).and_then(|source| source.build(7, &Bundled));
            hashes += &format!("{name} {}\n", built.map_err(|e| e.to_string())?.card.hash);
        }
    }
    let wrote_hashes = put(&root, HASHES, &hashes)?;
    // Links are kept as they were given out, whatever becomes of their presets.
    let mut links = fs::read_to_string(root.join(LINKS))?;
    let kept: Vec<Experiment> =
        links.lines().step_by(2).filter_map(|link| share::decode(link).ok()).map(|parsed| parsed.experiment).collect();
    for preset in presets::all() {
        let experiment = Experiment::parse(preset.json).map_err(|e| e.to_string())?.experiment;
        if !kept.contains(&experiment) {
            links += &format!("#{}\n{}\n", share::encode(&experiment), experiment.to_full_value());
        }
    }
    let wrote_links = put(&root, LINKS, &links)?;
    Ok(if wrote_schema || wrote_hashes || wrote_links { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Writes a file unless it has this text already; says which, and whether it was written.
fn put(root: &Path, name: &str, text: &str) -> std::io::Result<bool> {
    let path = root.join(name);
    let before = fs::read_to_string(&path).unwrap_or_default();
    if before == text {
        println!("{name}: is current");
        return Ok(false);
    }
    let new = text.lines().filter(|line| !before.lines().any(|old| old == *line)).count();
    fs::write(&path, text)?;
    println!("{name}: written, {new} lines are new");
    Ok(true)
}
