//! Sums, means, largest and smallest along the middle axis of a fused expression.

use std::cell::Cell;
use std::collections::TryReserveError;

use downhill_compile::ExecError;
use downhill_graph::kernel::{ReduceKind, ReduceSpec};

use super::{Bound, CpuKernel, Cursor, Cx, Loader, Scratch};
use crate::arena::Operand;
use crate::vm::{MapOp, Target, Walk};

/// Reduces the middle axis of a fused expression over `[outer, reduced, inner]`.
#[derive(Clone, Debug)]
pub(crate) struct ReduceOp {
    map: MapOp,
    kind: ReduceKind,
    reduced: usize,
    inner: usize,
    out: Operand,
}

impl CpuKernel for ReduceOp {
    type Spec = ReduceSpec;

    fn load(spec: &ReduceSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        let [_, reduced, inner] = spec.sizes().map(|n| n as usize);
        let out = operands.writes[0];
        let walk = Walk::new(&spec.map.shape, &spec.map.read_strides);
        let map = MapOp::new(&spec.map.expr, walk, operands.reads, operands.writes, &|_| false)?;
        Ok(Self { map, kind: spec.kind, reduced, inner, out })
    }

    fn reserve(&self, scratch: &mut Scratch) -> Result<(), TryReserveError> {
        scratch.machine.reserve(&self.map)
    }

    /// `cursor.at` is the element, `cursor.sums` the row that is being reduced.
    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let out = cx.memory.cells(&self.out);
        let some = |cx: &mut Cx<'_>, cursor: &mut Cursor, start, end| {
            let mut row = RowSum::resume(self.kind, cursor.sums, start);
            let mut show = |at: usize, tile: &[f32]| match self.inner {
                1 => row.take(at, tile, self.reduced, out),
                _ => self.columns(at, tile, out),
            };
            cx.scratch.machine.run(&self.map, &cx.memory, cx.step, (start, end), None, Target::Tiles(&mut show));
            cursor.sums = [row.sum, f64::from(row.best)];
        };
        if !cursor.pieces(cx, self.map.walk.total(), self.map.chunk(), f64::from(self.map.cost), some) {
            return false;
        }
        if self.inner > 1 && self.kind == ReduceKind::Mean {
            let scale = 1.0 / self.reduced as f32;
            out.iter().for_each(|c| c.set(c.get() * scale));
        }
        true
    }
}

impl ReduceOp {
    /// Adds a tile to the columns it belongs to, run by run.
    fn columns(&self, at: usize, tile: &[f32], out: &[Cell<f32>]) {
        let mut done = 0;
        while done < tile.len() {
            let (row, column) = ((at + done) / self.inner, (at + done) % self.inner);
            let run = (self.inner - column).min(tile.len() - done);
            let first = row / self.reduced * self.inner + column;
            let (to, from) = (&out[first..first + run], &tile[done..done + run]);
            if row % self.reduced == 0 {
                to.iter().zip(from).for_each(|(t, f)| t.set(*f));
            } else {
                match self.kind {
                    ReduceKind::Sum | ReduceKind::Mean => to.iter().zip(from).for_each(|(t, f)| t.set(t.get() + f)),
                    ReduceKind::Max => to.iter().zip(from).for_each(|(t, f)| t.set(larger(t.get(), *f))),
                    ReduceKind::Min => to.iter().zip(from).for_each(|(t, f)| t.set(-larger(-t.get(), -f))),
                }
            }
            done += run;
        }
    }
}

/// A row that is being reduced while its tiles come by. Sums are kept in f64 from tile to tile.
struct RowSum {
    kind: ReduceKind,
    sum: f64,
    best: f32,
}

impl RowSum {
    fn new(kind: ReduceKind) -> Self {
        Self { kind, sum: 0.0, best: f32::NEG_INFINITY }
    }

    /// The row as it was left, unless this is the start of the first.
    fn resume(kind: ReduceKind, [sum, best]: [f64; 2], at: usize) -> Self {
        if at == 0 { Self::new(kind) } else { Self { kind, sum, best: best as f32 } }
    }

    fn take(&mut self, at: usize, tile: &[f32], reduced: usize, out: &[Cell<f32>]) {
        let mut done = 0;
        while done < tile.len() {
            let (row, column) = ((at + done) / reduced, (at + done) % reduced);
            let run = (reduced - column).min(tile.len() - done);
            let part = &tile[done..done + run];
            match self.kind {
                ReduceKind::Sum | ReduceKind::Mean => self.sum += f64::from(sum(part)),
                ReduceKind::Max => self.best = part.iter().fold(self.best, |m, &x| larger(m, x)),
                ReduceKind::Min => self.best = part.iter().fold(self.best, |m, &x| larger(m, -x)),
            }
            done += run;
            if column + run == reduced {
                out[row].set(match self.kind {
                    ReduceKind::Sum => self.sum as f32,
                    ReduceKind::Mean => (self.sum / reduced as f64) as f32,
                    ReduceKind::Max => self.best,
                    ReduceKind::Min => -self.best,
                });
                *self = Self::new(self.kind);
            }
        }
    }
}

/// The larger one; NaN if either is.
fn larger(a: f32, b: f32) -> f32 {
    if a.is_nan() || a > b { a } else { b }
}

/// Sum in eight lanes, so that the compiler can use vectors.
fn sum(part: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let chunks = part.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}
