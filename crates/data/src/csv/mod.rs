//! A table of one's own: guess how it is written and what its columns are ([`inspect`]), then make samples of it.
//!
//! Whatever is filled in, left out or read in one of several ways is said, and can be chosen otherwise.

mod cells;
mod choices;
mod columns;
mod date;
mod encode;
mod load;
mod number;
mod profile;
mod reader;
mod sheet;
mod survey;
pub(crate) mod table;
mod text;
mod timeline;
mod trouble;

pub use choices::{
    Choices, ColumnChoice, ColumnChoices, ColumnType, DateOrder, Decimal, Delimiter, Goal, Header, MAX_BYTES, MAX_COLUMNS,
    MAX_ROWS, Missing, SeriesChoices,
};
pub(crate) use load::load;
pub use profile::{Column, Cost, Finding, FindingKind, Profile, Spread};
pub use reader::{Progress, Reader, inspect};
pub use table::{Table, TableCell};
pub use text::decode;
pub use trouble::Trouble;

#[cfg(test)]
mod tests;
