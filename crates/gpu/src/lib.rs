//! Runs plans on the GPU: [`GpuExecutor`] implements [`downhill_compile::Executor`] with wgpu, natively and as WebGPU in the browser.
//!
//! Loading turns every step of a plan into dispatches: text of a shader and numbers (`kernels`), without a device, so that all of it
//! can be validated and counted anywhere. All values lie in one storage buffer, the arena, and what differs between two dispatches of one
//! shader is uniform data at a dynamic offset: a step of training is set-pipeline, set-bind-group, dispatch, again and again, in one
//! pass per submit. Nothing is awaited in that loop.
//!
//! It knows nothing of graphs, of other backends, or of what to do when the device is gone.

#![forbid(unsafe_code)]

#[macro_use]
mod wgsl;

#[cfg(target_arch = "wasm32")]
mod browser;
mod ceilings;
mod device;
mod encode;
mod executor;
mod expr;
mod fault;
mod flight;
mod kernels;
mod latency;
mod profile;
mod program;
mod run;
mod self_test;
mod shader;
mod staging;
mod stopwatch;

#[cfg(not(target_arch = "wasm32"))]
pub use device::Live;
pub use device::{Adapter, Ceilings, Created, DeviceOptions, GpuDevice, no_gpu};
pub use executor::GpuExecutor;
pub use profile::Profile;
pub use program::{Counts, counts};
pub use self_test::{SelfTestError, self_test};
pub use stopwatch::Clock;
