//! The lists of words that a widget speaks other languages with: each knows the same texts, and every one of them is a text of the page.

use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn list(file: &Path) -> Map<String, Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// All that is written below a folder in files of these endings.
fn sources(folder: &Path, endings: &[&str], all: &mut String) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            sources(&path, endings, all);
        } else if path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known)) {
            *all += &fs::read_to_string(path).unwrap_or_default();
        }
    }
}

#[test]
fn all_lists_have_the_same_texts_with_the_same_numbers() {
    let files: Vec<PathBuf> =
        fs::read_dir(root().join("static/words")).expect("the folder is there").flatten().map(|entry| entry.path()).collect();
    let lists: Vec<_> = files.iter().map(|file| list(file)).collect();
    assert!(lists.len() > 1);
    let script = fs::read_to_string(root().join("web/src/embed/engine.ts")).expect("the script is there");
    for (file, list) in files.iter().zip(&lists) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        assert!(script.contains(&format!("\"{name}\"")), "the script does not know of {name}");
        assert_eq!(list.keys().collect::<Vec<_>>(), lists[0].keys().collect::<Vec<_>>(), "{name}");
        for (text, own) in list {
            let own = own.as_str().unwrap_or_default();
            assert!(!own.is_empty() && own.matches('#').count() == text.matches('#').count(), "{name}: {text}");
        }
    }
}

#[test]
fn every_text_is_one_of_the_page() {
    let mut all = String::new();
    for folder in ["crates/app/src", "crates/train/src", "crates/model/src", "crates/data/src"] {
        sources(&root().join(folder), &["rs"], &mut all);
    }
    sources(&root().join("web/src"), &["ts"], &mut all);
    // Lines that are continued in the source are one line on the page.
    let all = all.replace("\\\n", "");
    for text in list(&root().join("static/words/de.json")).keys() {
        // Numbers, units, the names of fields and full stops are put in where the text is made, and so is what stands around a name.
        let text = text.trim_start_matches("Reset ").trim_end_matches(" over steps").replace("kFLOP", "");
        let mut parts = text.split(['#', ',', '·']).map(|part| part.trim().trim_end_matches('.').trim());
        let unknown = parts.find(|part| part.chars().any(char::is_alphabetic) && !all.contains(part));
        assert_eq!(unknown, None, "of \"{text}\"");
    }
}
