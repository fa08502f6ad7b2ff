//! Vectors of four lanes with WebAssembly SIMD, relaxed where the build asks for it.

use core::arch::wasm32::*;

use super::Lanes;

/// Four lanes of wasm's `simd128`.
#[derive(Clone, Copy)]
pub(crate) struct V128(v128);

impl Lanes for V128 {
    const N: usize = 4;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller's promise; wasm loads need no alignment.
        Self(unsafe { v128_load(p.cast()) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller's promise; wasm stores need no alignment.
        unsafe { v128_store(p.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        // SAFETY: lanes 0..n only, n < 4.
        unsafe {
            if n >= 2 {
                v128_store64_lane::<0>(self.0, p.cast());
                if n == 3 {
                    v128_store32_lane::<2>(self.0, p.add(2).cast());
                }
            } else if n == 1 {
                v128_store32_lane::<0>(self.0, p.cast());
            }
        }
    }
    #[inline(always)]
    fn to_array(self) -> [f32; 8] {
        let v = self.0;
        let (a, b) = (f32x4_extract_lane::<0>(v), f32x4_extract_lane::<1>(v));
        let (c, d) = (f32x4_extract_lane::<2>(v), f32x4_extract_lane::<3>(v));
        [a, b, c, d, 0.0, 0.0, 0.0, 0.0]
    }
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(f32x4_splat(x))
    }
    #[inline(always)]
    fn bits(x: u32) -> Self {
        Self(u32x4_splat(x))
    }
    #[inline(always)]
    fn add(self, o: Self) -> Self {
        Self(f32x4_add(self.0, o.0))
    }
    #[inline(always)]
    fn sub(self, o: Self) -> Self {
        Self(f32x4_sub(self.0, o.0))
    }
    #[inline(always)]
    fn mul(self, o: Self) -> Self {
        Self(f32x4_mul(self.0, o.0))
    }
    #[inline(always)]
    fn div(self, o: Self) -> Self {
        Self(f32x4_div(self.0, o.0))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(f32x4_sqrt(self.0))
    }
    #[cfg(feature = "relaxed-simd")]
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Self(f32x4_relaxed_madd(self.0, b.0, c.0))
    }
    #[cfg(not(feature = "relaxed-simd"))]
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Self(f32x4_add(f32x4_mul(self.0, b.0), c.0))
    }
    // Under relaxed SIMD the compiler turns `pmin` and `pmax` into instructions that may lose NaN.
    #[inline(always)]
    fn least(self, o: Self) -> Self {
        if cfg!(feature = "relaxed-simd") { o.lt(self).select(o, self) } else { Self(f32x4_pmin(self.0, o.0)) }
    }
    #[inline(always)]
    fn most(self, o: Self) -> Self {
        if cfg!(feature = "relaxed-simd") { self.lt(o).select(o, self) } else { Self(f32x4_pmax(self.0, o.0)) }
    }
    #[inline(always)]
    fn lt(self, o: Self) -> Self {
        Self(f32x4_lt(self.0, o.0))
    }
    #[inline(always)]
    fn le(self, o: Self) -> Self {
        Self(f32x4_le(self.0, o.0))
    }
    #[inline(always)]
    fn eq(self, o: Self) -> Self {
        Self(f32x4_eq(self.0, o.0))
    }
    #[inline(always)]
    fn select(self, a: Self, b: Self) -> Self {
        Self(v128_bitselect(a.0, b.0, self.0))
    }
    #[inline(always)]
    fn any(self) -> bool {
        v128_any_true(self.0)
    }
    #[inline(always)]
    fn and(self, o: Self) -> Self {
        Self(v128_and(self.0, o.0))
    }
    #[inline(always)]
    fn or(self, o: Self) -> Self {
        Self(v128_or(self.0, o.0))
    }
    #[inline(always)]
    fn xor(self, o: Self) -> Self {
        Self(v128_xor(self.0, o.0))
    }
    #[inline(always)]
    fn int_add(self, o: Self) -> Self {
        Self(i32x4_add(self.0, o.0))
    }
    #[inline(always)]
    fn int_mul(self, o: Self) -> Self {
        Self(i32x4_mul(self.0, o.0))
    }
    #[inline(always)]
    fn int_eq(self, o: Self) -> Self {
        Self(i32x4_eq(self.0, o.0))
    }
    #[inline(always)]
    fn shl<const K: u32>(self) -> Self {
        Self(i32x4_shl(self.0, K))
    }
    #[inline(always)]
    fn shr<const K: u32>(self) -> Self {
        Self(u32x4_shr(self.0, K))
    }
    #[inline(always)]
    fn int_to_float(self) -> Self {
        Self(f32x4_convert_i32x4(self.0))
    }
    #[inline(always)]
    unsafe fn transpose4(rows: [*const f32; 4], dst: *mut f32, stride: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let [a, b, c, d] = rows.map(|r| v128_load(r.cast()));
            let (ab0, ab1) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
            let (cd0, cd1) = (i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
            v128_store(dst.cast(), i64x2_shuffle::<0, 2>(ab0, cd0));
            v128_store(dst.add(stride).cast(), i64x2_shuffle::<1, 3>(ab0, cd0));
            v128_store(dst.add(2 * stride).cast(), i64x2_shuffle::<0, 2>(ab1, cd1));
            v128_store(dst.add(3 * stride).cast(), i64x2_shuffle::<1, 3>(ab1, cd1));
        }
    }
}
