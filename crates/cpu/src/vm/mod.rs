//! The tile machine: an expression becomes a short list of vector instructions over tiles that stay in the first-level cache.

mod adam;
mod code;
#[allow(unsafe_code, reason = "hands checked operands to the SIMD files")]
mod machine;
mod value;
mod walk;

pub(crate) use code::Code;
pub(crate) use machine::{Machine, MapOp, Target};
pub(crate) use walk::Walk;
