//! Products with patches of an image that are read where they lie. With few rows, copying the patches into panels takes longer than what is
//! then computed from them.
//!
//! Both functions ask that neighbouring places lie side by side: a vector is some places of one row of the image.

use super::gemm::Start;
use super::{Lanes, versions};

/// An image in whose memory place `p` of tap `t` lies at `places[p] + taps[t]`; sums of the two may wrap, for a tap can lie before the first one.
#[derive(Clone, Copy)]
pub(crate) struct Image<'a> {
    pub src: *const f32,
    pub taps: &'a [u32],
    pub places: &'a [u32],
    /// Places of a row.
    pub width: usize,
}

impl Image<'_> {
    #[inline(always)]
    fn at(&self, place: usize, tap: u32) -> *const f32 {
        self.src.wrapping_add(self.places[place].wrapping_add(tap) as usize)
    }
}

/// `c = start + a·patches`, a row of the product for each row of `a`, a column for each place.
#[derive(Clone, Copy)]
pub(crate) struct Convolve<'a> {
    pub rows: usize,
    pub a: *const f32,
    /// Distances in `a` between rows and between columns.
    pub a_strides: (usize, usize),
    pub image: Image<'a>,
    pub c: *mut f32,
    pub start: Start,
}

versions! {
    /// Runs it; `c` is contiguous.
    ///
    /// # Safety
    /// The operands can be read, and [`super::OVERREAD`] beyond; `c` holds rows × places and overlaps nothing that is read.
    pub(crate) unsafe fn convolve(p: &Convolve<'_>) {
        // SAFETY: handed on. Fewer rows take more vectors, so that as many sums are under way.
        unsafe {
            let mut row = 0;
            while row + 4 <= p.rows {
                convolve_rows::<L, 4, 2>(p, row);
                row += 4;
            }
            while row < p.rows {
                convolve_rows::<L, 1, 4>(p, row);
                row += 1;
            }
        }
    }
}

/// R rows, a row of the image after the other, NV vectors at a time.
#[inline(always)]
unsafe fn convolve_rows<L: Lanes, const R: usize, const NV: usize>(p: &Convolve<'_>, row: usize) {
    let n = p.image.places.len();
    // SAFETY: rows and places of the product only; vectors that reach beyond a row are cut when they are stored.
    unsafe {
        let a = p.a.add(row * p.a_strides.0);
        let mut line = 0;
        while line < n {
            let mut x = 0;
            while x < p.image.width {
                let left = p.image.width - x;
                let c = p.c.add(row * n + line + x);
                let (from, from_row) = p.start.at(c, n, line + x);
                if left > L::N {
                    tile::<L, R, NV>(p, a, line + x, (from, from_row), c, left.min(NV * L::N));
                } else {
                    tile::<L, R, 1>(p, a, line + x, (from, from_row), c, left);
                }
                x += NV * L::N;
            }
            line += p.image.width;
        }
    }
}

/// R rows by NV vectors of places from `place` on, of which `w` places are stored.
#[inline(always)]
unsafe fn tile<L: Lanes, const R: usize, const NV: usize>(
    p: &Convolve<'_>,
    mut a: *const f32,
    place: usize,
    (from, from_row): (*const f32, usize),
    c: *mut f32,
    w: usize,
) {
    // SAFETY: the caller's promise; loops over constants are unrolled.
    unsafe {
        let mut acc = [[L::splat(0.0); NV]; R];
        for (i, row) in acc.iter_mut().enumerate() {
            for (v, lanes) in row.iter_mut().enumerate() {
                *lanes = L::load(from.add(i * from_row + v * L::N));
            }
        }
        for &tap in p.image.taps {
            let b = p.image.at(place, tap);
            let mut bv = [L::splat(0.0); NV];
            for (v, lanes) in bv.iter_mut().enumerate() {
                *lanes = L::load(b.add(v * L::N));
            }
            for (i, row) in acc.iter_mut().enumerate() {
                let av = L::splat(*a.add(i * p.a_strides.0));
                for (lanes, b) in row.iter_mut().zip(bv) {
                    *lanes = av.fma(b, *lanes);
                }
            }
            a = a.wrapping_add(p.a_strides.1);
        }
        for (i, row) in acc.iter().enumerate() {
            for (v, lanes) in row.iter().enumerate() {
                let (to, left) = (c.add(i * p.image.places.len() + v * L::N), w.saturating_sub(v * L::N));
                if left >= L::N {
                    lanes.store(to);
                } else if left > 0 {
                    lanes.store_part(to, left);
                }
            }
        }
    }
}

