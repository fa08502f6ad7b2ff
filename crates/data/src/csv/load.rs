//! Makes samples of a table: the chosen columns, scaled and encoded.

use std::collections::BTreeMap;

use downhill_tensor::UserError;

use super::choices::{Choices, ColumnType, Goal};
use super::columns::{classify, no_target, suggest_target};
use super::parse::{Sheet, is_missing, not_a_number};
use super::profile::Column;
use super::trouble::{Trouble, TroubleLog};
use crate::dataset::{Plane, Samples, Scaling, Task};
use crate::field;
use crate::spec::{nearest, quote};

/// Most inputs one sample may have after categories became one input per word.
const MAX_FEATURES: usize = 2000;
/// Most numbers the whole set may have: 80 MB.
const MAX_NUMBERS: usize = 20_000_000;
/// Most classes a target may have.
const MAX_CLASSES: usize = 200;

/// Makes samples of a table: categories one input per word, numbers to be standardised, rows in trouble left out and named.
///
/// # Errors
/// When the table cannot be read, a chosen column does not exist, or there is nothing to learn.
pub(crate) fn load(text: &str, choices: &Choices<'_>) -> Result<Samples, UserError> {
    let sheet = Sheet::parse(text, choices.delimiter, choices.header)?;
    let columns = classify(&sheet);
    let target = find_target(&columns, choices.target)?;
    let goal = find_goal(&columns[target], choices.goal)?;
    let ignored = find_ignored(&columns, choices.ignore)?;
    let inputs: Vec<usize> =
        (0..columns.len()).filter(|i| *i != target && !ignored.contains(i) && columns[*i].is_usable()).collect();
    if inputs.is_empty() {
        let message = format!("There is no column to predict \"{}\" from.", quote(&columns[target].name));
        return Err(UserError::at("text", message).hint("Add a column of numbers, or check the delimiter."));
    }
    let (rows, trouble) = sound_rows(&sheet, &columns, &inputs, target, goal);
    if rows.is_empty() {
        let example = trouble.first.first().map(Trouble::to_string).unwrap_or_default();
        let message = format!("No row has a value in every column. {example}");
        return Err(UserError::at("text", message).hint("Ignore the columns with gaps, or fill them."));
    }
    let (task, y) = read_target(&sheet, &columns[target], target, goal, &rows)?;
    let encoded = encode(&sheet, &columns, &inputs, &rows)?;
    let picture = encoded.indicators == [false; 2] && matches!(task, Task::Classification { .. });
    Ok(Samples {
        plane: picture.then_some(Plane::Columns),
        notes: notes(&columns, target, &ignored, &trouble),
        scaling: Scaling::Standardise,
        indicators: encoded.indicators,
        ..Samples::of_rows(task, encoded.names, field::Column::F32(encoded.x), y, ("", ""))
    })
}

/// The rows that would be left out if `target` were predicted from all other columns.
pub(super) fn trouble(sheet: &Sheet, columns: &[Column], target: usize) -> TroubleLog {
    let inputs: Vec<usize> = (0..columns.len()).filter(|&i| i != target && columns[i].is_usable()).collect();
    sound_rows(sheet, columns, &inputs, target, columns[target].goal()).1
}

fn find_column(columns: &[Column], name: &str) -> Result<usize, UserError> {
    columns.iter().position(|column| column.name == name).ok_or_else(|| {
        let near = nearest(name, columns.iter().map(|c| c.name.as_str())).unwrap_or_default();
        let message = format!("The table has no column \"{}\".", quote(name));
        UserError::new(message).hint(format!("Did you mean \"{}\"?", quote(near)))
    })
}

fn find_target(columns: &[Column], chosen: &str) -> Result<usize, UserError> {
    if chosen.is_empty() {
        return suggest_target(columns).ok_or_else(no_target);
    }
    find_column(columns, chosen).map_err(|e| e.under("target"))
}

fn find_ignored(columns: &[Column], ignore: &[String]) -> Result<Vec<usize>, UserError> {
    let find = |(i, name): (usize, &String)| find_column(columns, name).map_err(|e| e.under(&format!("ignore[{i}]")));
    ignore.iter().enumerate().map(find).collect()
}

fn find_goal(target: &Column, chosen: Goal) -> Result<Goal, UserError> {
    let name = quote(&target.name);
    if target.distinct < 2 {
        let message = match target.examples.first() {
            Some(value) => format!("Column \"{name}\" only ever holds \"{value}\", so there is nothing to tell apart."),
            None => format!("Column \"{name}\" is empty."),
        };
        return Err(UserError::at("target", message).hint("Choose another column, or add rows with another value."));
    }
    let numeric = target.kind == ColumnType::Number;
    match chosen {
        Goal::Auto => Ok(target.goal()),
        Goal::Regression if !numeric => {
            let message = format!("Column \"{name}\" does not hold numbers, so it cannot be predicted as one.");
            Err(UserError::at("task", message).hint("Choose `classification`, or another target."))
        }
        chosen => Ok(chosen),
    }
}

