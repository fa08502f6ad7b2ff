//! Layer norm and RMS norm along the last axis of `[rows, cols]`, and their gradients.

use std::fmt;

use super::KernelDef;
use super::eval::{Numbers, row};
use super::operands::{Access, Operands, not_empty, numel};
use crate::StepScalars;

/// Every row divided by its deviation: `x̂ = (x − mean) · rstd` with `rstd = 1 / √(variance + eps)`, and `y = x̂ · weight + bias`. Without
/// `centered` the mean counts as 0, which makes the deviation the root of the mean square (RMS norm).
///
/// Forward it reads x, then weight and bias `[cols]` where there are such; it writes y, the means `[rows]` where `centered`, and rstd `[rows]`.
/// Backward it reads dy, x, weight, means and rstd; it writes dx, and the gradients of weight and bias, sums over the rows in a fixed order. What is
/// `added` to dx is read last: the gradient that goes around a norm in a residual block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNormSpec {
    /// Whether it is the gradient.
    pub backward: bool,
    /// Whether the mean is taken off.
    pub centered: bool,
    /// Whether a factor per column follows.
    pub weight: bool,
    /// Whether a constant per column follows.
    pub bias: bool,
    /// Whether something is added to dx.
    pub added: bool,
    /// Added to the variance.
    pub eps: f32,
    /// Number of rows.
    pub rows: u32,
    /// Elements per row.
    pub cols: u32,
}

impl LayerNormSpec {
    /// Its name, as `torch.nn.functional` has it.
    pub fn name(&self) -> &'static str {
        match (self.centered, self.backward) {
            (true, false) => "layer_norm",
            (true, true) => "layer_norm_grad",
            (false, false) => "rms_norm",
            (false, true) => "rms_norm_grad",
        }
    }

    fn forward(&self, reads: &[&dyn Numbers]) -> Vec<Vec<f64>> {
        let (rows, cols) = (self.rows as usize, self.cols as usize);
        let (mut y, mut means, mut rstds) = (Vec::with_capacity(rows * cols), Vec::new(), Vec::new());
        let bias = usize::from(self.weight) + 1;
        for r in 0..rows {
            let x = row(reads[0], r, cols);
            let mean = if self.centered { x.iter().sum::<f64>() / cols as f64 } else { 0.0 };
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / cols as f64;
            let rstd = 1.0 / libm::sqrt(variance + f64::from(self.eps));
            y.extend(x.iter().enumerate().map(|(c, x)| {
                let weight = if self.weight { reads[1].at(c) } else { 1.0 };
                (x - mean) * rstd * weight + if self.bias { reads[bias].at(c) } else { 0.0 }
            }));
            means.push(mean);
            rstds.push(rstd);
        }
        std::iter::once(y).chain(self.centered.then_some(means)).chain([rstds]).collect()
    }

    /// With `g = dy · weight`: `dx = rstd · (g − mean(g) − x̂ · mean(g · x̂))`, `dweight = Σ dy · x̂`, `dbias = Σ dy` (Ba et al. 2016; without the
    /// second term Zhang and Sennrich 2019).
    fn backward(&self, reads: &[&dyn Numbers]) -> Vec<Vec<f64>> {
        let (rows, cols) = (self.rows as usize, self.cols as usize);
        let means = 2 + usize::from(self.weight);
        let rstds = means + usize::from(self.centered);
        let (mut dx, mut dweight, mut dbias) = (Vec::with_capacity(rows * cols), vec![0.0; cols], vec![0.0; cols]);
        for r in 0..rows {
            let (dy, x, rstd) = (row(reads[0], r, cols), row(reads[1], r, cols), reads[rstds].at(r));
            let mean = if self.centered { reads[means].at(r) } else { 0.0 };
            let normal: Vec<f64> = x.iter().map(|x| (x - mean) * rstd).collect();
            let g: Vec<f64> = (0..cols).map(|c| dy[c] * if self.weight { reads[2].at(c) } else { 1.0 }).collect();
            let level = if self.centered { g.iter().sum::<f64>() / cols as f64 } else { 0.0 };
            let slope = g.iter().zip(&normal).map(|(g, n)| g * n).sum::<f64>() / cols as f64;
            let added = |c| if self.added { reads[rstds + 1].at(r * cols + c) } else { 0.0 };
            dx.extend((0..cols).map(|c| rstd * (g[c] - level - normal[c] * slope) + added(c)));
            for c in 0..cols {
                dweight[c] += dy[c] * normal[c];
                dbias[c] += dy[c];
            }
        }
        std::iter::once(dx).chain(self.weight.then_some(dweight)).chain(self.bias.then_some(dbias)).collect()
    }
}

impl KernelDef for LayerNormSpec {
    const FAMILY: &'static str = "layer_norm";

    fn check(&self) -> Result<(), String> {
        if self.added && !self.backward {
            return Err("only a gradient is added to".into());
        }
        if self.eps < 0.0 || !self.eps.is_finite() {
            return Err(format!("eps is a small number, not {}", self.eps));
        }
        not_empty(&[self.rows, self.cols])
    }

    fn operands(&self) -> Operands {
        let (rows, cols, all) = (u64::from(self.rows), u64::from(self.cols), numel(&[self.rows, self.cols]));
        let weight = self.weight.then(|| Access::floats("weight", cols));
        let mean = self.centered.then(|| Access::floats("mean", rows));
        let rstd = Access::floats("rstd", rows);
        if self.backward {
            let added = self.added.then(|| Access::floats("added", all));
            let reads = [Access::floats("dy", all), Access::floats("x", all)].into_iter().chain(weight).chain(mean);
            let reads = reads.chain([rstd]).chain(added);
            let dweight = self.weight.then(|| Access::floats("dweight", cols));
            let dbias = self.bias.then(|| Access::floats("dbias", cols));
            return Operands::new(reads, [Access::floats("dx", all)].into_iter().chain(dweight).chain(dbias));
        }
        let bias = self.bias.then(|| Access::floats("bias", cols));
        let reads = [Access::floats("x", all)].into_iter().chain(weight).chain(bias);
        Operands::new(reads, [Access::floats("out", all)].into_iter().chain(mean).chain([rstd]))
    }

    /// Mean, variance, result, with about two operations each; backward twice that.
    fn flops(&self) -> u64 {
        numel(&[self.rows, self.cols]) * if self.backward { 12 } else { 6 }
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let added = if self.added { " + r" } else { "" };
        write!(f, "{} {}×{}{added}", self.name(), self.rows, self.cols)
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        Some(if self.backward { self.backward(reads) } else { self.forward(reads) })
    }
}
