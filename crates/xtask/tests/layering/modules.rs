//! Reads the modules of a crate out of its source text: which file a path such as `crate::ops::softmax` or `super::Layer` leads
//! to. It knows modules, items and `use`, and nothing else of Rust; an item that a macro makes is taken to stand in the module that
//! calls the macro.
//!
//! A re-export is looked through: where `lib.rs` says `pub use graph::Graph`, `use crate::Graph` leads to `graph.rs`, and the line
//! in `lib.rs` is an import only if `lib.rs` itself uses the name. Code under `#[cfg(test)]` is left out, for a test may use what
//! stands above its file.

use super::tokens::{Token, product_tokens};
use std::collections::{BTreeMap, BTreeSet};

/// The files of a crate: path below `src`, and text.
pub type Sources = BTreeMap<String, String>;

/// For every file that is part of the crate, the files that it imports from.
pub type Imports = BTreeMap<String, BTreeSet<String>>;

/// What the files of a crate import from each other; `root` is its `lib.rs` or `main.rs`.
pub fn imports(root: &str, sources: &Sources) -> Imports {
    let mut tree = Tree::default();
    tree.read_file(root, "", None, sources);
    let mut imports = Imports::new();
    for (at, module) in tree.modules.iter().enumerate() {
        let targets = imports.entry(module.file.clone()).or_default();
        for path in module.paths.iter().chain(module.uses.iter().filter(|u| !u.public).map(|u| &u.path)) {
            // A module that is only named is not used yet: what is taken from it is a path of its own.
            if let Some(Place::Item(target)) = tree.place(at, path) {
                targets.insert(tree.modules[target].file.clone());
            }
        }
        for glob in module.uses.iter().filter(|u| u.glob && !u.public) {
            if let Some(Place::Module(target)) = tree.place(at, &glob.path) {
                targets.insert(tree.modules[target].file.clone());
            }
        }
        targets.remove(&module.file);
    }
    imports
}

/// A module: a file, or `mod name { … }` in one.
#[derive(Default)]
struct Module {
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    items: BTreeSet<String>,
    uses: Vec<Use>,
    /// Paths that stand in the code: all with two and more segments, and the names that the module re-exports.
    paths: Vec<Vec<String>>,
}

/// One leaf of a `use` tree: `use a::{b as c, d::*}` has `[a, b]` under the name `c`, and everything in `[a, d]`.
struct Use {
    path: Vec<String>,
    name: String,
    glob: bool,
    public: bool,
}

/// Where a path leads: to a module, or to something that stands in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Module(usize),
    Item(usize),
}

/// Names that are being looked up, or were in vain, with the module where.
type Seen<'a> = BTreeSet<(usize, &'a str)>;

#[derive(Default)]
struct Tree {
    modules: Vec<Module>,
}

impl Tree {
    /// Reads a file, and the files of the modules that it declares. `folder` is where those stand.
    fn read_file(&mut self, file: &str, folder: &str, parent: Option<usize>, sources: &Sources) -> usize {
        let at = self.add(file, parent);
        let text = sources.get(file).unwrap_or_else(|| panic!("{file} is declared and not there"));
        let mut reader = Reader { tokens: product_tokens(text), at: 0, sources, file };
        reader.module(self, at, folder);
        at
    }

    fn add(&mut self, file: &str, parent: Option<usize>) -> usize {
        self.modules.push(Module { file: file.to_string(), parent, ..Module::default() });
        self.modules.len() - 1
    }

    /// Where a path leads that stands in this module; `None` is another crate, or a name that is local to a function.
    fn place(&self, at: usize, path: &[String]) -> Option<Place> {
        self.find(at, path, &mut Seen::new())
    }

    fn find<'a>(&'a self, at: usize, path: &'a [String], seen: &mut Seen<'a>) -> Option<Place> {
        let (first, rest) = path.split_first()?;
        let mut place = match first.as_str() {
            "crate" => Place::Module(0),
            "self" => Place::Module(at),
            "super" => Place::Module(self.modules[at].parent?),
            name => self.look_up(at, name, seen)?,
        };
        for name in rest {
            match place {
                Place::Module(module) if name == "super" => place = Place::Module(self.modules[module].parent?),
                Place::Module(module) if name == "self" => place = Place::Module(module),
                Place::Module(module) => place = self.look_up(module, name, seen).unwrap_or(Place::Item(module)),
                Place::Item(_) => break,
            }
        }
        Some(place)
    }

    /// What a name means in a module.
    fn look_up<'a>(&'a self, at: usize, name: &'a str, seen: &mut Seen<'a>) -> Option<Place> {
        let module = &self.modules[at];
        if let Some(&child) = module.children.get(name) {
            return Some(Place::Module(child));
        }
        if module.items.contains(name) {
            return Some(Place::Item(at));
        }
        // `use name::…` is not explained by itself, nor are re-exports that lead in a circle.
        if !seen.insert((at, name)) {
            return None;
        }
        let named = module.uses.iter().filter(|u| !u.glob && u.name == name).find_map(|u| self.find(at, &u.path, seen));
        let found = named.or_else(|| {
            module.uses.iter().filter(|u| u.glob).find_map(|u| match self.find(at, &u.path, seen)? {
                Place::Module(other) => self.look_up(other, name, seen),
                Place::Item(_) => None,
            })
        });
        if found.is_some() {
            seen.remove(&(at, name));
        }
        found
    }
}

