//! Attention in tiles: scores of a strip of queries with 72 keys at a time, kept in the cache and nowhere else. Of a tile, only the keys that the
//! strip sees are computed: of 64 causal tokens in strips of 16 that is 2560 scores, of which 2080 count.
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
use crate::simd::attention::{Product, Strip, WHOLE, log_sums, product, transpose, weigh, weigh_back};
use crate::simd::rows::{self, RowScores};

/// Keys of a tile: so many that it stays in the first-level cache with what it is multiplied with, and a multiple of the rows of every register tile.
const KEYS: usize = 72;
/// Queries of a strip, multiples of the same. They are few, so that little is computed that is not seen; where registers are wide, those that sums run
/// over on the way back are more, for each sum is read and written once per strip.
const STRIP: usize = if cfg!(target_arch = "x86_64") { 12 } else { 16 };
const STRIP_BACK: usize = if cfg!(target_arch = "x86_64") { 24 } else { 16 };
/// Queries between two looks at the clock.
const QUERIES: usize = 48;

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
    /// Scores, then weights, of a strip and a tile.
    s: usize,
    /// Gradients of the weights, then of the scores.
    ds: usize,
    /// Sums of a strip of queries forward, of the keys of a tile backward, `[…, width]`.
    out: usize,
    /// The same of the values of a tile, and those of a strip of queries.
    out2: usize,
    out3: usize,
    /// Largest score and sum of exponentials of every query of a strip, the factor of what came before, and the logarithm of what all comes to.
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
        let transposed = keys.div_ceil(KEYS) * KEYS * width;
        let (strip, results) = if backward { (STRIP_BACK, KEYS) } else { (STRIP, STRIP) };
        let mut places = Self {
            q: place(true, group * queries * width),
            dout: place(backward, group * queries * width),
            delta: place(backward, group * queries),
            k: place(true, keys * width),
            kt: place(true, transposed),
            v: place(true, keys * width),
            vt: place(backward, transposed),
            s: place(true, strip * KEYS),
            ds: place(backward, strip * KEYS),
            out: place(true, results * width),
            out2: place(backward, results * width),
            out3: place(backward, strip * width),
            rows: place(true, 4 * STRIP),
            len: 0,
        };
        places.len = len;
        places
    }
}

impl CpuKernel for AttentionOp {
    type Spec = AttentionSpec;
    const AT_ONCE: bool = false;

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
        let (length, tile) = if backward { (spec.keys, KEYS) } else { (spec.queries, QUERIES) };
        let tiles = (length as usize).div_ceil(tile);
        let group = (spec.heads / spec.kv_heads) as usize;
        let total = (spec.batch * spec.kv_heads) as usize * tiles;
        let products = if backward { 5 } else { 2 };
        let across = if backward { spec.queries } else { spec.keys } as usize;
        let cost = (group * tile.min(across) * across * (products * spec.width as usize + 20)) as f64 * 0.05;
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
                AttentionPart::Backward => head.backward(tile),
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

    /// The place of a query among the keys.
    fn place(&self, query: usize) -> usize {
        self.spec.place(query, self.length)
    }

    /// Copies so many queries or keys, `stride` apart, to `to` in the scratch, times a factor and turned by their places, the first of which is `first`.
    fn turn_all(&self, from: Cells<'_>, stride: usize, (first, count): (usize, usize), factor: f32, to: usize) {
        let to = part(self.all, to, count * self.width);
        if self.rotary.is_empty() {
            return rows::copy_rows(from, to, [stride, self.width], [count, self.width], factor);
        }
        for (i, to) in to.chunks_exact(self.width).enumerate() {
            self.turn(part(from, i * stride, self.width), first + i, factor, to);
        }
    }

    /// `to = factor · from`, turned by its place.
    fn turn(&self, from: Cells<'_>, place: usize, factor: f32, to: Cells<'_>) {
        let half = self.width / 2;
        let (cos, sin) = (part(self.rotary, place * self.width, half), part(self.rotary, place * self.width + half, half));
        for d in 0..half {
            let (a, b, c, s) = (factor * from[d].get(), factor * from[d + half].get(), cos[d].get(), sin[d].get());
            to[d].set(a * c - b * s);
            to[d + half].set(b * c + a * s);
        }
    }

