//! What tiles of attention are made of: small products and transposes within one buffer, checked against its length.

use std::cell::Cell;

use super::OVERREAD;
use super::gemm::{Small, Start, small};
use super::pack::{Pack, pack};

/// `c = a · b`, or added to what is there; all three lie in one buffer, `b` with rows of `b_row` elements, `c` contiguous.
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
pub(crate) fn product(all: &[Cell<f32>], p: &Product) {
    let a_end = p.a + (p.m - 1) * p.a_strides.0 + (p.k - 1) * p.a_strides.1 + 1;
    let b_end = p.b + (p.k - 1) * p.b_row + p.n;
    let c_end = p.c + p.m * p.n;
    assert!(a_end.max(b_end).max(c_end) + OVERREAD <= all.len(), "a product stays in the scratch");
    assert!((a_end <= p.c || c_end <= p.a) && (b_end <= p.c || c_end <= p.b), "a product reads nothing that it writes");
    let at = |place: usize| all[place..].as_ptr().cast::<f32>();
    let start = if p.accumulate { Start::Accumulate } else { Start::Zero };
    let (c, b_row) = (at(p.c).cast_mut(), p.b_row);
    // SAFETY: everything that is touched, and what may be read beyond, lies in the buffer, as was just checked; cells may be written.
    unsafe { small(&Small { m: p.m, n: p.n, k: p.k, a: at(p.a), a_strides: p.a_strides, b: at(p.b), b_row, c, start }) };
}

/// Copies `lanes` rows of `depth` elements as `depth` rows of `lanes`, each a multiple of four long.
///
/// # Panics
/// When one of them leaves the buffer, or they overlap.
pub(crate) fn transpose(all: &[Cell<f32>], from: usize, lanes: usize, depth: usize, to: usize) {
    let width = lanes.next_multiple_of(4);
    let (from_end, to_end) = (from + lanes * depth, to + width * depth);
    assert!(
        from_end.max(to_end) + OVERREAD <= all.len() && (from_end <= to || to_end <= from),
        "a transpose stays in the scratch"
    );
    let src = all[from..].as_ptr().cast();
    let dst = all[to..].as_ptr().cast_mut().cast();
    // SAFETY: as was just checked.
    unsafe { pack(&Pack { src, lanes, depth, lane_stride: depth, depth_stride: 1, width, panel: depth, dst }) };
}
