//! The index that is picked by scores.

use std::collections::TryReserveError;

use downhill_compile::ExecError;
use downhill_graph::kernel::{Choice, PickSpec};

use super::{Bound, CpuKernel, Cursor, Cx, Loader, Scratch};
use crate::arena::Operand;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct PickOp {
    cols: usize,
    scores: Operand,
    draw: Operand,
    choice: Operand,
    out: Operand,
}

impl CpuKernel for PickOp {
    type Spec = PickSpec;

    const AT_ONCE: bool = false;

    fn load(spec: &PickSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        let Bound { reads, writes } = operands;
        Ok(Self { cols: spec.cols as usize, scores: reads[0], draw: reads[1], choice: reads[2], out: writes[0] })
    }

    fn reserve(&self, scratch: &mut Scratch) -> Result<(), TryReserveError> {
        scratch.floats.grow(self.cols)
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let [scores, draws, choice, out] = [&self.scores, &self.draw, &self.choice, &self.out].map(|o| cx.memory.cells(o));
        let choice = Choice::of([0, 1, 2, 3].map(|i| choice[i].get()));
        let rows = |cx: &mut Cx<'_>, _: &mut Cursor, start: usize, end: usize| {
            let order = &mut cx.scratch.floats.words_mut()[..self.cols];
            for row in start..end {
                let scores = &scores[row * self.cols..(row + 1) * self.cols];
                let picked = choice.pick(order, |i| f64::from(scores[i].get()), f64::from(draws[row].get()));
                out[row].set(f32::from_bits(picked));
            }
        };
        // Sorting takes most of it.
        cursor.pieces(cx, out.len(), 1, 60.0 * self.cols as f64, rows)
    }
}
