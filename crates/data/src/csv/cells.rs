//! Cuts the text of a table into rows of cells, in slices. Quoting follows RFC 4180, and forgives what people write: blanks around
//! a quoted cell, a quote that never closes (it is a character like others), and Markdown's frame around a row.
//!
//! Cells are places in the text, not texts of their own: a table of a million cells is two numbers for each.

use super::choices::{Delimiter, MAX_COLUMNS, MAX_ROWS};

/// A text that is cut into cells.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    text: String,
    /// Cells with doubled quotes, without those.
    unescaped: String,
    /// First byte and length of every cell; what lies behind the text is in `unescaped`.
    cells: Vec<(u32, u32)>,
    pub rows: Vec<GridRow>,
    /// Lines with a quote that opens and never closes; the first few.
    pub loose_quotes: Vec<u64>,
}

/// A row of a [`Grid`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GridRow {
    /// Line on which it begins, from 1.
    pub line: u64,
    first: u32,
    /// How many cells it has, those beyond the most columns counted but not kept.
    pub len: u32,
}

impl Grid {
    /// The cell of a row; nothing beyond its last.
    pub fn value(&self, row: GridRow, column: usize) -> &str {
        if column >= row.len as usize || column > MAX_COLUMNS {
            return "";
        }
        let Some(&(start, len)) = self.cells.get(row.first as usize + column) else { return "" };
        let (start, len) = (start as usize, len as usize);
        match start.checked_sub(self.text.len()) {
            Some(start) => self.unescaped.get(start..start + len),
            None => self.text.get(start..start + len),
        }
        .unwrap_or_default()
    }

    /// Every cell of a row that is kept.
    pub fn row(&self, row: GridRow) -> impl Iterator<Item = &str> {
        (0..row.len as usize).map(move |column| self.value(row, column))
    }
}

/// Cuts a text, a slice at a time.
#[derive(Debug)]
pub(super) struct Splitter {
    grid: Grid,
    delimiter: u8,
    at: usize,
    line: u64,
}

/// What ends a cell.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Cell,
    Row,
}

impl Splitter {
    /// Begins with a text.
    pub fn new(text: String, delimiter: Delimiter) -> Self {
        let delimiter = match delimiter {
            Delimiter::Auto | Delimiter::Comma => b',',
            Delimiter::Semicolon => b';',
            Delimiter::Tab => b'\t',
            Delimiter::Pipe => b'|',
            Delimiter::Spaces => b' ',
        };
        Self { grid: Grid { text, ..Grid::default() }, delimiter, at: 0, line: 1 }
    }

    /// Cuts about so many bytes more, whole rows; the share of the text that is cut, 1 at the end.
    pub fn advance(&mut self, bytes: usize) -> f64 {
        let until = self.at.saturating_add(bytes);
        // One row more than is allowed, and one for the header: whoever has the rows says that there are too many.
        while self.at < self.grid.text.len().min(until) && self.grid.rows.len() < MAX_ROWS + 2 {
            self.row();
        }
        if self.grid.rows.len() >= MAX_ROWS + 2 { 1.0 } else { self.at as f64 / self.grid.text.len().max(1) as f64 }
    }

    /// What was cut.
    pub fn finish(self) -> Grid {
        self.grid
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.grid.text.as_bytes().get(at).copied()
    }

