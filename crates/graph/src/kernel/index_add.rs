//! The kernel that adds rows up by index: `torch.index_add` into zeros, the gradient of an embedding.

use std::fmt;

use super::KernelDef;
use super::eval::Numbers;
use super::operands::{Access, Operands, not_empty, numel};
use crate::StepScalars;

/// Reads values `[rows, width]` and indices u32 `[rows]`; writes `[entries, width]`, each entry the sum of its rows in their order, so that the
/// same rows give the same bits. An index that names no entry adds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexAddSpec {
    /// Number of indices.
    pub rows: u32,
    /// Elements per entry.
    pub width: u32,
    /// Entries in the table.
    pub entries: u32,
}

impl KernelDef for IndexAddSpec {
    const FAMILY: &'static str = "index_add";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.rows, self.width, self.entries])
    }

    fn operands(&self) -> Operands {
        let reads = [Access::floats("values", numel(&[self.rows, self.width])), Access::words("index", u64::from(self.rows))];
        Operands::new(reads, [Access::floats("out", numel(&[self.entries, self.width]))])
    }

    fn flops(&self) -> u64 {
        numel(&[self.rows, self.width])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "index_add {}×{} of {}", self.rows, self.width, self.entries)
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let (width, entries) = (self.width as usize, self.entries as usize);
        let mut out = vec![0.0; entries * width];
        for row in 0..self.rows as usize {
            let entry = reads[1].word(row) as usize;
            for c in 0..if entry < entries { width } else { 0 } {
                out[entry * width + c] += reads[0].at(row * width + c);
            }
        }
        Some(vec![out])
    }
}
