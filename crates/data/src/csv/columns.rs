//! What the columns of a table hold: numbers, words or dates, guessed and then read, or read as a person says.

use std::collections::HashMap;

use super::choices::{ColumnChoice, ColumnType, DateOrder, Decimal, Delimiter, Missing};
use super::date::{self, Moment, moment};
use super::number::{Absence, Evidence, LARGEST, missing, not_a_number, number, with_unit};
use super::profile::Column;
use super::sheet::Sheet;
use super::trouble::Trouble;
use crate::spec::quote;

/// Most different words that can be categories or classes.
pub(super) const MAX_CATEGORIES: usize = 200;
/// Different values are counted up to here.
const COUNTED: usize = 1000;
/// The code of a value that is missing.
pub(super) const NONE: u32 = u32::MAX;

/// A column with its values.
#[derive(Clone, Debug)]
pub(super) struct ReadColumn {
    pub about: Column,
    pub values: Values,
    /// Rows whose value is there but is not what the column holds, and why; the first few.
    pub strays: Vec<Trouble>,
}

/// The values of a column, one per row of the sheet.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// NaN where it is missing.
    Numbers(Vec<f64>),
    /// Days since 1970, with the fraction where a time is written; NaN where it is missing.
    Dates { days: Vec<f64>, timed: bool },
    /// Which of the words, [`NONE`] where it is missing.
    Words { words: Vec<String>, codes: Vec<u32> },
}

impl Values {
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Values::Numbers(values) | Values::Dates { days: values, .. } => values[row].is_nan(),
            Values::Words { codes, .. } => codes[row] == NONE,
        }
    }
}

impl ReadColumn {
    /// Its different values in order, and which of them each row has, [`NONE`] where it has none: what its classes are.
    pub fn as_words(&self) -> (Vec<String>, Vec<u32>) {
        let (values, is_date) = match &self.values {
            Values::Words { words, codes } => return (words.clone(), codes.clone()),
            Values::Numbers(values) => (values, false),
            Values::Dates { days, .. } => (days, true),
        };
        let mut different: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).map(|value| value + 0.0).collect();
        different.sort_unstable_by(f64::total_cmp);
        different.dedup();
        let code =
            |value: &f64| different.binary_search_by(|other| other.total_cmp(&(*value + 0.0))).map_or(NONE, |at| at as u32);
        let codes = values.iter().map(code).collect();
        let word = |value: &f64| if is_date { Moment::from_days(*value, false).text() } else { value.to_string() };
        (different.iter().map(word).collect(), codes)
    }
}

/// What a column says about the decimal sign.
pub(super) fn evidence(sheet: &Sheet, column: usize) -> Evidence {
    let mut evidence = Evidence::default();
    sheet.column(column).for_each(|value| evidence.add(value));
    evidence
}

/// The decimal sign of a table, for columns that do not say it themselves.
pub(super) fn table_decimal(columns: &[Evidence], delimiter: Delimiter) -> Decimal {
    let mut all = Evidence::default();
    columns.iter().for_each(|column| all.join(*column));
    let usual = if delimiter == Delimiter::Semicolon && all.open_comma > 0 { Decimal::Comma } else { Decimal::Point };
    all.decided().unwrap_or(usual)
}

/// What one look at every value of a column finds.
struct Look<'a> {
    /// NaN where there is no number.
    numbers: Vec<f64>,
    numeric: usize,
    whole: bool,
    running: bool,
    /// Values with each order of a date.
    dated: [usize; 3],
    always: usize,
    usually: usize,
    /// Every different value and how often it comes, up to [`COUNTED`] of them, those that usually mean nothing apart.
    words: HashMap<&'a str, u32>,
    nothings: HashMap<&'a str, u32>,
    examples: Vec<&'a str>,
}

