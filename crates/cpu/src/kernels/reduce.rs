use std::cell::Cell;

use downhill_graph::StepScalars;
use downhill_graph::kernel::ReduceKind;

use crate::arena::{Memory, Operand};
use crate::vm::{Machine, MapOp, Target};

/// Reduces the middle axis of a fused expression over `[outer, reduced, inner]`.
#[derive(Clone, Debug)]
pub(crate) struct ReduceOp {
    pub map: MapOp,
    pub kind: ReduceKind,
    pub reduced: usize,
    pub inner: usize,
    pub out: Operand,
}

impl ReduceOp {
    pub fn run(&self, machine: &mut Machine, memory: &Memory<'_>, step: &StepScalars) {
        let out = memory.cells(&self.out);
        let total = out.len() * self.reduced;
        if self.inner == 1 {
            let mut row = RowSum::new(self.kind);
            let mut show = |at: usize, tile: &[f32]| row.take(at, tile, self.reduced, out);
            machine.run(&self.map, memory, step, (0, total), None, Target::Tiles(&mut show));
        } else {
            let mut show = |at: usize, tile: &[f32]| self.columns(at, tile, out);
            machine.run(&self.map, memory, step, (0, total), None, Target::Tiles(&mut show));
            if self.kind == ReduceKind::Mean {
                let scale = 1.0 / self.reduced as f32;
                out.iter().for_each(|c| c.set(c.get() * scale));
            }
        }
    }

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
