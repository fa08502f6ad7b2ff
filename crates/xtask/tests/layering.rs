//! The arrows between the crates: what each may depend on, checked against `cargo metadata`; and those between the files of a crate,
//! which must not lead in a circle.

#[path = "layering/circles.rs"]
mod circles;
#[path = "layering/modules.rs"]
mod modules;
#[path = "layering/tokens.rs"]
mod tokens;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Each crate and the crates it may name in its `[dependencies]`; what those name may be reached through them.
///
/// Naming a crate that is already below is allowed: `train` may use `graph` directly, because `compile` brings it anyway.
const MAY_DEPEND_ON: [(&str, &[&str]); 13] = [
    ("tensor", &[]),
    ("graph", &["tensor"]),
    ("compile", &["graph"]),
    ("cpu", &["compile"]),
    ("gpu", &["compile"]),
    ("data", &["tensor"]),
    ("model", &["graph", "data"]),
    ("protocol", &["tensor", "model"]),
    ("train", &["compile", "cpu", "gpu", "model", "data", "protocol"]),
    ("app", &["protocol", "model"]),
    ("site", &["app", "train"]),
    ("cli", &["train"]),
    ("xtask", &[]),
];

const PREFIX: &str = "downhill-";

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Everything that can be reached from `start` by following arrows.
fn reachable(arrows: &Arrows, start: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut next = vec![start.to_owned()];
    while let Some(name) = next.pop() {
        for target in arrows.get(&name).into_iter().flatten() {
            if seen.insert(target.clone()) {
                next.push(target.clone());
            }
        }
    }
    seen
}

/// The table as arrows.
fn allowed() -> Arrows {
    let row = |(name, targets): &(&str, &[&str])| (name.to_string(), targets.iter().map(ToString::to_string).collect());
    MAY_DEPEND_ON.iter().map(row).collect()
}

/// One sentence per crate that reaches what it must not, or that the table does not know.
fn violations(arrows: &Arrows) -> Vec<String> {
    let allowed = allowed();
    let mut found = Vec::new();
    for name in arrows.keys() {
        if !allowed.contains_key(name) {
            found.push(format!("crate `{name}` is not in the table of crates; add it there and to ARCHITECTURE.md"));
            continue;
        }
        let may = reachable(&allowed, name);
        for target in reachable(arrows, name).difference(&may) {
            found.push(format!("`{name}` must not depend on `{target}`, directly or through another crate"));
        }
    }
    found
}

/// The normal dependencies between the crates of this workspace, those of all targets and features.
fn workspace_arrows() -> Arrows {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path", manifest])
        .output()
        .expect("cargo starts");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON");
    let packages = metadata["packages"].as_array().expect("metadata lists packages");
    packages.iter().map(|package| (short(&package["name"]).expect("a crate of ours"), normal_dependencies(package))).collect()
}

fn normal_dependencies(package: &Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().expect("a package lists its dependencies");
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .filter_map(|dependency| short(&dependency["name"]))
        .collect()
}

/// A crate's name without the prefix; `None` if it is not one of ours.
fn short(name: &Value) -> Option<String> {
    name.as_str()?.strip_prefix(PREFIX).map(str::to_owned)
}

#[test]
fn every_arrow_between_crates_goes_down() {
    let arrows = workspace_arrows();
    assert!(arrows.len() >= 10, "cargo metadata names only {:?}", arrows.keys());
    let found = violations(&arrows);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_page_never_sees_the_engine() {
    let below = reachable(&workspace_arrows(), "app");
    for forbidden in ["compile", "cpu", "gpu", "train"] {
        assert!(!below.contains(forbidden), "`app` reaches `{forbidden}`");
    }
}

#[test]
fn a_forbidden_arrow_is_found_through_another_crate() {
    let arrow = |name: &str, targets: &[&str]| (name.to_owned(), targets.iter().map(ToString::to_string).collect());
    let arrows = Arrows::from([arrow("app", &["protocol"]), arrow("protocol", &["train"]), arrow("train", &["cpu"])]);
    let found = violations(&arrows);
    assert!(found.contains(&"`app` must not depend on `cpu`, directly or through another crate".to_owned()), "{found:?}");
    assert!(found.iter().any(|sentence| sentence.starts_with("`protocol` must not depend on `train`")), "{found:?}");
    assert_eq!(violations(&Arrows::from([arrow("extra", &[])])).len(), 1);
}

#[test]
fn the_table_has_no_circle() {
    let allowed = allowed();
    for name in allowed.keys() {
        assert!(!reachable(&allowed, name).contains(name), "`{name}` may depend on itself");
    }
}

/// The Rust files below a folder, by their path from `src`.
fn sources(folder: &Path, src: &Path, found: &mut modules::Sources) {
    for entry in folder.read_dir().expect("a folder of sources can be read") {
        let path = entry.expect("an entry of a folder can be read").path();
        if path.is_dir() {
            sources(&path, src, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(src).expect("it stands below src").to_string_lossy().replace('\\', "/");
            found.insert(name, std::fs::read_to_string(&path).expect("a source is text"));
        }
    }
}

/// The files that no other file declares as a module, by its name as a word outside of comments: nobody compiles them.
fn undeclared(files: &modules::Sources) -> Vec<&str> {
    let is_declared = |file: &str| {
        let path = file.strip_suffix("/mod.rs").or_else(|| file.strip_suffix(".rs")).unwrap_or(file);
        let (folder, module) = path.rsplit_once('/').unwrap_or(("", path));
        let parents = match folder {
            "" => vec!["lib.rs".to_string(), "main.rs".to_string()],
            folder => vec![format!("{folder}/mod.rs"), format!("{folder}.rs")],
        };
        let lines = parents.iter().filter_map(|parent| files.get(parent)).flat_map(|text| text.lines());
        let mut code = lines.filter(|line| !line.trim_start().starts_with("//"));
        code.any(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == module))
    };
    let is_root = |file: &str| ["lib.rs", "main.rs"].contains(&file) || file.starts_with("bin/");
    files.keys().map(String::as_str).filter(|file| !is_root(file) && !is_declared(file)).collect()
}

#[test]
fn a_file_that_no_module_declares_is_missed() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, _) in MAY_DEPEND_ON {
        let (src, mut files) = (crates.join(name).join("src"), modules::Sources::new());
        sources(&src, &src, &mut files);
        assert_eq!(undeclared(&files), [""; 0], "{name}: no `mod` names these files, so nobody compiles them");
    }
    let text = |text: &str| text.to_string();
    let files = modules::Sources::from([
        (text("lib.rs"), text("mod views;")),
        (text("views/mod.rs"), text("list! { strip }\n// mod curve;")),
        (text("views/strip.rs"), text("")),
        (text("views/curve.rs"), text("")),
    ]);
    assert_eq!(undeclared(&files), ["views/curve.rs"]);
}

#[test]
fn no_two_files_import_each_other_in_a_circle() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for (name, _) in MAY_DEPEND_ON {
        let src = crates.join(name).join("src");
        let mut files = modules::Sources::new();
        sources(&src, &src, &mut files);
        let root = if files.contains_key("lib.rs") { "lib.rs" } else { "main.rs" };
        assert!(modules::imports(root, &files).len() > 1 || files.len() < 4, "{name}: the modules are not found");
        found.extend(circles::circles(name, root, &files));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}
