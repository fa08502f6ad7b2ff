//! The kernel that reads entries of a table by index: `torch.index_select`, windows of one long row, or bytes that become floats.

use std::fmt;

use super::KernelDef;
use super::eval::Numbers;
use super::operands::{Access, Operands, not_empty, numel};
use crate::StepScalars;

/// Reads a table and indices u32 `[rows]`; writes `[rows, width]`. Entry `i` starts at word `i·stride` of the table, so entries may overlap
/// (windows of a text). An index that names no entry gives zeros.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IndexSelectSpec {
    /// Number of indices.
    pub rows: u32,
    /// Elements per entry.
    pub width: u32,
    /// Words from the start of one entry to the start of the next.
    pub stride: u32,
    /// Entries in the table.
    pub entries: u32,
    /// What an element of the table is.
    pub element: Element,
}

/// What an element of a table is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Element {
    /// A word, copied as it is: an f32 or a u32.
    Word,
    /// A byte b, which becomes the float `scale·b + shift`. Four lie in a word, the first in its lowest bits: element 5 of an entry is
    /// `word 1 >> 8 & 255`.
    Byte {
        /// Factor.
        scale: f32,
        /// Summand.
        shift: f32,
    },
}

impl Element {
    /// Words that `width` elements take.
    pub fn words(self, width: usize) -> usize {
        match self {
            Element::Word => width,
            Element::Byte { .. } => width.div_ceil(4),
        }
    }
}

impl KernelDef for IndexSelectSpec {
    const FAMILY: &'static str = "index_select";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.rows, self.width, self.stride, self.entries])
    }

    fn operands(&self) -> Operands {
        let words = self.element.words(self.width as usize) as u32;
        let table = Access::walk("table", &[self.entries, words], &[self.stride, 1]).of_words();
        let out = Access::floats("out", numel(&[self.rows, self.width]));
        Operands::new([table, Access::words("index", u64::from(self.rows))], [out])
    }

    fn flops(&self) -> u64 {
        0
    }

    /// Only entries that are asked for are read.
    fn bytes(&self) -> u64 {
        let words = self.element.words(self.width as usize) as u64;
        4 * u64::from(self.rows) * (words + u64::from(self.width) + 1)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "index_select {}×{} of {}", self.rows, self.width, self.entries)?;
        if self.stride as usize != self.element.words(self.width as usize) {
            write!(f, " every {}", self.stride)?;
        }
        match self.element {
            Element::Word => Ok(()),
            Element::Byte { scale, shift } => write!(f, " bytes·{scale} + {shift}"),
        }
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let element = |start: usize, i: usize| match self.element {
            Element::Word => reads[0].at(start + i),
            Element::Byte { scale, shift } => {
                let byte = reads[0].word(start + i / 4) >> (8 * (i % 4)) & 255;
                f64::from(scale) * f64::from(byte) + f64::from(shift)
            }
        };
        let entry = |row: usize| {
            let index = reads[1].word(row);
            let start = if index < self.entries { Some(index as usize * self.stride as usize) } else { None };
            (0..self.width as usize).map(move |i| start.map_or(0.0, |start| element(start, i)))
        };
        Some(vec![(0..self.rows as usize).flat_map(entry).collect()])
    }
}
