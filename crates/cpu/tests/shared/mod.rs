//! The backend under test.

use downhill_compile::conformance::Backend;
use downhill_cpu::CpuExecutor;

/// The backend under test.
pub struct Cpu;

impl Backend for Cpu {
    type Executor = CpuExecutor;

    fn executor(&self) -> CpuExecutor {
        CpuExecutor::new()
    }
}
