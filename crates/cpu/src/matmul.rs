//! Matrix products: which path a product takes, in which order blocks are visited, and the fused tail that runs on rows while
//! they are in the cache. The right matrix may be patches of images, which are read where they would be packed anyway.

use std::collections::TryReserveError;

use downhill_compile::{ExecError, Space};
use downhill_graph::kernel::{Epilogue, MatLayout, MatMulSpec, Strides};
use downhill_graph::{ExprOp, StepScalars};
use downhill_tensor::apart;
use smallvec::SmallVec;

use crate::arena::{Buffer, Memory, Operand};
use crate::budget::Budget;
use crate::patches::PatchTable;
use crate::rewrite::peel_bias;
use crate::simd::direct::{Convolve, Correlate, Image, convolve, correlate};
use crate::simd::gemm::{self, Block, Small, Start};
use crate::simd::pack::{Pack, PackPatches, pack, pack_patches};
use crate::simd::rows;
use crate::simd::slide::{Slide, slide, slide_weight};
use crate::vm::{Machine, MapOp, Target, Walk};

/// Greatest depth of a block: a panel of `b` of this depth stays in the first-level cache. A little more than a power of two, so that a
/// product which is a little deeper than some blocks is not cut into one more.
const KC: usize = 272;
/// Rows of a block, rounded up to whole tiles: a block of `a` takes a quarter of a megabyte, within the second-level cache. With fewer,
/// panels of `b` are fetched more often.
const MC: usize = 256;
/// Columns between two looks at the clock.
const NC: usize = 256;
/// Products of fewer multiplications are not worth packing `a` for.
const SMALL: usize = 48 * 48 * 48;
/// Multiplications of a row by columns at most, for it is not interrupted, and how long these are at least: it is only then that they take less than rows
/// of vectors.
const VECTOR: usize = 1 << 24;
const LONG: usize = 48;
/// Patches are read where they lie for so many rows at most: with more, what is copied once is read often enough.
const DIRECT_ROWS: usize = 16;
/// With so many rows it is better to read patches once for several than what a kernel meets once for all its rows.
const SHARED: usize = 4;
/// Multiplications of such a product at most, for it is not interrupted.
const DIRECT: usize = 1 << 25;

/// Column biases, read as what sums start from.
#[derive(Clone, Copy, Debug)]
struct Bias {
    operand: Operand,
    batch_stride: usize,
}

/// A matrix product with its operands.
#[derive(Clone, Debug)]
pub(crate) struct MatMulOp {
    batch: usize,
    cycle: usize,
    segments: usize,
    m: usize,
    n: usize,
    k: usize,
    a: Operand,
    a_layout: MatLayout,
    b: Operand,
    b_layout: MatLayout,
    patches: Option<PatchTable>,
    bias: Option<Bias>,
    /// Where the product goes when it need not go through scratch.
    out: Option<Operand>,
    epilogue: Option<MapOp>,
    row_sum: Option<RowSum>,
    small: bool,
    /// Whether patches are read where they lie.
    direct: bool,
    /// How they are, where a kernel slides over one channel.
    slide: Option<Slide>,
    /// Whether it is a row by columns that are read where they lie.
    vector: bool,
}

/// Row sums of `a` as the kernel was given, before the operands were exchanged.
#[derive(Clone, Copy, Debug)]
struct RowSum {
    out: Operand,
    a: Operand,
    layout: MatLayout,
    m: usize,
    k: usize,
    cycle: usize,
}

/// Where a product that was interrupted goes on: the next block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    batch: usize,
    row: usize,
    /// Counted through all segments.
    depth: usize,
    column: usize,
}

/// Scratch of products: packed panels and rows on their way through an epilogue.
#[derive(Default)]
pub(crate) struct Panels {
    a: Buffer,
    b: Buffer,
    rows: Buffer,
    canvas: Buffer,
    /// Batch and segment of the image that lies on the canvas.
    laid: Option<(usize, usize)>,
}

