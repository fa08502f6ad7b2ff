//! Batched matrix products with what follows them element by element, and with row sums beside them. Convolutions are products whose right
//! matrix is read as patches of an image.

use std::fmt;

use smallvec::SmallVec;

use super::KernelDef;
use super::eval::{Numbers, by_output, element, place};
use super::operands::{Access, Operands, not_empty, numel};
use super::patches::Patches;
use crate::{Expr, StepScalars};

/// Where a matrix lies: element (batch, segment, row, column) is at `batch·batch_stride + segment·segment_stride + row·row_stride +
/// col·col_stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatLayout {
    /// Distance between matrices of the batch; 0 repeats one matrix.
    pub batch_stride: u32,
    /// Distance between the segments of a product.
    pub segment_stride: u32,
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
///
/// Each result is a sum over `segments` and over `k` within a segment: the weight gradient of a convolution sums over samples and over places,
/// and a sample's places do not follow those of the sample before.
#[derive(Clone, Debug, PartialEq)]
pub struct MatMulSpec {
    /// Number of products.
    pub batch: u32,
    /// Matrices of `a` before they repeat: product `p` multiplies matrix `p mod cycle`, as every sample meets the same weights of each group.
    pub cycle: u32,
    /// Products that each result adds up.
    pub segments: u32,
    /// Rows of `a` and of the result.
    pub m: u32,
    /// Columns of `b` and of the result.
    pub n: u32,
    /// Columns of `a`, rows of `b`.
    pub k: u32,
    /// Layout of `a`, `m` × `k`.
    pub a: MatLayout,
    /// Layout of `b`, `k` × `n`; of patches only the strides of batch and segment count.
    pub b: MatLayout,
    /// Where `b` is no matrix in memory but patches of an image.
    pub patches: Option<Patches>,
    /// Fused elementwise tail.
    pub epilogue: Option<Epilogue>,
    /// Also writes Σₖ a[·, k], shape `[m]`, summed over the batch: the bias gradient that goes with a weight gradient.
    pub row_sum: bool,
}

impl MatLayout {
    /// Strides of batch, segment, row and column.
    pub fn strides(&self) -> [u32; 4] {
        [self.batch_stride, self.segment_stride, self.row_stride, self.col_stride]
    }
}

impl MatMulSpec {
    /// Products of matrices in memory, sizes as batch, m, n and k.
    pub fn plain([batch, m, n, k]: [u32; 4], a: MatLayout, b: MatLayout) -> Self {
        Self { batch, cycle: batch, segments: 1, m, n, k, a, b, patches: None, epilogue: None, row_sum: false }
    }

    /// Outputs without the row sums.
    pub fn outputs(&self) -> usize {
        self.epilogue.as_ref().map_or(1, |e| e.expr.outputs.len())
    }
}

impl KernelDef for MatMulSpec {
    const FAMILY: &'static str = "matmul";

    fn check(&self) -> Result<(), String> {
        not_empty(&[self.batch, self.cycle, self.segments, self.m, self.n, self.k])?;
        if let Some(patches) = self.patches.filter(|patches| patches.shape() != (self.k, self.n)) {
            return Err(format!("{:?} patches are not {} × {}", patches.shape(), self.k, self.n));
        }
        if let Some(layout) = [self.a, self.b].iter().find(|l| l.row_stride != 1 && l.col_stride != 1) {
            return Err(format!("{layout:?} has no unit stride"));
        }
        self.epilogue.as_ref().map_or(Ok(()), |e| e.expr.check(1 + e.read_strides.len()))
    }

    fn operands(&self) -> Operands {
        let Self { batch, segments, m, n, k, .. } = *self;
        let b = match &self.patches {
            None => Access::walk("b", &[batch, segments, k, n], &self.b.strides()),
            Some(patches) => {
                let strides = [self.b.batch_stride, self.b.segment_stride, 1];
                Access::walk("b", &[batch, segments, patches.elements()], &strides)
            }
        };
        let factors = [Access::walk("a", &[batch.min(self.cycle), segments, m, k], &self.a.strides()), b];
        let extra: &[[u32; 3]] = self.epilogue.as_ref().map_or(&[], |e| &e.read_strides);
        let extra = extra.iter().enumerate().map(|(i, s)| Access::walk("r", &[batch, m, n], s).numbered(i + 1));
        let results = (0..self.outputs()).map(|o| Access::floats("out", numel(&[batch, m, n])).numbered(o));
        let sums = self.row_sum.then(|| Access::floats("row_sum", u64::from(m)));
        Operands::new(factors.into_iter().chain(extra), results.chain(sums))
    }

    fn flops(&self) -> u64 {
        let [batch, m, n, k] = [self.batch, self.m, self.n, self.k].map(u64::from);
        let k = k * u64::from(self.segments);
        let tail = self.epilogue.as_ref().map_or(0, |e| e.expr.operations());
        batch * (m * n * (2 * k + tail) + if self.row_sum { m * k } else { 0 })
    }

    fn print(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = |l: &MatLayout| if l.col_stride == 1 { 'n' } else { 't' };
        let b = match &self.patches {
            None => t(&self.b),
            Some(_) => 'p',
        };
        write!(f, "matmul.{}{b} {}×{}×{}", t(&self.a), self.m, self.n, self.k)?;
        if self.segments > 1 {
            write!(f, "·{}", self.segments)?;
        }
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
        let (cycle, segments) = (self.cycle as usize, self.segments as usize);
        let a = |p: usize, i: usize, s: usize, l: usize| reads[0].at(place(&[p % cycle, s, i, l], &self.a.strides()));
        let b = |p: usize, s: usize, l: usize, j: usize| match &self.patches {
            None => reads[1].at(place(&[p, s, l, j], &self.b.strides())),
            Some(patches) => {
                let image = place(&[p, s], &[self.b.batch_stride, self.b.segment_stride]);
                patches.source(l as u32, j as u32).map_or(0.0, |at| reads[1].at(image + at as usize))
            }
        };
        let depth = || (0..segments).flat_map(|s| (0..k).map(move |l| (s, l)));
        let mut elements = Vec::with_capacity(batch * m * n);
        let mut sums = vec![0.0; m];
        for p in 0..batch {
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += depth().map(|(s, l)| a(p, i, s, l)).sum::<f64>();
                for j in 0..n {
                    let mut values = vec![depth().map(|(s, l)| a(p, i, s, l) * b(p, s, l, j)).sum()];
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
