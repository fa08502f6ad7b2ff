//! The table "What a change touches" in ARCHITECTURE.md says how many files a newcomer of each kind is named in. This test counts:
//! for one member of each kind, the files of the product that name it.

#[path = "layering/tokens.rs"]
mod tokens;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokens::{Token, product_tokens};

/// A member of a kind, and the files that name it.
struct Newcomer {
    /// The first words of its row in the table.
    row: &'static str,
    /// What it is called in code and in documents.
    names: &'static [&'static str],
    /// Every file of the product that names it, or is named after it.
    files: &'static [&'static str],
}

const NEWCOMERS: [Newcomer; 8] = [
    Newcomer {
        row: "a new activation that other functions express",
        names: &["Softsign", "softsign"],
        files: &["crates/graph/src/expr/composed.rs", "crates/model/src/layers/activation.rs"],
    },
    Newcomer {
        row: "a new kernel family",
        names: &["copy_into"],
        files: &[
            "crates/cpu/src/kernels/copy_into.rs",
            "crates/cpu/src/kernels/mod.rs",
            "crates/gpu/src/kernels/copy_into.rs",
            "crates/gpu/src/kernels/mod.rs",
            "crates/graph/src/kernel/copy_into.rs",
            "crates/graph/src/kernel/mod.rs",
        ],
    },
    Newcomer {
        row: "a new layer",
        names: &["Residual", "residual"],
        files: &["crates/model/src/layers/mod.rs", "crates/model/src/layers/residual.rs"],
    },
    Newcomer {
        row: "a new optimizer",
        names: &["AdamW", "adamw"],
        files: &["crates/model/src/optimizers/adamw.rs", "crates/model/src/optimizers/mod.rs"],
    },
    Newcomer {
        row: "a new schedule",
        names: &["Cosine", "cosine"],
        files: &["crates/model/src/schedules/cosine.rs", "crates/model/src/schedules/mod.rs"],
    },
    Newcomer {
        row: "a new data source",
        names: &["Rings", "rings"],
        files: &["crates/data/src/sources/mod.rs", "crates/data/src/sources/rings.rs"],
    },
    Newcomer {
        row: "a new verdict rule",
        names: &["creeping"],
        files: &["crates/train/src/verdict/creeping.rs", "crates/train/src/verdict/mod.rs"],
    },
    Newcomer {
        row: "a new preset",
        names: &["too_fast"],
        files: &["crates/model/src/presets.rs", "static/presets/too_fast.json"],
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files that make up the product. The schema is written by a command; code that is compiled for tests only is left out of each.
fn product(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().expect("a folder of sources can be read") {
        let path = entry.expect("an entry of a folder can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["tests", "schema", "scripts", "data"].contains(&name.as_str()) || name == "data" && path.join("src").is_dir() {
                product(&path, found);
            }
        } else if ["rs", "wgsl", "ts", "js", "json", "css"].iter().any(|kind| path.extension().is_some_and(|e| e == *kind))
            && name != "tests.rs"
        {
            found.push(path);
        }
    }
}

/// Whether a file is named after one of these, or names one in code or in a string that is nothing else.
fn names(path: &Path, names: &[&str]) -> bool {
    if path.file_stem().is_some_and(|stem| names.iter().any(|name| stem == *name)) {
        return true;
    }
    if path.extension().is_some_and(|extension| extension != "rs") {
        return false;
    }
    let text = std::fs::read_to_string(path).expect("a source is text");
    product_tokens(&text).iter().any(|token| match token {
        Token::Word(text) | Token::Text(text) => names.contains(&text.as_str()),
        Token::Path | Token::Sign(_) => false,
    })
}

/// The number in the last column of the row that begins with these words.
fn claim(table: &str, row: &str) -> usize {
    let line = table.lines().find(|line| line.trim_start_matches("| ").starts_with(row));
    let line = line.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row that begins with \"{row}\""));
    let last = line.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
    last.parse().unwrap_or_else(|_| panic!("the last column of \"{row}\" is no number: {last}"))
}

#[test]
fn the_table_of_what_a_change_touches_is_true() {
    let root = root();
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md can be read");
    let table = text.split_once("## What a change touches").expect("the table has its heading").1;
    let mut files = Vec::new();
    ["crates", "static", "web/src"].iter().for_each(|folder| product(&root.join(folder), &mut files));
    assert!(files.len() > 300, "only {} files are found", files.len());
    for newcomer in NEWCOMERS {
        let found: BTreeSet<String> = files
            .iter()
            .filter(|path| names(path, newcomer.names))
            .map(|path| path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace('\\', "/"))
            .collect();
        let expected: BTreeSet<String> = newcomer.files.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{}: {} is named in other files", newcomer.row, newcomer.names[0]);
        assert_eq!(claim(table, newcomer.row), expected.len(), "{}", newcomer.row);
    }
}
