//! One time step of recurrent cells: the product of a few states with weights that stay packed, and the gates of one sequence.

use std::cell::Cell;

use downhill_graph::kernel::RecurrentCell;

use super::gemm::{self, Block, Start};
use super::pack::{Pack, pack};
use super::rows::{get, put};
use super::{Lanes, math, versions};

/// Greatest depth of a block, so that a panel of the weights stays in the first-level cache.
const KC: usize = 272;

/// A product `c = start + a·w` with few rows, of which `w` is packed once for many of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    /// Rows of `a` and `c`.
    pub rows: usize,
    /// Columns of `w` and `c`.
    pub columns: usize,
    /// Columns of `a`, rows of `w`.
    pub depth: usize,
}

impl Product {
    /// Depth of a block; blocks are as equal as can be.
    fn block(&self) -> usize {
        self.depth.div_ceil(self.depth.div_ceil(KC).max(1))
    }

    fn padded(&self) -> usize {
        self.columns.next_multiple_of(gemm::tile().1)
    }

    /// Elements of the packed weights.
    pub fn weights(&self) -> usize {
        self.padded().saturating_mul(self.depth)
    }

    /// Elements of the packed rows.
    pub fn panel(&self) -> usize {
        self.rows.next_multiple_of(gemm::tile().0).saturating_mul(self.block())
    }

    /// Packs weights whose element (depth, column) is at `depth·strides.0 + column·strides.1`.
    pub fn pack(&self, w: &[Cell<f32>], (depth_stride, lane_stride): (usize, usize), weights: &[Cell<f32>]) {
        assert!(w.len() >= self.depth * self.columns && weights.len() >= self.weights(), "room for the weights");
        for start in (0..self.depth).step_by(self.block()) {
            let what = Pack {
                src: w[start * depth_stride..].as_ptr().cast(),
                lanes: self.columns,
                depth: self.block().min(self.depth - start),
                lane_stride,
                depth_stride,
                width: gemm::tile().1,
                panel: self.block().min(self.depth - start),
                dst: weights[start * self.padded()..].as_ptr().cast_mut().cast(),
            };
            // SAFETY: the operands have the room that the assertion says; cells may be written.
            unsafe { pack(&what) };
        }
    }

    /// Rows of `a` are `stride` apart, those of `c` follow each other. Sums start from the bias or else from what `c` holds.
    pub fn multiply(
        &self,
        (a, stride): (&[Cell<f32>], usize),
        weights: &[Cell<f32>],
        panel: &[Cell<f32>],
        c: &[Cell<f32>],
        bias: Option<&[Cell<f32>]>,
    ) {
        let room = a.len() >= (self.rows - 1) * stride + self.depth && c.len() >= self.rows * self.columns;
        assert!(room && weights.len() >= self.weights() && panel.len() >= self.panel(), "room for a product");
        assert!(bias.is_none_or(|bias| bias.len() >= self.columns), "a bias per column");
        for at in (0..self.depth).step_by(self.block()) {
            let depth = self.block().min(self.depth - at);
            let rows = Pack {
                src: a[at..].as_ptr().cast(),
                lanes: self.rows,
                depth,
                lane_stride: stride,
                depth_stride: 1,
                width: gemm::tile().0,
                panel: depth,
                dst: panel.as_ptr().cast_mut().cast(),
            };
            let block = Block {
                rows: self.rows,
                columns: self.columns,
                k: depth,
                a: panel.as_ptr().cast(),
                b: weights[at * self.padded()..].as_ptr().cast(),
                c: c.as_ptr().cast_mut().cast(),
                ldc: self.columns,
                start: match bias {
                    Some(bias) if at == 0 => Start::Bias(bias.as_ptr().cast()),
                    _ => Start::Accumulate,
                },
            };
            // SAFETY: the operands have the room that the assertions say; buffers can be read beyond their end.
            unsafe {
                pack(&rows);
                gemm::block(&block);
            }
        }
    }
}

/// The operands of one sequence at one time step; each part of them has `hidden` elements.
pub(crate) struct Forward<'a> {
    pub cell: RecurrentCell,
    pub hidden: usize,
    /// Input projections.
    pub x: &'a [Cell<f32>],
    /// Recurrent ones.
    pub q: &'a [Cell<f32>],
    /// The states before, which become those after.
    pub h: &'a [Cell<f32>],
    pub c: &'a [Cell<f32>],
    /// Where the hidden state goes, and the gates.
    pub out: &'a [Cell<f32>],
    pub kept: &'a [Cell<f32>],
}

