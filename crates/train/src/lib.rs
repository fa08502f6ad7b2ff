//! Training: a [`Session`] turns an experiment into programs and runs them step by step; a [`Conversation`] lets a page steer it.
//!
//! A session is four parts, a folder each: `run` (what is trained and how far), `machine` (what runs it), `pipeline` (what is under way) and
//! `reports` (what is told of it); `session` conducts them.
//!
//! Everything here is the same natively and in the worker of a page: no file, no document. Only `worker` knows the browser.

pub mod bench;
mod chooser;
mod compile_bench;
mod conversation;
pub mod export;
mod machine;
mod pipeline;
mod ready;
mod reports;
mod run;
mod session;
mod tensors;
pub mod verdict;
#[cfg(target_arch = "wasm32")]
pub mod worker;

pub use chooser::{Chooser, open};
pub use compile_bench::{CompileTimes, compile_times};
pub use conversation::Conversation;
pub use downhill_gpu::{DeviceOptions, GpuDevice};
pub use machine::engine::{Engine, Loaded};
pub use ready::ready;
pub use reports::curves::{Curve, Curves, Point};
pub use session::edited::Edited;
pub use session::next::Next;
pub use session::small::Small;
pub use session::{NamedParameter, Session};
pub use tensors::{Array, Values, write_arrays};
