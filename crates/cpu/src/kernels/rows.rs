//! Softmax, its logarithm, and their gradients along the last axis.

use std::cell::Cell;

use downhill_compile::ExecError;
use downhill_graph::kernel::{RowsKind, RowsSpec};

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::Operand;
use crate::simd::rows;

/// Elements between two looks at the clock.
const CHUNK: usize = 1 << 14;

/// The kernel with its operands; of those kinds that read one, both reads are that one.
#[derive(Clone, Debug)]
pub(crate) struct RowsOp {
    kind: RowsKind,
    cols: usize,
    reads: [Operand; 2],
    out: Operand,
}

impl RowsOp {
    fn row(&self, x: &[Cell<f32>], dy: &[Cell<f32>], out: &[Cell<f32>]) {
        match self.kind {
            RowsKind::Softmax => {
                let max = rows::max(x);
                if max == f32::NEG_INFINITY {
                    return out.iter().for_each(|c| c.set(0.0));
                }
                let sum = rows::exp_shifted(x, max, out);
                rows::affine(out, 1.0 / sum, 0.0, out);
            }
            RowsKind::LogSoftmax => {
                let max = rows::max(x);
                if max == f32::NEG_INFINITY {
                    return out.iter().for_each(|c| c.set(f32::NEG_INFINITY));
                }
                // ln(sum) and the maximum are taken off one after the other: their sum would lose bits.
                rows::affine(x, 1.0, -max, out);
                rows::affine(out, 1.0, -rows::sum_exp_shifted(out, 0.0).ln(), out);
            }
            RowsKind::SoftmaxGrad => rows::softmax_grad(x, dy, rows::dot(x, dy), out),
            // The first element says in most rows that they are not masked.
            RowsKind::LogSoftmaxGrad if x[0].get() == f32::NEG_INFINITY && rows::max(x) == f32::NEG_INFINITY => {
                out.iter().for_each(|c| c.set(0.0));
            }
            RowsKind::LogSoftmaxGrad => rows::log_softmax_grad(x, dy, rows::sum(dy), out),
        }
    }
}

impl CpuKernel for RowsOp {
    type Spec = RowsSpec;

    fn load(spec: &RowsSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        let reads = [operands.reads[0], operands.reads[usize::from(spec.kind.is_gradient())]];
        Ok(Self { kind: spec.kind, cols: spec.cols as usize, reads, out: operands.writes[0] })
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let ([x, dy], out) = (self.reads.map(|r| cx.memory.cells(&r)), cx.memory.cells(&self.out));
        let row = |r: usize| r * self.cols..(r + 1) * self.cols;
        let some = |_: &mut Cx<'_>, _: &mut Cursor, start, end| {
            (start..end).for_each(|r| self.row(&x[row(r)], &dy[row(r)], &out[row(r)]));
        };
        cursor.pieces(cx, out.len() / self.cols, CHUNK / self.cols, 2.0 * self.cols as f64, some)
    }
}
