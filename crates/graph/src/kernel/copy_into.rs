//! Copies of blocks into a part of a larger tensor: concatenation, padding, gradients at their place.

use std::fmt;

use super::KernelDef;
use super::operands::{Access, Operands, not_empty, numel};

/// Copies one contiguous read into a part of the write: for each of `outer` blocks, `len` words to `outer·stride + start`. What lies between
/// stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyIntoSpec {
    /// Number of blocks.
    pub outer: u32,
    /// Elements per block.
    pub len: u32,
    /// Distance between blocks in the write.
    pub stride: u32,
    /// First element of block 0 in the write.
    pub start: u32,
}

impl KernelDef for CopyIntoSpec {
    const FAMILY: &'static str = "copy_into";
    const PARTIAL: bool = true;

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.outer, self.len])
    }

    fn operands(&self) -> Operands {
        let mut out = Access::walk("out", &[self.outer, self.len], &[self.stride, 1]);
        out.extent += u64::from(self.start);
        out.whole = false;
        Operands::new([Access::words("from", numel(&[self.outer, self.len]))], [out])
    }

    fn flops(&self) -> u64 {
        0
    }

    fn bytes(&self) -> u64 {
        8 * numel(&[self.outer, self.len])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "copy_into {}×{} every {} from {}", self.outer, self.len, self.stride, self.start)
    }
}
