//! Layer norm and RMS norm row by row, and their gradients in one pass.

use std::cell::Cell;

use downhill_compile::ExecError;
use downhill_graph::kernel::LayerNormSpec;
use smallvec::SmallVec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader};
use crate::arena::Operand;
use crate::simd::{norm, rows};

/// Elements between two looks at the clock.
const CHUNK: usize = 1 << 14;

/// Columns at most of rows that are normalised several at a time: the rows stay in the first-level cache, and sums are short enough for one vector each.
const SHORT: usize = 1024;

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct LayerNormOp {
    spec: LayerNormSpec,
    reads: SmallVec<[Operand; 4]>,
    writes: SmallVec<[Operand; 2]>,
}

impl CpuKernel for LayerNormOp {
    type Spec = LayerNormSpec;
    const AT_ONCE: bool = false;

    fn load(spec: &LayerNormSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        Ok(Self { spec: *spec, reads: operands.reads, writes: operands.writes })
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let (rows, cols) = (self.spec.rows as usize, self.spec.cols as usize);
        let memory = cx.memory;
        let mut reads = self.reads.iter().map(|o| memory.cells(o));
        let mut writes = self.writes.iter().map(|o| memory.cells(o));
        let mut read = |is: bool| if is { reads.next().unwrap_or(&[]) } else { &[] };
        let mut write = |is: bool| if is { writes.next().unwrap_or(&[]) } else { &[] };
        let LayerNormSpec { backward, centered, weight, bias, added, .. } = self.spec;
        let several = weight && cols <= SHORT && cols.is_multiple_of(norm::WHOLE);
        if backward {
            let (dy, x, weight, mean, rstd) = (read(true), read(true), read(weight), read(centered), read(true));
            let added = read(added);
            let (dx, dweight, dbias) = (write(true), write(self.spec.weight), write(bias));
            if cursor.at == 0 {
                dweight.iter().chain(dbias).for_each(|c| c.set(0.0));
            }
            let some = |_: &mut Cx<'_>, _: &mut Cursor, start: usize, end: usize| {
                if several {
                    let [dy, x, dx, added] = [dy, x, dx, added].map(|all| all.get(start * cols..end * cols).unwrap_or(&[]));
                    let (mean, rstd) = (mean.get(start..end).unwrap_or(&[]), &rstd[start..end]);
                    return norm::backward(&norm::Backward { cols, dy, x, weight, mean, rstd, added, dx, dweight, dbias });
                }
                for (r, rstd) in rstd.iter().enumerate().take(end).skip(start) {
                    let part = r * cols..(r + 1) * cols;
                    let norm = rows::Norm { mean: mean.get(r).map_or(0.0, Cell::get), rstd: rstd.get(), weight };
                    let (dy, x, dx) = (&dy[part.clone()], &x[part.clone()], &dx[part.clone()]);
                    let added = added.get(part).unwrap_or(&[]);
                    let [level, slope] = rows::norm_grad_means(&norm, x, dy);
                    let level = if centered { level } else { 0.0 };
                    rows::norm_grad(&norm, x, dy, [level, slope], added, dx);
                    if !dweight.is_empty() {
                        rows::add_norm_product(&norm, x, dy, dweight);
                    }
                    if !dbias.is_empty() {
                        rows::add_into(dbias, dy);
                    }
                }
            };
            return cursor.pieces(cx, rows, CHUNK / cols, 2.5 * cols as f64, some);
        }
        let (x, weight, bias) = (read(true), read(weight), read(bias));
        let (out, means, rstds) = (write(true), write(centered), write(true));
        let some = |_: &mut Cx<'_>, _: &mut Cursor, start: usize, end: usize| {
            if several {
                let ([x, out], eps) = ([x, out].map(|all| &all[start * cols..end * cols]), self.spec.eps);
                let (mean, rstd) = (means.get(start..end).unwrap_or(&[]), &rstds[start..end]);
                return norm::forward(&norm::Forward { cols, eps, x, weight, bias, out, mean, rstd });
            }
            for (r, kept) in rstds.iter().enumerate().take(end).skip(start) {
                let part = r * cols..(r + 1) * cols;
                let x = &x[part.clone()];
                let mean = if centered { rows::sum(x) / cols as f32 } else { 0.0 };
                let variance = rows::sum_squared_differences(x, mean) / cols as f32;
                let rstd = 1.0 / (variance + self.spec.eps).sqrt();
                rows::norm(&rows::Norm { mean, rstd, weight }, x, bias, &out[part]);
                if let Some(cell) = means.get(r) {
                    cell.set(mean);
                }
                kept.set(rstd);
            }
        };
        cursor.pieces(cx, rows, CHUNK / cols, 1.2 * cols as f64, some)
    }
}
