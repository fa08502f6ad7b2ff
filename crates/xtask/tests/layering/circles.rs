//! Files of a crate that import each other in a circle, directly or through others.

use super::modules::{Imports, Sources, imports};
use std::collections::BTreeSet;

/// Lists whose entries may use what the list's file offers, by crate and file: an op needs the trait that the list of ops is made of.
/// The entries are the files of the modules below.
const REGISTRIES: [(&str, &str); 11] = [
    ("graph", "ops/mod.rs"),
    ("graph", "kernel/mod.rs"),
    ("graph", "expr/mod.rs"),
    ("data", "sources/mod.rs"),
    ("model", "layers/mod.rs"),
    ("model", "layers/init.rs"),
    ("model", "losses/mod.rs"),
    ("model", "optimizers/mod.rs"),
    ("model", "schedules/mod.rs"),
    ("cpu", "kernels/mod.rs"),
    ("gpu", "kernels/mod.rs"),
];

/// Groups of files that all reach each other, each as one of its circles: `a.rs → b.rs → a.rs`. A registry with nothing but its
/// entries is no such group.
pub fn circles(name: &str, root: &str, sources: &Sources) -> Vec<String> {
    let imports = imports(root, sources);
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for file in imports.keys() {
        let group: BTreeSet<&str> =
            reach(&imports, file).into_iter().filter(|other| reach(&imports, other).contains(file.as_str())).collect();
        if group.len() < 2 || !seen.insert(group.clone()) || is_registry(name, &group) {
            continue;
        }
        let ways = group.iter().map(|member| way_round(&imports, member, &group));
        let shortest = ways.min_by_key(Vec::len).unwrap_or_default();
        found.push(format!("{name}: {} files are tangled, among them {}", group.len(), shortest.join(" → ")));
    }
    found
}

/// Everything that a file imports from, directly or through others.
fn reach<'a>(imports: &'a Imports, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = vec![from];
    while let Some(file) = next.pop() {
        for target in imports.get(file).into_iter().flatten() {
            if reached.insert(target.as_str()) {
                next.push(target);
            }
        }
    }
    reached
}

/// Whether a group is a registry and entries of it.
fn is_registry(name: &str, group: &BTreeSet<&str>) -> bool {
    REGISTRIES.iter().filter(|(of, file)| *of == name && group.contains(file)).any(|(_, registry)| {
        let folder = registry.rsplit_once('/').map_or("", |(folder, _)| folder);
        group.iter().all(|file| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    })
}

/// The shortest way from a file back to itself inside its group.
fn way_round<'a>(imports: &'a Imports, from: &'a str, group: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let mut ways = vec![vec![from]];
    let mut seen = BTreeSet::new();
    for _ in 0..group.len() {
        let mut longer = Vec::new();
        for way in ways {
            let last = way[way.len() - 1];
            for target in imports.get(last).into_iter().flatten().map(String::as_str).filter(|t| group.contains(t)) {
                let next = [way.as_slice(), &[target]].concat();
                if target == from {
                    return next;
                }
                if seen.insert(target) {
                    longer.push(next);
                }
            }
        }
        ways = longer;
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
        circles("model", "lib.rs", &files.iter().map(|(file, text)| (file.to_string(), text.to_string())).collect())
    }

    #[test]
    fn a_circle_is_found_through_paths_of_every_kind() {
        for text in [
            "use crate::b::B;",
            "use super::b::{self, B};",
            "fn f() { crate::b::B::new() }",
            "use crate::b; fn f() { b::B }",
            "use super::b::*;",
        ] {
            let found = circles_of(&[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", &format!("{text} pub struct A;")),
                ("b.rs", "use crate::a::A; pub struct B;"),
            ]);
            assert_eq!(found, ["model: 2 files are tangled, among them a.rs → b.rs → a.rs"], "{text}");
        }
    }

    #[test]
    fn a_re_export_leads_to_where_the_item_stands() {
        let lib = "mod a; mod b; mod c; pub use a::A; pub use b::*;";
        let direct =
            [("lib.rs", lib), ("a.rs", "use crate::B; pub struct A;"), ("b.rs", "use crate::A; pub struct B;"), ("c.rs", "")];
        assert_eq!(circles_of(&direct), ["model: 2 files are tangled, among them a.rs → b.rs → a.rs"]);
        // The root hands `A` on without using it, so that `a` may use what stands in the root.
        let facade = [("lib.rs", "mod a; pub use a::A; pub const N: usize = 1;"), ("a.rs", "use crate::N; pub struct A;")];
        assert!(circles_of(&facade).is_empty());
        let user = [("lib.rs", "mod a; pub use a::A; pub struct N(A);"), ("a.rs", "use crate::N; pub struct A;")];
        assert_eq!(circles_of(&user).len(), 1);
    }

    #[test]
    fn tests_modules_in_a_file_and_modules_that_are_only_named_make_no_circle() {
        let files = [
            ("lib.rs", "mod a; mod b; use a::A; mod inner { use super::a; pub struct I; }"),
            ("a.rs", "pub struct A; #[cfg(test)] mod tests { use crate::b::B; } #[cfg(test)] use crate::{b::B};"),
            ("b.rs", "use crate::a::A; pub struct B; // crate::c::C\n#[cfg(test)]\nmod tests;"),
        ];
        assert!(circles_of(&files).is_empty());
        let through_inner =
            [("lib.rs", "mod a; mod inner { use super::a::A; pub struct I; }"), ("a.rs", "use crate::inner::I; pub struct A;")];
        assert_eq!(circles_of(&through_inner).len(), 1);
    }

    #[test]
    fn a_registry_and_its_entries_may_need_each_other_and_nothing_else_may_need_both() {
        let lib = ("lib.rs", "mod layers; mod export;");
        let registry = ("layers/mod.rs", "mod linear; pub trait Def {} registry! { linear::Linear }");
        let entry = ("layers/linear.rs", "use super::Def; pub struct Linear;");
        assert!(circles_of(&[lib, registry, entry, ("export.rs", "use crate::layers::Def;")]).is_empty());
        let entry = ("layers/linear.rs", "use super::Def; use crate::export::modules; pub struct Linear;");
        assert_eq!(circles_of(&[lib, registry, entry, ("export.rs", "use crate::layers::Def; pub fn modules() {}")]).len(), 1);
    }
}
