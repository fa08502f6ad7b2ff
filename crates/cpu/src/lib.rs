//! Runs plans on the CPU, in wasm and natively: [`CpuExecutor`] implements [`downhill_compile::Executor`].
//!
//! Loading turns every step of a plan into an operation whose operands are checked and whose scratch is there; running a step
//! is one flat walk over them, without a lookup or an allocation. Fused expressions run on a tile machine (`vm`), matrix
//! products on packed panels (`matmul`), both written once over a vector type with one implementation per instruction set (`simd`).
//!
//! It knows nothing of graphs, threads or time slices longer than one [`downhill_compile::Executor::pump`].

#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "buffers as cells and as words")]
mod arena;
mod bind;
mod budget;
mod executor;
mod kernels;
mod load;
#[allow(unsafe_code, reason = "hands checked operands to the SIMD files")]
mod matmul;
mod patches;
mod profile;
mod rewrite;
#[allow(unsafe_code, reason = "vectors over raw pointers: a kernel may write where it reads")]
mod simd;
mod vm;

pub use executor::CpuExecutor;
