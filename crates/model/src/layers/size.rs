//! The field `out` of a layer: a number of units, or as many as the data has classes or targets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number of outputs, or a word for what the data asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Size {
    /// That many.
    Units(#[schemars(range(min = 1, max = 16384))] usize),
    /// As many as the data asks for.
    Word(Word),
}

/// A size that the data decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// One for each class.
    Classes,
    /// One for each number to predict.
    Targets,
}

impl From<usize> for Size {
    fn from(units: usize) -> Self {
        Size::Units(units)
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Size::Units(n) => write!(f, "{n}"),
            Size::Word(Word::Classes) => f.write_str("classes"),
            Size::Word(Word::Targets) => f.write_str("targets"),
        }
    }
}
