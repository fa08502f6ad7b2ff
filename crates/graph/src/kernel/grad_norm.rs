//! The norm of gradients that clipping needs (`torch.nn.utils.clip_grad_norm_`).

use std::fmt;

use smallvec::SmallVec;

use super::KernelDef;
use super::eval::Numbers;
use super::operands::{Access, Operands};
use crate::StepScalars;

/// Reads any number of tensors; writes one element: the 2-norm of them all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GradNormSpec {
    /// Elements of each tensor.
    pub lens: SmallVec<[u32; 4]>,
}

impl KernelDef for GradNormSpec {
    const FAMILY: &'static str = "grad_norm";

    fn operands(&self) -> Operands {
        let reads = self.lens.iter().enumerate().map(|(i, &len)| Access::floats("r", u64::from(len)).numbered(i));
        Operands::new(reads, [Access::floats("out", 1)])
    }

    fn flops(&self) -> u64 {
        self.lens.iter().map(|&len| 2 * u64::from(len)).sum()
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::FAMILY)
    }

    fn eval(&self, reads: &[&dyn Numbers], _: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let squares = reads.iter().zip(&self.lens).flat_map(|(r, &len)| (0..len as usize).map(|i| r.at(i) * r.at(i)));
        Some(vec![vec![squares.sum::<f64>().sqrt()]])
    }
}
