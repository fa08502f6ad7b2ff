//! Losses between predictions and targets, each with its gradient in the same pass.

use std::fmt;

use super::KernelDef;
use super::eval::{Numbers, row};
use super::operands::{Access, Operands, not_empty, numel};
use super::rows::log_sum_exp;
use crate::{StepScalars, UnaryOp};

/// A loss between a prediction and a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LossKind {
    /// Mean squared error; target f32 like the prediction.
    Mse,
    /// Mean absolute error.
    L1,
    /// Huber loss with threshold `delta` (`torch.nn.HuberLoss`).
    Huber(f32),
    /// Binary cross-entropy of logits; target f32 in [0, 1], like the prediction.
    BceWithLogits,
    /// Cross-entropy of logits `[rows, classes]` against labels u32 `[rows]`, with label smoothing.
    CrossEntropy {
        /// Share of the probability spread evenly over all classes.
        label_smoothing: f32,
    },
}

/// Reads prediction, target, and weights `[rows]` where `weighted`; writes the loss (one element), Σᵢ wᵢ·lᵢ / Σᵢ wᵢ with lᵢ the
/// mean over the columns (cross-entropy: the row's loss), and its gradient like the prediction. All weights zero: loss 0, gradient 0.
/// A row whose label is no class weighs 0; a row of weight 0 adds nothing even where its own loss is not finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossSpec {
    /// Which loss.
    pub kind: LossKind,
    /// Whether weights are read.
    pub weighted: bool,
    /// Number of rows.
    pub rows: u32,
    /// Elements per row.
    pub cols: u32,
}

impl LossKind {
    /// Every loss, those with parameters with some of them: what tests try.
    pub fn tries() -> Vec<Self> {
        let smoothed = [0.0, 0.1, 1.0].map(|label_smoothing| LossKind::CrossEntropy { label_smoothing });
        [LossKind::Mse, LossKind::L1, LossKind::Huber(1.0), LossKind::Huber(0.3), LossKind::BceWithLogits]
            .into_iter()
            .chain(smoothed)
            .collect()
    }

    /// Checks its parameter.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(self) -> Result<(), String> {
        match self {
            LossKind::CrossEntropy { label_smoothing } if !(0.0..=1.0).contains(&label_smoothing) => {
                Err(format!("label smoothing is a share, not {label_smoothing}"))
            }
            LossKind::Huber(delta) if delta.is_nan() || delta <= 0.0 => Err(format!("delta is positive, not {delta}")),
            _ => Ok(()),
        }
    }

    /// Its name in `torch.nn.functional`.
    pub fn name(self) -> &'static str {
        match self {
            LossKind::Mse => "mse_loss",
            LossKind::L1 => "l1_loss",
            LossKind::Huber(_) => "huber_loss",
            LossKind::BceWithLogits => "binary_cross_entropy_with_logits",
            LossKind::CrossEntropy { .. } => "cross_entropy",
        }
    }

    /// Whether targets are labels, one per row.
    pub fn takes_labels(self) -> bool {
        matches!(self, LossKind::CrossEntropy { .. })
    }

    /// Loss of one row and its gradient in f64; `None` where the label is no class. A label is a target of one number.
    pub(crate) fn row(self, prediction: &[f64], target: &[f64]) -> Option<(f64, Vec<f64>)> {
        let cols = prediction.len() as f64;
        let element = |x: f64, t: f64| match self {
            LossKind::Mse => ((x - t) * (x - t), 2.0 * (x - t)),
            LossKind::L1 => ((x - t).abs(), UnaryOp::Sign.eval(x - t)),
            LossKind::Huber(delta) => {
                let (d, delta) = (x - t, f64::from(delta));
                let loss = if d.abs() <= delta { 0.5 * d * d } else { delta * (d.abs() - 0.5 * delta) };
                (loss, d.clamp(-delta, delta))
            }
            LossKind::BceWithLogits | LossKind::CrossEntropy { .. } => {
                (x.max(0.0) - x * t + libm::log1p(libm::exp(-x.abs())), UnaryOp::Sigmoid.eval(x) - t)
            }
        };
        if let LossKind::CrossEntropy { label_smoothing } = self {
            let (label, smooth) = (target[0] as usize, f64::from(label_smoothing));
            let (total, own) = (log_sum_exp(prediction), *prediction.get(label)?);
            let loss = (1.0 - smooth) * (total - own) + smooth * (total - prediction.iter().sum::<f64>() / cols);
            let wanted = |c| smooth / cols + if c == label { 1.0 - smooth } else { 0.0 };
            let slope = prediction.iter().enumerate().map(|(c, x)| libm::exp(x - total) - wanted(c));
            return Some((loss, slope.collect()));
        }
        let elements: Vec<(f64, f64)> = prediction.iter().zip(target).map(|(&x, &t)| element(x, t)).collect();
        let loss = elements.iter().map(|(l, _)| l).sum::<f64>() / cols;
        Some((loss, elements.into_iter().map(|(_, d)| d / cols).collect()))
    }
}

