//! What tiles of attention are made of: small products and transposes, checked against the length of what they read and write, and softmax with its
//! gradient over strips of scores. Rows of scores are whole vectors on every machine.

use std::cell::Cell;
use std::ops::Range;

use super::gemm::{Start, micro};
use super::rows::{get, put};
use super::{Lanes, OVERREAD, math, versions};

type Cells<'a> = &'a [Cell<f32>];

/// Rows of scores are multiples of this long.
pub(crate) const WHOLE: usize = 8;

/// `c = a · b`, or added to what is there; all three lie in one buffer, `b` with rows of `b_row` elements, `c` contiguous. Rows of `a`, or its columns,
/// are contiguous.
pub(crate) struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: usize,
    /// Distances in `a` between rows and between columns.
    pub a_strides: (usize, usize),
    pub b: usize,
    pub b_row: usize,
    pub c: usize,
    pub accumulate: bool,
}

/// Runs a product.
///
/// # Panics
/// When an operand leaves the buffer, or `c` overlaps what is read.
pub(crate) fn product(all: Cells<'_>, p: &Product) {
    versions! {
        /// Each with a distance that is known when it is compiled.
        ///
        /// # Safety
        /// As was just checked.
        unsafe fn run(all: *mut f32, p: &Product) {
            // SAFETY: handed on.
            unsafe {
                if p.a_strides.0 == 1 {
                    panels::<L, MR, NV>(all, p, (1, p.a_strides.1));
                } else {
                    panels::<L, MR, NV>(all, p, (p.a_strides.0, 1));
                }
            }
        }
    }
    let a_end = p.a + (p.m - 1) * p.a_strides.0 + (p.k - 1) * p.a_strides.1 + 1;
    let b_end = p.b + (p.k - 1) * p.b_row + p.n;
    let c_end = p.c + p.m * p.n;
    assert!(p.a_strides.0 == 1 || p.a_strides.1 == 1, "rows or columns are contiguous");
    assert!(a_end.max(b_end).max(c_end) + OVERREAD <= all.len(), "a product stays in the scratch");
    assert!((a_end <= p.c || c_end <= p.a) && (b_end <= p.c || c_end <= p.b), "a product reads nothing that it writes");
    // SAFETY: everything that is touched, and what may be read beyond, lies in the buffer, as was just checked; cells may be written.
    unsafe { run(all.as_ptr().cast_mut().cast(), p) }
}

#[inline(always)]
unsafe fn panels<L: Lanes, const MR: usize, const NV: usize>(all: *mut f32, p: &Product, a_strides: (usize, usize)) {
    // The last rows are computed twice rather than by a narrower tile, but one by one where they are added to what is there.
    let whole = if p.m < MR || p.accumulate { p.m / MR * MR } else { p.m };
    for j in (0..p.n).step_by(NV * L::N) {
        let w = (p.n - j).min(NV * L::N);
        // SAFETY: rows and columns stay within m and n.
        unsafe {
            for i in (0..whole).step_by(MR) {
                rows::<L, MR, NV>(all, p, a_strides, i.min(p.m - MR), j, w);
            }
            for i in whole..p.m {
                rows::<L, 1, NV>(all, p, a_strides, i, j, w);
            }
        }
    }
}

#[inline(always)]
unsafe fn rows<L: Lanes, const R: usize, const NV: usize>(
    all: *mut f32,
    p: &Product,
    a_strides: (usize, usize),
    i: usize,
    j: usize,
    w: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let c = all.add(p.c + i * p.n + j);
        let start = if p.accumulate { Start::Accumulate } else { Start::Zero };
        let (a, b) = (all.add(p.a + i * a_strides.0), all.add(p.b + j));
        micro::<L, R, NV, false>(p.k, a, a_strides, b, p.b_row, start.at(c, p.n, j), c, p.n, w);
    }
}

