//! Reads the text of a table: encoding, delimiter, header, and the rows that have to be left out.

use std::collections::HashSet;

use ::csv::{ReaderBuilder, StringRecord, Trim};
use downhill_tensor::{UserError, parse_number};

use super::choices::{Delimiter, Header, MAX_BYTES, MAX_COLUMNS, MAX_ROWS};
use super::trouble::{Trouble, TroubleLog};
use crate::spec::quote;

/// A table whose rows all have as many values as there are columns.
pub(super) struct Sheet {
    /// Never [`Delimiter::Auto`].
    pub delimiter: Delimiter,
    pub header: bool,
    /// Name of every column, all different.
    pub names: Vec<String>,
    pub rows: Vec<Row>,
    /// Rows with too few or too many values.
    pub ragged: TroubleLog,
}

pub(super) struct Row {
    pub line: u64,
    pub values: StringRecord,
}

/// The text of a file, which must be UTF-8; a byte order mark is dropped.
///
/// # Errors
/// When it is not UTF-8, with the place.
pub fn decode(bytes: &[u8]) -> Result<String, UserError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_string()),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
            let message = format!("The file is not UTF-8 text: line {line} has a byte that does not belong.");
            Err(UserError::new(message).hint("Save it as \"CSV UTF-8\"."))
        }
    }
}

impl Sheet {
    /// Reads a table.
    ///
    /// # Errors
    /// When it is too large, is not text, or has no rows.
    pub fn parse(text: &str, delimiter: Delimiter, header: Header) -> Result<Sheet, UserError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        check_text(text)?;
        let delimiter = if delimiter == Delimiter::Auto { guess_delimiter(text) } else { delimiter };
        let mut rows = read(text, delimiter, MAX_ROWS + 2)?;
        let width = usual_width(&rows);
        if width > MAX_COLUMNS {
            let message = format!("The table has {width} columns; at most {MAX_COLUMNS} are read.");
            return Err(UserError::at("text", message).hint("Remove some columns."));
        }
        let mut ragged = TroubleLog::default();
        rows.retain(|row| {
            let fits = row.values.len() == width;
            if !fits {
                ragged.add(|| Trouble {
                    line: row.line,
                    column: None,
                    problem: format!("it has {} values where other rows have {width}", row.values.len()),
                });
            }
            fits
        });
        let header = match header {
            Header::Auto => guess_header(&rows, delimiter),
            chosen => chosen == Header::Names,
        };
        let first = if header && !rows.is_empty() { Some(rows.remove(0)) } else { None };
        if rows.is_empty() {
            let message = "The table has no rows below its column names.";
            return Err(UserError::at("text", message).hint("Add some, one sample per row."));
        }
        if rows.len() > MAX_ROWS {
            let message = format!("The table has more than {MAX_ROWS} rows.");
            return Err(UserError::at("text", message).hint("Keep a random part of them."));
        }
        let names = names(first.as_ref().map(|row| &row.values), width);
        Ok(Sheet { delimiter, header, names, rows, ragged })
    }

    /// The value at `column` of `row`.
    pub fn value<'a>(&self, row: &'a Row, column: usize) -> &'a str {
        row.values.get(column).unwrap_or_default()
    }

    /// The value as a number of at most [`LARGEST`].
    pub fn number(&self, row: &Row, column: usize) -> Option<f64> {
        number(self.value(row, column), self.delimiter)
    }
}

fn check_text(text: &str) -> Result<(), UserError> {
    if text.len() > MAX_BYTES {
        let size = text.len().div_ceil(1_000_000);
        let message = format!("The table has {size} MB; at most {} MB are read.", MAX_BYTES / 1_000_000);
        return Err(UserError::at("text", message).hint("Keep a random part of its rows."));
    }
    if text.trim().is_empty() {
        return Err(UserError::at("text", "The table is empty.").hint("Paste one, or drop a file."));
    }
    if text.contains('\0') {
        let message = "This is not a table in text form: it contains zero bytes.";
        return Err(UserError::at("text", message).hint("Save it as CSV."));
    }
    Ok(())
}

