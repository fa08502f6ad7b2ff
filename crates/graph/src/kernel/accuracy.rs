//! The share of rows that are predicted right.

use std::fmt;

use super::KernelDef;
use super::eval::{Numbers, row};
use super::operands::{Access, Operands, not_empty, numel};
use crate::StepScalars;

/// Reads logits, target, and weights `[rows]` where `weighted`; writes one element: the weighted share of rows predicted
/// right. One column: logit > 0 against target > 0.5 (f32); more: argmax (first on ties) against a label (u32),
/// where a row whose label is no class weighs 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccuracySpec {
    /// Whether weights are read.
    pub weighted: bool,
    /// Number of rows.
    pub rows: u32,
    /// Elements per row.
    pub cols: u32,
}

/// Whether a row of more than one logit is right about its label; `None` where the label is no class.
fn hit(logits: &[f64], label: usize) -> Option<bool> {
    let best = (1..logits.len()).fold(0, |best, c| if logits[c] > logits[best] { c } else { best });
    (label < logits.len()).then_some(best == label)
}

impl KernelDef for AccuracySpec {
    const FAMILY: &'static str = "accuracy";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.rows, self.cols])
    }

    fn operands(&self) -> Operands {
        let rows = u64::from(self.rows);
        let target = if self.cols == 1 { Access::floats("target", rows) } else { Access::words("target", rows) };
        let weights = self.weighted.then(|| Access::floats("weights", rows));
        let reads = [Access::floats("x", numel(&[self.rows, self.cols])), target].into_iter().chain(weights);
        Operands::new(reads, [Access::floats("out", 1)])
    }

    fn flops(&self) -> u64 {
        numel(&[self.rows, self.cols])
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "accuracy {}×{}", self.rows, self.cols)
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let (mut right, mut total) = (0.0, 0.0);
        for r in 0..self.rows as usize {
            let logits = row(reads[0], r, self.cols as usize);
            let hit = match self.cols {
                1 => Some((logits[0] > 0.0) == (reads[1].at(r) > 0.5)),
                _ => hit(&logits, reads[1].word(r) as usize),
            };
            let Some(hit) = hit else { continue };
            let weight = if self.weighted { reads[2].at(r) } else { 1.0 };
            total += weight;
            right += if hit { weight } else { 0.0 };
        }
        Some(vec![vec![if total == 0.0 { 0.0 } else { right / total }]])
    }
}
