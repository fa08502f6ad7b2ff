//! A kernel of three by three over one channel, and the gradient of its weight: strips of as many columns as a vector has lanes, down all rows. What a
//! strip meets of a row is loaded once and given to all sums that it belongs to; these and the kernel stay in registers.
//!
//! The image needs no border: rows beyond it are zeros from elsewhere, and columns beyond it are masked in the strips that meet some.

use super::gemm::ZEROS;
use super::{Lanes, versions};

/// How a kernel slides over a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slide {
    /// Rows and columns of the image.
    pub size: [usize; 2],
    /// Row and column that the kernel's first tap meets at the first place. A border on the left is no wider than a row of the image.
    pub first: [isize; 2],
    /// Rows and columns of places.
    pub places: [usize; 2],
    /// Whether the kernel lies there with its last tap first.
    pub flipped: bool,
}

/// Rows and columns of the kernel.
pub(crate) const SIDE: usize = 3;
/// Most columns of the image that a strip meets.
const MET: usize = 16;

impl Slide {
    /// The place of a tap in the kernel.
    #[inline(always)]
    fn tap(&self, y: usize, x: usize) -> usize {
        let tap = y * SIDE + x;
        if self.flipped { SIDE * SIDE - 1 - tap } else { tap }
    }

    /// Whether a strip from this column of places on meets columns beyond the image, or has lanes without a place.
    #[inline(always)]
    fn is_edge<L: Lanes>(&self, x: usize) -> bool {
        let left = x as isize + self.first[1];
        left < 0 || left as usize + L::N + SIDE - 1 > self.size[1] || x + L::N > self.places[1]
    }
}

/// A strip of places from some column on, or of the image where its first tap meets that.
struct Strip<L, const EDGE: bool> {
    /// The image's column that is met first.
    left: isize,
    /// What is met of the first row, where that begins before the image.
    start: [f32; MET],
    /// The lanes that have a place which lies in the image, for each column of the kernel.
    inside: [L; SIDE],
}

/// Rows that follow each other at one distance, up to some number of rows from the strip's beginning on.
type Part = (usize, *const f32, usize);

