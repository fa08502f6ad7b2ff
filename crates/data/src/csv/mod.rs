//! A table of one's own: guess how it is written and what its columns are ([`inspect`]), then make samples of it.
//!
//! Rows that do not fit are left out and named; nothing is filled in or corrected silently.

mod columns;
mod load;
mod parse;

use downhill_tensor::UserError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use columns::{Column, ColumnKind};
pub(crate) use load::load;
pub use parse::{Trouble, decode};

use columns::classify;
use parse::Sheet;

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

/// What a table looks like, for the person to confirm or correct.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// What stands between two values.
    pub delimiter: Delimiter,
    /// Whether the first row names the columns.
    pub header: bool,
    /// Rows with as many values as there are columns.
    pub rows: usize,
    /// Every column, in order.
    pub columns: Vec<Column>,
    /// The first rows that will be left out, and why.
    pub trouble: Vec<Trouble>,
    /// How many values or rows are in trouble altogether.
    pub trouble_count: usize,
    /// The column that is most likely to be predicted.
    pub target: String,
    /// What predicting it would be; never [`Goal::Auto`].
    pub task: Goal,
}

/// Looks through a table without making samples of it.
///
/// # Errors
/// When it is empty, too large, not text, or has nothing that could be predicted.
pub fn inspect(text: &str) -> Result<Inspection, UserError> {
    let sheet = Sheet::parse(text, Delimiter::Auto, Header::Auto)?;
    let columns = classify(&sheet);
    let target = columns::suggest_target(&columns).ok_or_else(columns::no_target)?;
    let trouble = load::trouble(&sheet, &columns, target);
    Ok(Inspection {
        delimiter: sheet.delimiter,
        header: sheet.header,
        rows: sheet.rows.len(),
        target: columns[target].name.clone(),
        task: columns[target].goal(),
        columns,
        trouble_count: trouble.count,
        trouble: trouble.first,
    })
}

#[cfg(test)]
mod tests;
