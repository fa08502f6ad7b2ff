//! Inner loops of the matrix product: the register tile, and products small enough to need no packing of `a`.

use super::{Lanes, versions};

/// What sums start from where there is nothing to start from.
pub(super) static ZEROS: [f32; 64] = [0.0; 64];

/// Most lanes of a register tile, in columns.
const MAX_NR: usize = 16;
/// Most rows of a register tile.
const MAX_MR: usize = 8;

/// What an element of the product starts from.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    Zero,
    /// The bias of its column; the pointer is that of the first column.
    Bias(*const f32),
    /// What is there already.
    Accumulate,
}

impl Start {
    /// The pointer from which a tile at (row 0, `column`) of `c` starts, and its row stride.
    #[inline(always)]
    pub unsafe fn at(self, c: *const f32, ldc: usize, column: usize) -> (*const f32, usize) {
        match self {
            Start::Zero => (ZEROS.as_ptr(), 0),
            // SAFETY: a bias has as many elements as there are columns.
            Start::Bias(b) => (unsafe { b.add(column) }, 0),
            Start::Accumulate => (c, ldc),
        }
    }
}

/// Rows and columns of the register tile.
pub(crate) fn tile() -> (usize, usize) {
    versions! {
        /// See [`tile`].
        ///
        /// # Safety
        /// None.
        unsafe fn size() -> (usize, usize) {
            (MR, NV * <L as Lanes>::N)
        }
    }
    // SAFETY: it only returns constants.
    unsafe { size() }
}

/// A product `c = start + a·b` with `b` contiguous along its rows.
#[derive(Clone, Copy)]
pub(crate) struct Small {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: *const f32,
    /// Distances in `a` between rows and between columns.
    pub a_strides: (usize, usize),
    pub b: *const f32,
    pub b_row: usize,
    pub c: *mut f32,
    pub start: Start,
}

versions! {
    /// Runs a small product; `c` is contiguous.
    ///
    /// # Safety
    /// The operands can be read, `c` be written, everything can be read [`super::OVERREAD`] elements beyond, and `c` overlaps neither `a` nor `b`.
    pub(crate) unsafe fn small(p: &Small) {
        // SAFETY: handed on.
        unsafe { small_lanes::<L, MR, NV>(p) }
    }
}

#[inline(always)]
unsafe fn small_lanes<L: Lanes, const MR: usize, const NV: usize>(p: &Small) {
    let mut j = 0;
    // SAFETY: panels cover the columns 0..n.
    unsafe {
        while p.n - j > L::N {
            let w = (p.n - j).min(NV * L::N);
            panel::<L, MR, NV>(p, j, w);
            j += w;
        }
        if p.n > j {
            panel::<L, 8, 1>(p, j, p.n - j);
        }
    }
}

/// R rows from `i` on and columns `j..j + w` of a small product. A function and not a closure, which would not be compiled for the vectors that it
/// works with.
#[inline(always)]
unsafe fn rows<L: Lanes, const R: usize, const NV: usize>(p: &Small, i: usize, j: usize, w: usize) {
    // SAFETY: rows and columns stay within m and n.
    unsafe {
        let c = p.c.add(i * p.n + j);
        let from = p.start.at(c, p.n, j);
        let a = p.a.add(i * p.a_strides.0);
        micro::<L, R, NV, false>(p.k, a, p.a_strides, p.b.add(j), p.b_row, from, c, p.n, w);
    }
}

/// Columns `j..j + w` of a small product. The last rows are computed twice rather than by a narrower tile, but one by one where they are added to
/// what is there.
#[inline(always)]
unsafe fn panel<L: Lanes, const MR: usize, const NV: usize>(p: &Small, j: usize, w: usize) {
    let one_by_one = p.m < MR || matches!(p.start, Start::Accumulate);
    let whole = if one_by_one { p.m / MR * MR } else { p.m };
    // SAFETY: rows and columns stay within m and n.
    unsafe {
        let mut i = 0;
        while i < whole {
            rows::<L, MR, NV>(p, i.min(p.m - MR), j, w);
            i += MR;
        }
        for i in whole..p.m {
            rows::<L, 1, NV>(p, i, j, w);
        }
    }
}

