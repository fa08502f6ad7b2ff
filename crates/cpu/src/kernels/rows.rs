use downhill_graph::kernel::RowsKind;

use crate::arena::{Memory, Operand};
use crate::simd::rows;

/// Softmax, its logarithm, and their gradients along the last axis.
#[derive(Clone, Debug)]
pub(crate) struct RowsOp {
    pub kind: RowsKind,
    pub cols: usize,
    pub reads: [Operand; 2],
    pub out: Operand,
}

impl RowsOp {
    pub fn run(&self, memory: &Memory<'_>) {
        let [x, dy] = self.reads.map(|r| memory.cells(&r));
        let out = memory.cells(&self.out);
        for ((x, dy), out) in x.chunks_exact(self.cols).zip(dy.chunks_exact(self.cols)).zip(out.chunks_exact(self.cols)) {
            match self.kind {
                RowsKind::Softmax => {
                    let sum = rows::exp_shifted(x, rows::max(x), out);
                    rows::affine(out, 1.0 / sum, 0.0, out);
                }
                RowsKind::LogSoftmax => {
                    let max = rows::max(x);
                    // ln(sum) and the maximum are taken off one after the other: their sum would lose bits.
                    rows::affine(x, 1.0, -max, out);
                    rows::affine(out, 1.0, -rows::sum_exp_shifted(out, 0.0).ln(), out);
                }
                RowsKind::SoftmaxGrad => rows::softmax_grad(x, dy, rows::dot(x, dy), out),
                RowsKind::LogSoftmaxGrad => rows::log_softmax_grad(x, dy, rows::sum(dy), out),
                RowsKind::Loss { .. } | RowsKind::Accuracy { .. } => {}
            }
        }
    }
}

/// The 2-norm of several tensors together, summed in f64 over blocks.
pub(crate) fn norm(reads: &[Operand], out: &Operand, memory: &Memory<'_>) {
    let mut sum = 0.0f64;
    for block in reads.iter().flat_map(|r| memory.cells(r).chunks(1024)) {
        sum += f64::from(rows::sum_squares(block));
    }
    // Squares of numbers beyond 1e19 overflow in f32; then the sum is taken again, slowly.
    if sum.is_infinite() {
        sum = reads.iter().flat_map(|r| memory.cells(r)).map(|c| f64::from(c.get()).powi(2)).sum();
    }
    memory.cells(out)[0].set(sum.sqrt() as f32);
}
