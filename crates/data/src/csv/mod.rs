//! A table of one's own: guess how it is written and what its columns are ([`inspect`]), then make samples of it.
//!
//! Rows that do not fit are left out and named; nothing is filled in or corrected silently.

mod choices;
mod columns;
mod load;
mod parse;
mod profile;
mod trouble;

use downhill_tensor::UserError;

pub(crate) use choices::Choices;
pub use choices::{
    ColumnChoice, ColumnChoices, ColumnType, DateOrder, Decimal, Delimiter, Goal, Header, MAX_BYTES, MAX_COLUMNS, MAX_ROWS,
    Missing,
};
pub(crate) use load::load;
pub use parse::decode;
pub use profile::{Column, Cost, Finding, FindingKind, Profile, Spread};
pub use trouble::Trouble;

use columns::classify;
use parse::Sheet;

/// Looks through a table without making samples of it.
///
/// # Errors
/// When it is empty, too large, not text, or has nothing that could be predicted.
pub fn inspect(text: &str) -> Result<Profile, UserError> {
    let sheet = Sheet::parse(text, Delimiter::Auto, Header::Auto)?;
    let columns = classify(&sheet);
    let target = columns::suggest_target(&columns).ok_or_else(columns::no_target)?;
    let trouble = load::trouble(&sheet, &columns, target);
    Ok(Profile {
        delimiter: sheet.delimiter,
        header: sheet.header,
        rows: sheet.rows.len(),
        target: columns[target].name.clone(),
        task: columns[target].goal(),
        columns,
        trouble_count: trouble.count,
        trouble: trouble.first,
        used: sheet.rows.len(),
        costs: Vec::new(),
        inputs: 0,
        findings: Vec::new(),
    })
}

#[cfg(test)]
mod tests;