/// The register tile: MR rows of NV vectors, of which `w` columns are stored. With `LATE`, what it starts from is added last: a deep
/// tile would wait for it to come from a far cache, a shallow one saves the addition.
#[inline(always)]
pub(super) unsafe fn micro<L: Lanes, const MR: usize, const NV: usize, const LATE: bool>(
    k: usize,
    mut a: *const f32,
    (a_row, a_k): (usize, usize),
    mut b: *const f32,
    b_row: usize,
    (from, from_row): (*const f32, usize),
    c: *mut f32,
    ldc: usize,
    w: usize,
) {
    // SAFETY: the caller's promise; loops over constants are unrolled.
    unsafe {
        let mut acc = [[L::splat(0.0); NV]; MR];
        let mut i = 0;
        while !LATE && i < MR {
            let mut v = 0;
            while v < NV {
                acc[i][v] = L::load(from.add(i * from_row + v * L::N));
                v += 1;
            }
            i += 1;
        }
        let mut p = 0;
        while p < k {
            let mut bv = [L::splat(0.0); NV];
            let mut v = 0;
            while v < NV {
                bv[v] = L::load(b.add(v * L::N));
                v += 1;
            }
            let mut i = 0;
            while i < MR {
                let av = L::splat(*a.add(i * a_row));
                let mut v = 0;
                while v < NV {
                    acc[i][v] = av.fma(bv[v], acc[i][v]);
                    v += 1;
                }
                i += 1;
            }
            a = a.add(a_k);
            b = b.add(b_row);
            p += 1;
        }
        let mut i = 0;
        while i < MR {
            let (row, from) = (c.add(i * ldc), from.add(i * from_row));
            let mut v = 0;
            while v < NV {
                let at = v * L::N;
                if w > at {
                    let sum = if LATE { acc[i][v].add(L::load(from.add(at))) } else { acc[i][v] };
                    if w >= at + L::N {
                        sum.store(row.add(at));
                    } else {
                        sum.store_part(row.add(at), w - at);
                    }
                }
                v += 1;
            }
            i += 1;
        }
    }
}

/// A block of a packed product: rows × columns of `c` from packed panels of `a` and `b`.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    pub rows: usize,
    pub columns: usize,
    pub k: usize,
    pub a: *const f32,
    pub b: *const f32,
    pub c: *mut f32,
    pub ldc: usize,
    pub start: Start,
}

versions! {
    /// Runs one block.
    ///
    /// # Safety
    /// Panels are packed by [`super::pack::pack`] with the sizes of [`tile`]; `c` holds rows × columns and overlaps neither panel.
    pub(crate) unsafe fn block(p: &Block) {
        // SAFETY: handed on.
        unsafe { block_lanes::<L, MR, NV>(p) }
    }
}

#[inline(always)]
unsafe fn block_lanes<L: Lanes, const MR: usize, const NV: usize>(p: &Block) {
    let nr = NV * L::N;
    let mut j = 0;
    while j < p.columns {
        let w = nr.min(p.columns - j);
        let mut i = 0;
        while i < p.rows {
            let h = MR.min(p.rows - i);
            // SAFETY: panels start at multiples of MR·k and nr·k; a tile at the edge goes through scratch.
            unsafe {
                let (a, b, c) = (p.a.add(i * p.k), p.b.add(j * p.k), p.c.add(i * p.ldc + j));
                if h == MR && w == nr {
                    let from = p.start.at(c, p.ldc, j);
                    micro::<L, MR, NV, true>(p.k, a, (1, MR), b, nr, from, c, p.ldc, nr);
                } else {
                    let mut scratch = [0.0; MAX_MR * MAX_NR];
                    let zero = Start::Zero.at(c, 0, 0);
                    micro::<L, MR, NV, true>(p.k, a, (1, MR), b, nr, zero, scratch.as_mut_ptr(), nr, nr);
                    let (from, from_row) = p.start.at(c, p.ldc, j);
                    for y in 0..h {
                        for x in 0..w {
                            *c.add(y * p.ldc + x) = *from.add(y * from_row + x) + scratch[y * nr + x];
                        }
                    }
                }
            }
            i += MR;
        }
        j += nr;
    }
}

versions! {
    /// Adds to `sums[i]` the sum of row `i` of a matrix `m` × `k`.
    ///
    /// # Safety
    /// The matrix can be read, and [`super::OVERREAD`] beyond; `sums` holds `m` elements.
    pub(crate) unsafe fn row_sums(a: *const f32, strides: (usize, usize), m: usize, k: usize, sums: *mut f32) {
        // SAFETY: handed on.
        unsafe { row_sums_lanes::<L>(a, strides, m, k, sums) }
    }
}

