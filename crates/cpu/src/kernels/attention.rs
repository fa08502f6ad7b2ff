//! Attention in tiles: scores of 48 queries and 48 keys at a time, kept in the cache and nowhere else.
//!
//! Every tile is two products forward (`q kᵀ` and `P v`) and five backward (`q kᵀ`, `dout vᵀ`, and those for dv, dk and dq). What they read is
//! copied side by side once per head, where queries are scaled and both are turned by their place.

use std::cell::Cell;
use std::collections::TryReserveError;
use std::ops::Range;

use downhill_compile::ExecError;
use downhill_graph::kernel::{AttentionPart, AttentionSpec};
use smallvec::SmallVec;

use super::{Bound, CpuKernel, Cursor, Cx, Loader, Scratch};
use crate::arena::{Memory, Operand};
use crate::simd::attention::{Product, product, transpose};
use crate::simd::rows::{self, RowScores};

/// Queries and keys of a tile: so many that a tile of scores stays in the first-level cache, and a multiple of the rows of every register tile.
const TILE: usize = 48;

type Cells<'a> = &'a [Cell<f32>];

/// The kernel with its operands.
#[derive(Clone, Debug)]
pub(crate) struct AttentionOp {
    spec: AttentionSpec,
    reads: SmallVec<[Operand; 4]>,
    writes: SmallVec<[Operand; 2]>,
    /// Where everything lies in the scratch.
    places: Places,
}

/// Where copies and tiles lie in the scratch, in elements.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    /// Queries of all heads of a group, `[heads, queries, width]`, scaled and turned.
    q: usize,
    /// Gradients of the output in the same order.
    dout: usize,
    /// Σ dout · out of every query of the group.
    delta: usize,
    /// Keys `[keys, width]`, turned.
    k: usize,
    /// The same, every tile `[width, keys of the tile]`.
    kt: usize,
    /// Values `[keys, width]`.
    v: usize,
    /// The same, every tile `[width, keys of the tile]`.
    vt: usize,
    /// Scores, then weights, of a tile.
    s: usize,
    /// Gradients of the weights, then of the scores, of a tile.
    ds: usize,
    /// Results of a tile `[TILE, width]`.
    out: usize,
    /// A second and a third one.
    out2: usize,
    out3: usize,
    /// Largest score and sum of exponentials of every query of a tile.
    rows: usize,
    /// Elements in all.
    len: usize,
}

impl Places {
    fn new(spec: &AttentionSpec) -> Self {
        let (width, backward) = (spec.width as usize, spec.part == AttentionPart::Backward);
        let (queries, keys) = (spec.queries as usize, spec.keys as usize);
        let group = (spec.heads / spec.kv_heads) as usize;
        let mut len = 0;
        let mut place = |is: bool, size: usize| {
            let at = len;
            len += if is { size.next_multiple_of(8) } else { 0 };
            at
        };
        // Transposed tiles have rows of a multiple of four.
        let transposed = keys.div_ceil(TILE) * TILE * width;
        let mut places = Self {
            q: place(true, group * queries * width),
            dout: place(backward, group * queries * width),
            delta: place(backward, group * queries),
            k: place(true, keys * width),
            kt: place(true, transposed),
            v: place(true, keys * width),
            vt: place(backward, transposed),
            s: place(true, TILE * TILE),
            ds: place(backward, TILE * TILE),
            out: place(true, TILE * width),
            out2: place(backward, TILE * width),
            out3: place(backward, TILE * width),
            rows: place(true, 2 * TILE),
            len: 0,
        };
        places.len = len;
        places
    }
}

impl CpuKernel for AttentionOp {
    type Spec = AttentionSpec;

    fn load(spec: &AttentionSpec, operands: Bound, _: &mut Loader<'_>) -> Result<Self, ExecError> {
        Ok(Self { spec: *spec, reads: operands.reads, writes: operands.writes, places: Places::new(spec) })
    }

    fn reserve(&self, scratch: &mut Scratch) -> Result<(), TryReserveError> {
        scratch.floats.grow(self.places.len)
    }

