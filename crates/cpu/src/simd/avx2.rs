//! Vectors of eight lanes with AVX2 and fused multiply-add.

use core::arch::x86_64::*;

use super::Lanes;

/// Eight lanes of AVX2 with FMA.
#[derive(Clone, Copy)]
pub(crate) struct V256(__m256);

macro_rules! i {
    ($v:expr) => {
        _mm256_castps_si256($v)
    };
}

/// Every method is inlined into a function with these features.
macro_rules! avx2 {
    ($e:expr) => {{
        // SAFETY: `versions!` instantiates this type only behind a check for AVX2 and FMA; pointers are the caller's promise.
        unsafe { $e }
    }};
}

impl Lanes for V256 {
    const N: usize = 8;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        Self(avx2!(_mm256_loadu_ps(p)))
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        avx2!(_mm256_storeu_ps(p, self.0))
    }
    #[inline(always)]
    fn to_array(self) -> [f32; 8] {
        let mut out = [0.0; 8];
        avx2!(_mm256_storeu_ps(out.as_mut_ptr(), self.0));
        out
    }
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self(avx2!(_mm256_set1_ps(x)))
    }
    #[inline(always)]
    fn bits(x: u32) -> Self {
        Self(avx2!(_mm256_castsi256_ps(_mm256_set1_epi32(x as i32))))
    }
    #[inline(always)]
    fn add(self, o: Self) -> Self {
        Self(avx2!(_mm256_add_ps(self.0, o.0)))
    }
    #[inline(always)]
    fn sub(self, o: Self) -> Self {
        Self(avx2!(_mm256_sub_ps(self.0, o.0)))
    }
    #[inline(always)]
    fn mul(self, o: Self) -> Self {
        Self(avx2!(_mm256_mul_ps(self.0, o.0)))
    }
    #[inline(always)]
    fn div(self, o: Self) -> Self {
        Self(avx2!(_mm256_div_ps(self.0, o.0)))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(avx2!(_mm256_sqrt_ps(self.0)))
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        Self(avx2!(_mm256_fmadd_ps(self.0, b.0, c.0)))
    }
    #[inline(always)]
    fn least(self, o: Self) -> Self {
        Self(avx2!(_mm256_min_ps(o.0, self.0)))
    }
    #[inline(always)]
    fn most(self, o: Self) -> Self {
        Self(avx2!(_mm256_max_ps(o.0, self.0)))
    }
    #[inline(always)]
    fn lt(self, o: Self) -> Self {
        Self(avx2!(_mm256_cmp_ps::<_CMP_LT_OQ>(self.0, o.0)))
    }
    #[inline(always)]
    fn le(self, o: Self) -> Self {
        Self(avx2!(_mm256_cmp_ps::<_CMP_LE_OQ>(self.0, o.0)))
    }
    #[inline(always)]
    fn eq(self, o: Self) -> Self {
        Self(avx2!(_mm256_cmp_ps::<_CMP_EQ_OQ>(self.0, o.0)))
    }
    #[inline(always)]
    fn select(self, a: Self, b: Self) -> Self {
        Self(avx2!(_mm256_blendv_ps(b.0, a.0, self.0)))
    }
    #[inline(always)]
    fn any(self) -> bool {
        avx2!(_mm256_movemask_ps(self.0)) != 0
    }
    #[inline(always)]
    fn and(self, o: Self) -> Self {
        Self(avx2!(_mm256_and_ps(self.0, o.0)))
    }
    #[inline(always)]
    fn or(self, o: Self) -> Self {
        Self(avx2!(_mm256_or_ps(self.0, o.0)))
    }
    #[inline(always)]
    fn xor(self, o: Self) -> Self {
        Self(avx2!(_mm256_xor_ps(self.0, o.0)))
    }
    #[inline(always)]
    fn int_add(self, o: Self) -> Self {
        Self(avx2!(_mm256_castsi256_ps(_mm256_add_epi32(i!(self.0), i!(o.0)))))
    }
    #[inline(always)]
    fn int_mul(self, o: Self) -> Self {
        Self(avx2!(_mm256_castsi256_ps(_mm256_mullo_epi32(i!(self.0), i!(o.0)))))
    }
    #[inline(always)]
    fn int_eq(self, o: Self) -> Self {
        Self(avx2!(_mm256_castsi256_ps(_mm256_cmpeq_epi32(i!(self.0), i!(o.0)))))
    }
    #[inline(always)]
    fn shl<const K: u32>(self) -> Self {
        Self(avx2!(_mm256_castsi256_ps(_mm256_sll_epi32(i!(self.0), _mm_cvtsi32_si128(K as i32)))))
    }
    #[inline(always)]
    fn shr<const K: u32>(self) -> Self {
        Self(avx2!(_mm256_castsi256_ps(_mm256_srl_epi32(i!(self.0), _mm_cvtsi32_si128(K as i32)))))
    }
    #[inline(always)]
    fn int_to_float(self) -> Self {
        Self(avx2!(_mm256_cvtepi32_ps(i!(self.0))))
    }
    #[inline(always)]
    unsafe fn transpose4(rows: [*const f32; 4], dst: *mut f32, stride: usize) {
        avx2!({
            let [a, b, c, d] = rows.map(|r| _mm_loadu_ps(r));
            let (ab0, ab1) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
            let (cd0, cd1) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
            _mm_storeu_ps(dst, _mm_movelh_ps(ab0, cd0));
            _mm_storeu_ps(dst.add(stride), _mm_movehl_ps(cd0, ab0));
            _mm_storeu_ps(dst.add(2 * stride), _mm_movelh_ps(ab1, cd1));
            _mm_storeu_ps(dst.add(3 * stride), _mm_movehl_ps(cd1, ab1));
        })
    }
}
