//! The table "What a change touches" in ARCHITECTURE.md says how many files a newcomer of each kind is named in. This test counts:
//! for one member of each kind, the files of the product that name it.

#[path = "layering/tokens.rs"]
mod tokens;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokens::{Token, product_tokens};

/// A member of a kind: the first words of its row in the table, what it is called in code and in documents, and every file of the product that
/// names it or is named after it.
type Newcomer = (&'static str, &'static [&'static str], &'static [&'static str]);

const NEWCOMERS: [Newcomer; 16] = [
    (
        "a new activation that other functions express",
        &["Softsign", "softsign"],
        &["crates/graph/src/expr/composed.rs", "crates/model/src/layers/activation.rs"],
    ),
    (
        "a new function of its own",
        &["Erf", "erf"],
        &[
            "crates/cpu/src/simd/math.rs",
            "crates/cpu/src/simd/tile.rs",
            "crates/gpu/src/wgsl/math.wgsl",
            "crates/graph/src/expr/unary.rs",
        ],
    ),
    (
        "a new kernel family",
        &["copy_into"],
        &[
            "crates/cpu/src/kernels/copy_into.rs",
            "crates/cpu/src/kernels/mod.rs",
            "crates/gpu/src/kernels/copy_into.rs",
            "crates/gpu/src/kernels/mod.rs",
            "crates/graph/src/kernel/copy_into.rs",
            "crates/graph/src/kernel/mod.rs",
        ],
    ),
    (
        "a new op that others express",
        &["AvgPool", "avg_pool"],
        &["crates/graph/src/builder.rs", "crates/graph/src/ops/mod.rs", "crates/graph/src/ops/avg_pool.rs"],
    ),
    ("a new layer", &["Residual", "residual"], &["crates/model/src/layers/mod.rs", "crates/model/src/layers/residual.rs"]),
    (
        "a new layer",
        &["PatchEmbedding", "patch_embedding"],
        &["crates/model/src/layers/mod.rs", "crates/model/src/layers/patch_embedding.rs"],
    ),
    (
        "a new loss",
        &["Huber", "huber"],
        &[
            "crates/cpu/src/simd/rows.rs",
            "crates/gpu/src/kernels/loss.rs",
            "crates/graph/src/kernel/loss.rs",
            "crates/model/src/losses/huber.rs",
            "crates/model/src/losses/mod.rs",
        ],
    ),
    ("a new optimizer", &["AdamW", "adamw"], &["crates/model/src/optimizers/adamw.rs", "crates/model/src/optimizers/mod.rs"]),
    ("a new schedule", &["Cosine", "cosine"], &["crates/model/src/schedules/cosine.rs", "crates/model/src/schedules/mod.rs"]),
    (
        "a new data source",
        &["Gratings", "gratings"],
        &["crates/data/src/sources/mod.rs", "crates/data/src/sources/gratings.rs"],
    ),
    (
        "a new data source",
        &["BreastCancer", "breast_cancer.csv"],
        &["crates/data/src/sources/breast_cancer.rs", "crates/data/src/sources/mod.rs"],
    ),
    ("a new preset", &["too_fast"], &["crates/model/src/presets.rs", "static/presets/too_fast.json"]),
    (
        "a new picture of a layer, of what happens inside one, or of the output, a new tab of the drawer",
        &["NeuronMap", "neuron_map"],
        &["crates/app/src/views/mod.rs", "crates/app/src/views/neuron_map.rs"],
    ),
    (
        "a new picture of a layer, of what happens inside one, or of the output, a new tab of the drawer",
        &["Inspector", "inspector"],
        &["crates/app/src/views/inspector.rs", "crates/app/src/views/mod.rs"],
    ),
    ("a new verdict rule", &["creeping"], &["crates/train/src/verdict/creeping.rs", "crates/train/src/verdict/mod.rs"]),
    ("a field's range or help", &["Label smoothing"], &["crates/model/src/losses/cross_entropy.rs"]),
];

/// Files that are compiled for tests only, whatever stands in them: random programs, and what is declared with `#[cfg(test)] mod tests;`.
const OF_TESTS: [&str; 2] = ["arbitrary.rs", "tests.rs"];

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
            && !OF_TESTS.contains(&name.as_str())
        {
            found.push(path);
        }
    }
}

/// What a file names: its own name, and every word of its code and every string.
fn named_in(path: &Path) -> BTreeSet<String> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    if kind != "rs" && kind != "wgsl" {
        return BTreeSet::from([stem]);
    }
    let text = std::fs::read_to_string(path).expect("a source is text");
    let word = |token| match token {
        // In a shader a function ends in an f, so that it is none of the language's own.
        Token::Word(word) if kind == "wgsl" => Some(word.strip_suffix('f').unwrap_or(&word).to_string()),
        Token::Word(text) | Token::Text(text) => Some(text),
        Token::Path | Token::Sign(_) => None,
    };
    product_tokens(&text).into_iter().filter_map(word).chain([stem]).collect()
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
    let name = |path: &PathBuf| path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let files: Vec<(String, BTreeSet<String>)> = files.iter().map(|path| (name(path), named_in(path))).collect();
    for (row, names, expected) in NEWCOMERS {
        let naming = files.iter().filter(|(_, words)| names.iter().any(|name| words.contains(*name)));
        let found: BTreeSet<String> = naming.map(|(path, _)| path.clone()).collect();
        let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{row}: {} is named in other files", names[0]);
        assert_eq!(claim(table, row), expected.len(), "{row}");
    }
    // Every row is counted.
    for line in table.lines().skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|')) {
        assert!(NEWCOMERS.iter().any(|(row, ..)| line.trim_start_matches("| ").starts_with(row)), "nobody counts: {line}");
    }
}