fn look_at(sheet: &Sheet, column: usize, decimal: Decimal) -> Look<'_> {
    let mut look = Look {
        numbers: Vec::with_capacity(sheet.rows.len()),
        numeric: 0,
        whole: true,
        running: true,
        dated: [0; 3],
        always: 0,
        usually: 0,
        words: HashMap::new(),
        nothings: HashMap::new(),
        examples: Vec::new(),
    };
    let mut last: Option<f64> = None;
    for value in sheet.column(column) {
        let found = number(value, decimal).filter(|n| !n.is_nan());
        look.numbers.push(found.unwrap_or(f64::NAN));
        if let Some(number) = found {
            look.numeric += 1;
            look.whole &= number.fract() == 0.0;
            look.running &= last.is_none_or(|last| number == last + 1.0);
            last = Some(number);
        } else {
            look.running = false;
            match missing(value) {
                Absence::Always => {
                    look.always += 1;
                    continue;
                }
                Absence::Usually => {
                    look.usually += 1;
                    *look.nothings.entry(value).or_default() += 1;
                    continue;
                }
                Absence::No => {}
            }
            for (count, fits) in look.dated.iter_mut().zip(date::orders(value)) {
                *count += usize::from(fits);
            }
        }
        let room = look.words.len() < COUNTED;
        match look.words.get_mut(value) {
            Some(count) => *count += 1,
            None if room => {
                look.words.insert(value, 1);
                if look.examples.len() < 4 {
                    look.examples.push(value);
                }
            }
            None => {}
        }
    }
    look
}

/// Reads a column: what it holds is guessed unless a person has said it.
pub(super) fn read(sheet: &Sheet, column: usize, said: Evidence, of_table: Decimal, choice: &ColumnChoice) -> ReadColumn {
    let decimal = if choice.decimal == Decimal::Auto { said.decided().unwrap_or(of_table) } else { choice.decimal };
    let mut look = look_at(sheet, column, decimal);
    let name = sheet.names[column].clone();
    let rows = sheet.rows.len();
    let present = rows - look.always - look.usually;
    let order = date_order(&look, choice.date);
    let dated = look.dated[order];
    // Up to a tenth of strays does not make a column of numbers one of words: those count as missing.
    let numeric = look.numeric > 0 && 10 * look.numeric >= 9 * present;
    let is_dated = !numeric && dated > 0 && 10 * dated >= 9 * present;
    if !numeric && !is_dated {
        words_for_nothing_that_are_words(&mut look, rows);
    }
    let present = rows - look.always - look.usually;
    let distinct = look.words.len();
    let few = distinct <= MAX_CATEGORIES && (2 * distinct <= present || (distinct <= 10 && distinct < present));
    let counts_up = numeric && look.whole && look.running && present > 2 && look.numeric == rows;
    let (guess, reason) = match () {
        () if present == 0 => (ColumnType::Category, "it is empty"),
        () if distinct < 2 => (if numeric { ColumnType::Number } else { ColumnType::Category }, "it does not vary"),
        () if counts_up && is_id(&name, sheet.unnamed.contains(&column)) => (ColumnType::Number, "it only numbers the rows"),
        () if numeric => (ColumnType::Number, ""),
        () if is_dated => (ColumnType::Date, ""),
        () if few => (ColumnType::Category, ""),
        () => (ColumnType::Text, "it holds free text"),
    };
    let kind = if choice.kind == ColumnType::Auto { guess } else { choice.kind };
    let unit = if numeric || is_dated { String::new() } else { unit_of(&look, decimal) };
    let about = Column {
        guess,
        kind,
        usable: reason.is_empty(),
        reason: reason.to_string(),
        decimal,
        date: if kind == ColumnType::Date { date::ORDERS[order] } else { DateOrder::Auto },
        flag: choice.flag,
        distinct,
        whole: numeric && look.whole,
        examples: look.examples.iter().map(|value| quote(value)).collect(),
        unit,
        present,
        filling: filling(kind, choice.missing),
        name,
        ..Column::default()
    };
    let mut read = values(sheet, column, about, look);
    read.about.format = format(sheet, column, &read, said);
    read
}

/// What stands in for a value that is missing.
fn filling(kind: ColumnType, chosen: Missing) -> Missing {
    match (chosen, kind) {
        (Missing::Auto, ColumnType::Category | ColumnType::Text | ColumnType::Auto) => Missing::Category,
        (Missing::Auto, ColumnType::Number | ColumnType::Date) => Missing::Median,
        (chosen, _) => chosen,
    }
}

