//! What the columns of a table hold: numbers, categories, or nothing of use.

use std::collections::HashSet;

use downhill_tensor::UserError;

use super::choices::ColumnType;
use super::parse::{Sheet, is_missing};
use super::profile::Column;

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
    let (kind, reason) = match () {
        () if distinct.len() < 2 => (ColumnType::Category, "it does not vary"),
        () if numeric && whole && running && present > 2 && (column == 0 || is_id(&name)) => {
            (ColumnType::Number, "it only numbers the rows")
        }
        () if numeric => (ColumnType::Number, ""),
        () if few => (ColumnType::Category, ""),
        () => (ColumnType::Text, "it holds free text"),
    };
    Column {
        name,
        guess: kind,
        kind,
        usable: reason.is_empty(),
        reason: reason.to_string(),
        missing,
        distinct: distinct.len(),
        whole: numeric && whole,
        examples,
        present,
        ..Column::default()
    }
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
