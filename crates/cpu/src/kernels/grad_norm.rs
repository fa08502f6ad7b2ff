//! The 2-norm of several tensors together, summed in f64 over blocks.

use downhill_compile::ExecError;
use downhill_graph::kernel::GradNormSpec;
use smallvec::SmallVec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::Operand;
use crate::simd::rows;

/// Elements whose squares are summed in f32.
const BLOCK: usize = 1024;
/// Blocks between two looks at the clock.
const CHUNK: usize = 128;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct NormOp {
    reads: SmallVec<[Operand; 4]>,
    out: Operand,
}

impl CpuKernel for NormOp {
    type Spec = GradNormSpec;

    fn load(_: &GradNormSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        Ok(Self { reads: operands.reads, out: operands.writes[0] })
    }

    /// `cursor.part` is the tensor, `cursor.at` the block of it, `cursor.sums[0]` the sum so far.
    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        while let Some(read) = self.reads.get(cursor.part) {
            let cells = cx.memory.cells(read);
            let blocks = |_: &mut Cx<'_>, cursor: &mut Cursor, start: usize, end: usize| {
                for block in cells[start * BLOCK..cells.len().min(end * BLOCK)].chunks(BLOCK) {
                    cursor.sums[0] += f64::from(rows::sum_squares(block));
                }
            };
            if !cursor.pieces(cx, cells.len().div_ceil(BLOCK), CHUNK, 100.0, blocks) {
                return false;
            }
            (cursor.part, cursor.at) = (cursor.part + 1, 0);
        }
        let mut sum = cursor.sums[0];
        // Squares of numbers beyond 1e19 overflow in f32; then the sum is taken again, slowly.
        if sum.is_infinite() {
            sum = self.reads.iter().flat_map(|r| cx.memory.cells(r)).map(|c| f64::from(c.get()).powi(2)).sum();
        }
        cx.memory.cells(&self.out)[0].set(sum.sqrt() as f32);
        true
    }
}
