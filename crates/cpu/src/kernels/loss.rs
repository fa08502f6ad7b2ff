use std::cell::Cell;

use downhill_graph::kernel::LossKind;

use crate::arena::{Memory, Operand, word};
use crate::simd::rows;

/// A loss with its gradient.
#[derive(Clone, Debug)]
pub(crate) struct LossOp {
    pub kind: LossKind,
    pub rows: usize,
    pub cols: usize,
    pub prediction: Operand,
    pub target: Operand,
    pub weights: Option<Operand>,
    pub loss: Operand,
    pub gradient: Operand,
}

impl LossOp {
    pub fn run(&self, memory: &Memory<'_>) {
        let (x, grad) = (memory.cells(&self.prediction), memory.cells(&self.gradient));
        let target = memory.cells(&self.target);
        let weights = self.weights.as_ref().map(|w| memory.cells(w));
        let total = weights.map_or(self.rows as f64, |w| w.iter().map(|c| f64::from(c.get())).sum());
        let loss = if total == 0.0 {
            grad.iter().for_each(|g| g.set(0.0));
            0.0
        } else if let LossKind::CrossEntropy { label_smoothing } = self.kind {
            let mut sum = 0.0;
            for (row, (x, grad)) in x.chunks_exact(self.cols).zip(grad.chunks_exact(self.cols)).enumerate() {
                let weight = weights.map_or(1.0, |w| f64::from(w[row].get()));
                sum += weight * cross_entropy(x, word(&target[row]), label_smoothing, (weight / total) as f32, grad);
            }
            sum / total
        } else if let Some(weights) = weights {
            let mut sum = 0.0;
            for (row, weight) in weights.iter().map(|w| f64::from(w.get())).enumerate() {
                let range = row * self.cols..(row + 1) * self.cols;
                let scale = weight / (total * self.cols as f64);
                let (x, target, grad) = (&x[range.clone()], &target[range.clone()], &grad[range]);
                sum += weight * f64::from(rows::loss(self.kind, x, target, scale as f32, grad));
            }
            sum / (total * self.cols as f64)
        } else {
            let count = (self.rows * self.cols) as f64;
            let (scale, mut sum) = ((1.0 / count) as f32, 0.0);
            for ((x, target), grad) in x.chunks(1024).zip(target.chunks(1024)).zip(grad.chunks(1024)) {
                sum += f64::from(rows::loss(self.kind, x, target, scale, grad));
            }
            sum / count
        };
        memory.cells(&self.loss)[0].set(loss as f32);
    }
}

/// Cross-entropy of one row; writes its gradient times `scale`. A label that names no class makes the loss NaN, which stops training.
fn cross_entropy(x: &[Cell<f32>], label: u32, smoothing: f32, scale: f32, grad: &[Cell<f32>]) -> f64 {
    let classes = x.len() as f64;
    let own = x.get(label as usize).map_or(f32::NAN, Cell::get);
    let mean = if smoothing == 0.0 { 0.0 } else { f64::from(rows::sum(x)) / classes };
    let max = rows::max(x);
    let sum = rows::exp_shifted(x, max, grad);
    let (s, log_sum) = (f64::from(smoothing), f64::from(max) + f64::from(sum).ln());
    let wanted = (1.0 - s) * f64::from(own) + s * mean;
    rows::affine(grad, scale / sum, -scale * (s / classes) as f32, grad);
    if let Some(g) = grad.get(label as usize) {
        g.set(g.get() - scale * (1.0 - smoothing));
    }
    log_sum - wanted
}

/// The share of rows predicted right.
#[derive(Clone, Debug)]
pub(crate) struct AccuracyOp {
    pub cols: usize,
    pub prediction: Operand,
    pub target: Operand,
    pub weights: Option<Operand>,
    pub out: Operand,
}

impl AccuracyOp {
    pub fn run(&self, memory: &Memory<'_>) {
        let target = memory.cells(&self.target);
        let weights = self.weights.as_ref().map(|w| memory.cells(w));
        let (mut right, mut total) = (0.0f64, 0.0f64);
        for (row, x) in memory.cells(&self.prediction).chunks_exact(self.cols).enumerate() {
            let weight = weights.map_or(1.0, |w| f64::from(w[row].get()));
            let hit = if self.cols == 1 {
                (x[0].get() > 0.0) == (target[row].get() > 0.5)
            } else {
                argmax(x) == word(&target[row]) as usize
            };
            total += weight;
            right += if hit { weight } else { 0.0 };
        }
        memory.cells(&self.out)[0].set(if total == 0.0 { 0.0 } else { (right / total) as f32 });
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
