//! Softmax, its logarithm and their gradients, along the last axis of `[rows, cols]`.

use std::fmt;

use super::KernelDef;
use super::eval::{Numbers, row};
use super::operands::{Access, Operands, not_empty, numel};
use crate::StepScalars;

/// A computation along the last axis.
///
/// A row that is masked completely, all −∞, has no distribution: its softmax is 0 everywhere, its logarithm −∞, and both hand on gradients of 0,
/// never NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsKind {
    /// Reads x; writes softmax(x).
    Softmax,
    /// Reads x; writes log softmax(x).
    LogSoftmax,
    /// Reads y = softmax(x) and dy; writes dx.
    SoftmaxGrad,
    /// Reads y = log softmax(x) and dy; writes dx.
    LogSoftmaxGrad,
}

/// [`RowsKind`] over `[rows, cols]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsSpec {
    /// What.
    pub kind: RowsKind,
    /// Number of rows.
    pub rows: u32,
    /// Elements per row.
    pub cols: u32,
}

impl RowsKind {
    /// Its name, as `torch.nn.functional` has it where it has it.
    pub fn name(self) -> &'static str {
        match self {
            RowsKind::Softmax => "softmax",
            RowsKind::LogSoftmax => "log_softmax",
            RowsKind::SoftmaxGrad => "softmax_grad",
            RowsKind::LogSoftmaxGrad => "log_softmax_grad",
        }
    }

    /// Whether it reads the output and its gradient, not the input.
    pub fn is_gradient(self) -> bool {
        matches!(self, RowsKind::SoftmaxGrad | RowsKind::LogSoftmaxGrad)
    }

    /// One row in f64: of x, or of y and dy.
    pub(crate) fn row(self, x: &[f64], dy: &[f64]) -> Vec<f64> {
        let masked = x.iter().all(|v| *v == f64::NEG_INFINITY);
        match self {
            RowsKind::Softmax if masked => vec![0.0; x.len()],
            RowsKind::LogSoftmax if masked => vec![f64::NEG_INFINITY; x.len()],
            RowsKind::LogSoftmaxGrad if masked => vec![0.0; x.len()],
            RowsKind::Softmax => {
                let total = log_sum_exp(x);
                x.iter().map(|x| libm::exp(x - total)).collect()
            }
            RowsKind::LogSoftmax => {
                let total = log_sum_exp(x);
                x.iter().map(|x| x - total).collect()
            }
            RowsKind::SoftmaxGrad => {
                let mean: f64 = x.iter().zip(dy).map(|(y, dy)| y * dy).sum();
                x.iter().zip(dy).map(|(y, dy)| y * (dy - mean)).collect()
            }
            RowsKind::LogSoftmaxGrad => {
                let total: f64 = dy.iter().sum();
                x.iter().zip(dy).map(|(y, dy)| dy - libm::exp(*y) * total).collect()
            }
        }
    }
}

/// log Σ eˣ, from the largest element so that nothing overflows.
pub(crate) fn log_sum_exp(x: &[f64]) -> f64 {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    max + libm::log(x.iter().map(|v| libm::exp(v - max)).sum())
}

impl KernelDef for RowsSpec {
    const FAMILY: &'static str = "rows";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.rows, self.cols])
    }

    fn operands(&self) -> Operands {
        let all = numel(&[self.rows, self.cols]);
        let dy = self.kind.is_gradient().then(|| Access::floats("dy", all));
        Operands::new([Access::floats("x", all)].into_iter().chain(dy), [Access::floats("out", all)])
    }

    /// Largest, exponential, sum, quotient: about five passes of one operation.
    fn flops(&self) -> u64 {
        5 * numel(&[self.rows, self.cols])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}×{}", self.kind.name(), self.rows, self.cols)
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let cols = self.cols as usize;
        let each = |r| {
            let dy = reads.get(1).map_or(Vec::new(), |dy| row(*dy, r, cols));
            self.kind.row(&row(reads[0], r, cols), &dy)
        };
        Some(vec![(0..self.rows as usize).flat_map(each).collect()])
    }
}
