//! What a vector of 32-bit lanes can do: the trait that every instruction set implements.

/// A vector of [`Lanes::N`] 32-bit lanes, floats or integers as the operation says. Masks are lanes of all ones or all zeros.
///
/// Implementations may use instructions that not every machine has; they are only instantiated under [`super::versions`].
pub(crate) trait Lanes: Copy {
    /// Number of lanes, at most 8.
    const N: usize;

    /// N floats from `p`, unaligned.
    ///
    /// # Safety
    /// N elements from `p` lie in one allocation.
    unsafe fn load(p: *const f32) -> Self;
    /// N floats to `p`, unaligned.
    ///
    /// # Safety
    /// N elements from `p` lie in one allocation and may be written.
    unsafe fn store(self, p: *mut f32);
    /// The first `n < N` lanes to `p`.
    ///
    /// # Safety
    /// `n` elements from `p` lie in one allocation and may be written.
    #[inline(always)]
    unsafe fn store_part(self, p: *mut f32, n: usize) {
        let lanes = self.to_array();
        let mut i = 0;
        while i < n {
            // SAFETY: i < n.
            unsafe { *p.add(i) = lanes[i] };
            i += 1;
        }
    }

    /// The lanes, followed by zeros.
    fn to_array(self) -> [f32; 8];
    /// The first N of `lanes`.
    #[inline(always)]
    fn from_array(lanes: &[f32; 8]) -> Self {
        // SAFETY: N ≤ 8.
        unsafe { Self::load(lanes.as_ptr()) }
    }

    fn splat(x: f32) -> Self;
    /// `x` in every lane as it is.
    #[inline(always)]
    fn bits(x: u32) -> Self {
        Self::splat(f32::from_bits(x))
    }

    fn add(self, o: Self) -> Self;
    fn sub(self, o: Self) -> Self;
    fn mul(self, o: Self) -> Self;
    fn div(self, o: Self) -> Self;
    fn sqrt(self) -> Self;
    /// `self·b + c`, rounded once where the machine can.
    fn fma(self, b: Self, c: Self) -> Self;
    /// `o < self ? o : self`: NaN in `self` stays.
    fn least(self, o: Self) -> Self;
    /// `self < o ? o : self`: NaN in `self` stays.
    fn most(self, o: Self) -> Self;

    fn lt(self, o: Self) -> Self;
    fn le(self, o: Self) -> Self;
    fn eq(self, o: Self) -> Self;
    /// `a` where the mask `self` is set, else `b`.
    fn select(self, a: Self, b: Self) -> Self;
    /// Whether any lane of the mask is set.
    fn any(self) -> bool;

    fn and(self, o: Self) -> Self;
    fn or(self, o: Self) -> Self;
    fn xor(self, o: Self) -> Self;
    fn int_add(self, o: Self) -> Self;
    fn int_mul(self, o: Self) -> Self;
    fn int_eq(self, o: Self) -> Self;
    fn shl<const K: u32>(self) -> Self;
    /// Shifts zeros in.
    fn shr<const K: u32>(self) -> Self;
    /// Signed integers to floats.
    fn int_to_float(self) -> Self;

    /// Writes the transpose of four rows of four floats, `stride` apart in `dst`.
    ///
    /// # Safety
    /// The rows can be read, and four floats at each multiple of `stride` be written.
    #[inline(always)]
    unsafe fn transpose4(rows: [*const f32; 4], dst: *mut f32, stride: usize) {
        for (i, row) in rows.into_iter().enumerate() {
            for j in 0..4 {
                // SAFETY: the caller's promise.
                unsafe { *dst.add(j * stride + i) = *row.add(j) };
            }
        }
    }

    /// The sum of the lanes, in pairs.
    #[inline(always)]
    fn sum(self) -> f32 {
        let l = self.to_array();
        ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
    }

    #[inline(always)]
    fn neg(self) -> Self {
        self.xor(Self::bits(0x8000_0000))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.and(Self::bits(0x7fff_ffff))
    }
    /// Subnormals made zero: they cost a hundred times a normal number.
    #[inline(always)]
    fn flushed(self) -> Self {
        self.abs().lt(Self::bits(0x0080_0000)).select(Self::splat(0.0), self)
    }
}