/// Reads the tokens of one file.
struct Reader<'a> {
    tokens: Vec<Token>,
    at: usize,
    sources: &'a Sources,
    file: &'a str,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead)
    }

    fn word(&self, ahead: usize) -> Option<&str> {
        if let Some(Token::Word(word)) = self.peek(ahead) { Some(word) } else { None }
    }

    fn sign(&self, ahead: usize) -> Option<char> {
        if let Some(Token::Sign(sign)) = self.peek(ahead) { Some(*sign) } else { None }
    }

    /// Reads to the end of the file, or to the brace that closes the module. Its file modules stand in `folder`.
    fn module(&mut self, tree: &mut Tree, at: usize, folder: &str) {
        let (mut depth, mut words) = (0usize, BTreeSet::new());
        while let Some(token) = self.peek(0) {
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') if depth == 0 => break,
                Token::Sign('}') => depth -= 1,
                Token::Word(word) if word == "mod" && self.word(1).is_some() => {
                    self.child(tree, at, folder);
                    continue;
                }
                Token::Word(word) if word == "use" => {
                    let public = self.at > 0 && self.is_public();
                    self.at += 1;
                    let mut uses = Vec::new();
                    self.use_tree(&[], public, &mut uses);
                    tree.modules[at].uses.extend(uses);
                    continue;
                }
                Token::Word(_) => {
                    self.item(&mut tree.modules[at], depth);
                    let path = self.path();
                    if path.len() > 1 {
                        tree.modules[at].paths.push(path);
                    } else {
                        words.extend(path);
                    }
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        let module = &mut tree.modules[at];
        let handed_on: Vec<Vec<String>> =
            module.uses.iter().filter(|u| u.public && words.contains(&u.name)).map(|u| u.path.clone()).collect();
        module.paths.extend(handed_on);
    }

    /// `mod name;` or `mod name { … }`.
    fn child(&mut self, tree: &mut Tree, at: usize, folder: &str) {
        let name = self.word(1).unwrap_or_default().to_string();
        let inner = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let opens = self.sign(2) == Some('{');
        self.at += 3;
        let child = if opens {
            let child = tree.add(self.file, Some(at));
            self.module(tree, child, &inner);
            self.at += 1;
            child
        } else {
            let folder_file = format!("{inner}/mod.rs");
            let file = if self.sources.contains_key(&folder_file) { folder_file } else { format!("{inner}.rs") };
            tree.read_file(&file, &inner, Some(at), self.sources)
        };
        tree.modules[at].children.insert(name, child);
    }

    /// Takes note of an item that begins here.
    fn item(&self, module: &mut Module, depth: usize) {
        const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "const", "static", "type", "union"];
        let name = match self.word(0) {
            Some(kind) if KINDS.contains(&kind) && depth == 0 => self.word(1),
            Some("macro_rules") if self.sign(1) == Some('!') => self.word(2),
            _ => None,
        };
        if let Some(name) = name {
            module.items.insert(name.to_string());
        }
    }

    /// Reads `a::b::c`.
    fn path(&mut self) -> Vec<String> {
        let mut path = Vec::new();
        while let Some(word) = self.word(0) {
            path.push(word.to_string());
            self.at += 1;
            if self.peek(0) != Some(&Token::Path) || self.word(1).is_none() {
                break;
            }
            self.at += 1;
        }
        path
    }

    /// Reads what follows `use`, to behind its semicolon.
    fn use_tree(&mut self, before: &[String], public: bool, out: &mut Vec<Use>) {
        let mut path = before.to_vec();
        loop {
            match self.peek(0) {
                Some(Token::Word(word)) if word == "as" => {
                    let name = self.word(1).unwrap_or_default().to_string();
                    self.at += 2;
                    out.push(Use { path: std::mem::take(&mut path), name, glob: false, public });
                }
                Some(Token::Word(word)) => {
                    path.push(word.clone());
                    self.at += 1;
                }
                Some(Token::Sign('*')) => {
                    out.push(Use { path: std::mem::take(&mut path), name: String::new(), glob: true, public });
                    self.at += 1;
                }
                Some(Token::Sign('{')) => {
                    self.at += 1;
                    self.use_tree(&path, public, out);
                    path.clear();
                }
                Some(Token::Path) => self.at += 1,
                end => {
                    let closes = end != Some(&Token::Sign(','));
                    self.at += 1;
                    if path.len() > before.len() {
                        // `use a::{self}` names `a`.
                        path.pop_if(|last| last == "self" && !before.is_empty());
                        let name = path.last().cloned().unwrap_or_default();
                        out.push(Use { path, name, glob: false, public });
                    }
                    if closes {
                        return;
                    }
                    path = before.to_vec();
                }
            }
        }
    }

    /// Whether `pub` or `pub(…)` stands before this token.
    fn is_public(&self) -> bool {
        let before = &self.tokens[..self.at];
        if before.last() == Some(&Token::Sign(')')) {
            let opened = before.iter().rposition(|token| *token == Token::Sign('('));
            return opened.is_some_and(|at| at > 0 && before[at - 1].is_word("pub"));
        }
        before.last().is_some_and(|token| token.is_word("pub"))
    }
}
