//! Vectors of four lanes in plain Rust, which compilers turn into whatever the machine has.

use super::Lanes;

/// Four lanes in plain Rust, for machines without a version of their own; the compiler finds what vectors there are.
#[derive(Clone, Copy)]
pub(crate) struct F4([f32; 4]);

impl F4 {
    #[inline(always)]
    fn zip(self, o: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], o.0[i])))
    }
    #[inline(always)]
    fn words(self, o: Self, f: impl Fn(u32, u32) -> u32) -> Self {
        self.zip(o, |a, b| f32::from_bits(f(a.to_bits(), b.to_bits())))
    }
    #[inline(always)]
    fn mask(self, o: Self, f: impl Fn(f32, f32) -> bool) -> Self {
        self.zip(o, |a, b| f32::from_bits(if f(a, b) { u32::MAX } else { 0 }))
    }
}

impl Lanes for F4 {
    const N: usize = 4;

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { p.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { p.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    fn to_array(self) -> [f32; 8] {
        let [a, b, c, d] = self.0;
        [a, b, c, d, 0.0, 0.0, 0.0, 0.0]
    }
    #[inline(always)]
    fn splat(x: f32) -> Self {
        Self([x; 4])
    }
    #[inline(always)]
    fn add(self, o: Self) -> Self {
        self.zip(o, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, o: Self) -> Self {
        self.zip(o, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, o: Self) -> Self {
        self.zip(o, |a, b| a * b)
    }
    #[inline(always)]
    fn div(self, o: Self) -> Self {
        self.zip(o, |a, b| a / b)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.map(f32::sqrt))
    }
    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        self.mul(b).add(c)
    }
    #[inline(always)]
    fn least(self, o: Self) -> Self {
        self.zip(o, |a, b| if b < a { b } else { a })
    }
    #[inline(always)]
    fn most(self, o: Self) -> Self {
        self.zip(o, |a, b| if a < b { b } else { a })
    }
    #[inline(always)]
    fn lt(self, o: Self) -> Self {
        self.mask(o, |a, b| a < b)
    }
    #[inline(always)]
    fn le(self, o: Self) -> Self {
        self.mask(o, |a, b| a <= b)
    }
    #[inline(always)]
    fn eq(self, o: Self) -> Self {
        self.mask(o, |a, b| a == b)
    }
    #[inline(always)]
    fn select(self, a: Self, b: Self) -> Self {
        Self(std::array::from_fn(|i| if self.0[i].to_bits() != 0 { a.0[i] } else { b.0[i] }))
    }
    #[inline(always)]
    fn any(self) -> bool {
        self.0.iter().any(|x| x.to_bits() != 0)
    }
    #[inline(always)]
    fn and(self, o: Self) -> Self {
        self.words(o, |a, b| a & b)
    }
    #[inline(always)]
    fn or(self, o: Self) -> Self {
        self.words(o, |a, b| a | b)
    }
    #[inline(always)]
    fn xor(self, o: Self) -> Self {
        self.words(o, |a, b| a ^ b)
    }
    #[inline(always)]
    fn int_add(self, o: Self) -> Self {
        self.words(o, u32::wrapping_add)
    }
    #[inline(always)]
    fn int_mul(self, o: Self) -> Self {
        self.words(o, u32::wrapping_mul)
    }
    #[inline(always)]
    fn int_eq(self, o: Self) -> Self {
        self.words(o, |a, b| if a == b { u32::MAX } else { 0 })
    }
    #[inline(always)]
    fn shl<const K: u32>(self) -> Self {
        self.words(self, |a, _| a << K)
    }
    #[inline(always)]
    fn shr<const K: u32>(self) -> Self {
        self.words(self, |a, _| a >> K)
    }
    #[inline(always)]
    fn int_to_float(self) -> Self {
        Self(self.0.map(|x| x.to_bits() as i32 as f32))
    }
}