/// Copies `lanes` rows of `depth` elements, `stride` apart, as `depth` rows of as many lanes, rounded up to whole vectors; those beyond are zero.
///
/// # Panics
/// When one of them leaves its slice.
pub(crate) fn transpose(from: Cells<'_>, stride: usize, [lanes, depth]: [usize; 2], to: Cells<'_>) {
    versions! {
        /// Four by four elements at a time, row by row of what is read.
        ///
        /// # Safety
        /// As was just checked.
        unsafe fn blocks(src: *const f32, stride: usize, lanes: usize, depth: usize, dst: *mut f32) {
            let width = lanes.next_multiple_of(WHOLE);
            let (lanes4, depth4) = (lanes / 4 * 4, depth / 4 * 4);
            // SAFETY: the lanes, and the depths, of what was checked.
            unsafe {
                for i in (0..lanes4).step_by(4) {
                    let row = |r: usize| src.add((i + r) * stride);
                    let rows = [row(0), row(1), row(2), row(3)];
                    for d in (0..depth4).step_by(4) {
                        L::transpose4(rows.map(|row| row.add(d)), dst.add(d * width + i), width);
                    }
                }
                for d in 0..depth {
                    for i in if d < depth4 { lanes4 } else { 0 }..width {
                        *dst.add(d * width + i) = if i < lanes { *src.add(i * stride + d) } else { 0.0 };
                    }
                }
            }
        }
    }
    assert!((lanes - 1) * stride + depth <= from.len(), "a transpose reads what there is");
    assert!(lanes.next_multiple_of(WHOLE) * depth <= to.len(), "a transpose stays in the scratch");
    // SAFETY: as was just checked; cells may be written.
    unsafe { blocks(from.as_ptr().cast(), stride, lanes, depth, to.as_ptr().cast_mut().cast()) }
}

/// The vectors of a row that hold something seen.
#[inline(always)]
fn vectors<L: Lanes>(seen: &Range<usize>) -> Range<usize> {
    seen.start / L::N * L::N..seen.end.next_multiple_of(L::N)
}

/// Makes one row of scores ready: what is not seen becomes −∞ as far as a vector reaches that holds something seen, and zero beyond. Returns what those
/// vectors cover.
///
/// # Safety
/// The row has `n` elements, a multiple of [`WHOLE`], and what is seen lies in it.
#[inline(always)]
unsafe fn trim<L: Lanes>(row: *mut f32, n: usize, seen: &Range<usize>) -> Range<usize> {
    let Range { start, end } = vectors::<L>(seen);
    let lanes = L::from_array(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    // SAFETY: whole vectors of the row.
    unsafe {
        if seen.start > start {
            let row = row.add(start);
            let hidden = lanes.lt(L::splat((seen.start - start) as f32));
            hidden.select(L::splat(f32::NEG_INFINITY), L::load(row)).store(row);
        }
        if seen.end < end {
            let row = row.add(end - L::N);
            let shown = lanes.lt(L::splat((seen.end + L::N - end) as f32));
            shown.select(L::load(row), L::splat(f32::NEG_INFINITY)).store(row);
        }
        clear::<L>(row, 0..start);
        clear::<L>(row, end..n);
    }
    start..end
}

/// # Safety
/// The range lies in the row and is whole vectors.
#[inline(always)]
unsafe fn clear<L: Lanes>(row: *mut f32, range: Range<usize>) {
    for at in range.step_by(L::N) {
        // SAFETY: the caller's promise.
        unsafe { L::splat(0.0).store(row.add(at)) };
    }
}

/// A strip of rows of scores, one for each query, and what each sees of its row.
pub(crate) struct Strip<'a> {
    pub scores: Cells<'a>,
    pub keys: usize,
    pub seen: &'a [Range<usize>],
}

impl Strip<'_> {
    /// # Panics
    /// When rows are no whole vectors, or one sees more than there is.
    fn check(&self) {
        let fits = |seen: &Range<usize>| seen.start <= seen.end && seen.end <= self.keys;
        assert!(self.keys.is_multiple_of(WHOLE) && self.seen.iter().all(fits), "rows of scores are whole vectors");
        assert!(self.seen.len() * self.keys <= self.scores.len(), "there is a row of scores for each query");
    }
}

