//! Recurrent cells over time: per step one product of the states with the packed weights, then the gates of each sequence.

use std::cell::Cell;
use std::collections::TryReserveError;

use downhill_compile::ExecError;
use downhill_graph::kernel::{KernelDef, Pass, RecurrentCell, ScanSpec};

use super::{Bound, CpuKernel, Cursor, Cx, Loader, Scratch};
use crate::arena::{Buffer, Memory, Operand};
use crate::simd::scan::{Backward, Forward, Product, backward, forward};

/// The kernel with its operands. Those that it does not have are `None`.
#[derive(Clone, Debug)]
pub(crate) struct ScanOp {
    spec: ScanSpec,
    x: Option<Operand>,
    w: Operand,
    b: Option<Operand>,
    h: Operand,
    last: Option<Operand>,
    kept: Option<Operand>,
    lengths: Option<Operand>,
    initial: [Option<Operand>; 2],
    back: Back,
}

/// What only the way back has.
#[derive(Clone, Debug, Default)]
struct Back {
    dh: Option<Operand>,
    dlast: Option<Operand>,
    dx: Option<Operand>,
    dq: Option<Operand>,
    before: Option<Operand>,
    initial: [Option<Operand>; 2],
}

/// Scratch of scans: packed weights, packed rows, and what goes on from step to step.
#[derive(Default)]
pub(crate) struct States {
    weights: Buffer,
    panel: Buffer,
    /// Recurrent projections of one step.
    q: Buffer,
    /// h, or its gradient; then c, or its gradient.
    h: Buffer,
    c: Buffer,
}

type Cells<'a> = &'a [Cell<f32>];

fn copy(from: Option<Cells<'_>>, to: Cells<'_>) {
    match from {
        Some(from) => to.iter().zip(from).for_each(|(to, from)| to.set(from.get())),
        None => to.iter().for_each(|to| to.set(0.0)),
    }
}

impl ScanOp {
    fn sizes(&self) -> (usize, usize, usize) {
        (self.spec.batch as usize, self.spec.steps as usize, self.spec.hidden as usize)
    }

    fn cell(&self) -> RecurrentCell {
        self.spec.recurrence.cell
    }

    fn product(&self) -> Product {
        let (rows, _, hidden) = self.sizes();
        let all = self.cell().parts() * hidden;
        match self.spec.pass {
            Pass::Forward => Product { rows, columns: all, depth: hidden },
            Pass::Backward { .. } => Product { rows, columns: hidden, depth: all },
        }
    }

    /// Whether a sequence has the step `t`.
    fn counts(&self, memory: &Memory<'_>, row: usize, t: usize) -> bool {
        self.lengths.as_ref().is_none_or(|l| (t as f32) < memory.cells(l)[row].get())
    }