/// The same on the way back.
pub(crate) struct Backward<'a> {
    pub cell: RecurrentCell,
    pub hidden: usize,
    /// The states after the step and before it; `None` is zero.
    pub after: &'a [Cell<f32>],
    pub before: Option<&'a [Cell<f32>]>,
    pub cell_before: Option<&'a [Cell<f32>]>,
    pub kept: &'a [Cell<f32>],
    /// Gradient of the hidden state, besides what comes from the steps after it.
    pub dh: Option<&'a [Cell<f32>]>,
    /// The gradients of the states: what the steps after gave, which becomes what goes on without passing the weights.
    pub carry: &'a [Cell<f32>],
    pub carry_c: &'a [Cell<f32>],
    pub dx: &'a [Cell<f32>],
    pub dq: &'a [Cell<f32>],
    /// Where the state before goes.
    pub copy: &'a [Cell<f32>],
}

/// Gates and states of one step.
pub(crate) fn forward(step: &Forward<'_>) {
    versions! {
        /// One version per instruction set.
        ///
        /// # Safety
        /// None; the operands are slices.
        unsafe fn versioned(step: &Forward<'_>) {
            forward_lanes::<L>(step);
        }
    }
    // SAFETY: none is needed.
    unsafe { versioned(step) }
}

/// Gradients of one step.
pub(crate) fn backward(step: &Backward<'_>) {
    versions! {
        /// One version per instruction set.
        ///
        /// # Safety
        /// None; the operands are slices.
        unsafe fn versioned(step: &Backward<'_>) {
            backward_lanes::<L>(step);
        }
    }
    // SAFETY: none is needed.
    unsafe { versioned(step) }
}

/// Units from `at` on of part `part`.
#[inline(always)]
fn part<L: Lanes>(all: &[Cell<f32>], hidden: usize, part: usize, at: usize) -> L {
    get(&all[part * hidden..(part + 1) * hidden], at, 0.0)
}

#[inline(always)]
fn put_part<L: Lanes>(all: &[Cell<f32>], hidden: usize, part: usize, at: usize, value: L) {
    put(&all[part * hidden..(part + 1) * hidden], at, value);
}

/// 1 − s
#[inline(always)]
fn rest<L: Lanes>(s: L) -> L {
    L::splat(1.0).sub(s)
}

/// s·(1 − s), the derivative of a sigmoid.
#[inline(always)]
fn slope<L: Lanes>(s: L) -> L {
    s.mul(rest(s))
}

#[inline(always)]
fn forward_lanes<L: Lanes>(s: &Forward<'_>) {
    let (n, mut at) = (s.hidden, 0);
    while at < n {
        let new = match s.cell {
            RecurrentCell::RnnTanh => math::tanh(part::<L>(s.x, n, 0, at).add(part(s.q, n, 0, at))),
            RecurrentCell::RnnRelu => {
                let sum = part::<L>(s.x, n, 0, at).add(part(s.q, n, 0, at));
                math::max(sum, L::splat(0.0))
            }
            RecurrentCell::Lstm => lstm_lanes::<L>(s, at),
            RecurrentCell::Gru => gru_lanes::<L>(s, at),
        };
        put(s.h, at, new);
        put(s.out, at, new);
        at += L::N;
    }
}

#[inline(always)]
fn lstm_lanes<L: Lanes>(s: &Forward<'_>, at: usize) -> L {
    let n = s.hidden;
    let i = math::sigmoid(part::<L>(s.x, n, 0, at).add(part(s.q, n, 0, at)));
    let f = math::sigmoid(part::<L>(s.x, n, 1, at).add(part(s.q, n, 1, at)));
    let g = math::tanh(part::<L>(s.x, n, 2, at).add(part(s.q, n, 2, at)));
    let o = math::sigmoid(part::<L>(s.x, n, 3, at).add(part(s.q, n, 3, at)));
    let c = f.mul(get(s.c, at, 0.0)).add(i.mul(g));
    put(s.c, at, c);
    put_part(s.kept, n, 0, at, i);
    put_part(s.kept, n, 1, at, f);
    put_part(s.kept, n, 2, at, g);
    put_part(s.kept, n, 3, at, o);
    put_part(s.kept, n, 4, at, c);
    o.mul(math::tanh(c))
}

