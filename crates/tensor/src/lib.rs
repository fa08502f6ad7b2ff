//! The words every other crate speaks in: [`Shape`], [`Dtype`], [`TensorTy`], the counter-based [`rng`], [`stats`] and
//! [`UserError`], and how numbers from outside become [`seconds`].
//!
//! It is not a tensor library: nothing here owns data on a device or computes a layer.

mod apart;
mod dtype;
mod error;
mod names;
mod number;
mod outside;
pub mod rng;
mod shape;
mod sort;
pub mod stats;

pub use apart::apart;
pub use dtype::{Dtype, TensorTy};
pub use error::UserError;
pub use names::NameMap;
pub use number::parse_number;
pub use outside::{LONGEST, seconds};
pub use shape::{Shape, ShapeError};
pub use sort::{sort_short, sort_short_by_key};