    /// A piece is a tile of queries (forward) or keys (backward), for all heads that share their keys. What is copied for them is copied again
    /// after an interruption, for other kernels may have used the scratch.
    fn run(&self, cursor: &mut Cursor, cx: &mut Cx<'_>) -> bool {
        let spec = &self.spec;
        let backward = spec.part == AttentionPart::Backward;
        let tiles = (if backward { spec.keys } else { spec.queries } as usize).div_ceil(TILE);
        let group = (spec.heads / spec.kv_heads) as usize;
        let total = (spec.batch * spec.kv_heads) as usize * tiles;
        let products = if backward { 5 } else { 2 };
        let across = if backward { spec.queries } else { spec.keys } as usize;
        let cost = (group * TILE.min(across) * across * (products * spec.width as usize + 20)) as f64 * 0.05;
        let mut ready = None;
        cursor.pieces(cx, total, 1, cost, |cx, _, at, end| {
            if at >= end {
                return;
            }
            let (unit, tile) = (at / tiles, at % tiles);
            let memory = cx.memory;
            let head = Unit::new(self, &memory, cx.scratch.floats.cells(), unit);
            if ready != Some(unit) {
                head.copy();
                ready = Some(unit);
            }
            match spec.part {
                AttentionPart::Forward => head.forward(tile),
                AttentionPart::Weights => head.weights(tile),
                AttentionPart::Backward => {
                    if tile == 0 {
                        head.clear();
                    }
                    head.backward(tile);
                }
            }
        })
    }
}

