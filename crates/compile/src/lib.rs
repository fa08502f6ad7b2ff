//! From a graph to a [`Plan`]: what runs, in which order, and where every value lies.
//!
//! Passes are verbs and each has a verifier and a readable `Display`. The plan is the same for every backend; a backend implements
//! [`Executor`] and knows nothing of graphs.

mod executor;
mod layout;
mod plan;

pub use executor::{Completed, ExecError, Executor, ProgramId, Progress, ReadId, Ticket};
pub use layout::{Entry, LayoutError, LayoutSpec, StateLayout, StateOffsets, padded};
pub use plan::{Arg, Plan, PlanOutput, Region, Space, Step};