/// The order that most values can be read with, or the one that was chosen.
fn date_order(look: &Look<'_>, chosen: DateOrder) -> usize {
    if let Some(at) = date::ORDERS.iter().position(|order| *order == chosen) {
        return at;
    }
    let slashes = look.words.keys().any(|word| word.contains('/'));
    // Of equals: month first where slashes stand, else day first.
    let rank = |at: usize| (look.dated[at], if slashes { at } else { 2 - at });
    (0..3).max_by_key(|&at| rank(at)).unwrap_or(0)
}

/// In a column of words a word for "no value" is a word like others if it comes often enough to be one.
fn words_for_nothing_that_are_words(look: &mut Look<'_>, rows: usize) {
    let often = (rows / 50).max(3) as u32;
    for (word, count) in look.nothings.drain() {
        if count >= often {
            look.usually -= count as usize;
            look.words.insert(word, count);
            look.examples.push(word);
        }
    }
    look.examples.truncate(4);
}

/// The unit that stands behind nearly every number, if there is one.
fn unit_of(look: &Look<'_>, decimal: Decimal) -> String {
    let mut units: HashMap<&str, u32> = HashMap::new();
    let mut all = 0;
    for (word, count) in &look.words {
        all += count;
        if let Some((_, unit)) = with_unit(word, decimal) {
            *units.entry(unit).or_default() += count;
        }
    }
    let most = units.into_iter().max_by_key(|(unit, count)| (*count, *unit));
    most.filter(|(_, count)| 10 * count >= 9 * all).map(|(unit, _)| unit.to_string()).unwrap_or_default()
}

fn values(sheet: &Sheet, column: usize, mut about: Column, look: Look<'_>) -> ReadColumn {
    let rows = sheet.rows.len();
    let mut strays = Vec::new();
    let mut count = 0;
    let mut stray = |row: usize, problem: String| {
        count += 1;
        if strays.len() < 20 {
            strays.push(Trouble { line: sheet.line(row), column: Some(about.name.clone()), problem, dropped: false });
        }
    };
    let is_value = |value: &str| missing(value) == Absence::No;
    let values = match about.kind {
        ColumnType::Number => {
            let mut numbers = look.numbers;
            for (row, value) in sheet.column(column).enumerate() {
                if !numbers[row].is_nan() || !is_value(value) {
                    continue;
                }
                match with_unit(value, about.decimal).filter(|(_, unit)| *unit == about.unit) {
                    Some((number, _)) => numbers[row] = number,
                    None => stray(row, not_a_number(value)),
                }
            }
            about.whole = numbers.iter().filter(|n| !n.is_nan()).all(|n| n.fract() == 0.0);
            Values::Numbers(numbers)
        }
        ColumnType::Date => {
            let mut days = Vec::with_capacity(rows);
            let mut timed = false;
            for (row, value) in sheet.column(column).enumerate() {
                let read = moment(value, about.date);
                timed |= read.is_some_and(|moment| moment.hour.is_some());
                if read.is_none() && is_value(value) {
                    stray(row, format!("\"{}\" is not a date like the others", quote(value)));
                }
                days.push(read.map_or(f64::NAN, Moment::days));
            }
            Values::Dates { days, timed }
        }
        ColumnType::Category | ColumnType::Text | ColumnType::Auto => words(sheet, column, &about, &look),
    };
    about.strays = count;
    about.missing = (0..rows).filter(|&row| values.is_missing(row)).count();
    ReadColumn { about, values, strays }
}

