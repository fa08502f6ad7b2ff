//! The typed op graph of Downhill: what an op *means*.
//!
//! One file per op under [`ops`] holds its attributes, shape rule, gradient, reference evaluation in f64, lowering to kernels and
//! test cases. [`autodiff`] adds gradient nodes, [`interp`] evaluates a graph slowly and obviously right.
//!
//! It is not a runtime: no memory is planned and nothing is fast here. `compile` turns a graph into a plan, backends run the plan.

#![forbid(unsafe_code)]

#[cfg(any(test, feature = "arbitrary"))]
pub mod arbitrary;
pub mod autodiff;
mod builder;
mod decompose;
pub mod expr;
#[cfg(test)]
mod gradcheck;
mod gradient_cases;
pub mod graph;
pub mod interp;
pub mod kernel;
pub mod ops;
mod print;
mod scalars;
pub mod tensors;
mod verify;

pub use builder::Built;
pub use decompose::decompose;
pub use expr::{BinaryOp, ComposedOp, Expr, ExprOp, Reg, UnaryOp};
pub use graph::{
    Feed, FeedId, FeedKind, NodeId, NodeOp, OpError, Origin, Outputs, ParamId, Parameter, ScopeId, StateId, StateTensor, Value,
};
pub use ops::{Graph, Node, Op};
pub use scalars::{ScalarId, StepScalars};
pub use verify::{VerifyError, verify};