impl Panels {
    /// Makes room for a product, so that running it allocates nothing.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn reserve(&mut self, op: &MatMulOp) -> Result<(), TryReserveError> {
        let (mr, nr) = gemm::tile();
        let k = op.k;
        let columns = op.n.next_multiple_of(nr);
        if let Some(patches) = op.patches.as_ref().filter(|_| op.slide.is_none()) {
            self.canvas.grow(patches.canvas())?;
        }
        if !op.small {
            self.a.grow(MC.min(op.m).next_multiple_of(mr) * op.kc())?;
        }
        if !op.direct && !op.vector {
            self.b.grow(columns.saturating_mul(if op.small || op.keeps_b() { k } else { op.kc() }))?;
        }
        if op.out.is_none() {
            self.rows.grow(op.unfinished() * op.n)?;
        }
        Ok(())
    }
}

impl MatMulOp {
    /// Prepares a product: peels a bias off the epilogue, turns a single column into a single row, and decides where the product is
    /// kept until the epilogue runs.
    ///
    /// # Errors
    /// When the epilogue is too large.
    pub fn new(spec: &MatMulSpec, reads: &[Operand], writes: &[Operand]) -> Result<Self, ExecError> {
        let size = |x: u32| x as usize;
        let outputs = writes.len() - usize::from(spec.row_sum);
        let (results, sums) = writes.split_at(outputs);
        let (m, k, cycle) = (size(spec.m), size(spec.k), size(spec.cycle));
        let mut op = Self {
            batch: size(spec.batch),
            cycle,
            segments: size(spec.segments),
            m,
            n: size(spec.n),
            k,
            a: reads[0],
            a_layout: spec.a,
            b: reads[1],
            b_layout: spec.b,
            patches: spec.patches.as_ref().map(|patches| apart(|| PatchTable::new(patches))),
            bias: None,
            out: results.first().copied(),
            epilogue: None,
            row_sum: sums.first().map(|&out| RowSum { out, a: reads[0], layout: spec.a, m, k, cycle }),
            small: false,
            direct: false,
            slide: None,
            vector: false,
        };
        let mut epilogue = spec.epilogue.clone();
        if op.n == 1 && op.m > 1 && op.patches.is_none() && op.cycle >= op.batch {
            op.exchange(epilogue.as_mut());
        }
        if let Some(epilogue) = epilogue {
            op.attach(epilogue, &reads[2..], results)?;
        }
        // The product of three sizes is more than 32 bits hold.
        let products = op.m.saturating_mul(op.n).saturating_mul(op.k);
        op.direct = op.m <= DIRECT_ROWS && products.saturating_mul(op.segments) <= DIRECT && op.reads_patches_in_place();
        op.slide = op.patches.as_ref().filter(|_| op.direct).and_then(|patches| apart(|| op.slides(patches)));
        op.vector = products <= VECTOR && op.reads_columns_in_place();
        op.small = op.direct || op.vector || (op.segments == 1 && products <= SMALL);
        Ok(op)
    }

    /// Whether it is the gradient of a convolution's weight, whose patches are summed over all places.
    fn sums_places(&self) -> bool {
        self.patches.as_ref().is_some_and(PatchTable::transposed)
    }

    /// Whether patches can be read where they lie, with the left matrix as it is.
    fn reads_patches_in_place(&self) -> bool {
        let follows =
            |patches: &PatchTable| patches.places_follow() && (!patches.transposed() || self.a_layout.col_stride == 1);
        self.patches.as_ref().is_some_and(follows)
    }

    /// How a kernel slides over one channel. Its sums start from nothing; those of a weight gradient wait until all are finished, others have one
    /// segment.
    fn slides(&self, patches: &PatchTable) -> Option<Slide> {
        let alone = if self.sums_places() { self.out.is_some() || self.batch == 1 } else { self.segments == 1 };
        patches.slide().filter(|_| self.m < SHARED && self.bias.is_none() && alone)
    }