    /// The first byte from `at` on that is no blank; the delimiter is none.
    fn behind_blanks(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\t')) && (self.byte(at) != Some(self.delimiter) || self.delimiter == b' ') {
            at += 1;
        }
        at
    }

    fn row(&mut self) {
        let (line, first) = (self.line, self.grid.cells.len());
        let mut start = self.behind_blanks(self.at);
        // Markdown frames a row with its delimiter.
        let framed = self.delimiter == b'|' && self.byte(start) == Some(b'|');
        start += usize::from(framed);
        self.at = start;
        let mut len = 0;
        while self.cell(len) == End::Cell {
            len += 1;
        }
        len += 1;
        let kept = self.grid.cells.len() - first;
        let row = GridRow { line, first: first as u32, len: len as u32 };
        let value = |column| self.grid.value(row, column);
        // A row of blanks ends with an empty cell of its own.
        let closed = len > 1 && value(len - 1).is_empty() && (framed || self.delimiter == b' ');
        let row = if closed { GridRow { len: row.len - 1, ..row } } else { row };
        let is_rule = |cell: &str| !cell.is_empty() && cell.bytes().all(|b| matches!(b, b'-' | b':'));
        let nothing = (0..kept).all(|column| value(column).is_empty());
        if nothing || (framed && self.grid.row(row).all(is_rule)) {
            self.grid.cells.truncate(first);
        } else {
            self.grid.rows.push(row);
        }
    }

    /// Takes one cell and what ends it.
    fn cell(&mut self, place: usize) -> End {
        let start = self.behind_blanks(self.at);
        if self.byte(start) == Some(b'"') {
            if let Some((end, escaped)) = self.quoted(start + 1) {
                self.take(place, start + 1, end, escaped);
                self.count_lines(start, end);
                return self.end_at(self.behind_blanks(end + 1));
            }
            if self.grid.loose_quotes.len() < 5 && !self.grid.loose_quotes.contains(&self.line) {
                self.grid.loose_quotes.push(self.line);
            }
        }
        let delimiter = self.delimiter;
        let ends = |b: u8| b == delimiter || b == b'\n' || b == b'\r' || (delimiter == b' ' && b == b'\t');
        let rest = &self.grid.text.as_bytes()[start..];
        let end = start + rest.iter().position(|&b| ends(b)).unwrap_or(rest.len());
        let text = &self.grid.text[start..end];
        let left = text.trim_start();
        let from = end - left.len();
        let to = from + left.trim_end().len();
        self.take(place, from, to, false);
        self.end_at(if delimiter == b' ' { self.behind_blanks(end) } else { end })
    }

    /// Where the quoted cell that begins at `from` ends, and whether it holds doubled quotes; none where its quote does not close before
    /// the end of a cell.
    fn quoted(&self, from: usize) -> Option<(usize, bool)> {
        let bytes = self.grid.text.as_bytes();
        let (mut at, mut escaped) = (from, false);
        loop {
            at += bytes.get(at..)?.iter().position(|&b| b == b'"')?;
            if bytes.get(at + 1) != Some(&b'"') {
                break;
            }
            (at, escaped) = (at + 2, true);
        }
        let next = self.behind_blanks(at + 1);
        let apart = self.delimiter == b' ' && next > at + 1;
        let closed = apart || self.byte(next).is_none_or(|b| b == self.delimiter || b == b'\n' || b == b'\r');
        closed.then_some((at, escaped))
    }

    fn take(&mut self, place: usize, from: usize, to: usize, escaped: bool) {
        if place > MAX_COLUMNS {
            return;
        }
        if escaped {
            let start = self.grid.text.len() + self.grid.unescaped.len();
            let plain = self.grid.text[from..to].replace("\"\"", "\"");
            self.grid.unescaped.push_str(&plain);
            self.grid.cells.push((start as u32, plain.len() as u32));
        } else {
            let text = &self.grid.text[from..to];
            let start = to - text.trim_start().len();
            self.grid.cells.push((start as u32, text.trim().len() as u32));
        }
    }

    fn count_lines(&mut self, from: usize, to: usize) {
        self.line += self.grid.text.as_bytes()[from..to].iter().filter(|&&b| b == b'\n').count() as u64;
    }

    /// Goes on behind what ends a cell.
    fn end_at(&mut self, at: usize) -> End {
        let (end, width) = match (self.byte(at), self.byte(at + 1)) {
            (Some(b'\r'), Some(b'\n')) => (End::Row, 2),
            (Some(b'\n' | b'\r'), _) => (End::Row, 1),
            (None, _) => (End::Row, 0),
            (Some(b), _) if b == self.delimiter && b != b' ' => (End::Cell, 1),
            // Blanks that delimit are behind us already.
            _ => (End::Cell, 0),
        };
        self.at = at + width;
        if end == End::Row {
            self.line += 1;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, delimiter: Delimiter) -> Vec<Vec<String>> {
        let mut splitter = Splitter::new(text.to_string(), delimiter);
        while splitter.advance(3) < 1.0 {}
        let grid = splitter.finish();
        grid.rows.iter().map(|&row| grid.row(row).map(str::to_string).collect()).collect()
    }

    #[test]
    fn cells_are_cut_as_their_writers_meant() {
        let comma = |text| cut(text, Delimiter::Comma);
        assert_eq!(comma("a, b\r\n1 ,\"2\"\n\n ,\n"), [["a", "b"], ["1", "2"]]);
        assert_eq!(comma("\"x, y\", \"say \"\"no\"\"\" ,3"), [["x, y", "say \"no\"", "3"]]);
        assert_eq!(comma("\"two\nlines\",1\nb,2"), [["two\nlines", "1"], ["b", "2"]]);
        assert_eq!(comma("5\" nail,\"bolt\" x,1"), [["5\" nail", "\"bolt\" x", "1"]]);
        assert_eq!(comma("\"open,1\nb,2"), [["\"open", "1"], ["b", "2"]]);
        assert_eq!(comma("1,,2,"), [["1", "", "2", ""]]);
        assert_eq!(cut("  a   b\n1\t 2  \n\"x y\" 3", Delimiter::Spaces), [["a", "b"], ["1", "2"], ["x y", "3"]]);
        assert_eq!(cut("| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 | |", Delimiter::Pipe), [["a", "b"], ["1", "2"], ["3", ""]]);
        assert_eq!(cut("a|b\n1|2", Delimiter::Pipe), [["a", "b"], ["1", "2"]]);
        assert_eq!(cut("a\tb\n\t2", Delimiter::Tab), [["a", "b"], ["", "2"]]);
    }

    #[test]
    fn lines_are_counted_through_quotes_and_empty_lines() {
        let mut splitter = Splitter::new("a,b\n\n\"x\ny\",1\r\n\"z,2\n".to_string(), Delimiter::Comma);
        assert_eq!(splitter.advance(usize::MAX), 1.0);
        let grid = splitter.finish();
        assert_eq!(grid.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(grid.loose_quotes, [5]);
    }
}
