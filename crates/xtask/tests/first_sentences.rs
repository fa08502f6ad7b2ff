//! Every source file opens with a sentence that says what it is, so that whoever opens it does not have to guess.

use std::path::{Path, PathBuf};

/// Folders of sources, and what is made in them by tools.
const FOLDERS: [&str; 4] = ["crates", "tests", "web", "static"];
const MADE: [&str; 5] = ["target", "node_modules", "dist", "results", "fixtures"];

/// What a file of this kind opens with.
const OPENINGS: [(&str, &[&str]); 7] = [
    ("rs", &["//! "]),
    ("wgsl", &["// "]),
    ("ts", &["// ", "/** "]),
    ("js", &["// ", "/** "]),
    ("mjs", &["// ", "/** "]),
    ("css", &["/* "]),
    ("py", &["\"\"\""]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every source below a folder with what its kind opens with.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, &'static [&'static str])>) {
    for entry in folder.read_dir().expect("a folder of sources can be read") {
        let path = entry.expect("an entry of a folder can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !MADE.contains(&name.as_str()) {
                sources(&path, found);
            }
        } else if let Some((_, openings)) = OPENINGS.iter().find(|(kind, _)| path.extension().is_some_and(|e| e == *kind)) {
            found.push((path, openings));
        }
    }
}

/// Whether a text begins with the sign of a comment and three words or more. Whether they help is for a reader to say.
fn opens_with_a_sentence(text: &str, openings: &[&str]) -> bool {
    // A script may name its interpreter first.
    let text = if text.starts_with("#!/") { text.split_once('\n').map_or("", |(_, rest)| rest) } else { text };
    let said = openings.iter().find_map(|opening| text.strip_prefix(opening)).and_then(|rest| rest.lines().next());
    said.is_some_and(|said| said.split_whitespace().count() >= 3)
}

#[test]
fn every_source_opens_with_a_sentence() {
    let root = root();
    let mut found = Vec::new();
    FOLDERS.iter().for_each(|folder| sources(&root.join(folder), &mut found));
    assert!(found.len() > 400, "only {} sources are found", found.len());
    let mut silent: Vec<String> = found
        .into_iter()
        .filter(|(path, openings)| !opens_with_a_sentence(&std::fs::read_to_string(path).expect("a source is text"), openings))
        .map(|(path, _)| path.strip_prefix(&root).unwrap_or(&path).display().to_string())
        .collect();
    silent.sort();
    assert!(silent.is_empty(), "say in the first line what these are:\n{}", silent.join("\n"));
}

#[test]
fn code_a_bare_name_and_another_kind_of_comment_are_no_sentence() {
    let rust = OPENINGS[0].1;
    assert!(opens_with_a_sentence("//! Reads a file.\nuse a;", rust));
    for text in
        ["use a;", "//! files", "// Reads a file.", "/// Reads a file.", "\n//! Reads a file.", "#![no_std]\n//! Reads a file."]
    {
        assert!(!opens_with_a_sentence(text, rust), "{text}");
    }
    assert!(opens_with_a_sentence("#!/usr/bin/env python3\n\"\"\"Reads a file.\"\"\"", OPENINGS[6].1));
}