    /// Whether there is one row, and what it is multiplied with lies column by column, as the weights of a linear layer do: every element is read
    /// once, so that copying it first would take longer than the product.
    fn reads_columns_in_place(&self) -> bool {
        let follows = self.a_layout.col_stride == 1 && self.b_layout.row_stride == 1;
        self.m == 1 && self.segments == 1 && self.patches.is_none() && self.k >= LONG && follows
    }

    /// c = a·b as cᵀ = bᵀ·aᵀ: vectors run along columns, and one column would waste them.
    fn exchange(&mut self, epilogue: Option<&mut Epilogue>) {
        let transposed = |l: MatLayout| MatLayout { row_stride: l.col_stride, col_stride: l.row_stride, ..l };
        (self.a, self.b) = (self.b, self.a);
        (self.a_layout, self.b_layout) = (transposed(self.b_layout), transposed(self.a_layout));
        (self.m, self.n) = (self.n, self.m);
        for strides in epilogue.into_iter().flat_map(|e| e.read_strides.iter_mut()) {
            strides.swap(1, 2);
        }
    }

    fn attach(&mut self, mut epilogue: Epilogue, extra: &[Operand], results: &[Operand]) -> Result<(), ExecError> {
        if let Some((read, strides)) = peel_bias(&mut epilogue, self.m) {
            self.bias = Some(Bias { operand: extra[read], batch_stride: strides[0] as usize });
        }
        if epilogue.expr.outputs.as_slice() == [0] && epilogue.expr.ops.first() == Some(&ExprOp::Read(0)) {
            return Ok(());
        }
        let (m, n) = (self.m as u32, self.n as u32);
        let mut strides: Vec<Strides> = vec![Strides::from_slice(&[m.saturating_mul(n), n, 1])];
        strides.extend(epilogue.read_strides.iter().map(|s| Strides::from_slice(s)));
        let walk = Walk::new(&[self.batch as u32, m, n], &strides);
        // The product waits in the first output, unless a read of the epilogue lies there too.
        let free = results.first().is_some_and(|out| !extra.iter().any(|r| r.overlaps(out)));
        if !free {
            self.out = None;
        }
        // The machine is handed the product itself as read 0 whenever it runs; this place only has to overlap nothing.
        let in_scratch = Operand { space: Space::Data, at: usize::MAX / 4, per_batch: 0, len: 0 };
        let mut reads: SmallVec<[Operand; 4]> = SmallVec::new();
        reads.push(self.out.unwrap_or(in_scratch));
        reads.extend_from_slice(extra);
        self.epilogue = Some(MapOp::new(&epilogue.expr, walk, reads, SmallVec::from_slice(results), &|_| false)?);
        Ok(())
    }

    /// The epilogue, for which the tile machine needs room.
    pub fn epilogue(&self) -> Option<&MapOp> {
        self.epilogue.as_ref()
    }

    /// Nanoseconds it takes, roughly.
    pub fn cost(&self) -> f64 {
        let elements = (self.batch * self.m * self.n) as f64;
        elements * (self.depth() as f64 * 0.05 + self.epilogue.as_ref().map_or(0.2, |e| f64::from(e.cost)))
    }

    /// Goes on from `cursor` until the product is finished or the time is up; says whether it is finished.
    pub fn run(
        &self,
        cursor: &mut Cursor,
        panels: &mut Panels,
        machine: &mut Machine,
        memory: &Memory<'_>,
        step: &StepScalars,
        budget: &mut Budget,
    ) -> bool {
        if *cursor == Cursor::default() {
            self.sum_rows(memory);
            panels.laid = None;
        }
        if let Some(p) = self.slide.as_ref().filter(|_| self.sums_places()) {
            if !apart(|| self.slide_weights(cursor, p, panels, memory, budget)) {
                return false;
            }
            for batch in 0..self.batch {
                self.finish_rows(batch, (0, self.m), panels, machine, memory, step);
            }
            cursor.batch = self.batch;
        }
        while cursor.batch < self.batch {
            if self.small {
                self.small(cursor.batch, panels, memory);
                self.finish_rows(cursor.batch, (0, self.m), panels, machine, memory, step);
                cursor.batch += 1;
                if self.batch > 1 && !budget.spend(self.cost() / self.batch as f64) && cursor.batch < self.batch {
                    return false;
                }
                continue;
            }
            let cost = self.block(cursor, panels, memory);
            let Cursor { batch, row, depth, column } = *cursor;
            if depth + self.block_depth(depth) >= self.depth() && column + NC >= self.n {
                self.finish_rows(batch, (row, self.mc().min(self.m - row)), panels, machine, memory, step);
            }
            self.move_on(cursor);
            if !budget.spend(cost) && cursor.batch < self.batch {
                return false;
            }
        }
        *cursor = Cursor::default();
        true
    }

