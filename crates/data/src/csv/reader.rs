//! Reads a table in slices, so that whoever waits for it can say how far it is, and stop: the bytes become text, the text cells, the
//! cells columns, the columns a [`Table`].

use downhill_tensor::UserError;

use super::cells::Splitter;
use super::choices::{Choices, ColumnChoice, Delimiter};
use super::columns::{self, ReadColumn};
use super::number::Evidence;
use super::profile::Profile;
use super::sheet::{Sheet, guess_delimiter};
use super::table::Table;
use super::text;

/// See the module.
pub struct Reader {
    choices: Choices,
    stage: Stage,
}

/// How far a [`Reader`] is.
#[derive(Debug)]
pub enum Progress {
    /// It goes on; the share of the work that is done, 0 to 1.
    Reading(f64),
    /// It is done.
    Done(Box<Table>),
}

enum Stage {
    Bytes(Vec<u8>),
    Cutting(Box<Splitter>, Delimiter),
    Columns(Box<Columns>),
    Done,
}

struct Columns {
    sheet: Sheet,
    said: Vec<Evidence>,
    read: Vec<ReadColumn>,
}

/// Shares of the work: cutting the text, and looking for decimal signs.
const CUT: f64 = 0.3;
const SIGNS: f64 = 0.1;
/// Bytes of a cell, where work is measured in bytes.
const CELL: usize = 8;

impl Reader {
    /// Begins with the bytes of a file.
    pub fn new(bytes: Vec<u8>, choices: Choices) -> Self {
        Self { choices, stage: Stage::Bytes(bytes) }
    }

    /// Works on about so many bytes more, whole columns at a time once they are cut.
    ///
    /// # Errors
    /// When the table is empty, too large, not text, or has nothing to learn; then it is over.
    pub fn advance(&mut self, budget: usize) -> Result<Progress, UserError> {
        let (stage, progress) = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Bytes(bytes) => {
                let text = text::decode(&bytes)?;
                text::check(&text)?;
                let chosen = self.choices.delimiter;
                let delimiter = if chosen == Delimiter::Auto { guess_delimiter(&text) } else { chosen };
                (Stage::Cutting(Box::new(Splitter::new(text, delimiter)), delimiter), 0.0)
            }
            Stage::Cutting(mut splitter, delimiter) => {
                let share = splitter.advance(budget);
                if share < 1.0 {
                    (Stage::Cutting(splitter, delimiter), CUT * share)
                } else {
                    let sheet = Sheet::new(splitter.finish(), delimiter, self.choices.header)?;
                    (Stage::Columns(Box::new(Columns { sheet, said: Vec::new(), read: Vec::new() })), CUT)
                }
            }
            Stage::Columns(mut columns) => {
                let mut left = budget;
                let work = columns.sheet.rows.len().max(1) * CELL;
                while !columns.is_done() {
                    columns.advance(&self.choices);
                    left = left.saturating_sub(work);
                    if left == 0 {
                        break;
                    }
                }
                if columns.is_done() {
                    let Columns { sheet, read, .. } = *columns;
                    return Table::new(sheet, read, &self.choices).map(|table| Progress::Done(Box::new(table)));
                }
                let progress = columns.progress();
                (Stage::Columns(columns), progress)
            }
            Stage::Done => return Err(UserError::new("The table has been read already.")),
        };
        self.stage = stage;
        Ok(Progress::Reading(progress))
    }

    /// Reads all that is left.
    ///
    /// # Errors
    /// As [`Reader::advance`].
    pub fn finish(mut self) -> Result<Table, UserError> {
        loop {
            if let Progress::Done(table) = self.advance(usize::MAX)? {
                return Ok(*table);
            }
        }
    }
}

impl Columns {
    fn is_done(&self) -> bool {
        self.read.len() == self.sheet.names.len()
    }

    fn progress(&self) -> f64 {
        let share = |done: &usize| *done as f64 / self.sheet.names.len().max(1) as f64;
        CUT + SIGNS * share(&self.said.len()) + (1.0 - CUT - SIGNS) * share(&self.read.len())
    }

    /// Looks for the decimal sign of one column more, or, when all have been asked, reads one.
    fn advance(&mut self, choices: &Choices) {
        let (said, all) = (self.said.len(), self.sheet.names.len());
        if said < all {
            self.said.push(columns::evidence(&self.sheet, said));
            return;
        }
        let at = self.read.len();
        let of_table = columns::table_decimal(&self.said, self.sheet.delimiter);
        let unsaid = ColumnChoice::default();
        let choice = choices.columns.0.get(&self.sheet.names[at]).unwrap_or(&unsaid);
        self.read.push(columns::read(&self.sheet, at, self.said[at], of_table, choice));
    }
}

/// What a table looks like, with everything guessed.
///
/// # Errors
/// When it is empty, too large, not text, or has nothing that could be predicted.
pub fn inspect(text: &str) -> Result<Profile, UserError> {
    Reader::new(text.as_bytes().to_vec(), Choices::default()).finish().map(|table| table.profile())
}
