//! The kernel families that are neither fused expressions nor matrix products.

mod index;
mod loss;
mod reduce;
mod rows;
mod update;

pub(crate) use index::{CopyOp, IndexAddOp, IndexSelectOp};
pub(crate) use loss::{AccuracyOp, LossOp};
pub(crate) use reduce::ReduceOp;
pub(crate) use rows::{RowsOp, norm};
pub(crate) use update::{RecordOp, UpdateOp};
