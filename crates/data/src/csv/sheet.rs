//! A table whose rows all have as many cells as there are columns: what delimits, whether the first row names the columns, and which rows
//! do not fit.

use std::collections::HashSet;

use downhill_tensor::UserError;

use super::cells::{Grid, GridRow, Splitter};
use super::choices::{Decimal, Delimiter, Header, MAX_COLUMNS, MAX_ROWS};
use super::date;
use super::number::{Absence, missing, number};
use super::trouble::{Trouble, TroubleLog};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    /// Never [`Delimiter::Auto`].
    pub delimiter: Delimiter,
    pub header: bool,
    /// Name of every column, all different.
    pub names: Vec<String>,
    /// Columns without a name of their own, although the first row names the others.
    pub unnamed: Vec<usize>,
    pub rows: Vec<GridRow>,
    /// Rows with too few or too many cells.
    pub ragged: TroubleLog,
    /// Rows below the header, those that do not fit included.
    pub rows_in_file: usize,
    /// Numbers of [`Sheet::rows`] among all below the header, from 1.
    pub numbers: Vec<u32>,
    grid: Grid,
}

impl Sheet {
    /// Makes a table of what was cut.
    ///
    /// # Errors
    /// When it is too large, or has no rows.
    pub fn new(grid: Grid, delimiter: Delimiter, header: Header) -> Result<Sheet, UserError> {
        let width = width(&grid);
        if width > MAX_COLUMNS {
            let message = format!("The table has {width} columns; at most {MAX_COLUMNS} are read.");
            return Err(UserError::at("text", message).hint("Remove some columns."));
        }
        let fitting: Vec<GridRow> = grid.rows.iter().copied().filter(|row| fits_width(&grid, *row, width)).collect();
        let header = match header {
            Header::Auto => guess_header(&grid, &fitting, width),
            chosen => chosen == Header::Names,
        };
        let names_row = if header { fitting.first().copied() } else { None };
        let below = grid.rows.iter().position(|row| Some(*row) == names_row).map_or(0, |at| at + 1);
        let mut sheet = Sheet {
            delimiter,
            header,
            names: Vec::new(),
            unnamed: Vec::new(),
            rows: Vec::new(),
            ragged: TroubleLog::default(),
            rows_in_file: grid.rows.len() - below,
            numbers: Vec::new(),
            grid,
        };
        let all = sheet.grid.rows.clone();
        // What stands above the names belongs to the table as little as a row that does not fit.
        for (i, row) in all.iter().enumerate().filter(|(_, row)| Some(**row) != names_row) {
            if fits_width(&sheet.grid, *row, width) && i >= below {
                sheet.rows.push(*row);
                sheet.numbers.push((i + 1 - below) as u32);
            } else {
                let problem = format!("it has {} values where other rows have {width}", row.len);
                sheet.ragged.add(|| Trouble { line: row.line, column: None, problem, dropped: true });
            }
        }
        if sheet.rows.is_empty() {
            let message = "The table has no rows below its column names.";
            return Err(UserError::at("text", message).hint("Add some, one sample per row."));
        }
        if sheet.rows.len() > MAX_ROWS {
            let message = format!("The table has more than {MAX_ROWS} rows.");
            return Err(UserError::at("text", message).hint("Keep a random part of them."));
        }
        (sheet.names, sheet.unnamed) = names(&sheet.grid, names_row, width);
        Ok(sheet)
    }

    /// The cell of a row.
    pub fn value(&self, row: usize, column: usize) -> &str {
        self.rows.get(row).map_or("", |row| self.grid.value(*row, column))
    }

    /// Every cell of a column.
    pub fn column(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| self.grid.value(*row, column))
    }

    /// Line of the file on which a row begins.
    pub fn line(&self, row: usize) -> u64 {
        self.rows.get(row).map_or(0, |row| row.line)
    }

    /// Lines with a quote that is a character like others.
    pub fn loose_quotes(&self) -> &[u64] {
        &self.grid.loose_quotes
    }
}

fn fits_width(grid: &Grid, row: GridRow, width: usize) -> bool {
    let cells = row.len as usize;
    cells == width || (cells > width && (width..cells).all(|column| grid.value(row, column).is_empty()))
}

