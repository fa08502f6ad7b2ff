//! From a graph to a [`Plan`]: what runs, in which order, and where every value lies.
//!
//! Passes are verbs and each has a verifier and a readable `Display`: [`compile`] canonicalises the graph, lowers it to kernels over
//! buffers, fuses, schedules and plans memory. The plan is the same for every backend; a backend implements [`Executor`] and knows nothing
//! of graphs.

#![forbid(unsafe_code)]

mod access;
mod canonicalise;
mod compile;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod cost;
mod error;
mod executor;
mod fuse;
mod iterate;
mod layout;
mod lower;
mod memory;
mod plan;
mod queue;
mod schedule;
mod simplify;
mod slots;
#[cfg(test)]
mod tests;
mod verify;
mod work;

pub use compile::{Options, compile};
pub use cost::{Estimate, estimate};
pub use error::CompileError;
pub use executor::{Completed, ExecError, Executor, ProgramId, Progress, ReadId, Ticket};
pub use layout::{Entry, LayoutError, LayoutSpec, StateLayout, StateOffsets, padded};
pub use plan::{Arg, Plan, PlanOutput, Region, Space, Step};
pub use queue::{Item, Queue};
pub use slots::Slots;
pub use verify::verify_plan;
