//! What the test binaries share: the backend under test, and what is run on it.

#![allow(dead_code, reason = "every test binary uses its part")]

use downhill_compile::conformance::Backend;
use downhill_gpu::{GpuDevice, GpuExecutor};

pub mod allocations;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
#[cfg(not(target_arch = "wasm32"))]
pub mod networks;
pub mod products;

/// The backend under test: a device.
pub struct Gpu<'a>(pub &'a GpuDevice);

impl Backend for Gpu<'_> {
    type Executor = GpuExecutor;

    fn executor(&self) -> GpuExecutor {
        GpuExecutor::new(self.0)
    }

    async fn finish(executor: &mut GpuExecutor) {
        executor.finish().await;
    }
}