/// The heads of one sample that share their keys.
struct Unit<'a> {
    spec: &'a AttentionSpec,
    at: Places,
    /// The scratch.
    all: Cells<'a>,
    sample: usize,
    kv_head: usize,
    length: usize,
    group: usize,
    width: usize,
    q: Cells<'a>,
    kv: Cells<'a>,
    rotary: Cells<'a>,
    /// Reads and writes besides the inputs, in the kernel's order.
    others: SmallVec<[Cells<'a>; 3]>,
    writes: SmallVec<[Cells<'a>; 2]>,
}

/// Elements of `of` from `start` on.
fn part(of: Cells<'_>, start: usize, len: usize) -> Cells<'_> {
    &of[start..start + len]
}

impl<'a> Unit<'a> {
    fn new(op: &'a AttentionOp, memory: &Memory<'a>, all: Cells<'a>, unit: usize) -> Self {
        let spec = &op.spec;
        let reads: SmallVec<[Cells<'a>; 7]> = op.reads.iter().map(|o| memory.cells(o)).collect();
        let others = match spec.part {
            AttentionPart::Forward => 0,
            AttentionPart::Weights => 1,
            AttentionPart::Backward => 3,
        };
        let kv = others + usize::from(!spec.how.packed);
        let sample = unit / spec.kv_heads as usize;
        let lengths = spec.how.lengths.then(|| reads[kv + 1][sample].get() as usize);
        let rotary = if spec.how.rotary { reads[kv + 1 + usize::from(spec.how.lengths)] } else { &[] };
        Self {
            spec,
            at: op.places,
            all,
            sample,
            kv_head: unit % spec.kv_heads as usize,
            length: lengths.unwrap_or(usize::MAX),
            group: (spec.heads / spec.kv_heads) as usize,
            width: spec.width as usize,
            q: reads[others],
            kv: reads[kv],
            rotary,
            others: SmallVec::from_slice(&reads[..others]),
            writes: op.writes.iter().map(|o| memory.cells(o)).collect(),
        }
    }

    fn queries(&self) -> usize {
        self.spec.queries as usize
    }

    fn keys(&self) -> usize {
        self.spec.keys as usize
    }

    /// The head with this number in the group.
    fn head(&self, g: usize) -> usize {
        self.kv_head * self.group + g
    }

    /// Where a query of a head begins among all queries.
    fn q_place(&self, g: usize, query: usize) -> usize {
        (self.sample * self.queries() + query) * self.spec.q_stride() as usize + self.head(g) * self.width
    }

    /// Where a key or value begins among all.
    fn kv_place(&self, key: usize, at: u32) -> usize {
        (self.sample * self.keys() + key) * self.spec.kv_stride() as usize + at as usize + self.kv_head * self.width
    }

    /// Where a query's output begins.
    fn out_place(&self, g: usize, query: usize) -> usize {
        ((self.sample * self.queries() + query) * self.spec.heads as usize + self.head(g)) * self.width
    }

    /// Number of a query's row among those of all samples and heads.
    fn row(&self, g: usize, query: usize) -> usize {
        (self.sample * self.spec.heads as usize + self.head(g)) * self.queries() + query
    }

    /// `to = factor · from`, turned by its place.
    fn turn(&self, from: Cells<'_>, place: usize, factor: f32, to: Cells<'_>) {
        if self.rotary.is_empty() {
            return rows::affine(from, factor, 0.0, to);
        }
        let half = self.width / 2;
        let (cos, sin) = (part(self.rotary, place * self.width, half), part(self.rotary, place * self.width + half, half));
        for d in 0..half {
            let (a, b, c, s) = (factor * from[d].get(), factor * from[d + half].get(), cos[d].get(), sin[d].get());
            to[d].set(a * c - b * s);
            to[d + half].set(b * c + a * s);
        }
    }

    /// `to += factor · from`, turned back.
    fn add_turned_back(&self, from: Cells<'_>, place: usize, factor: f32, to: Cells<'_>) {
        if self.rotary.is_empty() {
            return to.iter().zip(from).for_each(|(to, from)| to.set(to.get() + factor * from.get()));
        }
        let half = self.width / 2;
        let (cos, sin) = (part(self.rotary, place * self.width, half), part(self.rotary, place * self.width + half, half));
        for d in 0..half {
            let (a, b, c, s) = (factor * from[d].get(), factor * from[d + half].get(), cos[d].get(), sin[d].get());
            to[d].set(to[d].get() + a * c + b * s);
            to[d + half].set(to[d + half].get() + b * c - a * s);
        }
    }

    /// Copies what tiles read.
    fn copy(&self) {
        let (at, width, backward) = (&self.at, self.width, self.spec.part == AttentionPart::Backward);
        for g in 0..self.group {
            for query in 0..self.queries() {
                let row = g * self.queries() + query;
                let to = part(self.all, at.q + row * width, width);
                self.turn(part(self.q, self.q_place(g, query), width), query, self.spec.how.scale, to);
                if backward {
                    let [dout, out] = [0, 1].map(|n: usize| part(self.others[n], self.out_place(g, query), width));
                    rows::affine(dout, 1.0, 0.0, part(self.all, at.dout + row * width, width));
                    self.all[at.delta + row].set(rows::dot(dout, out));
                }
            }
        }
        for key in 0..self.keys() {
            let [k, v] = [self.spec.k_at(), self.spec.v_at()].map(|at| part(self.kv, self.kv_place(key, at), width));
            self.turn(k, key, 1.0, part(self.all, at.k + key * width, width));
            rows::affine(v, 1.0, 0.0, part(self.all, at.v + key * width, width));
        }
        for start in (0..self.keys()).step_by(TILE) {
            let lanes = TILE.min(self.keys() - start);
            transpose(self.all, at.k + start * width, lanes, width, at.kt + start * width);
            if backward {
                transpose(self.all, at.v + start * width, lanes, width, at.vt + start * width);
            }
        }
    }

    /// The keys of a tile that a tile of queries sees at all.
    fn seen(&self, queries: Range<usize>, keys: Range<usize>) -> bool {
        let (first, last) = (self.spec.visible(queries.start, self.length), self.spec.visible(queries.end - 1, self.length));
        let (start, end) = (first.start.min(last.start), first.end.max(last.end));
        start < keys.end && keys.start < end
    }

    /// Scores of a tile: `q kᵀ` of a head, `[queries, keys]`.
    fn scores(&self, g: usize, queries: Range<usize>, keys: Range<usize>) {
        let (at, width) = (&self.at, self.width);
        product(
            self.all,
            &Product {
                m: queries.len(),
                n: keys.len(),
                k: width,
                a: at.q + (g * self.queries() + queries.start) * width,
                a_strides: (width, 1),
                b: at.kt + keys.start * width,
                b_row: keys.len().next_multiple_of(4),
                c: at.s,
                accumulate: false,
            },
        );
    }

    /// The part of a tile's row that a query sees, as places in the tile.
    fn row_seen(&self, query: usize, keys: &Range<usize>) -> Range<usize> {
        let seen = self.spec.visible(query, self.length);
        let (start, end) = (seen.start.clamp(keys.start, keys.end), seen.end.clamp(keys.start, keys.end));
        start - keys.start..end.max(start) - keys.start
    }

    fn row_scores(&self, g: usize, query: usize, first_key: usize) -> RowScores {
        RowScores {
            cap: self.spec.how.soft_cap,
            slope: self.spec.slope(self.head(g) as u32),
            distance: query as f32 - first_key as f32,
        }
    }

    fn forward(&self, tile: usize) {
        let (at, width) = (&self.at, self.width);
        let queries = tile * TILE..self.queries().min((tile + 1) * TILE);
        let out = part(self.all, at.out, queries.len() * width);
        let (largest, sums) = (part(self.all, at.rows, TILE), part(self.all, at.rows + TILE, TILE));
        for g in 0..self.group {
            largest.iter().for_each(|c| c.set(f32::NEG_INFINITY));
            out.iter().chain(sums).for_each(|c| c.set(0.0));
            for start in (0..self.keys()).step_by(TILE) {
                let keys = start..self.keys().min(start + TILE);
                if !self.seen(queries.clone(), keys.clone()) {
                    continue;
                }
                self.scores(g, queries.clone(), keys.clone());
                for (i, query) in queries.clone().enumerate() {
                    let row = part(self.all, at.s + i * keys.len(), keys.len());
                    let seen = self.row_seen(query, &keys);
                    let kept = self.weigh(g, query, keys.start, (row, seen), (&largest[i], &sums[i]));
                    if kept != 1.0 {
                        let out = &out[i * width..(i + 1) * width];
                        rows::affine(out, kept, 0.0, out);
                    }
                }
                product(
                    self.all,
                    &Product {
                        m: queries.len(),
                        n: width,
                        k: keys.len(),
                        a: at.s,
                        a_strides: (keys.len(), 1),
                        b: at.v + keys.start * width,
                        b_row: width,
                        c: at.out,
                        accumulate: true,
                    },
                );
            }
            for (i, query) in queries.clone().enumerate() {
                let (sum, to) = (sums[i].get(), part(self.writes[0], self.out_place(g, query), width));
                let (factor, lse) = if sum > 0.0 { (1.0 / sum, largest[i].get() + sum.ln()) } else { (0.0, 0.0) };
                rows::affine(&out[i * width..(i + 1) * width], factor, 0.0, to);
                self.writes[1][self.row(g, query)].set(lse);
            }
        }
    }

    /// Turns the scores of a query in a tile into exponentials, takes the largest and the sum further, and returns the factor for what was added
    /// up with an earlier largest.
    fn weigh(
        &self,
        g: usize,
        query: usize,
        first_key: usize,
        (row, seen): (Cells<'_>, Range<usize>),
        (largest, sum): (&Cell<f32>, &Cell<f32>),
    ) -> f32 {
        row[..seen.start].iter().chain(&row[seen.end..]).for_each(|c| c.set(0.0));
        if seen.is_empty() {
            return 1.0;
        }
        let how = self.row_scores(g, query, first_key + seen.start);
        let row = &row[seen];
        if how.bends() {
            rows::bend_scores(row, how);
        }
        let before = largest.get();
        let new = before.max(rows::max(row));
        let kept = if new > before { (before - new).exp() } else { 1.0 };
        largest.set(new);
        sum.set(sum.get() * kept + rows::exp_shifted(row, new, row));
        kept
    }

    fn weights(&self, tile: usize) {
        for g in 0..self.group {
            for start in (0..self.keys()).step_by(TILE) {
                let (queries, keys) =
                    (tile * TILE..self.queries().min((tile + 1) * TILE), start..self.keys().min(start + TILE));
                self.scores(g, queries.clone(), keys.clone());
                for (i, query) in queries.enumerate() {
                    let (row, seen) = (self.row(g, query), self.row_seen(query, &keys));
                    let to = part(self.writes[0], row * self.keys() + keys.start, keys.len());
                    to.iter().for_each(|c| c.set(0.0));
                    let scores = &part(self.all, self.at.s + i * keys.len(), keys.len())[seen.clone()];
                    let how = self.row_scores(g, query, keys.start + seen.start);
                    if how.bends() {
                        rows::bend_scores(scores, how);
                    }
                    rows::exp_shifted(scores, self.others[0][row].get(), &to[seen]);
                }
            }
        }
    }

    /// Zeros where gradients of queries are added up.
    fn clear(&self) {
        for g in 0..self.group {
            for query in 0..self.queries() {
                part(self.writes[0], self.q_place(g, query), self.width).iter().for_each(|c| c.set(0.0));
            }
        }
    }

    fn backward(&self, tile: usize) {
        let (at, width) = (&self.at, self.width);
        let keys = tile * TILE..self.keys().min((tile + 1) * TILE);
        let (dk, dv) = (part(self.all, at.out, keys.len() * width), part(self.all, at.out2, keys.len() * width));
        dk.iter().chain(dv).for_each(|c| c.set(0.0));
        for g in 0..self.group {
            for start in (0..self.queries()).step_by(TILE) {
                let queries = start..self.queries().min(start + TILE);
                if self.seen(queries.clone(), keys.clone()) {
                    self.backward_tile(g, queries, keys.clone());
                }
            }
        }
        let to = self.writes[usize::from(!self.spec.how.packed)];
        for (i, key) in keys.enumerate() {
            let [k, v] = [self.spec.k_at(), self.spec.v_at()].map(|at| part(to, self.kv_place(key, at), width));
            k.iter().for_each(|c| c.set(0.0));
            self.add_turned_back(&dk[i * width..(i + 1) * width], key, 1.0, k);
            rows::affine(&dv[i * width..(i + 1) * width], 1.0, 0.0, v);
        }
    }

    /// Adds what a tile gives to dk and dv in the scratch and to dq at its place.
    fn backward_tile(&self, g: usize, queries: Range<usize>, keys: Range<usize>) {
        let (at, width, (m, n)) = (&self.at, self.width, (queries.len(), keys.len()));
        let first = g * self.queries() + queries.start;
        let by = |a, a_strides, sizes: (usize, usize, usize), b, b_row, c, accumulate| {
            let (m, n, k) = sizes;
            product(self.all, &Product { m, n, k, a, a_strides, b, b_row, c, accumulate });
        };
        self.scores(g, queries.clone(), keys.clone());
        by(at.dout + first * width, (width, 1), (m, n, width), at.vt + keys.start * width, n.next_multiple_of(4), at.ds, false);
        for (i, query) in queries.clone().enumerate() {
            let seen = self.row_seen(query, &keys);
            let [p, ds] = [at.s, at.ds].map(|tile| part(self.all, tile + i * n, n));
            for row in [p, ds] {
                row[..seen.start].iter().chain(&row[seen.end..]).for_each(|c| c.set(0.0));
            }
            let how = self.row_scores(g, query, keys.start + seen.start);
            let (lse, delta) = (self.others[2][self.row(g, query)].get(), self.all[at.delta + first + i].get());
            rows::score_grads(&p[seen.clone()], &ds[seen], how, lse, delta);
        }
        by(at.s, (1, n), (n, width, m), at.dout + first * width, width, at.out2, true);
        by(at.ds, (1, n), (n, width, m), at.q + first * width, width, at.out, true);
        by(at.ds, (n, 1), (m, width, n), at.k + keys.start * width, width, at.out3, false);
        let scale = self.spec.how.scale;
        for (i, query) in queries.enumerate() {
            let to = part(self.writes[0], self.q_place(g, query), width);
            self.add_turned_back(part(self.all, at.out3 + i * width, width), query, scale, to);
        }
    }
}
