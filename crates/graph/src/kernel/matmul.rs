//! Batched matrix products with what follows them element by element, and with row sums beside them.

use std::fmt;

use smallvec::SmallVec;

use super::KernelDef;
use super::eval::{Numbers, by_output, element, place};
use super::operands::{Access, Operands, not_empty, numel};
use crate::{Expr, StepScalars};

/// Where a matrix lies: element (batch, row, column) is at `batch·batch_stride + row·row_stride + col·col_stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatLayout {
    /// Distance between matrices of the batch; 0 repeats one matrix.
    pub batch_stride: u32,
    /// Distance between rows.
    pub row_stride: u32,
    /// Distance between columns. One of the two is 1.
    pub col_stride: u32,
}

/// What happens to a finished element of a matrix product before it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Epilogue {
    /// `Read(0)` is the product's element, `Read(1 + i)` the element of `reads[2 + i]`; each output goes to `writes`.
    pub expr: Expr,
    /// How each extra read is walked over `[batch, m, n]`.
    pub read_strides: SmallVec<[[u32; 3]; 2]>,
}

/// Batched matrix product. Reads `a`, `b`, then the epilogue's; writes the epilogue's outputs (or the product), then the row
/// sums of `a` where `row_sum` is set. Outputs are contiguous `[batch, m, n]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MatMulSpec {
    /// Number of products.
    pub batch: u32,
    /// Rows of `a` and of the result.
    pub m: u32,
    /// Columns of `b` and of the result.
    pub n: u32,
    /// Columns of `a`, rows of `b`.
    pub k: u32,
    /// Layout of `a`, `m` × `k`.
    pub a: MatLayout,
    /// Layout of `b`, `k` × `n`.
    pub b: MatLayout,
    /// Fused elementwise tail.
    pub epilogue: Option<Epilogue>,
    /// Also writes Σₖ a[·, k], shape `[m]`, summed over the batch: the bias gradient that goes with a weight gradient.
    pub row_sum: bool,
}

impl MatLayout {
    /// Strides of batch, row and column.
    pub fn strides(&self) -> [u32; 3] {
        [self.batch_stride, self.row_stride, self.col_stride]
    }
}

impl MatMulSpec {
    /// Outputs without the row sums.
    pub fn outputs(&self) -> usize {
        self.epilogue.as_ref().map_or(1, |e| e.expr.outputs.len())
    }
}

impl KernelDef for MatMulSpec {
    const FAMILY: &'static str = "matmul";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.batch, self.m, self.n, self.k])?;
        if let Some(layout) = [self.a, self.b].iter().find(|l| l.row_stride != 1 && l.col_stride != 1) {
            return Err(format!("{layout:?} has no unit stride"));
        }
        self.epilogue.as_ref().map_or(Ok(()), |e| e.expr.check(1 + e.read_strides.len()))
    }

    fn operands(&self) -> Operands {
        let Self { batch, m, n, k, .. } = *self;
        let factors = [
            Access::walk("a", &[batch, m, k], &self.a.strides()),
            Access::walk("b", &[batch, k, n], &self.b.strides()),
        ];
        let extra: &[[u32; 3]] = self.epilogue.as_ref().map_or(&[], |e| &e.read_strides);
        let extra = extra.iter().enumerate().map(|(i, s)| Access::walk("r", &[batch, m, n], s).numbered(i + 1));
        let results = (0..self.outputs()).map(|o| Access::floats("out", numel(&[batch, m, n])).numbered(o));
        let sums = self.row_sum.then(|| Access::floats("row_sum", u64::from(m)));
        Operands::new(factors.into_iter().chain(extra), results.chain(sums))
    }

    fn flops(&self) -> u64 {
        let [batch, m, n, k] = [self.batch, self.m, self.n, self.k].map(u64::from);
        let tail = self.epilogue.as_ref().map_or(0, |e| e.expr.operations());
        batch * (m * n * (2 * k + tail) + if self.row_sum { m * k } else { 0 })
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = |l: &MatLayout| if l.col_stride == 1 { 'n' } else { 't' };
        write!(f, "matmul.{}{} {}×{}×{}", t(&self.a), t(&self.b), self.m, self.n, self.k)?;
        if self.batch > 1 {
            write!(f, " ×{}", self.batch)?;
        }
        if let Some(e) = &self.epilogue {
            write!(f, " → {}", e.expr)?;
        }
        if self.row_sum { f.write_str(" + row sums") } else { Ok(()) }
    }

    fn eval(&self, reads: &[&dyn Numbers], step: &StepScalars) -> Option<Vec<Vec<f64>>> {
        let [batch, m, n, k] = [self.batch, self.m, self.n, self.k].map(|v| v as usize);
        let a = |b: usize, i: usize, l: usize| reads[0].at(place(&[b, i, l], &self.a.strides()));
        let b = |b: usize, l: usize, j: usize| reads[1].at(place(&[b, l, j], &self.b.strides()));
        let mut elements = Vec::with_capacity(batch * m * n);
        let mut sums = vec![0.0; m];
        for p in 0..batch {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += (0..k).map(|l| a(p, i, l)).sum::<f64>();
                for j in 0..n {
                    let mut values = vec![(0..k).map(|l| a(p, i, l) * b(p, l, j)).sum()];
                    elements.push(match &self.epilogue {
                        None => values,
                        Some(tail) => {
                            let extra = reads[2..].iter().zip(&tail.read_strides);
                            values.extend(extra.map(|(r, s)| r.at(place(&[p, i, j], s))));
                            element(&tail.expr, &values, elements.len(), step)
                        }
                    });
                }
            }
        }
        let mut results = by_output(&elements, self.outputs());
        results.extend(self.row_sum.then_some(sums));
        Some(results)
    }
}