/// Folders with one file per member, and the traits that members implement. The list of members stands in the folder's `mod.rs`.
const LISTS: [(&str, &[&str]); 8] = [
    ("crates/app/src/views", &["LayerView", "OutputView", "Panel"]),
    ("crates/data/src/sources", &["Generate", "Planar", "Curve"]),
    ("crates/graph/src/kernel", &["KernelDef"]),
    ("crates/graph/src/ops", &["OpDef"]),
    ("crates/model/src/layers", &["LayerDef", "SimpleLayer"]),
    ("crates/model/src/losses", &["LossDef"]),
    ("crates/model/src/optimizers", &["OptimizerDef"]),
    ("crates/model/src/schedules", &["ScheduleDef"]),
];

/// The words of a source outside of its `use` lines.
fn listed(text: &str) -> BTreeSet<String> {
    let mut imports = false;
    let word = |token: Token| {
        imports = if imports { token != Token::Sign(';') } else { token.is_word("use") };
        if let (Token::Word(word), false) = (token, imports) { Some(word) } else { None }
    };
    product_tokens(text).into_iter().filter_map(word).collect()
}

/// The types of a source that implement one of these traits.
fn members(text: &str, traits: &[&str]) -> Vec<String> {
    let tokens = product_tokens(text);
    let member = |four: &[Token]| match four {
        [a, Token::Word(of), b, Token::Word(name)] if a.is_word("impl") && b.is_word("for") => {
            traits.contains(&of.as_str()).then(|| name.clone())
        }
        _ => None,
    };
    tokens.windows(4).filter_map(member).collect()
}

#[test]
fn a_member_that_its_list_does_not_name_is_missed() {
    for (folder, traits) in LISTS {
        let folder = root().join(folder);
        let read = |path: &Path| std::fs::read_to_string(path).expect("a source is text");
        let list = listed(&read(&folder.join("mod.rs")));
        let mut files = Vec::new();
        product(&folder, &mut files);
        let mut found = 0;
        for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
            for name in members(&read(path), traits) {
                found += 1;
                assert!(list.contains(&name), "{}: the list in mod.rs does not name {name}", path.display());
            }
        }
        assert!(found >= 3, "{}: {traits:?} are implemented {found} times", folder.display());
    }
    assert!(!listed("pub use strip::Strip; list! { values::Values }").contains("Strip"));
    assert_eq!(members("impl LayerView for Strip { } impl Strip {}", &["LayerView"]), ["Strip"]);
}

#[test]
fn an_activation_that_its_list_does_not_name_is_missed() {
    let text = std::fs::read_to_string(root().join("crates/model/src/layers/activation.rs")).expect("it can be read");
    let tokens = product_tokens(&text);
    // `Softsign("softsign") {` declares one, `"softsign" => activation::Softsign` lists it.
    let declared: Vec<&str> = tokens
        .windows(5)
        .filter_map(|five| match five {
            [Token::Word(name), Token::Sign('('), Token::Text(_), Token::Sign(')'), Token::Sign('{')] => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let listed: BTreeSet<&str> = tokens
        .windows(3)
        .filter_map(|three| match three {
            [module, Token::Path, Token::Word(name)] if module.is_word("activation") => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let forgotten: Vec<&&str> = declared.iter().filter(|name| !listed.contains(**name)).collect();
    assert!(declared.len() > 10 && forgotten.is_empty(), "the list of activations does not name {forgotten:?}");
}
