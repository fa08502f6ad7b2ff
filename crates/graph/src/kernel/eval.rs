//! What the f64 evaluation of kernels shares: how operands are read, and how an element of an expression is computed.

use downhill_tensor::rng::{Stream, hash, uniform};

use crate::{Expr, StepScalars};

/// A read of a kernel, from its start on.
pub trait Numbers {
    /// Element `i` as a float.
    fn at(&self, i: usize) -> f64;

    /// Element `i` as a word.
    fn word(&self, i: usize) -> u32;
}

/// Index along each dimension of the `i`-th element.
pub(super) fn coordinates(shape: &[u32], mut i: usize) -> Vec<usize> {
    let mut at = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        at[d] = i % shape[d] as usize;
        i /= shape[d] as usize;
    }
    at
}

/// Where a walk is at these coordinates.
pub(super) fn place(coordinates: &[usize], strides: &[u32]) -> usize {
    coordinates.iter().zip(strides).map(|(c, s)| c * *s as usize).sum()
}

/// The outputs of an expression for the element with linear index `i`.
pub(super) fn element(expr: &Expr, values: &[f64], i: usize, step: &StepScalars) -> Vec<f64> {
    let random = |salt: u32| f64::from(uniform(hash(step.seed, Stream::Dropout as u32 | salt << 8, step.step, i as u32)));
    expr.eval(values, &|id| f64::from(step.get(id)), &random).to_vec()
}

/// Outputs of all elements as one list per output.
pub(super) fn by_output(elements: &[Vec<f64>], outputs: usize) -> Vec<Vec<f64>> {
    (0..outputs).map(|o| elements.iter().map(|e| e[o]).collect()).collect()
}

/// Row `r` of a contiguous operand.
pub(super) fn row(operand: &dyn Numbers, r: usize, cols: usize) -> Vec<f64> {
    (0..cols).map(|c| operand.at(r * cols + c)).collect()
}