/// `c = start + a·patchesᵀ`, a row of the product for each row of `a`, a column for each tap: sums over all places.
#[derive(Clone, Copy)]
pub(crate) struct Correlate<'a> {
    pub rows: usize,
    pub a: *const f32,
    /// Distance in `a` between rows; places follow each other.
    pub a_row: usize,
    pub image: Image<'a>,
    pub c: *mut f32,
    pub start: Start,
}

versions! {
    /// Runs it; `c` is contiguous.
    ///
    /// # Safety
    /// As for [`convolve`].
    pub(crate) unsafe fn correlate(p: &Correlate<'_>) {
        // SAFETY: handed on. A single row takes the nine taps of a common kernel at once.
        unsafe {
            let mut row = 0;
            while row + 4 <= p.rows {
                let tap = correlate_rows::<L, 4, 2>(p, row, 0);
                correlate_rows::<L, 4, 1>(p, row, tap);
                row += 4;
            }
            while row < p.rows {
                let tap = correlate_rows::<L, 1, 9>(p, row, 0);
                let tap = correlate_rows::<L, 1, 3>(p, row, tap);
                correlate_rows::<L, 1, 1>(p, row, tap);
                row += 1;
            }
        }
    }
}

/// R rows, T taps at a time from `tap` on; returns the first tap that is left.
#[inline(always)]
unsafe fn correlate_rows<L: Lanes, const R: usize, const T: usize>(p: &Correlate<'_>, row: usize, mut tap: usize) -> usize {
    // SAFETY: rows and taps of the product only.
    unsafe {
        while tap + T <= p.image.taps.len() {
            sums::<L, R, T>(p, row, tap);
            tap += T;
        }
    }
    tap
}

/// The sums of R rows with T taps over all places.
#[inline(always)]
unsafe fn sums<L: Lanes, const R: usize, const T: usize>(p: &Correlate<'_>, row: usize, tap: usize) {
    let (width, n) = (p.image.width, p.image.taps.len());
    let mut mask = [0.0f32; 8];
    mask.iter_mut().take(width % L::N).for_each(|lane| *lane = f32::from_bits(u32::MAX));
    let mask = L::from_array(&mask);
    let mut acc = [[L::splat(0.0); T]; R];
    let mut line = 0;
    while line < p.image.places.len() {
        let a = p.a.wrapping_add(row * p.a_row + line);
        let mut b = [p.image.src; T];
        for (t, b) in b.iter_mut().enumerate() {
            *b = p.image.at(line, p.image.taps[tap + t]);
        }
        /// Adds what the places from `$x` on give, all lanes passed through `$cut`.
        macro_rules! add {
            ($x:expr, |$v:ident| $cut:expr) => {{
                let mut i = 0;
                let mut av = [L::splat(0.0); R];
                while i < R {
                    // SAFETY: the caller's promise.
                    let $v = unsafe { L::load(a.add(i * p.a_row + $x)) };
                    av[i] = $cut;
                    i += 1;
                }
                let mut t = 0;
                while t < T {
                    // SAFETY: as above.
                    let $v = unsafe { L::load(b[t].add($x)) };
                    let bv = $cut;
                    let mut i = 0;
                    while i < R {
                        acc[i][t] = av[i].fma(bv, acc[i][t]);
                        i += 1;
                    }
                    t += 1;
                }
            }};
        }
        let mut x = 0;
        while width - x >= L::N {
            add!(x, |v| v);
            x += L::N;
        }
        if x < width {
            // What lies beyond the end of a row may be no number.
            add!(x, |v| v.and(mask));
        }
        line += width;
    }
    for (i, lanes) in acc.iter().enumerate() {
        // SAFETY: rows and taps of the product.
        unsafe {
            let c = p.c.add((row + i) * n + tap);
            let (from, _) = p.start.at(c, n, tap);
            for (t, lanes) in lanes.iter().enumerate() {
                *c.add(t) = *from.add(t) + lanes.sum();
            }
        }
    }
}