    /// Steps to the next block: all rows and columns at one depth, and only then deeper, so that as little of `b` as can be is in use at a time.
    fn move_on(&self, cursor: &mut Cursor) {
        cursor.column += NC;
        if cursor.column < self.n {
            return;
        }
        cursor.column = 0;
        cursor.row += self.mc();
        if cursor.row < self.m {
            return;
        }
        cursor.row = 0;
        cursor.depth += self.block_depth(cursor.depth);
        if cursor.depth < self.depth() {
            return;
        }
        cursor.depth = 0;
        cursor.batch += 1;
    }

    /// Whether every batch multiplies by the same `b`, so that its panels are kept from one to the next.
    fn keeps_b(&self) -> bool {
        self.batch > 1 && self.b_layout.batch_stride == 0 && self.segments == 1 && self.patches.is_none()
    }

    /// Rows that are unfinished at a time, where the product goes through scratch.
    fn unfinished(&self) -> usize {
        if self.small || self.depth() > self.kc() { self.m } else { self.mc().min(self.m) }
    }

    /// Depth of the whole product.
    fn depth(&self) -> usize {
        self.segments * self.k
    }

    /// Depth of a block: parts of a segment that are as equal as can be, since a shallow one costs as many passes over the product as a deep one;
    /// or several segments.
    fn kc(&self) -> usize {
        if self.k > KC { self.k.div_ceil(self.k.div_ceil(KC)) } else { self.k * (KC / self.k).clamp(1, self.segments) }
    }

    /// Depth of the block that begins here: it ends with its segment where it is a part of one.
    fn block_depth(&self, depth: usize) -> usize {
        let end = if self.k > KC { (depth / self.k + 1) * self.k } else { self.depth() };
        self.kc().min(end - depth)
    }

