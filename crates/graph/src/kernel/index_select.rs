//! The kernel that reads entries of a table by index: `torch.index_select`, windows of one long row, or bytes that become floats.

use std::fmt;

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

impl IndexSelectSpec {
    /// Words of the table that are read, from its first entry to its last.
    pub fn table_len(&self) -> usize {
        let last = (self.entries as usize).saturating_sub(1) * self.stride as usize;
        last + self.element.words(self.width as usize)
    }
}

impl fmt::Display for IndexSelectSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "index_select {}×{} of {}", self.rows, self.width, self.entries)?;
        if self.stride as usize != self.element.words(self.width as usize) {
            write!(f, " every {}", self.stride)?;
        }
        match self.element {
            Element::Word => Ok(()),
            Element::Byte { scale, shift } => write!(f, " bytes·{scale} + {shift}"),
        }
    }
}
