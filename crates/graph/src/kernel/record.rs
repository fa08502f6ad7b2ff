//! The row of metrics that a step leaves behind.

use std::fmt;

use super::KernelDef;
use super::operands::{Access, Operands};

/// Reads scalars; writes them as one row of the metrics ring, unless the step records nothing. A row starts with the step's number (u32 bits)
/// and the sticky flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSpec {
    /// Number of scalars.
    pub scalars: u32,
}

impl KernelDef for RecordSpec {
    const FAMILY: &'static str = "record";
    const EFFECT: bool = true;

    fn operands(&self) -> Operands {
        Operands::new((0..self.scalars as usize).map(|i| Access::floats("r", 1).numbered(i)), [])
    }

    fn flops(&self) -> u64 {
        0
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::FAMILY)
    }
}