#[inline(always)]
fn gru_lanes<L: Lanes>(s: &Forward<'_>, at: usize) -> L {
    let n = s.hidden;
    let r = math::sigmoid(part::<L>(s.x, n, 0, at).add(part(s.q, n, 0, at)));
    let z = math::sigmoid(part::<L>(s.x, n, 1, at).add(part(s.q, n, 1, at)));
    let q = part::<L>(s.q, n, 2, at);
    let new = math::tanh(r.fma(q, part(s.x, n, 2, at)));
    put_part(s.kept, n, 0, at, r);
    put_part(s.kept, n, 1, at, z);
    put_part(s.kept, n, 2, at, new);
    put_part(s.kept, n, 3, at, q);
    rest(z).mul(new).add(z.mul(get(s.h, at, 0.0)))
}

/// The vector of a state from `at` on; 0 where there is none.
#[inline(always)]
fn state<L: Lanes>(state: Option<&[Cell<f32>]>, at: usize) -> L {
    match state {
        Some(state) => get(state, at, 0.0),
        None => L::splat(0.0),
    }
}

#[inline(always)]
fn backward_lanes<L: Lanes>(s: &Backward<'_>) {
    let (n, mut at) = (s.hidden, 0);
    while at < n {
        let dh = get::<L>(s.carry, at, 0.0).add(state(s.dh, at));
        let before = state::<L>(s.before, at);
        let direct = match s.cell {
            RecurrentCell::RnnTanh => {
                let after = get::<L>(s.after, at, 0.0);
                put(s.dx, at, dh.mul(rest(after.mul(after))));
                L::splat(0.0)
            }
            RecurrentCell::RnnRelu => {
                let active = L::splat(0.0).lt(get(s.after, at, 0.0));
                put(s.dx, at, active.select(dh, L::splat(0.0)));
                L::splat(0.0)
            }
            RecurrentCell::Lstm => {
                lstm_back::<L>(s, at, dh);
                L::splat(0.0)
            }
            RecurrentCell::Gru => gru_back::<L>(s, at, dh, before),
        };
        put(s.copy, at, before);
        put(s.carry, at, direct);
        at += L::N;
    }
}

#[inline(always)]
fn lstm_back<L: Lanes>(s: &Backward<'_>, at: usize, dh: L) {
    let n = s.hidden;
    let (i, f) = (part::<L>(s.kept, n, 0, at), part::<L>(s.kept, n, 1, at));
    let (g, o) = (part::<L>(s.kept, n, 2, at), part::<L>(s.kept, n, 3, at));
    let t = math::tanh(part::<L>(s.kept, n, 4, at));
    let dc = get::<L>(s.carry_c, at, 0.0).add(dh.mul(o).mul(rest(t.mul(t))));
    put_part(s.dx, n, 0, at, dc.mul(g).mul(slope(i)));
    put_part(s.dx, n, 1, at, dc.mul(state(s.cell_before, at)).mul(slope(f)));
    put_part(s.dx, n, 2, at, dc.mul(i).mul(rest(g.mul(g))));
    put_part(s.dx, n, 3, at, dh.mul(t).mul(slope(o)));
    put(s.carry_c, at, dc.mul(f));
}

#[inline(always)]
fn gru_back<L: Lanes>(s: &Backward<'_>, at: usize, dh: L, before: L) -> L {
    let n = s.hidden;
    let (r, z) = (part::<L>(s.kept, n, 0, at), part::<L>(s.kept, n, 1, at));
    let (new, q) = (part::<L>(s.kept, n, 2, at), part::<L>(s.kept, n, 3, at));
    let dn = dh.mul(rest(z)).mul(rest(new.mul(new)));
    let (dr, dz) = (dn.mul(q).mul(slope(r)), dh.mul(before.sub(new)).mul(slope(z)));
    put_part(s.dx, n, 0, at, dr);
    put_part(s.dx, n, 1, at, dz);
    put_part(s.dx, n, 2, at, dn);
    put_part(s.dq, n, 0, at, dr);
    put_part(s.dq, n, 1, at, dz);
    put_part(s.dq, n, 2, at, dn.mul(r));
    dh.mul(z)
}