#[inline(always)]
unsafe fn row_sums_lanes<L: Lanes>(a: *const f32, (row, column): (usize, usize), m: usize, k: usize, sums: *mut f32) {
    let mut i = 0;
    // SAFETY: rows 0..m and columns 0..k only, except for whole vectors at the end.
    unsafe {
        while row == 1 && i < m {
            let mut acc = [L::splat(0.0); 4];
            let mut p = 0;
            while p + 4 <= k {
                for (q, s) in acc.iter_mut().enumerate() {
                    *s = s.add(L::load(a.add((p + q) * column + i)));
                }
                p += 4;
            }
            while p < k {
                acc[0] = acc[0].add(L::load(a.add(p * column + i)));
                p += 1;
            }
            let total = L::load(sums.add(i)).add(acc[0].add(acc[1]).add(acc[2].add(acc[3])));
            if m - i >= L::N {
                total.store(sums.add(i));
            } else {
                total.store_part(sums.add(i), m - i);
            }
            i += L::N;
        }
        while i < m {
            let mut acc = [0.0f32; 4];
            for p in 0..k {
                acc[p % 4] += *a.add(i * row + p * column);
            }
            *sums.add(i) += (acc[0] + acc[1]) + (acc[2] + acc[3]);
            i += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack::{Pack, pack};
    use super::*;

    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        (0..n + super::super::OVERREAD).map(|i| ((i * 37 + seed) % 101) as f32 / 50.0 - 1.0).collect()
    }

    /// Σ a[i, p]·b[p, j] + bias[j] in f64, with strides (row, column).
    fn expected(
        m: usize,
        n: usize,
        k: usize,
        a: (&[f32], (usize, usize)),
        b: (&[f32], (usize, usize)),
        bias: &[f32],
    ) -> Vec<f32> {
        let at = |x: &(&[f32], (usize, usize)), r: usize, c: usize| f64::from(x.0[r * x.1.0 + c * x.1.1]);
        let element = |i, j: usize| f64::from(bias[j]) + (0..k).map(|p| at(&a, i, p) * at(&b, p, j)).sum::<f64>();
        (0..m * n).map(|e| element(e / n, e % n) as f32).collect()
    }

    fn close(name: &str, want: &[f32], got: &[f32]) {
        let (inside, beyond) = got.split_at(want.len());
        assert!(want.iter().zip(inside).all(|(w, g)| (w - g).abs() < 1e-4), "{name}: {inside:?}, expected {want:?}");
        assert!(beyond.iter().all(|&g| g == 7.0), "{name} writes beyond its end");
    }

    #[test]
    fn small_products_of_all_sizes_are_right_with_both_vectors() {
        for (m, n, k) in [(1, 1, 1), (10, 8, 2), (7, 13, 5), (3, 17, 9), (6, 16, 4), (20, 5, 3), (1, 40, 6)] {
            let (a, b, bias) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3));
            for a_strides in [(k, 1), (1, m)] {
                let want = expected(m, n, k, (&a, a_strides), (&b, (n, 1)), &bias);
                for (name, run) in [
                    ("best", small as unsafe fn(&Small)),
                    #[cfg(not(target_arch = "wasm32"))]
                    ("portable", small_lanes::<crate::simd::portable::F4, 4, 2>),
                ] {
                    let mut c = vec![7.0; m * n + 8];
                    let start = Start::Bias(bias.as_ptr());
                    let p = Small { m, n, k, a: a.as_ptr(), a_strides, b: b.as_ptr(), b_row: n, c: c.as_mut_ptr(), start };
                    // SAFETY: all operands have the room that their sizes say and what may be read beyond.
                    unsafe { run(&p) };
                    close(&format!("{name} {m}×{n}×{k}"), &want, &c);
                }
            }
        }
    }

    #[test]
    fn packed_products_are_right_whatever_the_strides() {
        let ((mr, nr), (m, n, k)) = (tile(), (23, 37, 11));
        let (a, b, bias) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3));
        for (a_strides, b_strides) in [((k, 1), (n, 1)), ((1, m), (n, 1)), ((k, 1), (1, k)), ((1, m), (1, k))] {
            let want = expected(m, n, k, (&a, a_strides), (&b, b_strides), &bias);
            let mut panels = [vec![0.0; m.next_multiple_of(mr) * k], vec![0.0; n.next_multiple_of(nr) * k]];
            let [pa, pb] = panels.each_mut().map(Vec::as_mut_ptr);
            let mut c = vec![7.0; m * n + 8];
            // SAFETY: panels have the sizes that `pack` asks for.
            unsafe {
                let (lane_stride, depth_stride) = a_strides;
                pack(&Pack { src: a.as_ptr(), lanes: m, depth: k, lane_stride, depth_stride, width: mr, panel: k, dst: pa });
                let (depth_stride, lane_stride) = b_strides;
                pack(&Pack { src: b.as_ptr(), lanes: n, depth: k, lane_stride, depth_stride, width: nr, panel: k, dst: pb });
                let start = Start::Bias(bias.as_ptr());
                block(&Block { rows: m, columns: n, k, a: pa, b: pb, c: c.as_mut_ptr(), ldc: n, start });
            }
            close("packed", &want, &c);
            let mut sums = vec![0.0; m + 8];
            // SAFETY: one sum per row.
            unsafe { row_sums(a.as_ptr(), a_strides, m, k, sums.as_mut_ptr()) };
            let ones = vec![1.0; k];
            let want = expected(m, 1, k, (&a, a_strides), (&ones, (1, 1)), &[0.0]);
            assert!(want.iter().zip(&sums).all(|(w, s)| (w - s).abs() < 1e-4) && sums[m..] == [0.0; 8]);
        }
    }
}