impl fmt::Display for LossKind {
    /// Its name, and its parameter where it has one that does something: `huber_loss<0.3>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            LossKind::Huber(delta) => write!(f, "<{delta}>"),
            LossKind::CrossEntropy { label_smoothing } if *label_smoothing > 0.0 => write!(f, "<{label_smoothing}>"),
            _ => Ok(()),
        }
    }
}

/// The weighted mean over rows and its gradient; `weight(r)` is the row's own, not minding its label.
pub(crate) fn weighted_mean(
    results: &[Option<(f64, Vec<f64>)>],
    cols: usize,
    weight: impl Fn(usize) -> f64,
) -> (f64, Vec<f64>) {
    let weight = |r: usize| if results[r].is_some() { weight(r) } else { 0.0 };
    let total: f64 = (0..results.len()).map(weight).sum();
    let share = |r: usize| if total == 0.0 { 0.0 } else { weight(r) / total };
    let (mut loss, mut gradient) = (0.0, Vec::with_capacity(results.len() * cols));
    for (r, result) in results.iter().enumerate() {
        match result {
            // A row without weight adds nothing, even where its own loss is infinite.
            Some((l, d)) if share(r) != 0.0 => {
                loss += share(r) * l;
                gradient.extend(d.iter().map(|d| share(r) * d));
            }
            _ => gradient.extend(std::iter::repeat_n(0.0, cols)),
        }
    }
    (loss, gradient)
}

impl KernelDef for LossSpec {
    const FAMILY: &'static str = "loss";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.rows, self.cols])
    }

    fn operands(&self) -> Operands {
        let (rows, all) = (u64::from(self.rows), numel(&[self.rows, self.cols]));
        let target = if self.kind.takes_labels() { Access::words("target", rows) } else { Access::floats("target", all) };
        let weights = self.weighted.then(|| Access::floats("weights", rows));
        let reads = [Access::floats("x", all), target].into_iter().chain(weights);
        Operands::new(reads, [Access::floats("out", 1), Access::floats("gradient", all)])
    }

    /// Largest, exponential, sum, logarithm, gradient: about five passes of one operation.
    fn flops(&self) -> u64 {
        5 * numel(&[self.rows, self.cols])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}×{}", self.kind.name(), self.rows, self.cols)
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let cols = self.cols as usize;
        let target = |r: usize| match self.kind.takes_labels() {
            true => vec![f64::from(reads[1].word(r))],
            false => row(reads[1], r, cols),
        };
        let result = |r: usize| self.kind.row(&row(reads[0], r, cols), &target(r));
        let results: Vec<Option<(f64, Vec<f64>)>> = (0..self.rows as usize).map(result).collect();
        let (loss, gradient) = weighted_mean(&results, cols, |r| if self.weighted { reads[2].at(r) } else { 1.0 });
        Some(vec![vec![loss], gradient])
    }
}
