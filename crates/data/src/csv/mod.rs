//! A table of one's own: guess how it is written and what its columns are ([`inspect`]), then make samples of it.
//!
//! Rows that do not fit are left out and named; nothing is filled in or corrected silently.

mod choices;
mod columns;
mod load;
mod parse;

use downhill_tensor::UserError;
use serde::{Deserialize, Serialize};

pub(crate) use choices::Choices;
pub use choices::{Delimiter, Goal, Header, MAX_BYTES, MAX_COLUMNS, MAX_ROWS};
pub use columns::{Column, ColumnKind};
pub(crate) use load::load;
pub use parse::{Trouble, decode};

use columns::classify;
use parse::Sheet;

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