impl<L: Lanes, const EDGE: bool> Strip<L, EDGE> {
    #[inline(always)]
    unsafe fn new(p: &Slide, src: *const f32, x: usize) -> Self {
        let (left, width) = (x as isize + p.first[1], p.size[1]);
        let lanes = L::from_array(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        let places = lanes.lt(L::splat(p.places[1] as f32 - x as f32));
        let mut inside = [places; SIDE];
        for (j, inside) in inside.iter_mut().enumerate() {
            let column = lanes.add(L::splat((left + j as isize) as f32));
            *inside = inside.and(L::splat(0.0).le(column)).and(column.lt(L::splat(width as f32)));
        }
        let mut start = [0.0; MET];
        if EDGE && left < 0 {
            for (column, to) in start[..L::N + SIDE - 1].iter_mut().skip(left.unsigned_abs()).take(width).enumerate() {
                // SAFETY: a column of the first row.
                *to = unsafe { *src.add(column) };
            }
        }
        Self { left, start, inside }
    }

    /// The `count` rows from what the kernel's row `row` meets first on are those before the image, of which this says how many there are, then both parts,
    /// then those behind it.
    #[inline(always)]
    fn rows(&self, p: &Slide, src: *const f32, row: usize, count: usize) -> (usize, [Part; 2]) {
        let ([height, width], top) = (p.size, row as isize + p.first[0]);
        let before = top.min(0).unsigned_abs().min(count);
        let end = (height as isize - top).clamp(before as isize, count as isize) as usize;
        let first = usize::from(EDGE && self.left < 0 && top <= 0 && before < end);
        let row = (top.max(0) as usize + first) * width;
        let at = src.wrapping_add(row).wrapping_offset(self.left);
        (before, [(before + first, self.start.as_ptr(), 0), (end, at, width)])
    }
}

versions! {
    /// Writes at every place the sum of the kernel's taps there, times what they meet.
    ///
    /// # Safety
    /// The image at `src` can be read, and [`super::OVERREAD`] beyond; `kernel` holds a number for each tap, so far apart; `out` holds one for each place and
    /// overlaps nothing that is read.
    #[inline(never)]
    pub(crate) unsafe fn slide(p: &Slide, src: *const f32, kernel: *const f32, stride: usize, out: *mut f32) {
        let width = p.places[1];
        let mut taps = [[L::splat(0.0); SIDE]; SIDE];
        for (y, row) in taps.iter_mut().enumerate() {
            for (x, tap) in row.iter_mut().enumerate() {
                // SAFETY: a tap of the kernel.
                *tap = L::splat(unsafe { *kernel.add(p.tap(y, x) * stride) });
            }
        }
        let mut x = 0;
        while x < width {
            // The last strip is moved back rather than cut, where it can.
            let at = x.min(width.saturating_sub(L::N));
            // SAFETY: handed on.
            unsafe {
                if p.is_edge::<L>(at) {
                    strip::<L, true>(p, src, &taps, at, out);
                } else {
                    strip::<L, false>(p, src, &taps, at, out);
                }
            }
            x += L::N;
        }
    }
}

/// The columns from `x` on.
#[inline(always)]
unsafe fn strip<L: Lanes, const EDGE: bool>(p: &Slide, src: *const f32, taps: &[[L; SIDE]; SIDE], x: usize, out: *mut f32) {
    let width = p.places[1];
    // The sum at i has met i + 1 rows of the kernel.
    let mut sums = [L::splat(0.0); SIDE];
    // SAFETY: rows of the image and places only, but for whole vectors at the ends of rows.
    unsafe {
        let strip = Strip::<L, EDGE>::new(p, src, x);
        let count = p.places[0] + SIDE - 1;
        // Before the image all sums are zero, and none is finished: its border is narrower than the kernel.
        let (mut row, parts) = strip.rows(p, src, 0, count);
        let mut to = out.add(x);
        macro_rules! next {
            () => {
                row += 1;
                if row >= SIDE {
                    if EDGE && width < L::N {
                        sums[SIDE - 1].store_part(to, width);
                    } else {
                        sums[SIDE - 1].store(to);
                    }
                    to = to.wrapping_add(width);
                }
            };
        }
        for (end, mut from, step) in parts {
            while row < end {
                let mut met = [L::splat(0.0); SIDE];
                for (j, met) in met.iter_mut().enumerate() {
                    let lanes = L::load(from.add(j));
                    *met = if EDGE { lanes.and(strip.inside[j]) } else { lanes };
                }
                for i in (0..SIDE).rev() {
                    let mut sum = if i == 0 { taps[0][0].mul(met[0]) } else { taps[i][0].fma(met[0], sums[i - 1]) };
                    for j in 1..SIDE {
                        sum = taps[i][j].fma(met[j], sum);
                    }
                    sums[i] = sum;
                }
                from = from.wrapping_add(step);
                next!();
            }
        }
        while row < count {
            sums = [L::splat(0.0), sums[0], sums[1]];
            next!();
        }
    }
}

versions! {
    /// Adds to every tap of `kernel` the sum over all places of `y` times what the tap meets.
    ///
    /// # Safety
    /// The image at `src` and `y` can be read, and [`super::OVERREAD`] beyond; `kernel` overlaps neither.
    #[inline(never)]
    pub(crate) unsafe fn slide_weight(p: &Slide, src: *const f32, y: *const f32, kernel: *mut f32) {
        // More rows of the kernel at a time would need more than sixteen registers.
        // SAFETY: handed on.
        unsafe {
            weights::<L, 2>(p, src, 0, y, kernel);
            weights::<L, 1>(p, src, 2, y, kernel);
        }
    }
}

/// The R rows of the kernel from `first` on.
#[inline(always)]
unsafe fn weights<L: Lanes, const R: usize>(p: &Slide, src: *const f32, first: usize, y: *const f32, kernel: *mut f32) {
    let mut sums = [[L::splat(0.0); SIDE]; R];
    let mut x = 0;
    // SAFETY: handed on; taps of the kernel.
    unsafe {
        while x < p.places[1] {
            if p.is_edge::<L>(x) {
                add_strip::<L, R, true>(p, src, first, y, x, &mut sums);
            } else {
                add_strip::<L, R, false>(p, src, first, y, x, &mut sums);
            }
            x += L::N;
        }
        for (i, taps) in sums.iter().enumerate() {
            for (j, lanes) in taps.iter().enumerate() {
                *kernel.add(p.tap(first + i, j)) += lanes.sum();
            }
        }
    }
}

/// Adds what the columns of places from `x` on give.
#[inline(always)]
unsafe fn add_strip<L: Lanes, const R: usize, const EDGE: bool>(
    p: &Slide,
    src: *const f32,
    first: usize,
    y: *const f32,
    x: usize,
    sums: &mut [[L; SIDE]; R],
) {
    let [height, width] = p.places;
    // Lanes beyond the image are cut off when all is added up: what they meet may be no number.
    let mut own = if EDGE { [[L::splat(0.0); SIDE]; R] } else { *sums };
    // What lies at the places of a row and of the one before it; nothing before the first and behind the last.
    let mut places = [L::splat(0.0); 2];
    // SAFETY: as for `strip`.
    unsafe {
        let strip = Strip::<L, EDGE>::new(p, src, x);
        let (before, parts) = strip.rows(p, src, first, height + R - 1);
        let (mut row, mut y) = (0, y.add(x));
        macro_rules! next {
            () => {
                places = [L::load(if row < height { y } else { ZEROS.as_ptr() }), places[0]];
                row += 1;
                y = y.wrapping_add(width);
            };
        }
        while row < before {
            next!();
        }
        for (end, mut from, step) in parts {
            while row < end {
                next!();
                for j in 0..SIDE {
                    let met = L::load(from.add(j));
                    for (own, y) in own.iter_mut().zip(&places) {
                        own[j] = y.fma(met, own[j]);
                    }
                }
                from = from.wrapping_add(step);
            }
        }
        for (sums, own) in sums.iter_mut().zip(&own) {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = if EDGE { sum.add(own[j].and(strip.inside[j])) } else { own[j] };
            }
        }
    }
}