/// The delimiter whose columns are purest: a column of numbers, or one of words that hold no other delimiter. Of equals the one that cuts
/// into more.
pub(super) fn guess_delimiter(text: &str) -> Delimiter {
    const GLANCE: usize = 50_000;
    const CANDIDATES: [Delimiter; 5] =
        [Delimiter::Comma, Delimiter::Semicolon, Delimiter::Tab, Delimiter::Pipe, Delimiter::Spaces];
    let glance = &text[..text.floor_char_boundary(GLANCE)];
    let mut best = (0.0, Delimiter::Comma);
    for delimiter in CANDIDATES {
        let mut splitter = Splitter::new(glance.to_string(), delimiter);
        splitter.advance(usize::MAX);
        let mut grid = splitter.finish();
        if glance.len() < text.len() {
            // The last row may be cut short.
            grid.rows.pop();
        }
        grid.rows.truncate(200);
        let score = purity(&grid, delimiter);
        if score > best.0 {
            best = (score, delimiter);
        }
    }
    best.1
}

/// How much a grid looks like a table, from 0 to a little above 1.
fn purity(grid: &Grid, delimiter: Delimiter) -> f64 {
    let width = width(grid);
    let alike: Vec<GridRow> = grid.rows.iter().copied().filter(|row| fits_width(grid, *row, width)).collect();
    // Words of a text stand apart by blanks too: such rows have to be alike throughout.
    if width < 2 || alike.is_empty() || (delimiter == Delimiter::Spaces && alike.len() < grid.rows.len()) {
        return 0.0;
    }
    let (all, fitting) = (grid.rows.len() as f64, alike.len() as f64);
    let body = &alike[usize::from(alike.len() > 1)..];
    let of_column = |column: usize| {
        let cells = || body.iter().map(|row| grid.value(*row, column)).filter(|cell| missing(cell) != Absence::Always);
        let count = cells().count();
        let numbers = cells().filter(|cell| is_number(cell) || date::orders(cell).contains(&true)).count();
        let foreign = cells().filter(|cell| cell.contains([',', ';', '\t', '|'])).count();
        match count {
            0 => 0.5,
            _ if numbers * 10 >= count * 9 => 1.0,
            _ => 0.9 * (1.0 - foreign as f64 / count as f64) + 0.1 * (numbers as f64 / count as f64),
        }
    };
    let mean = (0..width).map(of_column).sum::<f64>() / width as f64;
    // A tenth of a percent for every column decides between equals.
    mean * fitting / all + 0.001 * width.min(50) as f64
}

fn is_number(cell: &str) -> bool {
    number(cell, Decimal::Point).is_some() || number(cell, Decimal::Comma).is_some()
}

/// How many cells most of the first rows have, without columns at the end that are empty in all of them.
fn width(grid: &Grid) -> usize {
    let glance = &grid.rows[..grid.rows.len().min(100)];
    let votes = |width: u32| glance.iter().filter(|row| row.len == width).count();
    let usual = glance.iter().map(|row| row.len).max_by_key(|&width| (votes(width), width)).unwrap_or(0) as usize;
    if usual > MAX_COLUMNS {
        return usual;
    }
    let used = |column: usize| grid.rows.iter().any(|row| row.len as usize <= usual && !grid.value(*row, column).is_empty());
    (1..=usual).rev().find(|&width| used(width - 1)).unwrap_or(usual)
}

/// The first row names the columns unless one of its cells is a number or comes again below. A year is a name where the column below
/// holds other numbers, and another cell is a word.
fn guess_header(grid: &Grid, rows: &[GridRow], width: usize) -> bool {
    let Some((first, rest)) = rows.split_first() else { return false };
    let rest = &rest[..rest.len().min(1000)];
    let is_year = |cell: &str| cell.len() == 4 && number(cell, Decimal::Point).is_some_and(|n| (1800.0..2200.0).contains(&n));
    let mut words = 0;
    for column in 0..width {
        let name = grid.value(*first, column);
        let below = || rest.iter().map(|row| grid.value(*row, column));
        if name.is_empty() {
            continue;
        }
        if is_number(name) {
            if !is_year(name) || below().any(is_year) {
                return false;
            }
        } else if date::orders(name).contains(&true) || below().any(|cell| cell == name) {
            return false;
        } else {
            words += 1;
        }
    }
    words > 0
}

/// A name for every column, all different, and which columns have none of their own.
fn names(grid: &Grid, header: Option<GridRow>, width: usize) -> (Vec<String>, Vec<usize>) {
    const LONGEST: usize = 100;
    let mut taken = HashSet::new();
    let mut unnamed = Vec::new();
    let name = |column: usize| {
        let given: String = header.map_or("", |row| grid.value(row, column)).chars().take(LONGEST).collect();
        if header.is_some() && given.is_empty() {
            unnamed.push(column);
        }
        let base = if given.is_empty() { format!("column {}", column + 1) } else { given };
        let mut name = base.clone();
        let mut copy = 2;
        while !taken.insert(name.clone()) {
            name = format!("{base} ({copy})");
            copy += 1;
        }
        name
    };
    let names = (0..width).map(name).collect();
    (names, unnamed)
}