    /// The parts of a block by segment: the segment, the depth within it, and how deep that part is.
    fn parts(&self, depth: usize) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let (mut at, end) = (depth, depth + self.block_depth(depth));
        std::iter::from_fn(move || {
            let (segment, within) = (at / self.k, at % self.k);
            let part = (self.k - within).min(end - at);
            at += part;
            (part > 0).then_some((segment, within, part))
        })
    }

    fn mc(&self) -> usize {
        MC.next_multiple_of(gemm::tile().0)
    }

    fn sum_rows(&self, memory: &Memory<'_>) {
        let Some(sums) = &self.row_sum else { return };
        memory.cells(&sums.out).iter().take(sums.m).for_each(|c| c.set(0.0));
        for (batch, segment) in (0..self.batch).flat_map(|batch| (0..self.segments).map(move |segment| (batch, segment))) {
            let [by_batch, by_segment, row, column] = sums.layout.strides().map(|stride| stride as usize);
            let a = memory.ptr(&sums.a).wrapping_add(batch % sums.cycle * by_batch + segment * by_segment);
            // SAFETY: both operands were checked against their buffers when the plan was loaded.
            unsafe { gemm::row_sums(a, (row, column), sums.m, sums.k, memory.ptr(&sums.out)) };
        }
    }

    /// What sums of columns from `column` on start from, and where the product's row `row` lies.
    fn place(&self, batch: usize, row: usize, panels: &mut Panels, memory: &Memory<'_>) -> (*mut f32, Start) {
        let c = match &self.out {
            Some(out) => memory.ptr(out).wrapping_add((batch * self.m + row) * self.n),
            None if self.unfinished() == self.m => panels.rows.as_mut_ptr().wrapping_add(row * self.n),
            None => panels.rows.as_mut_ptr(),
        };
        let start = match &self.bias {
            Some(bias) => Start::Bias(memory.ptr(&bias.operand).wrapping_add(batch * bias.batch_stride)),
            None => Start::Zero,
        };
        (c, start)
    }

    /// A whole product of kernels that slide over a channel.
    fn slide(&self, batch: usize, p: &Slide, panels: &mut Panels, memory: &Memory<'_>) {
        let (c, _) = self.place(batch, 0, panels, memory);
        let [by_batch, _, row, column] = self.a_layout.strides().map(|stride| stride as usize);
        let a = memory.ptr(&self.a).wrapping_add(batch % self.cycle * by_batch);
        let src = memory.ptr(&self.b).wrapping_add(batch * self.b_layout.batch_stride as usize);
        for i in 0..self.m {
            // SAFETY: operands were checked at load, and the product's place overlaps none of them.
            unsafe { slide(p, src, a.add(i * row), column, c.add(i * self.n)) };
        }
    }

    /// Gradients of the weights of kernels that slide over a channel each, sample by sample, as all of them lie in memory.
    fn slide_weights(
        &self,
        cursor: &mut Cursor,
        p: &Slide,
        panels: &mut Panels,
        memory: &Memory<'_>,
        budget: &mut Budget,
    ) -> bool {
        let [a_batch, a_segment, row, _] = self.a_layout.strides().map(|stride| stride as usize);
        let [b_batch, b_segment, ..] = self.b_layout.strides().map(|stride| stride as usize);
        while cursor.depth < self.segments {
            let a = memory.ptr(&self.a).wrapping_add(cursor.depth * a_segment);
            let src = memory.ptr(&self.b).wrapping_add(cursor.depth * b_segment);
            for batch in 0..self.batch {
                let (c, _) = self.place(batch, 0, panels, memory);
                let (a, src) = (a.wrapping_add(batch % self.cycle * a_batch), src.wrapping_add(batch * b_batch));
                for i in 0..self.m {
                    // SAFETY: operands were checked at load, and the product's place overlaps none of them.
                    unsafe {
                        let c = c.add(i * self.n);
                        if cursor.depth == 0 {
                            c.write_bytes(0, self.n);
                        }
                        slide_weight(p, src, a.add(i * row), c);
                    }
                }
            }
            cursor.depth += 1;
            if !budget.spend(self.cost() / self.segments as f64) && cursor.depth < self.segments {
                return false;
            }
        }
        true
    }

    /// A whole product with patches that are read where they lie.
    fn direct(&self, batch: usize, patches: &PatchTable, panels: &mut Panels, memory: &Memory<'_>) {
        let (c, mut start) = self.place(batch, 0, panels, memory);
        let [by_batch, by_segment, row, column] = self.a_layout.strides().map(|stride| stride as usize);
        let (taps, places, width) = patches.taps_and_places();
        for segment in 0..self.segments {
            let a = memory.ptr(&self.a).wrapping_add(batch % self.cycle * by_batch + segment * by_segment);
            let src = self.image((batch, segment), patches, panels, memory);
            let (rows, image) = (self.m, Image { src, taps, places, width });
            // SAFETY: operands were checked at load, the tables point into the image's canvas, and the product's place overlaps neither.
            unsafe {
                if patches.transposed() {
                    correlate(&Correlate { rows, a, a_row: row, image, c, start });
                } else {
                    convolve(&Convolve { rows, a, a_strides: (row, column), image, c, start });
                }
            }
            start = Start::Accumulate;
        }
    }

    fn small(&self, batch: usize, panels: &mut Panels, memory: &Memory<'_>) {
        if let Some(p) = &self.slide {
            return apart(|| self.slide(batch, p, panels, memory));
        }
        if let (true, Some(patches)) = (self.direct, &self.patches) {
            return apart(|| self.direct(batch, patches, panels, memory));
        }
        let (c, start) = self.place(batch, 0, panels, memory);
        if self.vector {
            return self.vector(batch, (c, start), memory);
        }
        let a = memory.ptr(&self.a).wrapping_add(batch % self.cycle * self.a_layout.batch_stride as usize);
        let mut b = memory.ptr(&self.b).wrapping_add(batch * self.b_layout.batch_stride as usize);
        let mut b_row = self.b_layout.row_stride as usize;
        let width = self.n.next_multiple_of(4);
        if let Some(patches) = &self.patches {
            apart(|| {
                let src = self.image((batch, 0), patches, panels, memory);
                let (lanes, depths, dst) = (&patches.columns[..], &patches.rows[..], panels.b.as_mut_ptr());
                // SAFETY: as below; the tables point into the image's canvas.
                unsafe { pack_patches(&PackPatches { src, lanes, depths, width, panel: self.k, dst }) };
            });
            (b, b_row) = (panels.b.as_mut_ptr(), width);
        } else if self.b_layout.col_stride != 1 && self.n > 1 {
            let what = Pack {
                src: b,
                lanes: self.n,
                depth: self.k,
                lane_stride: self.b_layout.col_stride as usize,
                depth_stride: b_row,
                width,
                panel: self.k,
                dst: panels.b.as_mut_ptr(),
            };
            // SAFETY: operands were checked at load, where `b` panels were made large enough too.
            unsafe { pack(&what) };
            (b, b_row) = (panels.b.as_mut_ptr(), width);
        }
        let a_strides = (self.a_layout.row_stride as usize, self.a_layout.col_stride as usize);
        // SAFETY: operands were checked at load; the product's place overlaps no operand that is read here.
        unsafe { gemm::small(&Small { m: self.m, n: self.n, k: self.k, a, a_strides, b, b_row, c, start }) };
    }

    /// A row by columns, a sum for each.
    fn vector(&self, batch: usize, (c, start): (*mut f32, Start), memory: &Memory<'_>) {
        let at = batch % self.cycle * self.a_layout.batch_stride as usize;
        let row = &memory.cells(&self.a)[at..at + self.k];
        let columns = &memory.cells(&self.b)[batch * self.b_layout.batch_stride as usize..];
        for column in 0..self.n {
            let at = column * self.b_layout.col_stride as usize;
            let mut sum = rows::dot(row, &columns[at..at + self.k]);
            // SAFETY: the product's place, and a bias of as many columns, were checked at load; neither is read as `a` or `b` here.
            unsafe {
                if let Start::Bias(bias) = start {
                    sum += *bias.add(column);
                }
                *c.add(column) = sum;
            }
        }
    }

    /// Runs the block at `cursor`, packing what it needs first; returns its cost in nanoseconds.
    fn block(&self, cursor: &Cursor, panels: &mut Panels, memory: &Memory<'_>) -> f64 {
        let (_, nr) = gemm::tile();
        let Cursor { batch, row, depth, column } = *cursor;
        let k = self.block_depth(depth);
        let rows = self.mc().min(self.m - row);
        let columns = NC.min(self.n - column);
        let kept = if self.keeps_b() { depth * self.n.next_multiple_of(nr) } else { 0 };
        let panel_b = panels.b.as_mut_ptr().wrapping_add(kept + column * k);
        if column == 0 {
            self.pack_a(batch, (row, rows), depth, panels, memory);
        }
        if row == 0 && !(self.keeps_b() && batch > 0) {
            self.pack_b(batch, (column, columns), depth, panel_b, panels, memory);
        }
        let (c, start) = self.place(batch, row, panels, memory);
        let start = match start {
            _ if depth > 0 => Start::Accumulate,
            Start::Bias(b) => Start::Bias(b.wrapping_add(column)),
            other => other,
        };
        let block =
            Block { rows, columns, k, a: panels.a.as_mut_ptr(), b: panel_b, c: c.wrapping_add(column), ldc: self.n, start };
        // SAFETY: panels were packed above or by an earlier block; the product's place was checked at load.
        unsafe { gemm::block(&block) };
        (rows * columns * k) as f64 * 0.05
    }

    fn pack_a(&self, batch: usize, (row, rows): (usize, usize), depth: usize, panels: &mut Panels, memory: &Memory<'_>) {
        let [by_batch, by_segment, lane_stride, depth_stride] = self.a_layout.strides().map(|stride| stride as usize);
        let first = batch % self.cycle * by_batch + row * lane_stride;
        let (width, panel) = (gemm::tile().0, self.block_depth(depth));
        let mut dst = panels.a.as_mut_ptr();
        for (segment, within, part) in self.parts(depth) {
            let src = memory.ptr(&self.a).wrapping_add(first + segment * by_segment + within * depth_stride);
            // SAFETY: the operand was checked at load, where room for a block of `a` was made.
            unsafe { pack(&Pack { src, lanes: rows, depth: part, lane_stride, depth_stride, width, panel, dst }) };
            dst = dst.wrapping_add(part * width);
        }
    }

    fn pack_b(
        &self,
        batch: usize,
        (column, columns): (usize, usize),
        depth: usize,
        mut dst: *mut f32,
        panels: &mut Panels,
        memory: &Memory<'_>,
    ) {
        let [by_batch, by_segment, depth_stride, lane_stride] = self.b_layout.strides().map(|stride| stride as usize);
        let (width, panel) = (gemm::tile().1, self.block_depth(depth));
        for (segment, within, part) in self.parts(depth) {
            if let Some(patches) = &self.patches {
                apart(|| {
                    let src = self.image((batch, segment), patches, panels, memory);
                    let (lanes, depths) = (&patches.columns[column..column + columns], &patches.rows[within..within + part]);
                    // SAFETY: the tables point into the image's canvas; room for all of `b` was made at load.
                    unsafe { pack_patches(&PackPatches { src, lanes, depths, width, panel, dst }) };
                });
            } else {
                let at = batch * by_batch + segment * by_segment + column * lane_stride + within * depth_stride;
                let src = memory.ptr(&self.b).wrapping_add(at);
                // SAFETY: the operand was checked at load, where room for all of `b` was made.
                unsafe { pack(&Pack { src, lanes: columns, depth: part, lane_stride, depth_stride, width, panel, dst }) };
            }
            dst = dst.wrapping_add(part * width);
        }
    }

    /// Where the tables of patches count from: a canvas on which the image has been laid, or the image.
    fn image(
        &self,
        (batch, segment): (usize, usize),
        patches: &PatchTable,
        panels: &mut Panels,
        memory: &Memory<'_>,
    ) -> *const f32 {
        let at = batch * self.b_layout.batch_stride as usize + segment * self.b_layout.segment_stride as usize;
        if patches.canvas() == 0 {
            return memory.ptr(&self.b).wrapping_add(at + patches.skip());
        }
        if panels.laid != Some((batch, segment)) {
            patches.lay(&memory.cells(&self.b)[at..], panels.canvas.cells(), panels.laid.is_none());
            panels.laid = Some((batch, segment));
        }
        panels.canvas.as_mut_ptr()
    }

    /// Runs the epilogue over finished rows.
    fn finish_rows(
        &self,
        batch: usize,
        (row, rows): (usize, usize),
        panels: &mut Panels,
        machine: &mut Machine,
        memory: &Memory<'_>,
        step: &StepScalars,
    ) {
        let Some(epilogue) = &self.epilogue else { return };
        let start = (batch * self.m + row) * self.n;
        let (product, _) = self.place(batch, row, panels, memory);
        machine.run(epilogue, memory, step, (start, start + rows * self.n), Some(product), Target::Writes);
    }
}
