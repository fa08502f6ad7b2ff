use std::cell::Cell;

use downhill_graph::kernel::LossKind;

use crate::arena::{Memory, Operand, word};
use crate::simd::rows;

/// A loss with its gradient.
#[derive(Clone, Debug)]
pub(crate) struct LossOp {
    pub kind: LossKind,
    pub cols: usize,
    pub prediction: Operand,
    pub target: Operand,
    pub weights: Option<Operand>,
    pub loss: Operand,
    pub gradient: Operand,
}

impl LossOp {
    pub fn run(&self, memory: &Memory<'_>) {
        let tensors = Tensors {
            x: memory.cells(&self.prediction),
            target: memory.cells(&self.target),
            grad: memory.cells(&self.gradient),
            cols: self.cols,
        };
        let weights = self.weights.as_ref().map(|w| memory.cells(w));
        let loss = match (self.kind, weights) {
            (LossKind::CrossEntropy { label_smoothing }, _) => tensors.classes(weights, label_smoothing),
            (kind, Some(weights)) => tensors.weighted(weights, kind),
            (kind, None) => tensors.plain(kind),
        };
        memory.cells(&self.loss)[0].set(loss as f32);
    }
}

/// The operands of a loss.
struct Tensors<'a> {
    x: &'a [Cell<f32>],
    target: &'a [Cell<f32>],
    grad: &'a [Cell<f32>],
    cols: usize,
}

impl Tensors<'_> {
    /// An elementwise loss of rows that all weigh the same: one long row.
    fn plain(&self, kind: LossKind) -> f64 {
        let count = self.x.len() as f64;
        let (scale, mut sum) = ((1.0 / count) as f32, 0.0);
        for ((x, target), grad) in self.x.chunks(1024).zip(self.target.chunks(1024)).zip(self.grad.chunks(1024)) {
            sum += f64::from(rows::loss(kind, x, target, scale, grad));
        }
        sum / count
    }

    fn weighted(&self, weights: &[Cell<f32>], kind: LossKind) -> f64 {
        let total: f64 = weights.iter().map(|w| f64::from(w.get())).sum();
        let count = total * self.cols as f64;
        let mut sum = 0.0;
        let targets = self.target.chunks_exact(self.cols);
        for (((x, target), grad), weight) in self.rows().zip(targets).zip(self.grads()).zip(weights) {
            let weight = f64::from(weight.get());
            if weight == 0.0 || total == 0.0 {
                grad.iter().for_each(|g| g.set(0.0));
            } else {
                sum += weight * f64::from(rows::loss(kind, x, target, (weight / count) as f32, grad));
            }
        }
        if total == 0.0 { 0.0 } else { sum / count }
    }

    /// Cross-entropy; a row whose label names no class weighs nothing.
    fn classes(&self, weights: Option<&[Cell<f32>]>, smoothing: f32) -> f64 {
        let weight = |row: usize| weight_of(self.cols, &self.target[row], weights, row);
        let total: f64 = (0..self.target.len()).map(weight).sum();
        let mut sum = 0.0;
        for (row, (x, grad)) in self.rows().zip(self.grads()).enumerate() {
            let weight = weight(row);
            if weight == 0.0 || total == 0.0 {
                grad.iter().for_each(|g| g.set(0.0));
            } else {
                sum += weight * cross_entropy(x, word(&self.target[row]), smoothing, (weight / total) as f32, grad);
            }
        }
        if total == 0.0 { 0.0 } else { sum / total }
    }

    fn rows(&self) -> impl Iterator<Item = &[Cell<f32>]> {
        self.x.chunks_exact(self.cols)
    }

    fn grads(&self) -> impl Iterator<Item = &[Cell<f32>]> {
        self.grad.chunks_exact(self.cols)
    }
}

/// Weight of a labelled row: nothing where the label names no class.
fn weight_of(classes: usize, label: &Cell<f32>, weights: Option<&[Cell<f32>]>, row: usize) -> f64 {
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
            let (weight, hit) = if self.cols == 1 {
                let weight = weights.map_or(1.0, |w| f64::from(w[row].get()));
                (weight, (x[0].get() > 0.0) == (target[row].get() > 0.5))
            } else {
                (weight_of(self.cols, &target[row], weights, row), argmax(x) == word(&target[row]) as usize)
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
