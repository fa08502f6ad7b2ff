//! The share of rows that are predicted right.

use std::cell::Cell;

use downhill_compile::ExecError;
use downhill_graph::kernel::AccuracySpec;

use super::loss::weight_of;
use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::{Operand, word};

/// Elements between two looks at the clock.
const CHUNK: usize = 1 << 14;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct AccuracyOp {
    cols: usize,
    prediction: Operand,
    target: Operand,
    weights: Option<Operand>,
    out: Operand,
}

impl CpuKernel for AccuracyOp {
    type Spec = AccuracySpec;

    fn load(spec: &AccuracySpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        let Bound { reads, writes } = operands;
        let weights = reads.get(2).copied();
        Ok(Self { cols: spec.cols as usize, prediction: reads[0], target: reads[1], weights, out: writes[0] })
    }

    /// `cursor.sums` are the weights of the rows that are right so far, and of all of them.
    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let [x, target] = [&self.prediction, &self.target].map(|o| cx.memory.cells(o));
        let weights = self.weights.as_ref().map(|w| cx.memory.cells(w));
        let some = |_: &mut Cx<'_>, cursor: &mut Cursor, start: usize, end: usize| {
            for row in start..end {
                let x = &x[row * self.cols..(row + 1) * self.cols];
                let (weight, hit) = if self.cols == 1 {
                    let weight = weights.map_or(1.0, |w| f64::from(w[row].get()));
                    (weight, (x[0].get() > 0.0) == (target[row].get() > 0.5))
                } else {
                    (weight_of(self.cols, &target[row], weights, row), argmax(x) == word(&target[row]) as usize)
                };
                cursor.sums[0] += if hit { weight } else { 0.0 };
                cursor.sums[1] += weight;
            }
        };
        let finished = cursor.pieces(cx, x.len() / self.cols, CHUNK / self.cols, 1.5 * self.cols as f64, some);
        if finished {
            let [right, total] = cursor.sums;
            cx.memory.cells(&self.out)[0].set(if total == 0.0 { 0.0 } else { (right / total) as f32 });
        }
        finished
    }
}

/// Index of the largest element, the first of equal ones.
fn argmax(row: &[Cell<f32>]) -> usize {
    let mut best = 0;
    for (i, x) in row.iter().enumerate() {
        if x.get() > row[best].get() {
            best = i;
        }
    }
    best
}