    /// `width` parts of an operand at a step of a sequence; nothing of an operand that is not there.
    fn at<'a>(&self, memory: &Memory<'a>, operand: Option<&Operand>, width: usize, row: usize, t: usize) -> Cells<'a> {
        let (_, steps, hidden) = self.sizes();
        let (start, len) = ((row * steps + t) * width * hidden, width * hidden);
        operand.map_or(&[], |o| &memory.cells(o)[start..start + len])
    }

    /// The `i`-th step that is computed forwards.
    fn time(&self, i: usize) -> usize {
        if self.spec.recurrence.reverse { self.spec.steps as usize - 1 - i } else { i }
    }

    fn forward(&self, i: usize, memory: &Memory<'_>, scratch: &mut States) {
        let (batch, steps, hidden) = self.sizes();
        let (cell, product, t) = (self.cell(), self.product(), self.time(i));
        let cells = |operand: &Option<Operand>| operand.as_ref().map(|o| memory.cells(o));
        let States { weights, panel, q, h, c } = scratch;
        let (weights, panel, q, c) = (weights.cells(), panel.cells(), q.cells(), c.cells());
        let h = &h.cells()[..batch * hidden];
        if i == 0 {
            product.pack(memory.cells(&self.w), (1, hidden), weights);
            copy(cells(&self.initial[0]), h);
            copy(cells(&self.initial[1]), &c[..batch * hidden * (cell.states() - 1)]);
        }
        product.multiply((h, hidden), weights, panel, q, cells(&self.b));
        for row in 0..batch {
            let own = row * hidden..(row + 1) * hidden;
            let (out, kept) =
                (self.at(memory, Some(&self.h), 1, row, t), self.at(memory, self.kept.as_ref(), cell.kept(), row, t));
            if !self.counts(memory, row, t) {
                [out, kept].into_iter().for_each(|operand| copy(None, operand));
                continue;
            }
            let width = cell.parts() * hidden;
            forward(&Forward {
                cell,
                hidden,
                x: self.at(memory, self.x.as_ref(), cell.parts(), row, t),
                q: &q[row * width..(row + 1) * width],
                h: &h[own.clone()],
                c: if cell.states() > 1 { &c[own] } else { &[] },
                out,
                kept,
            });
        }
        if let (true, Some(last)) = (i + 1 == steps, cells(&self.last)) {
            copy(Some(h), last);
        }
    }

    fn backward(&self, i: usize, memory: &Memory<'_>, scratch: &mut States) {
        let (batch, steps, hidden) = self.sizes();
        let (cell, product, back) = (self.cell(), self.product(), &self.back);
        let order = steps - 1 - i;
        let t = self.time(order);
        let cells = |operand: &Option<Operand>| operand.as_ref().map(|o| memory.cells(o));
        let States { weights, panel, h, c, .. } = scratch;
        let (weights, panel) = (weights.cells(), panel.cells());
        let (carry, carry_c) = (&h.cells()[..batch * hidden], &c.cells()[..batch * hidden * (cell.states() - 1)]);
        if i == 0 {
            product.pack(memory.cells(&self.w), (hidden, 1), weights);
            copy(cells(&back.dlast), carry);
            copy(None, carry_c);
        }
        for row in 0..batch {
            let own = row * hidden..(row + 1) * hidden;
            let dx = self.at(memory, back.dx.as_ref(), cell.parts(), row, t);
            let dq = self.at(memory, back.dq.as_ref(), cell.parts(), row, t);
            let before_out = self.at(memory, back.before.as_ref(), 1, row, t);
            if !self.counts(memory, row, t) {
                [dx, dq, before_out].into_iter().for_each(|operand| copy(None, operand));
                continue;
            }
            // The step before, if it is one of the sequence's; the first one starts from the initial states.
            let previous = order.checked_sub(1).map(|order| self.time(order)).filter(|&t| self.counts(memory, row, t));
            let start = |n: usize| self.initial[n].as_ref().map(|o| &memory.cells(o)[own.clone()]);
            let before = previous.map_or_else(|| start(0), |t| Some(self.at(memory, Some(&self.h), 1, row, t)));
            let kept = |t| self.at(memory, self.kept.as_ref(), cell.kept(), row, t);
            let cell_before = match previous {
                _ if cell.states() == 1 => None,
                Some(t) => Some(&kept(t)[(cell.kept() - 1) * hidden..]),
                None => start(1),
            };
            backward(&Backward {
                cell,
                hidden,
                after: self.at(memory, Some(&self.h), 1, row, t),
                before,
                cell_before,
                kept: kept(t),
                dh: back.dh.as_ref().map(|o| self.at(memory, Some(o), 1, row, t)),
                carry: &carry[own.clone()],
                carry_c: if cell.states() > 1 { &carry_c[own.clone()] } else { &[] },
                dx,
                dq,
                copy: before_out,
            });
        }
        let width = cell.parts() * hidden;
        if let Some(dq) = cells(&back.dq).or(cells(&back.dx)) {
            product.multiply((&dq[t * width..], steps * width), weights, panel, carry, None);
        }
        if i + 1 == steps {
            for (state, to) in [carry, carry_c].into_iter().zip(&back.initial) {
                cells(to).into_iter().for_each(|to| copy(Some(state), to));
            }
        }
    }
}

impl CpuKernel for Box<ScanOp> {
    type Spec = ScanSpec;
    const AT_ONCE: bool = false;

    fn load(spec: &ScanSpec, operands: Bound, loader: &mut Loader<'_>) -> Result<Self, ExecError> {
        let named = spec.operands();
        let reads = named.reads.iter().zip(&operands.reads);
        let all: Vec<_> = reads.chain(named.writes.iter().zip(&operands.writes)).collect();
        let find = |name: &str| all.iter().find(|(access, _)| access.name == *name).map(|(_, operand)| **operand);
        let missing = |what: &str| loader.fail(&format!("it has no operand {what}"));
        Ok(Box::new(ScanOp {
            spec: *spec,
            x: find("x"),
            w: find("w").ok_or_else(|| missing("w"))?,
            b: find("b"),
            h: find("h").ok_or_else(|| missing("h"))?,
            last: find("last"),
            kept: find("kept"),
            lengths: find("lengths"),
            initial: ["h0", "c0"].map(find),
            back: Back {
                dh: find("dh"),
                dlast: find("dlast"),
                dx: find("dx"),
                dq: find("dq"),
                before: find("before"),
                initial: ["dh0", "dc0"].map(find),
            },
        }))
    }

    fn reserve(&self, scratch: &mut Scratch) -> Result<(), TryReserveError> {
        let ((batch, _, hidden), product) = (self.sizes(), self.product());
        let States { weights, panel, q, h, c } = &mut scratch.states;
        weights.grow(product.weights())?;
        panel.grow(product.panel())?;
        q.grow(batch * self.cell().parts() * hidden)?;
        h.grow(batch * hidden)?;
        c.grow(batch * hidden)
    }

    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let (_, steps, _) = self.sizes();
        let per_step = self.spec.flops() as f64 * 0.05 / steps as f64;
        let some = |cx: &mut Cx<'_>, _: &mut Cursor, start: usize, end: usize| {
            for i in start..end {
                match self.spec.pass {
                    Pass::Forward => self.forward(i, &cx.memory, &mut cx.scratch.states),
                    Pass::Backward { .. } => self.backward(i, &cx.memory, &mut cx.scratch.states),
                }
            }
        };
        cursor.pieces(cx, steps, 1, per_step, some)
    }
}
