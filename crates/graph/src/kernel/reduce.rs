//! Sums, means, largest and smallest elements along the middle of three dimensions, of an elementwise computation.

use std::fmt;

use super::eval::Numbers;
use super::operands::{Access, Operands, numel};
use super::{KernelDef, MapSpec};
use crate::{BinaryOp, StepScalars};

/// How a reduction combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReduceKind {
    /// Sum.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// Largest element.
    Max,
    /// Smallest element.
    Min,
}

/// Reduces the middle axis of an elementwise computation over `[outer, reduced, inner]`; writes `[outer, inner]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceSpec {
    /// The computation before reducing; its shape has exactly three dimensions and its expression one output.
    pub map: MapSpec,
    /// How.
    pub kind: ReduceKind,
}

impl ReduceSpec {
    /// `[outer, reduced, inner]`.
    pub fn sizes(&self) -> [u32; 3] {
        [0, 1, 2].map(|d| self.map.shape.get(d).copied().unwrap_or(1))
    }
}

impl KernelDef for ReduceSpec {
    const FAMILY: &'static str = "reduce";

    fn check(&self) -> Result<(), String> {
        match (self.map.shape.len(), self.map.expr.outputs.len()) {
            (3, 1) => self.map.check(),
            (rank, outputs) => Err(format!("{rank} dimension(s) and {outputs} output(s), not 3 and 1")),
        }
    }

    fn operands(&self) -> Operands {
        let [outer, _, inner] = self.sizes();
        Operands::new(self.map.reads(), [Access::floats("out", numel(&[outer, inner]))])
    }

    fn flops(&self) -> u64 {
        self.map.numel() * (self.map.expr.operations() + 1)
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reduce {:?} {:?} {}", self.kind, self.map.shape.as_slice(), self.map.expr)
    }

    fn eval(&self, reads: &[&dyn Numbers], step: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let elements = self.map.elements(reads, step);
        let [outer, reduced, inner] = self.sizes().map(|n| n as usize);
        let mut out = Vec::with_capacity(outer * inner);
        for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
            let values = (0..reduced).map(|r| elements[(o * reduced + r) * inner + i][0]);
            out.push(match self.kind {
                ReduceKind::Sum => values.sum(),
                ReduceKind::Mean => values.sum::<f64>() / reduced as f64,
                ReduceKind::Max => values.reduce(|a, b| BinaryOp::Max.eval(a, b)).unwrap_or(f64::NEG_INFINITY),
                ReduceKind::Min => values.reduce(|a, b| BinaryOp::Min.eval(a, b)).unwrap_or(f64::INFINITY),
            });
        }
        Some(vec![out])
    }
}