    /// Copies so many gradients of queries or keys, times a factor and turned back by their places, to places `stride` apart, or adds them to what is there.
    fn turn_all_back(
        &self,
        from: Cells<'_>,
        (first, count): (usize, usize),
        factor: f32,
        (to, stride): (Cells<'_>, usize),
        is_first: bool,
    ) {
        if self.rotary.is_empty() {
            let run = if is_first { rows::copy_rows } else { rows::add_rows };
            return run(from, to, [self.width, stride], [count, self.width], factor);
        }
        for (i, from) in from.chunks_exact(self.width).enumerate() {
            let to = part(to, i * stride, self.width);
            if is_first {
                to.iter().for_each(|c| c.set(0.0));
            }
            self.add_turned_back(from, first + i, factor, to);
        }
    }

    /// `to += factor · from`, turned back.
    fn add_turned_back(&self, from: Cells<'_>, place: usize, factor: f32, to: Cells<'_>) {
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
            let first = g * self.queries();
            let (from, stride) = (&self.q[self.q_place(g, 0)..], self.spec.q_stride() as usize);
            let places = (self.place(0), self.queries());
            self.turn_all(from, stride, places, self.spec.how.scale, at.q + first * width);
            if backward {
                let (from, stride) = (&self.others[0][self.out_place(g, 0)..], self.spec.heads as usize * width);
                let to = part(self.all, at.dout + first * width, self.queries() * width);
                rows::copy_rows(from, to, [stride, width], [self.queries(), width], 1.0);
                for query in 0..self.queries() {
                    let [dout, out] = [0, 1].map(|n: usize| part(self.others[n], self.out_place(g, query), width));
                    self.all[at.delta + first + query].set(rows::dot(dout, out));
                }
            }
        }
        let [k, v] = [self.spec.k_at(), self.spec.v_at()].map(|at| &self.kv[self.kv_place(0, at)..]);
        // Nobody sees what lies behind those that count.
        let count = self.length.min(self.keys()).next_multiple_of(KEYS).min(self.keys());
        let stride = self.spec.kv_stride() as usize;
        // Forward nothing reads keys but transposed, backward nothing values.
        let copied = backward || !self.rotary.is_empty();
        if copied {
            self.turn_all(k, stride, (0, count), 1.0, at.k);
        }
        if !backward {
            rows::copy_rows(v, part(self.all, at.v, count * width), [stride, width], [count, width], 1.0);
        }
        for start in (0..count).step_by(KEYS) {
            let (lanes, place) = (KEYS.min(self.keys() - start), start * width);
            let (k, k_stride) = if copied { (&self.all[at.k + place..], width) } else { (&k[start * stride..], stride) };
            transpose(k, k_stride, [lanes, width], &self.all[at.kt + place..]);
            if backward {
                transpose(&v[start * stride..], stride, [lanes, width], &self.all[at.vt + place..]);
            }
        }
    }

    /// The keys that some query of a strip sees, and of the others only as many as make whole vectors.
    fn seen(&self, queries: &Range<usize>) -> Range<usize> {
        let (first, last) = (self.spec.visible(queries.start, self.length), self.spec.visible(queries.end - 1, self.length));
        let (start, end) = (first.start.min(last.start), first.end.max(last.end));
        if start < end { start / WHOLE * WHOLE..end.next_multiple_of(WHOLE).min(self.keys()) } else { 0..0 }
    }

    /// The tiles of keys that overlap a range, cut to it.
    fn tiles(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let (mut start, end) = (range.start, range.end);
        std::iter::from_fn(move || {
            let tile = start..end.min((start / KEYS + 1) * KEYS);
            start = tile.end.max(start);
            (!tile.is_empty()).then_some(tile)
        })
    }

    /// Where the transposed keys, or values, of a part of a tile begin at `all`, and how long their rows are.
    fn transposed(&self, all: usize, keys: &Range<usize>) -> (usize, usize) {
        let start = keys.start / KEYS * KEYS;
        (all + start * self.width + keys.start - start, KEYS.min(self.keys() - start).next_multiple_of(WHOLE))
    }

