//! Elementwise computations over an iteration space: what fusing makes of everything that works element by element.

use std::fmt;

use smallvec::SmallVec;

use super::eval::{Numbers, by_output, coordinates, element, place};
use super::operands::{Access, Operands, numel};
use super::{KernelDef, Strides};
use crate::{Expr, StepScalars};

/// An elementwise computation over an iteration space of at most four dimensions. Writes one contiguous output per output of the expression.
#[derive(Clone, Debug, PartialEq)]
pub struct MapSpec {
    /// Iteration space, outermost first. Never empty: a scalar is `[1]`.
    pub shape: SmallVec<[u32; 4]>,
    /// The computation: `Read(i)` is the element of `reads[i]`.
    pub expr: Expr,
    /// How each read is walked.
    pub read_strides: SmallVec<[Strides; 4]>,
}

impl MapSpec {
    /// Elements of the iteration space.
    pub fn numel(&self) -> u64 {
        numel(&self.shape)
    }

    /// `r0`, `r1`, …
    pub(super) fn reads(&self) -> impl Iterator<Item = Access> + '_ {
        self.read_strides.iter().enumerate().map(|(i, strides)| Access::walk("r", &self.shape, strides).numbered(i))
    }

    /// The outputs of the expression for every element.
    pub(super) fn elements(&self, reads: &[&dyn Numbers], step: &StepScalars) -> Vec<Vec<f64>> {
        let each = (0..self.numel() as usize).map(|i| {
            let at = coordinates(&self.shape, i);
            let values: Vec<f64> = reads.iter().zip(&self.read_strides).map(|(r, s)| r.at(place(&at, s))).collect();
            element(&self.expr, &values, i, step)
        });
        each.collect()
    }
}

impl KernelDef for MapSpec {
    const FAMILY: &'static str = "map";

    fn check(&self) -> Result<(), String> {
        if self.shape.is_empty() || self.shape.len() > 4 || self.shape.contains(&0) {
            return Err(format!("iteration space {:?}", self.shape.as_slice()));
        }
        if self.read_strides.iter().any(|s| s.len() != self.shape.len()) {
            return Err("a walk has not the dimensions of the iteration space".into());
        }
        self.expr.check(self.read_strides.len())
    }

    fn operands(&self) -> Operands {
        let writes = (0..self.expr.outputs.len()).map(|o| Access::floats("out", self.numel()).numbered(o));
        Operands::new(self.reads(), writes)
    }

    fn flops(&self) -> u64 {
        self.numel() * self.expr.operations()
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "map {:?} {}", self.shape.as_slice(), self.expr)
    }

    fn eval(&self, reads: &[&dyn Numbers], step: &StepScalars) -> Option<Vec<Vec<f64>>> {
        Some(by_output(&self.elements(reads, step), self.expr.outputs.len()))
    }
}
