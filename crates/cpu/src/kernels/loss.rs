//! Losses with their gradients, row by row.

use std::cell::Cell;

use downhill_compile::ExecError;
use downhill_graph::kernel::{LossKind, LossSpec};

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::{Operand, word};
use crate::simd::rows;

/// Elements between two looks at the clock.
const CHUNK: usize = 1 << 14;
/// Elements of a loss without weights whose losses are summed in f32.
const BLOCK: usize = 1024;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct LossOp {
    kind: LossKind,
    cols: usize,
    prediction: Operand,
    target: Operand,
    weights: Option<Operand>,
    loss: Operand,
    gradient: Operand,
}

impl CpuKernel for LossOp {
    type Spec = LossSpec;

    fn load(spec: &LossSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        let Bound { reads, writes } = operands;
        Ok(Self {
            kind: spec.kind,
            cols: spec.cols as usize,
            prediction: reads[0],
            target: reads[1],
            weights: reads.get(2).copied(),
            loss: writes[0],
            gradient: writes[1],
        })
    }

    /// `cursor.sums` are the loss so far and the sum of all weights.
    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let [x, target, grad] = [&self.prediction, &self.target, &self.gradient].map(|o| cx.memory.cells(o));
        let rows = Rows {
            kind: self.kind,
            cols: self.cols,
            x,
            target,
            weights: self.weights.as_ref().map(|w| cx.memory.cells(w)),
            grad,
        };
        let per_element = 2.0;
        let (finished, count) = if self.kind.takes_labels() || rows.weights.is_some() {
            let all = x.len() / self.cols;
            if cursor.at == 0 {
                cursor.sums[1] = (0..all).map(|r| rows.weight(r)).sum();
            }
            let total = cursor.sums[1];
            let some = |_: &mut Cx<'_>, cursor: &mut Cursor, start: usize, end: usize| {
                cursor.sums[0] += (start..end).map(|r| rows.row(r, total)).sum::<f64>();
            };
            let per_row = if self.kind.takes_labels() { 1.0 } else { self.cols as f64 };
            (cursor.pieces(cx, all, CHUNK / self.cols, per_element * self.cols as f64, some), total * per_row)
        } else {
            let count = x.len() as f64;
            let some = |_: &mut Cx<'_>, cursor: &mut Cursor, start: usize, end: usize| {
                for block in start..end {
                    let part = block * BLOCK..x.len().min((block + 1) * BLOCK);
                    let scale = (1.0 / count) as f32;
                    let sum = rows::loss(self.kind, &x[part.clone()], &target[part.clone()], scale, &grad[part]);
                    cursor.sums[0] += f64::from(sum);
                }
            };
            let blocks = x.len().div_ceil(BLOCK);
            (cursor.pieces(cx, blocks, CHUNK / BLOCK, per_element * BLOCK as f64, some), count)
        };
        if finished {
            let loss = if count == 0.0 { 0.0 } else { cursor.sums[0] / count };
            cx.memory.cells(&self.loss)[0].set(loss as f32);
        }
        finished
    }
}

/// The operands of a loss whose rows weigh differently.
struct Rows<'a> {
    kind: LossKind,
    cols: usize,
    x: &'a [Cell<f32>],
    target: &'a [Cell<f32>],
    weights: Option<&'a [Cell<f32>]>,
    grad: &'a [Cell<f32>],
}

impl Rows<'_> {
    fn weight(&self, row: usize) -> f64 {
        match self.kind.takes_labels() {
            true => weight_of(self.cols, &self.target[row], self.weights, row),
            false => self.weights.map_or(1.0, |w| f64::from(w[row].get())),
        }
    }

    /// Writes the gradient of a row; returns its loss times its weight.
    fn row(&self, row: usize, total: f64) -> f64 {
        let part = row * self.cols..(row + 1) * self.cols;
        let (x, grad, weight) = (&self.x[part.clone()], &self.grad[part.clone()], self.weight(row));
        if weight == 0.0 || total == 0.0 {
            grad.iter().for_each(|g| g.set(0.0));
            return 0.0;
        }
        weight
            * match self.kind {
                LossKind::CrossEntropy { label_smoothing } => {
                    cross_entropy(x, word(&self.target[row]), label_smoothing, (weight / total) as f32, grad)
                }
                kind => {
                    let scale = (weight / (total * self.cols as f64)) as f32;
                    f64::from(rows::loss(kind, x, &self.target[part], scale, grad))
                }
            }
    }
}

/// Weight of a labelled row: nothing where the label names no class.
pub(super) fn weight_of(classes: usize, label: &Cell<f32>, weights: Option<&[Cell<f32>]>, row: usize) -> f64 {
    if word(label) as usize >= classes { 0.0 } else { weights.map_or(1.0, |w| f64::from(w[row].get())) }
}

/// Cross-entropy of one row whose label names a class; writes its gradient times `scale`.
fn cross_entropy(x: &[Cell<f32>], label: u32, smoothing: f32, scale: f32, grad: &[Cell<f32>]) -> f64 {
    let classes = x.len() as f64;
    let own = f64::from(x[label as usize].get());
    let mean = if smoothing == 0.0 { 0.0 } else { f64::from(rows::sum(x)) / classes };
    let max = rows::max(x);
    let sum = rows::exp_shifted(x, max, grad);
    let (s, log_sum) = (f64::from(smoothing), f64::from(max) + f64::from(sum).ln());
    rows::affine(grad, scale / sum, -scale * (s / classes) as f32, grad);
    let g = &grad[label as usize];
    g.set(g.get() - scale * (1.0 - smoothing));
    log_sum - ((1.0 - s) * own + s * mean)
}