    /// Scores `q kᵀ` of a head, `[queries, keys]`, of keys of one tile, rounded up to whole vectors.
    fn scores(&self, g: usize, queries: &Range<usize>, keys: &Range<usize>) {
        let (at, width) = (&self.at, self.width);
        let (b, b_row) = self.transposed(at.kt, keys);
        product(
            self.all,
            &Product {
                m: queries.len(),
                n: keys.len().next_multiple_of(WHOLE),
                k: width,
                a: at.q + (g * self.queries() + queries.start) * width,
                a_strides: (width, 1),
                b,
                b_row,
                c: at.s,
                accumulate: false,
            },
        );
    }

    /// The strips of a range of queries.
    fn strips(queries: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
        let end = queries.end;
        queries.step_by(size).map(move |start| start..end.min(start + size))
    }

    /// The queries of a tile.
    fn tile(&self, tile: usize) -> Range<usize> {
        tile * QUERIES..self.queries().min((tile + 1) * QUERIES)
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
            distance: self.place(query) as f32 - first_key as f32,
        }
    }

    fn forward(&self, tile: usize) {
        for g in 0..self.group {
            for queries in Self::strips(self.tile(tile), STRIP) {
                self.forward_strip(g, queries);
            }
        }
    }

    /// What each query of a strip sees of a tile.
    fn seen_by_each(&self, queries: &Range<usize>, keys: &Range<usize>) -> SmallVec<[Range<usize>; STRIP_BACK]> {
        queries.clone().map(|query| self.row_seen(query, keys)).collect()
    }

    fn forward_strip(&self, g: usize, queries: Range<usize>) {
        let (at, width, count) = (&self.at, self.width, queries.len());
        let out = part(self.all, at.out, count * width);
        let [largest, sums, kept, lse] = [0, 1, 2, 3].map(|row| part(self.all, at.rows + row * STRIP, count));
        largest.iter().for_each(|c| c.set(f32::NEG_INFINITY));
        sums.iter().for_each(|c| c.set(0.0));
        let mut begun = false;
        for keys in Self::tiles(self.seen(&queries)) {
            let (seen, whole) = (self.seen_by_each(&queries, &keys), keys.len().next_multiple_of(WHOLE));
            self.scores(g, &queries, &keys);
            let scores = part(self.all, at.s, count * whole);
            if self.row_scores(g, queries.start, keys.start).bends() {
                for (i, (query, seen)) in queries.clone().zip(&seen).enumerate() {
                    let how = self.row_scores(g, query, keys.start + seen.start);
                    rows::bend_scores(&scores[i * whole..][seen.clone()], how);
                }
            }
            weigh(&Strip { scores, keys: whole, seen: &seen }, largest, sums, kept);
            for (out, kept) in out.chunks_exact(width).zip(kept) {
                if begun && kept.get() != 1.0 {
                    rows::affine(out, kept.get(), 0.0, out);
                }
            }
            product(
                self.all,
                &Product {
                    m: count,
                    n: width,
                    k: keys.len(),
                    a: at.s,
                    a_strides: (whole, 1),
                    b: at.v + keys.start * width,
                    b_row: width,
                    c: at.out,
                    accumulate: begun,
                },
            );
            begun = true;
        }
        if !begun {
            out.iter().for_each(|c| c.set(0.0));
        }
        log_sums(largest, sums, lse);
        for (i, query) in queries.enumerate() {
            let to = part(self.writes[0], self.out_place(g, query), width);
            let (factor, lse) = if sums[i].get() > 0.0 { (1.0 / sums[i].get(), lse[i].get()) } else { (0.0, 0.0) };
            rows::affine(&out[i * width..(i + 1) * width], factor, 0.0, to);
            self.writes[1][self.row(g, query)].set(lse);
        }
    }

    fn weights(&self, tile: usize) {
        for g in 0..self.group {
            for queries in Self::strips(self.tile(tile), STRIP) {
                for query in queries.clone() {
                    part(self.writes[0], self.row(g, query) * self.keys(), self.keys()).iter().for_each(|c| c.set(0.0));
                }
                for keys in Self::tiles(self.seen(&queries)) {
                    self.scores(g, &queries, &keys);
                    let whole = keys.len().next_multiple_of(WHOLE);
                    for (i, query) in queries.clone().enumerate() {
                        let (row, seen) = (self.row(g, query), self.row_seen(query, &keys));
                        let to = part(self.writes[0], row * self.keys() + keys.start, keys.len());
                        let scores = &part(self.all, self.at.s + i * whole, keys.len())[seen.clone()];
                        let how = self.row_scores(g, query, keys.start + seen.start);
                        if how.bends() {
                            rows::bend_scores(scores, how);
                        }
                        rows::exp_shifted(scores, self.others[0][row].get(), &to[seen]);
                    }
                }
            }
        }
    }

    fn backward(&self, tile: usize) {
        let (at, width) = (&self.at, self.width);
        let keys = tile * KEYS..self.keys().min((tile + 1) * KEYS);
        let (dk, dv) = (part(self.all, at.out, keys.len() * width), part(self.all, at.out2, keys.len() * width));
        dk.iter().chain(dv).for_each(|c| c.set(0.0));
        for g in 0..self.group {
            for queries in Self::strips(0..self.queries(), STRIP_BACK) {
                let seen = self.seen(&queries);
                let seen = seen.start.max(keys.start)..seen.end.min(keys.end);
                if !seen.is_empty() {
                    self.backward_tile(g, queries, seen, tile == 0);
                } else if tile == 0 {
                    queries.for_each(|query| self.dq(g, query).iter().for_each(|c| c.set(0.0)));
                }
            }
        }
        let to = self.writes[usize::from(!self.spec.how.packed)];
        let [to_k, to_v] = [self.spec.k_at(), self.spec.v_at()].map(|at| &to[self.kv_place(keys.start, at)..]);
        let stride = self.spec.kv_stride() as usize;
        self.turn_all_back(dk, (keys.start, keys.len()), 1.0, (to_k, stride), true);
        rows::copy_rows(dv, to_v, [width, stride], [keys.len(), width], 1.0);
    }

    /// Where the gradient of a query goes.
    fn dq(&self, g: usize, query: usize) -> Cells<'a> {
        part(self.writes[0], self.q_place(g, query), self.width)
    }

    /// Adds what a strip of queries and some keys of a tile give to dk and dv in the scratch and to dq at its place, where that has a sum already.
    fn backward_tile(&self, g: usize, queries: Range<usize>, keys: Range<usize>, is_first: bool) {
        let (at, width, (m, n)) = (&self.at, self.width, (queries.len(), keys.len()));
        let (first, whole) = (g * self.queries() + queries.start, n.next_multiple_of(WHOLE));
        let seen = self.seen_by_each(&queries, &keys);
        let by = |a, a_strides, sizes: (usize, usize, usize), b, b_row, c, accumulate| {
            let (m, n, k) = sizes;
            product(self.all, &Product { m, n, k, a, a_strides, b, b_row, c, accumulate });
        };
        self.scores(g, &queries, &keys);
        let (vt, vt_row) = self.transposed(at.vt, &keys);
        by(at.dout + first * width, (width, 1), (m, whole, width), vt, vt_row, at.ds, false);
        let [scores, ds] = [at.s, at.ds].map(|tile| part(self.all, tile, m * whole));
        let (lse, delta) = (part(self.others[2], self.row(g, queries.start), m), part(self.all, at.delta + first, m));
        if self.row_scores(g, queries.start, keys.start).bends() {
            for (i, (query, seen)) in queries.clone().zip(&seen).enumerate() {
                let [p, ds] = [scores, ds].map(|rows| &rows[i * whole..(i + 1) * whole]);
                for row in [p, ds] {
                    row[..seen.start].iter().chain(&row[seen.end..]).for_each(|c| c.set(0.0));
                }
                let how = self.row_scores(g, query, keys.start + seen.start);
                rows::score_grads(&p[seen.clone()], &ds[seen.clone()], how, lse[i].get(), delta[i].get());
            }
        } else {
            weigh_back(&Strip { scores, keys: whole, seen: &seen }, ds, lse, delta);
        }
        let within = keys.start % KEYS * width;
        by(at.s, (1, whole), (n, width, m), at.dout + first * width, width, at.out2 + within, true);
        by(at.ds, (1, whole), (n, width, m), at.q + first * width, width, at.out + within, true);
        by(at.ds, (whole, 1), (m, width, n), at.k + keys.start * width, width, at.out3, false);
        let to = &self.writes[0][self.q_place(g, queries.start)..];
        let dq = part(self.all, at.out3, m * width);
        let places = (self.place(queries.start), m);
        self.turn_all_back(dq, places, self.spec.how.scale, (to, self.spec.q_stride() as usize), is_first);
    }
}