/// Turns scores into exponentials, takes the largest of every row and its sum further, and gives the factor of what was added up with an earlier largest.
///
/// # Panics
/// When something is missing for a row.
pub(crate) fn weigh(strip: &Strip<'_>, largest: Cells<'_>, sums: Cells<'_>, kept: Cells<'_>) {
    versions! {
        /// See [`weigh`].
        ///
        /// # Safety
        /// As was just checked.
        unsafe fn rows(strip: &Strip<'_>, largest: Cells<'_>, sums: Cells<'_>, kept: Cells<'_>) {
            for (i, seen) in strip.seen.iter().enumerate() {
                kept[i].set(1.0);
                let row: *mut f32 = strip.scores[i * strip.keys..].as_ptr().cast_mut().cast();
                // SAFETY: whole vectors of a row.
                unsafe {
                    if seen.is_empty() {
                        clear::<L>(row, 0..strip.keys);
                        continue;
                    }
                    let range = trim::<L>(row, strip.keys, seen);
                    let mut most = L::splat(f32::NEG_INFINITY);
                    for at in range.step_by(L::N) {
                        most = most.most(L::load(row.add(at)));
                    }
                    let before = largest[i].get();
                    let new = most.to_array()[..L::N].iter().fold(before, |most, &x| if x > most { x } else { most });
                    // Of the first tile there is nothing yet that could be kept.
                    if new > before && before > f32::NEG_INFINITY {
                        kept[i].set((before - new).exp());
                    }
                    largest[i].set(new);
                }
            }
            // Apart, for no exponential need wait then for the largest of its row.
            for (i, seen) in strip.seen.iter().enumerate().filter(|(_, seen)| !seen.is_empty()) {
                let (shift, mut sum) = (L::splat(largest[i].get()), L::splat(0.0));
                let row: *mut f32 = strip.scores[i * strip.keys..].as_ptr().cast_mut().cast();
                for at in vectors::<L>(seen).step_by(L::N) {
                    // SAFETY: whole vectors of a row. What is no number stays none, and makes the sum none.
                    unsafe {
                        let e = math::exp(L::load(row.add(at)).sub(shift));
                        e.store(row.add(at));
                        sum = sum.add(e);
                    }
                }
                sums[i].set(sums[i].get() * kept[i].get() + sum.sum());
            }
        }
    }
    strip.check();
    // SAFETY: as was just checked.
    unsafe { rows(strip, largest, sums, kept) }
}

/// `largest + ln(sum)`
pub(crate) fn log_sums(largest: Cells<'_>, sums: Cells<'_>, out: Cells<'_>) {
    versions! {
        /// See [`log_sums`].
        ///
        /// # Safety
        /// None; the arguments are slices.
        unsafe fn all(largest: Cells<'_>, sums: Cells<'_>, out: Cells<'_>) {
            for at in (0..out.len()).step_by(L::N) {
                let (most, sum): (L, L) = (get(largest, at, 0.0), get(sums, at, 1.0));
                put(out, at, most.add(math::log(sum)));
            }
        }
    }
    // SAFETY: none is needed.
    unsafe { all(largest, sums, out) }
}

/// Turns scores into weights, `exp(score − lse)`, and gradients of weights in rows of the same length into those of scores, `weight·(d − delta)`.
///
/// # Panics
/// When something is missing for a row.
pub(crate) fn weigh_back(strip: &Strip<'_>, d: Cells<'_>, lse: Cells<'_>, delta: Cells<'_>) {
    versions! {
        /// See [`weigh_back`].
        ///
        /// # Safety
        /// As was just checked.
        unsafe fn rows(strip: &Strip<'_>, d: Cells<'_>, lse: Cells<'_>, delta: Cells<'_>) {
            for (i, seen) in strip.seen.iter().enumerate() {
                let [row, d] = [strip.scores, d].map(|of| of[i * strip.keys..].as_ptr().cast_mut().cast::<f32>());
                // SAFETY: whole vectors of rows of one length.
                unsafe {
                    if seen.is_empty() {
                        clear::<L>(row, 0..strip.keys);
                        clear::<L>(d, 0..strip.keys);
                        continue;
                    }
                    let range = trim::<L>(row, strip.keys, seen);
                    clear::<L>(d, 0..range.start);
                    clear::<L>(d, range.end..strip.keys);
                    let (lse, delta) = (L::splat(lse[i].get()), L::splat(delta[i].get()));
                    for at in range.step_by(L::N) {
                        let weight = math::exp(L::load(row.add(at)).sub(lse));
                        weight.mul(L::load(d.add(at)).sub(delta)).store(d.add(at));
                        weight.store(row.add(at));
                    }
                }
            }
        }
    }
    strip.check();
    assert!(strip.seen.len() * strip.keys <= d.len(), "there is a row of gradients for each query");
    // SAFETY: as was just checked.
    unsafe { rows(strip, d, lse, delta) }
}
