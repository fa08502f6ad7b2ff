//! What can be decided about a table, and how large one may be. What is not decided is guessed by the other files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Largest table that is read, in bytes.
pub const MAX_BYTES: usize = 20_000_000;
/// Most rows that are read.
pub const MAX_ROWS: usize = 200_000;
/// Most columns that are read.
pub const MAX_COLUMNS: usize = 1000;

/// What stands between two values of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delimiter {
    /// Guessed
    #[default]
    Auto,
    /// ,
    Comma,
    /// ;
    Semicolon,
    /// Tabulator
    Tab,
}

/// Whether the first row names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// Guessed
    #[default]
    Auto,
    /// Column names
    Names,
    /// A sample like the others
    Data,
}

/// Whether the target is a class or a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Guessed from the target column
    #[default]
    Auto,
    /// Which class?
    Classification,
    /// How much?
    Regression,
}

/// What a person decided about a table; the default leaves everything to be guessed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Choices<'a> {
    pub target: &'a str,
    pub goal: Goal,
    pub ignore: &'a [String],
    pub delimiter: Delimiter,
    pub header: Header,
}