fn read(text: &str, delimiter: Delimiter, most: usize) -> Result<Vec<Row>, UserError> {
    let byte = match delimiter {
        Delimiter::Auto | Delimiter::Comma => b',',
        Delimiter::Semicolon => b';',
        Delimiter::Tab => b'\t',
        Delimiter::Pipe => b'|',
        Delimiter::Spaces => b' ',
    };
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).delimiter(byte).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records().take(most) {
        let values = record.map_err(|error| UserError::at("text", format!("The table cannot be read: {error}.")))?;
        let line = values.position().map_or(0, ::csv::Position::line);
        rows.push(Row { line, values });
    }
    Ok(rows)
}

/// The delimiter that cuts most of the first rows into equally many values, two at least.
fn guess_delimiter(text: &str) -> Delimiter {
    const GLANCE: usize = 50_000;
    let glance = &text[..text.floor_char_boundary(GLANCE)];
    let agreement = |delimiter| {
        let rows = read(glance, delimiter, 20).unwrap_or_default();
        let width = usual_width(&rows);
        let alike = rows.iter().filter(|row| row.values.len() == width).count();
        if width < 2 { (0, 0) } else { (alike, width) }
    };
    let candidates = [Delimiter::Comma, Delimiter::Semicolon, Delimiter::Tab];
    // `max_by_key` takes the last of equals, and the comma should win those.
    candidates.into_iter().rev().max_by_key(|&d| agreement(d)).unwrap_or(Delimiter::Comma)
}

/// How many values most of the first rows have.
fn usual_width(rows: &[Row]) -> usize {
    let glance = &rows[..rows.len().min(100)];
    let votes = |width: usize| glance.iter().filter(|row| row.values.len() == width).count();
    glance.iter().map(|row| row.values.len()).max_by_key(|&width| (votes(width), width)).unwrap_or(0)
}

/// The first row names the columns unless one of its values is a number or comes again below.
fn guess_header(rows: &[Row], delimiter: Delimiter) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    let rest = &rest[..rest.len().min(1000)];
    first.values.iter().enumerate().all(|(column, name)| {
        let again = || rest.iter().any(|row| row.values.get(column) == Some(name));
        name.is_empty() || (number(name, delimiter).is_none() && !again())
    })
}

/// A name for every column, all different.
fn names(header: Option<&StringRecord>, width: usize) -> Vec<String> {
    const LONGEST: usize = 100;
    let mut taken = HashSet::new();
    let name = |column: usize| {
        let given: String = header.and_then(|h| h.get(column)).unwrap_or_default().chars().take(LONGEST).collect();
        let base = if given.is_empty() { format!("column {}", column + 1) } else { given };
        let mut name = base.clone();
        let mut copy = 2;
        while !taken.insert(name.clone()) {
            name = format!("{base} ({copy})");
            copy += 1;
        }
        name
    };
    (0..width).map(name).collect()
}

/// Whether a value says that there is none, in one of the ways spreadsheets and pandas write it.
pub(super) fn is_missing(value: &str) -> bool {
    const WORDS: [&str; 9] = ["na", "n/a", "#n/a", "nan", "null", "none", "?", "-", "."];
    value.is_empty() || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The largest number that is read: a float can still be divided by the smallest spread that counts as one.
pub(super) const LARGEST: f64 = 1e15;

/// A number; where the comma does not delimit, it may be the decimal point.
fn number(value: &str, delimiter: Delimiter) -> Option<f64> {
    let decimal_comma = delimiter != Delimiter::Comma && value.matches(',').count() == 1 && !value.contains('.');
    let parsed = if decimal_comma { parse_number(&value.replace(',', ".")) } else { parse_number(value) };
    parsed.filter(|n| n.abs() <= LARGEST)
}

/// What is wrong with a value that should have been a number and is none.
pub(super) fn not_a_number(value: &str) -> String {
    match parse_number(value) {
        Some(_) => format!("{} is beyond the largest number, {LARGEST:e}", quote(value)),
        None => format!("\"{}\" is not a number", quote(value)),
    }
}
