//! The experiment's schema without the blanks that make it readable: half of it, which everybody would download.

use std::path::Path;
use std::{env, fs};

const SCHEMA: &str = "../../static/schema/experiment.v1.json";

fn main() {
    println!("cargo::rerun-if-changed={SCHEMA}");
    let text = fs::read_to_string(SCHEMA).expect("the schema lies in static/schema");
    // A text within it has no line breaks of its own.
    let short: String = text.lines().map(str::trim_start).collect();
    let folder = env::var("OUT_DIR").expect("cargo says where to");
    fs::write(Path::new(&folder).join("experiment.json"), short).expect("a file can be written there");
}