/// The rows in which every input and the target can be read, and what is wrong with the others.
fn sound_rows(sheet: &Sheet, columns: &[Column], inputs: &[usize], target: usize, goal: Goal) -> (Vec<usize>, TroubleLog) {
    let mut log = sheet.ragged.clone();
    let mut sound = Vec::with_capacity(sheet.rows.len());
    for (i, row) in sheet.rows.iter().enumerate() {
        let flaw = inputs.iter().chain([&target]).find_map(|&column| {
            let must_be_number =
                if column == target { goal == Goal::Regression } else { columns[column].kind == ColumnType::Number };
            let value = sheet.value(row, column);
            if is_missing(value) {
                Some((column, "there is no value".to_string()))
            } else if must_be_number && sheet.number(row, column).is_none() {
                Some((column, not_a_number(value)))
            } else {
                None
            }
        });
        match flaw {
            None => sound.push(i),
            Some((column, problem)) => {
                log.add(|| Trouble { line: row.line, column: Some(columns[column].name.clone()), problem });
            }
        }
    }
    (sound, log)
}

fn read_target(
    sheet: &Sheet,
    column: &Column,
    target: usize,
    goal: Goal,
    rows: &[usize],
) -> Result<(Task, field::Column), UserError> {
    if goal == Goal::Regression {
        let values = rows.iter().map(|&i| sheet.number(&sheet.rows[i], target).unwrap_or_default() as f32).collect();
        return Ok((Task::Regression { targets: vec![column.name.clone()] }, field::Column::F32(values)));
    }
    let (words, labels) = levels(sheet, target, rows);
    let name = quote(&column.name);
    if words.len() < 2 {
        let message =
            format!("The rows that can be read have only one value in \"{name}\", so there is nothing to tell apart.");
        return Err(UserError::at("target", message).hint("Choose another column, or add rows with another value."));
    }
    if words.len() > MAX_CLASSES {
        let message = format!("Column \"{name}\" has {} different values; at most {MAX_CLASSES} can be classes.", words.len());
        return Err(UserError::at("target", message).hint("Choose another column, or `regression` if they are numbers."));
    }
    Ok((Task::Classification { classes: words }, field::Column::U32(labels)))
}

/// The different words of a column, in order (numbers by size), and which of them each row has.
fn levels(sheet: &Sheet, column: usize, rows: &[usize]) -> (Vec<String>, Vec<u32>) {
    // Numbers by value, so that "1" and "1.0" are the same; they come before the words.
    let key = |i: usize| {
        let row = &sheet.rows[i];
        match sheet.number(row, column) {
            Some(number) => (order(number), number.to_string()),
            None => (u64::MAX, sheet.value(row, column).to_string()),
        }
    };
    let keys: Vec<(u64, String)> = rows.iter().map(|&i| key(i)).collect();
    let mut index: BTreeMap<&(u64, String), u32> = BTreeMap::new();
    for key in &keys {
        index.insert(key, 0);
    }
    index.values_mut().zip(0..).for_each(|(value, i)| *value = i);
    let labels = keys.iter().map(|key| index[key]).collect();
    (index.keys().map(|key| key.1.clone()).collect(), labels)
}

/// Bits that sort as the finite numbers do.
fn order(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

struct Encoded {
    names: Vec<String>,
    indicators: Vec<bool>,
    x: Vec<f32>,
}

/// How one column becomes inputs.
enum Encoding {
    Number(usize),
    /// Which of so many inputs is 1 in each row.
    OneHot(Vec<u32>, usize),
}

fn encode(sheet: &Sheet, columns: &[Column], inputs: &[usize], rows: &[usize]) -> Result<Encoded, UserError> {
    let (mut names, mut indicators, mut encodings) = (Vec::new(), Vec::new(), Vec::new());
    for &column in inputs {
        let name = &columns[column].name;
        if columns[column].kind == ColumnType::Number {
            names.push(name.clone());
            indicators.push(false);
            encodings.push(Encoding::Number(column));
            continue;
        }
        let (words, labels) = levels(sheet, column, rows);
        indicators.extend(words.iter().map(|_| true));
        encodings.push(Encoding::OneHot(labels, words.len()));
        names.extend(words.into_iter().map(|word| format!("{name} = {}", quote(&word))));
    }
    if names.len() > MAX_FEATURES || names.len().saturating_mul(rows.len()) > MAX_NUMBERS {
        let message = format!("The table becomes {} rows of {} inputs, which is too much.", rows.len(), names.len());
        let hint = format!("Ignore some columns: at most {MAX_FEATURES} inputs and {MAX_NUMBERS} numbers fit.");
        return Err(UserError::at("text", message).hint(hint));
    }
    let mut x = Vec::with_capacity(names.len() * rows.len());
    for (position, &i) in rows.iter().enumerate() {
        for encoding in &encodings {
            match encoding {
                Encoding::Number(column) => x.push(sheet.number(&sheet.rows[i], *column).unwrap_or_default() as f32),
                Encoding::OneHot(labels, count) => {
                    x.extend((0..*count as u32).map(|word| if word == labels[position] { 1.0 } else { 0.0 }));
                }
            }
        }
    }
    Ok(Encoded { names, indicators, x })
}

fn notes(columns: &[Column], target: usize, ignored: &[usize], trouble: &TroubleLog) -> Vec<String> {
    let mut notes = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        if !column.usable && i != target && !ignored.contains(&i) {
            let reason = &column.reason;
            notes.push(format!("Column \"{}\" is left out: {reason}.", quote(&column.name)));
        }
    }
    notes.extend(trouble.first.iter().map(Trouble::to_string));
    if trouble.count > trouble.first.len() {
        notes.push(format!("{} more rows are left out for such reasons.", trouble.count - trouble.first.len()));
    }
    notes
}
