//! What the columns of a table hold: numbers, categories, or nothing of use.

use std::collections::HashSet;

use downhill_tensor::UserError;
use serde::{Deserialize, Serialize};

use super::choices::Goal;
use super::parse::{Sheet, is_missing};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers; standardised.
    Number,
    /// A few different words; one input per word.
    Category,
    /// A running number; left out.
    Id,
    /// Many different words; left out.
    Text,
    /// The same value in every row, or none; left out.
    Constant,
}

/// What is known of one column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, or "column 3".
    pub name: String,
    /// What it holds.
    pub kind: ColumnKind,
    /// Rows without a value.
    pub missing: usize,
    /// Different values, counted up to 1000.
    pub distinct: usize,
    /// Whether every number in it is whole.
    pub whole: bool,
    /// The first few different values.
    pub examples: Vec<String>,
    present: usize,
}

impl Column {
    /// Whether the network can be given it, or asked for it.
    pub fn is_usable(&self) -> bool {
        matches!(self.kind, ColumnKind::Number | ColumnKind::Category)
    }

    /// What predicting this column is: a few whole numbers are classes.
    pub fn goal(&self) -> Goal {
        let few = self.whole && self.distinct <= 10 && 2 * self.distinct <= self.present;
        if self.kind == ColumnKind::Number && !few { Goal::Regression } else { Goal::Classification }
    }

    /// Why it is left out, if it is.
    pub(super) fn reason(&self) -> Option<&'static str> {
        match self.kind {
            ColumnKind::Number | ColumnKind::Category => None,
            ColumnKind::Id => Some("it only numbers the rows"),
            ColumnKind::Text => Some("it holds free text"),
            ColumnKind::Constant => Some("it does not vary"),
        }
    }
}

/// Looks at every column.
pub(super) fn classify(sheet: &Sheet) -> Vec<Column> {
    (0..sheet.names.len()).map(|column| look_at(sheet, column)).collect()
}

fn look_at(sheet: &Sheet, column: usize) -> Column {
    const COUNTED: usize = 1000;
    let mut distinct = HashSet::new();
    let mut examples = Vec::new();
    let (mut missing, mut numbers, mut whole, mut running) = (0, 0, true, true);
    let mut last: Option<f64> = None;
    for row in &sheet.rows {
        let value = sheet.value(row, column);
        if is_missing(value) {
            missing += 1;
            continue;
        }
        if distinct.len() < COUNTED && distinct.insert(value) && examples.len() < 4 {
            examples.push(crate::spec::quote(value));
        }
        let Some(number) = sheet.number(row, column) else {
            running = false;
            continue;
        };
        numbers += 1;
        whole &= number.fract() == 0.0;
        running &= last.is_none_or(|last| number == last + 1.0);
        last = Some(number);
    }
    let present = sheet.rows.len() - missing;
    let name = sheet.names[column].clone();
    // Up to a tenth of stray words does not make a column of numbers one of words: those rows are in trouble.
    let numeric = 10 * numbers >= 9 * present;
    let few = distinct.len() <= 50 && (2 * distinct.len() <= present || (distinct.len() <= 10 && distinct.len() < present));
    let kind = match () {
        () if distinct.len() < 2 => ColumnKind::Constant,
        () if numeric && whole && running && present > 2 && (column == 0 || is_id(&name)) => ColumnKind::Id,
        () if numeric => ColumnKind::Number,
        () if few => ColumnKind::Category,
        () => ColumnKind::Text,
    };
    Column { name, kind, missing, distinct: distinct.len(), whole: numeric && whole, examples, present }
}

fn is_id(name: &str) -> bool {
    ["id", "index", "no", "nr", "row", "#"].iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// The column with a telling name, or else the last that can be predicted.
pub(super) fn suggest_target(columns: &[Column]) -> Option<usize> {
    const TELLING: [&str; 7] = ["target", "label", "class", "species", "outcome", "diagnosis", "y"];
    let usable = |&i: &usize| columns[i].is_usable();
    let telling = |&i: &usize| TELLING.iter().any(|word| columns[i].name.eq_ignore_ascii_case(word));
    let all = || (0..columns.len()).filter(usable);
    all().rfind(telling).or_else(|| all().next_back())
}

/// The error when [`suggest_target`] finds none.
pub(super) fn no_target() -> UserError {
    let message = "No column can be predicted: each is empty, always the same, or free text.";
    UserError::at("text", message).hint("Add a column with a number or a few different words in every row.")
}
