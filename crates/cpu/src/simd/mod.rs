//! Vectors of 32-bit lanes, written once: [`Lanes`] has one implementation per instruction set, everything else is generic over it.
//!
//! Operands arrive as raw pointers, because a kernel may write where it reads. `unsafe` is found here, in `arena.rs`, and where `matmul.rs` and
//! `vm/machine.rs` hand checked operands over; `lib.rs` denies it elsewhere.

pub(crate) mod attention;
pub(crate) mod direct;
pub(crate) mod gemm;
mod lanes;
mod math;
pub(crate) mod norm;
pub(crate) mod pack;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod slide;
pub(crate) mod tile;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(target_arch = "wasm32")]
mod wasm;

pub(crate) use lanes::Lanes;

/// Elements that a kernel may read beyond an operand, so that tails load whole vectors. Buffers are this much longer than asked for.
pub(crate) const OVERREAD: usize = 32;

/// Whether the wide native versions can run.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

/// Defines a function once per instruction set and picks one when called. The body names the vector `L` and the tile of the matrix
/// product: `MR` rows by `NV` vectors, as many accumulators as the register allocator keeps without spilling.
macro_rules! versions {
    ($(#[$doc:meta])* $vis:vis unsafe fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        #[cfg(target_arch = "wasm32")]
        #[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
        $vis unsafe fn $name($($arg: $ty),*) $(-> $ret)? {
            #[allow(dead_code)]
            type L = $crate::simd::wasm::V128;
            #[allow(dead_code)]
            const MR: usize = 4;
            #[allow(dead_code)]
            const NV: usize = 2;
            $body
        }

        $(#[$doc])*
        #[cfg(target_arch = "x86_64")]
        $vis unsafe fn $name($($arg: $ty),*) $(-> $ret)? {
            #[target_feature(enable = "avx2,fma")]
            unsafe fn wide($($arg: $ty),*) $(-> $ret)? {
                #[allow(dead_code)]
                type L = $crate::simd::avx2::V256;
                #[allow(dead_code)]
                const MR: usize = 6;
                #[allow(dead_code)]
                const NV: usize = 2;
                $body
            }
            unsafe fn narrow($($arg: $ty),*) $(-> $ret)? {
                #[allow(dead_code)]
                type L = $crate::simd::portable::F4;
                #[allow(dead_code)]
                const MR: usize = 4;
                #[allow(dead_code)]
                const NV: usize = 2;
                $body
            }
            // SAFETY: the wide version runs only where its instructions exist; the rest is the caller's promise.
            unsafe { if $crate::simd::has_avx2() { wide($($arg),*) } else { narrow($($arg),*) } }
        }

        $(#[$doc])*
        #[cfg(not(any(target_arch = "wasm32", target_arch = "x86_64")))]
        $vis unsafe fn $name($($arg: $ty),*) $(-> $ret)? {
            #[allow(dead_code)]
            type L = $crate::simd::portable::F4;
            #[allow(dead_code)]
            const MR: usize = 4;
            #[allow(dead_code)]
            const NV: usize = 2;
            $body
        }
    };
}
pub(crate) use versions;
