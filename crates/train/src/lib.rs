//! Training: a [`Session`] turns an experiment into programs and runs them step by step; a [`Conversation`] lets a page steer it.
//!
//! Everything here is the same natively and in the worker of a page: no file, no document. Only `worker` knows the browser.

mod answer;
mod batches;
pub mod bench;
mod chooser;
mod compare;
mod compile_bench;
mod conversation;
mod curves;
mod cut;
mod diagnose;
mod edit;
mod engine;
mod evaluate;
mod info;
mod jobs;
mod pace;
mod probe;
mod profile;
mod programs;
mod pump;
mod ready;
mod recorder;
mod rows;
mod session;
mod snapshot;
mod state;
mod survive;
mod tensors;
mod watches;
#[cfg(target_arch = "wasm32")]
pub mod worker;

pub use chooser::{Chooser, open};
pub use compile_bench::{CompileTimes, compile_times};
pub use conversation::Conversation;
pub use curves::{Curve, Curves, Point};
pub use downhill_gpu::{DeviceOptions, GpuDevice};
pub use edit::Edited;
pub use engine::{Engine, Program};
pub use pump::Next;
pub use ready::ready;
pub use session::{NamedParameter, Session};
pub use tensors::{Array, Values, write_arrays};
