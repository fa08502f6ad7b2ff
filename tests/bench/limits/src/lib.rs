//! A packed matrix product for wasm SIMD and nothing around it.
//!
//! The scheme is Goto's ("Anatomy of High-Performance Matrix Multiplication", 2008): panels of A and B are copied into the order in which a
//! register tile reads them, which also absorbs a transpose. The tile is 4×8: V8 keeps about 13 vectors in registers, and with more than eight
//! accumulators it spills and halves the speed.

#![cfg(target_arch = "wasm32")]

use core::arch::wasm32::*;
use std::cell::RefCell;

const TILE_ROWS: usize = 4;
const TILE_VECTORS: usize = 2;
const TILE_COLUMNS: usize = 4 * TILE_VECTORS;
/// Depth of a panel: one of B (8 columns) then takes 8 KB and stays in L1.
const DEPTH: usize = 256;
/// Rows of A that are packed at a time: 96 KB, within L2.
const ROWS: usize = 96;

/// Reserves `len` floats for good and returns their address.
#[unsafe(no_mangle)]
pub extern "C" fn reserve(len: usize) -> *mut f32 {
    vec![0.0; len].leak().as_mut_ptr()
}

/// `C = A·B`, all `n`×`n` and row-major, where a transposed operand is stored as its transpose; `n` is a multiple of 8.
///
/// # Safety
/// Each pointer comes from `reserve(n * n)`, and `c` is none of the others.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gemm(n: usize, a: *const f32, a_transposed: bool, b: *const f32, b_transposed: bool, c: *mut f32) {
    assert!(n.is_multiple_of(TILE_COLUMNS), "the yardstick has no edge tiles");
    // SAFETY: the caller reserved n·n floats behind each pointer, and c is apart from a and b.
    let (a, b, c) = unsafe {
        let (a, b) = (std::slice::from_raw_parts(a, n * n), std::slice::from_raw_parts(b, n * n));
        (Matrix::new(a, n, a_transposed), Matrix::new(b, n, b_transposed), std::slice::from_raw_parts_mut(c, n * n))
    };
    PACKS.with_borrow_mut(|packs| packs.multiply(n, a, b, c));
}

/// A square matrix by its strides.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    fn new(values: &'a [f32], n: usize, transposed: bool) -> Self {
        if transposed { Self { values, row: 1, column: n } } else { Self { values, row: n, column: 1 } }
    }
}

#[derive(Default)]
struct Packs {
    a: Vec<f32>,
    b: Vec<f32>,
}

thread_local! {
    static PACKS: RefCell<Packs> = RefCell::default();
}

impl Packs {
    fn multiply(&mut self, n: usize, a: Matrix<'_>, b: Matrix<'_>, c: &mut [f32]) {
        self.a.resize(ROWS * DEPTH, 0.0);
        self.b.resize(n * DEPTH, 0.0);
        c.fill(0.0);
        for k in (0..n).step_by(DEPTH) {
            let depth = DEPTH.min(n - k);
            for j in (0..n).step_by(TILE_COLUMNS) {
                pack::<TILE_COLUMNS>(&b.values[k * b.row + j * b.column..], b.column, b.row, depth, &mut self.b[j * depth..]);
            }
            for i in (0..n).step_by(ROWS) {
                let rows = ROWS.min(n - i);
                for tile in (0..rows).step_by(TILE_ROWS) {
                    let from = &a.values[(i + tile) * a.row + k * a.column..];
                    pack::<TILE_ROWS>(from, a.row, a.column, depth, &mut self.a[tile * depth..]);
                }
                self.block(n, rows, depth, &mut c[i * n..(i + rows) * n]);
            }
        }
    }

    /// Adds the packed rows times all packed columns to `c`, `rows`×`n`.
    fn block(&self, n: usize, rows: usize, depth: usize, c: &mut [f32]) {
        for j in (0..n).step_by(TILE_COLUMNS) {
            let b = &self.b[j * depth..(j + TILE_COLUMNS) * depth];
            for i in (0..rows).step_by(TILE_ROWS) {
                let a = &self.a[i * depth..(i + TILE_ROWS) * depth];
                tile(depth, a, b, &mut c[i * n + j..], n);
            }
        }
    }
}

/// Copies `depth` groups of `WIDTH` values so that a group is contiguous: value `w` of group `d` is `from[w * across + d * along]`.
fn pack<const WIDTH: usize>(from: &[f32], across: usize, along: usize, depth: usize, to: &mut [f32]) {
    if across == 1 {
        for (d, group) in to.as_chunks_mut::<WIDTH>().0[..depth].iter_mut().enumerate() {
            group.copy_from_slice(&from[d * along..d * along + WIDTH]);
        }
        return;
    }
    for w in (0..WIDTH).step_by(4) {
        for d in (0..depth).step_by(4) {
            transpose_4x4(&from[w * across + d..], across, &mut to[d * WIDTH + w..], WIDTH);
        }
    }
}

/// Writes the transpose of a 4×4 block; the strides are those of rows.
fn transpose_4x4(from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
    assert!(from.len() >= 3 * from_stride + 4 && to.len() >= 3 * to_stride + 4);
    // SAFETY: the assertion above bounds both pointers.
    unsafe {
        let [a, b, c, d] = std::array::from_fn(|i| v128_load(from.as_ptr().add(i * from_stride).cast()));
        let (ab_low, ab_high) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let (cd_low, cd_high) = (i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
        let lines = [
            i64x2_shuffle::<0, 2>(ab_low, cd_low),
            i64x2_shuffle::<1, 3>(ab_low, cd_low),
            i64x2_shuffle::<0, 2>(ab_high, cd_high),
            i64x2_shuffle::<1, 3>(ab_high, cd_high),
        ];
        for (i, line) in lines.into_iter().enumerate() {
            v128_store(to.as_mut_ptr().add(i * to_stride).cast(), line);
        }
    }
}

/// Adds a 4×8 tile of the product of two packed panels to `c` with row stride `stride`.
fn tile(depth: usize, a: &[f32], b: &[f32], c: &mut [f32], stride: usize) {
    assert!(a.len() >= depth * TILE_ROWS && b.len() >= depth * TILE_COLUMNS);
    assert!(c.len() >= (TILE_ROWS - 1) * stride + TILE_COLUMNS);
    let mut sums = [[f32x4_splat(0.0); TILE_VECTORS]; TILE_ROWS];
    // SAFETY: the assertions above bound all three pointers.
    unsafe {
        for d in 0..depth {
            let columns = b.as_ptr().add(d * TILE_COLUMNS).cast::<v128>();
            let vectors: [v128; TILE_VECTORS] = std::array::from_fn(|v| v128_load(columns.add(v)));
            for (i, row) in sums.iter_mut().enumerate() {
                let scalar = v128_load32_splat(a.as_ptr().add(d * TILE_ROWS + i).cast());
                for (sum, vector) in row.iter_mut().zip(vectors) {
                    *sum = multiply_add(scalar, vector, *sum);
                }
            }
        }
        for (i, row) in sums.iter().enumerate() {
            let out = c.as_mut_ptr().add(i * stride).cast::<v128>();
            for (v, sum) in row.iter().enumerate() {
                v128_store(out.add(v), f32x4_add(v128_load(out.add(v)), *sum));
            }
        }
    }
}

#[inline(always)]
fn multiply_add(a: v128, b: v128, c: v128) -> v128 {
    #[cfg(feature = "relaxed")]
    return f32x4_relaxed_madd(a, b, c);
    #[cfg(not(feature = "relaxed"))]
    return f32x4_add(f32x4_mul(a, b), c);
}