/// Gives every different word a code: numbers by their size, before the words.
fn words(sheet: &Sheet, column: usize, about: &Column, look: &Look<'_>) -> Values {
    // Beyond these there are too many to be categories anyway.
    if look.words.len() >= COUNTED {
        let codes = sheet.column(column).map(|value| if missing(value) == Absence::Always { NONE } else { 0 });
        return Values::Words { words: Vec::new(), codes: codes.collect() };
    }
    // Numbers by value, so that "1" and "1.0" are the same.
    let key = |word: &str| match number(word, about.decimal) {
        Some(number) if number.abs() <= LARGEST => (order(number), number.to_string()),
        _ => (u64::MAX, word.to_string()),
    };
    let mut known: Vec<((u64, String), &str)> = look.words.keys().map(|word| (key(word), *word)).collect();
    known.sort_unstable();
    let mut words: Vec<String> = Vec::new();
    let mut codes: HashMap<&str, u32> = HashMap::new();
    let mut last = None;
    for (key, word) in known {
        if last.as_ref() != Some(&key) {
            words.push(key.1.clone());
            last = Some(key);
        }
        codes.insert(word, words.len() as u32 - 1);
    }
    let codes = sheet.column(column).map(|value| codes.get(value).copied().unwrap_or(NONE)).collect();
    Values::Words { words, codes }
}

/// Bits that sort as the finite numbers do.
fn order(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// How the values are written, where that can be read in more than one way.
fn format(sheet: &Sheet, column: usize, read: &ReadColumn, said: Evidence) -> String {
    let about = &read.about;
    match about.kind {
        ColumnType::Number if said.open > 0 && said.decided().is_none() => {
            let readings = |value: &&str| number(value, Decimal::Point) != number(value, Decimal::Comma);
            let example = sheet.column(column).find(readings).unwrap_or_default();
            let read = number(example, about.decimal).unwrap_or_default();
            format!("{} is read as {read}", quote(example))
        }
        ColumnType::Number if about.decimal == Decimal::Comma && said.comma > 0 => "with a decimal comma".to_string(),
        ColumnType::Number if !about.unit.is_empty() => format!("in {}", about.unit),
        ColumnType::Date => {
            let order = match about.date {
                DateOrder::DayFirst => "day, month, year",
                DateOrder::MonthFirst => "month, day, year",
                DateOrder::YearFirst | DateOrder::Auto => "year, month, day",
            };
            let timed = matches!(read.values, Values::Dates { timed: true, .. });
            format!("{order}{}", if timed { ", hour" } else { "" })
        }
        _ => String::new(),
    }
}

/// Whether a name says that the column only numbers the rows.
fn is_id(name: &str, unnamed: bool) -> bool {
    const NAMES: [&str; 10] = ["id", "index", "no", "no.", "nr", "nr.", "row", "row number", "#", "unnamed: 0"];
    let lower = name.to_lowercase();
    unnamed || NAMES.contains(&lower.as_str()) || lower.ends_with("_id") || lower.ends_with(" id") || name.ends_with("Id")
}

/// What [`tells`] says of a letter that by custom is what is predicted.
const CUSTOMARY: u8 = 1;

/// How well a name says that its column is to be predicted: by all of it, by a word in it (`target_price`), by custom, or not at all.
fn tells(name: &str) -> u8 {
    const TELLING: [&str; 7] = ["target", "label", "class", "species", "outcome", "diagnosis", "response"];
    let lower = name.trim().to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric());
    match () {
        () if TELLING.contains(&lower.as_str()) => 3,
        () if words.any(|word| TELLING.contains(&word)) => 2,
        () if lower == "y" => CUSTOMARY,
        () => 0,
    }
}

/// The column with the most telling name, or else the last that can be predicted.
pub(super) fn suggest_target<'a>(columns: impl Iterator<Item = &'a Column>) -> Option<usize> {
    let usable: Vec<(usize, &Column)> = columns.enumerate().filter(|(_, column)| column.usable).collect();
    // Beside an x and words that can be classes, y is a place.
    let has_x = usable.iter().any(|(_, column)| column.name.trim().eq_ignore_ascii_case("x"));
    let is_place = has_x && usable.iter().any(|(_, column)| column.kind == ColumnType::Category);
    let rank = |column: &Column| match tells(&column.name) {
        CUSTOMARY if is_place => 0,
        rank => rank,
    };
    usable.iter().map(|(i, column)| (rank(column), *i)).max().map(|(_, i)| i)
}
